"""When a customer's server can't be reached: what else answers, so that the right one is asked to act."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from relayd.core.probe import Reach
from relayd.core.records.answers import Found
from relayd.net import smtp
from relayd.net.dns import Resolver
from relayd.net.egress import Guard

GLANCE = 5.0
"""Seconds for a connection that only shows whether anything answers."""

# Servers of large providers that surely are up at these ports: if none of them answers either, the obstacle
# is ours. Nothing is said to them.
ELSEWHERE: Mapping[int, tuple[str, ...]] = {
    25: ("smtp.office365.com", "mail.gmx.net"),
    465: ("smtp.gmail.com", "mail.gmx.net"),
    587: ("smtp.gmail.com", "smtp.office365.com", "mail.gmx.net"),
    2525: ("smtp.mailgun.org", "smtp.postmarkapp.com"),
}

CUSTOMERS_PORTS = (465, 587)


class Lookout:
    """`port_blocked` says whether mail is known not to get out to port 25."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: Guard,
        families: Sequence[str],
        port_blocked: Callable[[], bool],
        elsewhere: Mapping[int, Sequence[str]] = ELSEWHERE,
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._families = tuple(families)
        self._port_blocked = port_blocked
        self._elsewhere = elsewhere

    async def reach(self, port: int, host: str) -> Reach:
        """Whose network is in the way of `host`, seen from other servers at the same port."""
        if port == 25 and self._port_blocked():
            return Reach.OURS
        names = [name for name in self._elsewhere.get(port, ()) if name != host]
        found = [ips for ips in await asyncio.gather(*map(self._addresses, names)) if ips]
        reached = await asyncio.gather(*(smtp.reaches(ips[0], port, GLANCE) for ips in found))
        if any(reached):
            return Reach.THEIRS
        # One that is down says nothing yet; several unrelated ones are the way there.
        return Reach.OURS if len(reached) > 1 else Reach.UNCLEAR

    async def other_port(self, ip: str, port: int) -> int | None:
        """Another port for customers at which this server answers."""
        others = [other for other in CUSTOMERS_PORTS if other != port]
        open_ = await asyncio.gather(*(smtp.reaches(ip, other, GLANCE) for other in others))
        return next((other for other, answers in zip(others, open_, strict=True) if answers), None)

    async def _addresses(self, host: str) -> Sequence[str]:
        answer = await self._resolver.addresses(host, self._families)
        ips = answer.records if isinstance(answer, Found) else ()
        return [ip for ip in ips if self._guard.refusal(ip) is None]
