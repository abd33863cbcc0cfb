"""The HTTPS door against real servers on loopback, with names from a real zone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from relayd.core.reply import Fault, FaultKind
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.net.https import Https, Response
from relayd.net.tls import Contexts
from relayd.sandbox.certificates import Authority
from relayd.sandbox.zone import DnsFault, NameServer, Zone

ZONE = """
page.example           A     127.0.0.1
other.example          A     127.0.0.1
down.example           A     127.0.0.3
down.example           A     127.0.0.1
metadata.example       A     169.254.169.254
mapped.example         AAAA  ::ffff:127.0.0.1
nat64.example          AAAA  64:ff9b::7f00:1
sixtofour.example      AAAA  2002:7f00:1::
inside.example         A     10.0.0.1
"""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Made-By: Test\r\n\r\nok"


class Page:
    """A server that answers every request with the octets it was given."""

    def __init__(self, answer: bytes | Callable[[bytes], bytes], *, close: bool) -> None:
        self.answer = answer
        self.close = close
        self.requests: list[bytes] = []
        self.names: list[str | None] = []  # as asked for in SNI
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(line[15:]) for line in head.lower().split(b"\r\n") if b"content-length:" in line), 0
            )
            head += await reader.readexactly(length)
            self.requests.append(head)
            writer.write(self.answer(head) if callable(self.answer) else self.answer)
            await writer.drain()
            if not self.close:
                await reader.read()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def page(
    folder: Path,
    answer: bytes | Callable[[bytes], bytes] = OK,
    *,
    names: tuple[str, ...] = ("page.example",),
    host: str = "127.0.0.1",
    clear: bool = False,
    close: bool = True,
) -> AsyncIterator[tuple[Page, Contexts]]:
    authority = Authority()
    context = None if clear else authority.issue(*names).server_context()
    served = Page(answer, close=close)
    if context is not None:
        context.sni_callback = lambda _, name, __: served.names.append(name)
    server = await asyncio.start_server(served.serve, host, 0, ssl=context)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served, Contexts(str(authority.write(folder / "ca.pem")))


@asynccontextmanager
async def door(
    served: Page,
    contexts: Contexts,
    *,
    zone: Zone | None = None,
    guard: Guard | None = Guard(["127.0.0.1/32"]),  # noqa: B008  it has no state
    **options: Any,
) -> AsyncIterator[Https]:
    async with NameServer(zone or Zone(ZONE)) as names:
        resolver = Resolver([names.address])
        yield Https(resolver=resolver, guard=guard, contexts=contexts, port=served.port, **options)
        await resolver.close()


def kind_of(answer: Response | Fault) -> FaultKind:
    assert isinstance(answer, Fault), answer
    return answer.kind


async def test_a_page_is_fetched_from_the_address_that_was_judged_under_its_name(tmp_path: Path) -> None:
    async with page(tmp_path) as (served, contexts), door(served, contexts) as https:
        answer = await https.get("https://page.example/path?q=1")

    assert isinstance(answer, Response)
    assert (answer.status, answer.body, answer.headers["x-made-by"]) == (200, b"ok", "Test")
    assert served.names == ["page.example"]
    assert served.requests[0].startswith(b"GET /path?q=1 HTTP/1.1\r\nHost: page.example\r\n")


async def test_a_form_is_posted(tmp_path: Path) -> None:
    async with page(tmp_path) as (served, contexts), door(served, contexts) as https:
        answer = await https.post("https://page.example/token", form={"code": "a b", "x": "ä"})

    assert isinstance(answer, Response)
    head, _, body = served.requests[0].partition(b"\r\n\r\n")
    assert body == b"code=a+b&x=%C3%A4"
    assert b"content-type: application/x-www-form-urlencoded\r\n" in head


async def test_octets_are_posted_as_they_are(tmp_path: Path) -> None:
    async with page(tmp_path) as (served, contexts), door(served, contexts) as https:
        await https.post("https://page.example/", content=b"{}", headers={"content-type": "application/json"})

    head, _, body = served.requests[0].partition(b"\r\n\r\n")
    assert body == b"{}"
    assert b"application/json" in head


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    async with page(tmp_path) as (served, contexts), door(served, contexts) as https:
        answer = await https.get("https://other.example/")

    assert kind_of(answer) is FaultKind.TLS
    assert not served.requests


async def test_a_connection_is_never_used_again_for_another_name(tmp_path: Path) -> None:
    """Both names have one address, and the server would keep the connection."""
    keeping = redirect("https://other.example/").replace(b"Content", b"Connection: keep-alive\r\nContent")
    async with page(tmp_path, keeping, close=False) as (served, contexts), door(served, contexts) as https:
        assert kind_of(await https.get("https://page.example/", redirects=1)) is FaultKind.TLS
    assert served.names == ["page.example", "other.example"]
    assert len(served.requests) == 1


async def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    async with page(tmp_path) as (served, _), door(served, Contexts()) as https:
        assert kind_of(await https.get("https://page.example/")) is FaultKind.TLS


async def test_the_next_address_is_tried_when_one_is_dead(tmp_path: Path) -> None:
    async with (
        page(tmp_path, names=("down.example",)) as (served, contexts),
        door(served, contexts, guard=Guard(["127.0.0.0/8"])) as https,
    ):
        assert isinstance(await https.get("https://down.example/"), Response)


@pytest.mark.parametrize(
    "host",
    [
        *("metadata.example", "mapped.example", "nat64.example", "sixtofour.example", "inside.example"),
        *("0177.0.0.1", "2130706433", "127.1", "0x7f000001", "127.0.0.1", "0", "127.0.0.1.", "0x7f.1"),
        *("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::127.0.0.1]", "[fe80::1%25lo]"),
        *("１２７.０.０.１", "①②⑦.0.0.1", "127。0。0。1"),
    ],
)
async def test_no_spelling_of_a_private_address_is_reached(tmp_path: Path, host: str) -> None:
    async with page(tmp_path) as (served, contexts), door(served, contexts, guard=Guard()) as https:
        answer = await https.get(f"https://{host}/")

    assert kind_of(answer) is FaultKind.FORBIDDEN
    assert not served.names


@pytest.mark.parametrize("host", ["localhost", "localhost.", "LOCALHOST", "ip6-localhost"])
async def test_names_of_this_machine_are_not_asked_of_this_machine(tmp_path: Path, host: str) -> None:
    """Only DNS says what a stranger's name means; /etc/hosts is the operator's."""
    async with page(tmp_path) as (served, contexts), door(served, contexts) as https:
        assert kind_of(await https.get(f"https://{host}/")) is FaultKind.NO_DOMAIN


async def test_localhost_in_dns_is_judged_like_any_other(tmp_path: Path) -> None:
    zone = Zone("localhost A 127.0.0.1")
    async with (
        page(tmp_path) as (served, contexts),
        door(served, contexts, zone=zone, guard=Guard()) as https,
    ):
        assert kind_of(await https.get("https://localhost/")) is FaultKind.FORBIDDEN


async def test_a_name_that_changes_between_look_ups_is_looked_up_once(tmp_path: Path) -> None:
    """DNS rebinding: the second answer would lead where the guard lets nobody."""
    zone = Zone()
    zone.turns("page.example", "A", ["127.0.0.1"], ["127.0.0.2"])
    now = [0.0]
    async with page(tmp_path) as (served, contexts), NameServer(zone) as names:
        resolver = Resolver([names.address], clock=lambda: now[0])
        https = Https(resolver=resolver, guard=Guard(["127.0.0.1/32"]), contexts=contexts, port=served.port)
        assert isinstance(await https.get("https://page.example/"), Response)
        assert names.asked("page.example", "A") == 1
        now[0] += 3600  # the answer is out of the cache
        assert kind_of(await https.get("https://page.example/")) is FaultKind.FORBIDDEN
        await resolver.close()
    assert len(served.requests) == 1


async def test_of_mixed_addresses_only_the_allowed_ones_are_connected_to(tmp_path: Path) -> None:
    zone = Zone("page.example A 10.0.0.1\npage.example A 127.0.0.1")
    async with page(tmp_path) as (served, contexts), door(served, contexts, zone=zone) as https:
        assert isinstance(await https.get("https://page.example/"), Response)


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def test_redirects_are_not_followed_unless_asked(tmp_path: Path) -> None:
    async with (
        page(tmp_path, redirect("https://page.example/b")) as (served, contexts),
        door(served, contexts) as https,
    ):
        answer = await https.get("https://page.example/a")

    assert isinstance(answer, Response)
    assert answer.status == 302
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    "to",
    [
        *(
            "https://inside.example/",
            "http://page.example/",
            "https://127.0.0.1/",
            "https://page.example:25/",
        ),
        *("https://user:secret@page.example/", "ftp://page.example/", "https://2130706433/"),
    ],
)
async def test_each_redirect_is_judged_like_the_first_address(tmp_path: Path, to: str) -> None:
    async with (
        page(tmp_path, redirect(to)) as (served, contexts),
        door(served, contexts, guard=Guard(["127.0.0.1/32"])) as https,
    ):
        answer = await https.get("https://page.example/", redirects=3)

    if to != "https://127.0.0.1/":  # expressly allowed: the operator wrote it, so TLS decides
        assert kind_of(answer) is FaultKind.FORBIDDEN
    assert len(served.requests) == 1


async def test_a_redirect_is_followed_when_asked_and_without_cookies(tmp_path: Path) -> None:
    def answer(request: bytes) -> bytes:
        if b"/a" in request:
            return redirect("/b").replace(b"Content-", b"Set-Cookie: who=me\r\nContent-")
        return OK

    async with page(tmp_path, answer) as (served, contexts), door(served, contexts) as https:
        found = await https.get("https://page.example/a", redirects=1)

    assert isinstance(found, Response)
    assert found.url == "https://page.example/b"
    assert b"ookie" not in served.requests[1]


async def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    async with page(tmp_path, redirect("/again")) as (served, contexts), door(served, contexts) as https:
        assert kind_of(await https.get("https://page.example/", redirects=99)) is FaultKind.PROTOCOL
    assert len(served.requests) == 4


async def test_what_is_posted_is_not_sent_on(tmp_path: Path) -> None:
    async with (
        page(tmp_path, redirect("https://page.example/b").replace(b"302", b"307")) as (
            served,
            contexts,
        ),
        door(served, contexts) as https,
    ):
        answer = await https.post("https://page.example/a", form={"secret": "x"})

    assert isinstance(answer, Response)
    assert answer.status == 307
    assert len(served.requests) == 1


ENDLESS = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"3e8\r\n" + b"x" * 1000 + b"\r\n"


@pytest.mark.parametrize("answer", [ENDLESS, CHUNKED * 1 + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 9])
async def test_an_answer_that_is_too_long_is_cut_off(tmp_path: Path, answer: bytes) -> None:
    async with page(tmp_path, answer) as (served, contexts), door(served, contexts, body_limit=4096) as https:
        found = await https.get("https://page.example/")

    assert kind_of(found) is FaultKind.PROTOCOL
    assert "4096" in found.text  # type: ignore[union-attr]


async def test_a_packed_answer_is_not_unpacked(tmp_path: Path) -> None:
    bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx"
    async with page(tmp_path, bomb) as (served, contexts), door(served, contexts) as https:
        assert kind_of(await https.get("https://page.example/")) is FaultKind.PROTOCOL


@pytest.mark.parametrize(
    "answer",
    [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", b"", b"\x00" * 200],
)
async def test_what_is_not_http_is_a_fault(tmp_path: Path, answer: bytes) -> None:
    async with page(tmp_path, answer) as (served, contexts), door(served, contexts) as https:
        assert kind_of(await https.get("https://page.example/")) in (FaultKind.PROTOCOL, FaultKind.CLOSED)


async def test_a_server_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    silent = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with server, page(tmp_path) as (served, contexts):
        served.port = server.sockets[0].getsockname()[1]
        async with door(served, contexts, deadline=0.3) as https:
            assert kind_of(await https.get("https://page.example/")) is FaultKind.TIMEOUT
        silent.set()


async def test_trouble_with_dns_is_no_proof_that_a_host_is_missing(tmp_path: Path) -> None:
    zone = Zone(ZONE)
    zone.fault("page.example", DnsFault.SERVFAIL)
    async with page(tmp_path) as (served, contexts), door(served, contexts, zone=zone) as https:
        assert kind_of(await https.get("https://page.example/")) is FaultKind.DNS


async def test_a_closed_port_is_said(tmp_path: Path) -> None:
    async with page(tmp_path) as (served, contexts):
        port = served.port
    served.port = port
    async with door(served, contexts) as https:
        assert kind_of(await https.get("https://page.example/")) is FaultKind.REFUSED


@pytest.mark.parametrize(
    "url", ["", "page.example", "https://", "https://exa mple/", "file:///etc/passwd", "https://[::1/"]
)
async def test_what_is_no_address_of_a_page_is_a_fault(tmp_path: Path, url: str) -> None:
    async with page(tmp_path) as (served, contexts), door(served, contexts) as https:
        assert isinstance(await https.get(url), Fault)


async def test_no_proxy_from_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    async with page(tmp_path) as (served, contexts), door(served, contexts) as https:
        assert isinstance(await https.get("https://page.example/"), Response)


async def test_an_own_authority_is_trusted_for_one_request_alone(tmp_path: Path) -> None:
    async with page(tmp_path) as (served, _), door(served, Contexts()) as https:
        trusted = await https.get("https://page.example/", ca_file=str(tmp_path / "ca.pem"))
        assert isinstance(trusted, Response)
        assert kind_of(await https.get("https://page.example/")) is FaultKind.TLS


# --- what the operator wrote ---


async def test_the_operators_own_host_may_be_anywhere_and_be_named_by_the_machine(tmp_path: Path) -> None:
    async with (
        page(tmp_path, names=("localhost", "127.0.0.1")) as (served, contexts),
        door(served, contexts, guard=None) as https,
    ):
        for host in ("localhost", "127.0.0.1"):
            answer = await https.get(f"https://{host}:{served.port}/")
            assert isinstance(answer, Response), answer


async def test_plain_http_is_spoken_on_this_machine_alone_and_only_for_the_operator(tmp_path: Path) -> None:
    async with page(tmp_path, clear=True) as (served, contexts), door(served, contexts, guard=None) as https:
        assert isinstance(await https.get(f"http://127.0.0.1:{served.port}/"), Response)
        assert kind_of(await https.get("http://inside.example/")) is FaultKind.FORBIDDEN
        async with door(served, contexts) as https:
            assert kind_of(await https.get("http://page.example/")) is FaultKind.FORBIDDEN
