"""Clearing what is over. The reading connection looks for it, the writer deletes it in small transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import apsw

from relayd.store import rows, sql
from relayd.store.writer import Transaction

AT_ONCE: Final = 20
"""Messages deleted in one transaction: `secure_delete` writes zeros over all of their content."""

EVENTS_AT_ONCE: Final = 1000

_OVER: Final = (
    " AND NOT EXISTS (SELECT 1 FROM recipient r WHERE r.id BETWEEN m.n << 16 AND m.n << 16 | 65535"
    " AND (r.state < 2 OR r.ended > ?2))"
)
_CONTENTS: Final = (
    "WITH RECURSIVE owner(n) AS ("
    " SELECT (SELECT id >> 16 FROM content WHERE id > ?1 << 16 | 65535 ORDER BY id LIMIT 1)"
    " UNION ALL SELECT (SELECT id >> 16 FROM content WHERE id > owner.n << 16 | 65535 ORDER BY id LIMIT 1)"
    " FROM owner WHERE owner.n IS NOT NULL AND coalesce("
    "  (SELECT received FROM message WHERE n = owner.n), 0) <= ?2)"
    " SELECT m.n FROM owner CROSS JOIN message m ON m.n = owner.n WHERE m.received <= ?2"
)


_MESSAGES: Final = "SELECT m.n FROM message m WHERE m.n > ?1 AND m.received <= ?2"


def contents(db: apsw.Connection, cutoff: int, after: int) -> list[int]:
    """Messages with content, all of whose recipients became final by `cutoff`. Goes through the content in
    order of arrival, one step a message, and stops at the first that arrived later."""
    return [n for (n,) in sql.every(db, f"{_CONTENTS}{_OVER} LIMIT {AT_ONCE}", (after, cutoff))]


def messages(db: apsw.Connection, cutoff: int, after: int) -> list[int]:
    """Messages that became final by `cutoff`."""
    return [n for (n,) in sql.every(db, f"{_MESSAGES}{_OVER} ORDER BY m.n LIMIT {AT_ONCE}", (after, cutoff))]


def events(db: apsw.Connection, cutoff: int, after: int) -> tuple[int, bool]:
    """The seq up to which everything is older than `cutoff`, EVENTS_AT_ONCE at a time, and whether there is
    more. Never the newest event: the next one is numbered after it."""
    found = sql.every(
        db,
        "SELECT seq, time FROM event WHERE seq > ? AND seq < (SELECT max(seq) FROM event) ORDER BY seq"
        " LIMIT ?",
        (after, EVENTS_AT_ONCE),
    )
    last = after
    for seq, time in found:
        if time > cutoff:
            return last, False
        last = seq
    return last, len(found) == EVENTS_AT_ONCE


def received(db: apsw.Connection) -> list[int]:
    """Numbers of bodies that were not put."""
    return [n for (n,) in sql.every(db, "SELECT n FROM receiving ORDER BY n")]


def drop_contents(transaction: Transaction, numbers: Sequence[int]) -> None:
    for n in numbers:
        transaction.db.execute("DELETE FROM content WHERE id BETWEEN ? AND ?", rows.span(n))


_NUMBERED: Final = (
    "INSERT INTO fact (kind, key, value) VALUES ('', 'numbered', ?) ON CONFLICT DO UPDATE"
    " SET value = max(cast(value AS INTEGER), cast(excluded.value AS INTEGER))"
)
"""Keeps the highest number in mind: an event may outlive its message, and must not become another's."""


def drop_messages(transaction: Transaction, numbers: Sequence[int]) -> list[int]:
    """Returns how many recipients of each state are gone."""
    gone = [0] * len(rows.STATES)
    drop_contents(transaction, numbers)
    for n in numbers:
        for (state,) in sql.every(
            transaction.db, "DELETE FROM recipient WHERE id BETWEEN ? AND ? RETURNING state", rows.span(n)
        ):
            gone[state] += 1
        transaction.db.execute("DELETE FROM message WHERE n = ?", (n,))
    transaction.db.execute(_NUMBERED, (max(numbers),))
    return gone


def drop_events(transaction: Transaction, after: int, last: int, cutoff: int) -> None:
    """Events of messages that are gone, and of none."""
    transaction.db.execute(
        "DELETE FROM event WHERE seq > ? AND seq <= ? AND time <= ?"
        " AND NOT EXISTS (SELECT 1 FROM message WHERE n = event.message)",
        (after, last, cutoff),
    )


def drop_received(transaction: Transaction, numbers: Sequence[int]) -> None:
    """Bodies that nobody is sending any more. One that was put since somebody looked is a message's now."""
    for n in numbers:
        if sql.every(transaction.db, "DELETE FROM receiving WHERE n = ? RETURNING n", (n,)):
            drop_contents(transaction, [n])


def shrink(db: apsw.Connection, pages: int) -> int:
    """Give up to `pages` free pages back to the file system, at the next checkpoint. Returns how many are
    left."""
    db.pragma("incremental_vacuum", pages)
    return int(db.pragma("freelist_count"))


def truncate(db: apsw.Connection) -> bool:
    """Copy the WAL into the database and empty its file: old pages lie in it as they were. False: a reader
    was in the way."""
    try:
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        return False
    return True
