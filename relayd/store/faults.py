"""What SQLite says, as the store's faults: which file, and what to do."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

import apsw

from relayd.store.contract import StoreDamaged, StoreError, StoreFull

_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_FSYNC: Final = frozenset({apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC})


def fault(error: Exception, path: Path, number: int = 0) -> StoreError:
    """The fault to raise for what a library raised while working on the database at `path`. `number`: the
    errno of the system call that failed, where the connection knows it."""
    if isinstance(error, StoreError):
        return error
    if isinstance(error, apsw.FullError) or (
        isinstance(error, apsw.IOError)
        and (number in _NO_SPACE or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE)
    ):
        return StoreFull(f"{path}: no space left on the disk; make room, relayd goes on by itself")
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return damaged(path, str(error))
    if isinstance(error, apsw.IOError | apsw.CantOpenError | apsw.ReadOnlyError):
        return StoreError(f"{path}: the disk or file system failed ({error}); look into the kernel's log")
    if isinstance(error, apsw.ConstraintError):
        return StoreError(f"{path}: refused, it is there already or contradicts what is ({error})")
    return StoreError(f"{path}: {type(error).__name__}: {error}")


def damaged(path: Path, detail: str) -> StoreDamaged:
    return StoreDamaged(
        f"{path} is damaged ({detail}). Stop relayd, keep copies of {path.name} and {path.name}-wal, and put "
        f"back a backup made with `relayd backup`; without one, `sqlite3 {path} .recover` saves what it can"
    )


def breaks(error: Exception) -> bool:
    """True when nothing more may be written: after a failed fsync the kernel may have dropped the pages, and
    a second fsync would say yes about data that never reached the disk."""
    return isinstance(error, apsw.Error) and getattr(error, "extendedresult", 0) in _FSYNC
