"""One statement that writes the rows of many pieces of work, whatever their tables.

Each call into SQLite gives the interpreter's lock away and waits behind a busy event loop to have it again: a
millisecond or more, for microseconds of work. So a group is one call: its rows go into a view, and the view's
trigger puts each into its table. A statement by itself is a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

import apsw

Row = tuple[Any, ...]

MESSAGE, CONTENT, RECIPIENT, SETTLED, EVENT, RECEIVING, PUT = range(7)
"""The kinds of rows, by what becomes of them."""

MOST: Final = 512
"""Rows a statement; of 13 values each, so well within the 32,766 that SQLite takes."""

_NAMES: Final = "abcdefghijkl"
_SIZES: Final = (*range(1, 33), *range(36, 65, 4), *range(72, 129, 8), 160, 192, 256, 384, MOST)
"""Statements there are, by their rows; rows of no kind fill up to the next size. Each is compiled once."""


def _insert(columns: str) -> str:
    values = ", ".join(f"NEW.{name}" for name in _NAMES[: columns.count(",") + 1])
    return f"INSERT INTO {columns} VALUES ({values})"  # noqa: S608  # all of it is written above


_WHAT_TO_DO: Final = {
    MESSAGE: _insert("message (n, id, sender, ref, received, held, facts, dressing)"),
    CONTENT: _insert("content (id, crc, data)"),
    RECIPIENT: _insert("recipient (id, hop, sender, address, return_path, state, due, held, last)"),
    SETTLED: "UPDATE recipient SET state = NEW.b, due = NEW.c, wait = NEW.d, held = NEW.e,"
    " attempts = NEW.f, waited = NEW.g, uncertain = NEW.h, warned = NEW.i, released = NEW.j,"
    " ended = NEW.k, pending = NULL, last = coalesce(NEW.l, last) WHERE id = NEW.a",
    EVENT: _insert("event (seq, message, time, facts)"),
    RECEIVING: _insert("receiving (n)"),
    PUT: "DELETE FROM receiving WHERE n = NEW.a",
}


def prepare(db: apsw.Connection) -> None:
    """Make the view and its triggers for this connection. They are not in the file."""
    columns = ", ".join(("kind", *_NAMES))
    nothing = ", ".join("NULL" for _ in range(len(_NAMES) + 1))
    db.execute(f"CREATE TEMP VIEW work ({columns}) AS SELECT {nothing} WHERE 0")
    for kind, what in _WHAT_TO_DO.items():
        db.execute(
            f"CREATE TEMP TRIGGER work_{kind} INSTEAD OF INSERT ON work WHEN NEW.kind = {kind} "
            f"BEGIN {what}; END"
        )


def row(kind: int, values: Row) -> Row:
    """As the statement takes it."""
    return (kind, *values, *_PADDING[len(values)])


def write(db: apsw.Connection, rows: Sequence[Row]) -> None:
    """Write rows made by `row`: up to MOST at once, as a transaction where none is open."""
    for start in range(0, len(rows), MOST):
        piece = rows[start : start + MOST]
        size = _SIZE[len(piece)]
        db.execute(_TEXT[size], tuple(chain.from_iterable(piece)) + _EMPTY * (size - len(piece)))


_PADDING: Final = tuple((None,) * (len(_NAMES) - n) for n in range(len(_NAMES) + 1))
_EMPTY: Final = (None,) * (len(_NAMES) + 1)


def _text(size: int) -> str:
    values = "(" + ",".join("?" * (len(_NAMES) + 1)) + ")"
    return "INSERT INTO work VALUES " + ",".join([values] * size)  # noqa: S608  # question marks


_TEXT: Final = {size: _text(size) for size in _SIZES}
_SIZE: Final = [next(size for size in _SIZES if size >= rows) for rows in range(MOST + 1)]


def all_of(kind: int, rows: Iterable[Row]) -> list[Row]:
    return [row(kind, values) for values in rows]
