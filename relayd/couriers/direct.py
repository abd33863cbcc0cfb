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

FAMILIES = ("ipv6", "ipv4")


class DirectCourier:
    """For hops of route DIRECT; `own_names` are names we answer to as a mail exchanger. `families` may be
    replaced when it turns out which of them we can use. `anchor` is a domain that exists for certain, our
    own: while DNS denies even that, its word ends no delivery."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: Guard,
        handover: Handover,
        port: int = 25,
        families: Sequence[str] = FAMILIES,
        require_tls: bool = False,
        own_names: Collection[str] = (),
        anchor: str | None = None,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._handover = handover
        self._port = port
        self.families = tuple(families)
        self._protection = Protection.REQUIRED if require_tls else Protection.OFFERED
        self._own_names = frozenset(own_names)
        self._anchor = anchor
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
            if isinstance(answer, Missing) and not answer.domain:
                answer = await self._believed(answer)
        return mx.hosts(domain, answer, own_names=self._own_names, dice=self._dice())

    async def _resolve(self, host: str) -> Found[str] | Missing | Trouble:
        answer = await self._resolver.addresses(host, self.families)
        if isinstance(answer, Missing):
            answer = await self._resolver.addresses(host, self.families, fresh=True)
            if isinstance(answer, Missing):
                answer = await self._elsewhere(host) or await self._believed(answer)
        return answer

    async def _elsewhere(self, host: str) -> Trouble | None:
        """The host is there, in a family that we don't use: our affair, and nothing final."""
        left = [family for family in FAMILIES if family not in self.families]
        if left and isinstance(await self._resolver.addresses(host, left), Found):
            return Trouble(text=f"{host} has no address but {left[0]}, over which mail does not leave here")
        return None

    async def _believed(self, no: Missing) -> Missing | Trouble:
        """A resolver that lost its way to the world may say no to everything."""
        if self._anchor is None:
            return no
        ours = await self._resolver.mx(self._anchor, fresh=True)
        if isinstance(ours, Found) or (isinstance(ours, Missing) and ours.domain):
            return no
        return Trouble(text=f"DNS does not know {self._anchor} either, so it is not believed")

    def _refusal(self, host: str, ip: str) -> str | None:
        return self._guard.refusal(ip)
