"""Looking at a customer's domain: every record that mail in its name needs, as its own nameservers have it
and as others see it. `core.records.domainreport` judges what was seen.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
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
from relayd.core.records.dmarc import Discovery
from relayd.core.records.domainnotes import Code, Note
from relayd.core.records.domainreport import Line, Ours, Outlook, Purpose, Report, State, View
from relayd.core.records.spf import Outcome
from relayd.core.records.spfadvice import Advice
from relayd.identity import returnpaths, spf
from relayd.identity.returnpaths import ANYBODY, Egress
from relayd.identity.suffixes import base_domain

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
        self._last: OrderedDict[str, tuple[Ours, Shown]] = OrderedDict()
        self._turns = asyncio.Semaphore(LOOKS_AT_ONCE)

    def show(self, domain: str) -> Shown:
        """What to publish in this domain, with what was seen last."""
        provider = mailproviders.of_domain(domain)
        if provider is not None:
            return Shown(report=domainreport.shared(domain, provider.name), looked_at=None)
        ours = self._ours()
        known, last = self._last.get(domain, (None, None))
        if last is not None and known == ours:  # with a new key, something else is to be published
            return last
        lines = domainreport.to_publish(domain, ours)
        return Shown(report=Report(domain=domain, lines=lines), looked_at=None)

    async def check(self, domain: str) -> Shown:
        """Look now. Takes as long as DNS does: a second, or half a minute where nameservers are silent."""
        shown = self.show(domain)
        if shown.report.provider is not None:
            return shown
        async with self._turns:
            ours = self._ours()
            report = await _Look(domain, self._resolver, self._authority, ours, self._egress()).report()
        shown = Shown(report=report, looked_at=self._clock())
        self._last[domain] = ours, shown
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
        keys, advice, policy, back, mx = await asyncio.gather(
            self._keys(), self._advice(), self._policy(self._domain), self._return_path(), self._mx()
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
        return replace(report, outlooks=await self._outlooks(report, policy))

    async def _keys(self) -> Sequence[Line]:
        names = {selector: dkimkey.name(selector, self._domain) for selector in self._ours.selectors}
        texts = await asyncio.gather(*(self._text(name) for name in names.values()))
        aliases = await asyncio.gather(*(self._alias(name) for name in names.values()))
        return domainreport.key_lines(
            self._domain,
            self._ours,
            dict(zip(names, texts, strict=True)),
            dict(zip(names, aliases, strict=True)),
            await self._astray(
                [name for name, text in zip(names.values(), texts, strict=True) if not text.records]
            ),
        )

    async def _astray(self, names: Sequence[str]) -> dict[str, Note]:
        """Records that a form put at NAME.DOMAIN.DOMAIN, because it adds the domain by itself; by NAME."""
        zone = organization(self._domain)
        there = {name: f"{name}.{zone}" for name in names}
        seen = await asyncio.gather(
            *(self._resolver.cname(name, fresh=True) for name in there.values()),
            *(self._resolver.txt(name, fresh=True) for name in there.values()),
        )
        return {
            name: Note(Code.NAME_TWICE, {"there": there[name], "short": name.removesuffix(f".{zone}")})
            for name, answer in zip((*names, *names), seen, strict=True)
            if isinstance(answer, Found)
        }

    async def _advice(self) -> Advice | None:
        if self._ours.spf_include is None:
            return None
        return await spf.advice(
            self._closest,
            mail_from=Address(ANYBODY, self._domain),
            hostname=self._egress.hostname,
            egress=self._egress.addresses,
            include=self._ours.spf_include,
        )

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

    async def _outlooks(self, report: Report, policy: Discovery) -> tuple[Outlook, ...]:
        """What receivers will see on each rung once its proof is there."""
        own, platform, ours = self._domain, self._ours.domain, self._ours.return_path
        key, spf_proven = report.proven(Purpose.DKIM), report.proven(Purpose.SPF)
        back = return_host(own, ours) if _delegated(report) else ours
        at_platform, default, bounces = await asyncio.gather(
            self._policy(platform), self._spf_of(ours), self._spf_of(back)
        )
        theirs = (own,) if key else None  # an upstream adds what we can't know
        outlooks = [
            _outlook(Rung.DEFAULT, Proof.PLATFORM, True, at_platform, default, ours, (platform,)),
            _outlook(Rung.OWN, Proof.DKIM, key, policy, bounces, back, (own, platform)),
            _outlook(Rung.OWN, Proof.SPF, spf_proven, policy, Outcome.PASS, own, (platform,)),
            _outlook(Rung.UPSTREAM, Proof.CREDENTIALS, True, policy, None, own, theirs),
        ]
        return tuple(each for each in outlooks if each.proof is not Proof.SPF or report.advice is not None)

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


def _delegated(report: Report) -> bool:
    return any(line.purpose is Purpose.RETURN_PATH and line.state is State.OK for line in report.lines)


def _outlook(
    rung: Rung,
    proof: Proof,
    possible: bool,
    policy: Discovery,
    spf: Outcome | None,
    return_path: str,
    signers: tuple[str, ...] | None,
) -> Outlook:
    """For mail from the domain whose policy it is."""
    forecast = dmarc.forecast(
        author=policy.domain,
        policy=policy.policy,
        spf=spf,
        return_path=return_path,
        signers=signers,
        organization=organization,
    )
    return Outlook(rung=rung, proof=proof, possible=possible, forecast=forecast)


class _Closest:
    """A resolver that asks the domain's own nameservers first, for what is in the domain: whoever published
    something a moment ago looks whether it is right."""

    def __init__(self, resolver: Resolver, authority: Authority, domain: str) -> None:
        self._authority = authority
        self._resolver = resolver
        self._domain = domain
        self.mx = resolver.mx
        self.ptr = resolver.ptr
        self.addresses = resolver.addresses

    async def txt(self, name: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble:
        within = f".{name}".endswith(f".{self._domain}")
        told = await self._authority.txt(name) if within else None
        return told.answer if told is not None else await self._resolver.txt(name, fresh=fresh or within)


async def _twice(
    told: Awaitable[Told[T] | None], resolved: Awaitable[Found[T] | Missing | Trouble]
) -> View[T]:
    own, others = await asyncio.gather(told, resolved)
    return View(told=own, resolved=others)


def organization(domain: str) -> str:
    """The organizational domain (RFC 7489 section 3.2); a public suffix is its own."""
    return base_domain(domain) or domain


__all__ = ["Reporter", "Shown", "organization"]
