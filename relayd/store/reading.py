"""What is read from the database. Each function is one visit of the reading connection: it holds no
transaction when it returns."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import apsw

from relayd.core.delivery import State
from relayd.core.journal import Event
from relayd.core.mail import Message, Progress, Recipient
from relayd.core.reasons import Reason
from relayd.store import rows, sql, verbs
from relayd.store.contract import Record, Selection, Standing
from relayd.store.waiting import TOGETHER, Item, Kept, Pair

_MESSAGE: Final = "SELECT n, id, sender, ref, received, held, facts, dressing FROM message"
_RECIPIENT: Final = (
    "SELECT id, hop, address, return_path, state, due, held, attempts, waited, uncertain, warned, released,"
    " last FROM recipient WHERE id BETWEEN ? AND ? ORDER BY id"
)
_AMONG_OPEN: Final = (
    "n IN (SELECT r.id >> 16 FROM recipient r CROSS JOIN message m ON m.n = r.id >> 16 WHERE r.state < 2 AND "
)
_AMONG_ALL: Final = (
    "EXISTS (SELECT 1 FROM recipient r WHERE r.id BETWEEN m.n << 16 AND m.n << 16 | 65535 AND "
)


class Unreadable(Exception):
    """Content that fails its checksum, or isn't there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """Stage this many messages for a pair; `claimed` are recipients that are in memory already."""

    pair: Pair
    most: int
    claimed: frozenset[int]


@dataclass(slots=True)
class Staged:
    items: list[Item] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)  # message id, what is wrong
    left: dict[Pair, int | None] = field(default_factory=dict)  # earliest due of what is not staged


def stage(db: apsw.Connection, wants: Sequence[Want], now: int) -> Staged:
    """Read what is due for each pair, oldest first."""
    staged = Staged()
    with db:
        for want in wants:
            chosen, left = _due(db, want, now)
            staged.left[want.pair] = left
            for n in chosen:
                try:
                    staged.items += _items(db, n, want, now)
                except (Unreadable, *rows.UNREADABLE) as error:
                    (identity,) = sql.only(db, "SELECT id FROM message WHERE n = ?", (n,))
                    staged.damaged.append((identity, str(error)))
    return staged


def _due(db: apsw.Connection, want: Want, now: int) -> tuple[dict[int, None], int | None]:
    """Messages to take (in order of due time), and the earliest due time of what remains."""
    limit = len(want.claimed) + want.most * TOGETHER + 1
    found = sql.each(
        db,
        "SELECT id, due FROM recipient WHERE hop = ? AND sender = ? AND due IS NOT NULL ORDER BY due LIMIT ?",
        (*want.pair, limit),
    )
    chosen: dict[int, None] = {}
    seen = due = 0
    for identity, due in found:
        seen += 1
        n = identity >> rows.SHIFT
        if identity in want.claimed or (n in chosen and due <= now):
            continue
        if due > now or len(chosen) >= want.most:
            return chosen, due
        chosen[n] = None
    return chosen, due if seen == limit else None


def _items(db: apsw.Connection, n: int, want: Want, now: int) -> list[Item]:
    """The parcels that recipients of message n, due at this hop, make up."""
    row = sql.only(db, _MESSAGE + " WHERE n = ?", (n,))
    found = sql.every(db, _RECIPIENT, rows.span(n))
    recipients = _recipients(found)
    submitted, dressed = _part(db, n, rows.SUBMITTED), _part(db, n, rows.DRESSED)
    message = rows.message((*row[:5], None, *row[6:]), submitted, dressed, recipients)
    attempted = any(r[7] for r in found)
    kept = Kept(n=n, message=message, body=None, size=0, attempted=attempted)
    due = {
        recipient.index: r
        for recipient, r in zip(recipients, found, strict=True)
        if r[1] == want.pair[0] and r[5] is not None and r[5] <= now and r[0] not in want.claimed
    }
    return [
        Item(
            kept=kept,
            pair=want.pair,
            recipients=group,
            progress={r.index: _progress(due[r.index]) for r in group},
            due=min(due[r.index][5] for r in group),
            cold=True,
        )
        for group in verbs.together((recipients[index] for index in due), TOGETHER)
    ]


def _recipients(found: Sequence[tuple[Any, ...]]) -> tuple[Recipient, ...]:
    return tuple(rows.recipient(r[0] & 0xFFFF, r[1], r[2], r[3]) for r in found)


def _progress(row: tuple[Any, ...]) -> Progress:
    return Progress(
        attempts=row[7], waited=row[8], uncertain=row[9], warned=bool(row[10]), released=bool(row[11])
    )


# --- content


def _part(db: apsw.Connection, n: int, part: int) -> bytes:
    try:
        found = sql.first(db, "SELECT crc, data FROM content WHERE id = ?", ((n << rows.SHIFT) | part,))
    except apsw.CorruptError as error:
        raise Unreadable(f"part {part}: {error}") from error
    if found is None:
        raise Unreadable(f"part {part} is missing")
    crc, data = found
    if zlib.crc32(data) != crc:
        raise Unreadable(f"part {part} fails its checksum")
    return bytes(data)


def body_part(db: apsw.Connection, n: int, part: int) -> bytes:
    """One row of a body, counted from 0. Raises Unreadable."""
    return _part(db, n, rows.BODY + part)


def place(db: apsw.Connection, message: str) -> tuple[int, int] | None:
    """A message's number and the size of its body."""
    found = sql.first(db, "SELECT n, facts ->> '$.body_size' FROM message WHERE id = ?", (message,))
    return None if found is None else (found[0], found[1])


# --- for people


def where(selection: Selection) -> tuple[list[str], list[Any]]:
    """Conditions on `message AS m` and `recipient AS r`."""
    conditions: list[str] = []
    values: list[Any] = []
    for condition, value in (
        ("m.id = ?", selection.message),
        ("m.ref = ?", selection.ref),
        ("r.sender = ?", selection.sender),
        ("r.hop = ?", selection.hop),
        ("r.state = ?", None if selection.state is None else rows.NUMBER[selection.state]),
        ("r.address = ?", selection.recipient),
        ("r.held = ?", selection.held),
        (
            "(SELECT time FROM event WHERE seq = r.last) <= ?",
            None if selection.unchanged_since is None else rows.stamp(selection.unchanged_since),
        ),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return conditions, values


def find(db: apsw.Connection, selection: Selection, limit: int) -> list[Record]:
    conditions, values = where(selection)
    if selection.message is not None or selection.ref is not None:
        own = [condition for condition in conditions if condition.startswith("m.")]  # these come first
        chosen = " AND ".join([*own, _AMONG_ALL + " AND ".join(conditions) + ")"])
        values = [*values[: len(own)], *values]
    elif selection.state in verbs.OPEN:  # few among many: start from the index of open recipients
        chosen = _AMONG_OPEN + " AND ".join(conditions) + ")"
    else:  # newest first, until there are enough
        chosen = _AMONG_ALL + " AND ".join(conditions or ["1"]) + ")"
    db.execute("SAVEPOINT reading")
    try:
        query = f"{_MESSAGE} AS m WHERE {chosen} ORDER BY id DESC LIMIT ?"
        return [_record(db, row) for row in sql.every(db, query, (*values, limit))]
    finally:
        db.execute("RELEASE reading")


def _record(db: apsw.Connection, row: tuple[Any, ...]) -> Record:
    n = row[0]
    found = sql.every(db, _RECIPIENT, rows.span(n))
    recipients = _recipients(found)
    message = rows.message(row, _or_empty(db, n, rows.SUBMITTED), _or_empty(db, n, rows.DRESSED), recipients)
    return Record(
        message=message,
        standings=tuple(
            _standing(db, message, recipient, r) for recipient, r in zip(recipients, found, strict=True)
        ),
    )


def _or_empty(db: apsw.Connection, n: int, part: int) -> bytes:
    """A header block for people: what was swept or is damaged is left out, the rest still tells."""
    try:
        return _part(db, n, part)
    except Unreadable:
        return b""


def _standing(db: apsw.Connection, message: Message, recipient: Recipient, row: tuple[Any, ...]) -> Standing:
    last = None
    if row[12] is not None:
        found = sql.first(db, "SELECT seq, time, facts FROM event WHERE seq = ?", (row[12],))
        last = None if found is None else rows.event(*found)
    state = rows.STATES[row[4]]
    due = row[5] if row[5] is not None else rows.stamp(message.submission.received_at)
    return Standing(
        recipient=recipient,
        state=state,
        held=None if row[6] is None else Reason(row[6]),
        attempts=row[7],
        due_at=rows.moment(due) if state is State.QUEUED else None,
        last=last,
    )


def journal(db: apsw.Connection, after: int, limit: int) -> list[Event]:
    found = sql.every(
        db, "SELECT seq, time, facts FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
    )
    return [rows.event(*row) for row in found]


def dressed_with(db: apsw.Connection, octets: bytes) -> int:
    (count,) = sql.only(
        db,
        "SELECT count(DISTINCT r.id >> 16) FROM recipient r JOIN content c ON c.id = (r.id >> 16 << 16 | ?)"
        " WHERE r.state < 2 AND instr(c.data, ?)",
        (rows.DRESSED, octets),
    )
    return int(count)


def recall(db: apsw.Connection, kind: str) -> Mapping[str, Mapping[str, str]]:
    found = sql.every(db, "SELECT key, value FROM fact WHERE kind = ? ORDER BY key", (kind,))
    return {key: json.loads(value) for key, value in found}


# --- at the start


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in the database when it is opened."""

    counts: Sequence[int]  # recipients by number of state
    pairs: Mapping[Pair, int]


def found(db: apsw.Connection) -> Found:
    states: dict[int, int] = dict(sql.every(db, "SELECT state, count(*) FROM recipient GROUP BY 1"))
    return Found(counts=[states.get(number, 0) for number in range(len(rows.STATES))], pairs=pairs(db))


def newest(db: apsw.Connection) -> tuple[int, int]:
    """The highest number of a message that is or was (or of a body on its way in), and of an event."""
    (message,) = sql.only(db, "SELECT coalesce(max(n), 0) FROM message")
    (content,) = sql.only(db, "SELECT coalesce(max(id) >> 16, 0) FROM content")
    (swept,) = sql.only(
        db, "SELECT coalesce(max(cast(value AS INTEGER)), 0) FROM fact WHERE kind = '' AND key = 'numbered'"
    )
    (seq,) = sql.only(db, "SELECT coalesce(max(seq), 0) FROM event")
    return max(message, content, swept), seq


def pairs(db: apsw.Connection) -> Mapping[Pair, int]:
    """For each hop and sender with recipients in the database, when the first falls due."""
    found = sql.every(
        db, "SELECT hop, sender, min(due) FROM recipient WHERE due IS NOT NULL GROUP BY hop, sender"
    )
    return {(hop, sender): due for hop, sender, due in found}


def exclude(identities: Collection[int]) -> str:
    """Numbers of ours as the inside of an SQL list: there may be more of them than SQLite has parameters."""
    return ",".join(map(str, identities))
