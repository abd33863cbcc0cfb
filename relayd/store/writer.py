"""Group commit.

Everything that waits (bounded in octets) is written in one transaction and answered all at once; what comes
alone commits alone, at once. A group of
nothing but rows is one statement, see `statement`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import apsw

from relayd import crashpoints
from relayd.core.journal import Event
from relayd.crashpoints import crashpoint
from relayd.store import faults, rows, statement
from relayd.store.contract import StoreError, StoreFull
from relayd.store.reserve import Reserve

GROUP: Final = 8 * 1024 * 1024
"""Octets of content after which a group is full: memory stays bounded, and nobody waits long for others."""

COMPANY: Final = 0.005
"""Seconds that results wait for a message to share their commit. Nobody waits for a result, while a client
waits for its message, which would stand behind the disk. A crash in these milliseconds is one in which the
far side had said 250 before the result was committed: that window is there anyway."""

QUICK: Final = 0.002
"""Seconds. A commit that takes less (on no disk that turns) may hold up the event loop for a lone client."""

FORGET: Final = 0.99
"""A disk that was slow is tried again: after 70 groups when the average was twice QUICK."""

CHECKPOINT: Final = 400
"""Pages in the WAL after which they are copied into the database, when all who waited have been answered.
Whoever comes next waits for the copying, so it is done in small pieces: after 4,096 pages 20 clients with
200 KB each stood still for 50 ms, which cost a tenth of their mail."""

CHECKPOINT_ALONE: Final = 4096
"""The same while a lone client is served: it would notice the two syncs of each copying more."""

ACCEPTING: Final = frozenset({"put", "chunk", "senders"})
"""Work that gets nothing of the reserve: results come first."""

Numbered = tuple[int, Event]


@dataclass(slots=True)
class Rows:
    """What one piece of work writes. `last` counts the events of this work from 0; None: no event."""

    messages: list[tuple[Any, ...]] = field(default_factory=list)
    content: list[tuple[int, int, bytes]] = field(default_factory=list)
    receiving: list[tuple[int]] = field(default_factory=list)
    put: list[tuple[int]] = field(default_factory=list)  # no longer receiving
    recipients: list[tuple[tuple[Any, ...], int | None]] = field(default_factory=list)
    settled: list[tuple[tuple[Any, ...], int | None]] = field(default_factory=list)
    events: list[tuple[int | None, Event]] = field(default_factory=list)  # message.n, event


class Transaction:
    """What a piece of work that needs more than rows gets: the connection, and numbers for its events."""

    def __init__(self, db: apsw.Connection, seq: int) -> None:
        self.db = db
        self.seq = seq
        self.events: list[Numbered] = []

    def note(self, events: Sequence[tuple[int | None, Event]]) -> None:
        self.write([Rows(events=list(events))])

    def write(self, works: Iterable[Rows]) -> None:
        made, events = rows_of(works, self.seq)
        statement.write(self.db, made)
        self.events += events
        self.seq += len(events)


@dataclass(slots=True, eq=False)
class Work:
    """Something to write: rows, or a function. `done` and `failed` run on the event loop, even when nobody
    waits for the answer any more."""

    step: str  # the crash point: put, chunk, settle, act, note, senders, sweep
    answer: asyncio.Future[Any]
    rows: Rows | None = None
    run: Callable[[Transaction], Any] | None = None
    alone: Callable[[apsw.Connection], Any] | None = None  # outside any transaction
    size: int = 0
    done: Callable[[Any], None] | None = None
    failed: Callable[[], None] | None = None
    result: Any = None
    error: StoreError | None = None


class Writer:
    """Owns the writing connection from `start` to `stop`. Groups are made on the event loop and written by a
    thread: while it writes, the next group gathers."""

    def __init__(
        self,
        db: apsw.Connection,
        path: Path,
        *,
        seq: int,
        loop: asyncio.AbstractEventLoop,
        committed: Callable[[list[Numbered]], None],
        reserve: Reserve,
    ) -> None:
        self._db = db
        self._path = path
        self._seq = seq
        self._loop = loop
        self._committed = committed
        self._reserve = reserve
        self.alone: Callable[[], bool] = lambda: False
        self._waiting: deque[Work] = deque()
        self._urgent = False  # somebody waits for something that waits
        self._patience: asyncio.TimerHandle | None = None
        self._busy = True  # somebody has the connection: nobody before `start`
        self._idle = asyncio.Event()
        self._here = 0.0  # seconds that a commit takes on the event loop, a moving average
        self._groups: SimpleQueue[list[Work] | None] = SimpleQueue()  # for the thread
        self._pages = 0  # in the WAL
        self.broken: StoreError | None = None
        self._thread = threading.Thread(target=self._main, name="store-writer", daemon=True)

    # --- on the event loop

    def start(self) -> None:
        self._thread.start()
        self._free()

    def submit(self, work: Work) -> None:
        self._waiting.append(work)
        self._urgent = self._urgent or work.step != "settle"
        if not self._busy:
            self._go_on()

    async def stop(self) -> None:
        """Finish what waits, then end."""
        self._urgent = True
        if not self._busy and self._waiting:
            self._next()
        await self._idle.wait()
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)

    def _go_on(self) -> None:
        """Results alone wait a little for company."""
        if self._urgent:
            self._next()
        elif self._waiting and self._patience is None:
            self._patience = self._loop.call_later(COMPANY, self._lose_patience)

    def _lose_patience(self) -> None:
        self._patience = None
        if not self._busy and self._waiting:
            self._next()

    def _next(self) -> None:
        """Write what waits. For a lone client it is done here: to wake the thread and to be woken by it takes
        as long as a quick disk does, and there is nobody else to keep waiting."""
        group = self._gather()
        self._busy = True
        self._idle.clear()
        alone = group[0].alone is None and self.alone()
        if alone and self._here < QUICK:
            begun = time.monotonic()
            events = self._written(group)
            self._here += (time.monotonic() - begun - self._here) / 10
            self._answer(group, events)
            if self._pages >= CHECKPOINT_ALONE:
                self._groups.put([])
            else:
                self._free()
        else:
            if alone:
                self._here *= FORGET
            self._groups.put(group)

    def _gather(self) -> list[Work]:
        """Everything that waits, up to GROUP octets; what has to run alone is a group by itself."""
        group = [self._waiting.popleft()]
        size = group[0].size
        while self._waiting and size < GROUP and group[0].alone is None and self._waiting[0].alone is None:
            work = self._waiting.popleft()
            group.append(work)
            size += work.size
        self._urgent = bool(self._waiting)
        if self._patience is not None:
            self._patience.cancel()  # those it was for have their company
            self._patience = None
        return group

    def _free(self) -> None:
        """The connection is free again."""
        self._busy = False
        if self._waiting:
            self._go_on()
        if not self._busy and not self._waiting:
            self._idle.set()

    def _answer_and_free(self, group: list[Work], events: list[Numbered]) -> None:
        self._answer(group, events)
        self._free()

    def _answer(self, group: list[Work], events: list[Numbered]) -> None:
        if events:
            self._committed(events)
        for work in group:
            error: Exception | None = work.error
            try:
                if error is None and work.done is not None:
                    work.done(work.result)
                elif error is not None and work.failed is not None:
                    work.failed()
            except Exception as own:  # a fault of ours; the others are to have their answers all the same
                error = own
            if work.answer.done():
                continue
            if error is None:
                work.answer.set_result(work.result)
            else:
                work.answer.set_exception(error)
                work.answer.exception()  # the one who asked may be gone; then it is no surprise

    # --- the thread

    def _main(self) -> None:
        while (group := self._groups.get()) is not None:
            events = self._written(group) if group else []
            grown = self._pages >= CHECKPOINT
            try:
                self._loop.call_soon_threadsafe(
                    self._answer if grown else self._answer_and_free, group, events
                )
                if grown:  # when all who waited have been answered
                    self._checkpoint()
                    self._loop.call_soon_threadsafe(self._free)
            except RuntimeError:  # the loop is closed: nobody is left to be answered
                return

    # --- wherever the group is written

    def _written(self, group: list[Work]) -> list[Numbered]:
        if group[0].alone is not None:
            self._run_alone(group[0])
            return []
        try:
            return self._commit(group)
        except Exception as error:
            return self._one_by_one(group, error)

    def _commit(self, group: list[Work]) -> list[Numbered]:
        if self.broken is not None:
            raise self.broken
        transaction = Transaction(self._db, self._seq)
        plain = [work.rows for work in group if work.rows is not None]
        made, events = rows_of(plain, self._seq) if len(plain) == len(group) else ([], [])
        if 0 < len(made) <= statement.MOST:
            self._at_commit(group)
            statement.write(self._db, made)
            transaction.seq += len(events)
            transaction.events = events
        else:
            self._run(group, transaction)
        for work in group:
            crashpoint(work.step + ".after_commit")
        self._seq = transaction.seq
        self._pages += self._db.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, True)[0]
        return transaction.events

    def _run(self, group: list[Work], transaction: Transaction) -> None:
        """In the order of the calls."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            for work in group:
                if work.rows is not None:
                    transaction.write([work.rows])
                else:
                    assert work.run is not None
                    work.result = work.run(transaction)
            self._at_commit(group)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _at_commit(self, group: list[Work]) -> None:
        """Where the process may be told to die: when everything is written, and nothing committed."""
        if not crashpoints.wanted():
            return

        def pass_by() -> bool:
            for work in group:
                crashpoint(work.step + ".before_commit")
            return False

        self._db.set_commit_hook(pass_by)

    def _one_by_one(self, group: list[Work], error: Exception) -> list[Numbered]:
        """The group failed: find out whose fault it was, so that nobody pays for another."""
        events: list[Numbered] = []
        for work in group:
            found = error
            if len(group) > 1 and self.broken is None and not faults.breaks(error):
                try:
                    events += self._commit([work])
                    continue
                except Exception as own:
                    found = own
            if (
                work.step not in ACCEPTING
                and isinstance(self._fault(found), StoreFull)
                and self._reserve.free()
            ):
                try:
                    events += self._commit([work])
                    continue
                except Exception as own:
                    found = own
            work.error = self._fault(found)
        return events

    def _run_alone(self, work: Work) -> None:
        assert work.alone is not None
        try:
            if self.broken is not None:
                raise self.broken
            work.result = work.alone(self._db)
        except Exception as error:
            work.error = self._fault(error)

    def _fault(self, error: Exception) -> StoreError:
        found = faults.fault(error, self._path, self._db.system_errno)
        if faults.breaks(error) and self.broken is None:
            self.broken = StoreError(
                f"{self._path}: the disk failed to keep what was written ({error}). Nothing more is accepted "
                f"or sent until relayd is started again; look into the kernel's log and check the disk first"
            )
            return self.broken
        return found

    def _checkpoint(self) -> None:
        """Copy the WAL into the database. What a reader is in the way of is copied the next time."""
        self._pages = 0
        try:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            self._fault(error)  # latches where it must; else what is in the WAL is safe there


def rows_of(works: Iterable[Rows], seq: int) -> tuple[list[statement.Row], list[Numbered]]:
    """The rows of many pieces of work, and their events numbered from `seq` on."""
    made: list[statement.Row] = []
    numbered: list[Numbered] = []
    for work in works:
        first = seq + len(numbered) + 1
        made += statement.all_of(statement.RECEIVING, work.receiving)
        made += statement.all_of(statement.MESSAGE, work.messages)
        made += statement.all_of(statement.CONTENT, work.content)
        for kind, changed in ((statement.RECIPIENT, work.recipients), (statement.SETTLED, work.settled)):
            made += [
                statement.row(kind, (*row, None if last is None else first + last)) for row, last in changed
            ]
        made += statement.all_of(statement.PUT, work.put)
        made += [_event_row(number, *each) for number, each in enumerate(work.events, first)]
        numbered += [(number, event) for number, (_, event) in enumerate(work.events, first)]
    return made, numbered


def _event_row(seq: int, n: int | None, event: Event) -> statement.Row:
    return statement.row(statement.EVENT, (seq, n, rows.stamp(event.time), rows.event_facts(event)))
