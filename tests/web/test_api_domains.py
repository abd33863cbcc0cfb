"""Domains, keys and the doctor through the API, with what is done for domains put in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from relayd.core.doctor import Finding, bad, ok
from relayd.core.phrases import LANGUAGES
from relayd.core.records import domainreport
from relayd.core.records.answers import Missing
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.domainreport import Ours, Report, View
from relayd.core.records.spfadvice import Advice, State
from relayd.core.records.spfsurvey import Code
from relayd.core.records.spfsurvey import Finding as Spf
from relayd.identity.domainreport import Shown
from relayd.identity.rotation import Standing, UnderWay
from relayd.keyfiles import VaultError
from relayd.web import domains
from relayd.web.requests import everybody, guarded

NOW = datetime(2026, 11, 22, 9, 4, 20, tzinfo=UTC)
KEY = OurKey(selector="r1", public_key=b"key")
OURS = Ours(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    keys=(KEY,),
    spf_include="my.platform.example",
)


@dataclass
class Care:
    fails: Exception | None = None
    begun: int = 0
    looked: list[str] = field(default_factory=list)

    def show_domain(self, domain: str) -> Shown:
        if domain == "gmx.de":
            return Shown(report=domainreport.shared(domain, "GMX"), looked_at=None)
        return Shown(
            report=Report(domain=domain, lines=domainreport.to_publish(domain, OURS)), looked_at=None
        )

    async def check_domain(self, domain: str) -> Shown:
        self.looked.append(domain)
        nothing: View[str] = View(told=None, resolved=Missing(domain=False, ttl=2520))
        advice = Advice(
            domain=domain,
            state=State.MISSING,
            findings=(Spf(Code.NO_RECORD, domain),),
            seen=(),
            publish="v=spf1 include:my.platform.example ~all",
            lookups=1,
            ttl=60,
        )
        lines = (
            *domainreport.key_lines(
                domain, OURS, dict.fromkeys(OURS.selectors, nothing), dict.fromkeys(OURS.selectors, nothing)
            ),
            domainreport.spf_line(advice, nothing),
        )
        return Shown(report=Report(domain=domain, lines=lines, advice=advice), looked_at=NOW)

    async def keys(self) -> tuple[str, Standing]:
        return OURS.domain, Standing(selector="r1", keys=(KEY,), since=NOW, waiting_for=("acme.example",))

    async def rotate_keys(self) -> Standing:
        if self.fails is not None:
            raise self.fails
        self.begun += 1
        return (await self.keys())[1]

    async def examine(self) -> Sequence[Finding]:
        return [ok("disk", "/", "fine"), bad("ptr", "192.0.2.1", "none", "get one")]


@dataclass
class Desk:
    care: Care = field(default_factory=Care)

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        app = Starlette(
            routes=[
                Route(row[1], guarded(row, everybody), methods=[row[0]])
                for row in domains.routes(self)  # type: ignore[arg-type]
            ]
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.request(method, path, **more)
        return answer.status_code, answer.json()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_what_to_publish_is_shown_in_all_forms(desk: Desk) -> None:
    code, found = await desk.ask("GET", "/domains/acme.example")
    assert (code, found["looked_at"], found["provider"]) == (200, None, None)
    first = found["records"][0]
    assert first["zone"] == "r1._domainkey.acme.example. IN CNAME r1._domainkey.my.platform.example."
    assert first["instead"]["value"] == KEY.record
    assert first["state"] is None
    assert [record["purpose"] for record in found["records"]] == [
        *("dkim", "dkim", "spf", "dmarc", "return_path", "mx")
    ]


async def test_a_look_gives_states_and_texts_in_every_language_or_in_one(desk: Desk) -> None:
    code, found = await desk.ask("POST", "/domains/ACME.example/check", json={})
    assert (code, desk.care.looked) == (200, ["acme.example"])
    assert found["looked_at"] == "2026-11-22T09:04:20.000Z"
    assert found["lookups"] == {"needed": 1, "left": 9}
    assert [record["state"] for record in found["records"]] == ["missing"] * 3
    assert found["records"][0]["ttl"] == 2520
    texts = [note["text"] for record in found["records"] for note in record["notes"]]
    assert all(set(text) == set(LANGUAGES) for text in texts)
    _, found = await desk.ask("POST", "/domains/acme.example/check", json={"lang": "nl"})
    assert found["records"][0]["notes"][0]["text"] == "Op deze naam staat geen sleutelrecord."


async def test_a_domain_may_end_in_a_dot_as_in_zone_files(desk: Desk) -> None:
    _, found = await desk.ask("GET", "/domains/ACME.example.?lang=en")
    assert found["domain"] == "acme.example"


async def test_a_shared_domain_has_a_note_in_place_of_records(desk: Desk) -> None:
    _, found = await desk.ask("GET", "/domains/gmx.de?lang=en")
    assert found["records"] == []
    assert found["note"].startswith("gmx.de belongs to GMX: only GMX can publish records there.")


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/domains/no domain", {}),
        ("GET", "/domains/127.0.0.1", {}),
        ("GET", "/domains/" + "a." * 130, {}),
        ("GET", "/domains/acme.example?lang=xx", {}),
        ("POST", "/domains/acme.example/check", {"json": {"lang": 5}}),
        ("POST", "/domains/acme.example/check", {"json": {"lang": "xx"}}),
        ("POST", "/domains/acme.example/check", {"json": {"what": 1}}),
        ("POST", "/dkim/rotate", {"json": {"force": True}}),
    ],
)
async def test_what_can_not_be_read_is_refused_with_a_remedy(
    desk: Desk, method: str, path: str, more: dict[str, Any]
) -> None:
    code, found = await desk.ask(method, path, **more)
    assert code == 400
    assert found["remedy"]
    assert (desk.care.looked, desk.care.begun) == ([], 0)


async def test_the_keys_and_their_change(desk: Desk) -> None:
    code, found = await desk.ask("GET", "/dkim")
    assert (code, found["selector"], found["waiting_for"]) == (200, "r1", ["acme.example"])
    assert found["records"][0]["name"] == "r1._domainkey.my.platform.example"
    code, _ = await desk.ask("POST", "/dkim/rotate", json={})
    assert (code, desk.care.begun) == (200, 1)
    desk.care.fails = UnderWay()
    code, found = await desk.ask("POST", "/dkim/rotate", json={})
    assert (code, "under way" in found["error"]) == (409, True)
    desk.care.fails = VaultError("keys/r2.pem: the new key can't be written: Permission denied")
    code, found = await desk.ask("POST", "/dkim/rotate", json={})
    assert (code, "Permission denied" in found["error"]) == (422, True)


async def test_the_doctor(desk: Desk) -> None:
    code, found = await desk.ask("GET", "/doctor")
    assert (code, found["healthy"]) == (200, False)
    assert found["findings"][1] == {
        "check": "ptr",
        "about": "192.0.2.1",
        "health": "bad",
        "text": "none",
        "remedy": "get one",
    }
