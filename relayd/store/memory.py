"""A store that forgets everything when the process ends: for tests and for trying things out.

It keeps every promise of the contract but durability, in the plainest way: a lease looks at all recipients.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event
from relayd.core.mail import Dressing, Message, Parcel, Progress, Recipient
from relayd.core.reasons import Reason
from relayd.store import rows, verbs
from relayd.store.contract import (
    DressingStays,
    Fact,
    LeaseEnded,
    Receiving,
    Record,
    Room,
    Selection,
    Standing,
    StoreDamaged,
    StoredSender,
    StoreError,
    Verb,
    Watch,
)
from relayd.store.waiting import TOGETHER
from relayd.store.watching import Bell, Watchers

PATIENCE = 60.0
"""Seconds that `wait` waits at most."""


@dataclass(slots=True, eq=False)
class Mail:
    message: Message
    body: bytes | None  # None: swept


@dataclass(slots=True, eq=False)
class Row:
    """One recipient."""

    mail: Mail
    recipient: Recipient
    state: State
    held: Reason | None
    due: datetime
    wait: float = 0.0
    progress: Progress = verbs.FRESH
    leased: bool = False
    pending: verbs.Pending | None = None
    ended: datetime | None = None
    last: Event | None = None

    @property
    def address(self) -> str:
        return str(self.recipient.address)


class MemoryReceiving:
    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._over = False

    async def append(self, chunk: bytes) -> None:
        self._check()
        self._chunks.append(bytes(chunk))

    async def discard(self) -> None:
        self._over = True
        self._chunks.clear()

    def finish(self) -> bytes:
        self._check()
        self._over = True
        return b"".join(self._chunks)

    def _check(self) -> None:
        if self._over:
            raise StoreError("this body was put or discarded before")


class MemoryStore:
    """A `Store` in memory."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._mails: dict[str, Mail] = {}
        self._rows: list[Row] = []
        self._journal: list[Event] = []
        self._seq = 0
        self._facts: dict[str, dict[str, Mapping[str, str]]] = {}
        self._senders: dict[str, StoredSender] = {}
        self._leases: dict[int, list[Row]] = {}
        self._tickets = itertools.count(1)
        self._served: Counter[tuple[str, str]] = Counter()  # when a sender had its last turn at a hop
        self._turn = itertools.count(1)
        self._latest = clock()
        self._changed = Bell()
        self._written = Bell()
        self._watchers = Watchers()
        self._closed = False

    def write_at_once(self, alone: Callable[[], bool]) -> None:
        """Nothing is quicker than memory."""

    def receive(self) -> Receiving:
        return MemoryReceiving()

    def low_on_space(self, message_size: int) -> bool:
        return False

    async def put(self, message: Message, body: bytes | Receiving, events: Sequence[Event]) -> None:
        self._usable()
        content = body.finish() if isinstance(body, MemoryReceiving) else body
        assert isinstance(content, bytes)
        if message.id in self._mails:
            raise StoreError(f"message {message.id} is there already")
        if len(content) != message.submission.body_size:
            raise StoreError(f"message {message.id}: {len(content)} octets of body, not what was said")
        mail = self._mails[message.id] = Mail(message, content)
        state = State.QUEUED if message.held is None else State.HELD
        for recipient in message.recipients:
            self._rows.append(Row(mail, recipient, state, message.held, due=message.submission.received_at))
        self._write(events)
        self._saw(message.submission.received_at)
        self._watchers.put(message, events)
        self._changed.ring()

    # --- leasing

    async def lease(self, now: datetime, room: Room) -> list[Parcel]:
        self._usable()
        if now <= self._latest - verbs.STEP:
            for row in self._rows:
                row.due = min(row.due, now + timedelta(seconds=row.wait))
            self._latest = now
        self._saw(now)
        parcels: list[Parcel] = []
        taken: Counter[str] = Counter()
        while len(parcels) < room.total:
            waiting = [row for row in self._rows if row.state is State.QUEUED and not row.leased]
            ready = [
                row
                for row in waiting
                if row.due <= now and room.free(row.recipient.hop.key) > taken[row.recipient.hop.key]
            ]
            if not ready:
                break
            chosen = min(ready, key=lambda row: (self._served[self._pair(row)], row.due))
            self._served[self._pair(chosen)] = next(self._turn)
            taken[chosen.recipient.hop.key] += 1
            parcels.append(self._lease(chosen, ready))
        return parcels

    def _saw(self, time: datetime) -> None:
        self._latest = max(self._latest, time)

    def _lease(self, chosen: Row, ready: Sequence[Row]) -> Parcel:
        mine = {row.recipient.index: row for row in ready if row.mail is chosen.mail}
        groups = verbs.together((row.recipient for row in mine.values()), TOGETHER)
        group = next(group for group in groups if chosen.recipient in group)
        parcel_rows = [mine[recipient.index] for recipient in group]
        for row in parcel_rows:
            row.leased = True
        ticket = next(self._tickets)
        self._leases[ticket] = parcel_rows
        return Parcel(
            lease=ticket,
            message=replace(chosen.mail.message, held=None),
            hop=chosen.recipient.hop,
            recipients=group,
            progress={row.recipient.index: row.progress for row in parcel_rows},
            first=not self._attempted(chosen.mail),
        )

    @staticmethod
    def _pair(row: Row) -> tuple[str, str]:
        return row.recipient.hop.key, row.mail.message.sender

    def _attempted(self, mail: Mail) -> bool:
        return any(row.progress.attempts for row in self._rows if row.mail is mail)

    async def content(self, message: str) -> AsyncIterator[bytes]:
        self._usable()
        mail = self._mails.get(message)
        if mail is None:
            raise StoreError(f"there is no message {message}")
        if mail.body is None:
            raise StoreDamaged(f"the content of message {message} was cleared")
        for part in rows.body_parts(mail.body):
            yield part

    # --- settling

    async def settle(
        self,
        parcel: Parcel,
        settlements: Sequence[Settlement],
        dressing: Dressing | None = None,
        recipients: Sequence[Recipient] = (),
    ) -> None:
        self._usable()
        leased = self._leases.get(parcel.lease)
        if leased is None:
            raise LeaseEnded(f"message {parcel.message.id}: this parcel was settled before")
        named = {settlement.recipient: settlement for settlement in settlements}
        moved = set() if dressing is not None else {recipient.index for recipient in recipients}
        if not (named.keys() | moved) <= {row.recipient.index for row in leased}:
            raise StoreError(f"message {parcel.message.id}: settled recipients that the parcel doesn't carry")
        mail, now = leased[0].mail, self._clock()
        if dressing is not None:
            others = any(row.leased and row not in leased for row in self._rows if row.mail is mail)
            if others or self._attempted(mail):
                raise DressingStays(f"message {mail.message.id} is on its way in its dressing")
        self._saw(now)
        del self._leases[parcel.lease]
        outcomes = {row.address: self._settle(row, named.get(row.recipient.index), now) for row in leased}
        if dressing is not None or recipients:
            self._dress(mail, dressing, recipients)
        self._watchers.settled(
            mail.message.id,
            {address: outcome.events for address, outcome in outcomes.items()},
            [address for address, outcome in outcomes.items() if outcome.counts],
        )
        self._changed.ring()

    def _settle(self, row: Row, settlement: Settlement | None, now: datetime) -> verbs.Outcome:
        outcome = verbs.outcome(row.mail.message, row.recipient, row.progress, settlement, row.pending, now)
        row.leased, row.pending = False, None
        row.state, row.held, row.progress = outcome.state, outcome.held, outcome.progress
        row.wait, row.due = outcome.wait, now + timedelta(seconds=outcome.wait)
        row.ended = now if outcome.state not in verbs.OPEN else None
        self._write(outcome.events)
        return outcome

    def _dress(self, mail: Mail, dressing: Dressing | None, recipients: Sequence[Recipient]) -> None:
        new = {recipient.index: recipient for recipient in recipients}
        for row in self._rows:
            if row.mail is mail:
                row.recipient = new.get(row.recipient.index, row.recipient)
        mail.message = replace(
            mail.message,
            dressing=dressing or mail.message.dressing,
            recipients=tuple(new.get(r.index, r) for r in mail.message.recipients),
            held=None,
        )

    # --- waiting

    async def wait(self, now: datetime, room: Room) -> None:
        self._usable()
        seconds = PATIENCE
        for row in self._rows:
            if row.state is not State.QUEUED or row.leased:
                continue
            if row.due > now:
                seconds = min(seconds, (row.due - now).total_seconds())
            elif room.total > 0 and room.free(row.recipient.hop.key) > 0:
                return
        await self._changed.heard(seconds)

    def watch(self, message: str) -> AbstractAsyncContextManager[Watch]:
        return self._watchers.watch(message)

    @property
    def newest(self) -> int:
        return self._seq

    async def journal(self, after: int, limit: int = 1000) -> list[Event]:
        self._usable()
        return [event for event in self._journal if event.seq > after][:limit]

    async def wait_journal(self, after: int) -> None:
        while self._seq <= after:
            self._usable()
            await self._written.heard()

    # --- operators

    async def act(self, verb: Verb, selection: Selection, now: datetime, reason: Reason | None = None) -> int:
        self._usable()
        self._saw(now)
        count = 0
        for state in sorted(verbs.FROM[verb]):
            for row in self._selected(selection):
                if row.state is state and not row.leased:
                    self._act(row, verb, reason, now)
                    count += 1
        count += sum(self._remind(row, verb, reason) for row in self._selected(selection) if row.leased)
        self._changed.ring()
        return count

    def _selected(self, selection: Selection) -> list[Row]:
        return [
            row
            for row in self._rows
            if verbs.selects(
                selection,
                row.mail.message,
                row.recipient,
                row.state,
                row.held,
                row.last.time if row.last else None,
            )
        ]

    @staticmethod
    def _remind(row: Row, verb: Verb, reason: Reason | None) -> bool:
        if verb in verbs.DELAYED:
            row.pending = (verb, reason)
            return True
        if verb is Verb.RELEASE and row.pending is not None and row.pending[0] is Verb.HOLD:
            row.pending = None
        return False

    def _act(self, row: Row, verb: Verb, reason: Reason | None, now: datetime) -> None:
        held, row.state = row.held, verbs.TO[verb]
        row.held = reason if row.state is State.HELD else None
        row.due, row.wait = now, 0.0
        row.ended = now if row.state is State.FAILED else None
        if verb is Verb.RELEASE:
            row.progress = replace(row.progress, released=True)
        event = verbs.acted_on(row.mail.message, row.recipient, verb, reason, now, held)
        self._write([event])
        if verb in verbs.DELAYED:
            self._watchers.acted([event])

    async def find(self, selection: Selection, limit: int = 100) -> list[Record]:
        self._usable()
        found = {row.mail.message.id: row.mail for row in self._selected(selection)}
        return [
            Record(message=self._for_people(mail), standings=self._standings(mail))
            for _, mail in sorted(found.items(), reverse=True)[:limit]
        ]

    @staticmethod
    def _for_people(mail: Mail) -> Message:
        if mail.body is not None:
            return mail.message
        return replace(
            mail.message,
            submission=replace(mail.message.submission, header=b""),
            dressing=replace(mail.message.dressing, header=b""),
        )

    def _standings(self, mail: Mail) -> tuple[Standing, ...]:
        return tuple(
            Standing(
                recipient=row.recipient,
                state=row.state,
                held=row.held,
                attempts=row.progress.attempts,
                due_at=row.due if row.state is State.QUEUED else None,
                last=row.last,
            )
            for row in self._rows
            if row.mail is mail
        )

    async def count(self) -> Mapping[State, int]:
        self._usable()
        found = Counter(row.state for row in self._rows)
        return {state: found[state] for state in State}

    async def held(self) -> Mapping[tuple[str, Reason], int]:
        self._usable()
        rows_held = [(row.mail.message.sender, row.held) for row in self._rows if row.state is State.HELD]
        return Counter((sender, held) for sender, held in rows_held if held is not None)

    async def dressed_with(self, octets: bytes) -> int:
        self._usable()
        open_mail = [row.mail for row in self._rows if row.state in (State.QUEUED, State.HELD)]
        return len({mail.message.id for mail in open_mail if octets in mail.message.dressing.header})

    # --- facts, senders and notes

    async def note(self, events: Sequence[Event]) -> None:
        self._usable()
        self._write(events)

    async def remember(
        self, kind: str, key: str, value: Mapping[str, str], events: Sequence[Event] = ()
    ) -> None:
        self._usable()
        self._facts.setdefault(kind, {})[key] = json.loads(json.dumps(dict(value)))
        self._write(events)

    async def forget(self, kind: str, key: str, events: Sequence[Event] = ()) -> None:
        self._usable()
        self._facts.get(kind, {}).pop(key, None)
        self._write(events)

    async def recall(self, kind: str) -> Mapping[str, Mapping[str, str]]:
        self._usable()
        return dict(sorted(self._facts.get(kind, {}).items()))

    async def senders(self) -> list[StoredSender]:
        self._usable()
        return [self._senders[id] for id in sorted(self._senders)]

    async def put_senders(
        self, many: Sequence[StoredSender], facts: Sequence[Fact] = (), events: Sequence[Event] = ()
    ) -> None:
        self._usable()
        for one in many:
            copy = json.loads(json.dumps({"settings": dict(one.settings), "sealed": dict(one.sealed)}))
            self._senders[one.id] = StoredSender(id=one.id, **copy)
        for fact in facts:
            await self.remember(fact.kind, fact.key, fact.value)
        self._write(events)

    async def remove_sender(
        self, id: str, forget: Sequence[tuple[str, str]] = (), events: Sequence[Event] = ()
    ) -> None:
        self._usable()
        self._senders.pop(id, None)
        for kind, key in forget:
            await self.forget(kind, key)
        self._write(events)

    # --- keeping house

    async def sweep(self, now: datetime, content: timedelta, metadata: timedelta) -> None:
        self._usable()
        for mail in list(self._mails.values()):
            mine = [row for row in self._rows if row.mail is mail]
            ended = [row.ended for row in mine if row.ended is not None]
            if len(ended) < len(mine):
                continue
            if max(ended) <= now - content:
                mail.body = None
            if max(ended) <= now - metadata:
                mail.body = None
                del self._mails[mail.message.id]
                self._rows = [row for row in self._rows if row.mail is not mail]
        kept = [
            event
            for event in self._journal
            if event.time > now - metadata or event.message in self._mails or event.seq == self._seq
        ]
        self._journal = kept

    async def backup(self, to: Path) -> None:
        """Only the promise about existing files: there is nothing to restore from."""
        self._usable()
        with to.open("xb"):
            pass

    async def close(self) -> None:
        self._closed = True
        self._changed.ring()
        self._written.ring()
        await asyncio.sleep(0)

    def _write(self, events: Sequence[Event]) -> None:
        for event in events:
            self._seq += 1
            written = event.numbered(self._seq)
            self._journal.append(written)
            for row in self._rows:
                if row.mail.message.id == event.message and row.address == event.recipient:
                    row.last = written
        if events:
            self._written.ring()

    def _usable(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")
