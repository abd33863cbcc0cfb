"""The embedded store: SQLite in WAL mode, one thread that writes, one that reads, and what waits in memory.

Three places know about a recipient that waits. The database always does. `Ready` holds those in memory: just
put ones ("hot": due is NULL in the database, so a query doesn't see them) and staged ones, read ahead of
their turn ("cold": still due in the database, so they are remembered as claimed). `Agenda` knows when the
next of the others falls due. Everything in memory belongs to the event loop; the threads see only what they
are handed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import weakref
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import apsw

from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event
from relayd.core.mail import Dressing, Message, Parcel, Recipient
from relayd.core.reasons import Reason
from relayd.store import acts, backups, database, faults, reading, rows, sweeping, verbs
from relayd.store.contract import (
    DressingStays,
    LeaseEnded,
    Receiving,
    Record,
    Room,
    Selection,
    StoreError,
    Verb,
    Watch,
)
from relayd.store.receiving import SqliteReceiving
from relayd.store.waiting import TOGETHER, Agenda, Item, Kept, Pair, Ready
from relayd.store.watching import Bell, Watchers
from relayd.store.writer import Numbered, Rows, Transaction, Work, Writer, write

log = logging.getLogger("relayd.store")

HOT: Final = 64 * 1024 * 1024
"""Octets of messages kept in memory between put and settled."""

RECENT: Final = 4096
"""Events kept in memory for the readers of the journal, who are rarely further behind."""

PATIENCE: Final = 60.0
"""Seconds `wait` waits at most, so that a clock that jumps forward is noticed."""

EVICT: Final = 256
"""Recipients moved out of memory at once when it is full."""

P = ParamSpec("P")
T = TypeVar("T")


def _now() -> datetime:
    return datetime.now(UTC)


class SqliteStore:
    """A `Store` in one file, `relayd.db` in the state directory."""

    def __init__(
        self,
        path: Path,
        lock: database.Lock,
        writing: apsw.Connection,
        reader: apsw.Connection,
        *,
        clock: Callable[[], datetime],
        hot: int,
    ) -> None:
        self._path = path
        self._lock = lock
        self._writing = writing
        self._reader = reader
        self._clock = clock
        self._bound = hot
        self._readers = ThreadPoolExecutor(1, "store-reader")
        self._loop = asyncio.get_running_loop()
        number, self._seq = reading.newest(reader)
        self._numbers = itertools.count(number + 1)
        self._counts = reading.counts(reader)
        self._writer = Writer(writing, path, seq=self._seq, loop=self._loop, committed=self._committed)
        self._recent: deque[Numbered] = deque(maxlen=RECENT)
        self._changed = Bell()
        self._written = Bell()
        self._watchers = Watchers()
        self._receiving: weakref.WeakSet[SqliteReceiving] = weakref.WeakSet()

        self._staging = asyncio.Lock()  # held while rows become items, and by what changes waiting rows
        self._ready = Ready()
        self._agenda = Agenda()
        self._kept: dict[int, Kept] = {}
        self._by_id: dict[str, Kept] = {}
        self._hot = 0  # octets
        self._claimed: dict[Pair, set[int]] = {}
        self._staged: Counter[Pair] = Counter()  # cold items in Ready
        self._leases: dict[int, Item] = {}
        self._tickets = itertools.count(1)
        self._pending: dict[int, verbs.Pending] = {}
        self._latest = 0  # the latest time a lease was asked for
        self._closed = False
        for pair, due in reading.pairs(reader).items():
            self._agenda.note(pair, due)
        self._writer.start()

    @classmethod
    async def open(
        cls, state_dir: Path, *, clock: Callable[[], datetime] = _now, hot: int = HOT
    ) -> SqliteStore:
        """Open the store in `state_dir`, made when missing. Leases of the last process are void.

        Raises StoreBusy (another process has it), StoreDamaged, StoreError (a newer schema, an unusable file
        system).
        """
        path = state_dir / database.FILE
        lock, writing, reader = await asyncio.to_thread(_open, state_dir, clock)
        try:
            return cls(path, lock, writing, reader, clock=clock, hot=hot)
        except apsw.Error as error:
            lock.release()
            raise faults.fault(error, path) from error

    # --- putting

    def receive(self) -> Receiving:
        receiving = SqliteReceiving(next(self._numbers), self._write)
        self._receiving.add(receiving)
        return receiving

    async def put(self, message: Message, body: bytes | Receiving, events: Sequence[Event]) -> None:
        work = Rows()
        if isinstance(body, SqliteReceiving):
            n, size, small = body.n, body.finish(work), None
        else:
            assert isinstance(body, bytes)
            n, size, small = next(self._numbers), len(body), body
            work.content = [
                rows.content_row(n, rows.BODY + part, data) for part, data in enumerate(rows.body_parts(body))
            ]
        if size != message.submission.body_size:
            raise StoreError(
                f"message {message.id}: {size} octets of body, {message.submission.body_size} said"
            )
        work.messages.append(rows.message_row(n, message))
        work.content.append(rows.content_row(n, rows.SUBMITTED, message.submission.header))
        work.content.append(rows.content_row(n, rows.DRESSED, message.dressing.header))
        work.events = [(n, event) for event in events]

        weight = len(message.submission.header) + len(message.dressing.header) + (len(small) if small else 0)
        hot = message.held is None and self._make_room(message, weight)
        work.recipients = _recipient_rows(n, message, events, hot)
        if hot:
            self._hot += weight

        def done(_: Any) -> None:
            self._counts[rows.NUMBER[_state(message)]] += len(message.recipients)
            if hot:
                self._push_hot(Kept(n=n, message=message, body=small, size=weight))
            elif message.held is None:
                due = rows.stamp(message.submission.received_at)
                for recipient in message.recipients:
                    self._agenda.note((recipient.hop.key, message.sender), due)
            self._watchers.put(message, events)
            self._changed.ring()

        def failed() -> None:
            if hot:
                self._hot -= weight

        await self._write("put", rows=work, size=size + weight, done=done, failed=failed)

    def _make_room(self, message: Message, weight: int) -> bool:
        """Whether a message of `weight` octets may be hot. When memory is full, the hop with most waiting
        gives way, so that a dead one doesn't push all others out."""
        if self._hot + weight <= self._bound:
            return True
        fullest = max(self._ready.hops(), key=self._ready.waiting, default=None)
        if fullest is not None and all(r.hop.key != fullest for r in message.recipients):
            self._evict(self._ready.withdraw_newest(fullest, EVICT))
        return False

    def _push_hot(self, kept: Kept) -> None:
        self._keep(kept)
        due = rows.stamp(kept.message.submission.received_at)
        for group in verbs.together(kept.message.recipients, TOGETHER):
            kept.uses += 1
            self._ready.push(
                Item(
                    kept=kept,
                    pair=(group[0].hop.key, kept.message.sender),
                    recipients=group,
                    progress=dict.fromkeys((r.index for r in group), verbs.FRESH),
                    due=due,
                    cold=False,
                )
            )

    # --- leasing

    async def lease(self, now: datetime, room: Room) -> list[Parcel]:
        self._usable()
        stamp, total = rows.stamp(now), room.total
        taken: Counter[str] = Counter()
        parcels: list[Parcel] = []
        async with self._staging:
            if stamp < self._latest:
                await self._clock_went_back(now)
            self._latest = stamp
            while total > len(parcels):
                more = await self._stage(stamp, room, taken, total - len(parcels))
                self._take(room, taken, total, parcels)
                if not more:
                    break
        return parcels

    def _take(self, room: Room, taken: Counter[str], total: int, parcels: list[Parcel]) -> None:
        """Lease what is in memory, hop by hop; within a hop, senders take turns."""
        for hop in self._ready.hops():
            most = min(room.free(hop) - taken[hop], total - len(parcels), self._ready.waiting(hop))
            for _ in range(most):
                item = self._ready.pop(hop)
                if item.cold:
                    self._staged[item.pair] -= 1
                ticket = next(self._tickets)
                self._leases[ticket] = item
                taken[hop] += 1
                parcels.append(
                    Parcel(
                        lease=ticket,
                        message=item.kept.message,
                        hop=item.recipients[0].hop,
                        recipients=item.recipients,
                        progress=item.progress,
                        first=not item.kept.attempted,
                    )
                )
            if len(parcels) >= total:
                return

    async def _stage(self, now: int, room: Room, taken: Counter[str], most: int) -> bool:
        """Read what fell due, for hops with room. False: there was nothing to read."""
        self._agenda.ripen(now)
        wants: list[reading.Want] = []
        for hop in self._agenda.ripe():
            free = min(room.free(hop) - taken[hop], most)
            if free <= 0:
                continue
            senders = [s for s in self._agenda.senders(hop, free) if not self._staged[hop, s]]
            for sender in senders:
                claimed = frozenset(self._claimed.get((hop, sender), ()))
                wants.append(reading.Want(pair=(hop, sender), most=-(-free // len(senders)), claimed=claimed))
            if len(wants) >= most:
                break
        if not wants:
            return False
        self._agenda.reading()
        staged = reading.Staged()
        try:
            staged = await self._read(reading.stage, wants, now)
        finally:
            self._agenda.read(staged.left)
        for item in staged.items:
            self._push_cold(item)
        for message, what in staged.damaged:
            log.error("%s: message %s is held, its content can't be read: %s", self._path, message, what)
            await self._act(Verb.HOLD, Selection(message=message), rows.moment(now), Reason.SERVER_ERROR)
        return True

    def _push_cold(self, item: Item) -> None:
        kept = self._kept.get(item.kept.n)
        if kept is None:
            self._keep(item.kept)
        else:
            item.kept = kept
        item.kept.uses += 1
        self._claimed.setdefault(item.pair, set()).update(self._ids(item))
        self._staged[item.pair] += 1
        self._ready.push(item)

    def content(self, message: str) -> AsyncIterator[bytes]:
        return self._content(message)

    async def _content(self, message: str) -> AsyncIterator[bytes]:
        kept = self._by_id.get(message)
        if kept is not None and kept.body is not None:
            for data in rows.body_parts(kept.body):
                yield data
            return
        if kept is not None:
            place: tuple[int, int] | None = (kept.n, kept.message.submission.body_size)
        else:
            place = await self._read(reading.place, message)
        if place is None:
            raise StoreError(f"there is no message {message}")
        n, left = place
        part = 0
        while left > 0:
            try:
                data = await self._read(reading.body_part, n, part)
            except reading.Unreadable as error:
                raise faults.damaged(self._path, f"message {message}: {error}") from error
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
        if parcel.lease not in self._leases:
            raise LeaseEnded(f"message {parcel.message.id}: this parcel was settled before")
        if dressing is None:
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
        item = self._leases.get(ticket)
        if item is None:
            raise LeaseEnded("this parcel is being settled already")
        now = self._clock()
        outcomes = self._outcomes(item, settlements, now)
        work = Rows()
        for recipient, outcome in outcomes:
            work.settled.append(_settled_row(item.kept.n, recipient, outcome, now, len(work.events)))
            work.events += [(item.kept.n, event) for event in outcome.events]
        run, withdrawn = None, []
        if dressing is not None:
            if item.kept.attempted or any(
                other is not item and other.kept is item.kept for other in self._leases.values()
            ):
                raise DressingStays(f"message {item.kept.message.id} is on its way in its dressing")
            withdrawn = self._withdraw(lambda waiting: waiting.kept is item.kept)
            run = _dress_anew(item.kept.n, work, dressing, recipients, self._parked(withdrawn))
        del self._leases[ticket]
        item.kept.attempted = item.kept.attempted or any(s.attempted for s in settlements)

        def done(_: Any) -> None:
            self._settled(item, outcomes, now)
            if dressing is not None:
                for other in withdrawn:
                    self._release(other)
                for recipient in recipients:
                    self._agenda.note((recipient.hop.key, item.kept.message.sender), 0)

        def failed() -> None:
            self._leases[ticket] = item
            self._put_back(withdrawn)

        await self._write(
            "settle", rows=None if run else work, run=run, size=256 * len(outcomes), done=done, failed=failed
        )

    def _outcomes(
        self, item: Item, settlements: Sequence[Settlement], now: datetime
    ) -> list[tuple[Recipient, verbs.Outcome]]:
        named = {settlement.recipient: settlement for settlement in settlements}
        if not named.keys() <= item.progress.keys():
            raise StoreError(
                f"message {item.kept.message.id}: settled recipients that the parcel doesn't carry"
            )
        return [
            (
                recipient,
                verbs.outcome(
                    item.kept.message,
                    recipient,
                    item.progress[recipient.index],
                    named.get(recipient.index),
                    self._pending.get((item.kept.n << rows.SHIFT) | recipient.index),
                    now,
                ),
            )
            for recipient in item.recipients
        ]

    def _settled(
        self, item: Item, outcomes: Sequence[tuple[Recipient, verbs.Outcome]], now: datetime
    ) -> None:
        """The rows are written: follow in memory."""
        stamp = rows.stamp(now)
        self._counts[0] -= len(outcomes)
        for recipient, outcome in outcomes:
            self._counts[rows.NUMBER[outcome.state]] += 1
            self._pending.pop((item.kept.n << rows.SHIFT) | recipient.index, None)
            if outcome.state is State.QUEUED:
                self._agenda.note(item.pair, stamp + round(outcome.wait * 1_000_000))
        self._release(item)
        self._watchers.settled(
            item.kept.message.id,
            {str(r.address): outcome.events for r, outcome in outcomes},
            [str(r.address) for r, outcome in outcomes if outcome.counts],
        )
        self._changed.ring()

    # --- waiting

    async def wait(self, now: datetime, room: Room) -> None:
        self._usable()
        stamp = rows.stamp(now)
        self._agenda.ripen(stamp)
        if room.total > 0 and any(
            room.free(hop) > 0 for hops in (self._ready.hops(), self._agenda.ripe()) for hop in hops
        ):
            return
        due = self._agenda.next()
        seconds = PATIENCE if due is None else min(PATIENCE, max(0.0, (due - stamp) / 1_000_000))
        await self._changed.heard(seconds)

    def watch(self, message: str) -> AbstractAsyncContextManager[Watch]:
        return self._watchers.watch(message)

    async def journal(self, after: int, limit: int = 1000) -> list[Event]:
        self._not_closed()
        if self._recent and after + 1 >= self._recent[0][0]:
            start = max(0, after + 1 - self._recent[0][0])
            chosen = itertools.islice(self._recent, start, start + limit)
            return [replace(event, seq=seq) for seq, event in chosen]
        return await self._read(reading.journal, after, limit)

    async def wait_journal(self, after: int) -> None:
        while self._seq <= after:
            self._usable()
            await self._written.heard()

    def _committed(self, events: list[Numbered]) -> None:
        self._recent.extend(events)
        self._seq = events[-1][0]
        self._written.ring()

    # --- operators

    async def act(self, verb: Verb, selection: Selection, now: datetime, reason: Reason | None = None) -> int:
        async with self._staging:
            return await self._act(verb, selection, now, reason)

    async def _act(self, verb: Verb, selection: Selection, now: datetime, reason: Reason | None) -> int:
        """With `_staging` held: what waits in memory goes back to the database, where all are acted on."""
        queued = State.QUEUED in verbs.FROM[verb]

        def touched(item: Item) -> bool:
            return any(verbs.selects(selection, item.kept.message, r, State.QUEUED) for r in item.recipients)

        withdrawn = self._withdraw(touched) if queued else []
        await self._park(withdrawn)
        count = await self._remind(verb, selection, reason)
        after: int | None = -1
        while after is not None:
            leased = [identity for item in self._leases.values() for identity in self._ids(item)]
            acted = await self._write("act", run=_acting(verb, selection, now, reason, leased, after))
            count += len(acted.changed)
            after = acted.last
            self._acted(verb, acted, rows.stamp(now))
        return count

    def _acted(self, verb: Verb, acted: acts.Acted, now: int) -> None:
        for old, new in acted.changed:
            self._counts[rows.NUMBER[old]] -= 1
            self._counts[rows.NUMBER[new]] += 1
        for pair in acted.due:
            self._agenda.note(pair, now)
        if verb in verbs.DELAYED:
            self._watchers.acted(acted.events)
        self._changed.ring()

    async def _remind(self, verb: Verb, selection: Selection, reason: Reason | None) -> int:
        """Leased recipients: what is to happen when they are settled."""
        if verb is Verb.RETRY:
            return 0
        chosen = [
            (item.kept.n << rows.SHIFT) | recipient.index
            for item in self._leases.values()
            for recipient in item.recipients
            if verbs.selects(selection, item.kept.message, recipient, State.QUEUED)
        ]
        if verb is Verb.RELEASE:
            chosen = [i for i in chosen if i in self._pending and self._pending[i][0] is Verb.HOLD]
        if not chosen:
            return 0
        pending = (verb, reason) if verb in verbs.DELAYED else None
        before = {identity: self._pending.get(identity) for identity in chosen}

        def put(values: Mapping[int, verbs.Pending | None]) -> None:
            for identity, value in values.items():
                if value is None:
                    self._pending.pop(identity, None)
                else:
                    self._pending[identity] = value

        put(dict.fromkeys(chosen, pending))
        await self._write(
            "act",
            run=lambda transaction: acts.remind(transaction, chosen, pending),
            failed=lambda: put(before),
        )
        return len(chosen) if pending else 0

    async def find(self, selection: Selection, limit: int = 100) -> list[Record]:
        return await self._read(reading.find, selection, limit)

    async def count(self) -> Mapping[State, int]:
        return dict(zip(rows.STATES, self._counts, strict=True))

    # --- facts and notes

    async def note(self, events: Sequence[Event]) -> None:
        await self._write("note", run=lambda transaction: acts.note(transaction, events))

    async def remember(
        self, kind: str, key: str, value: Mapping[str, str], events: Sequence[Event] = ()
    ) -> None:
        await self._write("note", run=lambda t: acts.remember(t, kind, key, value, events))

    async def forget(self, kind: str, key: str, events: Sequence[Event] = ()) -> None:
        await self._write("note", run=lambda t: acts.forget(t, kind, key, events))

    async def recall(self, kind: str) -> Mapping[str, Mapping[str, str]]:
        return await self._read(reading.recall, kind)

    # --- keeping house

    async def sweep(self, now: datetime, content: timedelta, metadata: timedelta) -> None:
        await self._sweep_received()
        await self._sweep_contents(rows.stamp(now - content))
        await self._sweep_messages(rows.stamp(now - metadata))
        while await self._write("sweep", alone=lambda db: sweeping.shrink(db, 2000)):
            pass
        if not await self._write("sweep", alone=sweeping.truncate):
            log.warning("%s: a reader is in the way, the WAL is emptied at the next sweep", self._path)

    async def _sweep_received(self) -> None:
        live = {receiving.n for receiving in self._receiving}
        lost = [n for n in await self._read(sweeping.received) if n not in live]
        for n in lost:
            await self._write("sweep", run=partial(sweeping.drop_received, numbers=[n]))

    async def _sweep_contents(self, cutoff: int) -> None:
        after = 0
        while numbers := await self._read(sweeping.contents, cutoff, after):
            await self._write("sweep", run=partial(sweeping.drop_contents, numbers=numbers))
            after = numbers[-1]

    async def _sweep_messages(self, cutoff: int) -> None:
        after = 0
        while numbers := await self._read(sweeping.messages, cutoff, after):
            gone = await self._write("sweep", run=partial(sweeping.drop_messages, numbers=numbers))
            self._counts = [count - less for count, less in zip(self._counts, gone, strict=True)]
            after = numbers[-1]
        after, more = 0, True
        while more:
            last, more = await self._read(sweeping.events, cutoff, after)
            if last > after:
                await self._write(
                    "sweep", run=partial(sweeping.drop_events, after=after, last=last, cutoff=cutoff)
                )
            after = last
        oldest = await self._read(sweeping.oldest_event)
        while self._recent and self._recent[0][0] < oldest:
            self._recent.popleft()

    async def backup(self, to: Path) -> None:
        await asyncio.to_thread(backups.copy, self._path, to)

    async def close(self) -> None:
        """Finish what waits to be written, then let go of the files."""
        if self._closed:
            return
        self._closed = True
        self._changed.ring()
        self._written.ring()
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._writer.stop()
        self._readers.shutdown()
        self._reader.close()
        try:
            if self._writer.broken is None:
                sweeping.truncate(self._writing)
            self._writing.close()
        except apsw.Error as error:
            log.error("%s: %s", self._path, faults.fault(error, self._path))
        self._lock.release()

    # --- in memory

    def _keep(self, kept: Kept) -> None:
        self._kept[kept.n] = kept
        self._by_id[kept.message.id] = kept

    def _release(self, item: Item) -> None:
        """An item is no longer in memory."""
        kept = item.kept
        if item.cold:
            claimed = self._claimed[item.pair]
            claimed.difference_update(self._ids(item))
            if not claimed:
                del self._claimed[item.pair]
        kept.uses -= 1
        if not kept.uses:
            del self._kept[kept.n]
            del self._by_id[kept.message.id]
            self._hot -= kept.size

    @staticmethod
    def _ids(item: Item) -> Iterable[int]:
        return [(item.kept.n << rows.SHIFT) | recipient.index for recipient in item.recipients]

    def _withdraw(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Take waiting items out of reach of a lease. They go on by `_release` or `_put_back`."""
        withdrawn = self._ready.withdraw(wanted)
        for item in withdrawn:
            if item.cold:
                self._staged[item.pair] -= 1
        return withdrawn

    def _put_back(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.cold:
                self._staged[item.pair] += 1
            self._ready.push(item)
        self._changed.ring()

    def _parked(self, items: Iterable[Item]) -> list[tuple[int, int]]:
        """The due times that hot items have to be given in the database."""
        return [(identity, item.due) for item in items if not item.cold for identity in self._ids(item)]

    def _park(self, items: Sequence[Item]) -> asyncio.Future[Any]:
        """Move waiting items from memory to the database."""
        parked = self._parked(items)

        def done(_: Any) -> None:
            for item in items:
                self._release(item)
                self._agenda.note(item.pair, item.due)
            self._changed.ring()

        return self._write(
            "act",
            run=lambda transaction: acts.park(transaction, parked),
            done=done,
            failed=lambda: self._put_back(items),
        )

    def _evict(self, items: Sequence[Item]) -> None:
        if items:
            self._park(items)

    async def _clock_went_back(self, now: datetime) -> None:
        """Waiting times are planned in seconds: what was set by the clock as it was then is set anew."""
        await self._write("act", run=lambda transaction: acts.clamp(transaction, now))
        found = await self._read(reading.pairs)
        for pair, due in found.items():
            self._agenda.note(pair, due)

    # --- threads

    def _not_closed(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _usable(self) -> None:
        self._not_closed()
        if self._writer.broken is not None:
            raise self._writer.broken

    def _write(
        self,
        step: str,
        *,
        rows: Rows | None = None,
        run: Callable[[Transaction], T] | None = None,
        alone: Callable[[apsw.Connection], T] | None = None,
        size: int = 0,
        done: Callable[[Any], None] | None = None,
        failed: Callable[[], None] | None = None,
    ) -> asyncio.Future[T]:
        """Hand work to the writer, in the order of the calls. The future is done when it is on disk."""
        if self._closed:
            if failed is not None:
                failed()
            raise StoreError("the store is closed")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._writer.submit(
            Work(
                step=step, answer=answer, rows=rows, run=run, alone=alone, size=size, done=done, failed=failed
            )
        )
        return answer

    async def _read(self, function: Callable[..., T], *arguments: Any) -> T:
        self._not_closed()
        try:
            return await self._loop.run_in_executor(self._readers, function, self._reader, *arguments)
        except apsw.Error as error:
            raise faults.fault(error, self._path) from error


def _open(
    state_dir: Path, clock: Callable[[], datetime]
) -> tuple[database.Lock, apsw.Connection, apsw.Connection]:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / database.FILE
    lock = database.Lock(state_dir)
    try:
        writing = database.open_writer(path, database.schema())
        acts.at_start(writing, reading.newest(writing)[1], clock())
        return lock, writing, database.open_reader(path)
    except BaseException as error:
        lock.release()
        if isinstance(error, apsw.Error):
            raise faults.fault(error, path) from error
        raise


def _state(message: Message) -> State:
    return State.QUEUED if message.held is None else State.HELD


def _recipient_rows(
    n: int, message: Message, events: Sequence[Event], hot: bool
) -> list[tuple[tuple[Any, ...], int | None]]:
    last = {event.recipient: index for index, event in enumerate(events)}
    queued = message.held is None
    due = rows.stamp(message.submission.received_at) if queued and not hot else None
    state = rows.NUMBER[_state(message)]
    written = []
    for recipient in message.recipients:
        address = str(recipient.address)
        row = (
            (n << rows.SHIFT) | recipient.index,
            recipient.hop.key,
            message.sender,
            address,
            recipient.return_path,
            state,
            due,
            message.held,
        )
        written.append((row, last.get(address)))
    return written


def _settled_row(
    n: int, recipient: Recipient, outcome: verbs.Outcome, now: datetime, events: int
) -> tuple[tuple[Any, ...], int | None]:
    """`events`: how many this work writes before those of this recipient."""
    stamp, state, progress = rows.stamp(now), outcome.state, outcome.progress
    row = (
        (n << rows.SHIFT) | recipient.index,
        rows.NUMBER[state],
        stamp + round(outcome.wait * 1_000_000) if state is State.QUEUED else None,
        outcome.wait,
        outcome.held,
        progress.attempts,
        progress.waited,
        progress.uncertain,
        progress.warned,
        progress.released,
        stamp if state not in verbs.OPEN else None,
    )
    return row, events + len(outcome.events) - 1 if outcome.events else None


def _dress_anew(
    n: int,
    work: Rows,
    dressing: Dressing,
    recipients: Sequence[Recipient],
    parked: Sequence[tuple[int, int]],
) -> Callable[[Transaction], None]:
    def run(transaction: Transaction) -> None:
        write(transaction, [work])
        acts.park(transaction, parked)
        acts.dress(transaction, n, dressing, recipients)

    return run


def _acting(
    verb: Verb, selection: Selection, now: datetime, reason: Reason | None, leased: Sequence[int], after: int
) -> Callable[[Transaction], acts.Acted]:
    return lambda transaction: acts.act(transaction, verb, selection, now, reason, leased=leased, after=after)
