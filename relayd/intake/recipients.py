"""Refusing at RCPT what can never arrive: a domain that does not exist, or that says it takes no mail.

DNS trouble is never a reason, nor is running out of time: who doubts, accepts, and delivery finds out.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from relayd.core.address import Address, shown
from relayd.core.reasons import Reason
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.refusal import Refusal

PATIENCE = 2.0  # seconds that a client may wait for this at RCPT
KNOWN_FOR = 60.0  # seconds a result is used again; a domain just registered should not wait longer
TROUBLE_FOR = 10.0  # seconds after trouble without asking again, or each RCPT of a message waits PATIENCE
CACHE_SIZE = 10_000  # domains


class Resolver(Protocol):
    async def mx(self, domain: str, *, fresh: bool = False) -> Found[Mx] | Missing | Trouble: ...


class Recipients:
    """Knows for a while which domains can't get mail. For direct hops only: behind a smarthost or an upstream
    other names may exist than we see."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        platform_domain: str,
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._resolver = resolver
        self._platform = platform_domain
        self._monotonic = monotonic
        self._patience = patience
        self._known: OrderedDict[str, tuple[float, Refusal | None]] = OrderedDict()

    async def refusal(self, address: Address) -> Refusal | None:
        """Why this address can't get mail, or None when it may."""
        domain = address.domain
        known = self._known.get(domain)
        if known is not None and known[0] > self._monotonic():
            return known[1]
        try:
            async with asyncio.timeout(self._patience):
                refusal, seconds = await self._look(domain)
        except TimeoutError:
            refusal, seconds = None, TROUBLE_FOR
        self._known[domain] = (self._monotonic() + seconds, refusal)
        self._known.move_to_end(domain)
        while len(self._known) > CACHE_SIZE:
            self._known.popitem(last=False)
        return refusal

    async def _look(self, domain: str) -> tuple[Refusal | None, float]:
        said = await self._resolver.mx(domain)
        if isinstance(said, Found):
            return (_takes_no_mail(domain) if _null(said) else None), KNOWN_FOR
        if isinstance(said, Trouble):
            return None, TROUBLE_FOR
        if said.domain:  # it exists; whether a host of that name takes mail is delivery's to find out
            return None, KNOWN_FOR
        again = await self._resolver.mx(domain, fresh=True)
        if not isinstance(again, Missing) or again.domain:
            return None, TROUBLE_FOR
        # A resolver that lost its way to the world says NXDOMAIN to everything. Our own domain is the proof.
        ours = await self._resolver.mx(self._platform, fresh=True)
        if isinstance(ours, Found) or (isinstance(ours, Missing) and ours.domain):
            return _no_such_domain(domain), KNOWN_FOR
        return None, TROUBLE_FOR


def _null(said: Found[Mx]) -> bool:
    return all(mx.host == "" for mx in said.records)


def _takes_no_mail(domain: str) -> Refusal:
    text = f"the domain {shown(domain)} says in DNS that it takes no mail (null MX): ask for another address"
    return Refusal(
        code=556, enhanced="5.1.10", reason=Reason.RECIPIENT_DOMAIN, text=text
    )  # RFC 7505 section 3


def _no_such_domain(domain: str) -> Refusal:
    text = f"the domain {shown(domain)} does not exist: check its spelling"
    return Refusal(code=550, enhanced="5.1.2", reason=Reason.RECIPIENT_DOMAIN, text=text)
