"""An event: one thing that happened to one recipient, or to a sender. `core.journal` says what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relayd.core.mail import Proof, Rung
from relayd.core.reasons import Reason


class EventType(StrEnum):
    ACCEPTED = "accepted"
    RELEASED = "released"
    RETRIED = "retried"
    DEFERRED = "deferred"
    UNCERTAIN = "uncertain"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    REFUSED = "refused"
    FAILED = "failed"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    BOUNCED = "bounced"
    HELD = "held"
    WARNED = "warned"
    # of senders, domains and the service
    CONFIRMATION_SENT = "confirmation_sent"
    CONFIRMED = "confirmed"
    CONFIRMATION_EXPIRED = "confirmation_expired"
    PROVEN = "proven"
    UNPROVEN = "unproven"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_OK = "upstream_ok"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    RUNG_CHANGED = "rung_changed"
    SENDER_CHANGED = "sender_changed"


class Status(StrEnum):
    """The one word an app shows for a recipient."""

    QUEUED = "queued"
    DELAYED = "delayed"
    SENT = "sent"
    NOT_SENT = "not_sent"
    HELD = "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened to one recipient, or to a sender. Codes and names only: texts for people
    are made when it is read, in the reader's language.

    `seq` is the commit order; 0 until the store has written it.
    """

    seq: int = 0
    time: datetime  # UTC
    type: EventType
    message: str | None = None
    ref: str | None = None
    sender: str | None = None
    rung: Rung | None = None
    proof: Proof | None = None
    recipient: str | None = None
    attempt: int | None = None
    next_attempt: datetime | None = None
    final: bool = False
    reason: Reason | None = None
    code: int | None = None
    enhanced: str | None = None
    reply: str | None = None  # cleaned remote text
    host: str | None = None
    ip: str | None = None
    tls: str | None = (
        None  # "TLSv1.3 TLS_AES_256_GCM_SHA384 verified" | "... unverified"; None: in clear or not connected
    )
    bounces: str | None = None  # "tracked" | "customer": where late bounces go
    test: bool = False
    detail: Mapping[str, str] = field(default_factory=dict)  # rare extras: notes, meta

    def numbered(self, seq: int) -> Event:
        """The same with its place in the journal. Written out: `replace` takes twice as long, and there
        are two events to a message."""
        return Event(
            seq=seq,
            time=self.time,
            type=self.type,
            message=self.message,
            ref=self.ref,
            sender=self.sender,
            rung=self.rung,
            proof=self.proof,
            recipient=self.recipient,
            attempt=self.attempt,
            next_attempt=self.next_attempt,
            final=self.final,
            reason=self.reason,
            code=self.code,
            enhanced=self.enhanced,
            reply=self.reply,
            host=self.host,
            ip=self.ip,
            tls=self.tls,
            bounces=self.bounces,
            test=self.test,
            detail=self.detail,
        )
