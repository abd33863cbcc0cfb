"""A file of JSON lines that survives kills, rotation by ourselves and rotation by others.

Synchronous: the status log calls it in a thread. A line is there whole or not at all: what a kill left
torn is cut off when the file is opened, and written again by whoever owns the cursor.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

MODE = 0o640  # a group may read it: support, log shippers
TAIL = 1024 * 1024  # octets looked at for the last whole line; the longest line has some 10 KiB


class LogFile:
    """`keep` old files are kept as `path.1` (the newest) to `path.N`, each of about `rotate_at` octets."""

    def __init__(self, path: Path, *, rotate_at: int, keep: int) -> None:
        self._path = path
        self._rotate_at = rotate_at
        self._keep = keep
        self._file: int | None = None
        self._reopen = False

    def open(self) -> None:
        """Open for appending, and cut off what a kill left torn. Raises OSError."""
        # NOFOLLOW: in a folder that a group may write to, a link could lead anywhere.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, flags, MODE)
        if os.fstat(self._file).st_size == 0:
            os.fchmod(self._file, MODE)  # the umask has no say
        self._repair()

    def reopen(self) -> None:
        """Before the next line: somebody may have moved the file away (logrotate)."""
        self._reopen = True

    def append(self, lines: Sequence[str]) -> None:
        """Write whole lines, or none of the last one. Raises OSError; then nothing torn stays behind."""
        if self._file is None or self._reopen or self._moved():
            self._reopen = False
            self.close()
            self.open()
        assert self._file is not None
        octets = "".join(lines).encode()
        size = os.fstat(self._file).st_size
        if size and size + len(octets) > self._rotate_at:
            self._rotate()
        try:
            self._write(octets)
        except OSError:
            self._repair()
            raise

    def sync(self) -> None:
        if self._file is not None:
            os.fdatasync(self._file)

    def close(self) -> None:
        """Let go of the file, with everything in it on disk."""
        if self._file is not None:
            self.sync()
            os.close(self._file)
            self._file = None

    def newest_lines(self) -> Iterator[dict[str, object]]:
        """The last whole lines of this file, newest first; where it has none, of those rotated away.
        Files that were compressed have none."""
        for path in (self._path, *self._rotated()):
            lines = list(_tail(path))
            yield from reversed(lines)
            if lines:
                return

    def _rotated(self) -> list[Path]:
        """What this file was called before, by us (`.1`) or by logrotate (`-20300101`), newest first."""
        found = [p for p in self._path.parent.glob(f"{self._path.name}[.-]*") if p.is_file()]
        return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)

    def _moved(self) -> bool:
        assert self._file is not None
        try:
            there = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            return True
        return not os.path.samestat(there, os.fstat(self._file))

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 1, -1):
            younger = self._path.with_name(f"{self._path.name}.{number - 1}")
            if younger.exists():
                younger.replace(self._path.with_name(f"{self._path.name}.{number}"))
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self.open()

    def _write(self, octets: bytes) -> None:
        assert self._file is not None
        view = memoryview(octets)
        while view:
            view = view[os.write(self._file, view) :]

    def _repair(self) -> None:
        """Cut the file after its last whole line."""
        assert self._file is not None
        status = os.fstat(self._file)
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            return
        start = max(0, status.st_size - TAIL)
        tail = os.pread(self._file, TAIL, start)
        good = 0
        for end in _line_ends(tail):
            # A power loss may leave octets that were never written: they are no JSON.
            if _parse(tail[tail.rfind(b"\n", 0, end - 1) + 1 : end]) is not None or (start and not good):
                good = end
        if good < len(tail):
            os.ftruncate(self._file, start + good)


def _line_ends(octets: bytes) -> Iterator[int]:
    end = octets.find(b"\n") + 1
    while end:
        yield end
        end = octets.find(b"\n", end) + 1


def _tail(path: Path) -> Iterator[dict[str, object]]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read(TAIL).split(b"\n")
    except OSError:
        return
    for line in lines[:-1]:
        if (found := _parse(line)) is not None:
            yield found


def _parse(line: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
