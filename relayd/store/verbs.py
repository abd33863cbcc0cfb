"""What the store's verbs do to a recipient; the same in every store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event, EventType
from relayd.core.mail import Message, Progress, Proof, Recipient, Rung
from relayd.core.reasons import Reason
from relayd.store.contract import Selection, Verb

FROM: Final[Mapping[Verb, frozenset[State]]] = {
    Verb.RETRY: frozenset({State.QUEUED}),
    Verb.HOLD: frozenset({State.QUEUED}),
    Verb.RELEASE: frozenset({State.HELD}),
    Verb.CANCEL: frozenset({State.QUEUED, State.HELD}),
    Verb.EXPIRE: frozenset({State.HELD, State.QUEUED}),
}
"""The states that each verb acts on; others are left alone."""

TO: Final[Mapping[Verb, State]] = {
    Verb.RETRY: State.QUEUED,
    Verb.HOLD: State.HELD,
    Verb.RELEASE: State.QUEUED,
    Verb.CANCEL: State.FAILED,
    Verb.EXPIRE: State.FAILED,
}

OPEN: Final = frozenset({State.QUEUED, State.HELD})
DELAYED: Final = frozenset({Verb.HOLD, Verb.CANCEL})
"""Verbs that reach a leased recipient when its parcel is settled."""

_EVENTS: Final[Mapping[Verb, EventType]] = {
    Verb.RETRY: EventType.RETRIED,
    Verb.HOLD: EventType.HELD,
    Verb.RELEASE: EventType.RELEASED,
    Verb.CANCEL: EventType.CANCELLED,
    Verb.EXPIRE: EventType.EXPIRED,
}

STEP: Final = timedelta(seconds=1)
"""A clock that goes back by less is being adjusted, not set."""

FRESH: Final = Progress(attempts=0, waited=0.0, uncertain=0, warned=False)

Pending = tuple[Verb, Reason | None]


def acted(
    verb: Verb,
    reason: Reason | None,
    now: datetime,
    *,
    message: str,
    ref: str | None,
    sender: str,
    rung: Rung | None,
    proof: Proof | None,
    recipient: str,
    test: bool,
    held: Reason | None = None,
) -> Event:
    """The event of one recipient that was acted on. `held`: why it was held until now."""
    if verb is Verb.CANCEL and reason is None:
        reason = Reason.CANCELLED
    return Event(
        time=now,
        type=_EVENTS[verb],
        message=message,
        ref=ref,
        sender=sender,
        rung=rung,
        proof=proof,
        recipient=recipient,
        final=TO[verb] is State.FAILED,
        reason=reason,
        test=test,
        detail={"last_reason": held.value} if verb is Verb.EXPIRE and held is not None else {},
    )


def acted_on(
    message: Message,
    recipient: Recipient,
    verb: Verb,
    reason: Reason | None,
    now: datetime,
    held: Reason | None = None,
) -> Event:
    """`acted` for a message at hand."""
    return acted(
        verb,
        reason,
        now,
        message=message.id,
        ref=message.ref,
        sender=message.sender,
        rung=message.dressing.rung,
        proof=message.dressing.proof,
        recipient=str(recipient.address),
        test=message.test,
        held=held,
    )


def selects(
    selection: Selection,
    message: Message,
    recipient: Recipient,
    state: State,
    held: Reason | None = None,
    last: datetime | None = None,
) -> bool:
    """Whether all given conditions hold for one recipient. `last`: when something last happened to it, None
    for just now."""
    return (
        selection.message in (None, message.id)
        and selection.ref in (None, message.ref)
        and selection.sender in (None, message.sender)
        and selection.hop in (None, recipient.hop.key)
        and selection.state in (None, state)
        and selection.recipient in (None, str(recipient.address))
        and selection.held in (None, held)
        and (selection.unchanged_since is None or (last is not None and last <= selection.unchanged_since))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Where a recipient of a settled parcel stands afterwards."""

    state: State
    wait: float
    held: Reason | None
    progress: Progress
    events: tuple[Event, ...]
    counts: bool  # it was settled in the sense of a Watch


def outcome(
    message: Message,
    recipient: Recipient,
    before: Progress,
    settlement: Settlement | None,
    pending: Pending | None,
    now: datetime,
) -> Outcome:
    """What a settlement (None: nobody named the recipient) and a verb that waited for it lead to."""
    if settlement is None:
        settlement = Settlement(recipient=recipient.index, state=State.QUEUED, wait=0.0, attempted=False)
    state, events = settlement.state, settlement.events
    held = _held(events) if state is State.HELD else None
    if pending is not None:
        verb, reason = pending
        if state in FROM[verb]:
            state = TO[verb]
            held = reason if verb is Verb.HOLD else None
            events = (*events, acted_on(message, recipient, verb, reason, now))
    return Outcome(
        state=state,
        wait=(settlement.wait or 0.0) if state is State.QUEUED else 0.0,
        held=held,
        progress=Progress(
            attempts=before.attempts + settlement.attempted,
            waited=before.waited + settlement.spent,
            uncertain=before.uncertain + settlement.uncertain,
            warned=before.warned or settlement.warned,
            released=before.released and not settlement.attempted,
        ),
        events=events,
        counts=settlement.attempted or state is not State.QUEUED,
    )


def _held(events: Iterable[Event]) -> Reason | None:
    """The reason of the newest event that says so."""
    return next((event.reason for event in reversed(tuple(events)) if event.type is EventType.HELD), None)


def together(recipients: Iterable[Recipient], most: int) -> list[tuple[Recipient, ...]]:
    """Recipients of one message that may share a transaction: same hop, same return path, at most `most`."""
    groups: dict[tuple[str, str], list[Recipient]] = {}
    for recipient in recipients:
        groups.setdefault((recipient.hop.key, recipient.return_path), []).append(recipient)
    return [
        tuple(group[start : start + most])
        for group in groups.values()
        for start in range(0, len(group), most)
    ]
