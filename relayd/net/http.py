"""The door to uvicorn: ASGI apps on a Unix socket or a TCP port, inside our own loop.

uvicorn waits for a slow client for ever. Here a request must have come in whole within a time, and an answer
must have been taken; who is slower is cut off. What proxies say about the client (X-Forwarded-For) is not
believed: the peer is who is connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

SOCKET_MODE = 0o660
"""Who may open the socket may do everything, so only the service's user and group can."""

CONNECTIONS = 200
"""Most connections at once of one server; each may hang in a long poll."""

WITHIN = 20.0
"""Seconds for a request to come in whole, and for an answer to be taken. A list of a thousand senders takes
far less, even over a mobile phone's network."""

_COMING = (h11.IDLE, h11.SEND_BODY)  # what a client is at while its request isn't here whole


class _Protocol(H11Protocol):
    """uvicorn's, with an end to its patience."""

    def __init__(self, *args: Any, within: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._within = within
        self._deadline: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) > self.limit_concurrency:
            transport.abort()
            return
        self._expect()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state not in _COMING:
            self._forget()
        elif self._deadline is None:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._untaken = self.loop.call_later(self._within, self.transport.abort)

    def resume_writing(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None
        super().resume_writing()

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(self._within, self.transport.abort)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's business."""
        yield

    async def main_loop(self) -> None:
        """Until `end`. uvicorn's looks ten times a second whether it shall end; once is enough for the date
        that it answers with."""
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """At once when nobody is connected; uvicorn's waits a tenth of a second all the same."""
        state = self.server_state
        if state.connections or state.tasks:
            await super().shutdown(sockets)
            return
        for listening in (*self.servers, *(sockets or ())):
            listening.close()

    def end(self) -> None:
        self.should_exit = True
        self._ended.set()


class HttpServer:
    """Serves `app` on a listening socket."""

    def __init__(
        self, app: Any, listening: socket.socket, *, connections: int = CONNECTIONS, within: float = WITHIN
    ) -> None:
        self._socket = listening
        protocol: Any = functools.partial(_Protocol, within=within)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="none",
            ws="none",
            http=protocol,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=connections,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve([self._socket]))

    async def stop(self) -> None:
        """Let answers under way go out, for two seconds; long polls end with it."""
        self._server.end()
        if self._task is not None:
            await self._task


def listen(path: Path) -> socket.socket:
    """A Unix socket at `path`. What an ended daemon left there is replaced; call it only while holding the
    state's lock. Raises OSError, FileExistsError for something that is not a socket."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(f"{path} exists and is not a socket")
        path.unlink()
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o777 & ~SOCKET_MODE)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    listening.listen(64)
    return listening


def listen_tcp(address: str, port: int) -> socket.socket:
    """A TCP socket on an IP address. Raises OSError that names the place."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listening = socket.create_server((address, port), family=family, backlog=64)
    except OSError as error:
        raise OSError(error.errno, f"{address} port {port}: {error.strerror}") from None
    # Connections take it over. asyncio sees no TCP in a socket that was made without naming the protocol,
    # and an answer in two pieces would wait 40 ms for the client's acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
