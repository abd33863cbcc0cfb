"""One connection's octets: what is written goes out with back-pressure, what comes in is cut into replies.

aiosmtplib reads one reply for each command and drops what came along with it, so it can't pipeline. It
makes the connection (greeting, EHLO, STARTTLS, AUTH); for transactions its transport is handed to a Wire.
"""

from __future__ import annotations

import asyncio

from relayd.core import dialogue

LINE_LIMIT = 8_192
REPLY_LIMIT = 32_768
"""Octets of one reply, as in aiosmtplib. RFC 5321 section 4.5.3.1.5 asks for 512 a line."""
BUFFER_LIMIT = 131_072
"""Octets of replies nobody waits for yet: more than any honest pipelined group has."""
WRITE_BUFFER = 65_536


class Gone(Exception):
    """The far side closed the connection, or the network did."""


class NotSmtp(Exception):
    """What came is no reply."""


class Wire(asyncio.Protocol):
    """Takes over an open transport. Every method that waits raises Gone, NotSmtp or TimeoutError."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = bytearray()
        self._scanned = 0  # lines of the buffer before this one are known to belong to an unfinished reply
        self._waiter: asyncio.Future[None] | None = None  # of the one who reads
        self._room: asyncio.Future[None] | None = None  # of the one who writes
        self._paused = False
        self._ended = False
        self._flooded = False
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=WRITE_BUFFER)

    @property
    def quiet(self) -> bool:
        """Open, and nothing came that nobody asked for: fit for another transaction."""
        return not (self._ended or self._buffer or self._transport.is_closing())

    @property
    def pending(self) -> bool:
        """Whether octets came that nobody has read."""
        return bool(self._buffer)

    def write(self, data: bytes) -> None:
        if self._ended or self._transport.is_closing():
            raise Gone
        self._transport.write(data)

    async def drained(self, patience: float) -> None:
        """Wait until there is room to write on, or an answer is there. TimeoutError when not one octet left
        within `patience` seconds: however slow the line, progress counts, not the size."""
        while self._paused and not (self._ended or self._buffer):
            waiting = self._transport.get_write_buffer_size()
            self._room = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(patience):
                    await self._room
            except TimeoutError:
                if self._transport.get_write_buffer_size() >= waiting:
                    raise
            finally:
                self._room = None
        if self._ended and not self._buffer:
            raise Gone

    async def flushed(self, patience: float) -> None:
        """Wait until everything written has been handed to the network, or an answer is there."""
        if self._transport.get_write_buffer_size() == 0:
            return
        self._transport.set_write_buffer_limits(high=0)
        try:
            await self.drained(patience)
        finally:
            self._transport.set_write_buffer_limits(high=WRITE_BUFFER)

    async def reply(self, deadline: float) -> bytes:
        """The next reply, all its lines. `deadline` is in seconds, for the reply as a whole."""
        raw = self._cut()
        if raw is not None:
            return raw
        loop = asyncio.get_running_loop()
        timer = loop.call_later(deadline, self._give_up)  # a third of what asyncio.timeout costs
        try:
            while raw is None:
                if self._ended:
                    raise Gone
                self._waiter = loop.create_future()
                try:
                    await self._waiter
                finally:
                    self._waiter = None
                raw = self._cut()
        finally:
            timer.cancel()
        return raw

    def _give_up(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def close(self, farewell: bytes = b"") -> None:
        """Say the last words without waiting for an answer, and close."""
        if farewell and not self._ended and not self._transport.is_closing():
            self._transport.write(farewell)
        self._transport.close()

    def abort(self) -> None:
        """Close at once; what was not sent yet never is."""
        self._transport.abort()

    def _cut(self) -> bytes | None:
        """Take the first whole reply out of the buffer."""
        start = self._scanned
        while True:
            end = self._buffer.find(b"\n", start)
            if end < 0:
                if self._flooded or len(self._buffer) > REPLY_LIMIT or len(self._buffer) - start > LINE_LIMIT:
                    raise NotSmtp
                self._scanned = start
                return None
            whole = dialogue.complete(self._buffer[start : end + 1])
            if whole is None or end >= REPLY_LIMIT or end - start >= LINE_LIMIT:
                raise NotSmtp
            start = end + 1
            if whole:
                raw = bytes(self._buffer[:start])
                del self._buffer[:start]
                self._scanned = 0
                return raw

    # What the transport calls.

    def data_received(self, data: bytes) -> None:
        if len(self._buffer) + len(data) > BUFFER_LIMIT:
            self._flooded = True
            self._transport.abort()
        else:
            self._buffer += data
        _wake(self._waiter)
        _wake(self._room)

    def eof_received(self) -> None:
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        _wake(self._room)

    def _end(self) -> None:
        self._ended = True
        _wake(self._waiter)
        _wake(self._room)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
