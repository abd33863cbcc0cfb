"""The API over TCP: who may ask what, and what slow or hostile clients can't do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from relayd.core.journal import Event, EventType
from relayd.core.sender import Secret
from relayd.core.settings import Token
from relayd.net.http import HttpServer, listen_tcp
from relayd.store.memory import MemoryStore
from relayd.web import roles, tokens
from relayd.web.api import Service, create_app, rows
from relayd.web.roles import Role
from relayd.web.tokens import TokenGuard, Tokens

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
NO_ROOTS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What httpx would load for each client is not asked for anything here."""
SECRETS = {role: f"a-secret-of-the-role-{role.value}" for role in Role}


class Desk:
    """The daemon, as far as these tests ask it."""

    def __init__(self) -> None:
        self.store = MemoryStore(clock=lambda: NOW)

    def service(self) -> Service:
        return Service(version="1", hostname="relay.example.net", started_at=NOW, healthy=True)

    def language(self, sender: str | None) -> str:
        return "en"


def token(name: str, secret: str, role: Role) -> Token:
    return Token(name=name, token=Secret(secret), role=role.value)


@dataclass(kw_only=True)
class Api:
    http: httpx.AsyncClient
    place: tuple[str, int]
    desk: Desk
    tokens: Tokens
    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    async def ask(self, path: str, secret: str | None = None, method: str = "GET", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {secret}"} if secret is not None else {}
        headers |= more.pop("headers", {})
        return await self.http.request(method, "/api/v1" + path, headers=headers, **more)

    async def raw(self, octets: bytes) -> bytes:
        """Send octets and read until the other side ends."""
        reader, writer = await asyncio.open_connection(*self.place)
        writer.write(octets)
        try:
            return await asyncio.wait_for(reader.read(), 10)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


@pytest.fixture
async def make_api() -> AsyncIterator[Callable[..., Awaitable[Api]]]:
    servers: list[HttpServer] = []
    clients: list[httpx.AsyncClient] = []

    async def make(**limits: Any) -> Api:
        listening = listen_tcp("127.0.0.1", 0)
        place = listening.getsockname()
        base = f"http://127.0.0.1:{place[1]}"
        http = httpx.AsyncClient(base_url=base, trust_env=False, timeout=20, verify=NO_ROOTS)
        api = Api(
            http=http,
            place=place,
            desk=Desk(),
            tokens=Tokens(token(role.value, secret, role) for role, secret in SECRETS.items()),
        )

        async def pause(seconds: float) -> None:
            api.pauses.append(seconds)

        guard = TokenGuard(
            tokens=lambda: api.tokens, address="127.0.0.1", monotonic=lambda: api.now, pause=pause
        )
        server = HttpServer(create_app(api.desk, guard.admit), listening, **limits)  # type: ignore[arg-type]
        server.start()
        servers.append(server)
        clients.append(http)
        return api

    yield make
    for client in clients:
        await client.aclose()
    for server in servers:
        await server.stop()


@pytest.fixture
async def api(make_api: Callable[..., Awaitable[Api]]) -> Api:
    return await make_api()


# --- tokens ---


async def test_without_a_right_token_nothing_is_told(api: Api) -> None:
    for secret in (None, "wrong", SECRETS[Role.ADMIN][:-1], SECRETS[Role.ADMIN] + "x", "\xe4" * 30):
        headers = {} if secret is None else {"Authorization": b"Bearer " + secret.encode("latin-1")}
        answer = await api.ask("/status", headers=headers)

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.json()) == {"error", "remedy"}
        assert "http.tokens" in answer.json()["remedy"]


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", SECRETS[Role.ADMIN]])
async def test_other_ways_to_name_oneself_are_not_taken(api: Api, header: str) -> None:
    assert (await api.ask("/status", headers={"Authorization": header})).status_code == 401


async def test_a_token_is_let_in_and_its_scheme_may_be_in_any_case(api: Api) -> None:
    headers = {"Authorization": f"bEARER {SECRETS[Role.ADMIN]}"}

    assert (await api.ask("/status", headers=headers)).status_code == 200


async def test_a_token_may_do_what_its_role_may_and_nothing_else(api: Api) -> None:
    """Every route with every role; what the role may not is refused before anything is read."""
    for method, path, _ in rows(Desk()):  # type: ignore[arg-type]
        for role in Role:
            asked = path.replace("{id}", "x").replace("{verb}", "x").replace("{domain}", "x")
            answer = await api.ask(asked, SECRETS[role], method)

            if role is Role.ADMIN or role in roles.MAY[method, path]:
                assert answer.status_code not in (401, 403), (role, method, path)
            else:
                assert answer.status_code == 403, (role, method, path)
                assert role.value in answer.json()["error"]
                assert answer.json()["remedy"]


def test_each_route_has_its_row_in_the_table_of_roles_and_each_row_its_route() -> None:
    assert {(method, path) for method, path, _ in rows(Desk())} == set(roles.MAY)  # type: ignore[arg-type]


def test_support_reads_and_acts_on_the_queue_and_changes_nothing_else() -> None:
    acts = {
        (method, path)
        for method, path in roles.MAY
        if method != "GET" and roles.may(Role.SUPPORT, method, path)
    }

    assert acts == {
        ("POST", "/queue/{verb}"),
        ("POST", "/explain"),  # these look something up
        ("POST", "/upstreams/discover"),
        ("POST", "/domains/{domain}/check"),
    }


def test_metrics_see_health_alone() -> None:
    assert [row for row in roles.MAY if roles.may(Role.METRICS, *row)] == [("GET", "/health")]


def test_a_route_without_a_row_is_for_admin_alone() -> None:
    assert roles.may(Role.ADMIN, "GET", "/new")
    assert not any(roles.may(role, "GET", "/new") for role in set(Role) - {Role.ADMIN})


@pytest.mark.parametrize(
    ("method", "path", "who"),
    [
        ("GET", "/health", {"app", "support", "admin", "metrics"}),
        ("GET", "/status", {"support", "admin"}),
        ("GET", "/events", {"app", "support", "admin"}),
        ("POST", "/queue/{verb}", {"support", "admin"}),
        ("POST", "/reload", {"admin"}),
        ("POST", "/backup", {"admin"}),
    ],
)
def test_the_roles_are_as_they_are_promised(method: str, path: str, who: set[str]) -> None:
    assert {role.value for role in Role if roles.may(role, method, path)} == who


async def test_other_tokens_count_as_soon_as_they_are_given(api: Api) -> None:
    api.tokens = Tokens([token("new", "another-secret-altogether", Role.ADMIN)])

    assert (await api.ask("/status", SECRETS[Role.ADMIN])).status_code == 401
    assert (await api.ask("/status", "another-secret-altogether")).status_code == 200


def test_no_token_is_kept_as_it_was_written() -> None:
    kept = Tokens([token("app", SECRETS[Role.APP], Role.APP)])

    assert SECRETS[Role.APP] not in repr(vars(kept))


# --- guessing ---


async def test_guessing_is_slowed_down_logged_without_the_token_and_locks_nobody_out(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    headers = {"X-Forwarded-For": "192.0.2.1\x1b[2J, 192.0.2.2"}
    for number in range(tokens.FAILURES_MAX + 2):
        answer = await api.ask("/status", f"guess-number-{number}-canary", headers=headers)
        assert answer.status_code == 401

    assert api.pauses == [tokens.DELAY] * 2
    assert (await api.ask("/status", SECRETS[Role.ADMIN])).status_code == 200
    said = [record.getMessage() for record in caplog.records if record.name == "relayd.web"]
    assert len(said) == tokens.FAILURES_MAX
    assert "127.0.0.1" in said[0]
    assert "192.0.2.1" in said[0]
    assert "canary" not in caplog.text
    assert "\x1b" not in caplog.text
    api.now = tokens.FAILURES_WITHIN + 1
    await api.ask("/status", "one-more-guess")
    assert api.pauses == [tokens.DELAY] * 2


async def test_those_who_wait_for_a_no_do_not_hold_all_connections() -> None:
    waiting, going_on = [], asyncio.Event()

    async def pause(seconds: float) -> None:
        waiting.append(seconds)
        await going_on.wait()

    guard = TokenGuard(tokens=lambda: Tokens(()), address="127.0.0.1", monotonic=lambda: 0.0, pause=pause)
    app = create_app(Desk(), guard.admit)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:

        async def guess() -> int:
            answer = await http.get("/api/v1/health", headers={"Authorization": "Bearer guess"})
            return answer.status_code

        for _ in range(tokens.FAILURES_MAX):
            assert await guess() == 401
        asking = [asyncio.create_task(guess()) for _ in range(tokens.DELAYED_MAX)]
        while len(waiting) < tokens.DELAYED_MAX:
            await asyncio.sleep(0)

        assert await guess() == 429
        going_on.set()
        assert await asyncio.gather(*asking) == [401] * tokens.DELAYED_MAX


# --- browsers ---


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8025", "127.0.0.1.evil.example", "192.0.2.7", "", "[::ffff:1.2.3.4]"],
)
async def test_a_web_page_can_not_lead_a_browser_here_by_a_name_of_its_own(api: Api, host: str) -> None:
    answer = await api.ask("/health", SECRETS[Role.ADMIN], headers={"Host": host})

    assert answer.status_code == 403
    assert "localhost" in answer.json()["remedy"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8025", "127.0.0.1", "127.0.0.1:1", "[::1]:8025"])
async def test_this_machine_s_own_names_are_fine(api: Api, host: str) -> None:
    assert (await api.ask("/health", SECRETS[Role.ADMIN], headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Site"])
async def test_a_browser_is_refused_whatever_token_it_has(api: Api, header: str) -> None:
    answer = await api.ask("/health", SECRETS[Role.ADMIN], headers={header: "http://127.0.0.1"})

    assert answer.status_code == 403


# --- slow and hostile clients ---


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /api/v1/explain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
        + SECRETS[Role.ADMIN].encode()
        + b"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["nothing", "half a header", "half a body"],
)
async def test_who_does_not_come_to_the_end_is_cut_off(
    make_api: Callable[..., Awaitable[Api]], begun: bytes, skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    api = await make_api(within=0.2)

    assert b" 200 " not in await api.raw(begun)
    assert (await api.ask("/health", SECRETS[Role.ADMIN])).status_code == 200


async def test_a_second_request_on_a_connection_has_its_time_too(
    make_api: Callable[..., Awaitable[Api]], skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    api = await make_api(within=0.2)
    reader, writer = await asyncio.open_connection(*api.place)
    head = f"Host: localhost\r\nAuthorization: Bearer {SECRETS[Role.APP]}\r\n\r\n"
    writer.write(f"GET /api/v1/health HTTP/1.1\r\n{head}".encode())
    assert b" 200 OK" in await reader.readuntil(b"}")

    writer.write(b"GET /api")
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 3) == b""  # uvicorn's own patience is 5 s
    writer.close()


async def test_who_waits_for_events_is_not_cut_off(
    make_api: Callable[..., Awaitable[Api]], skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    api = await make_api(within=0.2)

    answer = await api.ask("/events?wait=1", SECRETS[Role.APP])

    assert answer.json() == {"events": [], "next": 0}


async def test_who_asks_and_does_not_read_is_cut_off(
    make_api: Callable[..., Awaitable[Api]],
) -> None:
    api = await make_api(within=0.3)
    many = [Event(time=NOW, type=EventType.PROVEN, sender="acme", detail={"text": "x" * 500})] * 1000
    await api.desk.store.note(many)
    head = f"Host: localhost\r\nAuthorization: Bearer {SECRETS[Role.APP]}\r\n\r\n"
    _, writer = await asyncio.open_connection(*api.place, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]

    async with asyncio.timeout(20):
        while not writer.transport.is_closing():
            writer.write(f"GET /api/v1/events HTTP/1.1\r\n{head}".encode())
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.sleep(0.05)
    assert (await api.ask("/health", SECRETS[Role.ADMIN])).status_code == 200


async def test_more_connections_than_there_may_be_are_not_taken(
    make_api: Callable[..., Awaitable[Api]],
) -> None:
    api = await make_api(connections=3)
    held = [await asyncio.open_connection(*api.place) for _ in range(3)]

    assert await api.raw(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
    for _, writer in held:
        writer.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET " + b"/a" * 500_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\n\r\n",
        b"POST /api/v1/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        b"Content-Length: 3\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"EHLO relay.example.net\r\n\r\n",
    ],
    ids=["a huge header", "a huge path", "two hosts", "no host", "two lengths", "TLS", "SMTP"],
)
async def test_what_is_no_http_is_refused(api: Api, octets: bytes) -> None:
    answer = await api.raw(octets)  # nothing at all where the rest of ours came after it had ended

    assert not answer or answer.startswith(b"HTTP/1.1 400")
    assert (await api.ask("/health", SECRETS[Role.ADMIN])).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["//api/v1/status", "/api/v1/status/", "/api/v1//status", "/api/v1/../v1/status", "/API/v1/status"],
)
async def test_a_path_is_what_it_says_or_nothing(api: Api, path: str) -> None:
    """No redirect either: it would lead to whatever the Host header names."""
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    assert (await api.raw(request.encode())).startswith(b"HTTP/1.1 404")
