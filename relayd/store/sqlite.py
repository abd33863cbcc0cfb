"""The embedded store: SQLite in WAL mode, one thread that writes, one that reads, and what waits in memory.

`engine` has the files and the threads, `queue` what is in memory; this file says what happens in which order:
durable first, then in memory (in `done`, on the event loop), then the answer.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event
from relayd.core.mail import Dressing, Message, Parcel, Recipient
from relayd.core.reasons import Reason
from relayd.store import acts, backups, faults, housekeeping, reading, rows, senders, settling, verbs
from relayd.store.contract import (
    DressingStays,
    Fact,
    LeaseEnded,
    Receiving,
    Record,
    Room,
    Selection,
    StoredSender,
    StoreError,
    Verb,
    Watch,
)
from relayd.store.engine import Engine
from relayd.store.queue import Queue, ids
from relayd.store.receiving import SqliteReceiving
from relayd.store.space import Space
from relayd.store.waiting import Item, Kept
from relayd.store.watching import Bell, Watchers
from relayd.store.writer import Rows

log = logging.getLogger("relayd.store")

HOT: Final = 64 * 1024 * 1024
"""Octets of messages kept in memory between put and settled."""

PATIENCE: Final = 60.0
"""Seconds `wait` waits at most, so that a clock that jumps forward is noticed."""


def _now() -> datetime:
    return datetime.now(UTC)


class SqliteStore:
    """A `Store` in one file, `relayd.db` in the state directory. Made by `open`."""

    def __init__(
        self, engine: Engine, found: reading.Found, *, clock: Callable[[], datetime], hot: int
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._counts = list(found.counts)
        self._queue = Queue(hot)
        self._space = Space(engine.path.parent)
        self._staging = asyncio.Lock()  # held while rows become items, and by what changes waiting rows
        self._changed = Bell()  # a lease may find something
        self._watchers = Watchers()
        self._receiving: weakref.WeakSet[SqliteReceiving] = weakref.WeakSet()
        self._latest = rows.stamp(clock())  # of all times seen: a clock that goes back is noticed
        for pair, due in found.pairs.items():
            self._queue.agenda.note(pair, due)
        engine.start()

    @classmethod
    async def open(
        cls, state_dir: Path, *, clock: Callable[[], datetime] = _now, hot: int = HOT
    ) -> SqliteStore:
        """Open the store in `state_dir`, made when missing. Leases of the last process are void.

        Raises StoreBusy (another process has it), StoreDamaged, StoreFull, StoreError (a newer schema, an
        unusable file system).
        """
        engine, found = await Engine.open(state_dir, clock)
        return cls(engine, found, clock=clock, hot=hot)

    # --- putting

    def write_at_once(self, alone: Callable[[], bool]) -> None:
        self._engine.write_at_once(alone)

    def receive(self) -> Receiving:
        receiving = SqliteReceiving(next(self._engine.numbers), self._engine.write)
        self._receiving.add(receiving)
        return receiving

    def low_on_space(self, message_size: int) -> bool:
        return self._space.low(message_size)

    async def put(self, message: Message, body: bytes | Receiving, events: Sequence[Event]) -> None:
        n = body.n if isinstance(body, SqliteReceiving) else next(self._engine.numbers)
        header, dressed = message.submission.header, message.dressing.header
        # In the order of their keys: then SQLite adds to the last page, and splits none in its middle.
        blocks = [rows.content_row(n, rows.SUBMITTED, header), rows.content_row(n, rows.DRESSED, dressed)]
        work = Rows(messages=[rows.message_row(n, message)], content=blocks)
        if isinstance(body, SqliteReceiving):
            size, small = body.finish(work), None
        else:
            assert isinstance(body, bytes)
            size, small = len(body), body
            work.content += [
                rows.content_row(n, rows.BODY + part, data) for part, data in enumerate(rows.body_parts(body))
            ]
        if size != message.submission.body_size:
            raise StoreError(
                f"message {message.id}: {size} octets of body, {message.submission.body_size} said"
            )
        work.events = [(n, event) for event in events]

        weight = len(header) + len(dressed) + (len(small) if small else 0)
        hot = message.held is None and self._make_room(message, weight)
        work.recipients = settling.recipient_rows(n, message, events, hot)

        def done(_: Any) -> None:
            self._counts[rows.NUMBER[settling.first_state(message)]] += len(message.recipients)
            if hot:
                self._queue.push_hot(Kept(n=n, message=message, body=small, size=weight))
            elif message.held is None:
                due = rows.stamp(message.submission.received_at)
                for recipient in message.recipients:
                    self._queue.agenda.note((recipient.hop.key, message.sender), due)
            self._saw(message.submission.received_at)
            self._watchers.put(message, events)
            self._changed.ring()

        def failed() -> None:
            if hot:
                self._queue.unreserve(weight)

        await self._engine.write("put", work=work, size=size + weight, done=done, failed=failed)

    def _make_room(self, message: Message, weight: int) -> bool:
        """Whether the message may be hot. What gives way moves to the database meanwhile."""
        hot, evicted = self._queue.reserve(message, weight)
        if evicted:
            self._park(evicted)
        return hot

    # --- leasing

    async def lease(self, now: datetime, room: Room) -> list[Parcel]:
        self._engine.usable()
        stamp, total = rows.stamp(now), room.total
        taken: Counter[str] = Counter()
        parcels: list[Parcel] = []
        async with self._staging:
            try:
                await self._mind_the_clock(now)
                while total > len(parcels):
                    more = await self._stage(stamp, room, taken, total - len(parcels))
                    self._queue.take(room, taken, total, parcels)
                    if not more:
                        break
            except BaseException:
                self._queue.unlease(parcels)  # nobody will settle them
                raise
        return parcels

    async def _stage(self, now: int, room: Room, taken: Counter[str], most: int) -> bool:
        """Read what fell due, for hops with room. False: there was nothing to read."""
        agenda = self._queue.agenda
        agenda.ripen(now)
        wants = self._queue.wants(room, taken, most)
        if not wants:
            return False
        agenda.reading()
        staged = reading.Staged()
        try:
            staged = await self._engine.read(reading.stage, wants, now)
        finally:
            agenda.read(staged.left)
        for item in staged.items:
            self._queue.push_cold(item)
        for message, what in staged.damaged:
            log.error("%s: message %s is held: %s", self._engine.path, message, what)
            await self._act(Verb.HOLD, Selection(message=message), rows.moment(now), Reason.SERVER_ERROR)
        return True

    async def _mind_the_clock(self, now: datetime) -> None:
        """Waiting times are planned in seconds: after a clock that was set back, nobody waits longer."""
        back = self._latest - rows.stamp(now)
        if back >= verbs.STEP.total_seconds() * 1_000_000:
            await self._engine.write("act", run=lambda transaction: acts.clamp(transaction, now))
            for pair, due in (await self._engine.read(reading.pairs)).items():
                self._queue.agenda.note(pair, due)
            self._latest = rows.stamp(now)
        self._saw(now)

    def _saw(self, time: datetime) -> None:
        self._latest = max(self._latest, rows.stamp(time))

    def content(self, message: str) -> AsyncIterator[bytes]:
        return self._content(message)

    async def _content(self, message: str) -> AsyncIterator[bytes]:
        kept = self._queue.kept(message)
        if kept is not None and kept.body is not None:
            for data in rows.body_parts(kept.body):
                yield data
            return
        if kept is not None:
            place: tuple[int, int] | None = (kept.n, kept.message.submission.body_size)
        else:
            place = await self._engine.read(reading.place, message)
        if place is None:
            raise StoreError(f"there is no message {message}")
        n, left = place
        part = 0
        while left > 0:
            try:
                data = await self._engine.read(reading.body_part, n, part)
            except reading.Unreadable as error:
                raise faults.damaged(self._engine.path, f"message {message}: {error}") from error
            left -= len(data)
            part += 1
            yield data

    # --- settling

    async def settle(
        self,
        parcel: Parcel,
        settlements: Sequence[Settlement],
        dressing: Dressing | None = None,
        recipients: Sequence[Recipient] = (),
    ) -> None:
        if self._queue.leased(parcel.lease) is None:
            raise LeaseEnded(f"message {parcel.message.id}: this parcel was settled before")
        if dressing is None and not recipients:
            await self._settle(parcel.lease, settlements, None, ())
        else:
            async with self._staging:
                await self._settle(parcel.lease, settlements, dressing, recipients)

    async def _settle(
        self,
        ticket: int,
        settlements: Sequence[Settlement],
        dressing: Dressing | None,
        recipients: Sequence[Recipient],
    ) -> None:
        item = self._queue.leased(ticket)
        if item is None:
            raise LeaseEnded("this parcel is being settled already")
        kept, now = item.kept, self._clock()
        moved = frozenset(r.index for r in recipients) if dressing is None else frozenset()
        outcomes = settling.outcomes(item, settlements, self._queue.pending, now, moved)
        work = settling.settled_rows(item, outcomes, now)
        run, withdrawn = None, []
        if dressing is not None:
            if kept.attempted or not self._queue.alone(item):
                raise DressingStays(f"message {kept.message.id} is on its way in its dressing")
            withdrawn = self._queue.withdraw(lambda waiting: waiting.kept is kept)
            run = settling.dress_anew(kept.n, work, dressing, recipients, Queue.dues(withdrawn))
        elif recipients:
            run = settling.move(kept.n, work, recipients)
        self._queue.end(ticket)
        kept.attempted = kept.attempted or any(settlement.attempted for settlement in settlements)

        def done(_: Any) -> None:
            self._settled(item, outcomes, now)
            self._queue.parked(withdrawn)
            for recipient in recipients:
                self._queue.agenda.note((recipient.hop.key, kept.message.sender), 0)
            self._changed.ring()

        def failed() -> None:
            self._queue.go_on(ticket, item)
            self._queue.put_back(withdrawn)

        rows_alone = None if run else work
        await self._engine.write(
            "settle", work=rows_alone, run=run, size=256 * len(outcomes), done=done, failed=failed
        )

    def _settled(self, item: Item, outcomes: settling.Outcomes, now: datetime) -> None:
        """The rows are written: follow in memory."""
        stamp = rows.stamp(now)
        self._saw(now)
        self._counts[0] -= len(outcomes)
        for identity, (_, outcome) in zip(ids(item), outcomes, strict=True):
            self._counts[rows.NUMBER[outcome.state]] += 1
            self._queue.pending.pop(identity, None)
            if outcome.state is State.QUEUED:
                self._queue.agenda.note(item.pair, stamp + round(outcome.wait * 1_000_000))
        self._queue.release(item)
        self._watchers.settled(
            item.kept.message.id,
            {str(r.address): outcome.events for r, outcome in outcomes},
            [str(r.address) for r, outcome in outcomes if outcome.counts],
        )

    # --- waiting

    async def wait(self, now: datetime, room: Room) -> None:
        self._engine.usable()
        stamp = rows.stamp(now)
        self._queue.agenda.ripen(stamp)
        if self._queue.leasable(room):
            return
        due = self._queue.agenda.next()
        seconds = PATIENCE if due is None else min(PATIENCE, max(0.0, (due - stamp) / 1_000_000))
        await self._changed.heard(seconds)

    def watch(self, message: str) -> AbstractAsyncContextManager[Watch]:
        return self._watchers.watch(message)

    @property
    def newest(self) -> int:
        return self._engine.seq

    async def journal(self, after: int, limit: int = 1000) -> list[Event]:
        return await self._engine.journal(after, limit)

    async def wait_journal(self, after: int) -> None:
        await self._engine.wait_journal(after)

    # --- operators

    async def act(self, verb: Verb, selection: Selection, now: datetime, reason: Reason | None = None) -> int:
        async with self._staging:
            return await self._act(verb, selection, now, reason)

    async def _act(self, verb: Verb, selection: Selection, now: datetime, reason: Reason | None) -> int:
        """With `_staging` held: what waits in memory goes back to the database, where all are acted on."""
        self._saw(now)

        whenever = replace(selection, unchanged_since=None)  # only the database knows that

        def touched(item: Item) -> bool:
            return any(verbs.selects(whenever, item.kept.message, r, State.QUEUED) for r in item.recipients)

        if State.QUEUED in verbs.FROM[verb] and (withdrawn := self._queue.withdraw(touched)):
            await self._park(withdrawn)
        count = await self._remind(verb, selection, reason)
        for state in sorted(verbs.FROM[verb]):
            after: int | None = -1
            while after is not None:
                leased = [identity for item in self._queue.leases() for identity in ids(item)]
                run = acts.acting(verb, state, selection, now, reason, leased, after)
                acted = await self._engine.write("act", run=run)
                count += len(acted.changed)
                after = acted.last
                self._acted(verb, acted, rows.stamp(now))
        return count

    def _acted(self, verb: Verb, acted: acts.Acted, now: int) -> None:
        for old, new in acted.changed:
            self._counts[rows.NUMBER[old]] -= 1
            self._counts[rows.NUMBER[new]] += 1
        for pair in acted.due:
            self._queue.agenda.note(pair, now)
        if verb in verbs.DELAYED:
            self._watchers.acted(acted.events)
        self._changed.ring()

    async def _remind(self, verb: Verb, selection: Selection, reason: Reason | None) -> int:
        """Leased recipients: what is to happen when they are settled."""
        if verb not in verbs.DELAYED and verb is not Verb.RELEASE:
            return 0
        pendings = self._queue.pending
        chosen = [
            identity
            for item in self._queue.leases()
            for identity, recipient in zip(ids(item), item.recipients, strict=True)
            if verbs.selects(selection, item.kept.message, recipient, State.QUEUED)
        ]
        if verb is Verb.RELEASE:
            chosen = [i for i in chosen if i in pendings and pendings[i][0] is Verb.HOLD]
        if not chosen:
            return 0
        pending = (verb, reason) if verb in verbs.DELAYED else None
        before = {identity: pendings.get(identity) for identity in chosen}

        def remember(values: Mapping[int, verbs.Pending | None]) -> None:
            for identity, value in values.items():
                if value is None:
                    pendings.pop(identity, None)
                else:
                    pendings[identity] = value

        remember(dict.fromkeys(chosen, pending))  # at once: a settlement may be on its heels
        await self._engine.write(
            "act",
            run=lambda transaction: acts.remind(transaction, chosen, pending),
            failed=lambda: remember(before),
        )
        return len(chosen) if pending else 0

    def _park(self, items: Sequence[Item]) -> asyncio.Future[None]:
        """Move withdrawn items from memory to the database."""
        dues = Queue.dues(items)

        def done(_: Any) -> None:
            self._queue.parked(items)
            self._changed.ring()

        def failed() -> None:
            self._queue.put_back(items)
            self._changed.ring()

        return self._engine.write(
            "act", run=lambda transaction: acts.park(transaction, dues), done=done, failed=failed
        )

    async def find(self, selection: Selection, limit: int = 100) -> list[Record]:
        return await self._engine.read(reading.find, selection, limit)

    async def count(self) -> Mapping[State, int]:
        return dict(zip(rows.STATES, self._counts, strict=True))

    async def held(self) -> Mapping[tuple[str, Reason], int]:
        return await self._engine.read(senders.held)

    async def dressed_with(self, octets: bytes) -> int:
        return await self._engine.read(reading.dressed_with, octets)

    # --- facts, senders and notes

    async def note(self, events: Sequence[Event]) -> None:
        await self._engine.write("note", run=lambda transaction: acts.note(transaction, events))

    async def remember(
        self, kind: str, key: str, value: Mapping[str, str], events: Sequence[Event] = ()
    ) -> None:
        await self._engine.write("note", run=lambda t: acts.remember(t, kind, key, value, events))

    async def forget(self, kind: str, key: str, events: Sequence[Event] = ()) -> None:
        await self._engine.write("note", run=lambda t: acts.forget(t, kind, key, events))

    async def recall(self, kind: str) -> Mapping[str, Mapping[str, str]]:
        return await self._engine.read(reading.recall, kind)

    async def senders(self) -> list[StoredSender]:
        return await self._engine.read(senders.every)

    async def put_senders(
        self, many: Sequence[StoredSender], facts: Sequence[Fact] = (), events: Sequence[Event] = ()
    ) -> None:
        await self._engine.write("senders", run=lambda t: senders.put(t, many, facts, events))

    async def remove_sender(
        self, id: str, forget: Sequence[tuple[str, str]] = (), events: Sequence[Event] = ()
    ) -> None:
        await self._engine.write("senders", run=lambda t: senders.remove(t, id, forget, events))

    # --- keeping house

    async def sweep(self, now: datetime, content: timedelta, metadata: timedelta) -> None:
        gone = await housekeeping.sweep(
            self._engine, now, content, metadata, lambda: {receiving.n for receiving in self._receiving}
        )
        self._counts = [count - less for count, less in zip(self._counts, gone, strict=True)]

    async def backup(self, to: Path) -> None:
        self._engine.not_closed()
        await asyncio.to_thread(backups.copy, self._engine.path, to)

    async def close(self) -> None:
        """Finish what waits to be written, then let go of the files."""
        if not self._engine.closed:
            self._changed.ring()
            await self._engine.close()
