"""Confirming an address through the API, with the real book of senders and real letters."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from relayd.core.confirmation import DENIED, PAUSE, TRIES
from relayd.core.delivery import Settlement, State
from relayd.core.event import Event, EventType
from relayd.core.hops import Hops
from relayd.core.reasons import Reason
from relayd.core.settings import Settings
from relayd.dkimkeys import KeyRing
from relayd.dressing import Dresser, SigningFailed
from relayd.identity.confirm import Confirmations
from relayd.identity.senders import Book, Problem, SenderRefused
from relayd.post import Post
from relayd.store.contract import Selection
from relayd.store.memory import MemoryStore
from relayd.vault import Vault
from relayd.web.api import create_app
from relayd.web.roles import OPERATOR, Asker, Role

from ..keys import KEY

SETTINGS: dict[str, Any] = {
    "hostname": "relay.example.net",
    "platform": {
        "domain": "my.platform.example",
        "name": "Platform",
        "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
    },
    "senders": {
        "acme": {"name": "ACME BV", "address": "billing@acme.example"},
        "fixed": {"name": "Fixed", "address": "office@fixed.example", "confirmed": True},
    },
}


class Published:
    """Stands for `identity.domains`: our key is published."""

    def known(self, *_: object) -> bool:
        return True

    async def proven(self, *_: object) -> bool:
        return True

    def selector(self, domain: str) -> str:
        return "r1"


@dataclass
class Desk:
    store: MemoryStore
    confirmations: Confirmations
    book: Book

    def language(self, sender: str | None) -> str:
        return "de"


@dataclass
class Api:
    desk: Desk
    http: httpx.AsyncClient
    asker: Asker = OPERATOR
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    async def post(self, id: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/api/v1/senders/{id}/confirm", json=body)

    async def get(self, id: str, query: str = "") -> Any:
        answer = await self.http.get(f"/api/v1/senders/{id}/confirm{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def code(self) -> str:
        (record, *_) = await self.desk.store.find(Selection(ref="confirmation:acme"))
        body = b"".join([chunk async for chunk in self.desk.store.content(record.message.id)])
        found = re.findall(rb"^ {4}(\d{3}) (\d{3})\r$", body, re.MULTILINE)[0]
        return b"".join(found).decode()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    def clock() -> datetime:
        return api.now

    store = MemoryStore(clock=lambda: datetime.now(UTC))
    master = tmp_path / "master.key"
    master.write_bytes(base64.b64encode(b"k" * 32))
    vault = Vault(ring=KeyRing({"r1": KEY}), master=master)
    settings = Settings.model_validate_json(json.dumps(SETTINGS))
    post = Post(
        store=store,
        dresser=Dresser(vault=vault, settings=settings, domains=Published(), login_refused={}),
        platform="Platform",
        domain="my.platform.example",
        clock=clock,
    )
    book = Book(store=store, vault=vault, clock=clock)
    confirmations = Confirmations(
        store=store,
        senders=lambda: book,
        post=lambda: post,
        confirm=book.confirm,
        fingerprint=vault.fingerprint,
        platform=lambda: "Platform",
        public_url=lambda: "https://confirm.platform.example",
        clock=clock,
    )

    async def admit(request: Request, method: str, path: str) -> Asker:
        return api.asker

    desk = Desk(store, confirmations, book)
    transport = httpx.ASGITransport(create_app(desk, admit))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        api = Api(desk, http)
        book.open(await book.read(settings))
        yield api
    vault.close()


async def test_asking_tells_until_when_it_is_good_and_when_the_next_letter_may_go(api: Api) -> None:
    api.asker = Asker(name="billing-app", role=Role.APP)
    answer = await api.post("acme")
    assert answer.status_code == 200
    found = answer.json()
    asked = found.pop("asked")
    letter = asked.pop("letter")
    at = api.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert found == {
        "sender": "acme",
        "address": "billing@acme.example",
        "confirmed": False,
        "next_letter_at": (api.now + PAUSE).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    assert asked == {
        "by": "billing-app",
        "at": at,
        "expires_at": (api.now + timedelta(days=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "open": True,
        "tries_left": TRIES,
        "ended": None,
    }
    assert letter["status"] == "queued"
    assert letter["text"]["nl"]


async def test_asking_again_too_soon_says_from_when(api: Api) -> None:
    await api.post("acme")
    answer = await api.post("acme")
    assert answer.status_code == 429
    found = answer.json()
    assert found["why"] == "too_soon"
    assert found["next_letter_at"] in found["remedy"]
    assert 3500 < int(answer.headers["retry-after"]) <= 3600
    api.now += PAUSE
    assert (await api.post("acme")).status_code == 200


async def test_the_code_confirms(api: Api) -> None:
    await api.post("acme")
    answer = await api.post("acme", code=await api.code())
    assert answer.status_code == 200
    assert answer.json() == {
        "sender": "acme",
        "address": "billing@acme.example",
        "confirmed": True,
        "asked": None,
        "next_letter_at": None,
    }
    entry = api.desk.book.entry("acme")
    assert entry is not None
    assert entry.confirmed_by == "code"
    again = await api.post("acme")
    assert again.json()["confirmed"] is True


async def test_wrong_codes_are_counted_out_loud(api: Api) -> None:
    await api.post("acme")
    code = await api.code()
    wrong = "000000" if code != "000000" else "000001"
    for left in range(TRIES - 1, 0, -1):
        answer = await api.post("acme", code=wrong)
        assert (answer.status_code, answer.json()["why"], answer.json()["tries_left"]) == (422, "wrong", left)
    for typed in (wrong, code):
        answer = await api.post("acme", code=typed)
        assert (answer.status_code, answer.json()["why"]) == (409, "used_up")
    assert (await api.get("acme"))["asked"]["tries_left"] == 0


async def test_a_code_for_nothing_says_what_to_do(api: Api) -> None:
    answer = await api.post("acme", code="123456")
    assert (answer.status_code, answer.json()["why"]) == (409, "nothing_asked")
    assert "ask for a new mail" in answer.json()["remedy"]


async def test_only_the_operator_vouches(api: Api) -> None:
    for role in (Role.APP, Role.SUPPORT):
        api.asker = Asker(name="x", role=role)
        assert (await api.post("acme", vouch=True)).status_code == 403
    assert (await api.get("acme"))["confirmed"] is False
    api.asker = OPERATOR
    assert (await api.post("acme", vouch=True)).json()["confirmed"] is True
    (event,) = [e for e in await api.desk.store.journal(0) if e.type is EventType.CONFIRMED]
    assert event.detail["by"] == "vouch"


async def test_a_voucher_for_an_address_that_changed_meanwhile_is_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(id: str, address: object, *, by: str) -> None:
        raise SenderRefused([Problem(sender=id, key="address", seen="another", expected=str(address))])

    monkeypatch.setattr(api.desk.confirmations, "_confirm", refuse)
    assert (await api.post("acme", vouch=True)).status_code == 409


async def test_a_letter_that_can_not_be_delivered_shows_where_the_sender_stands(api: Api) -> None:
    await api.post("acme")
    (parcel,) = await api.desk.store.lease(api.now, Hops(total=10, per_hop=10))
    failed = Event(
        time=api.now,
        type=EventType.FAILED,
        message=parcel.message.id,
        sender="relayd",
        recipient="billing@acme.example",
        final=True,
        reason=Reason.RECIPIENT_UNKNOWN,
        code=550,
    )
    settlement = Settlement(recipient=0, state=State.FAILED, events=(failed,))
    await api.desk.store.settle(parcel, [settlement])
    letter = (await api.get("acme", "?lang=sender"))["asked"]["letter"]
    assert (letter["status"], letter["reason"]) == ("not_sent", "recipient.unknown")
    assert "Adresse" in letter["text"]


async def test_who_said_no_is_told_apart_from_who_was_asked_a_moment_ago(api: Api) -> None:
    await api.post("acme")
    (record, *_) = await api.desk.store.find(Selection(ref="confirmation:acme"))
    body = b"".join([chunk async for chunk in api.desk.store.content(record.message.id)])
    token = re.findall(rb"/confirm/([a-z2-7]{32})", body.replace(b"=\r\n", b""))[0].decode()
    await api.desk.confirmations.deny(token)
    found = await api.get("acme")
    assert (found["asked"]["ended"], found["asked"]["open"]) == ("denied", False)
    answer = await api.post("acme")
    assert (answer.status_code, answer.json()["why"]) == (429, "denied")
    api.now += DENIED
    await api.desk.confirmations.sweep()
    assert (await api.post("acme")).status_code == 200


async def test_what_ran_out_a_moment_ago_is_not_called_open(api: Api) -> None:
    await api.post("acme")
    api.now += timedelta(days=1)
    asked = (await api.get("acme"))["asked"]
    assert (asked["open"], asked["ended"]) == (False, "expired")


async def test_a_letter_whose_record_is_gone_is_left_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    await api.post("acme")

    async def nothing(*_: object) -> list[Any]:
        return []

    monkeypatch.setattr(api.desk.store, "find", nothing)
    assert (await api.get("acme"))["asked"]["letter"] is None


async def test_what_can_not_be_signed_is_a_fault_of_ours(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> str:
        raise SigningFailed("no key")

    monkeypatch.setattr(api.desk.confirmations._post(), "send", fail)
    answer = await api.post("acme")
    assert answer.status_code == 503


@pytest.mark.parametrize(
    "body",
    [
        {"code": 123456},
        {"code": ["1"]},
        {"vouch": "yes"},
        {"vouch": True, "code": "1"},
        {"x": 1},
        {"vouch": None},
    ],
)
async def test_a_body_that_says_something_else_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert (await api.post("acme", **body)).status_code == 400


@pytest.mark.parametrize("id", ["nobody", "relayd", "%00", "..%2f..", "é"])
async def test_nobody_is_nobody(api: Api, id: str) -> None:
    for body in ({}, {"code": "123456"}, {"vouch": True}):
        assert (await api.post(id, **body)).status_code == 404
    answer = await api.http.get(f"/api/v1/senders/{id}/confirm")
    assert answer.status_code == 404
