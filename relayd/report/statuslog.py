"""The status log: every event of the journal as one JSON line, in order, none missing, none twice.

The cursor is the file itself: its last whole line says how far we came. Where the file is gone (rotated
and compressed) the cursor kept in the store is asked, which may lag behind but never runs ahead.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from relayd.core import journal
from relayd.core.journal import Event
from relayd.report.logfile import LogFile
from relayd.store.contract import Store, StoreError

log = logging.getLogger("relayd.statuslog")

ROTATE_AT = 100 * 1024 * 1024
KEEP = 10
BATCH = 200  # events read at once: some 10 ms of work in the thread
PACE = 0.05  # seconds of rest after a batch: under load one write has many events
SYNC_EVERY = 1.0  # seconds; after a power loss the journal gives the rest again
TRY_AGAIN = 5.0  # seconds after a full disk

_CURSOR = ("cursor", "status_log")
# Made once: json.dumps makes one for each call that isn't at its defaults.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
# Line separators that JSON lets through and that some readers split lines at.
_SEPARATORS = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"}


class StatusLog:
    """A reader of the journal. `run` until cancelled, then `close`."""

    def __init__(
        self,
        *,
        store: Store,
        path: Path,
        rotate_at: int = ROTATE_AT,
        keep: int = KEEP,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._path = path
        self._file = LogFile(path, rotate_at=rotate_at, keep=keep)
        self._pause = pause
        self._cursor: int | None = None
        self._unsynced = False
        self._writing = asyncio.Lock()

    @property
    def cursor(self) -> int:
        """`seq` of the last event written."""
        return self._cursor or 0

    def reopen(self) -> None:
        """On SIGHUP: whoever rotates moved the file away."""
        self._file.reopen()

    async def run(self) -> None:
        """Write events as they come. A full disk is logged and waited for: the journal keeps the rest."""
        while True:
            try:
                await self.catch_up()
                await self._pause(PACE)
                await self._next()
            except (OSError, StoreError) as error:
                log.error("status log %s: %s; trying again", self._path, error)
                await self._pause(TRY_AGAIN)

    async def catch_up(self) -> None:
        """Write everything that the journal has. Raises OSError."""
        # A thread can't be cancelled: it would go on writing, and nobody would move the cursor. So whoever
        # waits may be cancelled, the writing not, and the next to write waits for it.
        await asyncio.shield(self._catch_up())

    async def _catch_up(self) -> None:
        async with self._writing:
            await self._write_new()

    async def _write_new(self) -> None:
        if self._cursor is None:
            await asyncio.to_thread(self._file.open)
            self._cursor = await self._resume()
        while events := await self._store.journal(self._cursor, BATCH):
            await asyncio.to_thread(self._file.append, _lines(events))
            self._cursor = events[-1].seq
            self._unsynced = True

    async def close(self) -> None:
        """Write what is left, and let go of the file."""
        try:
            await self.catch_up()
            await asyncio.to_thread(self._file.close)
            await self._store.remember(*_CURSOR, {"seq": str(self.cursor)})
        except (OSError, StoreError) as error:
            log.error("status log %s: %s; the rest follows after the next start", self._path, error)

    async def _next(self) -> None:
        """Wait for an event; put what is written on disk meanwhile."""
        waiting = asyncio.ensure_future(self._store.wait_journal(self.cursor))
        try:
            done, _ = await asyncio.wait({waiting}, timeout=SYNC_EVERY if self._unsynced else None)
            if not done:
                await asyncio.to_thread(self._file.sync)
                self._unsynced = False
            await waiting
        finally:
            waiting.cancel()

    async def _resume(self) -> int:
        """The seq of the newest event that is in the file and in the journal alike.

        After a store was put back from a backup the file is ahead of the journal: then we go back to where
        they agree, because numbers will be used again for other events.
        """
        kept = int((await self._store.recall(_CURSOR[0])).get(_CURSOR[1], {}).get("seq", "0"))
        ahead = False
        for line in await asyncio.to_thread(lambda: list(self._file.newest_lines())):
            seq = line.get("seq")
            if not isinstance(seq, int) or seq < 1:
                continue
            found = await self._store.journal(seq - 1, 1)
            if found and found[0].seq == seq and json.loads(_line(found[0])).get("id") == line.get("id"):
                if ahead:
                    log.warning("status log %s: ahead of the store, which was put back", self._path)
                return seq if ahead else max(seq, kept)
            ahead = True
        return kept


def _lines(events: Sequence[Event]) -> list[str]:
    return [_line(event) for event in events]


def _line(event: Event) -> str:
    text = _encode(journal.as_dict(event))
    for separator, escape in _SEPARATORS.items():
        text = text.replace(separator, escape)
    return text + "\n"
