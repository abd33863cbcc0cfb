"""What is done for senders while the daemon runs: the composition root for their book, and for all that
follows from a change in it.
"""

from __future__ import annotations

import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from relayd.accounts import Accounts
from relayd.core.address import Address
from relayd.core.delivery import State
from relayd.core.hops import Hops
from relayd.core.mail import Hop, Route, Rung
from relayd.core.reasons import Reason
from relayd.core.records.dkimkey import OurKey
from relayd.core.sender import Secret, Sender
from relayd.core.todo import DnsRecord, Outlook, Publish
from relayd.couriers.upstream import UpstreamCourier
from relayd.identity.confirm import Confirmations
from relayd.identity.credentials import Credentials
from relayd.identity.domains import LOOKS_AT_ONCE
from relayd.identity.failedlogins import FailedLogins
from relayd.identity.firstmail import FirstMail
from relayd.identity.probe import Tell
from relayd.identity.senders import Book, Changed, Entry, SenderMissing, SenderRefused
from relayd.identity.upstreams import RELEASED, Result, Upstreams
from relayd.parts import Parts
from relayd.store.contract import Selection, Store, StoreError, Verb
from relayd.vault import Vault

log = logging.getLogger("relayd.customers")

SAYS_WHO = frozenset({"address", "confirmed", "send_as", "if_unproven"})
"""Keys that decide with which sender mail leaves."""

WAITS_FOR_SETTINGS = (Reason.SENDER_UNPROVEN, Reason.POLICY_FROM_MISMATCH)
"""What mail may be held for that other settings of this kind mend. It is planned anew and may wait again."""


class Customers:
    """The API's changes to senders come through here (`Control` delegates): after each, mail that waited for
    it goes, and what followed from the old settings is forgotten."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        credentials: Credentials,
        hops: Callable[[], Hops],
        parts: Callable[[], Parts],
        start: Callable[[Coroutine[Any, Any, None]], object],
        clock: Callable[[], datetime],
    ) -> None:
        """`parts` gives those of the settings as they are now; `start` runs work in the background."""
        self.book = Book(store=store, vault=vault, clock=clock)
        self._store = store
        self._vault = vault
        self._credentials = credentials
        self._hops = hops
        self._parts = parts
        self._start = start
        self._clock = clock
        self.upstreams = Upstreams(
            store=store,
            credentials=credentials,
            hops=hops,
            prober=lambda: parts().prober(lambda: hops().port_blocked),
            sender=lambda id: parts().senders.get(id),
            logins=self._logins,
            turn=lambda hop: self._courier(hop).turn(hop),
            forget=lambda hop: self._courier(hop).forget(hop),
            confirm=self._logged_in_as,
            fingerprint=vault.fingerprint,
            clock=clock,
        )
        self.accounts = Accounts(
            store=store,
            vault=vault,
            credentials=credentials,
            hops=hops,
            parts=parts,
            entry=self.entry,
            follow=self._signed_in,
            clock=clock,
        )
        self.confirmations = Confirmations(
            store=store,
            senders=lambda: parts().senders,
            post=lambda: parts().post,
            confirm=self.confirm_sender,
            fingerprint=vault.fingerprint,
            platform=lambda: parts().settings.platform.name,
            public_url=lambda: parts().settings.http.public_url,
            clock=clock,
        )
        self._failed_logins = FailedLogins(
            store=store,
            sender=lambda id: parts().senders.get(id),
            refused=lambda: credentials.of_senders,
            post=lambda: parts().post,
            platform=lambda: parts().settings.platform.name,
            clock=clock,
        )
        self._first_mail = FirstMail(
            store=store, senders=lambda: parts().senders, confirmations=self.confirmations
        )

    def work(self) -> Sequence[Coroutine[Any, Any, None]]:
        """What runs beside the rest until it is cancelled."""
        return (
            self.confirmations.run(),
            self._first_mail.run(),
            self._failed_logins.run(),
            self.upstreams.run(),
        )

    # --- what the API asks

    def entry(self, id: str) -> Entry | None:
        return self.book.entry(id)

    def sender_ids(self) -> Sequence[str]:
        return self.book.ids()

    def outlook(self, sender: Sender) -> Outlook:
        """What its mail would get now, and what it lacks, from what is known without asking anybody."""
        parts, key = self._parts(), self._vault.ring.keys[0]
        platform = parts.settings.platform
        include = platform.spf_include or platform.return_path or platform.domain
        publish = Publish(
            own=_txt(key, sender.contact.domain),
            platform=_txt(key, platform.domain),
            spf_include=include if parts.domains.egress.addresses else None,
        )
        return parts.dresser.outlook(sender, publish)

    async def put_sender(self, id: str, values: Mapping[str, object], *, by: str) -> Changed:
        changed = await self.book.put(id, values, by=by)
        await self._follow([changed])
        return changed

    async def put_senders(self, many: Mapping[str, Mapping[str, object]], *, by: str) -> Sequence[Changed]:
        changes = await self.book.put_many(many, by=by)
        await self._follow(changes)
        return changes

    async def set_sender(self, id: str, changes: Mapping[str, object], *, by: str) -> Changed:
        changed = await self.book.set(id, changes, by=by)
        await self._follow([changed])
        return changed

    async def remove_sender(self, id: str, *, by: str) -> Entry:
        """Its queued mail is held (sender.unknown) until a sender with this id is there again."""
        entry = await self.book.remove(id, by=by)
        await self.confirmations.withdraw(id)
        try:
            await self.let_log_in(Hop(Route.UPSTREAM, id))
            waiting = Selection(sender=id, state=State.QUEUED)
            await self._store.act(Verb.HOLD, waiting, self._clock(), Reason.SENDER_UNKNOWN)
            await self.accounts.removed(id)
        except StoreError as error:  # what is left is held when its turn comes
            log.error("sender %s is removed, and its mail is not held yet: %s", id, error)
        return entry

    async def confirm_sender(self, id: str, address: Address, *, by: str) -> Entry:
        entry = await self.book.confirm(id, address, by=by)
        await self._follow([Changed(entry=entry, created=False, keys=("confirmed",))])
        return entry

    async def probe(
        self, id: str, tell: Tell, *, upstream: Mapping[str, object] | None, send: bool, again: bool
    ) -> Result:
        """Probe the sender's server; `upstream`: with these changes to it, before they are saved."""
        typed = None if upstream is None else self.book.typed(id, upstream)
        return await self.upstreams.probe(id, tell, typed=typed, send=send, again=again)

    async def arrived(self, id: str, shown: str) -> bool:
        """A test mail arrived with this From. Returns whether it is the right one."""
        return await self.upstreams.saw(id, shown)

    # --- what follows

    async def resume(self, old: Parts | None = None) -> None:
        """Take up what was learnt before, and let go what no longer has to wait: at the start, and when the
        config was read again, in place of what was in `old`. Only what is held is looked at, however many
        senders there are. Where other settings took the place of a login that was refused, a probe lets the
        mail go."""
        await self._parts().domains.load()
        await self.book.forget_elsewhere()
        self.accounts.mark_unreadable()
        others = await self._credentials.load()
        for key, reason in self._credentials.refused.items():
            self._hops().close(key, reason)
        probed = [hop for hop in others if hop.route is Route.UPSTREAM and self._parts().upstream(hop)]
        for hop in probed:
            self.upstreams.changed(hop.name)
        changed = [hop for hop in others if hop not in probed]
        for hop in changed:
            self._hops().open(hop.key)
        if old is not None:
            self._probe_what_changed(old)
        else:
            await self.confirmations.load()
        held = await self._store.held()
        reasons = {reason for _, reason in held}
        waiting = [Selection(hop=hop.key, held=reason) for hop in changed for reason in RELEASED & reasons]
        if Reason.NETWORK_PORT_BLOCKED in reasons:
            waiting.append(Selection(held=Reason.NETWORK_PORT_BLOCKED))
        waiting += [Selection(sender=id, held=reason) for id, reason in held if self._settled(id, reason)]
        await self._release(waiting)
        for hop in changed:
            await self._credentials.forget(hop)

    def _settled(self, id: str, reason: Reason) -> bool:
        """What this sender's mail is held for is over, as far as the settings tell."""
        sender = self._parts().sender(id)
        if sender is None:
            return False
        if reason is Reason.SENDER_UNPROVEN:
            return sender.send_as is Rung.UPSTREAM and sender.upstream is not None
        if reason is Reason.UPSTREAM_SEALED:
            return sender.upstream is None or not sender.upstream.sealed
        return reason is Reason.SENDER_UNKNOWN

    async def _follow(self, changes: Sequence[Changed]) -> None:
        """After a change, which is kept whatever happens here."""
        self.accounts.mark_unreadable({change.entry.sender.id for change in changes})
        for change in changes:
            if "address" in change.keys:
                await self.confirmations.withdraw(change.entry.sender.id)
        try:
            held: defaultdict[str, set[Reason]] = defaultdict(set)
            for id, reason in await self._store.held():
                held[id].add(reason)
            for change in changes:
                if change.keys:
                    await self._resume(change, held[change.entry.sender.id])
        except StoreError as error:
            log.error("mail that changed senders let go is still held, reload: %s", error)
        self._look_at({change.entry.sender for change in changes if SAYS_WHO & {*change.keys}})

    async def _resume(self, change: Changed, held: set[Reason]) -> None:
        sender, over = self._parts().senders.get(change.entry.sender.id), {Reason.SENDER_UNKNOWN}
        if sender is None:
            return  # removed meanwhile
        if SAYS_WHO & {*change.keys}:
            over |= {*WAITS_FOR_SETTINGS}
        server = any(key.partition(".")[0] == "upstream" for key in change.keys)
        if server:
            over |= {*WAITS_FOR_SETTINGS}
            if self._settled(sender.id, Reason.UPSTREAM_SEALED):
                over.add(Reason.UPSTREAM_SEALED)
        if self._usable(sender) and (server or "address" in change.keys):
            self.upstreams.changed(sender.id)
        elif server and sender.upstream is None:
            await self.let_log_in(Hop(Route.UPSTREAM, sender.id))
            over |= RELEASED
        await self._release(Selection(sender=sender.id, held=reason) for reason in sorted(over & held))

    async def _signed_in(self, id: str) -> None:
        entry = self.book.entry(id)
        if entry is not None:
            await self._follow([Changed(entry=entry, created=False, keys=("upstream.oauth",))])

    async def _release(self, waiting: Iterable[Selection]) -> None:
        for selection in waiting:
            await self._store.act(Verb.RELEASE, selection, self._clock())

    async def let_log_in(self, hop: Hop) -> None:
        """A login that was refused there may be tried again."""
        if hop.key not in self._credentials.refused:
            return
        await self._credentials.forget(hop)
        courier = self._parts().couriers[hop.route]
        if isinstance(courier, UpstreamCourier):
            courier.forget(hop)
        self._hops().open(hop.key)

    def _probe_what_changed(self, old: Parts) -> None:
        for sender in self._parts().senders:
            before = old.senders.get(sender.id)
            was = None if before is None else (before.upstream, before.contact)
            unsealed = before is not None and before.upstream is not None and before.upstream.sealed
            if self._usable(sender) and not unsealed and was != (sender.upstream, sender.contact):
                self.upstreams.changed(sender.id)

    def _usable(self, sender: Sender) -> bool:
        """It has a server of its own that we could log in to now."""
        upstream = sender.upstream
        return upstream is not None and not upstream.sealed and self.accounts.oauth.missing(sender.id) is None

    def _courier(self, hop: Hop) -> UpstreamCourier:
        courier = self._parts().couriers[hop.route]
        assert isinstance(courier, UpstreamCourier), "only servers with logins are probed"
        return courier

    def _logins(self) -> list[tuple[str, Secret]]:
        logins = self._parts().settings.logins
        return [(each.username, each.password) for each in logins if each.username and each.password]

    async def _logged_in_as(self, id: str, address: Address) -> None:
        """The owner of the address is the sender: who else could log in there with it?"""
        with contextlib.suppress(SenderMissing, SenderRefused):  # changed while we looked
            await self.confirm_sender(id, address, by="upstream")

    def _look_at(self, senders: Iterable[Sender]) -> None:
        """Look at once whether their domains show what they need, unless they are many: the watch has them
        within half a minute, and takes its time."""
        domains = {s.contact.domain for s in senders if s.send_as is not Rung.DEFAULT and s.confirmed}
        if len(domains) <= LOOKS_AT_ONCE:
            for domain in sorted(domains):
                self._start(self._look(domain))

    async def _look(self, domain: str) -> None:
        try:
            await self._parts().domains.look(domain)
        except Exception:  # the watch tries again
            log.exception("looking at %s: a fault of ours", domain)

    @property
    def notes(self) -> list[str]:
        """What the operator should know or do, one sentence each."""
        return [*self._sealed(), *self.accounts.notes]

    def _sealed(self) -> list[str]:
        if self._vault.no_master is not None or not (sealed := self.book.unreadable):
            return []
        names = ", ".join(sealed[:5]) + (", ..." if len(sealed) > 5 else "")
        return [
            f"the passwords of {len(sealed)} senders ({names}) are sealed with another master key: put that "
            "one back and reload, or enter them again; mail for their own servers is held until then"
        ]


def _txt(key: OurKey, domain: str) -> DnsRecord:
    return DnsRecord(type="TXT", name=key.name(domain), value=key.record)
