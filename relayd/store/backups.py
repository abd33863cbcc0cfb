"""A consistent copy of the database while it is in use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import apsw

from relayd.store import faults


def copy(path: Path, to: Path) -> None:
    """Copy the database at `path` to `to`, which must not exist. Durable on return.

    VACUUM INTO reads one snapshot, whatever is written meanwhile, and copies no free pages; only emptying
    the WAL has to wait for it. Raises FileExistsError, OSError (the folder), StoreError.
    """
    if to.exists():
        raise FileExistsError(f"{to} exists already; a backup never overwrites")
    with tempfile.TemporaryDirectory(prefix=f".{to.name}.", dir=to.parent) as folder:  # nobody else looks in
        partial = Path(folder) / to.name
        try:
            db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                db.execute("VACUUM INTO ?", (str(partial),))
            finally:
                db.close()
        except apsw.Error as error:
            raise faults.fault(error, to) from error
        partial.chmod(0o600)
        _sync(partial)
        os.link(partial, to)  # unlike a rename, it fails when somebody was faster
    _sync(to.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
