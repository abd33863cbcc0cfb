"""Delivers to the recipient's mail exchangers."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Collection, Sequence

from relayd.core.delivery import Attempt
from relayd.core.dialogue import Protection
from relayd.core.mail import Parcel
from relayd.core.records import mx
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.reply import Fault
from relayd.core.verdict import Role
from relayd.couriers.handover import Handover, Way
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.store.contract import Body


class DirectCourier:
    """For hops of route DIRECT; `own_names` are names we answer to as a mail exchanger. `families` may be
    replaced when it turns out which of them we can use."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: Guard,
        handover: Handover,
        port: int = 25,
        families: Sequence[str] = ("ipv6", "ipv4"),
        require_tls: bool = False,
        own_names: Collection[str] = (),
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._handover = handover
        self._port = port
        self.families = tuple(families)
        self._protection = Protection.REQUIRED if require_tls else Protection.OFFERED
        self._own_names = frozenset(own_names)
        self._dice = dice

    async def deliver(self, parcel: Parcel, body: Body) -> list[Attempt]:
        domain = parcel.hop.name
        way = Way(
            key=(parcel.hop.key, self._protection),
            role=Role.MX,
            port=self._port,
            protection=self._protection,
            find=functools.partial(self._find, domain),
            resolve=self._resolve,
            refusal=self._refusal,
        )
        return await self._handover.deliver(parcel, body, way)

    async def close(self) -> None:
        await self._handover.close()

    async def _find(self, domain: str) -> Sequence[Mx] | Fault:
        answer = await self._resolver.mx(domain)
        if isinstance(answer, Missing) and not answer.domain:
            # That a domain does not exist ends a delivery for good, so it is asked twice.
            answer = await self._resolver.mx(domain, fresh=True)
        return mx.hosts(domain, answer, own_names=self._own_names, dice=self._dice())

    async def _resolve(self, host: str) -> Found[str] | Missing | Trouble:
        answer = await self._resolver.addresses(host, self.families)
        if isinstance(answer, Missing):
            answer = await self._resolver.addresses(host, self.families, fresh=True)
        return answer

    def _refusal(self, host: str, ip: str) -> str | None:
        return self._guard.refusal(ip)
