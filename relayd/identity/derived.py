"""Which servers relayd itself would name for an address: from its provider table and the domain's own DNS.

A login at one of them shows who owns the address. A server that somebody typed shows nothing: anybody may run
one that lets everybody in.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from relayd.core import mailproviders
from relayd.core.address import Address
from relayd.core.mailproviders import MailProvider
from relayd.core.mailproviders.provider import MX, Server
from relayd.core.records import mx
from relayd.core.records.answers import Found, Missing, Mx, Srv, Trouble
from relayd.core.sender import Tls
from relayd.net.dns import Resolver

SERVICES = (("_submissions._tcp", Tls.IMPLICIT), ("_submission._tcp", Tls.STARTTLS))
"""Where a domain says that mail is handed in: RFC 8314 section 5.1, and RFC 6186 section 3.1 before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """`home` is the provider that has the mailbox, `answer` what DNS said of the domain's MX, `exchangers`
    their names, `services` the servers its SRV records name, `hosts` those where the mailbox's owner logs in.
    `no_service`: the domain says that there is none."""

    home: MailProvider | None
    answer: Found[Mx] | Missing | Trouble
    exchangers: tuple[str, ...]
    services: tuple[Server, ...] = ()
    no_service: bool = False
    hosts: frozenset[str]

    def provider_of(self, host: str) -> MailProvider | None:
        """The provider behind a server, whoever named it."""
        if self.home is not None and host in self.hosts:
            return self.home
        return mailproviders.of_server(host) or mailproviders.of_mx(host)


async def derive(resolver: Resolver, address: Address) -> Derived:
    """Asked anew, not taken from what was cached: a domain may have changed hands. Trouble with DNS derives
    nothing from DNS."""
    answer = await resolver.mx(address.domain, fresh=True)
    records = answer.records if isinstance(answer, Found) else ()
    exchangers = tuple(record.host for record in records if record.host)
    home = mailproviders.of_domain(address.domain)
    if home is None and exchangers:
        home = mailproviders.of_mx(exchangers[0])  # the best one: that is where the mailbox is
    found = () if home is not None else await _services(resolver, address.domain)
    services = tuple(server for server in found if server.host and not mx.numeric(server.host))
    named = services if home is None else home.servers
    return Derived(
        home=home,
        answer=answer,
        exchangers=exchangers,
        services=services,
        no_service=bool(found) and not any(server.host for server in found),
        hosts=frozenset(exchangers) | {server.host for server in named if server.host != MX},
    )


async def _services(resolver: Resolver, domain: str) -> tuple[Server, ...]:
    """As the SRV records say, those with TLS from the start first (RFC 8314 section 5.1). An empty host says
    that there is no such service (RFC 6186 section 3.4)."""
    answers = await asyncio.gather(
        *(resolver.srv(f"{service}.{domain}", fresh=True) for service, _ in SERVICES)
    )
    return tuple(
        _server(record, tls)
        for answer, (_, tls) in zip(answers, SERVICES, strict=True)
        if isinstance(answer, Found)
        for record in answer.records
    )


def _server(record: Srv, tls: Tls) -> Server:
    return Server(host=record.host, port=record.port, tls=tls)
