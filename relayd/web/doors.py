"""Where HTTP is served: the Unix socket and the TCP port of the API, and the pages for people."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from starlette.types import ASGIApp

from relayd.core.settings import Http, Token
from relayd.core.settings_types import address_and_port
from relayd.net.http import HttpServer, listen, listen_tcp
from relayd.web.api import Control, create_app
from relayd.web.tokens import TokenGuard, Tokens

log = logging.getLogger("relayd.web")

PUBLIC_WITHIN = 10.0
"""Seconds that anybody in the world has for a request: a form of a few hundred octets."""


class Doors:
    """The servers that the settings name."""

    def __init__(
        self,
        control: Control,
        public: Callable[[], ASGIApp],
        http: Http,
        given: Mapping[str, Sequence[socket.socket]],
    ) -> None:
        """`public` makes the pages for people, and nothing else is served where they are. `given` are sockets
        from systemd by their names: `api`, `http` and `public`. Raises OSError."""
        self._tokens = Tokens(http.tokens)
        self._servers = [HttpServer(create_app(control), _given(given, "api") or listen(Path(http.socket)))]
        if http.listen is not None:
            address, _ = place = address_and_port(http.listen)
            guard = TokenGuard(tokens=lambda: self._tokens, address=address, monotonic=time.monotonic)
            listening = _given(given, "http") or listen_tcp(*place)
            self._servers.append(HttpServer(create_app(control, guard.admit), listening))
        if http.public_listen is not None:
            listening = _given(given, "public") or listen_tcp(*address_and_port(http.public_listen))
            self._servers.append(HttpServer(public(), listening, within=PUBLIC_WITHIN))
        for name, key in (("http", http.listen), ("public", http.public_listen)):
            if key is None and name in given:
                log.warning(
                    "systemd hands over a socket %s, and the config doesn't name it: nobody answers", name
                )

    def take(self, tokens: Sequence[Token]) -> None:
        """From now on these tokens count, and no others."""
        self._tokens = Tokens(tokens)

    def start(self) -> None:
        for server in self._servers:
            server.start()

    async def stop(self) -> None:
        await asyncio.gather(*(server.stop() for server in self._servers))


def _given(given: Mapping[str, Sequence[socket.socket]], name: str) -> socket.socket | None:
    return next(iter(given.get(name, ())), None)
