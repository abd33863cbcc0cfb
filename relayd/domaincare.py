"""What is done for domains while the daemon runs, customers' and the platform's own: the composition root for
reports, the change of the signing key, and the doctor.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from relayd.core import doctor
from relayd.core.doctor import Finding
from relayd.core.policy import Plan, Refusal
from relayd.core.records.domainreport import Ours
from relayd.core.sender import Sender
from relayd.core.settings import Settings
from relayd.dkimkeys import KeyRing
from relayd.identity import hostcheck
from relayd.identity.doctor import Doctor
from relayd.identity.domainreport import Reporter, Shown
from relayd.identity.returnpaths import Egress
from relayd.identity.rotation import RESTORE, Rotation, Standing
from relayd.identity.rungs import Rungs
from relayd.keyfiles import VaultError
from relayd.net.authority import Authority
from relayd.net.dns import Resolver
from relayd.net.egress import Guard, seen_as
from relayd.net.greeting import greeting
from relayd.parts import Parts, now
from relayd.store.contract import Store


class DomainCare:
    """To the API it is `domains.Care`."""

    def __init__(
        self,
        *,
        store: Store,
        ring: KeyRing,
        platform: str,
        parts: Callable[[], Parts],
        plan: Callable[[Sender], Plan | Refusal],
        clock: Callable[[], datetime],
    ) -> None:
        """`platform` is the platform's domain; `parts` gives those of the settings as they are now, `plan`
        what a sender's mail would get now."""
        self._platform = platform
        self._ring = ring
        self._parts = parts
        self._clock = clock
        self._reporter: tuple[Parts, Reporter] | None = None
        self.rungs = Rungs(store=store, senders=lambda: parts().senders, plan=plan, clock=clock)
        self._rotation = Rotation(
            ring=ring,
            store=store,
            domains=lambda: parts().domains,
            platform=platform,
            clock=clock,
        )

    async def load(self) -> None:
        """Take up what was under way."""
        await self._rotation.load()
        await self.rungs.load()

    def work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs in the background."""
        return self._rotation.watch(), self.rungs.watch()

    def show_domain(self, domain: str) -> Shown:
        return self._reports().show(domain)

    async def check_domain(self, domain: str) -> Shown:
        """Look now; whoever sends in the domain's name has the proofs that were found at once."""
        domains = self._parts().domains
        shown = await self._reports().check(domain)
        if domain in domains.wanted():
            await domains.look(domain)
            await self.rungs.look(domain)
        return shown

    async def keys(self) -> tuple[str, Standing]:
        return self._platform, await self._rotation.standing()

    async def rotate_keys(self) -> Standing:
        return await self._rotation.begin()

    async def examine(self) -> Sequence[Finding]:
        """Everything that `relayd doctor` says, as this process sees it."""
        parts = self._parts()
        examining = _doctor(parts.settings, parts.resolver, parts.domains.egress, self._reports())
        found = [*await examining.findings(), *hostcheck.findings(parts.settings)]
        standing = await self._rotation.standing()
        return [*found, *_change(standing)]

    def _reports(self) -> Reporter:
        """Other settings make what was seen meaningless."""
        parts = self._parts()
        if self._reporter is None or self._reporter[0] is not parts:
            reporter = Reporter(
                resolver=parts.resolver,
                authority=parts.authority,
                ours=lambda: ours(parts.settings, self._ring),
                egress=lambda: parts.domains.egress,
                clock=self._clock,
            )
            self._reporter = parts, reporter
        return self._reporter[1]


async def examine_alone(settings: Settings) -> Sequence[Finding]:
    """What is seen from outside, for a command that finds no daemon to ask."""
    platform, families = settings.platform, settings.delivery.families
    resolver = Resolver(settings.dns.nameservers)
    addresses = settings.delivery.egress or seen_as((), families, smarthost=False)
    egress = Egress(addresses=addresses, hostname=settings.hostname)
    try:
        ring = KeyRing.open(platform.dkim.selector, Path(platform.dkim.key_file), make=False)
    except (VaultError, OSError):  # what is seen of this machine says so
        ring = KeyRing({})
    reporter = Reporter(
        resolver=resolver,
        authority=Authority(resolver, _guard(settings), operators=settings.dns.nameservers),
        ours=lambda: ours(settings, ring),
        egress=lambda: egress,
        clock=now,
    )
    try:
        return await _doctor(settings, resolver, egress, reporter).findings()
    finally:
        await resolver.close()


def _doctor(settings: Settings, resolver: Resolver, egress: Egress, reporter: Reporter) -> Doctor:
    return Doctor(
        settings=settings,
        resolver=resolver,
        guard=_guard(settings),
        egress=egress,
        check_domain=reporter.check,
        greeting=greeting,
    )


def _change(standing: Standing) -> list[Finding]:
    """Where a change of the signing key stands."""
    if standing.lost is not None:
        return [doctor.bad("key_change", standing.lost, "the file of the new key is gone", RESTORE)]
    if standing.since is None:
        return []
    new = standing.keys[0].selector
    if standing.selector != new:
        remedy = f"publish what `relayd dkim rotate --status` prints for {new}"
        return [doctor.warning("key_change", new, "the new key is not seen in the platform's DNS", remedy)]
    needed = [*standing.waiting_for]
    if standing.on_their_way:
        needed.append(f"{standing.on_their_way} messages on their way")
    waits = f"the old one is needed by {', '.join(needed)}" if needed else "nobody needs the old one"
    return [doctor.ok("key_change", new, f"is used; {waits}")]


def _guard(settings: Settings) -> Guard:
    return Guard([str(network) for network in settings.allow_private.delivery])


def ours(settings: Settings, ring: KeyRing) -> Ours:
    platform = settings.platform
    return Ours(
        domain=platform.domain,
        return_path=platform.return_path or platform.domain,
        selector=platform.dkim.selector,
        keys=ring.keys,
        spf_include=platform.spf_include or platform.return_path or platform.domain,
    )
