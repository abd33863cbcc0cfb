"""The listeners: sockets of the config or of systemd, each with what it offers and demands."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relayd.core.settings import Listen, Settings
from relayd.intake.accept import Acceptor
from relayd.intake.logins import Failures, Logins
from relayd.intake.session import Session
from relayd.net.smtpd import Connection
from relayd.net.smtpd_terms import Deadlines, Gate, Peer, Terms
from relayd.net.tls import server_context

BACKLOG = 256  # connections that wait in the kernel; apps connect in bursts
SOCKET_MODE = 0o660  # of a Unix socket: our user, and the group of the clients

# From 3.13 on asyncio removes a Unix socket that it closes, systemd's too, and nobody would find it again.
_LEFT_IN_PLACE: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One place to listen at. `socket` is the one that systemd opened for it, if any."""

    listen: Listen
    socket: socket.socket | None = None


class Server:
    """SMTP coming in: `start`, then `drain` once."""

    def __init__(
        self,
        *,
        listeners: Sequence[Listener],
        settings: Settings,
        acceptor: Acceptor,
        logins: Logins,
        deadlines: Deadlines | None = None,
    ) -> None:
        self.gate = Gate(settings.limits.connections)
        self._listeners = listeners
        self._settings = settings
        self._acceptor = acceptor
        self._logins = logins
        self._deadlines = deadlines or Deadlines()
        self._failures = Failures(monotonic=time.monotonic)
        self._servers: list[asyncio.Server] = []
        self._paths: list[Path] = []

    async def start(self) -> None:
        """Listen. Raises OSError with the address that can't be had, ssl.SSLError for a bad certificate."""
        for listener in self._listeners:
            self._servers.append(await self._listen(listener))

    def reconfigure(self, settings: Settings, logins: Logins) -> None:
        """Other logins and limits, from the next connection on. Where we listen stays as it is."""
        self._settings = settings
        self._logins = logins
        self.gate.limit = settings.limits.connections

    @property
    def sockets(self) -> list[socket.socket]:
        """What is listened on, in the order of the listeners: where port 0 came out."""
        return [sock for server in self._servers for sock in server.sockets]

    async def drain(self, seconds: float) -> None:
        """Take no new connections, tell idle clients 421, let messages under way end, for so many seconds."""
        for server in self._servers:
            server.close()
        for path in self._paths:
            path.unlink(missing_ok=True)
        self._acceptor.hurry()
        await self.gate.drain(seconds)

    async def _listen(self, listener: Listener) -> asyncio.Server:
        listen = listener.listen
        tls, state_dir = None, Path(self._settings.state_dir)
        if listen.tls is not None:
            tls = server_context(str(state_dir / listen.tls.certificate), str(state_dir / listen.tls.key))
        implicit = listen.tls is not None and listen.tls.mode == "implicit"
        factory = self._factory(listener, None if implicit else tls)
        loop = asyncio.get_running_loop()
        handshake = self._deadlines.tls if implicit else None
        create = functools.partial(
            loop.create_server, factory, ssl=tls if implicit else None, ssl_handshake_timeout=handshake
        )
        if listener.socket is not None and listener.socket.family != socket.AF_UNIX:
            return await create(sock=listener.socket, backlog=BACKLOG)
        if listen.path is None:
            assert listen.port is not None, "a listener has a path or a port"
            return await create(host=listen.address, port=listen.port, backlog=BACKLOG)
        given = listener.socket or self._bind(Path(listen.path))
        return await loop.create_unix_server(factory, sock=given, backlog=BACKLOG, **_LEFT_IN_PLACE)

    def _bind(self, path: Path) -> socket.socket:
        """A Unix socket with its mode from the first moment on. What a daemon that died left there is
        removed: that there is one daemon only, the store's lock sees to."""
        if path.is_socket():
            path.unlink()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o777 & ~SOCKET_MODE)
        try:
            listener.bind(str(path))
        except OSError as error:
            listener.close()
            raise OSError(error.errno, f"{path}: {error.strerror}") from None
        finally:
            os.umask(before)
        self._paths.append(path)
        return listener

    def _factory(self, listener: Listener, starttls: ssl.SSLContext | None) -> Callable[[], Connection]:
        loop, lmtp = asyncio.get_running_loop(), listener.listen.protocol == "lmtp"
        made: tuple[Settings, Logins, Terms] | None = None

        def terms(settings: Settings, logins: Logins) -> Terms:
            """The same for all connections until `reconfigure`."""
            nonlocal made
            if made is None or made[0] is not settings or made[1] is not logins:
                offered = Terms(
                    hostname=settings.hostname,
                    size=settings.limits.message_size,
                    lmtp=lmtp,
                    tls=starttls,
                    login_offered=logins.offered,
                    login_required=logins.required or listener.listen.require_login,
                    deadlines=self._deadlines,
                )
                made = settings, logins, offered
            return made[2]

        def client(peer: Peer) -> Session:
            return Session(
                peer=peer,
                acceptor=self._acceptor,
                logins=self._logins,
                failures=self._failures,
                limits=self._settings.limits,
                lmtp=lmtp,
            )

        def connection() -> Connection:
            offered = terms(self._settings, self._logins)
            return Connection(terms=offered, gate=self.gate, client=client, loop=loop)

        return connection


def listeners(settings: Settings, handed_over: Sequence[socket.socket] = ()) -> list[Listener]:
    """The listeners of the config, each with the socket bound to the same address that systemd hands over. A
    socket that no listener of the config names is one of its own: plain SMTP, with the logins there are."""
    left = {_bound_to(one): one for one in handed_over}
    found = [
        Listener(listen=listen, socket=left.pop(listen.path or f"{listen.address}:{listen.port}", None))
        for listen in settings.listen
    ]
    for one in left.values():
        bound = one.getsockname()
        here = Listen(path=bound) if one.family == socket.AF_UNIX else Listen(address=bound[0], port=bound[1])
        found.append(Listener(listen=here, socket=one))
    return found


def _bound_to(sock: socket.socket) -> str:
    name = sock.getsockname()
    return str(name) if sock.family == socket.AF_UNIX else f"{name[0]}:{name[1]}"
