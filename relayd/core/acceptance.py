"""What the journal says of a message that was just taken, from an app or from relayd itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from relayd.core.event import Event, EventType
from relayd.core.mail import Message


def events(message: Message, now: datetime) -> list[Event]:
    """For each recipient: accepted, and held where the message is."""
    dressing = message.dressing
    found = []
    for recipient in message.recipients:
        accepted = Event(
            time=now,
            type=EventType.ACCEPTED,
            message=message.id,
            ref=message.ref,
            sender=message.sender,
            rung=dressing.rung,
            proof=dressing.proof,
            reason=dressing.reason,
            recipient=str(recipient.address),
            test=message.test,
        )
        found.append(accepted)
        if message.held is not None:
            found.append(replace(accepted, type=EventType.HELD, reason=message.held))
    return found
