"""A large body on its way in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from relayd.store import rows, sweeping
from relayd.store.contract import CHUNK, StoreError
from relayd.store.writer import Rows


class SqliteReceiving:
    """Rows of `content` under a number of its own; a row of `receiving` says that they may be dropped.

    What comes in small pieces is gathered up to CHUNK, so that rows stay few.
    """

    def __init__(self, n: int, write: Callable[..., asyncio.Future[Any]]) -> None:
        self.n = n
        self._write = write
        self._waiting = bytearray()
        self._part = rows.BODY
        self._size = 0
        self._over = False

    async def append(self, chunk: bytes) -> None:
        """Raises StoreError when the body was put or discarded, and what a write raises."""
        self._open()
        self._waiting += chunk
        while len(self._waiting) >= CHUNK:
            piece = bytes(self._waiting[: rows.PART])
            del self._waiting[: rows.PART]
            await self._write("chunk", work=self._rows(piece, Rows()), size=len(piece))

    async def discard(self) -> None:
        """Drop what came so far. Nothing to do after `put`."""
        if self._over:
            return
        self._over = True
        if self._part > rows.BODY:
            await self._write("chunk", run=lambda t: sweeping.drop_received(t, [self.n]))

    def finish(self, work: Rows) -> int:
        """For `put`: add what is left to its rows. Returns the octets of the whole body."""
        self._open()
        if self._part > rows.BODY:
            work.put.append((self.n,))
        if self._waiting:
            work.content.append(rows.content_row(self.n, self._part, bytes(self._waiting)))
            self._size += len(self._waiting)
        self._over = True
        return self._size

    def _rows(self, piece: bytes, work: Rows) -> Rows:
        if self._part == rows.BODY:
            work.receiving.append((self.n,))
        work.content.append(rows.content_row(self.n, self._part, piece))
        self._part += 1
        self._size += len(piece)
        return work

    def _open(self) -> None:
        if self._over:
            raise StoreError("this body was put or discarded before")
