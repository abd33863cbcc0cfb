"""What an operator does to many recipients, and what the store does at its start. Each function runs in the
writer's transaction and changes nothing but the database."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import apsw

from relayd.core.delivery import State
from relayd.core.journal import Event
from relayd.core.mail import Dressing, Recipient
from relayd.core.reasons import Reason
from relayd.crashpoints import crashpoint
from relayd.store import reading, rows, sql, verbs
from relayd.store.contract import Selection, Verb
from relayd.store.waiting import Pair
from relayd.store.writer import Transaction

AT_ONCE: Final = 500
"""Recipients that one transaction acts on: others wait for it, some tens of milliseconds at most."""

VOID: Final = (
    "UPDATE recipient SET due = (SELECT received FROM message WHERE n = recipient.id >> 16)"
    " WHERE state < 2 AND state = 0 AND due IS NULL"
)
"""Leases end with their process. `state < 2` as in the index, which SQLite uses for nothing less."""

SELECT: Final = (
    "SELECT r.id, r.hop, r.sender, r.address, r.state, m.id, m.ref, m.facts, m.dressing, r.pending, r.held"
    " FROM recipient r CROSS JOIN message m ON m.n = r.id >> 16 WHERE r.state < 2"
)


@dataclass(slots=True)
class Acted:
    last: int | None = None  # the id to go on after; None: all done
    changed: list[tuple[State, State]] = field(default_factory=list)
    due: set[Pair] = field(default_factory=set)
    events: list[Event] = field(default_factory=list)


def park(transaction: Transaction, parked: Sequence[tuple[int, int]]) -> None:
    """Give recipients that were in memory their due time in the database: (id, microseconds)."""
    transaction.db.executemany("UPDATE recipient SET due = ?2 WHERE id = ?1 AND state = 0", parked)


def act(
    transaction: Transaction,
    verb: Verb,
    state: State,
    selection: Selection,
    now: datetime,
    reason: Reason | None,
    *,
    leased: Collection[int],
    after: int,
) -> Acted:
    """Act on up to AT_ONCE selected recipients in `state` with an id over `after`. Queued ones without
    a due time are in memory, for a lease or in one: their turn comes when their parcel is settled."""
    conditions, values = reading.where(selection)
    conditions += [
        f"r.state = {rows.NUMBER[state]}",
        "(r.state = 1 OR r.due IS NOT NULL)",
        f"r.id NOT IN ({reading.exclude(leased)})",
        "r.id > ?",
    ]
    if selection.message is not None:  # one message: don't look through all that is open
        known = sql.first(transaction.db, "SELECT n FROM message WHERE id = ?", (selection.message,))
        if known is None:
            return Acted()
        conditions.append(f"r.id <= {rows.span(known[0])[1]}")
        after = max(after, rows.span(known[0])[0] - 1)
    found = sql.every(
        transaction.db,
        f"{SELECT} AND {' AND '.join(conditions)} ORDER BY r.id LIMIT {AT_ONCE}",
        (*values, after),
    )
    acted = Acted(last=found[-1][0] if len(found) == AT_ONCE else None)
    for row in found:
        _change(transaction, row, verb, reason, now, acted)
    return acted


def acting(
    verb: Verb,
    state: State,
    selection: Selection,
    now: datetime,
    reason: Reason | None,
    leased: Sequence[int],
    after: int,
) -> Callable[[Transaction], Acted]:
    return lambda transaction: act(
        transaction, verb, state, selection, now, reason, leased=leased, after=after
    )


def _change(
    transaction: Transaction,
    row: tuple[Any, ...],
    verb: Verb,
    reason: Reason | None,
    now: datetime,
    acted: Acted,
) -> None:
    identity, hop, sender, address, state, message, ref, facts, dressing, _, held = row
    rung, proof = rows.entitlement(dressing)
    event = verbs.acted(
        verb,
        reason,
        now,
        message=message,
        ref=ref,
        sender=sender,
        rung=rung,
        proof=proof,
        recipient=address,
        test=rows.is_test(facts),
        held=Reason(held) if held else None,
    )
    transaction.note([(identity >> rows.SHIFT, event)])
    to, stamp = verbs.TO[verb], rows.stamp(now)
    transaction.db.execute(
        "UPDATE recipient SET state = ?, due = ?, held = ?, ended = ?, pending = NULL, last = ?, wait = 0,"
        " released = released OR ? WHERE id = ?",
        (
            rows.NUMBER[to],
            stamp if to is State.QUEUED else None,
            reason if to is State.HELD else None,
            stamp if to is State.FAILED else None,
            transaction.seq,
            verb is Verb.RELEASE,
            identity,
        ),
    )
    acted.changed.append((rows.STATES[state], to))
    acted.events.append(event)
    if to is State.QUEUED:
        acted.due.add((hop, sender))


def remind(transaction: Transaction, identities: Sequence[int], pending: verbs.Pending | None) -> None:
    """Keep what is to happen to leased recipients when they are settled, across a crash too."""
    text = None
    if pending is not None:
        verb, reason = pending
        text = verb.value if reason is None else f"{verb.value}:{reason.value}"
    transaction.db.executemany(
        "UPDATE recipient SET pending = ? WHERE id = ?", [(text, identity) for identity in identities]
    )


def recover(transaction: Transaction, now: datetime) -> None:
    """At the start: leases of the last process are void, verbs that waited for them take effect, bodies that
    were never put are gone, and no due time is further away than was planned when it was set (the clock may
    have been wrong then)."""
    db = transaction.db
    for (n,) in sql.every(db, "SELECT n FROM receiving"):
        db.execute("DELETE FROM content WHERE id BETWEEN ? AND ?", rows.span(n))
    db.execute("DELETE FROM receiving")
    db.execute(VOID)
    clamp(transaction, now)
    for row in sql.every(db, f"{SELECT} AND r.pending IS NOT NULL"):
        verb, _, reason = row[9].partition(":")
        if rows.STATES[row[4]] in verbs.FROM[Verb(verb)]:
            _change(transaction, row, Verb(verb), Reason(reason) if reason else None, now, Acted())


def clamp(transaction: Transaction, now: datetime) -> None:
    """After a clock that was set back: nothing waits longer than was planned when it was settled."""
    stamp = rows.stamp(now)
    transaction.db.execute(
        "UPDATE recipient SET due = ?1 + cast(wait * 1000000 AS INTEGER)"
        " WHERE due IS NOT NULL AND due > ?1 AND due > ?1 + cast(wait * 1000000 AS INTEGER)",
        (stamp,),
    )


def at_start(db: apsw.Connection, seq: int, now: datetime) -> None:
    """`recover` in a transaction of its own, before there is a writer."""
    db.execute("BEGIN IMMEDIATE")
    recover(Transaction(db, seq), now)
    crashpoint("open.before_commit")
    db.execute("COMMIT")
    crashpoint("open.after_commit")


# --- a message dressed anew


def dress(transaction: Transaction, n: int, dressing: Dressing, recipients: Sequence[Recipient]) -> None:
    """Replace the dressing of message n, and hop and return path of the recipients given."""
    db = transaction.db
    db.execute("UPDATE message SET dressing = ?, held = NULL WHERE n = ?", (rows.dressing_facts(dressing), n))
    identity, crc, header = rows.content_row(n, rows.DRESSED, dressing.header)
    db.execute("UPDATE content SET crc = ?, data = ? WHERE id = ?", (crc, header, identity))
    move(transaction, n, recipients)


def move(transaction: Transaction, n: int, recipients: Sequence[Recipient]) -> None:
    transaction.db.executemany(
        "UPDATE recipient SET hop = ?, return_path = ? WHERE id = ?",
        [(r.hop.key, r.return_path, (n << rows.SHIFT) | r.index) for r in recipients],
    )


# --- facts and notes


def note(transaction: Transaction, events: Sequence[Event]) -> None:
    """Events beside any change; of a recipient, they are its newest."""
    for event in events:
        found = sql.first(transaction.db, "SELECT n FROM message WHERE id = ?", (event.message,))
        n = None if found is None else found[0]
        transaction.note([(n, event)])
        if n is not None and event.recipient is not None:
            transaction.db.execute(
                "UPDATE recipient SET last = ? WHERE id BETWEEN ? AND ? AND address = ?",
                (transaction.seq, *rows.span(n), event.recipient),
            )


def remember(
    transaction: Transaction, kind: str, key: str, value: Mapping[str, str], events: Sequence[Event]
) -> None:
    transaction.db.execute(
        "INSERT OR REPLACE INTO fact (kind, key, value) VALUES (?, ?, ?)",
        (kind, key, json.dumps(dict(value))),
    )
    note(transaction, events)


def forget(transaction: Transaction, kind: str, key: str, events: Sequence[Event]) -> None:
    transaction.db.execute("DELETE FROM fact WHERE kind = ? AND key = ?", (kind, key))
    note(transaction, events)
