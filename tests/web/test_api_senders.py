"""Senders through the API, with the real book of senders behind it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from relayd.core.journal import EventType
from relayd.core.phrases import LANGUAGES
from relayd.core.policy import Platform, Proven
from relayd.core.reasons import Reason
from relayd.core.sender import Sender
from relayd.core.settings import Settings
from relayd.core.todo import DnsRecord, Outlook, Publish, outlook
from relayd.dkimkeys import KeyRing
from relayd.identity.confirm import Confirmations
from relayd.identity.senders import Book, Changed, Entry
from relayd.store.memory import MemoryStore
from relayd.vault import Vault
from relayd.web import requests
from relayd.web.api import create_app
from relayd.web.roles import OPERATOR, Asker, Role

from ..keys import KEY

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
ACME: dict[str, Any] = {"name": "ACME BV", "address": "billing@acme.example"}
LOGIN = {"host": "smtp.acme.example", "username": "billing@acme.example", "password": "canary-1"}
PUBLISH = Publish(
    own=DnsRecord(type="TXT", name="r1._domainkey.acme.example", value="v=DKIM1; p=AAA"),
    platform=DnsRecord(type="TXT", name="r1._domainkey.my.platform.example", value="v=DKIM1; p=AAA"),
)
PLATFORM = Platform(
    domain="my.platform.example",
    return_path="my.platform.example",
    selector="r1",
    send_unproven=False,
    smarthost=False,
)


@dataclass
class Customers:
    """The book, and a world in which what `proven` says is proven of everybody."""

    book: Book
    proven: Proven = field(default_factory=lambda: Proven(platform_key=True, own_key=False))

    def entry(self, id: str) -> Entry | None:
        return self.book.entry(id)

    def sender_ids(self) -> Sequence[str]:
        return self.book.ids()

    def outlook(self, sender: Sender) -> Outlook:
        return outlook(sender=sender, proven=self.proven, platform=PLATFORM, publish=PUBLISH)

    async def put_sender(self, id: str, values: Mapping[str, object], *, by: str) -> Changed:
        return await self.book.put(id, values, by=by)

    async def put_senders(self, many: Mapping[str, Mapping[str, object]], *, by: str) -> Sequence[Changed]:
        return await self.book.put_many(many, by=by)

    async def set_sender(self, id: str, changes: Mapping[str, object], *, by: str) -> Changed:
        return await self.book.set(id, changes, by=by)

    async def remove_sender(self, id: str, *, by: str) -> Entry:
        return await self.book.remove(id, by=by)


@dataclass
class Desk:
    store: MemoryStore
    customers: Customers
    confirmations: Confirmations

    def language(self, sender: str | None) -> str:
        found = self.customers.book.get(sender or "")
        return found.language if found is not None else "en"


@dataclass
class Api:
    desk: Desk
    http: httpx.AsyncClient
    asker: Asker = OPERATOR

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= more.get("headers", {})
        return await self.http.request(method, "/api/v1" + path, content=content, headers=headers)

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, id: str, **values: Any) -> Any:
        answer = await self.ask("PUT", f"/senders/{id}", values)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def has(self, role: Role) -> None:
        self.asker = Asker(name=f"token:{role.value}", role=role)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    store = MemoryStore(clock=lambda: NOW)
    master = tmp_path / "master.key"
    master.write_bytes(base64.b64encode(b"k" * 32))
    vault = Vault(ring=KeyRing({"r1": KEY}), master=master)
    book = Book(store=store, vault=vault, clock=lambda: NOW)
    settings = {
        "hostname": "relay.example.net",
        "platform": {
            "domain": "my.platform.example",
            "name": "Platform",
            "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
        },
        "senders": {"fixed": {"name": "Fixed", "address": "office@fixed.example", "confirmed": True}},
    }
    book.open(await book.read(Settings.model_validate_json(json.dumps(settings))))
    confirmations = Confirmations(
        store=store,
        senders=lambda: book,
        post=lambda: pytest.fail("nobody asked for a letter"),
        confirm=book.confirm,
        fingerprint=vault.fingerprint,
        platform=lambda: "Platform",
        public_url=lambda: None,
        clock=lambda: NOW,
    )
    desk = Desk(store, Customers(book), confirmations)

    async def admit(request: Request, method: str, path: str) -> Asker:
        return api.asker

    app = create_app(desk, admit)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        api = Api(desk, http)
        yield api


# --- one sender ---


async def test_the_same_put_twice_adds_and_then_changes_nothing(api: Api) -> None:
    first = await api.ask("PUT", "/senders/acme", ACME)
    before = await api.desk.store.journal(0, 100)
    again = await api.ask("PUT", "/senders/acme", ACME)

    assert (first.status_code, again.status_code) == (201, 200)
    assert set(first.json()["changed"]) >= {"name", "address"}
    assert again.json()["changed"] == []
    assert await api.desk.store.journal(0, 100) == before
    assert first.json()["id"] == "acme"
    assert first.json()["default_address"] == "acme-bv@my.platform.example"


async def test_what_a_sender_is_and_lacks_is_told(api: Api) -> None:
    await api.put("acme", **ACME, send_as="own", language="de")

    found = await api.get("/senders/acme?lang=sender")

    todo = found.pop("todo")
    settings = found.pop("settings")
    assert found == {
        "id": "acme",
        "name": "ACME BV",
        "address": "billing@acme.example",
        "confirmed": False,
        "confirmed_by": None,
        "wanted": "own",
        "rung": "default",
        "proof": "platform",
        "reason": "sender.unconfirmed",
        "mail": "sent",
        "held": None,
        "default_address": "acme-bv@my.platform.example",
        "origin": "store",
        "tasks": ["address.confirm", "domain.publish"],
        "has_password": False,
        "confirmation": {"asked": None, "next_letter_at": "2030-01-31T12:00:00.000Z"},
    }
    assert [(one["task"], one["actor"], one["link"]) for one in todo] == [
        ("address.confirm", "sender", None),
        ("domain.publish", "sender_it", None),
    ]
    assert todo[0]["text"].startswith("Bestätigen Sie billing@acme.example")
    assert todo[1]["record"] == {
        "type": "TXT",
        "name": "r1._domainkey.acme.example",
        "value": "v=DKIM1; p=AAA",
    }
    assert (settings["send_as"], settings["language"], settings["upstream"]) == ("own", "de", None)


async def test_texts_come_in_every_language_or_in_the_one_asked_for(api: Api) -> None:
    await api.put("acme", **ACME)

    [every] = (await api.get("/senders/acme"))["todo"]

    assert set(every["text"]) == set(LANGUAGES)
    for language in LANGUAGES:
        [one] = (await api.get(f"/senders/acme?lang={language}"))["todo"]
        assert one["text"] == every["text"][language]
    assert (await api.ask("GET", "/senders/acme?lang=xx")).status_code == 400


@pytest.mark.parametrize(
    ("changes", "proven", "mail", "rung", "reason", "held"),
    [
        ({}, Proven(platform_key=True, own_key=False), "sent", "default", None, None),
        ({}, Proven(platform_key=False, own_key=False), "held", "default", None, "signing.failed"),
        ({"send_as": "own"}, Proven(platform_key=True, own_key=True), "sent", "own", None, None),
        (
            {"send_as": "own", "if_unproven": "hold"},
            Proven(platform_key=True, own_key=False),
            "held",
            "own",
            "sender.unproven",
            "sender.unproven",
        ),
        (
            {"send_as": "own", "if_unproven": "reject"},
            Proven(platform_key=True, own_key=False),
            "refused",
            None,
            "sender.unproven",
            None,
        ),
        (
            {"send_as": "upstream", "upstream": LOGIN},
            Proven(platform_key=True, own_key=False, login_refused=Reason.AUTH_WRONG_PASSWORD),
            "sent",
            "default",
            "auth.wrong_password",
            None,
        ),
    ],
)
async def test_what_mail_would_get_now_is_told(
    api: Api, changes: Any, proven: Proven, mail: str, rung: str | None, reason: str | None, held: str | None
) -> None:
    api.desk.customers.proven = proven
    await api.put("acme", **ACME, confirmed=True, **changes)

    found = await api.get("/senders/acme")

    assert (found["mail"], found["rung"], found["reason"], found["held"]) == (mail, rung, reason, held)


async def test_a_secret_can_be_set_and_never_read(api: Api) -> None:
    answers = [
        await api.ask("PUT", "/senders/acme", {**ACME, "upstream": LOGIN}),
        await api.ask("GET", "/senders/acme"),
        await api.ask("GET", "/senders?q=acme"),
        await api.ask("PATCH", "/senders/acme", {"upstream": {"password": "canary-2"}}),
        await api.ask("PUT", "/senders/acme", {**ACME, "upstream": {**LOGIN, "port": "canary-3"}}),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 422]
    assert "canary-1" not in "".join(answer.text for answer in answers)
    assert "canary-2" not in "".join(answer.text for answer in answers)
    assert "***" not in "".join(answer.text for answer in answers)
    assert answers[1].json()["has_password"] is True
    assert "password" not in answers[1].json()["settings"]["upstream"]
    sender = api.desk.customers.book.get("acme")
    assert sender is not None
    assert sender.upstream is not None
    assert sender.upstream.password is not None
    assert sender.upstream.password.value == "canary-2"


async def test_a_password_that_is_left_out_stays_and_null_takes_it_away(api: Api) -> None:
    await api.put("acme", **ACME, upstream=LOGIN)
    without = {key: value for key, value in LOGIN.items() if key != "password"}

    kept = await api.put("acme", **ACME, upstream=without)
    gone = await api.ask("PUT", "/senders/acme", {**ACME, "upstream": {**without, "password": None}})

    assert (kept["has_password"], kept["changed"]) == (True, [])
    assert gone.status_code == 422  # a username without a password can't be
    await api.put("acme", **ACME, upstream={"host": "smtp.acme.example", "password": None})
    assert (await api.get("/senders/acme"))["has_password"] is False


async def test_what_get_gives_as_settings_can_be_put_back_and_changes_nothing(api: Api) -> None:
    await api.put("acme", **ACME, upstream=LOGIN, send_as="upstream", confirmed=True)
    settings = (await api.get("/senders/acme"))["settings"]

    assert (await api.put("acme", **settings))["changed"] == []


async def test_put_replaces_and_patch_changes_what_is_named(api: Api) -> None:
    await api.put("acme", **ACME, language="nl", test=True)

    patched = await api.ask("PATCH", "/senders/acme", {"test": False, "language": None})
    put = await api.put("acme", name="Acme", address="hello@acme.example")

    assert patched.json()["changed"] == ["language", "test"]
    assert patched.json()["settings"]["language"] == "en"
    assert put["changed"] == ["address", "name"]
    assert (await api.ask("PATCH", "/senders/nobody", {"name": "x"})).status_code == 404


async def test_all_that_is_wrong_is_told_at_once_in_sentences(api: Api) -> None:
    values = {"name": "", "address": "nonsense", "send_as": "own_domain", "colour": "red"}

    answer = await api.ask("PUT", "/senders/acme", values)

    assert answer.status_code == 422
    found = answer.json()
    assert {problem["key"] for problem in found["problems"]} == {"name", "address", "send_as", "colour"}
    for problem in found["problems"]:
        assert set(problem) == {"sender", "key", "seen", "expected", "text"}
        assert problem["sender"] == "acme"
    assert found["error"].startswith("4 things")
    assert (await api.ask("GET", "/senders/acme")).status_code == 404


async def test_a_sender_of_the_config_is_read_only(api: Api) -> None:
    for method, body in (("PUT", ACME), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = await api.ask(method, "/senders/fixed", body)

        assert answer.status_code == 409
        assert "reload" in answer.json()["remedy"]
    assert (await api.get("/senders/fixed"))["origin"] == "config"
    assert (await api.get("/senders/fixed"))["confirmed_by"] == "config"


async def test_a_sender_is_removed_once(api: Api) -> None:
    await api.put("acme", **ACME)

    assert (await api.ask("DELETE", "/senders/acme")).json() == {"removed": "acme"}
    assert (await api.ask("DELETE", "/senders/acme")).status_code == 404
    assert (await api.ask("GET", "/senders/acme")).status_code == 404


async def test_every_change_stands_in_the_journal_with_who_did_it_and_no_secret(api: Api) -> None:
    api.has(Role.APP)
    await api.put("acme", **ACME, upstream=LOGIN)
    await api.ask("PATCH", "/senders/acme", {"upstream": {"password": "canary-2"}})
    await api.ask("DELETE", "/senders/acme")

    events = [e for e in await api.desk.store.journal(0, 100) if e.type is EventType.SENDER_CHANGED]

    assert len(events) == 3
    assert all("token:app" in event.detail.values() for event in events)
    assert "canary" not in repr(events)


async def test_an_id_in_the_body_has_to_be_that_of_the_path(api: Api) -> None:
    assert (await api.ask("PUT", "/senders/acme", {**ACME, "id": "acme"})).status_code == 201
    assert (await api.ask("PUT", "/senders/acme", {**ACME, "id": "bolt"})).status_code == 400


# --- the operator's word ---


async def test_only_the_operator_vouches_for_an_address(api: Api) -> None:
    api.has(Role.APP)
    for method, body in (("PUT", {**ACME, "confirmed": True}), ("PATCH", {"confirmed": True})):
        answer = await api.ask(method, "/senders/acme", body)
        assert answer.status_code == 403
        assert "confirmed" in answer.json()["error"]
    answer = await api.ask("PUT", "/senders", [{"id": "acme", **ACME, "confirmed": True}])
    assert answer.status_code == 403
    assert await api.get("/senders?q=acme") == {"senders": [], "next": None}


async def test_the_operator_s_word_stands_until_the_app_gives_another_address(api: Api) -> None:
    await api.put("acme", **ACME, confirmed=True)
    api.has(Role.APP)

    same = await api.put("acme", **{**ACME, "name": "Acme"})
    settings = (await api.get("/senders/acme"))["settings"]
    again = await api.put("acme", **settings)
    other = await api.put("acme", **{**ACME, "address": "hello@acme.example"})

    assert (same["confirmed"], again["confirmed"], other["confirmed"]) == (True, True, False)
    answer = await api.ask("PUT", "/senders/acme", {**settings, "address": "x@acme.example"})
    assert answer.status_code == 403


async def test_nobody_looks_around_on_this_machine(api: Api) -> None:
    body = {**ACME, "upstream": {"host": "smtp.acme.example", "ca_file": "/etc/shadow"}}

    answer = await api.ask("PUT", "/senders/acme", body)

    assert answer.status_code == 422
    assert "only the config file may name others" in answer.text


# --- lists ---


async def test_the_list_goes_on_from_a_cursor_and_ends(api: Api) -> None:
    for id in ("bolt", "acme", "cork"):
        await api.put(id, name=id.title(), address=f"x@{id}.example")

    first = await api.get("/senders?limit=2")
    second = await api.get(f"/senders?limit=2&after={first['next']}")

    assert [one["id"] for one in first["senders"]] == ["acme", "bolt"]
    assert [one["id"] for one in second["senders"]] == ["cork", "fixed"]
    assert second["next"] is None


async def test_the_list_is_filtered(api: Api) -> None:
    await api.put("acme", **ACME, confirmed=True)
    await api.put("bolt", name="Bolt GmbH", address="x@bolt.example", confirmed=True, send_as="own")
    await api.put("cork", name="Cork", address="x@cork.example")
    api.desk.customers.proven = Proven(platform_key=True, own_key=True)

    async def ids(query: str) -> str:
        return " ".join(one["id"] for one in (await api.get(f"/senders?{query}"))["senders"])

    assert await ids("q=GMBH") == "bolt"
    assert await ids("q=cork.example") == "cork"
    assert await ids("rung=own") == "bolt"
    assert await ids("confirmed=false") == "cork"
    assert await ids("confirmed=true&origin=store") == "acme bolt"
    assert await ids("origin=config") == "fixed"
    assert await ids("q=nobody") == ""
    for wrong in ("rung=first", "confirmed=yes", "origin=", "limit=5000"):
        assert (await api.ask("GET", f"/senders?{wrong}")).status_code == 400


async def test_a_page_looks_through_so_many_and_says_where_to_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relayd.web.senders.LOOKED_MAX", 2)
    for id in ("a", "b", "c"):
        await api.put(id, name=id, address=f"x@{id}.example")

    first = await api.get("/senders?q=fixed")

    assert first == {"senders": [], "next": "b"}
    assert [one["id"] for one in (await api.get("/senders?q=fixed&after=b"))["senders"]] == ["fixed"]


# --- many at once ---


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
async def test_many_are_put_at_once_and_again_changes_nothing(api: Api, kind: str) -> None:
    many = [{"id": f"s{n}", "name": f"S{n}", "address": f"x@s{n}.example"} for n in range(60)]
    body = (json.dumps(many) if kind.endswith("/json") else "\n".join(map(json.dumps, many)) + "\n").encode()

    first = await api.ask("PUT", "/senders", body, headers={"Content-Type": kind})
    again = await api.ask("PUT", "/senders", body, headers={"Content-Type": kind})
    many[7]["name"] = "Seven"
    seven = await api.ask("PUT", "/senders", many)

    assert first.json() == {"created": 60, "changed": 0, "unchanged": 0, "warnings": []}
    assert again.json() == {"created": 0, "changed": 0, "unchanged": 60, "warnings": []}
    assert seven.json() == {"created": 0, "changed": 1, "unchanged": 59, "warnings": []}


async def test_of_many_none_is_put_when_one_can_not_be(api: Api) -> None:
    many = [
        {"id": "acme", **ACME},
        {"id": "bolt", "name": "Bolt", "address": "nonsense"},
        {"id": "Upper", "name": "Upper", "address": "x@upper.example"},
    ]

    answer = await api.ask("PUT", "/senders", many)

    assert answer.status_code == 422
    assert {problem["sender"] for problem in answer.json()["problems"]} == {"bolt", "Upper"}
    assert (await api.ask("GET", "/senders/acme")).status_code == 404


async def test_a_sender_of_the_config_among_many_is_told_by_name(api: Api) -> None:
    answer = await api.ask("PUT", "/senders", [{"id": "acme", **ACME}, {"id": "fixed", **ACME}])

    assert answer.status_code == 422
    assert [problem["sender"] for problem in answer.json()["problems"]] == ["fixed"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([{"name": "x"}], 400),
        ([{"id": 7}], 400),
        ([{"id": "acme", **ACME}, {"id": "acme", **ACME}], 400),
        ([1], 400),
        ({"id": "acme"}, 400),
        (b"", 400),
        (b'[{"id": "a", "id": "b"}]', 400),
        (b'[{"id": "a", "name": NaN}]', 400),
        (b'[{"id": "a", "name": "\\ud800"}]', 400),
        (b"[" * 100_000, 400),
        ([{"id": f"s{n}"} for n in range(1001)], 413),
        (b" " * (requests.LIST_MAX + 1), 413),
        ([], 200),
    ],
)
async def test_a_list_that_is_none_is_refused(api: Api, body: Any, status: int) -> None:
    assert (await api.ask("PUT", "/senders", body)).status_code == status


# --- attacks ---


@pytest.mark.parametrize(
    ("id", "status"),
    [
        ("a%2Fb", 404),
        ("..%2F..%2Fqueue", 404),
        ("acme%0A", 400),
        ("%00", 400),
        ("%1b%5b2J", 400),
        ("A" * 5000, 400),
        ("relayd", 422),
        ("all", 422),
        ("%C3%A9", 422),
        ("acme%20", 422),
    ],
)
async def test_what_is_no_id_becomes_no_sender(api: Api, id: str, status: int) -> None:
    answer = await api.ask("PUT", f"/senders/{id}", ACME)

    assert answer.status_code == status
    assert len(answer.content) < 2000
    assert "\x1b" not in answer.text
    assert "\\u001b" not in answer.text
    assert [one["id"] for one in (await api.get("/senders"))["senders"]] == ["fixed"]
    assert (await api.ask("GET", f"/senders/{id}")).status_code in (400, 404)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "a", "name": "b"}',
        b'{"upstream": {"host": "a.example", "host": "b.example"}}',
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"name": Infinity}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{",
        b"null",
        b'{"name": "' + b"x" * requests.BODY_MAX + b'"}',
    ],
)
async def test_a_body_that_could_be_read_in_two_ways_or_never_ends_is_refused(api: Api, body: bytes) -> None:
    assert (await api.ask("PUT", "/senders/acme", body)).status_code in (400, 413)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "x\r\nBcc: a@b.example"},
        {"name": ["x"]},
        {"address": {"a": 1}},
        {"upstream": []},
        {"upstream": {"host": "127.0.0.1"}},
        {"upstream": {"host": "smtp.acme.example", "port": 587.5}},
        {"upstream": {"host": "smtp.acme.example", "tls": "none", "username": "u", "password": "p"}},
        {"confirmed": "yes"},
        {"local_part": "postmaster"},
        {"__class__": "x"},
        {"": ""},
    ],
)
async def test_values_of_other_kinds_are_told_and_not_taken(api: Api, values: dict[str, Any]) -> None:
    answer = await api.ask("PUT", "/senders/acme", {**ACME, **values})

    assert answer.status_code == 422, answer.text
    assert answer.json()["problems"]


@given(st.binary(max_size=200) | st.text(alphabet='{}[]":,\\u0d8 1eE-nulltrfa', max_size=60).map(str.encode))
def test_any_octets_are_json_or_refused(octets: bytes) -> None:
    try:
        found = requests._json(octets)
    except requests.Refused:
        return
    assert json.dumps(found, ensure_ascii=False).encode()
