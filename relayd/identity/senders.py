"""The book of senders: those of the config file, and those that were added at run time.

Senders of the config are read-only here. The others live in the store; both are held to the same model and
the same checks, and both are found in the one registry that everybody reads (`core.sender.Senders`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from relayd.core import settings_senders
from relayd.core.address import Address
from relayd.core.journal import Event, EventType
from relayd.core.sender import Sender, Upstream
from relayd.core.settings import SenderSettings, Settings
from relayd.identity import drafts, shelf
from relayd.identity.drafts import Draft
from relayd.identity.sendervalues import PASSWORD, Problem, SenderRefused
from relayd.identity.shelf import CONFIRMED, LOCAL_PARTS, Known, Origin, SendersError, Shelf
from relayd.store.contract import Fact, Store
from relayd.vault import Vault

__all__ = [
    "LOCAL_PARTS",
    "Book",
    "Changed",
    "Entry",
    "Origin",
    "Problem",
    "SenderMissing",
    "SenderReadOnly",
    "SenderRefused",
    "SendersError",
    "Shelf",
]

OF_SENDER = (CONFIRMED, "confirmation", "failed_login_letter", "oauth", "shown_from")
"""Kinds of facts by sender id that are forgotten with the sender: who gets the id next starts afresh."""

AT_ONCE = 500
"""Senders that one transaction writes: others wait for it, some tens of milliseconds at most."""

TURN = 50
"""Senders that are looked at before others have a turn on the loop; a few milliseconds."""


class SenderMissing(Exception):
    """There is no sender with this id."""


class SenderReadOnly(Exception):
    """This sender stands in the config file: it is changed there, and with a reload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A sender with where it comes from. No secret is in it but in `sender.upstream`, as `Secret`."""

    sender: Sender
    settings: SenderSettings  # as given, without secrets
    origin: Origin
    confirmed_by: str | None  # "config", "vouch", "link", "code" or "upstream"; None: is not confirmed
    secrets: tuple[str, ...]  # keys that hold a secret: "upstream.password"
    unreadable: bool = False  # a secret is kept, and the master key that opens it is not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a change did. Nothing, when `keys` is empty: then no event was written either."""

    entry: Entry
    created: bool
    keys: tuple[str, ...]  # what changed, such as "address" and "upstream.password"
    warnings: tuple[Problem, ...] = ()


class Book:
    """All senders. A change is durable, with its event, when the call returns; the registry shows it then.

    `by` says who did it, for the journal: "cli", the name of a token. Whoever reads the config again holds
    `changing` from `read` to `open`, so that no change falls between them.
    """

    def __init__(self, *, store: Store, vault: Vault, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self.changing = asyncio.Lock()
        self._shelf: Shelf  # there is one after `open`

    async def read(self, settings: Settings) -> Shelf:
        """The senders of these settings and of the store. Nothing follows from it until `open`. Raises
        SendersError, StoreError."""
        return await shelf.read(settings, self._store, self._vault)

    def open(self, read: Shelf) -> None:
        """From now on these are the senders."""
        self._shelf = read

    # --- looking up

    def get(self, id: str) -> Sender | None:
        return self._shelf.senders.get(id)

    def entry(self, id: str) -> Entry | None:
        known, sender = self._shelf.known.get(id), self._shelf.senders.get(id)
        if known is None or sender is None:
            return None
        return Entry(
            sender=sender,
            settings=known.settings,
            origin=known.origin,
            confirmed_by=self._shelf.confirmed_by(id),
            secrets=(PASSWORD,) if known.has_password else (),
            unreadable=known.unreadable,
        )

    def typed(self, id: str, upstream: Mapping[str, object]) -> Upstream:
        """The sender's server as it would be with these changes, to be tried before they are saved. Nothing
        is changed. Raises SenderMissing, SenderRefused."""
        if id not in self._shelf.known:
            raise SenderMissing(id)
        new = drafts.draft(id, {"upstream": upstream}, self._shelf, self._vault, partly=True).new
        server = settings_senders.upstream(new.settings.upstream, new.settings.address)
        assert server is not None, "an upstream was given"
        return replace(server, password=new.password, sealed=new.unreadable)

    def ids(self) -> Sequence[str]:
        """All of them, sorted."""
        return sorted(self._shelf.known)

    @property
    def unreadable(self) -> Sequence[str]:
        """Senders whose password is kept and can't be read, for want of the right master key."""
        return [id for id, one in self._shelf.known.items() if one.unreadable]

    # --- changing

    async def put(self, id: str, values: Mapping[str, object], *, by: str) -> Changed:
        """Add a sender, or give it these settings in place of those it had; what isn't named, or None, has
        its default. A password that isn't named stays as long as host and username do; None takes it away. A
        voucher (`confirmed`) that isn't named stays as long as the address does.
        The same again changes nothing. Raises SenderRefused, SenderReadOnly, StoreError."""
        (changed,) = await self.put_many({id: values}, by=by)
        return changed

    async def put_many(self, many: Mapping[str, Mapping[str, object]], *, by: str) -> Sequence[Changed]:
        """As `put`, all of them or none, in few transactions: all are looked at before the first is written,
        and a crash between two leaves the first of them. Raises as `put`, with the problems of all."""
        async with self.changing:
            for id in many:
                if id in self._shelf.known:
                    self._own(id)
            return await self._write(await self._drafts(many, partly=False), by)

    async def set(self, id: str, changes: Mapping[str, object], *, by: str) -> Changed:
        """Change the settings that are named, in sections too: {"upstream": {"port": 465}}; None is the
        default. Another address is not confirmed, unless the changes say so; {"confirmed": False} takes back
        what anybody confirmed. Raises as `put`, and SenderMissing."""
        async with self.changing:
            self._own(id)
            (changed,) = await self._write(await self._drafts({id: changes}, partly=True), by)
            return changed

    async def remove(self, id: str, *, by: str) -> Entry:
        """Its default address is never given to anybody else. Raises SenderMissing, SenderReadOnly,
        StoreError."""
        async with self.changing:
            self._own(id)
            entry = self._entry(id)
            event = self._event(id, EventType.SENDER_CHANGED, {"change": "removed", "by": by})
            await self._store.remove_sender(id, [(kind, id) for kind in OF_SENDER], [event])
            self._shelf.remove(id)
            return entry

    async def confirm(self, id: str, address: Address, *, by: str) -> Entry:
        """The owner of the address (link, code, upstream) or the operator (vouch) said that the sender may
        use it. Counts as long as it is the contact address. Senders of the config too. Raises SenderMissing;
        SenderRefused when the contact address is another one by now."""
        async with self.changing:
            sender = self.get(id)
            if sender is None:
                raise SenderMissing(id)
            if sender.contact != address:
                wanted = f"the contact address, which is {sender.contact}"
                raise SenderRefused([Problem(sender=id, key="address", seen=str(address), expected=wanted)])
            if not sender.confirmed:
                fact = {"address": str(address), "by": by, "at": self._clock().isoformat()}
                event = self._event(id, EventType.CONFIRMED, {"address": str(address), "by": by})
                await self._store.remember(CONFIRMED, id, fact, [event])
                self._shelf.confirmed[id] = fact
                self._shelf.senders.put(replace(sender, confirmed=True))
            return self._entry(id)

    async def forget_elsewhere(self) -> None:
        """What was confirmed for an address that is no longer the contact address counts no more, also when
        that one comes back. In the config file it may have become another one while nobody looked. Raises
        StoreError."""
        async with self.changing:
            for id in self._shelf.elsewhere():
                await self._store.forget(CONFIRMED, id)
                del self._shelf.confirmed[id]

    def _own(self, id: str) -> Known:
        known = self._shelf.known.get(id)
        if known is None:
            raise SenderMissing(id)
        if known.origin is Origin.CONFIG:
            raise SenderReadOnly(id)
        return known

    async def _drafts(self, many: Mapping[str, Mapping[str, object]], *, partly: bool) -> list[Draft]:
        """Raises SenderRefused with the problems of all."""
        found: list[Draft] = []
        problems: list[Problem] = []
        for number, (id, values) in enumerate(many.items(), start=1):
            try:
                found.append(drafts.draft(id, values, self._shelf, self._vault, partly=partly))
            except SenderRefused as refused:
                problems += refused.problems
            if number % TURN == 0:
                await asyncio.sleep(0)
        if problems:
            raise SenderRefused(problems)
        return found

    async def _write(self, found: Sequence[Draft], by: str) -> list[Changed]:
        """Keep what changes, in transactions of AT_ONCE; the registry follows each."""
        kept = self._shelf
        assigned = kept.local_parts.assign([shelf.wish(one.id, one.new.settings) for one in found])
        if assigned.refused:
            raise drafts.refused(found, assigned.refused)
        changes = [one for one in found if one.keys]
        for start in range(0, len(changes), AT_ONCE):
            now = changes[start : start + AT_ONCE]
            ids = {one.id for one in now}
            new = {part: id for part, id in assigned.new.items() if id in ids}
            rows, events = [one.row for one in now], [self._said(one, by) for one in now]
            over = [one.id for one in now if one.unconfirmed and one.id in kept.confirmed]
            emptied = [Fact(kind=CONFIRMED, key=id, value={}) for id in over]
            await self._store.put_senders(rows, [*shelf.facts(new), *emptied], events)
            kept.local_parts.keep(new)
            for id in over:
                del kept.confirmed[id]
            for one in now:
                kept.put(one.id, one.new, assigned.parts[one.id])
        return [
            Changed(entry=self._entry(one.id), created=one.old is None, keys=one.keys, warnings=one.warnings)
            for one in found
        ]

    def _entry(self, id: str) -> Entry:
        entry = self.entry(id)
        assert entry is not None
        return entry

    def _said(self, draft: Draft, by: str) -> Event:
        change = "added" if draft.old is None else "changed"
        detail = {"change": change, "keys": ", ".join(draft.keys), "by": by}
        return self._event(draft.id, EventType.SENDER_CHANGED, detail)

    def _event(self, id: str, kind: EventType, detail: Mapping[str, str]) -> Event:
        return Event(time=self._clock(), type=kind, sender=id, detail=detail)
