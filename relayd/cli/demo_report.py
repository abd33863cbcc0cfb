"""What `relayd demo` prints: what starts, what happens, what the receivers saw, and whether all is right."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from relayd.cli.domain_card import SIGNS
from relayd.cli.lines import ACTORS
from relayd.sandbox import climb
from relayd.sandbox.demo import CASES, Case, World
from relayd.sandbox.invoices import Answer
from relayd.sandbox.record import Received
from relayd.sandbox.verify import Seen

_COLOURS = {
    "accepted": "cyan",
    "delivered": "green",
    "relayed": "green",
    "deferred": "yellow",
    "uncertain": "yellow",
    "held": "yellow",
    "failed": "red",
    "refused": "red",
    "expired": "red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one invoice, from all sides."""

    case: Case
    events: tuple[dict[str, Any], ...]
    answer: Answer | None  # what the app was told
    server: str | None  # where it arrived
    received: Received | None
    seen: Seen | None
    on_the_way: Received | None  # at the customer's own server

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1] if self.events else {}

    @property
    def status(self) -> str:
        known = [event["status"] for event in self.events if "status" in event]
        return known[-1] if known else "unknown"

    def problems(self) -> list[str]:
        """What is not as it should be."""
        case, seen = self.case, self.seen
        expected: list[tuple[str, object, object]] = [
            ("status", self.status, case.status),
            ("rung", self.last.get("rung"), case.rung),
            ("reason", self.last.get("reason"), case.reason),
            ("text for people", bool(self.last.get("text")), True),
            ("arrived", self.server is not None, case.status == "sent"),
        ]
        if case.reason:
            expected.append(("what to do", bool(self.last.get("remedy")), True))
        if case.delayed_by:
            delays = [event.get("reason") for event in self.events if event["type"] == "deferred"]
            expected.append(("delays", delays, [case.delayed_by]))
        if case.login or self.on_the_way:
            way = self.on_the_way
            expected.append(("login", way and (way.login, way.tls is not None), (case.login, True)))
        if seen is not None:
            expected += [
                ("From", seen.header_from, case.header_from),
                ("Reply-To", seen.reply_to, case.reply_to),
                ("DKIM", seen.signed_by, case.signed_by),
                ("DMARC", (seen.dmarc, *seen.aligned_by), ("pass", *case.aligned_by)),
            ]
        return [
            f"{what}: {found!r} instead of {wanted!r}" for what, found, wanted in expected if found != wanted
        ]


class Report:
    """Prints to one console; in colour on a terminal, plain when piped."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._language = _language()

    def opening(self, world: World, *, user: str | None, config: Path, port: int) -> None:
        self._heading("relayd demo: an invoicing app sends in its customers' names")
        who = f"user {user}" if user else "root" if os.geteuid() == 0 else "you"
        rows = [
            ("relayd", f"127.0.0.1:{port}, run by {who}, config {config}"),
            ("DNS", f"{world.names.address}, a zone of its own"),
            ("receiving", ", ".join(f"{each.name} ({each.host}:{each.port})" for each in world.mail_servers)),
            ("customer's server", f"{world.upstream.name} ({world.upstream.host}:{world.upstream.port})"),
        ]
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            table.add_row(Text(name, style="dim"), Text(value))
        self._console.print(Padding(table, (0, 0, 1, 2)))

    def handed_in(self, case: Case) -> None:
        self._console.print(f"  [bold]{case.invoice.number}[/]  {escape(case.about)}", soft_wrap=True)

    def event(self, event: Mapping[str, Any]) -> None:
        kind = event["type"]
        parts = [
            event.get("reason") or (event.get("rung") if kind == "accepted" else None),
            event.get("host"),
        ]
        what = ", ".join(str(part) for part in parts if part)
        line = Text("  ")
        line.append(f"{event.get('ref') or '':8} ", style="bold")
        line.append(f"{kind:10} ", style=_COLOURS.get(kind, ""))
        line.append(f"{event.get('recipient') or event.get('sender') or 'the platform'}")
        line.append(f"  {what}" if what else "", style="dim")
        self._console.print(line, soft_wrap=True)

    def invoices(self, outcomes: Sequence[Outcome]) -> None:
        """The receivers' view, then the app's."""
        self._heading("What the receivers got")
        for outcome in outcomes:
            if outcome.seen is not None and outcome.received is not None:
                self._receipt(
                    outcome.case.invoice.number,
                    outcome.server or "",
                    outcome.received,
                    outcome.seen,
                    way=outcome.on_the_way,
                )
        self._heading("The status of each invoice")
        for outcome in outcomes:
            self._status(outcome)

    def closing(
        self, outcomes: Sequence[Outcome], steps: Mapping[str, Sequence[str]], *, seconds: float
    ) -> bool:
        """The verdict; True when all is as it should be. `steps` has what is wrong at each."""
        self._heading("Did it come out right?")
        numbers = {outcome.case.invoice.number: outcome.problems() for outcome in outcomes}
        named = {f"step {name}:": problems for name, problems in steps.items()}
        right = [self._verdict(numbers, "invoices"), self._verdict(named, "steps of the ladder")]
        self._console.print(f"[dim]after {seconds:.1f} s[/]")
        return all(right)

    def _verdict(self, found: Mapping[str, Sequence[str]], what: str) -> bool:
        for name, problems in found.items():
            for problem in problems:
                self._console.print(f"[bold red]wrong[/] {name} {escape(problem)}", soft_wrap=True)
        good = sum(not problems for problems in found.values())
        style = "bold green" if good == len(found) else "bold red"
        self._console.print(f"[{style}]{good} of {len(found)} {what} came out as they should[/]")
        return good == len(found)

    # the climb

    def climbing(self, name: str, domain: str) -> None:
        self._heading(f"A customer climbs the ladder: {name}, {domain}")

    def step(self, number: int, title: str) -> None:
        self._console.print(f"\n  [bold]{number}[/]  [bold]{escape(title)}[/]")

    def said(self, who: str, text: str) -> None:
        """Something that somebody did or saw."""
        self._row(who, Text(text))

    def record(self, record: Mapping[str, Any], *, publish: bool) -> None:
        """How a record stands, in a look at the domain; `publish`: with what has to be put there."""
        there = record["state"] == "ok"
        sign, colour = SIGNS[record["state"] if record["needed"] or there else "warning"]
        state = record["state"] + ("" if record["needed"] or there else " (optional)")
        line = Text.assemble((f"{sign} ", colour), f"{record['name']} ", (state, colour))
        if there or not publish:
            self._row("", line)
            return
        self._row("", line.append(f"; publish {record['type']}"))
        self._row("", Text(f"  {record['value']}"))

    def standing(
        self, sender: Mapping[str, Any], events: Sequence[str], number: str, seen: Seen | None
    ) -> None:
        """What the receiver saw, beside what the API says."""
        if seen is not None:
            self._row(number, Text.assemble("From ", (seen.header_from, "bold")))
            if seen.reply_to:
                self._row("", Text(f"Reply-To {seen.reply_to}"))
            self._row("", Text(f"return path {_short(seen.return_path)}, SPF {seen.spf}"))
            passed = f" by {' and '.join(seen.aligned_by)}" if seen.aligned_by else ""
            judged = (f"DMARC {seen.dmarc}{passed}", "green" if seen.dmarc == "pass" else "bold red")
            self._row("", Text.assemble(f"DKIM d={', '.join(seen.signed_by) or 'none'}; ", judged))
        mark = ("! ", "bold red") if sender["todo"] else ("✓ ", "green")
        rung = f"wanted {sender['wanted']}, rung {sender['rung']}, "
        why = sender["reason"] or f"proof {sender['proof']}"
        by = f", confirmed by {sender['confirmed_by']}" if sender["confirmed"] else ", not confirmed"
        self._row("the API", Text.assemble(mark, rung, why, by))
        for first in sender["todo"][:1]:
            self._row("todo", Text(f"{self._in_language(first['text'])}"))
        if later := sender["tasks"][1:]:
            self._row("", Text(f"then {', '.join(later)}"))
        self._row("events", Text(", ".join(dict.fromkeys(events)), style="dim"))

    def _row(self, name: str, text: Text) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_column(min_width=7)
        text.overflow = "fold"
        table.add_row(Text(name, style="dim"), text)
        self._console.print(Padding(table, (0, 0, 0, 5)))

    # afterwards

    def arrived(self, server: str, received: Received, seen: Seen) -> None:
        self._receipt("new", server, received, seen)
        with contextlib.suppress(ValueError):  # most mail is no confirmation mail
            letter = climb.read_letter(received)
            self.said("link", letter.link)
            self.said("code", letter.code)

    def staying(self, world: World, *, config: Path, port: int, api: str, pages: str, program: str) -> None:
        """What can be tried, in lines to copy: the terminal breaks them, not we."""
        self._heading("It keeps running; Ctrl-C ends it")
        known = f"{CASES[3].invoice.number}"
        lines = [
            ("an app's settings", f"host 127.0.0.1, port {port}, no TLS, no login"),
            ("From may be", ", ".join(sorted({case.invoice.from_address for case in CASES}))),
            ("To may be", "anybody@hotel.example, anybody@council.example, anybody@lawyers.example"),
            ("the status of one invoice", f"{program} status {known} -c {config}"),
            ("everything that happens", f"{program} log --follow -c {config}"),
            (
                "the API, as an app asks it",
                f"curl -H 'Authorization: Bearer {world.token}' http://{api}/api/v1/senders/{climb.ID}",
            ),
            (
                "another customer",
                f'{program} sender add bolt name="Bolt" address=bolt@{climb.DOMAIN} send_as=own -c {config}',
            ),
            (
                f"a confirmation mail; its link (http://{pages}/confirm/…) shows here",
                f"{program} sender confirm bolt -c {config}",
            ),
            ("what a domain needs", f"{program} domain check {climb.DOMAIN} -c {config}"),
            ("what an answer means", f'{program} explain "550 5.7.26 Unauthenticated mail is prohibited"'),
            ("ask its DNS", f"dig @{world.names.host} -p {world.names.port} _dmarc.acme.example TXT"),
        ]
        for name, value in lines:
            self._console.print(Text(f"  {name}", style="dim"), soft_wrap=True)
            self._console.print(Text(f"    {value}"), soft_wrap=True)
        self._console.print()

    def log(self, path: Path) -> None:
        """The end of the daemon's own log, for whoever has to find out."""
        if path.exists():
            self._console.print(Rule("the daemon's log", style="dim"))
            self._console.print(Text(path.read_text(errors="replace")[-4000:]), soft_wrap=True)

    def _heading(self, text: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(text, style="bold"), align="left", style="cyan"))

    def _receipt(
        self, number: str, server: str, received: Received, seen: Seen, way: Received | None = None
    ) -> None:
        table = Table.grid(padding=(0, 2))
        signed = ", ".join(f"verified for {domain}" for domain in seen.signed_by) or "none"
        passed = f" (aligned by {' and '.join(seen.aligned_by)})" if seen.aligned_by else ""
        good = seen.dmarc == "pass"
        rows = [
            ("From", Text(seen.header_from, style="bold")),
            ("Reply-To", Text(seen.reply_to or "none", style="" if seen.reply_to else "dim")),
            ("Return path", Text(seen.return_path or "<>")),
            ("DKIM", Text(signed, style="green" if seen.signed_by else "dim")),
            ("DMARC", Text(seen.dmarc + passed, style="green" if good else "bold red")),
        ]
        if way is not None:
            how = f"through the customer's server: {way.tls}, logged in as {way.login}"
            rows.insert(0, ("Came", Text(how)))
        for name, value in rows:
            table.add_row(Text(name, style="dim"), value)
        to = ", ".join(received.recipients)
        self._console.print(f"  [bold]{number}[/]  {escape(to)} at {server}", soft_wrap=True)
        self._console.print(Padding(table, (0, 0, 1, 11)))

    def _status(self, outcome: Outcome) -> None:
        last, case = outcome.last, outcome.case
        sent = outcome.status == "sent"
        line = Text("  ")
        line.append(f"{case.invoice.number}  ", style="bold")
        line.append(outcome.status.replace("_", " "), style="bold green" if sent else "bold red")
        line.append(f"  to {case.invoice.to}, {case.invoice.total}")
        self._console.print(line, soft_wrap=True)
        rows = [("what", self._in_language(last.get("text")))]
        if not sent:
            rows += [
                ("who must act", ACTORS.get(last.get("actor") or "", "")),
                ("what to do", self._in_language(last.get("remedy"))),
                ("reason", " ".join(str(last.get(key) or "") for key in ("reason", "code", "enhanced"))),
                ("the server said", last.get("reply") or ""),
            ]
        if outcome.answer is not None:
            rows.append(("the app was told", f"{outcome.answer.code} {outcome.answer.text}".split("\n")[0]))
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            if value.strip():
                table.add_row(Text(name, style="dim"), Text(value))
        self._console.print(Padding(table, (0, 0, 1, 11)))

    def _in_language(self, texts: Mapping[str, str] | None) -> str:
        return (texts or {}).get(self._language) or (texts or {}).get("en", "")


def _short(address: str) -> str:
    """A token is told from a name by its length; nobody reads it."""
    local, at, domain = address.rpartition("@")
    return f"{local[:8]}…{at}{domain}" if len(local) > 40 else address


def _language() -> str:
    """The reader's, as the locale says."""
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return next((value for value in named if value), "en")[:2].lower()
