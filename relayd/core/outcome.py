"""What the app is told after the final dot, when it waited for the real outcome.

A message is refused to the app only when every recipient has failed for good: what may still be delivered is
never rejected, or the app would send it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from relayd.core.address import shown
from relayd.core.answer import Answer
from relayd.core.journal import Event, EventType
from relayd.core.reasons import Reason

Sentence = Callable[[Event], str]
"""What an event means, in English."""

SENT = frozenset({EventType.DELIVERED, EventType.RELAYED})
FAILED = frozenset(
    {EventType.FAILED, EventType.EXPIRED, EventType.SUPPRESSED, EventType.CANCELLED, EventType.REFUSED}
)
_REMOTE_MAX = 200  # characters of a remote text in our answer; the status log has all of it


def queued(message: str, note: str = "") -> Answer:
    """Kept, and the outcome is not known yet."""
    return Answer(250, "2.0.0", f"queued id={message}" + (f": {note}" if note else ""))


def answer(message: str, events: Sequence[Event], sentence: Sentence) -> Answer:
    """One answer for all recipients: `events` has the last one of each."""
    sent = [event for event in events if event.type in SENT]
    failed = [event for event in events if event.type in FAILED]
    if events and len(sent) == len(events):
        relayed = all(event.type is EventType.RELAYED for event in sent)
        return Answer(250, "2.0.0", f"{'relayed' if relayed else 'delivered'} id={message}")
    if events and len(failed) == len(events):
        return _failed(message, failed, sentence)
    waiting = [event for event in events if event.type not in SENT and event.type not in FAILED]
    if not sent and not failed:
        return queued(message, _words(waiting[0], sentence) if waiting else "")
    first = failed[0] if failed else waiting[0]
    counts = ", ".join(
        f"{len(some)} {word}"
        for some, word in ((sent, "delivered"), (waiting, "waiting"), (failed, "failed"))
        if some
    )
    return Answer(
        250, "2.0.0", f"partial id={message}: {counts}; {first.recipient}: {_words(first, sentence)}"
    )


def _failed(message: str, failed: Sequence[Event], sentence: Sentence) -> Answer:
    first = failed[0]
    reason = first.reason or Reason.UNKNOWN
    who = f"{first.recipient}: " if len(failed) > 1 else ""
    words = f"{reason.value} id={message}: {who}{sentence(first)}"
    if first.reply:
        words += f"; {_remote(first.reply)}"
    return Answer(_code(first), _enhanced(first), words)


def _words(event: Event, sentence: Sentence) -> str:
    if event.reason is None:
        return event.type.value
    return f"{event.type.value} {event.reason.value}: {sentence(event)}"


def _code(event: Event) -> int:
    """The remote's own code where it is a refusal; 421 would say that *we* are going away."""
    return event.code if event.code is not None and 500 <= event.code <= 599 else 550


def _enhanced(event: Event) -> str:
    return event.enhanced if event.enhanced is not None and event.enhanced.startswith("5.") else "5.0.0"


def _remote(text: str) -> str:
    return shown(" ".join(text.split()), _REMOTE_MAX)
