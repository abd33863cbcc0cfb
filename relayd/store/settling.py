"""From values to the rows of `put` and `settle`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event
from relayd.core.mail import Dressing, Message, Recipient
from relayd.store import acts, rows, verbs
from relayd.store.contract import StoreError
from relayd.store.queue import ids
from relayd.store.waiting import Item
from relayd.store.writer import Rows, Transaction

Outcomes = Sequence[tuple[Recipient, verbs.Outcome]]


def first_state(message: Message) -> State:
    return State.QUEUED if message.held is None else State.HELD


def recipient_rows(
    n: int, message: Message, events: Sequence[Event], hot: bool
) -> list[tuple[tuple[Any, ...], int | None]]:
    """Rows of `recipient` for a message that is put, each with the place of its newest event."""
    last = {event.recipient: index for index, event in enumerate(events)}
    state = first_state(message)
    due = rows.stamp(message.submission.received_at) if state is State.QUEUED and not hot else None
    written = []
    for recipient in message.recipients:
        address = str(recipient.address)
        row = (
            (n << rows.SHIFT) | recipient.index,
            recipient.hop.key,
            message.sender,
            address,
            recipient.return_path,
            rows.NUMBER[state],
            due,
            message.held,
        )
        written.append((row, last.get(address)))
    return written


def outcomes(
    item: Item,
    settlements: Sequence[Settlement],
    pending: Mapping[int, verbs.Pending],
    now: datetime,
    moved: Set[int] = frozenset(),
) -> Outcomes:
    """What becomes of each recipient of a parcel. Raises StoreError for a settlement, or a move, of a
    stranger."""
    named = {settlement.recipient: settlement for settlement in settlements}
    message = item.kept.message
    if not (named.keys() | moved) <= item.progress.keys():
        raise StoreError(f"message {message.id}: settled recipients that the parcel doesn't carry")
    return [
        (
            recipient,
            verbs.outcome(
                message,
                recipient,
                item.progress[recipient.index],
                named.get(recipient.index),
                pending.get(identity),
                now,
            ),
        )
        for identity, recipient in zip(ids(item), item.recipients, strict=True)
    ]


def settled_rows(item: Item, outcomes: Outcomes, now: datetime) -> Rows:
    work, stamp = Rows(), rows.stamp(now)
    for identity, (_, outcome) in zip(ids(item), outcomes, strict=True):
        state, progress = outcome.state, outcome.progress
        row = (
            identity,
            rows.NUMBER[state],
            stamp + round(outcome.wait * 1_000_000) if state is State.QUEUED else None,
            outcome.wait,
            outcome.held,
            progress.attempts,
            progress.waited,
            progress.uncertain,
            progress.warned,
            progress.released,
            stamp if state not in verbs.OPEN else None,
        )
        work.events += [(item.kept.n, event) for event in outcome.events]
        work.settled.append((row, len(work.events) - 1 if outcome.events else None))
    return work


def dress_anew(
    n: int, work: Rows, dressing: Dressing, recipients: Sequence[Recipient], dues: Sequence[tuple[int, int]]
) -> Callable[[Transaction], None]:
    """`work`, and message n in another dressing; what waited in memory gets its due time."""

    def run(transaction: Transaction) -> None:
        transaction.write([work])
        acts.park(transaction, dues)
        acts.dress(transaction, n, dressing, recipients)

    return run


def move(n: int, work: Rows, recipients: Sequence[Recipient]) -> Callable[[Transaction], None]:
    """`work`, and recipients of message n at another hop."""

    def run(transaction: Transaction) -> None:
        transaction.write([work])
        acts.move(transaction, n, recipients)

    return run
