"""Whether mail may leave over IPv6: large receivers refuse what comes from an IPv6 address without a name.

Google wants a PTR record whose name leads back to the address, and SPF or DKIM
(support.google.com/a/answer/81126). What we send is signed; whether SPF covers the address is not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from relayd.core.records.answers import Found, Missing, Trouble

NAMES_MAX = 3
"""Names of an address that are looked at; one is usual, and a list of hundreds proves nothing."""

IPV6 = "ipv6"


class Resolver(Protocol):
    async def ptr(self, ip: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble: ...
    async def addresses(
        self, host: str, families: Sequence[str] = ..., *, fresh: bool = False
    ) -> Found[str] | Missing | Trouble: ...


@dataclass(frozen=True, slots=True)
class Families:
    """Over which families to deliver directly, and a sentence for the operator when IPv6 is there and can't
    be used as it is."""

    use: tuple[str, ...]
    note: str | None = None


async def families(wanted: Sequence[str], resolver: Resolver, source: str | None) -> Families:
    """`wanted` as it stands in the config, without IPv6 unless our address there has a name that leads back.
    `source` is the IPv6 address our connections come from, None for a host without one."""
    others = tuple(family for family in wanted if family != IPV6)
    if len(others) == len(wanted):
        return Families(others)
    if source is None:
        return Families(others or tuple(wanted))
    problem = await _problem(resolver, source)
    if problem is None:
        return Families(tuple(wanted))
    if not others:
        return Families(tuple(wanted), f"many receivers will refuse our mail: {problem}")
    return Families(others, f"mail does not leave over IPv6: {problem}")


async def _problem(resolver: Resolver, source: str) -> str | None:
    said = await resolver.ptr(source)
    if isinstance(said, Trouble):
        return (
            f"DNS does not say which name {source} has ({said.text}). It is asked again at the next reload."
        )
    if isinstance(said, Missing) or not said.records:
        return f"{source} has no PTR record. Ask your hoster for one, and reload."
    for name in said.records[:NAMES_MAX]:
        back = await resolver.addresses(name, (IPV6,))
        if isinstance(back, Found) and source in back.records:
            return None
    names = ", ".join(said.records[:NAMES_MAX])
    return (
        f"the PTR record of {source} names {names}, which has no AAAA record that leads back. "
        "Add it, and reload."
    )
