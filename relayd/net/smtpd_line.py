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
import ssl
import struct
from collections.abc import Coroutine
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from relayd.core import answer
from relayd.core.answer import Answer
from relayd.net.smtpd_terms import Gate, Incoming, Peer, Terms

# aiosmtpd logs addresses at INFO, content and un-decodable logins at DEBUG.
logging.getLogger("mail.log").setLevel(logging.WARNING)

log = logging.getLogger("relayd.smtpd")

STREAM_LIMIT = 64 * 1024  # octets of a line without end, and of a chunk of DATA, about
BUFFER_MAX = 2 * STREAM_LIMIT  # octets read ahead before the client has to wait, as in asyncio's streams
AT_ONCE = 100  # commands obeyed until others have their turn: some 3 ms
TURNS = 60
"""Turns of the loop, some 150 us, in which it doesn't sleep after a reply to the only client there is. To
fall asleep and be woken takes a virtual machine as long as the client takes for its next command, and costs
its processor as much as these turns do."""
END_OF_DATA = b"\r\n.\r\n"
ERRORS_MAX = 20  # Postfix smtpd_hard_error_limit
Later = Coroutine[Any, Any, None]
_UCRED = struct.Struct("3i")  # pid, uid, gid of SO_PEERCRED, unix(7)
_FOREIGN = frozenset(b"GET POST PUT HEAD CONNECT OPTIONS DELETE PATCH TRACE PRI USER PASS SSH-2.0".split())
_LABEL = re.compile(rb"[A-Za-z-]+:")


class Line(SMTP):
    """The stream of one client. Commands are obeyed as they come in, without a change of tasks; only what has
    to wait for something (a message, a look into DNS, TLS) is a task of its own, one at a time."""

    def __init__(self, *, terms: Terms, gate: Gate, loop: asyncio.AbstractEventLoop) -> None:
        # Not SMTP.__init__: it inspects every attribute of two objects for each connection.
        # Nor a StreamReader: a line costs half of what it costs there.
        self.loop = loop
        self._buffer = bytearray()  # what came and was not asked for yet
        self._searched = 0  # octets of it in which no line ends
        self._engaged = True  # commands wait: for the greeting, or for `_task`
        self._task: asyncio.Task[None] | None = None
        self._left = False
        self._turns = 0
        self._awake = False
        self._listening: asyncio.Future[None] | None = None  # who waits for more
        self._over = False  # nothing more will be read
        self._error: Exception | None = None  # how the connection was lost
        self._full = False  # the client has to wait until we have read
        self._clogged = False  # we have to wait until the client has
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

    def _greet(self) -> None:
        """Say the first words."""
        raise NotImplementedError

    def _obey(self, line: bytes) -> Later | None:
        """Do what a command line says, or give back what is left to do."""
        raise NotImplementedError

    def _forget(self) -> Later | None:
        """The dialogue is over: give up what is not complete."""
        raise NotImplementedError

    # -- coming and going -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = cast(asyncio.Transport, transport)  # uvloop's are transports by behaviour, not by class
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._peer = _peer(transport)
        no = self._gate.enter(self)
        if no is not None:
            self._deaf = True
            self._wire.write(no.line)
            self._hang_up()
            return
        self._timer = self.loop.call_later(self._terms.deadlines.command, self._look_at_clock)
        # Two turns of the loop later what came before the greeting is read.
        self.loop.call_soon(self.loop.call_soon, self._begin)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._first_octets:
            self._first_octets = False
            if not data[:1].isalpha() and data[:1] not in b"\r\n":  # TLS, say: a line end may never come
                self._wire.write(answer.NOT_SMTP(data[:20].decode("latin-1")).line)
                self._turn_away()
                return
        self._buffer += data
        if self._engaged:
            self._wake()
        else:
            self._go_on()
        if len(self._buffer) > BUFFER_MAX and not self._full:
            self._full = True
            self._wire.pause_reading()

    def eof_received(self) -> bool:
        """True keeps our side open: a client that sent all and closed its side still gets its answers."""
        self._heard_out = True
        self._no_more()
        if self._deaf and not self._wire.is_closing():
            self._wire.close()
        return not self._secure  # TLS knows no half-closed connection

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._error = error
        self._clogged = False
        self._no_more()

    def pause_writing(self) -> None:
        self._clogged = True

    def resume_writing(self) -> None:
        self._clogged = False
        if not self._engaged:
            self._go_on()

    def go_down(self) -> None:
        """End now when nothing is under way; else `_go_on` ends it after that."""
        if self._waiting_since is not None and not self._in_data:
            self._wire.write(answer.GOING_DOWN().line)
            self._turn_away()

    def abort(self) -> None:
        """End at once, whatever is under way."""
        self._closing = True
        self._wire.abort()
        if self._task is not None:  # a task that has not begun would not even tidy up
            self.loop.call_soon(self._task.cancel)

    def _hang_up(self) -> None:
        self._closing = True
        if not self._wire.is_closing():  # closed twice, asyncio's TLS no longer knows its connection
            self._wire.close()
        # Whether TLS has still something to send can't be asked once it is closed.
        if self._secure or self._wire.get_write_buffer_size():
            self.loop.call_later(self._terms.deadlines.linger, self._wire.abort)

    def _turn_away(self) -> None:
        """Hang up on a client that may still be sending. Were the socket just closed, the kernel would answer
        what it sends with a reset, and our last reply would be lost on its way."""
        self._closing = self._deaf = True
        self._no_more()
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
            received = self._received + len(self._buffer)
            due = self._waiting_since + deadlines.data + received / deadlines.data_rate
        else:
            due = self._waiting_since + deadlines.command
        if due > now:
            self._timer = self.loop.call_at(due, self._look_at_clock)
            return
        in_data, seconds = answer.DATA_TIMEOUT(deadlines.data_rate), f"{deadlines.command:g}"
        self._wire.write((in_data if self._in_data else answer.TIMEOUT(seconds)).line)
        self._turn_away()

    # -- the dialogue -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._engaged = False
        self._greet()
        self._go_on()

    def _go_on(self) -> None:
        """Obey what came, as far as it goes without waiting. Replies to a pipelined group go out together
        (RFC 2920 section 3.2)."""
        later: Later | None = None
        obeyed = 0
        try:
            while later is None and not (self._closing or self._clogged):
                if obeyed == AT_ONCE:
                    later = self._let_others()
                    break
                line = self._next_line()
                if line is None:
                    break
                self._waiting_since = None
                later = self._obey(line)
                obeyed += 1
        except Exception:
            log.exception("an SMTP connection ended by a fault")
            self._closing = True
        if later is not None:
            self._engage(later)
            return
        if self._gate.closing and not self._closing:
            self._say(answer.GOING_DOWN())
        self._flush()
        if self._closing or (self._over and not self._clogged):
            self._leave()
            return
        if len(self._buffer) <= BUFFER_MAX:
            self._read_on()
        if self._waiting_since is None:
            self._waiting_since = self.loop.time()

    async def _let_others(self) -> None:
        self._flush()
        await asyncio.sleep(0)

    def _engage(self, later: Later) -> None:
        self._engaged, self._waiting_since = True, None
        self._task = self.loop.create_task(self._do(later))

    async def _do(self, later: Later) -> None:
        try:
            await later
        except (ConnectionError, ssl.SSLError):
            self._closing = True  # the client is gone, there is nobody to tell
        except asyncio.CancelledError:
            self._closing = True
            raise
        except Exception:
            log.exception("an SMTP connection ended by a fault")
            self._closing = True
        finally:
            self._task, self._engaged = None, False
            self._go_on()

    def _leave(self) -> None:
        """Once, when all is said."""
        if self._left:
            return
        self._left = self._closing = True
        later: Later | None = None
        try:
            later = self._forget()
        finally:
            if later is None:
                self._depart()
            else:
                self._engage(self._depart_after(later))

    async def _depart_after(self, later: Later) -> None:
        try:
            await later
        finally:
            self._depart()

    def _depart(self) -> None:
        if self._timer is not None:  # who loses a handshake is not told that the connection is lost
            self._timer.cancel()
        self._gate.leave(self)
        if not self._deaf:
            self._turn_away() if self._turned_away else self._hang_up()

    # -- reading and writing ----------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._listening is not None and not self._listening.done():
            self._listening.set_result(None)

    def _no_more(self) -> None:
        self._over = True
        if self._engaged:
            self._wake()
        elif self._closing or not self._clogged:  # a client that sent all may begin to read
            self._leave()

    async def _more(self) -> bool:
        """Wait for more octets. False when there will be none; the part of a line or message that is left is
        no command then. Raises ConnectionError."""
        if self._error is not None:
            raise self._error
        if self._over:
            self._buffer.clear()
            return False
        self._read_on()
        self._listening = self.loop.create_future()
        try:
            await self._listening
        finally:
            self._listening = None
        if self._error is not None:
            raise self._error
        return True

    def _read_on(self) -> None:
        if self._full:
            self._full = False
            self._wire.resume_reading()

    def _say(self, reply: Answer) -> None:
        self._replies.append(reply.line)
        if reply.close:
            self._closing = True
            self._turned_away = reply.error
        if reply.error:
            self._errors += 1
            if self._errors >= ERRORS_MAX and not self._closing:
                self._say(answer.ERRORS(self._errors))

    def _flush(self) -> None:
        if self._replies and not self._deaf and not self._wire.is_closing():  # uvloop raises then
            replies, self._replies = self._replies, []
            self._wire.write(b"".join(replies))
            if len(self._gate) == 1:
                self._turns = TURNS
                if not self._awake:
                    self._stay_awake()

    def _stay_awake(self) -> None:
        self._awake = self._turns > 0
        if self._awake:
            self._turns -= 1
            self.loop.call_soon(self._stay_awake)

    def _next_line(self) -> bytes | None:
        """The next command line with its CRLF; None when there is none, or none that we take."""
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._buffer)
            if self._searched > STREAM_LIMIT:
                self._say(answer.LINE_ENDLESS(STREAM_LIMIT))
            return None
        self._searched = 0
        if end >= STREAM_LIMIT:
            self._say(answer.LINE_ENDLESS(STREAM_LIMIT))
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        if not line.endswith(b"\r\n"):
            self._say(answer.LINE_ENDING())
            return None
        return line

    async def _read_message(self, incoming: Incoming) -> bool:
        """Ask for a message and read it up to CRLF.CRLF, never past it. False when the client left or had to
        be stopped."""
        if self._buffer:  # it came before this task began
            self._say(answer.OUT_OF_STEP("DATA"))
            return False
        # This CRLF stands for the one that ended DATA: with it an empty message ends with CRLF.CRLF like any
        # other.
        self._buffer += b"\r\n"
        self._say(answer.GO_AHEAD())
        self._in_data, self._received = True, 0
        self._waiting_since = self.loop.time()
        try:
            self._flush()
            return await self._pass_on(incoming)
        finally:
            self._in_data, self._waiting_since = False, None

    async def _pass_on(self, incoming: Incoming) -> bool:
        skip = 2  # the CRLF that we put there ourselves
        searched = 0
        while True:
            end = self._buffer.find(END_OF_DATA, searched)
            have = len(self._buffer)
            if end < 0 and have <= STREAM_LIMIT:
                searched = max(0, have + 1 - len(END_OF_DATA))
                if not await self._more():
                    return False
                continue
            # The end may have begun in the last octets; they wait for what comes.
            upto = end + 2 if end >= 0 else have + 1 - len(END_OF_DATA)
            with memoryview(self._buffer) as view:
                data = bytes(view[skip:upto])
            del self._buffer[: upto if end < 0 else end + len(END_OF_DATA)]
            skip = searched = 0
            self._received += len(data)
            if self._received > 2 * self._terms.size:
                self._say(answer.DATA_ENDLESS(self._terms.size))
                return False
            if data:
                await incoming.write(data)
            if self._deaf:  # meanwhile the client was told that it is too late
                return False
            if end >= 0:
                return True

    async def _start_tls(self) -> bool:
        """False when the client went on in clear."""
        assert self._terms.tls is not None
        self._say(answer.TLS_READY())
        self._flush()
        if self._buffer:
            self._say(answer.OUT_OF_STEP("STARTTLS"))
            return False
        if self._over:
            return False
        self._secure = True
        # From here to the new transport nothing is awaited that lets clear text into the stream.
        secured = await self.loop.start_tls(
            self._wire,
            self,
            self._terms.tls,
            server_side=True,
            ssl_handshake_timeout=self._terms.deadlines.tls,
        )
        assert secured is not None
        self._wire = secured
        return True


def foreign(line: bytes) -> Answer | None:
    """Is this a line of another protocol? An SMTP port on localhost is within reach of every browser there.
    A header line ("Host: x") is one too."""
    word = line.partition(b" ")[0]
    if line and (word.upper() in _FOREIGN or not word[:1].isalpha() or _LABEL.match(word)):
        return answer.NOT_SMTP(word[:40].decode("latin-1"))
    return None


def _peer(transport: asyncio.BaseTransport) -> Peer:
    name: Any = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        host = name[0]
        local = host == "127.0.0.1" or ipaddress.ip_address(host.partition("%")[0]).is_loopback
        return Peer(host=host, uid=None, local=local)
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:  # it is gone already
        return Peer(host="", uid=None, local=False)
    _, uid, _ = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(host="", uid=uid, local=True)
