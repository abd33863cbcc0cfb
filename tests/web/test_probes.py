"""Probes through the API: line by line as they happen, and what can't be begun with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from relayd.core.address import parse
from relayd.core.findings import Finding, Kind
from relayd.core.probe import Mark, Step, StepName
from relayd.core.reasons import Reason
from relayd.identity.probe import Tell
from relayd.identity.senders import Problem, SenderMissing, SenderRefused
from relayd.identity.upstreams import NoSender, NoUpstream, Result, TooManyTries
from relayd.net.http import HttpServer, listen
from relayd.store.contract import StoreFull
from relayd.web.api import create_app
from relayd.web.roles import OPERATOR, Asker, Role

WRONG = Finding(kind=Kind.PASSWORD_WRONG, reason=Reason.AUTH_WRONG_PASSWORD)
FIRST = Step(name=StepName.DNS, mark=Mark.OK, seconds=0.0123, seen="192.0.2.1")
LAST = Step(name=StepName.AUTH, mark=Mark.FAILED, seconds=0.2, seen="535 no", finding=WRONG)


@dataclass
class Probes:
    """Tells the first step, waits until it may go on, and tells the rest."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    refuses: Exception | None = None
    ends_with: Exception | None = None
    asked: list[tuple[str, Mapping[str, object] | None, bool, bool]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def probe(
        self, id: str, tell: Tell, *, upstream: Mapping[str, object] | None, send: bool, again: bool
    ) -> Result:
        self.asked.append((id, upstream, send, again))
        if self.refuses is not None:
            raise self.refuses
        tell(FIRST)
        await self.go_on.wait()
        tell(LAST)
        self.ended.set()
        if self.ends_with is not None:
            raise self.ends_with
        return Result(passed=False, finding=WRONG, refusal=Reason.AUTH_WRONG_PASSWORD)

    async def arrived(self, id: str, shown: str) -> bool:
        if self.refuses is not None:
            raise self.refuses
        return str(parse(shown)) == "billing@acme.example"


@dataclass
class Api:
    probes: Probes
    http: httpx.AsyncClient
    asker: Asker = OPERATOR

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.http.post("/api/v1/senders/acme" + path, json=body)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """On a real socket: a transport in memory would gather the lines."""
    probes = Probes()
    made: list[Api] = []

    async def admit(request: Request, method: str, path: str) -> Asker:
        return made[0].asker

    control: Any = SimpleNamespace(probes=probes, language=lambda sender: "nl")
    server = HttpServer(create_app(control, admit), listen(tmp_path / "api.sock"))
    server.start()
    transport = httpx.AsyncHTTPTransport(uds=str(tmp_path / "api.sock"), trust_env=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=20) as client:
        made.append(Api(probes=probes, http=client))
        yield made[0]
    await server.stop()


async def test_each_line_comes_when_its_step_happened(api: Api) -> None:
    request = api.http.stream("POST", "/api/v1/senders/acme/probe?lang=de", json={"send": True})
    async with asyncio.timeout(15), request as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = answer.aiter_lines()
        first = json.loads(await anext(lines))
        assert first == {"step": "dns", "state": "ok", "ms": 12, "seen": "192.0.2.1"}
        api.probes.go_on.set()
        step, result = [json.loads(line) async for line in lines]
    assert (step["step"], step["state"], step["finding"]) == ("auth", "failed", "password.wrong")
    assert step["text"].startswith("Ihr Mailserver nimmt")
    assert (result["step"], result["state"], result["refused"]) == ("result", "failed", True)
    assert (result["reason"], result["actor"]) == ("auth.wrong_password", "sender")
    assert api.probes.asked == [("acme", None, True, False)]


async def test_texts_come_in_all_languages_or_in_the_senders(api: Api) -> None:
    api.probes.go_on.set()
    every = (await api.post("/probe", {})).text.splitlines()[1]
    assert set(json.loads(every)["text"]) == {"de", "en", "fr", "nl"}
    own = (await api.post("/probe?lang=sender", {})).text.splitlines()[1]
    assert json.loads(own)["text"].startswith("Uw mailserver")


async def test_who_hangs_up_does_not_break_off_a_login(api: Api) -> None:
    async with api.http.stream("POST", "/api/v1/senders/acme/probe", json={}) as answer:
        await anext(answer.aiter_lines())
    api.probes.go_on.set()
    async with asyncio.timeout(15):
        await api.probes.ended.wait()


async def test_settings_that_nobody_saved_are_handed_on(api: Api) -> None:
    api.probes.go_on.set()
    await api.post("/probe", {"upstream": {"host": "smtp.acme.example"}, "again": True})
    assert api.probes.asked == [("acme", {"host": "smtp.acme.example"}, False, True)]


async def test_a_result_that_can_not_be_kept_is_said_at_the_end(api: Api) -> None:
    api.probes.go_on.set()
    api.probes.ends_with = StoreFull("no space left")
    *_, last = (await api.post("/probe", {})).text.splitlines()
    assert json.loads(last) == {
        "step": "result",
        "state": "failed",
        "error": "the store can't keep it: no space left",
    }


@pytest.mark.parametrize(
    ("refusal", "status"),
    [
        (NoSender("acme"), 404),
        (SenderMissing("acme"), 404),
        (NoUpstream("acme"), 400),
        (TooManyTries("acme"), 429),
        (
            SenderRefused([Problem(sender="acme", key="upstream.port", seen="0", expected="1 to 65535")]),
            422,
        ),
        (StoreFull("no space left"), 503),
    ],
)
async def test_what_can_not_be_begun_with_is_an_answer_and_no_stream(
    api: Api, refusal: Exception, status: int
) -> None:
    api.probes.refuses = refusal
    answer = await api.post("/probe", {})
    assert answer.status_code == status
    assert set(answer.json()) >= {"error", "remedy"}


@pytest.mark.parametrize(
    "body", [{"send": 1}, {"again": "yes"}, {"upstream": []}, {"upstream": {}}, {"more": True}]
)
async def test_a_request_that_makes_no_sense_probes_nothing(api: Api, body: Any) -> None:
    assert (await api.post("/probe", body)).status_code == 400
    assert api.probes.asked == []


async def test_a_file_of_this_machine_is_the_operators_to_name(api: Api) -> None:
    api.asker = Asker(name="app", role=Role.APP)
    answer = await api.post("/probe", {"upstream": {"ca_file": "/etc/shadow"}})
    assert answer.status_code == 403
    assert api.probes.asked == []


async def test_which_sender_a_test_mail_showed(api: Api) -> None:
    assert (await api.post("/probe/arrived", {"from": "billing@acme.example"})).json() == {"right": True}
    assert (await api.post("/probe/arrived", {"from": "me@gmail.com"})).json() == {"right": False}
    assert (await api.post("/probe/arrived", {"from": "nobody"})).status_code == 400
    assert (await api.post("/probe/arrived", {})).status_code == 400
    api.probes.refuses = NoSender("acme")
    assert (await api.post("/probe/arrived", {"from": "me@gmail.com"})).status_code == 404
    api.probes.refuses = NoUpstream("acme")
    assert (await api.post("/probe/arrived", {"from": "me@gmail.com"})).status_code == 400
