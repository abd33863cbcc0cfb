"""The journal: what happened, in commit order. Everything that people and apps are told is read from here."""

from __future__ import annotations

from datetime import UTC, datetime

from relayd.core import phrases, providers, reasons
from relayd.core.event import Event, EventType, Status
from relayd.core.reasons import Reason

__all__ = ["Event", "EventType", "Status", "actor", "as_dict", "final_reason", "link", "status"]

_STATUS: dict[EventType, Status | None] = {
    EventType.ACCEPTED: Status.QUEUED,
    EventType.RELEASED: Status.QUEUED,
    EventType.RETRIED: Status.QUEUED,
    EventType.DEFERRED: Status.DELAYED,
    EventType.UNCERTAIN: Status.DELAYED,
    EventType.DELIVERED: Status.SENT,
    EventType.RELAYED: Status.SENT,
    EventType.REFUSED: Status.NOT_SENT,
    EventType.FAILED: Status.NOT_SENT,
    EventType.EXPIRED: Status.NOT_SENT,
    EventType.SUPPRESSED: Status.NOT_SENT,
    EventType.CANCELLED: Status.NOT_SENT,
    EventType.BOUNCED: Status.NOT_SENT,
    EventType.HELD: Status.HELD,
    EventType.WARNED: None,
    EventType.CONFIRMATION_SENT: None,
    EventType.CONFIRMED: None,
    EventType.CONFIRMATION_EXPIRED: None,
    EventType.PROVEN: None,
    EventType.UNPROVEN: None,
    EventType.UPSTREAM_FAILED: None,
    EventType.UPSTREAM_OK: None,
    EventType.CONSENT_WITHDRAWN: None,
    EventType.RUNG_CHANGED: None,
    EventType.SENDER_CHANGED: None,
}


def status(event: Event) -> Status | None:
    """The recipient's status after this event; None when the event doesn't change it."""
    return _STATUS[event.type]


def final_reason(event: Event) -> Reason | None:
    """The cause behind the reason: what kept failing until we gave up; else the reason itself."""
    last = event.detail.get("last_reason")
    return Reason(last) if last is not None else event.reason


def actor(event: Event) -> reasons.Actor | None:
    cause = final_reason(event)
    return None if cause is None else reasons.row(cause).actor


def link(event: Event) -> str | None:
    """A page that helps: the provider's own for this cause, else the general one."""
    cause = final_reason(event)
    if cause is None:
        return None
    provider = providers.identify(event.host, event.reply or "")
    return providers.help_page(provider, cause) or reasons.row(cause).link


def as_dict(event: Event) -> dict[str, object]:
    """One line of the status log, for JSON. A field that has no value is left out; `final` and `test` are
    always there. `text` and `remedy` are maps of languages. Times are UTC, RFC 3339 with milliseconds.
    The names and their order are a promise to the apps that read it."""
    cause = final_reason(event)
    time = event.time.astimezone(UTC).isoformat(timespec="microseconds")[:26]
    whole: dict[str, object | None] = {
        # Unique for ever, a restored backup included, because apps drop an id that they have seen.
        "id": f"{time.translate(_DIGITS)}-{event.seq}",
        "seq": event.seq,
        "time": f"{time[:23]}Z",
        "type": event.type,
        "status": status(event),
        "message": event.message,
        "ref": event.ref,
        "sender": event.sender,
        "rung": event.rung,
        "proof": event.proof,
        "recipient": event.recipient,
        "attempt": event.attempt,
        "next_attempt": None if event.next_attempt is None else _time(event.next_attempt),
        "final": event.final,
        "reason": event.reason,
        "actor": actor(event),
        "code": event.code,
        "enhanced": event.enhanced,
        "reply": event.reply,
        "host": event.host,
        "ip": event.ip,
        "tls": event.tls,
        "bounces": event.bounces,
        "text": phrases.sentences(event),
        "remedy": None if cause is None else phrases.remedies(cause),
        "link": link(event),
        "test": event.test,
        "detail": dict(event.detail) or None,
    }
    return {name: value for name, value in whole.items() if value is not None}


_DIGITS = str.maketrans("", "", "-T:.")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
