"""Delivers through a submission server: a sender's own (upstream), or the platform's (smarthost)."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from relayd.core.delivery import Attempt
from relayd.core.dialogue import Protection
from relayd.core.mail import Hop, Parcel, Route
from relayd.core.oauth import STALE_TOKEN, AccessTokens, stale_token
from relayd.core.reasons import Reason
from relayd.core.records import mx
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.reply import Evidence, Fault, FaultKind, Stage
from relayd.core.sender import Tls, Upstream
from relayd.core.verdict import Role
from relayd.couriers.handover import Handover, Opener, Turns, Way
from relayd.net import egress
from relayd.net.dns import Resolver, named_by_the_system
from relayd.net.egress import Guard
from relayd.net.smtp import Bearer, Failure, Login, Session
from relayd.store.contract import Body

MX_PORT = 25

_PROTECTION = {
    Tls.NONE: Protection.CLEAR,
    Tls.STARTTLS: Protection.VERIFIED,
    Tls.IMPLICIT: Protection.IMPLICIT,
}


class UpstreamCourier:
    """For hops of route UPSTREAM or SMARTHOST. `find` gives the server of a hop as it is configured now.

    `guard` judges hosts that customers named; None for the operator's own smarthost, which may be anywhere.
    `tokens` gives what senders log in with who signed in at a provider instead of giving a password.
    """

    def __init__(
        self,
        *,
        find: Callable[[Hop], Upstream | None],
        resolver: Resolver,
        guard: Guard | None,
        handover: Handover,
        families: Sequence[str] = ("ipv6", "ipv4"),
        tokens: AccessTokens | None = None,
    ) -> None:
        self._find = find
        self._resolver = resolver
        self._guard = guard
        self._handover = handover
        self._families = tuple(families)
        self._tokens = tokens
        self._turns: dict[Hop, tuple[Upstream, Turns]] = {}
        self._shared: WeakValueDictionary[Hashable, Turns] = WeakValueDictionary()  # of hops with one login

    async def deliver(self, parcel: Parcel, body: Body) -> list[Attempt]:
        upstream = self._find(parcel.hop)
        if upstream is None or upstream.sealed:
            return await self._handover.deliver(parcel, body, _nowhere(parcel.hop))
        way = Way(
            key=_key(parcel.hop, upstream),
            role=Role.UPSTREAM,
            port=upstream.port,
            protection=_PROTECTION[upstream.tls],
            find=functools.partial(self._hosts, parcel.hop, upstream),
            resolve=self._resolve,
            refusal=functools.partial(self._refusal, upstream),
            login=_login(upstream),
            log_in=self._token_login(parcel.hop, upstream),
            turns=self._turns_of(parcel.hop, upstream),
            ca_file=upstream.ca_file,
        )
        attempts = await self._handover.deliver(parcel, body, way)
        if upstream.oauth is not None:
            attempts = [_not_a_password(attempt) for attempt in attempts]
        if any(_like_an_mx(attempt, upstream) for attempt in attempts) and await self._is_mx(
            parcel, upstream
        ):
            return [_named(attempt, upstream) for attempt in attempts]
        return attempts

    def turn(
        self, hop: Hop
    ) -> Callable[[Callable[[], Awaitable[Session | Failure]]], Awaitable[Session | Failure]] | None:
        """Where logins at this hop take their turns, for a probe of the same server. None: no login there."""
        upstream = self._find(hop)
        turns = None if upstream is None else self._turns_of(hop, upstream)
        return None if turns is None else turns.take

    def forget(self, hop: Hop) -> None:
        """Try the login again, though it was refused. Connections that are open with a token end."""
        known = self._turns.pop(hop, None)
        if known is not None:
            self._shared.pop(_key(hop, known[0]), None)
        upstream = self._find(hop)
        if upstream is not None and upstream.oauth is not None:
            self._handover.pool.drop(_key(hop, upstream))

    async def close(self) -> None:
        await self._handover.close()

    async def _is_mx(self, parcel: Parcel, upstream: Upstream) -> bool:
        """The server is a mail exchanger of the sender's own domain."""
        own = parcel.message.dressing.header_from
        if own is None or parcel.hop.route is not Route.UPSTREAM:
            return False
        answer = await self._resolver.mx(own.domain)
        host = upstream.host.rstrip(".").lower()
        return isinstance(answer, Found) and host in {record.host for record in answer.records}

    def _turns_of(self, hop: Hop, upstream: Upstream) -> Turns | None:
        """The turns of this name and password, which several senders may have: others, others."""
        if upstream.password is None and upstream.oauth is None:
            return None
        known = self._turns.get(hop)
        if known is None or known[0] != upstream:
            turns = self._shared.setdefault(_key(hop, upstream), Turns())
            known = self._turns[hop] = (upstream, turns)
        return known[1]

    def _token_login(
        self, hop: Hop, upstream: Upstream
    ) -> Callable[[Opener], Awaitable[Session | Failure]] | None:
        if upstream.oauth is None:
            return None
        assert self._tokens is not None, "a courier for senders who sign in at a provider has their tokens"
        assert upstream.username is not None
        return functools.partial(
            _with_token,
            self._tokens,
            sender=hop.name,
            username=upstream.username,
            mechanism=upstream.mechanism,
        )

    async def _hosts(self, hop: Hop, upstream: Upstream) -> Sequence[Mx] | Evidence:
        host = upstream.host
        known = self._turns.get(hop)
        if known is not None and known[0] == upstream and known[1].refused is not None:
            return known[1].refused.evidence  # a password that was refused is not tried again
        address = egress.literal(host)
        if address is None and mx.numeric(host):
            return _fault(FaultKind.FORBIDDEN, f"{host} is a number, not the name of a server", host)
        if address is not None and self._guard is not None and not self._guard.allows(address):
            return _fault(FaultKind.FORBIDDEN, f"write the name of the server, not its address {host}", host)
        return (Mx(0, address or host.rstrip(".").lower()),)

    async def _resolve(self, host: str) -> Found[str] | Missing | Trouble:
        if egress.literal(host) is not None:
            return Found(records=(host,), ttl=0)
        answer = await self._resolver.addresses(host, self._families)
        if isinstance(answer, Missing) and self._guard is None:
            return await named_by_the_system(host) or answer  # localhost, /etc/hosts, a search domain
        return answer

    def _refusal(self, upstream: Upstream, host: str, ip: str) -> str | None:
        if upstream.tls is Tls.NONE and not ipaddress.ip_address(ip).is_loopback:
            return f"{host} [{ip}] is not on this machine, so TLS is required"
        return None if self._guard is None else self._guard.refusal(ip)


async def _with_token(
    tokens: AccessTokens, opener: Opener, *, sender: str, username: str, mechanism: str | None
) -> Session | Failure:
    """Log in with an access token. One that the server doesn't take, though it should still be good, is
    fetched anew and tried once more, and never a third time."""
    token = await tokens.access_token(sender)
    if isinstance(token, Fault):
        return Failure(evidence=token)
    opened = await opener(Bearer(username=username, token=token, mechanism=mechanism))
    if not (isinstance(opened, Failure) and stale_token(opened.evidence)):
        return opened
    fresh = await tokens.access_token(sender, token)
    if isinstance(fresh, Fault):
        return Failure(evidence=fresh)
    return await opener(Bearer(username=username, token=fresh, mechanism=mechanism, before=token))


def _not_a_password(attempt: Attempt) -> Attempt:
    """There is no password here that could be wrong."""
    if attempt.evidence.stage is not Stage.AUTH or attempt.verdict.reason not in STALE_TOKEN:
        return attempt
    return replace(attempt, verdict=replace(attempt.verdict, reason=Reason.AUTH_TOKEN_EXPIRED))


def _like_an_mx(attempt: Attempt, upstream: Upstream) -> bool:
    """It relays for nobody; or, at the port of exchangers, lets nobody log in. Many a small server does both
    jobs under one name, so a refused password says nothing."""
    if attempt.verdict.reason is Reason.UPSTREAM_RELAY_DENIED:
        return True
    return attempt.verdict.reason is Reason.AUTH_MECHANISM and upstream.port == MX_PORT


def _named(attempt: Attempt, upstream: Upstream) -> Attempt:
    if not _like_an_mx(attempt, upstream):
        return attempt
    return replace(attempt, verdict=replace(attempt.verdict, reason=Reason.UPSTREAM_IS_MX))


def _nowhere(hop: Hop) -> Way:
    async def find() -> Evidence:
        return _fault(FaultKind.INTERNAL, f"no server is configured for {hop.key}", "")

    async def resolve(host: str) -> Missing:
        return Missing(domain=False, ttl=0)

    return Way(
        key=None,
        role=Role.UPSTREAM,
        port=0,
        protection=Protection.VERIFIED,
        find=find,
        resolve=resolve,
        refusal=lambda host, ip: None,
    )


def _key(hop: Hop, upstream: Upstream) -> Hashable:
    """Who may share a connection: those with the same login and password, so whoever changes them gets a new
    one. A token is its sender's alone, whatever name another one writes into its settings."""
    return upstream if upstream.oauth is None else (hop, upstream)


def _login(upstream: Upstream) -> Login | None:
    if upstream.username is None or upstream.password is None or upstream.oauth is not None:
        return None
    return Login(username=upstream.username, password=upstream.password, mechanism=upstream.mechanism)


def _fault(kind: FaultKind, text: str, host: str) -> Fault:
    return Fault(kind=kind, text=text, stage=Stage.CONNECT, host=host)
