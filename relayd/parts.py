"""What follows from the settings and is made anew when they are read again: senders, proofs, couriers.

The other half of the composition root, so that a reload is one value put in the place of another.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from relayd.core import settings_senders
from relayd.core.mail import Hop, Route, Rung
from relayd.core.oauth import AccessTokens
from relayd.core.retry import RetryRules
from relayd.core.sender import Sender, Upstream
from relayd.core.settings import Settings
from relayd.couriers.direct import DirectCourier
from relayd.couriers.handover import Handover
from relayd.couriers.upstream import UpstreamCourier
from relayd.dispatch import Courier
from relayd.dressing import Dresser, LoginRefused
from relayd.identity.domains import Domains
from relayd.identity.ipv6 import IPV6, families
from relayd.identity.lookout import Lookout
from relayd.identity.probe import Prober
from relayd.identity.returnpaths import Egress
from relayd.identity.senders import Shelf
from relayd.intake.recipients import Recipients
from relayd.net.authority import Authority
from relayd.net.dns import Resolver
from relayd.net.egress import Guard, Ourselves, seen_as
from relayd.net.tls import Contexts
from relayd.post import Post
from relayd.store.contract import Store
from relayd.vault import Vault

if TYPE_CHECKING:
    from relayd.identity.discover import Discoverer
    from relayd.net.oauth import Providers


class Parts:
    """What follows from the settings and is made anew when they are read again."""

    def __init__(
        self,
        settings: Settings,
        shelf: Shelf,
        *,
        store: Store,
        vault: Vault,
        login_refused: LoginRefused,
        tokens: AccessTokens,
        uploads: asyncio.Semaphore,
    ) -> None:
        """`login_refused` by sender id, kept current by whoever learns of it; `uploads` bounds the large
        bodies under way, of these parts and of those they replace."""
        self.settings = settings
        self.shelf = shelf
        self.senders = senders = shelf.senders
        self._smarthost = settings_senders.upstream(settings.platform.smarthost)
        self._return_path = settings.platform.return_path or settings.platform.domain
        self.resolver = Resolver(settings.dns.nameservers)
        self.authority = Authority(
            self.resolver,
            Guard(_texts(settings.allow_private.delivery)),
            operators=settings.dns.nameservers,
        )
        self.domains = Domains(
            resolver=self.resolver,
            authority=self.authority,
            store=store,
            platform=settings.platform.domain,
            return_path=self._return_path,
            include=settings.platform.spf_include or self._return_path,
            # IPv6 only once `choose_families` found that it may be used.
            egress=self._egress([family for family in settings.delivery.families if family != IPV6]),
            keys=lambda: vault.ring.keys,
            senders=lambda: senders,
            clock=now,
            monotonic=time.monotonic,
        )
        self.dresser = Dresser(
            vault=vault,
            settings=settings,
            domains=self.domains,
            login_refused=login_refused,
        )
        self.post = Post(
            store=store,
            dresser=self.dresser,
            platform=settings.platform.name,
            domain=settings.platform.domain,
            clock=now,
        )
        self.contexts = Contexts(settings.tls.ca_file)
        self.ourselves = Ourselves(
            [(at.address, at.port) for at in settings.listen if at.address and at.port]
        )
        self._tokens = tokens
        self.couriers = self._couriers(uploads, tokens)
        self.rules = _rules(settings)
        smarthost = settings.platform.smarthost is not None
        self.recipients = (
            None
            if smarthost
            else Recipients(resolver=self.resolver, platform_domain=settings.platform.domain)
        )

    def _couriers(self, uploads: asyncio.Semaphore, tokens: AccessTokens) -> Mapping[Route, Courier]:
        settings = self.settings
        handover = functools.partial(
            Handover,
            uploads=uploads,
            hostname=settings.hostname,
            contexts=self.contexts,
            ourselves=self.ourselves,
        )
        upstream = functools.partial(
            UpstreamCourier, find=self.upstream, resolver=self.resolver, families=settings.delivery.families
        )
        wanted = settings.delivery.families
        self.direct = DirectCourier(
            resolver=self.resolver,
            guard=Guard(_texts(settings.allow_private.delivery)),
            handover=handover(),
            port=settings.delivery.mx_port,
            families=[family for family in wanted if family != IPV6] or wanted,
            require_tls=settings.delivery.require_tls,
            own_names=[settings.hostname],
            anchor=settings.platform.domain,
        )
        return {
            Route.DIRECT: self.direct,
            Route.UPSTREAM: upstream(
                guard=Guard(_texts(settings.allow_private.upstreams)), handover=handover(), tokens=tokens
            ),
            Route.SMARTHOST: upstream(guard=None, handover=handover()),
        }

    @functools.cached_property
    def providers(self) -> Providers:
        """Where people sign in for their server, which few have to."""
        from relayd.net.https import Https  # httpx is 7 MiB, authlib 1 MiB
        from relayd.net.oauth import Providers

        return Providers(Https(resolver=self.resolver, guard=None, contexts=self.contexts))

    @functools.cached_property
    def discoverer(self) -> Discoverer:
        """Finds customers' servers; it is asked now and then."""
        from relayd.identity.discover import Discoverer
        from relayd.net.https import Https  # httpx is 7 MiB

        settings = self.settings
        guard, families = Guard(_texts(settings.allow_private.upstreams)), settings.delivery.families
        return Discoverer(
            resolver=self.resolver,
            guard=guard,
            https=Https(resolver=self.resolver, guard=guard, contexts=self.contexts, families=families),
            contexts=self.contexts,
            hostname=settings.hostname,
            families=families,
        )

    def prober(self, port_blocked: Callable[[], bool]) -> Prober:
        """Probes customers' servers. `port_blocked`: mail can't get out to port 25."""
        settings, families = self.settings, self.settings.delivery.families
        guard = Guard(_texts(settings.allow_private.upstreams))
        return Prober(
            resolver=self.resolver,
            guard=guard,
            ourselves=self.ourselves,
            contexts=self.contexts,
            hostname=settings.hostname,
            platform=settings.platform.name,
            lookout=Lookout(
                resolver=self.resolver, guard=guard, families=families, port_blocked=port_blocked
            ),
            families=families,
            tokens=self._tokens,
        )

    def sender(self, id: str) -> Sender | None:
        """The sender of a message: a customer, or relayd itself."""
        return self.post.sender if id == self.post.sender.id else self.senders.get(id)

    async def choose_families(self) -> str | None:
        """Use IPv6 or not, as DNS says now. Returns what the operator should know."""
        if self._smarthost is not None:
            return None  # mail leaves from the smarthost's addresses, however we reach it
        wanted = self.settings.delivery.families
        found = await families(wanted, self.resolver, self._egress([IPV6]), self._return_path)
        self.direct.families = found.use
        self.domains.egress = self._egress(found.use)
        return found.note

    @property
    def egress_note(self) -> str | None:
        """What to do when we don't know our addresses, and a sender may need them."""
        if self.domains.egress.addresses or all(s.send_as is not Rung.OWN for s in self.senders):
            return None
        whose = "the smarthost's addresses" if self._smarthost else "our public addresses"
        return (
            f"{whose} are not known, so SPF proves no own address, and only the DKIM record does: name them "
            "in delivery.egress"
        )

    def _egress(self, used: Sequence[str]) -> Egress:
        """Where mail leaves from over these families."""
        named, smarthost = self.settings.delivery.egress, self._smarthost is not None
        return Egress(addresses=seen_as(named, used, smarthost=smarthost), hostname=self.settings.hostname)

    def upstream(self, hop: Hop) -> Upstream | None:
        """The server of a hop, as it is configured now."""
        if hop.route is Route.SMARTHOST:
            return self._smarthost
        sender = self.senders.get(hop.name)
        return sender.upstream if sender else None


def _rules(settings: Settings) -> RetryRules:
    delivery = settings.delivery
    return RetryRules(
        give_up_after=delivery.give_up_after.total_seconds(),
        warn_after=delivery.warn_after.total_seconds(),
        retry_after=tuple(wait.total_seconds() for wait in delivery.retry_after),
    )


def _texts(networks: Iterable[object]) -> list[str]:
    return [str(network) for network in networks]


def now() -> datetime:
    return datetime.now(UTC)
