"""Talking to the running daemon: HTTP over its Unix socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from relayd.cli.options import (
    EX_CANTCREAT,
    EX_DATAERR,
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
_EXITS = {400: EX_USAGE, 403: EX_NOPERM, 404: EX_NOINPUT, 409: EX_CANTCREAT, 422: EX_CANTCREAT}


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


class Refused(Exception):
    """The daemon says no; `body` is its answer, with `error` and `remedy`."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(body["error"])
        self.status = status
        self.body = body


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
        try:
            return self._request("GET", path + ("?" + asked if asked else ""), None, TIMEOUT)
        except Refused as refused:
            _refuse(refused)

    def post(self, path: str, body: dict[str, object], timeout: float | None = TIMEOUT) -> Any:
        """Raises Away."""
        return self.act("POST", path, body, timeout)

    def act(self, method: str, path: str, body: object = None, timeout: float | None = TIMEOUT) -> Any:
        """Change something. Raises Away."""
        try:
            return self._request(method, path, body, timeout)
        except Lost as error:
            fail(str(error), EX_TEMPFAIL, error.remedy)
        except Refused as refused:
            _refuse(refused)

    def attempt(self, method: str, path: str, body: object) -> Any:
        """As `act`, for who can do something about it. Raises Away, Lost and Refused."""
        return self._request(method, path, body, TIMEOUT)

    def lines(self, path: str, body: object, timeout: float = TIMEOUT) -> Iterator[Any]:
        """As `post`, for an answer that comes line by line, `timeout` seconds at most from one to the next.
        Raises Away."""
        try:
            with self._asked("POST", path, body, timeout) as answer:
                if answer.status != 200:
                    _read(answer.status, answer.read())
                for line in answer:
                    yield json.loads(line)
        except Lost as error:
            fail(str(error), EX_TEMPFAIL, error.remedy)
        except Refused as refused:
            _refuse(refused)

    def away(self) -> NoReturn:
        """End with 69: nobody answers."""
        looked = " and ".join(map(str, self._places))
        if not self._config.exists():
            looked += f" (there is no {self._config}, which would name the place)"
        elif not os.access(self._config, os.R_OK):
            looked += f" (you may not read {self._config}, which may name another place)"
        start = f"start it with `systemctl start relayd`, or `relayd run -c {self._config}`"
        fail("the daemon is not running", EX_UNAVAILABLE, f"nobody answers at {looked}; {start}")

    def _request(self, method: str, path: str, body: object, timeout: float | None) -> Any:
        with self._asked(method, path, body, timeout) as answer:
            return _read(answer.status, answer.read())

    @contextlib.contextmanager
    def _asked(
        self, method: str, path: str, body: object, timeout: float | None
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, to be read. Raises Away and Lost."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        octets = None if body is None else json.dumps(body).encode()
        for place in self._places:
            connection = _Connection(place, timeout)
            try:
                connection.request(method, "/api/v1" + path, octets, headers)
                yield connection.getresponse()
                return
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
        raise Refused(status, found)
    return found


def _refuse(refused: Refused) -> NoReturn:
    """End with what the daemon said."""
    problems = [problem["text"] for problem in refused.body.get("problems", ())]
    code = EX_DATAERR if problems else _EXITS.get(refused.status, EX_SOFTWARE)
    fail("\n  ".join(problems) or refused.body["error"], code, refused.body.get("remedy", ""))
