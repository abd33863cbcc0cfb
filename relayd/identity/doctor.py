"""Looking at the platform's own side: what makes receivers refuse us, and what makes this machine fail.

Nothing here connects but to nameservers and, for port 25, to the mail servers of large providers; those come
from DNS and are guarded. What is asked of DNS goes through the resolver, because that is what others see.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Protocol

from relayd.core import blocklists, doctor, public
from relayd.core.address import Address
from relayd.core.blocklists import Blocklist, Kind, Verdict
from relayd.core.doctor import Finding
from relayd.core.phrases import domain as words
from relayd.core.phrases import spf as spf_words
from relayd.core.records.answers import Found, Missing, Trouble
from relayd.core.records.domainnotes import Code
from relayd.core.records.domainreport import Line, Purpose, State
from relayd.core.records.spf import Outcome
from relayd.core.records.spfsurvey import Finding as SpfFinding
from relayd.core.settings import Settings
from relayd.identity import spf
from relayd.identity.domainreport import Shown
from relayd.identity.returnpaths import ANYBODY, Egress, return_path_problem

LARGE = ("gmail.com", "outlook.com", "gmx.net")
"""Domains whose mail servers let everybody connect: where none of them answers, port 25 is closed."""

CONNECT = 10.0  # seconds for a connection and its greeting
PATIENCE = 45.0  # seconds for one check, all its questions included
NAMES_MAX = 3  # names of an address that are looked at

Greeting = Callable[[str, int, float], Awaitable[str]]


class Resolver(spf.Resolver, Protocol):
    async def ns(self, zone: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble: ...


class Guard(Protocol):
    def refusal(self, ip: str) -> str | None: ...


class Doctor:
    """Looks at everything that is seen from outside; `identity.hostcheck` looks at the machine."""

    def __init__(
        self,
        *,
        settings: Settings,
        resolver: Resolver,
        guard: Guard,
        egress: Egress,
        check_domain: Callable[[str], Awaitable[Shown]],
        greeting: Greeting,
    ) -> None:
        self._settings = settings
        self._resolver = resolver
        self._guard = guard
        self._egress = egress
        self._check_domain = check_domain
        self._greeting = greeting
        self._platform = settings.platform.domain
        self._return_path = settings.platform.return_path or settings.platform.domain
        self._include = settings.platform.spf_include or self._return_path

    async def findings(self) -> list[Finding]:
        """One for each thing, in the order in which one mends them."""
        known = await self._nameservers()
        if known.health is doctor.Health.BAD:
            return [known]  # without DNS nothing can be told
        addresses = self._egress.addresses
        checks: list[tuple[str, str, Awaitable[Iterable[Finding]]]] = [
            ("addresses", "", self._addresses()),
            *(self._direct(addresses) if self._settings.platform.smarthost is None else ()),
            ("own_records", self._platform, self._own_records()),
            ("return_path", self._return_path, self._bounces()),
            *self._included(),
            *(("blocklist", asked, self._listed(asked)) for asked in (*addresses, self._platform)),
        ]
        found = await asyncio.gather(*(self._ended(*check) for check in checks))
        return [known, *(finding for group in found for finding in group)]

    def _direct(self, addresses: Sequence[str]) -> Iterator[tuple[str, str, Awaitable[Iterable[Finding]]]]:
        """What matters to those whose mail goes to the recipients' servers by itself."""
        yield "hostname", self._settings.hostname, self._hostname()
        for ip in addresses:
            yield "ptr", ip, self._ptr(ip)
        yield "port_25", "", self._port_25()

    async def _ended(
        self, check: str, about: str, looking: Awaitable[Iterable[Finding]]
    ) -> Iterable[Finding]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await looking
        except TimeoutError:
            return [doctor.unknown(check, about, f"no answer within {PATIENCE:g} seconds")]

    async def _nameservers(self) -> Finding:
        named = self._settings.dns.nameservers
        about = ", ".join(named) or "the system's"
        answer = await self._resolver.ns(self._platform.rpartition(".")[2], fresh=True)
        if isinstance(answer, Trouble):
            remedy = "set dns.nameservers to resolvers that answer this machine, best to one on it (unbound)"
            return doctor.bad("nameserver", about, answer.text, remedy)
        return doctor.ok("nameserver", about, "answers")

    async def _addresses(self) -> list[Finding]:
        if self._egress.addresses:
            return [doctor.ok("addresses", ", ".join(self._egress.addresses), "mail leaves from here")]
        text = "the addresses that mail leaves from are not known: this machine has none that is public"
        return [doctor.warning("addresses", "", text, "name them in delivery.egress")]

    async def _hostname(self) -> list[Finding]:
        """The name that we give in EHLO should be one of our addresses'."""
        name = self._settings.hostname
        answer = await self._resolver.addresses(name, fresh=True)
        if isinstance(answer, Trouble):
            return [doctor.unknown("hostname", name, answer.text)]
        if isinstance(answer, Missing):
            remedy = f"publish an A record for {name} with this machine's address: receivers look the name up"
            return [doctor.bad("hostname", name, "has no address", remedy)]
        theirs, ours = set(answer.records), set(self._egress.addresses)
        if ours and not theirs & ours:
            text = f"leads to {', '.join(sorted(theirs))}, and mail leaves from {', '.join(sorted(ours))}"
            return [doctor.warning("hostname", name, text, f"let {name} lead to the address that sends")]
        return [doctor.ok("hostname", name, f"leads to {', '.join(answer.records)}")]

    async def _ptr(self, ip: str) -> list[Finding]:
        """Forward-confirmed reverse DNS: Google, Microsoft (IPv6) and GMX refuse mail without."""
        address = ipaddress.ip_address(ip)
        if public.why_not(address) is not None and not address.is_loopback:
            return [
                doctor.warning("ptr", ip, "is no public address", "name the public one in delivery.egress")
            ]
        said = await self._resolver.ptr(ip)
        if isinstance(said, Trouble):
            return [doctor.unknown("ptr", ip, said.text)]
        if isinstance(said, Missing) or not said.records:
            remedy = f"ask your hoster to set the reverse name of {ip} to {self._settings.hostname}"
            return [doctor.bad("ptr", ip, "has no PTR record, so many receivers refuse its mail", remedy)]
        names = said.records[:NAMES_MAX]
        family = "ipv6" if ":" in ip else "ipv4"
        answers = await asyncio.gather(*(self._resolver.addresses(name, (family,)) for name in names))
        back = [
            name
            for name, answer in zip(names, answers, strict=True)
            if isinstance(answer, Found) and ip in answer.records
        ]
        if not back and any(isinstance(answer, Trouble) for answer in answers):
            return [
                doctor.unknown("ptr", ip, f"is called {', '.join(names)}; DNS doesn't say where that leads")
            ]
        if not back:
            kind = "AAAA" if family == "ipv6" else "A"
            remedy = f"publish an {kind} record for {names[0]} with {ip}, or correct the reverse name"
            return [doctor.bad("ptr", ip, f"is called {', '.join(names)}, which doesn't lead back", remedy)]
        if self._settings.hostname not in back:
            remedy = f"set one of the two to the other: hostname in the config, or the reverse name of {ip}"
            text = f"is called {back[0]} and leads back; but we say {self._settings.hostname}"
            return [doctor.warning("ptr", ip, text, remedy)]
        return [doctor.ok("ptr", ip, f"is called {back[0]}, which leads back")]

    async def _port_25(self) -> list[Finding]:
        port = self._settings.delivery.mx_port
        outcomes = await asyncio.gather(*(self._greeted(domain, port) for domain in LARGE))
        good = [text for reached, text in outcomes if reached]
        if good:
            return [doctor.ok("port_25", str(port), f"open: {good[0]}")]
        texts = "; ".join(text for _, text in outcomes)
        if all(reached is None for reached, _ in outcomes):
            return [doctor.unknown("port_25", str(port), texts)]
        remedy = "ask your hoster to open port 25, or send through a smarthost (platform.smarthost)"
        return [doctor.bad("port_25", str(port), f"no large mail server can be reached: {texts}", remedy)]

    async def _greeted(self, domain: str, port: int) -> tuple[bool | None, str]:
        """Whether a server of the domain greets us; None where DNS doesn't say which it is."""
        answer = await self._resolver.mx(domain)
        if not isinstance(answer, Found):
            return None, f"{domain} has no MX that DNS tells"
        host = answer.records[0].host
        found = await self._resolver.addresses(host, self._settings.delivery.families)
        for ip in found.records if isinstance(found, Found) else ():
            if (why := self._guard.refusal(ip)) is not None:
                return False, f"{host} leads to {ip}, which is {why}"
            try:
                line = await self._greeting(ip, port, CONNECT)
            except OSError as error:
                return False, f"{host}: {error.strerror or error or 'no answer'}"
            return line.startswith("220"), f"{host} says {line}"
        return None, f"{host} has no address that DNS tells"

    async def _own_records(self) -> list[Finding]:
        report = (await self._check_domain(self._platform)).report
        lines = [
            line
            for line in report.lines
            if line.purpose is not Purpose.RETURN_PATH
            and line.value is not None
            and (line.purpose is not Purpose.SPF or line.name != self._include)
        ]
        # While the key is changed, one of the two is enough; and SPF that counts is the return path's.
        return [
            _of_line(line, needed=line.purpose is Purpose.DKIM and not report.proven(Purpose.DKIM))
            for line in lines
        ]

    async def _bounces(self) -> list[Finding]:
        domain = self._return_path
        problem = await return_path_problem(self._resolver, domain)
        if problem is not None:
            text = problem.removeprefix(f"the return path {domain} ")
            return [doctor.bad("return_path", domain, text, "publish MX and SPF for it")]
        return await self._passes("return_path", domain, "bounces find the way, and SPF passes")

    def _included(self) -> Iterator[tuple[str, str, Awaitable[Iterable[Finding]]]]:
        """What customers include, where that isn't the return path's record."""
        if self._include != self._return_path:
            good = "SPF passes for whom includes it"
            yield "own_spf", self._include, self._passes("own_spf", self._include, good)

    async def _passes(self, check: str, domain: str, good: str) -> list[Finding]:
        """Whether SPF of a domain of ours passes for each address that mail leaves from."""
        if not self._egress.addresses:
            return [doctor.unknown(check, domain, "SPF can't be told: our addresses are not known")]
        results = await spf.evaluate(
            self._resolver,
            mail_from=Address(ANYBODY, domain),
            hostname=self._egress.hostname,
            egress=self._egress.addresses,
            fresh=True,
        )
        failed = {ip: each.outcome for ip, each in results.items() if each.outcome is not Outcome.PASS}
        if Outcome.TEMPERROR in failed.values():
            return [doctor.unknown(check, domain, "DNS doesn't say whether SPF passes")]
        if failed:
            listed = ", ".join(f"{ip}: {outcome.value}" for ip, outcome in failed.items())
            terms = " ".join(f"{'ip6' if ':' in ip else 'ip4'}:{ip}" for ip in failed)
            remedy = f"add {terms} to its SPF record, directly after v=spf1"
            if Outcome.NONE in failed.values():
                remedy = f'publish TXT "v=spf1 {terms} -all"'
            return [doctor.bad(check, domain, f"SPF does not pass ({listed})", remedy)]
        return [doctor.ok(check, domain, good)]

    async def _listed(self, asked: str) -> list[Finding]:
        kind = Kind.DOMAIN if asked == self._platform else Kind.ADDRESS
        lists = [each for each in blocklists.LISTS if each.kind is kind]
        return list(await asyncio.gather(*(self._listing(each, asked) for each in lists)))

    async def _listing(self, blocklist: Blocklist, asked: str) -> Finding:
        name = blocklists.question(blocklist, asked)
        found = blocklists.judge(
            blocklist, asked, await self._resolver.addresses(name, ("ipv4",), fresh=True)
        )
        about = f"{asked} at {blocklist.name}"
        match found.verdict:
            case Verdict.CLEAN:
                return doctor.ok("blocklist", about, "not listed")
            case Verdict.NOT_ANSWERED:
                return doctor.unknown("blocklist", about, f"can't be told: {found.meaning}")
        return doctor.bad("blocklist", about, f"listed: {found.meaning}", f"look it up at {blocklist.page}")


_PURPOSES = {Purpose.DKIM: "own_key", Purpose.SPF: "own_spf", Purpose.DMARC: "own_dmarc"}


def _of_line(line: Line, *, needed: bool) -> Finding:
    """A record of the platform's own domain; `relayd domain check` says the same of it."""
    check = _PURPOSES.get(line.purpose, line.purpose.value)
    text = " ".join(
        spf_words.sentence(note, "en") if isinstance(note, SpfFinding) else words.say(note, "en")
        for note in line.notes
    )
    if line.state is State.OK:
        return doctor.ok(check, line.name, text)
    if line.state is State.UNKNOWN:
        return doctor.unknown(check, line.name, text)
    finding = doctor.bad if needed else doctor.warning
    weak = any(note.code is Code.KEY_WEAK for note in line.notes)
    remedy = "change the key: relayd dkim rotate" if weak else f'publish {line.type} "{line.value}"'
    return finding(check, line.name, text, remedy)
