"""Talking to the running daemon: HTTP over its Unix socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
import urllib.parse
from pathlib import Path
from typing import Any, NoReturn

from relayd.cli.options import (
    EX_CANTCREAT,
    EX_NOINPUT,
    EX_NOPERM,
    EX_SOFTWARE,
    EX_TEMPFAIL,
    EX_UNAVAILABLE,
    EX_USAGE,
    fail,
)
from relayd.cli.places import places

TIMEOUT = 90  # seconds; the longest long poll takes 60, a backup may take longer than a look-up
_EXITS = {400: EX_USAGE, 404: EX_NOINPUT, 409: EX_CANTCREAT, 422: EX_CANTCREAT}


class Away(Exception):
    """No daemon answers."""


class Lost(Exception):
    """A daemon is there, but gave no answer, or can't do it for now; the text says why."""

    def __init__(self, text: str, remedy: str = "try again") -> None:
        super().__init__(text)
        self.remedy = remedy


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Daemon:
    """The daemon of a config file. What it refuses ends the command with its words and an exit code."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._places = places(config).api

    def get(self, path: str, **query: object) -> Any:
        """Raises Away."""
        try:
            return self.ask(path, **query)
        except Lost as error:
            fail(str(error), EX_TEMPFAIL, error.remedy)

    def ask(self, path: str, **query: object) -> Any:
        """As `get`, for who can wait. Raises Away and Lost."""
        asked = urllib.parse.urlencode({key: value for key, value in query.items() if value is not None})
        return self._request("GET", path + ("?" + asked if asked else ""), None, TIMEOUT)

    def post(self, path: str, body: dict[str, object], timeout: float | None = TIMEOUT) -> Any:
        """Raises Away."""
        try:
            return self._request("POST", path, body, timeout)
        except Lost as error:
            fail(str(error), EX_TEMPFAIL, error.remedy)

    def away(self) -> NoReturn:
        """End with 69: nobody answers."""
        looked = " and ".join(map(str, self._places))
        if not self._config.exists():
            looked += f" (there is no {self._config}, which would name the place)"
        elif not os.access(self._config, os.R_OK):
            looked += f" (you may not read {self._config}, which may name another place)"
        start = f"start it with `systemctl start relayd`, or `relayd run -c {self._config}`"
        fail("the daemon is not running", EX_UNAVAILABLE, f"nobody answers at {looked}; {start}")

    def _request(self, method: str, path: str, body: dict[str, object] | None, timeout: float | None) -> Any:
        headers = {} if body is None else {"Content-Type": "application/json"}
        octets = None if body is None else json.dumps(body).encode()
        for place in self._places:
            connection = _Connection(place, timeout)
            try:
                connection.request(method, "/api/v1" + path, octets, headers)
                answer = connection.getresponse()
                return _read(answer.status, answer.read())
            except (FileNotFoundError, ConnectionRefusedError):
                continue
            except PermissionError:
                remedy = "run this as root, or as a member of the socket's group (relayd-admin)"
                fail(f"no permission to use {place}", EX_NOPERM, remedy)
            except (OSError, http.client.HTTPException) as error:
                raise Lost(f"the daemon at {place} didn't answer: {error}") from None
            finally:
                connection.close()
        raise Away


def _read(status: int, octets: bytes) -> Any:
    try:
        found = json.loads(octets)
    except ValueError:
        raise Lost(
            f"the daemon had an error of its own ({status})", "`journalctl -u relayd` shows it"
        ) from None
    if status == 503 and "error" in found:
        raise Lost(found["error"], found["remedy"])
    if status >= 400 and "error" in found:  # without: the health of a daemon that is not well
        fail(found["error"], _EXITS.get(status, EX_SOFTWARE), found.get("remedy", ""))
    return found
