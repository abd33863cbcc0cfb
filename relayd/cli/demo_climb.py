"""The part of `relayd demo` in which a customer climbs the ladder: what the app, the customer and the keeper
of its domain do, and what is to be seen after each step.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from relayd.cli.demo_report import Report
from relayd.cli.options import EX_DATAERR
from relayd.sandbox import climb, invoices
from relayd.sandbox.climb import Step
from relayd.sandbox.demo import PLATFORM, World
from relayd.sandbox.record import Received
from relayd.sandbox.verify import Seen

STEPS = climb.steps(PLATFORM)

Problems = list[str]
Command = Callable[..., Awaitable[tuple[int, str]]]
"""Runs `relayd` with these words and the demo's config; gives exit code and output."""

HandIn = Callable[[invoices.Invoice], Awaitable[invoices.Answer]]


class _Stopped(Exception):
    """The climb can't go on; the text says why."""


class Api:
    """The daemon's API as an app asks it: over TCP, with its token."""

    def __init__(self, *, place: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"http://{place}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,  # a proxy of the environment is not meant for loopback
        )
        self.seq = 0  # of the last event that was read

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Raises httpx.HTTPError where the answer is not 200 or 201."""
        answer = await self._client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    async def events(self) -> list[dict[str, Any]]:
        """What happened to the customer since this was asked last."""
        found: list[dict[str, Any]] = []
        while True:
            page = await self.ask("GET", f"/events?after={self.seq}&limit=1000")
            self.seq = page["next"]
            if not page["events"]:
                return [event for event in found if event.get("sender") == climb.ID]
            found += page["events"]

    async def close(self) -> None:
        await self._client.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How things are after a step, from all sides."""

    sender: Mapping[str, Any]  # as the API has it
    events: Sequence[str]
    message: Mapping[str, Any] | None = None  # the API's view of the invoice
    received: Received | None = None
    seen: Seen | None = None

    def problems(self, step: Step) -> Problems:
        """What is not as it should be."""
        ladder = (step.rung, step.proof, step.reason)
        expected: list[tuple[str, object, object]] = [
            ("confirmed by", self.sender["confirmed_by"], step.confirmed_by),
            ("rung", (self.sender["rung"], self.sender["proof"], self.sender["reason"]), ladder),
            ("todo", tuple(self.sender["tasks"]), step.tasks),
            ("events", sorted({*step.events} - {*self.events}), []),
        ]
        if step.invoice is not None and self.message is not None:
            message = self.message
            how = (message["rung"], message["proof"], message["rung_reason"])
            expected.append(("rung of the invoice", how, ladder))
        if step.invoice is not None and self.seen is not None:
            seen = self.seen
            right = re.fullmatch(step.return_path, seen.return_path) is not None
            expected += [
                ("From", seen.header_from, step.header_from),
                ("Reply-To", seen.reply_to, step.reply_to),
                ("return path", (seen.return_path, right), (seen.return_path, True)),
                ("DKIM", seen.signed_by, step.signed_by),
                ("SPF", seen.spf, step.spf),
                ("DMARC", (seen.dmarc, *seen.aligned_by), ("pass", *step.aligned_by)),
            ]
        return [
            f"{what}: {found!r} instead of {wanted!r}" for what, found, wanted in expected if found != wanted
        ]


class Climb:
    """Walks the steps, tells each as it happens, and gathers what came out wrong."""

    def __init__(self, *, world: World, api: Api, report: Report, hand_in: HandIn, command: Command) -> None:
        self._world = world
        self._api = api
        self._report = report
        self._hand_in = hand_in
        self._command = command
        self._browser = climb.Browser()
        self._records: Mapping[str, Mapping[str, Any]] = {}  # by type: what relayd says to publish

    async def run(self, ends: float) -> dict[str, Problems]:
        """The problems of each step, by its name. `ends`, on the loop's clock, is when time is up."""
        found: dict[str, Problems] = {}
        step = STEPS[0]
        self._report.climbing(climb.NAME, climb.DOMAIN)
        try:
            async with asyncio.timeout_at(ends):
                await self._api.events()  # what was before is not of this customer
                for number, step in enumerate(STEPS, 1):
                    found[step.name] = ["it did not end"]  # until it has
                    self._report.step(number, step.title)
                    found[step.name] = await self._take(step)
        except TimeoutError:
            pass  # said already
        except (_Stopped, httpx.HTTPError, ValueError, OSError) as problem:
            found[step.name] = [f"{problem or type(problem).__name__}"]
        finally:
            await self._browser.close()
        return {step.name: found.get(step.name, ["it did not begin"]) for step in STEPS}

    async def _take(self, step: Step) -> Problems:
        """One step: what is done, the invoice, and what is to be seen then."""
        problems = await self._begin(step)
        received = message = None
        if step.invoice is not None:
            answer = await self._hand_in(step.invoice)
            if answer.code != 250:
                raise _Stopped(f"the app was told {answer.code} {answer.text}")
            received = await self._arrived(step.invoice.number)
            (message,) = (await self._api.ask("GET", f"/messages?ref={step.invoice.number}"))["messages"]
        problems += await self._end(step)
        standing = Standing(
            sender=await self._api.ask("GET", f"/senders/{climb.ID}"),
            events=[event["type"] for event in await self._api.events()],
            message=message,
            received=received,
            seen=None if received is None else self._world.seen(received),
        )
        self._report.standing(
            standing.sender,
            standing.events,
            step.invoice.number if step.invoice is not None else "",
            standing.seen,
        )
        return problems + standing.problems(step)

    async def _begin(self, step: Step) -> Problems:
        match step.name:
            case "add":
                return await self._add()
            case "confirm":
                return await self._confirm()
            case "spf":
                return await self._publish("TXT")
            case _:
                return await self._publish("CNAME")

    async def _end(self, step: Step) -> Problems:
        match step.name:
            case "add":
                return await self._read_letter()
            case "confirm":
                return await self._check(EX_DATAERR)
            case _:
                return []

    # what is done

    async def _add(self) -> Problems:
        said = ", ".join(f"{key}: {value}" for key, value in climb.SENDER.items() if key != "name")
        self._report.said("the app", f"PUT /api/v1/senders/{climb.ID}")
        self._report.said("", said)
        await self._api.ask("PUT", f"/senders/{climb.ID}", climb.SENDER)
        return []

    async def _read_letter(self) -> Problems:
        """By itself relayd asks the customer, with the first invoice."""
        received = await self._world.mailbox(climb.ADDRESS)
        letter, seen = climb.read_letter(received), self._world.seen(received)
        self._report.said("a mail", f"“{letter.subject}”, code {letter.code}")
        self._report.said("", letter.link)
        self._report.said("", f"From {seen.header_from}; DMARC {seen.dmarc}")
        return [] if seen.dmarc == "pass" else [f"DMARC of the confirmation mail: {seen.dmarc}"]

    async def _confirm(self) -> Problems:
        link = climb.read_letter(await self._world.mailbox(climb.ADDRESS)).link
        page = await self._browser.open(link)
        before = await self._api.ask("GET", f"/senders/{climb.ID}")
        self._report.said("GET", f"“{page.title}” [{page.button}], confirmed: {_yes(before)}")
        after = await self._browser.press(link, page)
        now = await self._api.ask("GET", f"/senders/{climb.ID}")
        self._report.said("POST", f"“{after.title}”, confirmed: {_yes(now)}")
        wrong = [] if not before["confirmed"] else ["looking at the page confirmed the address"]
        return wrong + ([] if after.status == 200 else [f"the button was answered {after.status}"])

    async def _check(self, wanted: int) -> Problems:
        """Have the domain looked at, by the command that people use."""
        code, output = await self._command("domain", "check", climb.DOMAIN, "--json")
        if code not in (0, EX_DATAERR):
            return [f"relayd domain check ended with {code}: {output}"]
        needed = [record for record in json.loads(output)["records"] if record["value"] is not None]
        needed = [record for record in needed if record["purpose"] in ("dkim", "spf")]
        self._report.said("a look", f"relayd domain check {climb.DOMAIN}")
        for record in needed:
            self._report.record(record, publish=not self._records)
        if not self._records:
            self._records = {
                kind: {record["name"]: record["value"] for record in needed if record["type"] == kind}
                for kind in ("TXT", "CNAME")
            }
        return [] if code == wanted else [f"relayd domain check ended with {code} instead of {wanted}"]

    async def _publish(self, kind: str) -> Problems:
        """The keeper of the domain puts in what relayd said, as it stands; then relayd looks."""
        for name, value in self._records[kind].items():
            self._report.said("DNS", f"{name} {kind}")
            self._report.said("", f"  {value}")
            self._world.publish(name, kind, value)
        return await self._check(0)

    async def _arrived(self, number: str) -> Received:
        """Each server tells when something happens there."""
        servers = self._world.mail_servers
        waiting = [
            asyncio.create_task(server.until(lambda: self._world.received(number) is not None))
            for server in servers
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        found = self._world.received(number)
        assert found is not None
        return found[1]


def _yes(sender: Mapping[str, Any]) -> str:
    return f"yes, by {sender['confirmed_by']}" if sender["confirmed"] else "no"
