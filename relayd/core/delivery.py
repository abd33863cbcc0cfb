"""One try, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from relayd.core.journal import Event
from relayd.core.mail import Recipient
from relayd.core.reply import Evidence
from relayd.core.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How a connection was protected. `valid` says whether the certificate stood for the host's name."""

    version: str  # "TLSv1.3"
    cipher: str
    valid: bool


class TlsFlaw(StrEnum):
    """What was wrong with a handshake, as far as it can be told."""

    NAME = "name"  # the certificate stands for another name
    EXPIRED = "expired"
    UNTRUSTED = "untrusted"  # issued by nobody we trust, or by the server itself
    NOT_TLS = "not_tls"  # what answered does not speak TLS here
    OLD = "old"  # only versions before TLS 1.2
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One recipient's share of one try."""

    recipient: Recipient
    evidence: Evidence  # the reply or fault that decided
    verdict: Verdict
    host: str | None  # name of the server that decided, None when we got to none
    ip: str | None
    tls: Tls | None  # None: in clear, or never connected
    started_at: datetime
    seconds: float  # how long it took, monotonic
    notes: tuple[
        str, ...
    ] = ()  # what else should be in the journal: "sent in clear after a failed handshake"


class State(StrEnum):
    """Where a recipient stands in the store. QUEUED and HELD are open, the others final."""

    QUEUED = "queued"
    HELD = "held"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What the store writes for one recipient of a parcel: the new state and the events, together.

    `wait` is seconds until the next attempt, counted from the settling (QUEUED only). `spent` is added to
    the recipient's `Progress.waited`: the attempt's own seconds plus `wait`.
    """

    recipient: int
    state: State
    wait: float | None = None
    spent: float = 0.0
    attempted: bool = True  # False: the parcel came back without a try (hop closed, proof gone)
    uncertain: bool = False
    warned: bool = False
    events: tuple[Event, ...] = ()
