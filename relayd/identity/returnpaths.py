"""Which return paths in a customer's domain mail may leave with: the own address, and a token at the domain's
return-path host.

The resolver is asked, and not the nameservers of the zone: receivers hold the record that was there before
for as long as it said, and what passes only at the zone's own servers fails at them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.address import Address
from relayd.core.keyproof import Look, Seen
from relayd.core.records.answers import Missing, Trouble
from relayd.core.records.spf import Outcome, Result
from relayd.identity import spf
from relayd.identity.spf import Resolver

ANYBODY = "postmaster"
"""The local part to evaluate SPF with; a record that looks at local parts is no proof for a domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Egress:
    """Where mail leaves from: our addresses as the world sees them, and our name. Without addresses SPF can
    be no proof."""

    addresses: tuple[str, ...]
    hostname: str

    @property
    def fingerprint(self) -> str:
        """What was found for other addresses counts nothing."""
        return " ".join((self.hostname, *sorted(self.addresses)))


async def passes(resolver: Resolver, domain: str, egress: Egress) -> Seen:
    """Whether SPF of the domain passes for every address that mail leaves from."""
    results = await spf.evaluate(
        resolver,
        mail_from=Address(ANYBODY, domain),
        hostname=egress.hostname,
        egress=egress.addresses,
        fresh=True,
    )
    return _judged(domain, results)


async def leads_to_us(resolver: Resolver, host: str, return_path: str, egress: Egress) -> Seen:
    """Whether a customer's return-path host is delegated to us: its MX are those of `return_path`, where
    bounces find us, and its SPF passes for every address that mail leaves from."""
    theirs, ours = await asyncio.gather(resolver.mx(host, fresh=True), resolver.mx(return_path))
    if isinstance(theirs, Trouble):
        return Seen(look=Look.UNCLEAR, ttl=0, text=f"DNS gives no usable answer: {theirs.text}")
    if isinstance(ours, Trouble):
        return Seen(look=Look.UNCLEAR, ttl=0, text=f"DNS gives no usable answer: {ours.text}")
    if isinstance(theirs, Missing) or isinstance(ours, Missing):
        return Seen(look=Look.NO, ttl=theirs.ttl, text=f"{host} is not delegated: it has no MX record.")
    hosts = {mx.host for mx in theirs.records}
    if not hosts <= {mx.host for mx in ours.records}:
        text = f"The MX of {host} is not that of {return_path}, so bounces would not come back to us."
        return Seen(look=Look.NO, ttl=theirs.ttl, text=text)
    seen = await passes(resolver, host, egress)
    return Seen(look=seen.look, ttl=min(seen.ttl, theirs.ttl), text=seen.text)


def _judged(domain: str, results: Mapping[str, Result]) -> Seen:
    ttl = min((result.ttl or 0 for result in results.values()), default=0)
    if not results:
        return Seen(
            look=Look.NO, ttl=ttl, text="Our own addresses are not known; name them: delivery.egress."
        )
    for ip, result in results.items():
        if result.outcome is Outcome.TEMPERROR:
            text = f"DNS gives no usable answer for SPF of {result.decided.domain}."
            return Seen(look=Look.UNCLEAR, ttl=0, text=text)
        if result.outcome is not Outcome.PASS:
            by = f'"{result.decided.term}" in the record of {result.decided.domain}'
            why = f"{result.why.value}, " if result.why else ""
            text = f"SPF of {domain} comes to {result.outcome.value} for {ip} ({why}{by})."
            return Seen(look=Look.NO, ttl=ttl, text=text)
        if result.personal:
            text = f"SPF of {domain} looks at the part before the @, so it is no proof for the domain."
            return Seen(look=Look.NO, ttl=ttl, text=text)
    return Seen(look=Look.YES, ttl=ttl, text=f"SPF of {domain} passes for {', '.join(results)}.")
