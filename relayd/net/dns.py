"""The door to dnspython: questions in, `Found`, `Missing` or `Trouble` out.

Answers are cached here and not by dnspython, whose cache and timeouts read the wall clock: a clock set
back or forth by the administrator must neither keep a stale key alive nor look like dead DNS.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import dns.asyncresolver
import dns.exception
import dns.inet
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename

from relayd.core.records.answers import Found, Missing, Mx, Srv, Trouble
from relayd.net import rdata
from relayd.net.rdata import ADDRESS_LIMIT, LONGEST_NO, LONGEST_TTL, MX_LIMIT, PAYLOAD

T = TypeVar("T")
Answer = Found[T] | Missing | Trouble
Key = tuple[str, str]  # name, record type

SYSTEM = "/etc/resolv.conf"

LIFETIME = 5.0
"""Seconds for one question over all nameservers (dnspython's default; resolv.conf(5) comes to about the
same)."""
PATIENCE = 8.0
"""Seconds a look-up may take in all, with its one repetition. Monotonic, unlike LIFETIME."""
CACHE_SIZE = 10_000
HEAVY = 8192
"""Octets of text in an answer that is remembered. What strangers publish could fill memory otherwise: an
answer may have 64 KiB, and an SPF record names whatever its owner likes."""


class Resolver:
    """Asks the nameservers given, `host` or `host:port` (IPv6 in brackets when a port follows), else the
    system's, whose file is read again when it changes.

    Names are A-labels; what can't be a name in DNS is `Missing`. No method raises for what DNS does.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        *,
        system: str = SYSTEM,
        lifetime: float = LIFETIME,
        patience: float = PATIENCE,
        cache_size: int = CACHE_SIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._system = None if nameservers else system
        self._stamp: tuple[int, int] | None = None
        self._library = dns.asyncresolver.Resolver(configure=False)
        self._library.nameservers = [rdata.nameserver(text) for text in nameservers]
        self._tune(lifetime)
        self._patience = patience
        self._size = cache_size
        self._clock = clock
        self._cache: OrderedDict[Key, tuple[float, Found[Any] | Missing]] = OrderedDict()
        self._under_way: dict[Key, asyncio.Task[Answer[Any]]] = {}

    async def mx(self, domain: str, *, fresh: bool = False, most: int = MX_LIMIT) -> Answer[Mx]:
        """The mail exchangers of a domain, best first, at most `most`."""
        answer = await self._ask(domain, "MX", rdata.mx, fresh)
        if isinstance(answer, Found) and len(answer.records) > most:
            return replace(answer, records=answer.records[:most])
        return answer

    async def addresses(
        self,
        host: str,
        families: Sequence[str] = ("ipv6", "ipv4"),
        *,
        fresh: bool = False,
        most: int = ADDRESS_LIMIT,
    ) -> Answer[str]:
        """The addresses of a host, at most `most`, the families taking turns so that one that is dead can't
        keep us from the other."""
        answers: list[Answer[str]] = await asyncio.gather(
            *(
                self._ask(host, "AAAA" if family == "ipv6" else "A", rdata.addresses, fresh)
                for family in families
            )
        )
        found = [answer for answer in answers if isinstance(answer, Found)]
        if found:
            return Found(records=_in_turns(found)[:most], ttl=min(answer.ttl for answer in found))
        for answer in answers:
            if isinstance(answer, Trouble):
                return answer
        missing = [answer for answer in answers if isinstance(answer, Missing)]
        return Missing(
            domain=any(answer.domain for answer in missing),
            ttl=min((answer.ttl for answer in missing), default=0),
        )

    async def txt(self, name: str, *, fresh: bool = False) -> Answer[str]:
        """The texts at a name, the strings of each record joined (RFC 7208 section 3.3), octets as
        Latin-1."""
        return await self._ask(name, "TXT", rdata.txt, fresh)

    async def ptr(self, ip: str, *, fresh: bool = False) -> Answer[str]:
        """The names an address points back to."""
        name = dns.reversename.from_address(ip).to_text(omit_final_dot=True)
        return await self._ask(name, "PTR", rdata.targets, fresh)

    async def ns(self, zone: str, *, fresh: bool = False) -> Answer[str]:
        """The nameservers of a zone; `Missing` for a name at which no zone begins."""
        return await self._ask(zone, "NS", rdata.targets, fresh)

    async def cname(self, name: str, *, fresh: bool = False) -> Answer[str]:
        """What the name is an alias of, one step far."""
        return await self._ask(name, "CNAME", rdata.targets, fresh)

    async def srv(self, service: str, *, fresh: bool = False) -> Answer[Srv]:
        """Where a service is, such as `_submissions._tcp.example.com`; best first, at most 10."""
        return await self._ask(service, "SRV", rdata.srv, fresh)

    async def close(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(
        self, name: str, kind: str, read: Callable[[Iterable[Any]], tuple[T, ...]], fresh: bool
    ) -> Answer[T]:
        key = (name.rstrip(".").lower(), kind)
        if not fresh:
            known = self._known(key)
            if known is not None:
                return known
        task = self._under_way.get(key)
        if task is None:  # whoever asks the same meanwhile waits for this answer
            task = asyncio.create_task(self._look_up(key, read))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            asking = asyncio.current_task()
            if task.cancelled() and not (asking and asking.cancelling()):
                return Trouble(text="the resolver was closed")  # a reload must not end whoever asked
            raise

    def _known(self, key: Key) -> Found[Any] | Missing | None:
        entry = self._cache.get(key)
        if entry is None:
            return None
        until, answer = entry
        left = until - self._clock()
        if left <= 0:
            del self._cache[key]
            return None
        self._cache.move_to_end(key)
        return replace(answer, ttl=int(left))

    async def _look_up(self, key: Key, read: Callable[[Iterable[Any]], tuple[T, ...]]) -> Answer[T]:
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._translated(key, read)
        except TimeoutError:
            answer = Trouble(text=f"no nameserver answered for {key[0]} {key[1]}")
        if not isinstance(answer, Trouble) and answer.ttl > 0 and _octets(answer) <= HEAVY:
            self._cache[key] = (self._clock() + answer.ttl, answer)
            self._cache.move_to_end(key)
            while len(self._cache) > self._size:
                self._cache.popitem(last=False)
        return answer

    async def _translated(self, key: Key, read: Callable[[Iterable[Any]], tuple[T, ...]]) -> Answer[T]:
        """Every way a look-up can end, as a value."""
        name, kind = key
        try:
            question = rdata.question(name)
        except UnicodeEncodeError:
            return Trouble(text=f"{name!r} is not written in A-labels")
        except dns.exception.DNSException:  # an empty or too long label, a name too long
            return Missing(domain=False, ttl=LONGEST_NO)
        try:
            found = await self._answer(question, kind)
            if kind == "NS" and found.canonical_name != question:  # of a zone that an alias leads to
                return Missing(domain=True, ttl=rdata.ttl(found.response, LONGEST_NO))
            return Found(records=read(found), ttl=rdata.ttl(found.response, LONGEST_TTL))
        except dns.resolver.NXDOMAIN as no:
            return Missing(domain=False, ttl=rdata.ttl(no.kwargs["responses"][question], LONGEST_NO))
        except dns.resolver.NoAnswer as no:
            return Missing(domain=True, ttl=rdata.ttl(no.kwargs["response"], LONGEST_NO))
        except dns.resolver.NoNameservers:
            return Trouble(text=f"the nameservers can't say (SERVFAIL or REFUSED) for {name} {kind}")
        except dns.exception.Timeout:
            return Trouble(text=f"no nameserver answered for {name} {kind}")
        except (dns.exception.DNSException, OSError, ValueError) as error:
            return Trouble(text=f"DNS for {name} {kind}: {type(error).__name__}: {error}"[:200])

    async def _answer(self, question: dns.name.Name, kind: str) -> dns.resolver.Answer:
        self._follow_the_system()
        try:
            return await self._library.resolve(question, kind, search=False)
        except dns.resolver.LifetimeTimeout:
            # dnspython also says so when the clock was set; asking once more tells the two apart.
            return await self._library.resolve(question, kind, search=False)

    def _follow_the_system(self) -> None:
        if self._system is None:
            return
        try:
            status = os.stat(self._system)
        except OSError:
            return  # the nameservers known so far are the best guess
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        self._library = dns.asyncresolver.Resolver(filename=self._system)
        self._tune(self._library.lifetime)

    def _tune(self, lifetime: float) -> None:
        self._library.lifetime = lifetime
        self._library.timeout = lifetime * 0.4  # for one nameserver; dnspython's 2 s of 5 s
        self._library.cache = None
        self._library.use_edns(0, 0, PAYLOAD)


def _octets(answer: Found[Any] | Missing) -> int:
    """Of texts; names and addresses are few (`rdata.KEPT`) and short."""
    records = answer.records if isinstance(answer, Found) else ()
    return sum(len(record) for record in records if isinstance(record, str))


async def named_by_the_system(host: str) -> Found[str] | None:
    """What the machine itself calls so (hosts file, search domains), for hosts that its operator named."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return None
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return Found(records=tuple(addresses)[:ADDRESS_LIMIT], ttl=0)


def _in_turns(answers: Iterable[Found[str]]) -> tuple[str, ...]:
    rows = [list(answer.records) for answer in answers]
    return tuple(row[i] for i in range(max(map(len, rows))) for row in rows if i < len(row))


__all__ = ["Answer", "Resolver"]
