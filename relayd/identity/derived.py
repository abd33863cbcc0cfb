"""Which servers relayd itself would name for an address: from its provider table and the domain's own DNS.

A login at one of them shows who owns the address. A server that somebody typed shows nothing: anybody may run
one that lets everybody in.
"""

from __future__ import annotations

from dataclasses import dataclass

from relayd.core import mailproviders
from relayd.core.address import Address
from relayd.core.mailproviders import MailProvider
from relayd.core.records.answers import Found
from relayd.net.dns import Resolver


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """`home` is the provider that has the mailbox, `exchangers` the domain's MX, `hosts` the servers where
    the mailbox's owner logs in."""

    home: MailProvider | None
    exchangers: frozenset[str]
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
    servers = () if home is None else home.servers
    return Derived(
        home=home,
        exchangers=frozenset(exchangers),
        hosts=frozenset(exchangers) | {server.host for server in servers if server.host != "{mx}"},
    )
