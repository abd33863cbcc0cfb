"""The load and where it ends: Postfix's smtp-source and smtp-sink, the same for both contenders."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

SENDER = "billing@acme.example"
RECIPIENT = "accounts@customer.example"
_POLL = 0.005  # seconds; against runs of several seconds
_COUNT = re.compile(rb"mesg=(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One kind of work: `messages` of `size` octets over `sessions` at once."""

    name: str
    messages: int
    size: int
    sessions: int
    goal: float | None = None  # times the peer, from the issue that started the project


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on right now. (The programs compared here can't report one they picked.)"""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, *, host: str = "127.0.0.1", seconds: float = 20) -> None:
    """Wait until a server answers with a greeting. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection((host, port), timeout=2) as probe:
                if probe.recv(3) == b"220":
                    probe.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        time.sleep(_POLL)
    raise TimeoutError(f"no greeting on {host}:{port} within {seconds:.0f} s")


class Sink:
    """smtp-sink with its own counter. It answers at once and throws everything away."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.count = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        command = ["smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1000"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/")
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        wait_for_port(self.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def read(self) -> int:
        """Messages taken since it started, by its own count."""
        assert self._process is not None
        assert self._process.stdout is not None
        while chunk := self._process.stdout.read(1 << 16):
            self._rest = (self._rest + chunk)[-200:]
            if found := _COUNT.findall(self._rest.rpartition(b"\r")[0] or self._rest):
                self.count = int(found[-1])
        if found := _COUNT.findall(self._rest):
            self.count = max(self.count, int(found[-1]))
        return self.count


@contextmanager
def source(load: Load, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """smtp-source at work; each message over a new connection, as applications send."""
    command = ["smtp-source", "-s", str(load.sessions), "-m", str(load.messages), "-l", str(load.size)]
    command += ["-f", SENDER, "-t", RECIPIENT, f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd="/")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def missing_programs() -> list[str]:
    """What the comparison needs and this machine hasn't got."""
    return [
        name for name in ("postfix", "smtp-source", "smtp-sink", "opendkim") if shutil.which(name) is None
    ]


def processor_seconds(pid: int, *, reaped: bool = False) -> float:
    """What a process has used since its start, all threads; with `reaped` also its children that have ended.

    0 for a process that is gone.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # utime, stime, cutime, cstime: the fields 14 to 17 of proc(5); the split starts at field 3
    return sum(int(each) for each in fields[11 : 15 if reaped else 13]) / os.sysconf("SC_CLK_TCK")
