"""What an answer can mean: the values that verdicts are made of. `core.verdict` decides them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relayd.core.reasons import Reason


class Fate(StrEnum):
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"  # the final dot was sent and no answer came: it may have arrived


class Scope(StrEnum):
    """Whom the verdict concerns."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    HOST = "host"  # this server; another MX of the same hop may do better
    HOP = "hop"  # everything that waits for this hop


class Role(StrEnum):
    """Who answered: the recipient's mail exchanger, or a submission server that relays for us."""

    MX = "mx"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    fate: Fate
    reason: Reason | None  # None exactly when fate is SENT
    scope: Scope
