"""What one language must bring. The reader is a person at an invoicing company, not a mail expert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relayd.core.event import EventType
from relayd.core.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """`reasons`: what happened, and what to do. `events`: sentences with the places {text} (what happened),
    {host} and {tls}; `next_attempt` has the place {at}. Each sentence ends with a full stop."""

    reasons: Mapping[Reason, tuple[str, str]]
    events: Mapping[EventType, str]
    platform_proven: str  # PROVEN and UNPROVEN of the platform itself, with the place {record}
    platform_unproven: str
    unnamed_server: str  # stands for {host} when we know none
    encrypted: str
    in_clear: str
    next_attempt: str
    still_proven: str  # UNPROVEN where another proof stands
    late_bounces: str
    maybe_arrived: str
    test: str
