"""The door to uvicorn: an ASGI app on a Unix socket, inside our own loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

SOCKET_MODE = 0o660
"""Who may open the socket may do everything, so only the service's user and group can."""


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the daemon's business."""
        yield


class HttpServer:
    """Serves `app` on a listening socket."""

    def __init__(self, app: Any, listening: socket.socket) -> None:
        self._socket = listening
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="none",
            ws="none",
            http="h11",
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve([self._socket]))

    async def stop(self) -> None:
        """Let answers under way go out, for two seconds; long polls end with it."""
        self._server.should_exit = True
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
