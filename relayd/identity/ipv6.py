"""Whether mail may leave over IPv6: large receivers refuse what comes from an IPv6 address without a name, or
that SPF doesn't cover.

Google wants a PTR record whose name leads back to the address, and SPF or DKIM
(support.google.com/a/answer/81126). What we send is signed; but a record that lists our IPv4 address alone
makes SPF fail over IPv6, and mail whose return path it stands for with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from relayd.core.address import Address
from relayd.core.records.answers import Found, Missing, Trouble
from relayd.core.records.spf import Outcome
from relayd.identity import spf
from relayd.identity.returnpaths import ANYBODY, Egress

NAMES_MAX = 3
"""Names of an address that are looked at; one is usual, and a list of hundreds proves nothing."""

IPV6 = "ipv6"


class Resolver(spf.Resolver, Protocol):
    async def ptr(self, ip: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble: ...


@dataclass(frozen=True, slots=True)
class Families:
    """Over which families to deliver directly, and a sentence for the operator when IPv6 is there and can't
    be used as it is."""

    use: tuple[str, ...]
    note: str | None = None


async def families(wanted: Sequence[str], resolver: Resolver, egress: Egress, return_path: str) -> Families:
    """`wanted` as it stands in the config, without IPv6 unless our addresses there have names that lead back
    and SPF of the domain `return_path` passes for them. `egress` has those addresses, none for a host
    without."""
    others = tuple(family for family in wanted if family != IPV6)
    if len(others) == len(wanted):
        return Families(others)
    if not egress.addresses:
        return Families(others or tuple(wanted))
    problem = None
    for source in egress.addresses:
        problem = problem or await _no_name(resolver, source)
    problem = problem or await _no_spf(resolver, egress, return_path)
    if problem is None:
        return Families(tuple(wanted))
    if not others:
        return Families(tuple(wanted), f"many receivers will refuse our mail: {problem}")
    return Families(others, f"mail does not leave over IPv6: {problem}")


async def _no_name(resolver: Resolver, source: str) -> str | None:
    said = await resolver.ptr(source)
    if isinstance(said, Trouble):
        return f"DNS does not say which name {source} has ({said.text}). It is asked again."
    if isinstance(said, Missing) or not said.records:
        return f"{source} has no PTR record. Ask your hoster for one."
    for name in said.records[:NAMES_MAX]:
        back = await resolver.addresses(name, (IPV6,))
        if isinstance(back, Found) and source in back.records:
            return None
    names = ", ".join(said.records[:NAMES_MAX])
    return f"the PTR record of {source} names {names}, which has no AAAA record that leads back. Add it."


async def _no_spf(resolver: Resolver, egress: Egress, return_path: str) -> str | None:
    results = await spf.evaluate(
        resolver,
        mail_from=Address(ANYBODY, return_path),
        hostname=egress.hostname,
        egress=egress.addresses,
    )
    for source, result in results.items():
        if result.outcome is Outcome.TEMPERROR:
            return f"DNS does not say whether SPF of {return_path} covers {source}. It is asked again."
        if result.outcome is not Outcome.PASS:
            return f"SPF of {return_path} does not cover {source}. Add ip6:{source} to its record."
    return None
