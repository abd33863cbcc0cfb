"""The files and threads of the embedded store: one that writes, one that reads, and the lock."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from relayd.core.journal import Event
from relayd.store import acts, database, faults, reading, rows, sweeping
from relayd.store.contract import StoreError, StoreFull
from relayd.store.reserve import Reserve
from relayd.store.watching import Bell
from relayd.store.writer import Numbered, Rows, Transaction, Work, Writer

log = logging.getLogger("relayd.store")

RECENT: Final = 4096
"""Events kept in memory for the readers of the journal, who are rarely further behind."""

T = TypeVar("T")


class Engine:
    """Hands work to the threads. What they need to know about the queue is handed to them; they keep none."""

    def __init__(
        self,
        path: Path,
        lock: database.Lock,
        reserve: Reserve,
        writing: apsw.Connection,
        reader: apsw.Connection,
    ) -> None:
        self.path = path
        number, self.seq = reading.newest(reader)
        self.numbers = itertools.count(number + 1)
        self.written = Bell()  # the journal grew
        self.recent: deque[Event] = deque(maxlen=RECENT)
        self._lock = lock
        self._reserve = reserve
        self._writing = writing
        self._reader = reader
        self._readers = ThreadPoolExecutor(1, "store-reader")
        self._loop = asyncio.get_running_loop()
        self._writer = Writer(
            writing, path, seq=self.seq, loop=self._loop, committed=self._committed, reserve=reserve
        )
        self.closed = False

    @classmethod
    async def open(cls, state_dir: Path, clock: Callable[[], datetime]) -> tuple[Engine, reading.Found]:
        """Open the files and tell what was found in them; the writer waits for `start`."""
        path = state_dir / database.FILE
        lock, reserve, writing, reader, found = await asyncio.to_thread(_open, state_dir, clock)
        return cls(path, lock, reserve, writing, reader), found

    def start(self) -> None:
        self._writer.start()

    def write_at_once(self, alone: Callable[[], bool]) -> None:
        self._writer.alone = alone

    def not_closed(self) -> None:
        if self.closed:
            raise StoreError("the store is closed")

    def usable(self) -> None:
        """Raises StoreError when nothing may be written any more."""
        self.not_closed()
        if self._writer.broken is not None:
            raise self._writer.broken

    def write(
        self,
        step: str,
        *,
        work: Rows | None = None,
        run: Callable[[Transaction], T] | None = None,
        alone: Callable[[apsw.Connection], T] | None = None,
        size: int = 0,
        done: Callable[[Any], None] | None = None,
        failed: Callable[[], None] | None = None,
    ) -> asyncio.Future[T]:
        """Hand work to the writer, in the order of the calls. The future is done when it is on disk."""
        if self.closed:
            if failed is not None:
                failed()
            raise StoreError("the store is closed")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._writer.submit(
            Work(
                step=step, answer=answer, rows=work, run=run, alone=alone, size=size, done=done, failed=failed
            )
        )
        return answer

    async def read(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function of `reading` or `sweeping` on the reading connection."""
        self.not_closed()
        try:
            return await self._loop.run_in_executor(self._readers, function, self._reader, *arguments)
        except apsw.Error as error:
            raise faults.fault(error, self.path) from error
        except rows.UNREADABLE as error:
            raise faults.damaged(self.path, f"a row isn't as it was written: {error!r}") from error

    def _committed(self, events: list[Numbered]) -> None:
        self.recent.extend([event.numbered(seq) for seq, event in events])
        self.seq = events[-1][0]
        self.written.ring()

    async def journal(self, after: int, limit: int) -> list[Event]:
        """From memory when it reaches back far enough."""
        self.not_closed()
        if self.recent and after + 1 >= self.recent[0].seq:
            newer = max(0, self.recent[-1].seq - after)  # counted from the end, where readers are
            wanted = list(itertools.islice(reversed(self.recent), max(0, newer - limit), newer))
            wanted.reverse()
            return wanted
        return await self.read(reading.journal, after, limit)

    async def wait_journal(self, after: int) -> None:
        while self.seq <= after:
            self.usable()
            await self.written.heard()

    async def renew_reserve(self) -> None:
        await asyncio.to_thread(self._reserve.make)

    async def close(self) -> None:
        """Finish what waits to be written, then let go of the files."""
        self.closed = True
        self.written.ring()
        await self._writer.stop()
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._readers.shutdown()
        self._reader.close()
        try:
            if self._writer.broken is None:
                sweeping.truncate(self._writing)
            self._writing.close()
        except apsw.Error as error:  # what is in the WAL is safe there
            log.error("%s", faults.fault(error, self.path))
        self._lock.release()


Opened = tuple[database.Lock, Reserve, apsw.Connection, apsw.Connection, reading.Found]


def _open(state_dir: Path, clock: Callable[[], datetime]) -> Opened:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / database.FILE
    lock = database.Lock(state_dir)
    reserve = Reserve(state_dir)
    try:
        try:
            writing, reader = _connect(path, clock)
        except StoreFull:
            if not reserve.free():
                raise
            writing, reader = _connect(path, clock)
        reserve.make()
        return lock, reserve, writing, reader, reading.found(reader)
    except BaseException as error:
        lock.release()
        if isinstance(error, apsw.Error):
            raise faults.fault(error, path) from error
        raise


def _connect(path: Path, clock: Callable[[], datetime]) -> tuple[apsw.Connection, apsw.Connection]:
    try:
        writing = database.open_writer(path, database.schema())
        acts.at_start(writing, reading.newest(writing)[1], clock())
        return writing, database.open_reader(path)
    except apsw.Error as error:
        raise faults.fault(error, path) from error
