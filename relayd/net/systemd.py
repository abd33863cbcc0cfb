"""What systemd and a service tell each other: sockets it holds for us, and how we are doing."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, MutableMapping

FIRST_FD = 3  # SD_LISTEN_FDS_START


class Notifier:
    """Tells systemd how we are doing (sd_notify(3)). Without NOTIFY_SOCKET every word goes nowhere."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the NUL that begins an abstract address.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = _watchdog(environ)

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={_line(status)}")

    def stopping(self) -> None:
        self._send("STOPPING=1", "STATUS=stopping")

    def reloading(self) -> None:
        """`ready` ends it. Type=notify-reload wants the time of CLOCK_MONOTONIC with it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=reading the config again")

    def alive(self) -> None:
        """To be said more often than every `watchdog` seconds."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={_line(text)}")

    def _send(self, *words: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            try:
                out.sendto("\n".join(words).encode(), self._address)
            except OSError:
                pass  # nobody listens there: not ours to fail on


def _line(text: str) -> str:
    return " ".join(text.split())


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Seconds within which systemd wants to hear `alive` (sd_watchdog_enabled(3)); None: it doesn't."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environ.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1_000_000 if microseconds.isdecimal() and int(microseconds) else None


def listen_fds(environ: MutableMapping[str, str], *, first: int = FIRST_FD) -> dict[str, list[socket.socket]]:
    """The sockets that systemd listens on for us, by FileDescriptorName (sd_listen_fds_with_names(3)).

    The variables are taken out of `environ`, so that no child thinks they are meant for it.
    """
    pid, count, names = (environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"))
    if pid != str(os.getpid()) or not count.isdecimal():
        return {}
    named = names.split(":") if names else []
    found: dict[str, list[socket.socket]] = {}
    for offset in range(int(count)):
        os.set_inheritable(first + offset, False)
        listener = socket.socket(fileno=first + offset)
        listener.setblocking(False)
        found.setdefault(named[offset] if offset < len(named) else "unknown", []).append(listener)
    return found
