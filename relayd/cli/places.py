"""Where the daemon of a config file is reached: its sockets and its status log.

Read leniently. Whoever may use the API, or hand in mail, need not be allowed to read the whole config, and a
mistake in some other key must not keep anybody from looking at the queue.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relayd.config.text import Value

STATE = "/var/lib/relayd"
RUNTIME = "/run/relayd"  # of the systemd units
LOGS = "/var/log/relayd"


@dataclass(frozen=True, slots=True)
class Tcp:
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Each in the order to try."""

    api: tuple[Path, ...]
    status_log: tuple[Path, ...]
    smtp: tuple[Tcp | Path, ...]


def places(config: Path, environ: Mapping[str, str] = os.environ) -> Places:
    top = _read(config)
    state = _text(top.get("state_dir")) or STATE
    state = environ.get("RELAYD_STATE_DIR") or state
    socket = (
        environ.get("RELAYD_HTTP__SOCKET") or _text(_section(top.get("http")).get("socket")) or "api.sock"
    )
    log = environ.get("RELAYD_STATUS_LOG") or _text(top.get("status_log")) or "status.jsonl"
    return Places(
        api=_both(socket, state, RUNTIME),
        status_log=_both(log, state, LOGS),
        smtp=tuple(_listeners(top.get("listen"), state))
        or (Path(RUNTIME) / "smtp.sock", Tcp("127.0.0.1", 2525)),
    )


def _both(path: str, state: str, systemd: str) -> tuple[Path, ...]:
    """A relative path starts in the state folder, under systemd in the folder made for it."""
    if path.startswith("/"):
        return (Path(path),)
    return (Path(state) / path, Path(systemd) / path)


def _read(config: Path) -> Mapping[str, Value]:
    from relayd.config.text import Reader

    try:
        tree = Reader(file=str(config)).read(config.read_text())
    except (OSError, ValueError):
        return {}
    return _section(tree)


def _section(value: Value | None) -> Mapping[str, Value]:
    return value.data if value is not None and isinstance(value.data, dict) else {}


def _text(value: Value | None) -> str | None:
    return value.data if value is not None and isinstance(value.data, str) else None


def _listeners(value: Value | None, state: str) -> list[Tcp | Path]:
    """Unix sockets first: they tell who we are."""
    items = value.data if value is not None and isinstance(value.data, list) else []
    found: list[Tcp | Path] = []
    for item in items:
        listen = _section(item)
        port = listen["port"].data if "port" in listen else None
        if path := _text(listen.get("path")):
            found.extend(_both(path, state, RUNTIME))
        elif (host := _text(listen.get("address"))) and isinstance(port, int):
            found.append(Tcp({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port))  # noqa: S104
    return sorted(found, key=lambda place: isinstance(place, Tcp))
