"""Whether the disk has room for a new message: asked before one is taken, not found out in the middle."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

SHARE: Final = 0.05
"""Of the disk, and of its inodes, that stays free: results, the WAL and the status log need it."""

ENOUGH: Final = 1024**3
"""Octets that are plenty, however large the disk: 5 % of a terabyte would refuse mail for nothing."""

MESSAGES: Final = 1.5
"""Largest messages that must fit (Postfix: queue_minfree, at least 1.5 times message_size_limit)."""

KNOWN_FOR: Final = 1.0
"""Seconds that an answer is used again: at full speed a disk doesn't fill by more than some messages."""


class Space:
    """Looks at the file system that holds `folder`."""

    def __init__(
        self,
        folder: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        look: Callable[[Path], os.statvfs_result] = os.statvfs,
    ) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._look = look
        self._free: tuple[int, int] | None = None  # octets that may be used, and those to keep free
        self._inodes = True
        self._until = 0.0

    def low(self, message_size: int) -> bool:
        """Too little is left to take a message of up to `message_size` octets. A file system that can't be
        asked is no reason to refuse."""
        now = self._monotonic()
        if now >= self._until:
            self._until = now + KNOWN_FOR
            self._ask()
        if self._free is None:
            return False
        free, keep = self._free
        return not self._inodes or free < max(MESSAGES * message_size, keep)

    def _ask(self) -> None:
        try:
            found = self._look(self._folder)
        except OSError:
            self._free = None
            return
        size = found.f_blocks * found.f_frsize
        self._free = found.f_bavail * found.f_frsize, min(int(SHARE * size), ENOUGH)
        # Some file systems have no fixed number of inodes and say 0.
        self._inodes = not found.f_files or found.f_favail >= SHARE * found.f_files
