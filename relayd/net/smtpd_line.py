"""The line to one SMTP client: octets, lines and messages in, replies out, deadlines, TLS. No commands.

A connection is never cancelled because of what the client does. A client that goes away ends the stream, the
dialogue sees the end when it next reads, and what is being committed meanwhile is committed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
import struct
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from relayd.core import answer
from relayd.core.answer import Answer
from relayd.net.smtpd_terms import Gate, Incoming, Peer, Terms

# aiosmtpd logs addresses at INFO, content and un-decodable logins at DEBUG.
logging.getLogger("mail.log").setLevel(logging.WARNING)

STREAM_LIMIT = 64 * 1024  # octets read ahead before the stream is asked; a chunk of DATA has about this size
END_OF_DATA = b"\r\n.\r\n"
ERRORS_MAX = 20  # Postfix smtpd_hard_error_limit
_UCRED = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED, unix(7)
_FOREIGN = frozenset(b"GET POST PUT HEAD CONNECT OPTIONS DELETE PATCH TRACE PRI USER PASS SSH-2.0".split())
_LABEL = re.compile(rb"[A-Za-z-]+:")


class Line(SMTP):
    """The stream of one client. What is done with it is `_converse`'s business."""

    def __init__(self, *, terms: Terms, gate: Gate, loop: asyncio.AbstractEventLoop) -> None:
        # Not SMTP.__init__: it inspects every attribute of two objects for each connection.
        self.loop = loop
        self._reader = asyncio.StreamReader(limit=STREAM_LIMIT, loop=loop)
        asyncio.StreamReaderProtocol.__init__(self, self._reader, self._cb_client_connected, loop)
        self._terms = terms
        self._gate = gate
        self._replies: list[bytes] = []
        self._closing = False  # say what is to be said, then hang up
        self._turned_away = False  # the last reply is a refusal, the client may still be sending
        self._deaf = False  # what still comes is dropped
        self._heard_out = False  # the client has closed its side
        self._secure = False
        self._first_octets = True
        self._errors = 0
        self._waiting_since: float | None = None  # for the client; None while we work
        self._in_data = False
        self._received = 0  # octets of the message under way
        self._timer: asyncio.TimerHandle | None = None

    async def _converse(self) -> None:
        """Everything between connecting and disconnecting; never raises."""
        raise NotImplementedError

    # -- coming and going -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        asyncio.StreamReaderProtocol.connection_made(self, transport)
        self._wire = cast(asyncio.Transport, transport)  # uvloop's are transports by behaviour, not by class
        no = self._gate.enter(self)
        if no is not None:
            self._writer.write(no.line)
            self._hang_up()
            return
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._peer = _peer(transport)
        self._timer = self.loop.call_later(self._terms.deadlines.command, self._look_at_clock)
        self._task = self.loop.create_task(self._converse())

    def data_received(self, data: bytes) -> None:
        if self._first_octets:
            self._first_octets = False
            if not data[:1].isalpha() and data[:1] not in b"\r\n":  # TLS, say: a line end may never come
                self._writer.write(answer.NOT_SMTP(data[:20].decode("latin-1")).line)
                self._turn_away()
        if not self._deaf:
            self._reader.feed_data(data)

    def eof_received(self) -> bool:
        """True keeps our side open: a client that sent all and closed its side still gets its answers."""
        self._heard_out = True
        self._reader.feed_eof()
        if self._deaf:
            self._wire.close()
        return not self._secure  # TLS knows no half-closed connection

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        asyncio.StreamReaderProtocol.connection_lost(self, error)

    def go_down(self) -> None:
        """End now when nothing is under way; else `_read_line` ends it after that."""
        if self._waiting_since is not None and not self._in_data:
            self._writer.write(answer.GOING_DOWN().line)
            self._turn_away()

    def abort(self) -> None:
        """End at once, whatever is under way."""
        self._wire.abort()
        self._task.cancel()

    def _hang_up(self) -> None:
        self._closing = True
        self._wire.close()
        if self._wire.get_write_buffer_size():
            self.loop.call_later(self._terms.deadlines.linger, self._wire.abort)

    def _turn_away(self) -> None:
        """Hang up on a client that may still be sending. Were the socket just closed, the kernel would answer
        what it sends with a reset, and our last reply would be lost on its way."""
        self._closing = self._deaf = True
        self._reader.feed_eof()
        if self._heard_out or self._wire.is_closing() or not self._wire.can_write_eof():
            self._hang_up()
            return
        self._wire.resume_reading()
        self._wire.write_eof()
        self.loop.call_later(self._terms.deadlines.linger, self._wire.abort)

    def _look_at_clock(self) -> None:
        """One timer for each connection, looked at when it fires: cheaper than one for each command."""
        deadlines = self._terms.deadlines
        now = self.loop.time()
        if self._waiting_since is None:
            due = now + deadlines.command
        elif self._in_data:
            received = self._received + self._read_ahead
            due = self._waiting_since + deadlines.data + received / deadlines.data_rate
        else:
            due = self._waiting_since + deadlines.command
        if due > now:
            self._timer = self.loop.call_at(due, self._look_at_clock)
            return
        in_data, seconds = answer.DATA_TIMEOUT(deadlines.data_rate), f"{deadlines.command:g}"
        self._writer.write((in_data if self._in_data else answer.TIMEOUT(seconds)).line)
        self._turn_away()

    # -- reading and writing ----------------------------------------------------------------------------

    @property
    def _read_ahead(self) -> int:
        """Octets that came and were not asked for yet. asyncio has no public word for it; a test holds that
        the attribute is there on the Python that runs."""
        return len(self._reader._buffer)  # type: ignore[attr-defined]

    def _early_octets(self) -> bytes:
        return bytes(self._reader._buffer)  # type: ignore[attr-defined]

    def _say(self, reply: Answer) -> None:
        self._replies.append(reply.line)
        if reply.close:
            self._closing = True
            self._turned_away = reply.error
        if reply.error:
            self._errors += 1
            if self._errors >= ERRORS_MAX and not self._closing:
                self._say(answer.ERRORS(self._errors))

    async def _flush(self) -> None:
        """Replies to a pipelined group go out together (RFC 2920 section 3.2)."""
        if self._replies and not self._deaf:
            self._writer.write(b"".join(self._replies))
            self._replies.clear()
            if self._wire.get_write_buffer_size():  # hardly ever: a reply fits the kernel's buffer
                await self._writer.drain()

    async def _read_line(self) -> bytes | None:
        """The next command line with its CRLF; None when there will be none."""
        if b"\n" not in self._reader._buffer:  # type: ignore[attr-defined]
            self._waiting_since = self.loop.time()
            await self._flush()
            if self._gate.closing:
                self._say(answer.GOING_DOWN())
                return None
        try:
            line: bytes = await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            self._say(answer.LINE_ENDLESS(STREAM_LIMIT))
            return None
        finally:
            self._waiting_since = None
        if not line.endswith(b"\r\n"):
            self._say(answer.LINE_ENDING())
            return None
        return line

    async def _read_message(self, incoming: Incoming) -> bool:
        """Ask for a message and read it up to CRLF.CRLF, never past it. False when the client left or had to
        be stopped."""
        # The stream is empty here (out of step otherwise). This CRLF stands for the one that ended DATA: with
        # it an empty message ends with CRLF.CRLF like any other.
        self._reader.feed_data(b"\r\n")
        self._say(answer.GO_AHEAD())
        self._in_data, self._received = True, 0
        self._waiting_since = self.loop.time()
        try:
            await self._flush()
            return await self._pass_on(incoming)
        finally:
            self._in_data, self._waiting_since = False, None

    async def _pass_on(self, incoming: Incoming) -> bool:
        skip = 2  # the CRLF that we put there ourselves
        done = False
        while not done:
            try:
                data: bytes = await self._reader.readuntil(END_OF_DATA)
                done = True
            except asyncio.LimitOverrunError as more:
                data = await self._reader.readexactly(more.consumed)
            except asyncio.IncompleteReadError:
                return False
            data = data[skip : len(data) - 3 if done else len(data)]
            skip = 0
            self._received += len(data)
            if self._received > 2 * self._terms.size:
                self._say(answer.DATA_ENDLESS(self._terms.size))
                return False
            if data:
                await incoming.write(data)
        return True

    async def _start_tls(self) -> bool:
        """False when the client went on in clear."""
        assert self._terms.tls is not None
        self._say(answer.TLS_READY())
        await self._flush()
        if self._read_ahead:
            self._say(answer.OUT_OF_STEP("STARTTLS"))
            return False
        # From here to the new transport nothing is awaited that lets clear text into the stream: the writer's
        # buffer is empty, so its drain() returns at once.
        await self._writer.start_tls(self._terms.tls, ssl_handshake_timeout=self._terms.deadlines.tls)
        self._wire = self._writer.transport  # type: ignore[assignment]
        self._secure = True
        return True


def foreign(line: bytes) -> Answer | None:
    """Is this a line of another protocol? An SMTP port on localhost is within reach of every browser there.
    A header line ("Host: x") is one too."""
    word = line.partition(b" ")[0]
    if line and (word.upper() in _FOREIGN or not word[:1].isalpha() or _LABEL.match(word)):
        return answer.NOT_SMTP(word[:40].decode("latin-1"))
    return None


def _peer(transport: asyncio.BaseTransport) -> Peer:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_UNIX:
        _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        return Peer(host="", uid=uid, local=True)
    name: Any = transport.get_extra_info("peername")
    host = name[0] if name else ""
    local = host == "127.0.0.1" or (host != "" and ipaddress.ip_address(host.partition("%")[0]).is_loopback)
    return Peer(host=host, uid=None, local=local)
