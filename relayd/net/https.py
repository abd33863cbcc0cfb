"""The door to httpx: one request over HTTPS, with an answer or a fault as a value.

Where a customer or DNS names the host, the address that was judged is the one that is connected to, while
the name stays for SNI and the certificate: a name that changes between two look-ups gains nothing by it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import urllib.parse
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from relayd.core.records import mx
from relayd.core.records.answers import Found, Missing, Trouble
from relayd.core.reply import Fault, FaultKind, Stage, clean
from relayd.net import egress
from relayd.net.dns import Resolver, named_by_the_system
from relayd.net.egress import Guard
from relayd.net.tls import Contexts, handshake_error

PORT = 443
DEADLINE = 15.0
"""Seconds for everything, from the look-up to the last octet of the answer."""
CONNECT_DEADLINE = 5.0
"""Seconds for one address, so that a dead one leaves time for the next."""
BODY_LIMIT = 256 * 1024
"""Octets. The largest file of Mozilla's ISPDB has 13 KiB, a token answer of Microsoft's 5 KiB."""
REDIRECT_LIMIT = 3

_HEADERS = {"accept-encoding": "identity", "connection": "close", "user-agent": "relayd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a server answered, whatever its status."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    url: str  # where it came from, after redirects


class Https:
    """Makes requests. Nothing is kept between them: no connection, no cookie.

    `guard` judges the hosts that customers and DNS name: only names, only `port`, only public addresses.
    None is for what the operator wrote, which may be anywhere, and plain HTTP on this machine.
    """

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: Guard | None,
        contexts: Contexts,
        port: int = PORT,
        families: Sequence[str] = ("ipv6", "ipv4"),
        deadline: float = DEADLINE,
        body_limit: int = BODY_LIMIT,
    ) -> None:
        """`port` is what a URL means that names none; `deadline` in seconds, `body_limit` in octets."""
        self._resolver = resolver
        self._guard = guard
        self._contexts = contexts
        self._port = port
        self._families = tuple(families)
        self._deadline = deadline
        self._body_limit = body_limit

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        redirects: int = 0,
        ca_file: str | None = None,
    ) -> Response | Fault:
        """`redirects` are followed at most, each judged like the first. Raises OSError or ssl.SSLError for a
        `ca_file` that can't be used, and nothing for what the far side does."""
        return await self._send("GET", url, None, headers, min(redirects, REDIRECT_LIMIT), ca_file)

    async def post(
        self,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: str | None = None,
    ) -> Response | Fault:
        """A form, or octets as they are. What is posted is never sent on to another place."""
        kind = {}
        if form is not None:
            content = urllib.parse.urlencode(form).encode()
            kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self._send("POST", url, content or b"", {**kind, **(headers or {})}, 0, ca_file)

    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        redirects: int,
        ca_file: str | None,
    ) -> Response | Fault:
        context = self._contexts.verified(ca_file)
        host = ""
        try:
            parsed = httpx.URL(url)
            host = _name(parsed)
            async with asyncio.timeout(self._deadline), self._client(context, redirects) as client:
                wanted = {**_HEADERS, **(headers or {})}
                async with client.stream(method, parsed, content=body, headers=wanted) as response:
                    return await self._read(response, host)
        except _Refused as refused:
            return refused.fault
        except TimeoutError:
            return Fault(
                kind=FaultKind.TIMEOUT,
                text=f"no answer within {self._deadline:g} s",
                stage=Stage.CONNECT,
                host=host,
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return _fault(error, host)

    @asynccontextmanager
    async def _client(self, context: ssl.SSLContext, redirects: int) -> AsyncIterator[httpx.AsyncClient]:
        # No connection is kept: the pool knows them by address, and would give one whose certificate was
        # checked for another name.
        alone = httpx.Limits(max_keepalive_connections=0)
        transport = _Pinned(
            httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=alone),
            resolver=self._resolver,
            guard=self._guard,
            port=self._port,
            families=self._families,
        )
        async with httpx.AsyncClient(
            transport=transport,
            trust_env=False,  # no proxy and no .netrc that happens to be there
            follow_redirects=redirects > 0,
            max_redirects=redirects,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=httpx.Timeout(self._deadline, connect=min(CONNECT_DEADLINE, self._deadline)),
        ) as client:
            yield client

    async def _read(self, response: httpx.Response, host: str) -> Response | Fault:
        """The answer as it came. One that is packed, though nobody asked for that, may be a bomb."""
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if packed not in ("", "identity"):
            return _answered(host, f"the answer is packed ({clean(packed)})")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._body_limit:
                return _answered(host, f"the answer has more than {self._body_limit} octets")
        return Response(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=bytes(body),
            url=str(response.url),
        )


class _Refused(Exception):
    def __init__(self, kind: FaultKind, text: str, host: str, stage: Stage = Stage.CONNECT) -> None:
        super().__init__(text)
        self.fault = Fault(kind=kind, text=text, stage=stage, host=host)


class _Pinned(httpx.AsyncBaseTransport):
    """Looks the host of each request up, judges it, and connects to what was judged; so for each redirect."""

    def __init__(
        self,
        inner: httpx.AsyncHTTPTransport,
        *,
        resolver: Resolver,
        guard: Guard | None,
        port: int,
        families: Sequence[str],
    ) -> None:
        self._inner = inner
        self._resolver = resolver
        self._guard = guard
        self._port = port
        self._families = families

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, host = request.url, _name(request.url)
        if url.userinfo or url.scheme not in ("https", "http"):
            raise _Refused(FaultKind.FORBIDDEN, "only plain https:// addresses are fetched", host)
        if self._guard is not None and url.port not in (None, self._port):
            raise _Refused(FaultKind.FORBIDDEN, f"{host}:{url.port} is not the port of HTTPS", host)
        last: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for ip in await self._judged(host, clear=url.scheme == "http"):
            port = url.port or (self._port if url.scheme == "https" else 80)
            pinned = httpx.Request(
                request.method,
                url.copy_with(host=ip, port=port),
                headers=request.headers,  # Host among them, with the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
            try:
                response = await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = error  # nothing was sent yet
                continue
            return response
        assert last is not None
        raise last

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _judged(self, host: str, *, clear: bool) -> Sequence[str]:
        """The addresses that may be connected to, at least one. Raises _Refused."""
        literal = egress.literal(host)
        if literal is None and mx.numeric(host):
            raise _Refused(FaultKind.FORBIDDEN, f"{host} is a number, not the name of a server", host)
        if literal is not None and self._guard is not None and not self._guard.allows(literal):
            raise _Refused(FaultKind.FORBIDDEN, f"write the name of the server, not its address {host}", host)
        addresses = (literal,) if literal is not None else await self._addresses(host)
        refusals = {ip: self._refusal(ip, clear) for ip in addresses}
        allowed = [ip for ip, refusal in refusals.items() if refusal is None]
        if not allowed:
            why = next(iter(refusals.values()))
            raise _Refused(FaultKind.FORBIDDEN, f"{host}: {why}", host)
        return allowed

    async def _addresses(self, host: str) -> Sequence[str]:
        answer: Found[str] | Missing | Trouble = await self._resolver.addresses(host, self._families)
        if isinstance(answer, Missing) and self._guard is None:
            answer = await named_by_the_system(host) or answer  # localhost, /etc/hosts
        if isinstance(answer, Trouble):
            raise _Refused(FaultKind.DNS, answer.text, host, Stage.DNS)
        if isinstance(answer, Missing):
            raise _Refused(FaultKind.NO_DOMAIN, f"{host} has no address", host, Stage.DNS)
        return answer.records

    def _refusal(self, ip: str, clear: bool) -> str | None:
        if clear and not (self._guard is None and ipaddress.ip_address(ip).is_loopback):
            return "only https:// is spoken with other machines"
        return None if self._guard is None else self._guard.refusal(ip)


def _name(url: httpx.URL) -> str:
    """The host in A-labels, without the dot that may end it."""
    return url.raw_host.decode("ascii").removesuffix(".").lower()


def _fault(error: Exception, host: str) -> Fault:
    """What an exception of httpx, or of what lies below it, comes to."""
    causes = list(_causes(error))
    handshake = next(filter(None, map(handshake_error, causes)), None)
    if handshake is not None:
        return Fault(kind=FaultKind.TLS, text=handshake, stage=Stage.TLS, host=host)
    if isinstance(error, httpx.InvalidURL | ValueError):
        return Fault(
            kind=FaultKind.FORBIDDEN, text="this is not the address of a page", stage=Stage.DNS, host=host
        )
    if isinstance(error, httpx.ConnectTimeout):
        return Fault(
            kind=FaultKind.TIMEOUT, text="the connection took too long", stage=Stage.CONNECT, host=host
        )
    if isinstance(error, httpx.ConnectError):
        refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
        kind = FaultKind.REFUSED if refused else FaultKind.UNREACHABLE
        text = "the connection was refused" if refused else "the server can't be reached"
        return Fault(kind=kind, text=text, stage=Stage.CONNECT, host=host)
    if isinstance(error, httpx.TimeoutException):
        return Fault(kind=FaultKind.TIMEOUT, text="no answer in time", stage=Stage.BANNER, host=host)
    if isinstance(error, httpx.TooManyRedirects):
        return _answered(host, "the answer leads to one place after another")
    if isinstance(error, httpx.RemoteProtocolError):
        return _answered(host, "the answer is not HTTP, or it broke off")
    return Fault(kind=FaultKind.CLOSED, text="the connection was closed", stage=Stage.BANNER, host=host)


def _answered(host: str, text: str) -> Fault:
    """An answer that can't be used. Of the stages of SMTP, BANNER is the first that waits for one."""
    return Fault(kind=FaultKind.PROTOCOL, text=text, stage=Stage.BANNER, host=host)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it comes from; httpcore hides that from tracebacks, so the cause alone won't do."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
