"""What an SMTP listener offers and demands, and what it needs from those who decide."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from relayd.core import answer
from relayd.core.address import Address
from relayd.core.answer import Answer
from relayd.core.commands import Credentials, MailFrom


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who is at the other end."""

    host: str  # IP address, "" on a Unix socket
    uid: int | None  # of the process, on a Unix socket
    local: bool  # loopback or Unix socket: what is said in clear stays on this host


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds, monotonic."""

    command: float = 60.0  # for each command to be complete
    data: float = 120.0  # for a message, plus its octets at `data_rate`
    data_rate: int = 2048  # octets a second; Postfix under stress has smtpd_min_data_rate 500
    tls: float = 10.0  # handshake
    linger: float = 2.0  # for the last reply to be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one listener offers and demands."""

    hostname: str
    size: int  # octets of a message
    lmtp: bool = False
    tls: ssl.SSLContext | None = None  # for STARTTLS
    login_offered: bool = False
    login_required: bool = False
    deadlines: Deadlines = Deadlines()


class Incoming(Protocol):
    """Takes one message. What goes wrong is kept for `finish`: the client must send to the end anyway."""

    async def write(self, data: bytes) -> None:
        """Octets as they came, dot-stuffing still on, the CRLF before the final dot included."""
        ...

    async def finish(self) -> Sequence[Answer]:
        """The answer after the final dot; with LMTP one for each accepted RCPT, in order."""
        ...

    async def discard(self) -> None:
        """The client went away before the final dot."""
        ...


class Client(Protocol):
    """Decides what the dialogue asks. One for each connection."""

    def log_in(self, credentials: Credentials) -> Answer:
        """Positive when it did."""
        ...

    @property
    def logged_in(self) -> bool: ...

    def mail(self, mail: MailFrom) -> Answer | None:
        """A message begins; an answer is why it may not just now."""
        ...

    def rcpt(self, address: Address) -> Answer | Coroutine[Any, Any, Answer]:
        """The answer, or how to find it where something has to be looked up first."""
        ...

    def refuse(self, written: str, answer: Answer) -> Answer:
        """A RCPT names no address we can use; gives what to answer, which is another when there are many."""
        ...

    def data(self) -> Incoming: ...

    def reset(self) -> Coroutine[Any, Any, None] | None:
        """The message under way, if any, is given up. What is left to do about it, if anything."""
        ...


class Leaving(Protocol):
    """A connection, as far as its end goes."""

    def go_down(self) -> None: ...
    def abort(self) -> None: ...


class Gate:
    """All connections of a server: how many there may be, and how they end."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.closing = False
        self._open: set[Leaving] = set()
        self.empty = asyncio.Event()  # set while no connection is open
        self.empty.set()

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, connection: Leaving) -> Answer | None:
        """Let a connection in, or say why not."""
        if self.closing:
            return answer.GOING_DOWN()
        if len(self._open) >= self.limit:
            return answer.TOO_MANY_CONNECTIONS(self.limit)
        self._open.add(connection)
        self.empty.clear()
        return None

    def leave(self, connection: Leaving) -> None:
        self._open.discard(connection)
        if not self._open:
            self.empty.set()

    async def drain(self, seconds: float) -> None:
        """Idle clients are told 421 and closed; messages under way may end, for at most `seconds`."""
        self.closing = True
        for connection in list(self._open):
            connection.go_down()
        try:
            async with asyncio.timeout(seconds):
                await self.empty.wait()
        except TimeoutError:
            for connection in list(self._open):
                connection.abort()
