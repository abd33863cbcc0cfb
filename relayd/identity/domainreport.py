"""Looking at a customer's domain: every record that mail in its name needs, as its own nameservers have it and
as others see it. `core.records.domainreport` judges what was seen.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from relayd.core import mailproviders
from relayd.core.address import Address
from relayd.core.keyproof import Look
from relayd.core.mail import Proof, Rung
from relayd.core.policy import return_host
from relayd.core.records import dkimkey, dmarc, domainreport
from relayd.core.records.answers import Found, Missing, Mx, Told, Trouble
from relayd.core.records.dmarc import Discovery, Forecast
from relayd.core.records.domainreport import Line, Ours, Outlook, Purpose, Report, State, View
from relayd.core.records.spf import Outcome, Result
from relayd.core.records.spfadvice import Advice
from relayd.identity import returnpaths, spf
from relayd.identity.discover import base_domain
from relayd.identity.returnpaths import ANYBODY, Egress

T = TypeVar("T")

KEPT = 1000
"""Reports in memory. Who looks at more domains looks again."""

LOOKS_AT_ONCE = 5
"""Reports under way: each asks up to a hundred questions."""


class Resolver(spf.Resolver, Protocol):
    async def cname(self, name: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble: ...


class Authority(Protocol):
    """Asks the nameservers of a zone; None where that can't be had."""

    async def txt(self, name: str) -> Told[str] | None: ...
    async def mx(self, name: str) -> Told[Mx] | None: ...
    async def cname(self, name: str) -> Told[str] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A report, with when somebody last looked; None: only what to publish is known."""

    report: Report
    looked_at: datetime | None


class Reporter:
    """Looks at domains, and keeps what it saw last."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        authority: Authority,
        ours: Callable[[], Ours],
        egress: Callable[[], Egress],
        clock: Callable[[], datetime],
    ) -> None:
        self._resolver = resolver
        self._authority = authority
        self._ours = ours
        self._egress = egress
        self._clock = clock
        self._last: OrderedDict[str, Shown] = OrderedDict()
        self._turns = asyncio.Semaphore(LOOKS_AT_ONCE)

    def show(self, domain: str) -> Shown:
        """What to publish in this domain, with what was seen last."""
        provider = mailproviders.of_domain(domain)
        if provider is not None:
            return Shown(report=domainreport.shared(domain, provider.name), looked_at=None)
        if (last := self._last.get(domain)) is not None:
            return last
        lines = domainreport.to_publish(domain, self._ours())
        return Shown(report=Report(domain=domain, lines=lines), looked_at=None)

    async def check(self, domain: str) -> Shown:
        """Look now. Takes as long as DNS does: a second, or half a minute where nameservers are silent."""
        shown = self.show(domain)
        if shown.report.provider is not None:
            return shown
        async with self._turns:
            report = await _Look(
                domain, self._resolver, self._authority, self._ours(), self._egress()
            ).report()
        shown = Shown(report=report, looked_at=self._clock())
        self._last[domain] = shown
        self._last.move_to_end(domain)
        while len(self._last) > KEPT:
            self._last.popitem(last=False)
        return shown


class _Look:
    """One look at one domain."""

    def __init__(
        self, domain: str, resolver: Resolver, authority: Authority, ours: Ours, egress: Egress
    ) -> None:
        self._domain = domain
        self._resolver = resolver
        self._authority = authority
        self._ours = ours
        self._egress = egress
        self._closest = _Closest(resolver, authority, organization(domain))

    async def report(self) -> Report:
        text = await self._text(self._domain)
        keys, (advice, results), policy, back, mx = await asyncio.gather(
            self._keys(), self._spf(), self._policy(self._domain), self._return_path(), self._mx()
        )
        lines = [*keys, domainreport.dmarc_line(policy), *back, mx]
        if advice is not None:
            lines.insert(len(keys), domainreport.spf_line(advice, text))
        report = Report(
            domain=self._domain,
            lines=tuple(lines),
            advice=advice,
            servers=() if text.told is None else (*text.told.servers, *text.told.others),
        )
        return replace(report, outlooks=await self._outlooks(report, policy, results))

    async def _keys(self) -> Sequence[Line]:
        names = {selector: dkimkey.name(selector, self._domain) for selector in self._ours.selectors}
        texts = await asyncio.gather(*(self._text(name) for name in names.values()))
        aliases = await asyncio.gather(*(self._alias(name) for name in names.values()))
        return domainreport.key_lines(
            self._domain,
            self._ours,
            dict(zip(names, texts, strict=True)),
            dict(zip(names, aliases, strict=True)),
        )

    async def _spf(self) -> tuple[Advice | None, Mapping[str, Result]]:
        anybody, egress = Address(ANYBODY, self._domain), self._egress
        results = await spf.evaluate(
            self._closest, mail_from=anybody, hostname=egress.hostname, egress=egress.addresses, fresh=True
        )
        if self._ours.spf_include is None:
            return None, results
        advice = await spf.advice(
            self._closest,
            mail_from=anybody,
            hostname=egress.hostname,
            egress=egress.addresses,
            include=self._ours.spf_include,
        )
        return advice, results

    async def _policy(self, domain: str) -> Discovery:
        return await spf.answered(dmarc.discover(domain, organization), self._closest, fresh=True)

    async def _return_path(self) -> Sequence[Line]:
        if self._domain == self._ours.domain:
            return ()
        host = return_host(self._domain, self._ours.return_path)
        alias, seen = await asyncio.gather(
            self._alias(host),
            returnpaths.leads_to_us(self._resolver, host, self._ours.return_path, self._egress),
        )
        leads = None if seen.look is Look.UNCLEAR else seen.look is Look.YES
        return (domainreport.return_line(self._domain, self._ours, alias, leads=leads),)

    async def _mx(self) -> Line:
        mx = await _twice(self._authority.mx(self._domain), self._resolver.mx(self._domain, fresh=True))
        address = await self._resolver.addresses(self._domain)
        return domainreport.mx_line(self._domain, mx, address=isinstance(address, Found))

    async def _text(self, name: str) -> View[str]:
        return await _twice(self._authority.txt(name), self._resolver.txt(name, fresh=True))

    async def _alias(self, name: str) -> View[str]:
        return await _twice(self._authority.cname(name), self._resolver.cname(name, fresh=True))

    async def _outlooks(
        self, report: Report, policy: Discovery, results: Mapping[str, Result]
    ) -> tuple[Outlook, ...]:
        """What receivers will see on each rung once its proof is there."""
        own, platform = self._domain, self._ours.domain
        key = report.proven(Purpose.DKIM)
        delegated = any(
            line.purpose is Purpose.RETURN_PATH and line.state is State.OK for line in report.lines
        )
        back = return_host(own, self._ours.return_path) if delegated else self._ours.return_path
        bounces, at_platform = await asyncio.gather(self._spf_of(back), self._policy(platform))
        default = await self._spf_of(self._ours.return_path)
        rows = (
            (
                Rung.DEFAULT,
                Proof.PLATFORM,
                True,
                platform,
                at_platform,
                default,
                self._ours.return_path,
                (platform,),
            ),
            (Rung.OWN, Proof.DKIM, key, own, policy, bounces, back, (own, platform)),
            (Rung.OWN, Proof.SPF, report.proven(Purpose.SPF), own, policy, Outcome.PASS, own, (platform,)),
            (Rung.UPSTREAM, Proof.CREDENTIALS, True, own, policy, None, own, (own,) if key else None),
        )
        return tuple(
            Outlook(
                rung=rung,
                proof=proof,
                possible=possible,
                forecast=_forecast(author, found, outcome, return_path, signers),
            )
            for rung, proof, possible, author, found, outcome, return_path, signers in rows
            if proof is not Proof.SPF or self._ours.spf_include is not None
        )

    async def _spf_of(self, domain: str) -> Outcome:
        """The worst that SPF comes to for one of our addresses."""
        results = await spf.evaluate(
            self._resolver,
            mail_from=Address(ANYBODY, domain),
            hostname=self._egress.hostname,
            egress=self._egress.addresses,
        )
        failed = [result.outcome for result in results.values() if result.outcome is not Outcome.PASS]
        return failed[0] if failed else Outcome.PASS if results else Outcome.NONE


def _forecast(
    author: str,
    found: Discovery,
    outcome: Outcome | None,
    return_path: str,
    signers: tuple[str, ...] | None,
) -> Forecast:
    return dmarc.forecast(
        author=author,
        policy=found.policy,
        spf=outcome,
        return_path=return_path,
        signers=signers,
        organization=organization,
    )


class _Closest:
    """A resolver that asks the domain's own nameservers first, for what is in the domain."""

    def __init__(self, resolver: Resolver, authority: Authority, domain: str) -> None:
        self._authority = authority
        self._resolver = resolver
        self._domain = domain
        self.mx = resolver.mx
        self.ptr = resolver.ptr
        self.addresses = resolver.addresses

    async def txt(self, name: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble:
        if f".{name}".endswith(f".{self._domain}"):
            told = await self._authority.txt(name)
            if told is not None:
                return told.answer
        return await self._resolver.txt(name, fresh=fresh)


async def _twice(
    told: Awaitable[Told[T] | None], resolved: Awaitable[Found[T] | Missing | Trouble]
) -> View[T]:
    own, others = await asyncio.gather(told, resolved)
    return View(told=own, resolved=others)


def organization(domain: str) -> str:
    """The organizational domain (RFC 7489 section 3.2); a public suffix is its own."""
    return base_domain(domain) or domain


__all__ = ["Reporter", "Shown", "organization"]
