"""The values that travel through the house: submission, envelope, plan, dressing, message, parcel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relayd.core.address import Address
from relayd.core.reasons import Reason


class Rung(StrEnum):
    """How mail is sent: the sender ladder."""

    DEFAULT = "default"
    OWN = "own"
    UPSTREAM = "upstream"


class Proof(StrEnum):
    """What entitles us to the From we send with."""

    PLATFORM = "platform"  # our own domain and key
    DKIM = "dkim"
    SPF = "spf"
    CREDENTIALS = "credentials"  # the customer's server takes the customer's login


class IfUnproven(StrEnum):
    DEFAULT = "default"
    HOLD = "hold"
    REJECT = "reject"


class Route(StrEnum):
    DIRECT = "direct"
    SMARTHOST = "smarthost"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Hop:
    """The next place: a recipient domain's MX set, a sender's upstream, or the platform's smarthost.

    `name` is the domain for DIRECT, the sender's id for UPSTREAM, "" for SMARTHOST.
    """

    route: Route
    name: str

    @property
    def key(self) -> str:
        """The form the store indexes: `direct:example.com`, `upstream:acme`, `smarthost:`."""
        return f"{self.route.value}:{self.name}"

    @classmethod
    def from_key(cls, key: str) -> Hop:
        route, _, name = key.partition(":")
        return cls(Route(route), name)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRecipient:
    """A recipient we refused at RCPT; it joins the message that follows, so the app sees it there too.

    `address` is what the client wrote (cleaned, capped at 320 characters): it may not parse.
    """

    address: str
    code: int
    enhanced: str
    reason: Reason
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What the app handed in, before anything is decided about it."""

    login: str | None  # the login's name, None for an anonymous client on loopback
    may_be: frozenset[str] | None  # sender ids the login may be; None = all
    mail_from: Address | None  # None is the null reverse-path, <>
    recipients: tuple[Address, ...]  # without repetitions, in the order given
    refused: tuple[RefusedRecipient, ...] = ()
    header: bytes  # settled: CRLF, ends with CRLF, without the blank line that follows
    body_size: int  # octets, settled
    body_hash: bytes  # SHA-256 of the simple-canonicalised body (RFC 6376 section 3.4.3)
    eight_bit: bool  # any octet over 127 in header or body
    smtputf8: bool  # MAIL carried SMTPUTF8
    received_at: datetime  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Dressing:
    """How a message goes out. Made at acceptance; within a dressing bytes never change, on any retry."""

    rung: Rung
    proof: Proof | None  # None on a held message that could not be dressed yet
    reason: Reason | None  # why the wanted rung was not used; None when it was
    header_from: Address | None
    header: bytes  # the complete header block, signatures first; ends with CRLF, no blank line


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One recipient of a message, and how its envelope leaves. Counted from 0 within the message."""

    index: int
    address: Address
    hop: Hop
    return_path: str  # "" is <>


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What relayd keeps: the submitted header block and the facts, settled once, and its dressing."""

    id: str  # 26 characters of [A-Z2-7], sorts by time
    sender: str  # the sender's id
    ref: str | None  # the app's own id, X-Relayd-Ref
    meta: Mapping[str, str] = field(default_factory=dict)  # X-Relayd-Meta-*, names in lower case
    submission: Submission
    dressing: Dressing
    recipients: tuple[Recipient, ...]
    held: Reason | None = None  # accepted, but waits: nothing leaves until released
    test: bool = False

    @property
    def size(self) -> int:
        """Octets of what leaves: header block, blank line, body (RFC 1870 counts them all)."""
        return len(self.dressing.header) + 2 + self.submission.body_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far one recipient has come; what retry decisions need."""

    attempts: int  # ended ones
    waited: float  # seconds spent waiting for retries and in attempts; hold and downtime don't count
    uncertain: int  # attempts that ended without an answer to the final dot
    warned: bool
    released: bool = False  # released from hold since its last attempt: it gets at least one more


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What one attempt carries: a message, a hop, and the recipients that share a transaction."""

    lease: int  # the store's ticket; a parcel can be settled once
    message: Message
    hop: Hop
    recipients: tuple[Recipient, ...]
    progress: Mapping[int, Progress]  # by recipient index
    first: bool  # no recipient of the message was ever attempted: it may still be dressed anew
