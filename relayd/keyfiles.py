"""Files that hold a key: made whole or not at all, read, and looked at for who else may read them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


class VaultError(Exception):
    """A key is missing or unusable; the text names the file and what to do."""


def read(path: Path) -> bytes:
    """Raises VaultError."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise VaultError(
            f"{path}: the key is missing. The store in use was made with it, so no new one is made: restore "
            "it from a backup, or correct the path"
        ) from None
    except OSError as error:
        raise VaultError(f"{path}: can't be read: {error.strerror}") from None


def readable(path: Path) -> tuple[str, ...]:
    """Only of `others`: a group of its own is how some systems hand secrets to services."""
    if not path.exists() or not path.stat().st_mode & 0o007:
        return ()
    return (f"{path} can be read by every user of this machine; take that right away with: chmod o= {path}",)


def make(path: Path, content: Callable[[], bytes]) -> None:
    """Write a new secret that either is there whole or not at all; one that is there stays. Raises
    VaultError."""
    if path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, content())
    except OSError as error:
        raise VaultError(f"{path}: the new key can't be written: {error.strerror}") from None


def remove(path: Path) -> None:
    """For good: after a power loss, too. Raises OSError."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)  # unlike a rename, this never replaces a key made meanwhile
        _sync(path.parent)
    finally:
        temporary.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
