"""Which return paths in a customer's domain mail may leave with: the own address, and a token at the domain's
return-path host.

The resolver is asked, and not the nameservers of the zone: receivers hold the record that was there before
for as long as it said, and what passes only at the zone's own servers fails at them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.address import Address, shown
from relayd.core.keyproof import Look, Seen
from relayd.core.records import spfterms
from relayd.core.records.answers import Found, Missing, Mx, Trouble
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
            text = f"DNS gives no usable answer for SPF of {shown(result.decided.domain, 255)}."
            return Seen(look=Look.UNCLEAR, ttl=0, text=text)
        if result.outcome is not Outcome.PASS:
            by = f'"{shown(result.decided.term)}" in the record of {shown(result.decided.domain, 255)}'
            why = f"{result.why.value}, " if result.why else ""
            text = f"SPF of {domain} comes to {result.outcome.value} for {ip} ({why}{by})."
            return Seen(look=Look.NO, ttl=ttl, text=text)
        if result.personal:
            text = f"SPF of {domain} looks at the part before the @, so it is no proof for the domain."
            return Seen(look=Look.NO, ttl=ttl, text=text)
    return Seen(look=Look.YES, ttl=ttl, text=f"SPF of {domain} passes for {', '.join(results)}.")


async def return_path_problem(resolver: Resolver, domain: str) -> str | None:
    """What is wrong with the domain of the return path, as a sentence; None when bounces find the way back
    and receivers find an SPF record. DNS trouble is no finding."""
    mx, addresses, texts = await asyncio.gather(
        resolver.mx(domain), resolver.addresses(domain), resolver.txt(domain)
    )
    problems = []
    if isinstance(mx, Missing) and isinstance(addresses, Missing):
        problems.append("no MX and no address record, so receivers refuse mail from it and bounces are lost")
    if _is_null_mx(mx):
        problems.append("a null MX (RFC 7505), so receivers refuse mail from it")
    records = spfterms.records(_records(texts))
    if not records and not isinstance(texts, Trouble):
        problems.append("no SPF record; publish one that lists the addresses this host sends from")
    if len(records) > 1:
        problems.append(f"{len(records)} SPF records, which counts as an error; leave one")
    return f"the return path {domain} has {'; and it has '.join(problems)}" if problems else None


def _is_null_mx(answer: Found[Mx] | Missing | Trouble) -> bool:
    return isinstance(answer, Found) and all(not mx.host for mx in answer.records)


def _records(answer: Found[str] | Missing | Trouble) -> tuple[str, ...]:
    return answer.records if isinstance(answer, Found) else ()
