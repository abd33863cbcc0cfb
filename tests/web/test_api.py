"""The API, asked through a real Unix socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import stat
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relayd.core import reasons
from relayd.core.address import Address
from relayd.core.delivery import Settlement, State
from relayd.core.hops import Hops
from relayd.core.journal import Event, EventType
from relayd.core.mail import (
    Dressing,
    Hop,
    Message,
    Proof,
    Recipient,
    RefusedRecipient,
    Route,
    Rung,
    Submission,
)
from relayd.core.phrases import LANGUAGES
from relayd.core.reasons import Reason
from relayd.net import http as net_http
from relayd.store.contract import Selection, Store, StoreDamaged, Verb
from relayd.store.memory import MemoryStore
from relayd.web.api import Service, create_app

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
ID = "A" * 25 + "{}"


@dataclass
class Desk:
    """What the daemon is to the API."""

    store: Store = field(default_factory=lambda: MemoryStore(clock=lambda: NOW))
    healthy: bool = True
    problems: Sequence[str] = ()
    acts: list[tuple[Verb, Selection]] = field(default_factory=list)

    def service(self) -> Service:
        return Service(
            version="1.2.3",
            hostname="relay.example.net",
            started_at=NOW,
            healthy=self.healthy,
            notes=["port 25 is closed"],
            paused={"direct:example.com": "resting"},
            refused_logins={"acme": "auth.wrong_password"},
        )

    def language(self, sender: str | None) -> str:
        return "de" if sender == "acme" else "en"

    async def act(self, verb: Verb, selection: Selection) -> int:
        self.acts.append((verb, selection))
        return await self.store.act(verb, selection, NOW)

    async def reload(self) -> Sequence[str]:
        return self.problems


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass
class Client:
    desk: Desk
    socket: Path

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        def talk() -> tuple[int, Any]:
            connection = UnixConnection(self.socket)
            octets = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            if body is not None:
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, octets, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
            connection.close()
            return answer.status, found

        return await asyncio.to_thread(talk)

    async def get(self, path: str) -> Any:
        status, found = await self.ask("GET", "/api/v1" + path)
        assert status == 200, found
        return found

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        return await self.ask("POST", "/api/v1" + path, body)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    desk = Desk()
    path = tmp_path / "api.sock"
    server = net_http.HttpServer(create_app(desk), net_http.listen(path))
    server.start()
    yield Client(desk, path)
    await server.stop()
    await desk.store.close()


async def put(store: Store, letter: str, *to: str, **more: Any) -> Message:
    """A message with an accepted event for each recipient."""
    submission = Submission(
        login=None,
        may_be=None,
        mail_from=Address("billing", "acme.example"),
        recipients=tuple(Address(local, "example.com") for local in to),
        header=b"Subject: x\r\n",
        body_size=4,
        body_hash=b"",
        eight_bit=False,
        smtputf8=False,
        received_at=NOW,
        refused=more.pop("refused", ()),
    )
    dressing = Dressing(
        rung=Rung.DEFAULT,
        proof=Proof.PLATFORM,
        reason=None,
        header_from=Address("acme", "my.platform.example"),
        header=b"Subject: x\r\n",
    )
    message = Message(
        id=ID.format(letter),
        sender=more.pop("sender", "acme"),
        ref=more.pop("ref", None),
        submission=submission,
        dressing=dressing,
        recipients=tuple(
            Recipient(index=i, address=address, hop=Hop(Route.DIRECT, "example.com"), return_path="")
            for i, address in enumerate(submission.recipients)
        ),
        **more,
    )
    kind = EventType.HELD if message.held else EventType.ACCEPTED
    events = [
        Event(
            time=NOW,
            type=kind,
            message=message.id,
            ref=message.ref,
            sender=message.sender,
            recipient=str(each.address),
            reason=message.held,
        )
        for each in message.recipients
    ]
    await store.put(message, b"hi\r\n", events)
    return message


# --- events ---


async def test_events_come_in_order_with_a_cursor_to_go_on_from(client: Client) -> None:
    await put(client.desk.store, "A", "anna", "ben", "cid")

    first = await client.get("/events?limit=2")
    rest = await client.get(f"/events?after={first['next']}")

    assert [event["recipient"] for event in first["events"]] == ["anna@example.com", "ben@example.com"]
    assert [event["recipient"] for event in rest["events"]] == ["cid@example.com"]
    assert rest["next"] == 3
    assert (await client.get("/events?after=3")) == {"events": [], "next": 3}


async def test_a_long_poll_hangs_until_there_is_an_event(client: Client) -> None:
    asking = asyncio.create_task(client.get("/events?wait=30"))
    done, _ = await asyncio.wait({asking}, timeout=0.2)
    assert not done

    await put(client.desk.store, "A", "anna")

    assert [event["seq"] for event in (await asking)["events"]] == [1]


async def test_texts_come_in_all_languages_or_in_the_one_asked_for(client: Client) -> None:
    await put(client.desk.store, "A", "anna", held=Reason.SENDER_UNPROVEN)

    [every] = (await client.get("/events"))["events"]
    [german] = (await client.get("/events?lang=de"))["events"]

    assert set(every["text"]) >= {"de", "en"}
    assert german["text"] == every["text"]["de"]
    assert german["remedy"] == every["remedy"]["de"]


async def test_texts_come_in_the_language_of_the_sender_they_concern(client: Client) -> None:
    await put(client.desk.store, "A", "anna", held=Reason.SENDER_UNPROVEN)

    [every] = (await client.get("/events"))["events"]
    [event] = (await client.get("/events?lang=sender"))["events"]
    [message] = (await client.get("/messages?lang=sender"))["messages"]
    one = await client.get(f"/messages/{ID.format('A')}?lang=sender")

    assert event["text"] == every["text"]["de"]
    assert message["recipients"][0]["text"] == every["text"]["de"]
    assert one["recipients"][0]["text"] == every["text"]["de"]


async def test_the_daemon_s_own_verbs_are_not_for_operators(client: Client) -> None:
    status, _ = await client.post("/queue/expire", {"ref": "INV-1"})

    assert status == 404


async def test_an_open_long_poll_does_not_keep_the_daemon_from_stopping(
    tmp_path: Path, skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    desk = Desk()
    server = net_http.HttpServer(create_app(desk), net_http.listen(tmp_path / "api.sock"))
    server.start()
    reader, writer = await asyncio.open_unix_connection(tmp_path / "api.sock")
    writer.write(b"GET /api/v1/events?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    asking = asyncio.create_task(reader.read())
    await asyncio.wait({asking}, timeout=0.2)
    assert not asking.done()

    async with asyncio.timeout(10):
        await server.stop()
        assert b" 200 " not in await asking
    writer.close()


# --- messages ---


async def test_a_message_is_found_by_its_reference_and_by_its_id(client: Client) -> None:
    refused = RefusedRecipient(
        address="nobody@", code=501, enhanced="5.1.3", reason=Reason.RECIPIENT_UNKNOWN, text="no domain"
    )
    await put(client.desk.store, "A", "anna", ref="INV-1", refused=(refused,))
    await put(client.desk.store, "B", "ben", ref="INV-2")

    [found] = (await client.get("/messages?ref=INV-1"))["messages"]

    assert found == await client.get(f"/messages/{ID.format('A')}")
    assert found["from"] == "acme@my.platform.example"
    assert found["rung"] == "default"
    assert found["recipients"][0]["status"] == "queued"
    [no] = found["refused"]
    assert (no["recipient"], no["status"], no["answer"]) == ("nobody@", "not_sent", "no domain")
    assert (no["actor"], set(no["text"]), set(no["remedy"])) == ("sender", {*LANGUAGES}, {*LANGUAGES})
    [german] = (await client.get("/messages?ref=INV-1&lang=de"))["messages"]
    assert german["refused"][0]["text"].startswith("Der Mailserver")


async def test_messages_are_found_by_status_newest_first(client: Client) -> None:
    await put(client.desk.store, "A", "anna", held=Reason.SENDER_UNPROVEN)
    await put(client.desk.store, "B", "ben")
    await put(client.desk.store, "C", "cid", sender="bolt")

    def ids(found: Any) -> str:
        return "".join(message["id"][-1] for message in found["messages"])

    assert ids(await client.get("/messages")) == "CBA"
    assert ids(await client.get("/messages?limit=2")) == "CB"
    assert ids(await client.get("/messages?status=held")) == "A"
    assert ids(await client.get("/messages?status=queued&sender=bolt")) == "C"
    assert ids(await client.get("/messages?status=sent")) == ""
    assert ids(await client.get("/messages?status=delayed&limit=1")) == ""
    for parcel in await client.desk.store.lease(NOW, Hops(total=9, per_hop=9)):
        if parcel.message.id == ID.format("B"):
            again = Settlement(recipient=0, state=State.QUEUED, wait=60.0, attempted=True)
            await client.desk.store.settle(parcel, [again])
    assert ids(await client.get("/messages?status=delayed&limit=1")) == "B"
    assert ids(await client.get("/queue")) == "CBA"
    assert ids(await client.get("/queue?state=held")) == "A"
    assert (await client.get("/queue"))["counts"] == {"queued": 2, "held": 1, "sent": 0, "failed": 0}


async def test_a_held_recipient_says_why_and_who_must_act(client: Client) -> None:
    await put(client.desk.store, "A", "anna", held=Reason.SENDER_UNPROVEN)

    [recipient] = (await client.get(f"/messages/{ID.format('A')}?lang=en"))["recipients"]

    assert recipient["status"] == "held"
    assert recipient["held"] == recipient["reason"] == "sender.unproven"
    assert recipient["actor"] == reasons.row(Reason.SENDER_UNPROVEN).actor
    assert recipient["text"]
    assert recipient["remedy"]


# --- acting ---


async def test_what_a_selection_names_is_acted_on(client: Client) -> None:
    await put(client.desk.store, "A", "anna")
    await put(client.desk.store, "B", "ben", sender="bolt")

    assert await client.post("/queue/hold", {"sender": "bolt"}) == (200, {"recipients": 1})
    assert await client.post("/queue/release", {"sender": "bolt"}) == (200, {"recipients": 1})
    assert await client.post("/queue/cancel", {"all": True}) == (200, {"recipients": 2})
    assert [verb for verb, _ in client.desk.acts] == [Verb.HOLD, Verb.RELEASE, Verb.CANCEL]
    assert [m["recipients"][0]["status"] for m in (await client.get("/messages"))["messages"]] == [
        "not_sent"
    ] * 2


@pytest.mark.parametrize(
    "selection",
    [
        {},
        {"all": False},
        {"everything": True},
        {"message": "../../etc/passwd"},
        {"message": "a" * 26},
        {"sender": 1},
        {"sender": None},
        {"held": "because"},
        {"state": "lost"},
    ],
)
async def test_a_selection_that_says_nothing_clear_is_refused(client: Client, selection: Any) -> None:
    await put(client.desk.store, "A", "anna")

    status, found = await client.post("/queue/cancel", selection)

    assert status == 400
    assert found["error"]
    assert found["remedy"]
    assert client.desk.acts == []


async def test_an_unknown_verb_is_refused(client: Client) -> None:
    assert (await client.post("/queue/lose", {"all": True}))[0] == 404


# --- the service ---


async def test_status_says_how_the_daemon_is(client: Client) -> None:
    await put(client.desk.store, "A", "anna", "ben")

    found = await client.get("/status")

    assert found["version"] == "1.2.3"
    assert found["started_at"] == "2030-01-31T12:00:00.000Z"
    assert found["recipients"] == {"queued": 2, "held": 0, "sent": 0, "failed": 0}
    assert found["newest"] == 2
    assert found["notes"] == ["port 25 is closed"]
    assert found["refused_logins"] == {"acme": "auth.wrong_password"}


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, 8, 9])
async def test_the_newest_event_is_found_however_many_there_are(client: Client, number: int) -> None:
    await client.desk.store.note([Event(time=NOW, type=EventType.PROVEN, sender="acme")] * number)

    assert (await client.get("/status"))["newest"] == number


async def test_health_is_503_when_mail_can_not_go_out(client: Client) -> None:
    assert (await client.ask("GET", "/api/v1/health"))[0] == 200
    client.desk.healthy = False

    assert await client.ask("GET", "/api/v1/health") == (
        503,
        {"healthy": False, "notes": ["port 25 is closed"]},
    )


async def test_a_damaged_store_is_said_and_nothing_crashes(client: Client, monkeypatch: Any) -> None:
    async def damaged() -> None:
        raise StoreDamaged("relayd.db: page 7 is unreadable; restore a backup")

    monkeypatch.setattr(client.desk.store, "count", damaged)

    status, found = await client.ask("GET", "/api/v1/health")

    assert status == 503
    assert "page 7" in found["error"]


async def test_a_reload_says_what_is_wrong(client: Client) -> None:
    assert await client.post("/reload", {}) == (200, {"reloaded": True, "problems": []})
    client.desk.problems = ["relayd.yaml:1: hostname: found x; expected y"]

    assert await client.post("/reload", {}) == (
        422,
        {"reloaded": False, "problems": ["relayd.yaml:1: hostname: found x; expected y"]},
    )


async def test_a_backup_is_a_new_file(client: Client, tmp_path: Path) -> None:
    async def backup(to: Path) -> None:
        with to.open("xb") as file:
            file.write(b"copy")

    client.desk.store.backup = backup  # type: ignore[method-assign]
    to = str(tmp_path / "backup.db")

    assert await client.post("/backup", {"to": to}) == (200, {"to": to})
    assert (await client.post("/backup", {"to": to}))[0] == 409
    assert (await client.post("/backup", {"to": "/nonexistent/backup.db"}))[0] == 422
    assert (await client.post("/backup", {"to": "backup.db"}))[0] == 400
    assert (await client.post("/backup", {"to": 7}))[0] == 400
    assert (await client.post("/backup", {}))[0] == 400


async def test_a_reply_is_explained(client: Client) -> None:
    status, found = await client.post(
        "/explain", {"reply": "550 5.1.1 user unknown", "role": "mx", "lang": "de"}
    )

    assert status == 200
    assert (found["reason"], found["actor"]) == ("recipient.unknown", "sender")
    assert isinstance(found["text"], str)
    assert (await client.post("/explain", {"reply": "hello"}))[0] == 400
    assert (await client.post("/explain", {"reply": "550 x", "role": "boss"}))[0] == 400
    assert (await client.post("/explain", {"reply": "550 x", "lang": "xx"}))[0] == 400
    assert (await client.post("/explain", {"text": "550 x"}))[0] == 400


async def test_a_fault_of_ours_is_told_as_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.desk, "service", lambda: 1 // 0)

    assert await client.ask("GET", "/api/v1/status") == (
        500,
        {"error": "a fault of relayd's own", "remedy": "see the service's log, and report it please"},
    )


# --- what is refused ---


async def test_only_the_owner_and_the_group_may_open_the_socket(client: Client) -> None:
    assert stat.S_IMODE(client.socket.stat().st_mode) == 0o660


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/api/v1/status", None, {"Origin": "https://evil.example"}, 403),
        ("GET", "/api/v1/status", None, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("POST", "/api/v1/queue/cancel", {"all": True}, {"Origin": "null"}, 403),
        (
            "POST",
            "/api/v1/queue/cancel",
            b"all=true",
            {"Content-Type": "application/x-www-form-urlencoded"},
            415,
        ),
        ("POST", "/api/v1/queue/cancel", b'{"all":true}', {"Content-Type": "text/plain"}, 415),
        ("POST", "/api/v1/queue/cancel", b"{", {}, 400),
        ("POST", "/api/v1/queue/cancel", b"[1]", {}, 400),
        ("POST", "/api/v1/queue/cancel", b"[" * 50_000, {}, 400),
        ("POST", "/api/v1/queue/cancel", b'"\xff"', {}, 400),
        ("POST", "/api/v1/queue/cancel", b'{"ref": "\\ud800"}', {}, 400),
        ("POST", "/api/v1/backup", b'{"to": "/x\\udfff"}', {}, 400),
        ("POST", "/api/v1/explain", b" " * 70_000 + b"{}", {}, 413),
        ("GET", "/api/v1/queue/cancel", None, {}, 405),
        ("DELETE", "/api/v1/messages", None, {}, 405),
        ("GET", "/", None, {}, 404),
        ("GET", "/api/v1/messages/..%2F..%2Fetc%2Fpasswd", None, {}, 404),
        ("GET", "/api/v1/messages/" + "a" * 26, None, {}, 400),
        ("GET", "/api/v1/messages/" + "A" * 27, None, {}, 400),
        ("GET", "/api/v1/messages/" + "B" * 26, None, {}, 404),
        ("GET", "/api/v1/messages?status=lost", None, {}, 400),
        ("GET", "/api/v1/messages?limit=1001", None, {}, 400),
        ("GET", "/api/v1/messages?lang=xx", None, {}, 400),
        ("GET", "/api/v1/queue?state=sent", None, {}, 400),
        ("GET", "/api/v1/events?after=-1", None, {}, 400),
        ("GET", "/api/v1/events?after=" + "9" * 30, None, {}, 400),
        ("GET", "/api/v1/events?after=9223372036854775807", None, {}, 400),
        ("GET", "/api/v1/events?after=%D9%A1", None, {}, 400),
        ("GET", "/api/v1/events?wait=61", None, {}, 400),
    ],
)
async def test_what_is_not_meant_is_refused_with_a_remedy(
    client: Client, method: str, path: str, body: Any, headers: dict[str, str], status: int
) -> None:
    await put(client.desk.store, "A", "anna")

    got, found = await client.ask(method, path, body, **headers)

    assert (got, set(found)) == (status, {"error", "remedy"})
    assert client.desk.acts == []
