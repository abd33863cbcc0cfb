"""relayd as a contender: `relayd run`, everything at its defaults but what the comparison fixes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from benchmarks.load import RECIPIENT, SENDER, free_port, processor_seconds, wait_for_port

PLATFORM = "platform.example"
SELECTOR = "r1"
RETURN_PATH = f"bounce.{PLATFORM}"
_RELAYD = Path(sys.executable).with_name("relayd")


class Relayd:
    """Running while the context lasts.

    `samples`: let a sampler look at its threads (`benchmarks.sampling`) and write what it saw to this file.
    """

    name = "relayd"

    def __init__(
        self, folder: Path, *, sink_port: int, key: Path, nameserver: str, samples: Path | None = None
    ) -> None:
        self.folder = folder / ("relayd" if samples is None else "relayd-sampled")
        self.port = free_port()
        self._sink_port, self._key, self._nameserver, self._samples = sink_port, key, nameserver, samples
        self._process: subprocess.Popen[bytes] | None = None
        self._journal: _Tail | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Self:
        keys = self.folder / "state" / "keys"
        keys.mkdir(mode=0o700, parents=True)
        (self.folder / "state").chmod(0o700)
        shutil.copy(self._key, keys / "r1.pem")
        (keys / "r1.pem").chmod(0o600)
        config = self.folder / "relayd.yaml"
        config.write_text(json.dumps(self._settings(), indent=1))  # JSON is YAML
        runner = [str(_RELAYD)]
        if self._samples is not None:
            runner = [sys.executable, "-m", "benchmarks.sampling", str(self._samples)]
        self._log = (self.folder / "relayd.log").open("ab")
        self._process = subprocess.Popen(
            [*runner, "run", "-c", str(config)], stdout=self._log, stderr=self._log
        )
        self._journal = _Tail(self.folder / "state" / "status.jsonl")
        try:
            wait_for_port(self.port)
        except TimeoutError as error:
            self.__exit__(None, None, None)
            raise RuntimeError(f"relayd did not start: {self.log()}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._log is not None:
            self._log.close()

    def done(self) -> bool:
        """Every message it accepted has its final event in the status log."""
        assert self._journal is not None
        self._journal.read()
        return self._journal.accepted == self._journal.relayed

    def memory(self, what: str) -> float:
        """MiB of the daemon: `VmRSS` now, or `VmHWM`, the most there ever was; and what its process for
        signatures has besides what both share."""
        assert self._process is not None
        return _kib(f"/proc/{self._process.pid}/status", (what,)) / 1024 + sum(
            _kib(f"/proc/{child}/smaps_rollup", ("Private_Clean", "Private_Dirty")) / 1024
            for child in self._children()
        )

    def processor(self) -> float:
        """Seconds of processor time used since the start, by all its processes."""
        assert self._process is not None
        return sum(processor_seconds(pid) for pid in (self._process.pid, *self._children()))

    def _children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def log(self) -> str:
        return (self.folder / "relayd.log").read_text(errors="replace")[-3000:]

    def _settings(self) -> dict[str, object]:
        return {
            "hostname": f"relay.{PLATFORM}",
            "state_dir": str(self.folder / "state"),
            "listen": [{"address": "127.0.0.1", "port": self.port}],
            "platform": {
                "domain": PLATFORM,
                "name": "Platform",
                "return_path": RETURN_PATH,
                "dkim": {"selector": SELECTOR, "key_file": "keys/r1.pem"},
                "smarthost": {"host": "127.0.0.1", "port": self._sink_port, "tls": "none"},
            },
            "senders": {
                "acme": {"name": "ACME", "address": SENDER, "confirmed": True, "local_part": "acme"},
            },
            "delivery": {"answer_within": "0s", "parallel": 50},  # 50 at once, as the peer
            "dns": {"nameservers": [self._nameserver]},
        }


def _kib(path: str, names: tuple[str, ...]) -> int:
    lines = Path(path).read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(names))


class _Tail:
    """Counts events in the status log as it grows, across rotation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._rest = b""
        self.accepted = 0
        self.relayed = 0

    def read(self) -> None:
        while True:
            if self._file is None:
                if not self._path.exists():
                    return
                self._file = self._path.open("rb")
            *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
            for line in lines:
                event = json.loads(line)
                self.accepted += event["type"] == "accepted"
                self.relayed += event["type"] == "relayed"
                if event["type"] not in ("accepted", "relayed", "proven"):
                    raise RuntimeError(f"{RECIPIENT} did not simply get its mail: {line.decode()}")
            if self._path.stat().st_ino == os.fstat(self._file.fileno()).st_ino:
                return
            self._file.close()
            self._file = None
