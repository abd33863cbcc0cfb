from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from relayd.core import outcome
from relayd.core.journal import Event, EventType
from relayd.core.reasons import Reason

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def event(type: EventType, recipient: str = "a@b.example", **more: Any) -> Event:
    return Event(time=NOW, type=type, recipient=recipient, **more)


def said(*events: Event) -> str:
    return outcome.answer("ID", events, lambda one: f"about {one.recipient}").line.decode().strip()


FAILED = event(
    EventType.FAILED,
    reason=Reason.RECIPIENT_UNKNOWN,
    code=550,
    enhanced="5.1.1",
    reply="No such\nuser\x1b[2J ä",
    final=True,
)
OTHER = event(EventType.FAILED, "c@d.example", reason=Reason.RECIPIENT_FULL, code=552, enhanced="5.2.2")
DEFERRED = event(EventType.DEFERRED, "e@f.example", reason=Reason.RATE_GREYLISTED, code=451)
DELIVERED, RELAYED = event(EventType.DELIVERED), event(EventType.RELAYED, "x@y.example")


@pytest.mark.parametrize(
    ("events", "wanted"),
    [
        ((DELIVERED,), "250 2.0.0 delivered id=ID"),
        ((DELIVERED, RELAYED), "250 2.0.0 delivered id=ID"),
        ((RELAYED, RELAYED), "250 2.0.0 relayed id=ID"),
        (
            (FAILED,),
            "550 5.1.1 recipient.unknown id=ID: about a@b.example; No such user\\u001b[2J \\u00e4",
        ),
        ((OTHER, FAILED), "552 5.2.2 recipient.full id=ID: c@d.example: about c@d.example"),
        ((DEFERRED,), "250 2.0.0 queued id=ID: deferred rate.greylisted: about e@f.example"),
        ((FAILED, DEFERRED), "250 2.0.0 partial id=ID: 1 waiting, 1 failed; a@b.example: failed *"),
        ((DELIVERED, DEFERRED), "250 2.0.0 partial id=ID: 1 delivered, 1 waiting; e@f.example: deferred *"),
        (
            (DELIVERED, DEFERRED, OTHER),
            "250 2.0.0 partial id=ID: 1 delivered, 1 waiting, 1 failed; c@d.example: failed recipient.full*",
        ),
        ((event(EventType.HELD, reason=Reason.SENDER_UNPROVEN),), "250 2.0.0 queued id=ID: held *"),
        ((event(EventType.UNCERTAIN),), "250 2.0.0 queued id=ID: uncertain"),
        ((), "250 2.0.0 queued id=ID"),
    ],
)
def test_one_answer_for_all_recipients(events: tuple[Event, ...], wanted: str) -> None:
    head, star, _ = wanted.partition("*")
    assert said(*events).startswith(head) if star else said(*events) == wanted


@pytest.mark.parametrize("code", [None, 421, 450, 250])
def test_a_final_failure_is_5xx_to_the_app_whatever_code_it_came_with(code: int | None) -> None:
    failed = event(EventType.EXPIRED, reason=Reason.EXPIRED, code=code, enhanced="4.4.1")
    assert said(failed).startswith("550 5.0.0 expired id=ID: ")


def test_a_failure_without_a_reason_is_unknown() -> None:
    assert said(event(EventType.FAILED)).startswith("550 5.0.0 unknown id=ID: ")


def test_a_long_remote_text_is_cut() -> None:
    line = said(event(EventType.FAILED, reason=Reason.UNKNOWN, code=554, reply="x" * 5000))
    assert len(line) < 330


def test_queued_says_why_it_waits() -> None:
    assert outcome.queued("ID", "held sender.unproven").text == "queued id=ID: held sender.unproven"
