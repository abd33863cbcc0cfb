"""Senders that were added at run time: rows in, rows out. What writes runs in the writer's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import apsw

from relayd.core.journal import Event
from relayd.core.reasons import Reason
from relayd.store import sql
from relayd.store.contract import Fact, StoredSender
from relayd.store.writer import Transaction


def put(
    transaction: Transaction, senders: Sequence[StoredSender], facts: Sequence[Fact], events: Sequence[Event]
) -> None:
    db = transaction.db
    db.executemany(
        "INSERT OR REPLACE INTO sender (id, settings, sealed) VALUES (?, ?, ?)",
        [(one.id, json.dumps(dict(one.settings)), json.dumps(dict(one.sealed))) for one in senders],
    )
    db.executemany(
        "INSERT OR REPLACE INTO fact (kind, key, value) VALUES (?, ?, ?)",
        [(fact.kind, fact.key, json.dumps(dict(fact.value))) for fact in facts],
    )
    transaction.note([(None, event) for event in events])


def remove(
    transaction: Transaction, id: str, forget: Sequence[tuple[str, str]], events: Sequence[Event]
) -> None:
    transaction.db.execute("DELETE FROM sender WHERE id = ?", (id,))
    transaction.db.executemany("DELETE FROM fact WHERE kind = ? AND key = ?", list(forget))
    transaction.note([(None, event) for event in events])


def every(db: apsw.Connection) -> list[StoredSender]:
    return [
        StoredSender(id=id, settings=json.loads(settings), sealed=json.loads(sealed))
        for id, settings, sealed in sql.every(db, "SELECT id, settings, sealed FROM sender ORDER BY id")
    ]


def held(db: apsw.Connection) -> Mapping[tuple[str, Reason], int]:
    found = sql.every(  # `state < 2` as in the index, which SQLite uses for nothing less
        db,
        "SELECT sender, held, count(*) FROM recipient WHERE state < 2 AND state = 1 AND held IS NOT NULL"
        " GROUP BY sender, held",
    )
    return {(sender, Reason(reason)): count for sender, reason, count in found}
