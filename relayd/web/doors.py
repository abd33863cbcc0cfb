"""Where HTTP is served: the Unix socket and the TCP port of the API, and the pages for people."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from relayd.core.settings import Http, Token
from relayd.core.settings_types import address_and_port
from relayd.net.http import HttpServer, listen, listen_tcp
from relayd.web.api import Control, create_app
from relayd.web.tokens import TokenGuard, Tokens


class Doors:
    """The servers that the settings name."""

    def __init__(self, control: Control, http: Http, given: Mapping[str, Sequence[socket.socket]]) -> None:
        """`given` are sockets from systemd by their names, `api` and `http`. Raises OSError."""
        self._tokens = Tokens(http.tokens)
        self._servers = [HttpServer(create_app(control), _given(given, "api") or listen(Path(http.socket)))]
        if http.listen is not None:
            address, port = address_and_port(http.listen)
            guard = TokenGuard(tokens=lambda: self._tokens, address=address, monotonic=time.monotonic)
            listening = _given(given, "http") or listen_tcp(address, port)
            self._servers.append(HttpServer(create_app(control, guard.admit), listening))

    def take(self, tokens: Sequence[Token]) -> None:
        """From now on these tokens count, and no others."""
        self._tokens = Tokens(tokens)

    def start(self) -> None:
        for server in self._servers:
            server.start()

    async def stop(self) -> None:
        for server in self._servers:
            await server.stop()


def _given(given: Mapping[str, Sequence[socket.socket]], name: str) -> socket.socket | None:
    return next(iter(given.get(name, ())), None)
