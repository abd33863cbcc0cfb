"""A receiving SMTP server on loopback that answers as told and remembers what it got.

Not built on aiosmtpd: faults must be possible at every point of the dialogue, inside replies and inside TLS.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from relayd.sandbox.certificates import Certificate
from relayd.sandbox.dialogue import Dialogue
from relayd.sandbox.record import Line, Received
from relayd.sandbox.script import Action, At, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What a server announces in EHLO, and holds itself to."""

    pipelining: bool = True
    eight_bit: bool = True
    smtputf8: bool = True
    size: int | None = 50 * 1024**2  # None: no SIZE; 0: SIZE without a number (RFC 1870: no fixed limit)
    starttls: bool = True  # only with a certificate
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")  # only with users
    login_in_clear: bool = False
    enhanced: bool = True


@dataclass(slots=True, kw_only=True)
class Receiver:
    """A receiving server; use as an async context manager.

    `users` maps login names to passwords; with `require_login` MAIL needs one. `implicit_tls` speaks TLS from
    the start (port 465). `script` says what differs from accepting everything.

    `received` has what was answered 250 at the end; `uploads` every completed upload, whatever was answered
    (an answer that never arrived makes the difference).
    """

    name: str = "mx.sandbox.example"
    host: str = "127.0.0.1"
    port: int = 0
    certificate: Certificate | None = None
    implicit_tls: bool = False
    tls_context: ssl.SSLContext | None = None  # instead of the certificate's own
    users: Mapping[str, str] = field(default_factory=dict)
    takes_token: Callable[[str, str], bool] | None = (
        None  # user and access token, for XOAUTH2 and OAUTHBEARER
    )
    require_login: bool = False
    offers: Offers = field(default_factory=Offers)
    script: Script = field(default_factory=Script)
    received: list[Received] = field(default_factory=list)
    uploads: list[Received] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    most_connections: int = 0  # open at once
    logins: list[tuple[str, bool]] = field(default_factory=list)  # (username, taken?)
    _server: asyncio.Server | None = None
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)
    _reached: Counter[At] = field(default_factory=Counter)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def context(self) -> ssl.SSLContext | None:
        if self.tls_context is None and self.certificate is not None:
            self.tls_context = self.certificate.server_context()
        return self.tls_context

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop_listening(self) -> None:
        """Refuse new connections from now on; the open ones stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def close(self) -> None:
        await self.stop_listening()
        self.release()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # what a test or demo says to it

    def tell(self, at: At, *actions: Action) -> None:
        """See `Script.tell`."""
        self.script.tell(at, *actions)

    def tell_recipient(self, address: str, *replies: str | None) -> None:
        """See `Script.tell_recipient`."""
        self.script.tell_recipient(address, *replies)

    def release(self) -> None:
        """Let everything that hangs go on; what hangs later isn't held any more."""
        self._released.set()

    async def wait_for(self, count: int) -> list[Received]:
        """Wait until so many messages were received in all; gives them."""
        await self.until(lambda: len(self.received) >= count)
        return list(self.received)

    async def reached(self, at: At, times: int = 1) -> None:
        """Wait until the dialogue (over all connections) has come to this point so often."""
        await self.until(lambda: self._reached[at] >= times)

    async def idle(self) -> None:
        """Wait until no connection is open."""
        await self.until(lambda: self.open_connections == 0)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until this is true; looked at whenever something happens here."""
        while not true():
            change = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change

    # what the dialogue says to it

    def note_reached(self, at: At) -> Action:
        """The dialogue is at this point: what shall it do?"""
        self._reached[at] += 1
        self.note_change()
        return self.script.at(at)

    def note_change(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():  # its waiter may have been cancelled
                each.set_result(None)

    def note_line(self, connection: int, text: str) -> None:
        if text[:5].upper() == "AUTH ":
            text = " ".join(text.split()[:2])
        self.lines.append(Line(connection=connection, text=text))

    async def wait_released(self) -> None:
        await self._released.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open_connections += 1
        self.most_connections = max(self.most_connections, self.open_connections)
        try:
            await Dialogue(self, self.connections, reader, writer).run()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self.open_connections -= 1
            self._tasks.discard(task)
            self.note_change()


__all__ = ["Line", "Offers", "Received", "Receiver"]
