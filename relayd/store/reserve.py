"""Space set aside, so that results can still be written down when the disk is full."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE: Final = "reserve"

SIZE: Final = 8 * 1024 * 1024
"""Octets: some thousands of results, or a sweep that makes room."""


class Reserve:
    """A file of SIZE octets beside the database; deleting it gives the space to whoever writes next."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE

    def make(self) -> None:
        """Set the space aside again. Without room for it there is none; that is no error."""
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            os.posix_fallocate(file, 0, SIZE)
        except OSError:
            self.free()
        finally:
            os.close(file)

    def free(self) -> bool:
        """False: it was given away before."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
