"""Events as apps read them: status, fields, texts."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from relayd.core.event import Event, EventType, Status
from relayd.core.journal import as_dict, status
from relayd.core.mail import Proof, Rung
from relayd.core.reasons import Reason

NOW = datetime(2026, 11, 22, 5, 30, 0, 123456, tzinfo=UTC)

FIELDS = (
    "id",
    "seq",
    "time",
    "type",
    "status",
    "message",
    "ref",
    "sender",
    "rung",
    "proof",
    "recipient",
    "attempt",
    "next_attempt",
    "final",
    "reason",
    "actor",
    "code",
    "enhanced",
    "reply",
    "host",
    "ip",
    "tls",
    "bounces",
    "text",
    "remedy",
    "link",
    "test",
    "detail",
)
"""The fields of a status line, in its order."""


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("accepted released retried", Status.QUEUED),
        ("deferred uncertain", Status.DELAYED),
        ("delivered relayed", Status.SENT),
        ("refused failed expired suppressed cancelled bounced", Status.NOT_SENT),
        ("held", Status.HELD),
        ("warned", None),
        ("proven unproven upstream_failed upstream_ok rung_changed sender_changed", None),
    ],
)
def test_an_event_sets_the_status_of_its_recipient(kinds: str, expected: Status | None) -> None:
    for kind in kinds.split():
        assert status(Event(time=NOW, type=EventType(kind))) is expected


@pytest.mark.parametrize("kind", list(EventType))
def test_every_event_has_a_status_line(kind: EventType) -> None:
    line = as_dict(Event(time=NOW, type=kind))

    assert line["type"] == kind.value
    assert json.loads(json.dumps(line)) == line
    assert set(line) <= set(FIELDS)


def full(**changes: Any) -> Event:
    fields: dict[str, Any] = {
        "seq": 7,
        "time": NOW,
        "type": EventType.DEFERRED,
        "message": "A" * 26,
        "ref": "invoice-7",
        "sender": "acme",
        "rung": Rung.OWN,
        "proof": Proof.DKIM,
        "recipient": "anna@example.org",
        "attempt": 2,
        "next_attempt": NOW + timedelta(minutes=5),
        "reason": Reason.RECIPIENT_FULL,
        "code": 452,
        "enhanced": "4.2.2",
        "reply": "full",
        "host": "mx.example.org",
        "ip": "192.0.2.25",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384 verified",
        "bounces": "tracked",
        "detail": {"stage": "rcpt"},
    }
    return Event(**(fields | changes))


def test_a_status_line_has_the_promised_fields() -> None:
    line = as_dict(full())

    assert {key: value for key, value in line.items() if key not in ("text", "remedy")} == {
        "id": "20261122053000123456-7",
        "seq": 7,
        "time": "2026-11-22T05:30:00.123Z",
        "type": "deferred",
        "status": "delayed",
        "message": "A" * 26,
        "ref": "invoice-7",
        "sender": "acme",
        "rung": "own",
        "proof": "dkim",
        "recipient": "anna@example.org",
        "attempt": 2,
        "next_attempt": "2026-11-22T05:35:00.123Z",
        "final": False,
        "reason": "recipient.full",
        "actor": "recipient",
        "code": 452,
        "enhanced": "4.2.2",
        "reply": "full",
        "host": "mx.example.org",
        "ip": "192.0.2.25",
        "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384 verified",
        "bounces": "tracked",
        "test": False,
        "detail": {"stage": "rcpt"},
    }
    assert set(line["text"]) == set(line["remedy"]) == {"de", "en", "fr", "nl"}  # type: ignore[call-overload]
    assert list(line) == [name for name in FIELDS if name in line]


def test_a_link_helps_whoever_the_server_was() -> None:
    line = as_dict(full(reason=Reason.REPUTATION_BLOCKLIST))

    assert line["link"] == "https://check.spamhaus.org/"


def test_what_has_no_value_is_left_out() -> None:
    assert set(as_dict(Event(time=NOW, type=EventType.ACCEPTED))) == {
        "id", "seq", "time", "type", "status", "final", "text", "test",
    }  # fmt: skip


def test_times_of_other_zones_become_utc() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=2)))

    assert as_dict(full(time=there))["time"] == "2026-11-22T05:30:00.123Z"
    assert as_dict(full(time=there))["id"] == "20261122053000123456-7"


def test_an_expired_one_names_who_must_act_on_its_cause() -> None:
    event = full(
        type=EventType.EXPIRED,
        final=True,
        reason=Reason.EXPIRED,
        detail={"last_reason": "reputation.blocklist"},
        host="acme.mail.protection.outlook.com",
    )
    line: dict[str, Any] = as_dict(event)

    assert (line["reason"], line["actor"]) == ("expired", "platform")
    assert "block list" in line["text"]["en"]
    assert "taken off the list" in line["remedy"]["en"]
    assert line["link"] == "https://sender.office.com/"
