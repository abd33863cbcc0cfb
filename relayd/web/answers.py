"""Messages as JSON for apps and people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from relayd.core import journal, phrases, reasons
from relayd.core.delivery import State
from relayd.core.mail import RefusedRecipient
from relayd.store.contract import Record, Standing

# What the last event of a recipient adds to where it stands.
_FROM_EVENT = (
    *("type", "reason", "actor", "code", "enhanced", "reply", "host", "ip", "tls", "bounces"),
    *("text", "remedy", "link"),
)


def message_as_dict(record: Record, language: str | None) -> dict[str, Any]:
    """A message, with a status for each recipient; the words are those of the status log."""
    message = record.message
    dressing = message.dressing
    return {
        "id": message.id,
        "ref": message.ref,
        "sender": message.sender,
        "meta": dict(message.meta),
        "accepted_at": moment(message.submission.received_at),
        "size": message.size,
        "test": message.test,
        "rung": dressing.rung.value,
        "proof": dressing.proof.value if dressing.proof else None,
        "rung_reason": dressing.reason.value if dressing.reason else None,
        "from": str(dressing.header_from) if dressing.header_from else None,
        "recipients": [_recipient(standing, language) for standing in record.standings],
        "refused": [_refused(each, language) for each in message.submission.refused],
    }


def _recipient(standing: Standing, language: str | None) -> dict[str, Any]:
    last = in_language(journal.as_dict(standing.last), language) if standing.last else {}
    return {
        "recipient": str(standing.recipient.address),
        "status": status(standing),
        "hop": standing.recipient.hop.key,
        "attempts": standing.attempts,
        "next_attempt": moment(standing.due_at) if standing.due_at else None,
        "held": standing.held.value if standing.held else None,
        "changed_at": moment(standing.last.time) if standing.last else None,
        **{key: last[key] for key in _FROM_EVENT if last.get(key) is not None},
    }


def _refused(each: RefusedRecipient, language: str | None) -> dict[str, Any]:
    """A recipient that was not taken, while others of the message were."""
    texts = {
        "text": phrases.in_every_language(partial(phrases.text, each.reason)),
        "remedy": phrases.remedies(each.reason),
    }
    return {
        "recipient": each.address,
        "status": "not_sent",
        "code": each.code,
        "enhanced": each.enhanced,
        "reason": each.reason.value,
        "actor": reasons.row(each.reason).actor.value,
        "answer": each.text,
        **in_language(texts, language),
    }


def status(standing: Standing) -> str:
    """The one word for where a recipient stands. A late bounce is known to the last event alone."""
    if standing.state is State.QUEUED:
        return "delayed" if standing.attempts else "queued"
    bounced = standing.last is not None and standing.last.type is journal.EventType.BOUNCED
    if standing.state is State.FAILED or bounced:
        return "not_sent"
    return standing.state.value


def moment(when: datetime) -> str:
    """As the status log writes times: UTC, RFC 3339, milliseconds."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def in_language(found: Mapping[str, Any], language: str | None) -> dict[str, Any]:
    """Texts in one language instead of a map of all; English where one is missing."""
    if language is None:
        return dict(found)
    return {
        key: value.get(language, value.get("en"))
        if key in ("text", "remedy") and isinstance(value, dict)
        else value
        for key, value in found.items()
    }
