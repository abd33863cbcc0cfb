"""Finding the server that hands in the mail of an address: own table, MX, what the domain publishes, guesses.

What Mozilla's mail program does with its own database (bucksch.org, "Autoconfiguration in Thunderbird"), with
relayd's table in its place. It stops at the first source that knows something.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace

from relayd.core import autoconfig, mailproviders, providers
from relayd.core.address import Address
from relayd.core.autoconfig import NotSettings, Published
from relayd.core.dialogue import Protection
from relayd.core.discovery import Candidate, Discovery, Note, Seen, Source
from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders import MailProvider
from relayd.core.mailproviders.provider import MX, Server, Username, either
from relayd.core.records import mx
from relayd.core.records.answers import Found, Missing, Trouble
from relayd.core.reply import Stage, clean
from relayd.core.sender import Tls
from relayd.identity.derived import Derived, derive
from relayd.identity.suffixes import base_domain, public_suffixes
from relayd.net import egress, smtp
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.net.https import Https, Response
from relayd.net.smtp import Deadlines, Failure, Session
from relayd.net.tls import Contexts

DEADLINES = Deadlines(connect=5.0, banner=10.0, ehlo=10.0, tls=10.0)
"""Seconds; a person waits."""
AT_ONCE = 4
"""Addresses looked for together: each may make us knock at some twenty doors of strangers."""
ADDRESSES = 2
"""Of one server that are tried: one of each family."""
LOOKED_AT = 8
"""Candidates that are connected to, so that a domain's records can't make us knock at many doors."""
REDIRECTS = 2
"""Of a domain that has its settings served by its hoster."""


class Discoverer:
    """`https` fetches what domains publish and `guard` judges every host that is connected to; `hostname` is
    our own name for EHLO."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: Guard,
        https: Https,
        contexts: Contexts,
        hostname: str,
        families: Sequence[str] = ("ipv6", "ipv4"),
        deadlines: Deadlines = DEADLINES,
    ) -> None:
        self._resolver = resolver
        self._guard = guard
        self._https = https
        self._contexts = contexts
        self._hostname = hostname
        self._families = tuple(families)
        self._deadlines = deadlines
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def discover(self, address: Address, *, host: str | None = None, look: bool = False) -> Discovery:
        """`host` is a server that somebody entered, which is judged beside; `look` connects to the servers
        found and says what they offer, without a login. Never raises for what DNS or a server does."""
        async with self._turns:
            return await self._discover(address, host, look)

    async def _discover(self, address: Address, host: str | None, look: bool) -> Discovery:
        derived = await derive(self._resolver, address)
        home, source = await self._home(address, derived)
        if home is not None:
            candidates = _of_table(address, home, source, derived.exchangers)
        else:
            candidates = await self._candidates(address, derived)
        if look:
            candidates = await self._looked_at(candidates)
        discovery = Discovery(
            address=address,
            provider=home,
            exchangers=derived.exchangers,
            candidates=tuple(candidates),
            notes=() if home is not None else tuple(_notes(address, derived, candidates)),
        )
        if host is None:
            return discovery
        return replace(discovery, finding=await self._judged(host, discovery))

    async def _home(self, address: Address, derived: Derived) -> tuple[MailProvider | None, Source]:
        """The provider that has the mailbox, and how that is known. A filter before it hides it from the MX,
        but the domain's SPF record has to include who sends for it."""
        if derived.home is not None or _filter(derived) is None:
            known = mailproviders.of_domain(address.domain) is not None
            return derived.home, Source.TABLE if known else Source.MX
        texts = await self._resolver.txt(address.domain)
        records = texts.records if isinstance(texts, Found) else ()
        policy = next((record for record in records if record.lower().startswith("v=spf1 ")), "")
        return mailproviders.of_spf(policy), Source.SPF

    async def _candidates(self, address: Address, derived: Derived) -> list[Candidate]:
        if isinstance(derived.answer, Missing) and not derived.answer.domain:
            return []
        published = await self._published(address, derived.exchangers)
        found = [
            *(_of_file(one, derived) for one in published),
            *(_of_srv(server, address, derived) for server in derived.services),
        ]
        reachable = await self._reachable(_once(found))
        if reachable or isinstance(derived.answer, Trouble) or derived.no_service:
            return reachable
        return await self._reachable(
            [_guess(server, address, derived) for server in _guesses(address, derived)]
        )

    async def _published(self, address: Address, exchangers: Sequence[str]) -> Sequence[Published]:
        """From the domain itself, else from whoever runs its MX. The address goes along, as it does from any
        mail program: some hosters have a file for each mailbox."""
        await asyncio.to_thread(public_suffixes)  # read once, which takes 40 ms
        hosts = dict.fromkeys([address.domain, *filter(None, map(base_domain, exchangers))])
        pages = [page for host in list(hosts)[:2] for page in _pages(host, address)]
        for files in await asyncio.gather(*(self._file(page, address) for page in pages)):
            if files:
                return files
        return ()

    async def _file(self, url: str, address: Address) -> Sequence[Published]:
        answer = await self._https.get(url, redirects=REDIRECTS)
        if not isinstance(answer, Response) or answer.status != 200:
            return ()
        try:
            return autoconfig.read(answer.body, address)
        except NotSettings:
            return ()

    async def _reachable(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those whose host has an address that may be connected to. Strangers wrote their names."""
        answers = await asyncio.gather(*(self._addresses(one.server.host) for one in candidates))
        return [one for one, ips in zip(candidates, answers, strict=True) if ips]

    async def _addresses(self, host: str) -> Sequence[str]:
        """Those of a host that may be connected to; none for an address or a number in place of a name."""
        if egress.literal(host) is not None or mx.numeric(host):
            return ()
        answer = await self._resolver.addresses(host, self._families)
        ips = answer.records if isinstance(answer, Found) else ()
        return [ip for ip in ips if self._guard.refusal(ip) is None]

    async def _looked_at(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """With what they showed; guesses that showed nothing are left out."""
        seen = await asyncio.gather(*(self._look(one.server) for one in candidates[:LOOKED_AT]))
        found = [replace(one, seen=what) for one, what in zip(candidates, seen, strict=False)]
        kept = [one for one in found if one.source is not Source.GUESS or (one.seen and one.seen.answers)]
        return [*kept, *candidates[LOOKED_AT:]]

    async def _look(self, server: Server) -> Seen:
        opened: Session | Failure | None = None
        for ip in (await self._addresses(server.host))[:ADDRESSES]:
            opened = await smtp.connect(
                smtp.Server(
                    host=server.host,
                    ip=ip,
                    port=server.port,
                    protection=Protection.IMPLICIT if server.tls is Tls.IMPLICIT else Protection.VERIFIED,
                ),
                hostname=self._hostname,
                contexts=self._contexts,
                deadlines=self._deadlines,
            )
            if isinstance(opened, Session) or opened.evidence.stage is not Stage.CONNECT:
                break  # another address of the same server would say the same
        if opened is None:
            return Seen(answers=False, text=f"{server.host} has no address that we may connect to")
        if isinstance(opened, Failure):
            return Seen(answers=False, text=clean(opened.evidence.text))
        offers = opened.offers.auth
        opened.close()
        if not offers:
            return Seen(answers=False, text="it lets nobody log in, as servers do that only receive mail")
        return Seen(answers=True, text=clean(" ".join(offers)), mechanisms=offers)

    async def _judged(self, host: str, found: Discovery) -> Finding | None:
        """What is wrong with a server that somebody entered; None when nothing is known against it."""
        name = host.strip().rstrip(".").lower()
        sure = [one for one in found.candidates if _holds(one)]
        right = sure[0].server if sure else None
        places = {
            "host": clean(name)[:255],
            "address": str(found.address),
            "provider": found.provider.name if found.provider else "",
            "right": f"{right.host} {right.port} {right.tls.value}" if right else "",
        }
        if any(one.server.host == name for one in found.candidates if one.seen is None or one.seen.answers):
            return None
        if name in found.exchangers:
            return Finding(kind=Kind.SERVER_IS_MX, places=places)
        if egress.literal(name) is not None or mx.numeric(name):
            return Finding(kind=Kind.HOST_NOT_PUBLIC, places=places)
        answer = await self._resolver.addresses(name, self._families)
        if isinstance(answer, Missing):
            return Finding(kind=Kind.SERVER_NAME, places=places)
        if isinstance(answer, Found) and all(self._guard.refusal(ip) for ip in answer.records):
            return Finding(kind=Kind.HOST_NOT_PUBLIC, places=places)
        owner = mailproviders.of_server(name) or mailproviders.of_mx(name)
        if found.provider is not None and owner is not found.provider:
            return Finding(kind=Kind.SERVER_OF_ANOTHER, places=places)
        return None


def _holds(candidate: Candidate) -> bool:
    """A guess holds only when it was looked at."""
    if candidate.seen is not None:
        return candidate.seen.answers
    return candidate.source is not Source.GUESS


def _of_table(
    address: Address, home: MailProvider, source: Source, exchangers: Sequence[str]
) -> list[Candidate]:
    return [
        Candidate(
            server=replace(server, host=exchangers[0]) if server.host == MX else server,
            source=source,
            derived=source is not Source.SPF,  # it says who may send for the domain, not who has its mail
            username=_username(home, address),
            mechanisms=home.mechanisms,
        )
        for server in home.servers
        if server.host != MX or exchangers
    ]


def _username(provider: MailProvider, address: Address) -> str | None:
    forms = {
        Username.ADDRESS: str(address),
        Username.LOCAL_PART: address.local,
        Username.FIXED: provider.fixed_username,
    }
    return forms.get(provider.username)


def _of_file(one: Published, derived: Derived) -> Candidate:
    return Candidate(
        server=Server(host=one.host, port=one.port, tls=one.tls),
        source=Source.AUTOCONFIG,
        derived=one.host in derived.hosts,
        username=one.username,
        mechanisms=("XOAUTH2",) if one.oauth_only else (),
    )


def _of_srv(server: Server, address: Address, derived: Derived) -> Candidate:
    """The whole address is the name to try first (RFC 6186 section 4)."""
    known = server.host in derived.hosts
    return Candidate(server=server, source=Source.SRV, derived=known, username=str(address))


def _guess(server: Server, address: Address, derived: Derived) -> Candidate:
    known = server.host in derived.hosts  # an MX that does both jobs
    return Candidate(server=server, source=Source.GUESS, derived=known, username=str(address))


def _once(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first that is known of each server: the file knows the login's name better than SRV."""
    found: dict[Server, Candidate] = {}
    for one in candidates:
        found.setdefault(one.server, one)
    return list(found.values())


def _guesses(address: Address, derived: Derived) -> list[Server]:
    """The usual names, then the MX where it is of the domain itself: small servers do both jobs."""
    own = [host for host in derived.exchangers if host.endswith(f".{address.domain}")]
    names = dict.fromkeys([f"smtp.{address.domain}", f"mail.{address.domain}", *own[:1]])
    return [server for name in names for server in either(name)]


def _pages(host: str, address: Address) -> tuple[str, str]:
    """Where the settings of a domain are published. Thunderbird asks these over HTTPS, and over plain HTTP
    too, which we don't: anybody on the way could name a server of theirs."""
    asked = urllib.parse.urlencode({"emailaddress": str(address)})
    return (
        f"https://autoconfig.{host}/mail/config-v1.1.xml?{asked}",
        f"https://{host}/.well-known/autoconfig/mail/config-v1.1.xml?{asked}",
    )


def _filter(derived: Derived) -> str | None:
    """The service that stands before the mailbox: a house that we know the servers of, and no mailboxes."""
    if derived.home is not None or not derived.exchangers:
        return None
    family = providers.recognise(derived.exchangers[0])
    return None if family is None else providers.card(family).name


def _notes(address: Address, derived: Derived, found: Sequence[Candidate]) -> list[tuple[Note, str]]:
    answer, domain = derived.answer, address.domain
    if isinstance(answer, Missing) and not answer.domain:
        return [(Note.NO_DOMAIN, domain)]
    notes = []
    if isinstance(answer, Trouble):
        notes.append((Note.DNS_TROUBLE, domain))
    elif isinstance(answer, Found) and not derived.exchangers:
        notes.append((Note.NO_MAIL, domain))
    filtered = _filter(derived)
    if filtered is not None:
        notes.append((Note.FILTERED, filtered))
    if derived.no_service:
        notes.append((Note.NO_SERVICE, domain))
    if not found and filtered is None:
        notes.append((Note.NOTHING_FOUND, domain))
    elif found and all(one.source is Source.GUESS for one in found):
        notes.append((Note.ONLY_GUESSES, domain))
    return notes
