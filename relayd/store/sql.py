"""Rows out of a query. What a column holds is known to the statement, not to the type checker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import apsw

Row = tuple[Any, ...]


def each(db: apsw.Connection, query: str, values: Sequence[Any] = ()) -> Iterator[Row]:
    """Rows one by one, as SQLite finds them."""
    return iter(db.execute(query, values))


def every(db: apsw.Connection, query: str, values: Sequence[Any] = ()) -> list[Row]:
    return db.execute(query, values).fetchall()


def first(db: apsw.Connection, query: str, values: Sequence[Any] = ()) -> Row | None:
    return db.execute(query, values).fetchone()


def only(db: apsw.Connection, query: str, values: Sequence[Any] = ()) -> Row:
    """Of a query that always has a row."""
    found = first(db, query, values)
    assert found is not None
    return found
