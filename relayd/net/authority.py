"""Asking the nameservers of a zone themselves: what is true now, not what some cache still holds.

Which nameservers a zone has, and where they are, the resolver says. Their addresses come from strangers' DNS,
so they are guarded like every other host that strangers name; the operator's own nameservers are not, and are
asked at the port that the operator wrote.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from relayd.core.records.answers import Found, Missing, Mx, Told
from relayd.net import rdata
from relayd.net.dns import Resolver
from relayd.net.egress import Guard

T = TypeVar("T")

SERVERS = 4
"""Nameservers of a zone that are asked. Most zones have two to four, and they say the same."""

PATIENCE = 6.0
"""Seconds for a whole look-up, aliases included. One nameserver gets a third: the 2 s of `net.dns`."""

ALIASES = 8  # steps; more is a loop

CUTS = 10
"""Names that are asked about to find the zone of a name (as many as RFC 9156 section 2.3 allows): a name may
have 127 labels, and whoever chooses it must not choose how much we ask."""

SILENT = 5
"""Zones in a row whose nameservers all keep silent: then it is our network that lets nobody ask, and waiting
for each of thousands of domains would keep others waiting too."""

REST = 600.0
"""Seconds until one zone is asked again."""


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class _Question:
    name: dns.name.Name
    kind: str
    zone: dns.name.Name  # that the name is in
    read: Callable[[Iterable[Any]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Alias:
    target: str
    ttl: int


_Said = Found[Any] | Missing | _Alias


class Authority:
    """Asks authoritatively. Every method gives None where that can't be had: no nameserver is known, none may
    be asked, none answers. No method raises for what DNS does."""

    def __init__(
        self,
        resolver: Resolver,
        guard: Guard,
        *,
        operators: Sequence[str] = (),
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`operators` are the nameservers of the config, `host` or `host:port`."""
        self._resolver = resolver
        self._guard = guard
        self._operators = {server.address: server.port for server in map(rdata.nameserver, operators)}
        self._patience = patience
        self._monotonic = monotonic
        self._silent: set[str] = set()  # zones since the last answer
        self._ask_at = -math.inf

    async def txt(self, name: str) -> Told[str] | None:
        """The texts at a name, as `Resolver.txt`."""
        return await self._ask(name, "TXT", rdata.txt)

    async def mx(self, name: str) -> Told[Mx] | None:
        return await self._ask(name, "MX", rdata.mx)

    async def cname(self, name: str) -> Told[str] | None:
        """What the name is an alias of, one step far."""
        return await self._ask(name, "CNAME", rdata.targets)

    async def _ask(
        self, name: str, kind: str, read: Callable[[Iterable[Any]], tuple[T, ...]]
    ) -> Told[T] | None:
        try:
            async with asyncio.timeout(self._patience):
                return await self._followed(name.rstrip(".").lower(), kind, read)
        except (TimeoutError, UnicodeError, dns.exception.DNSException):
            return None

    async def _followed(
        self, name: str, kind: str, read: Callable[[Iterable[Any]], tuple[T, ...]]
    ) -> Told[T] | None:
        ttl, others = rdata.LONGEST_TTL, []
        for _ in range(ALIASES):
            zone, servers = await self._servers(name)
            if not servers or self._monotonic() < self._ask_at:
                return None
            question = _Question(rdata.question(name), kind, rdata.question(zone), read)
            timeout = self._patience / 3
            answers = await asyncio.gather(*(_answer(server, question, timeout) for server in servers))
            said = [(server, answer) for server, answer in zip(servers, answers, strict=True) if answer]
            if not said:
                self._nobody_answers(zone)
                return None
            self._silent.clear()
            (most, _), *_ = Counter(_content(answer) for _, answer in said).most_common(1)
            agreeing = [(server, answer) for server, answer in said if _content(answer) == most]
            others += [server.name for server, answer in said if _content(answer) != most]
            answer = agreeing[0][1]
            ttl = min(ttl, answer.ttl)
            if not isinstance(answer, _Alias):
                return Told(
                    answer=_lasting(answer, ttl),
                    servers=tuple(dict.fromkeys(server.name for server, _ in agreeing)),
                    others=tuple(dict.fromkeys(others)),
                )
            name = answer.target
        return None

    def _nobody_answers(self, zone: str) -> None:
        self._silent.add(zone)
        if len(self._silent) >= SILENT:
            self._ask_at = self._monotonic() + REST

    async def _servers(self, name: str) -> tuple[str, list[_Server]]:
        """The nameservers of the zone that the name is in, one address each.

        The walk begins above labels such as `_domainkey`. The resolver would be told that a name is missing
        that somebody is just publishing, and believe that for an hour.
        """
        labels = name.split(".")
        first = max((at + 1 for at, label in enumerate(labels) if label.startswith("_")), default=0)
        first = max(first, len(labels) - 1 - CUTS)
        for start in range(first, len(labels) - 1):  # never a top level domain's: they don't know
            zone = ".".join(labels[start:])
            found = await self._resolver.ns(zone)
            if isinstance(found, Found):
                hosts = sorted(host for host in found.records if host)[:SERVERS]
                servers = await asyncio.gather(*map(self._server, hosts))
                return zone, [server for server in servers if server is not None]
        return "", []

    async def _server(self, host: str) -> _Server | None:
        found = await self._resolver.addresses(host, ("ipv4", "ipv6"))
        for ip in found.records if isinstance(found, Found) else ():
            port = self._operators.get(ip)
            if port is not None or self._guard.refusal(ip) is None:
                return _Server(host, ip, port or 53)
        return None


async def _answer(server: _Server, asked: _Question, timeout: float) -> _Said | None:
    """What one nameserver says of its own knowledge; None for silence, trouble and hearsay."""
    query = dns.message.make_query(asked.name, asked.kind, use_edns=0, payload=rdata.PAYLOAD, flags=0)
    try:
        async with asyncio.timeout(timeout):
            response, _ = await dns.asyncquery.udp_with_fallback(
                query, server.ip, timeout=timeout, port=server.port, ignore_unexpected=True
            )
        return _read(response, asked) if response.flags & dns.flags.AA else None
    except (TimeoutError, OSError, EOFError, ValueError, dns.exception.DNSException):
        return None


def _read(response: dns.message.Message, asked: _Question) -> _Said | None:
    """Within the zone only: what a server says about somebody else's names is no authority's word."""
    if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    name, ttl = asked.name, rdata.LONGEST_TTL
    for _ in range(ALIASES):
        if not name.is_subdomain(asked.zone):
            return _Alias(rdata.text(name), ttl)
        found = _rrset(response, name, dns.rdatatype.from_text(asked.kind))
        if found is not None:
            return Found(records=asked.read(found), ttl=min(ttl, found.ttl))
        alias = _rrset(response, name, dns.rdatatype.CNAME)
        if alias is None:
            there = response.rcode() == dns.rcode.NOERROR
            return Missing(domain=there, ttl=min(ttl, rdata.ttl(response, rdata.LONGEST_NO)))
        name, ttl = alias[0].target, min(ttl, alias.ttl)
    return None


def _rrset(
    response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    return response.get_rrset(dns.message.ANSWER, name, dns.rdataclass.IN, kind)


def _content(answer: _Said) -> object:
    """What is the same from each nameserver of a zone that is in step; TTLs may differ."""
    match answer:
        case Found(records=records):
            return frozenset(records)
        case Missing(domain=domain):
            return domain
        case _Alias(target=target):
            return target


def _lasting(answer: Found[T] | Missing, ttl: int) -> Found[T] | Missing:
    if isinstance(answer, Found):
        return Found(records=answer.records, ttl=ttl)
    return Missing(domain=answer.domain, ttl=ttl)
