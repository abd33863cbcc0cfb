"""The guard of the API over TCP: whom a token names, and what it may.

Tokens are kept as digests and compared in constant time. They have at least 20 characters, so trying them
out is hopeless; wrong ones are slowed down all the same, and written to the log. Right ones are always let
in: all peers are on this machine, and one program with an old token must not lock out the others.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from starlette.requests import Request

from relayd.core.settings import Token
from relayd.web.requests import Refused, shown
from relayd.web.roles import Asker, Role, may

log = logging.getLogger("relayd.web")

FAILURES_MAX = 10  # wrong tokens of a peer ...
FAILURES_WITHIN = 300.0  # ... within so many seconds from the first; each further one is
DELAY = 1.0  # answered so many seconds later, ...
DELAYED_MAX = 20  # ... if no more than these wait already: they hold connections; others get 429
PEERS_MAX = 1000


class Tokens:
    """The tokens of the config."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._known = tuple(
            (_digest(each.token.value), Asker(name=f"token:{each.name}", role=Role(each.role)))
            for each in tokens
        )

    def asker(self, token: str) -> Asker | None:
        """Whom it names. Takes the same time whichever of them it is, or none."""
        digest, found = _digest(token), None
        for known, asker in self._known:
            if hmac.compare_digest(known, digest):
                found = asker
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


@dataclass(slots=True, kw_only=True)
class TokenGuard:
    """Lets a request in when its token may do it. `tokens` gives those there are now; `address` is where we
    listen."""

    tokens: Callable[[], Tokens]
    address: str
    monotonic: Callable[[], float]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _failures: dict[str, tuple[float, int]] = field(default_factory=dict)  # peer: since when, how many
    _delayed: int = 0

    async def admit(self, request: Request, method: str, path: str) -> Asker:
        """Raises Refused: 403 for a host or role that may not, 401 without a right token, 429 after many."""
        self._host(request)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unknown("no token")
        asker = self.tokens().asker(token.strip())
        if asker is None:
            await self._failed(request)
            raise _unknown("an unknown token")
        if not may(asker.role, method, path):
            remedy = "use a token of another role; docs/api.md says which role may do what"
            raise Refused(403, f"a token with the role {asker.role.value} may not {method} {path}", remedy)
        return asker

    def _host(self, request: Request) -> None:
        """A web page can make a browser call us by a name of its own that leads here (DNS rebinding).
        Programs call us by the name of this machine."""
        name = request.headers.get("host", "").lower()
        host = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        if host not in ("localhost", self.address) and not _loopback(host):
            raise Refused(
                403, f"a request for the host {shown(name)}", f"ask for localhost or {self.address}"
            )

    async def _failed(self, request: Request) -> None:
        peer = request.client.host if request.client is not None else ""
        now = self.monotonic()
        since, count = self._failures.pop(peer, (now, 0))
        since, count = (now, 1) if now - since > FAILURES_WITHIN else (since, count + 1)
        self._failures[peer] = since, count
        while len(self._failures) > PEERS_MAX:
            del self._failures[next(iter(self._failures))]
        if count <= FAILURES_MAX:
            said = request.headers.get("x-forwarded-for")
            behind = f", which says it asks for {shown(said)}" if said is not None else ""
            log.warning("the API was asked with an unknown token by %s%s", peer, behind)
            return
        if self._delayed >= DELAYED_MAX:
            raise Refused(429, "too many unknown tokens", f"wait {FAILURES_WITHIN:g} s, then use a right one")
        self._delayed += 1
        try:
            await self.pause(DELAY)
        finally:
            self._delayed -= 1


def _unknown(error: str) -> Refused:
    remedy = "send the header Authorization: Bearer TOKEN, with a token of http.tokens in the config"
    return Refused(401, error, remedy, {"WWW-Authenticate": "Bearer"})


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
