"""The database file: its lock, its settings, its schema, its check."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import apsw

from relayd.store import faults, sql, statement
from relayd.store.contract import StoreBusy, StoreError

FILE: Final = "relayd.db"
LOCK: Final = "relayd.lock"

APPLICATION: Final = 0x726C7964
"""`rlyd`, at octet 68 of the file: nobody else's database is taken for ours."""

PAGE: Final = 4096
"""Octets. Measured, see docs/decisions/0001-one-embedded-database.md."""

WAL: Final = 64 * 1024 * 1024
"""Octets that the WAL's file keeps after a burst; more is given back."""

TABLES: Final = ("message", "recipient", "fact", "sender")
"""What everything stands on, read through at the start."""

CACHE: Final = 8192
"""KiB of page cache for each of the two connections."""


class Lock:
    """One process per state directory. flock: held as long as the process lives, however it ends."""

    def __init__(self, state_dir: Path) -> None:
        self._file = os.open(state_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise StoreBusy(
                f"{state_dir} is in use by another relayd (process {holder}): stop it, or let commands go "
                f"through the running daemon"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)


def schema() -> Sequence[str]:
    """The scripts that lead from nothing to today's schema, in order; the n-th leads to version n."""
    folder = resources.files("relayd.store").joinpath("schema")
    scripts = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return tuple(script.read_text("utf-8") for script in scripts)


def open_writer(path: Path, scripts: Sequence[str]) -> apsw.Connection:
    """The one connection that writes and checkpoints. Raises StoreDamaged, StoreError."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        db = _connect(path)
        if db.pragma("page_count") == 0:
            db.pragma("page_size", PAGE)
            db.pragma("auto_vacuum", "INCREMENTAL")
            db.pragma("application_id", APPLICATION)
        elif db.pragma("application_id") != APPLICATION:
            raise StoreError(f"{path} is a database of something else; point state_dir elsewhere")
        if db.pragma("journal_mode", "WAL") != "wal":
            raise StoreError(f"{path}: the file system can't hold a WAL (shared memory); use a local disk")
        db.pragma("synchronous", "FULL")
        db.pragma("secure_delete", True)
        db.pragma("journal_size_limit", WAL)
        migrate(db, path, scripts)
        check(db, path)
        statement.prepare(db)
    except apsw.Error as error:
        raise faults.fault(error, path) from error
    return db


def open_reader(path: Path) -> apsw.Connection:
    """The connection that only reads; it never checkpoints."""
    db = _connect(path)
    db.pragma("query_only", True)
    return db


def _connect(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path), statementcachesize=400)
    db.set_busy_timeout(5_000)  # only foreign tools that look at the file make us wait
    db.wal_autocheckpoint(0)
    db.pragma("cache_size", -CACHE)
    db.pragma("temp_store", "MEMORY")
    db.pragma("trusted_schema", False)
    return db


def migrate(db: apsw.Connection, path: Path, scripts: Sequence[str]) -> None:
    """Bring the schema up to `len(scripts)`, each step in a transaction of its own."""
    found = int(db.pragma("user_version"))
    if found > len(scripts):
        raise StoreError(
            f"{path} was written by a newer relayd (schema {found}, this one knows {len(scripts)}): "
            f"install that version again, or put back a backup from before the upgrade"
        )
    for version, script in enumerate(scripts[found:], start=found + 1):
        with db:
            db.execute(script).fetchall()
            db.pragma("user_version", version)


def check(db: apsw.Connection, path: Path) -> None:
    """Read the tables everything stands on. Content isn't read: it is by far the largest, each row has a
    checksum of its own, and a damaged one holds its own message only."""
    for table in TABLES:
        (found,) = sql.only(db, f"PRAGMA quick_check({table})")
        if found != "ok":
            raise faults.damaged(path, found)
