"""What we believe about a published key after each look into DNS. One bad answer doesn't undo a proof."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LOOK_MIN = 60.0
LOOK_MAX = 3600.0
"""Seconds between looks at a key that is there: its TTL within these. Below, we would ask more often than
anything changes; above, a key that was taken away would be used for long."""

FRESH_MISSING = 120.0
"""Seconds at most for which a clear no is believed without looking: somebody may just be publishing the key.
Mail that wants the proof looks anew after that."""

LOOK_RARELY = 86_400.0
"""Seconds at most until the next look at a key that is not there."""

PATIENCE = 10
"""What is missing is looked for again after a tenth of the time that it has been so: every two minutes while
somebody may be at it, hourly after half a day, then daily."""

DOUBT = 180.0
"""Seconds between the two clear answers that undo a proof. A zone that is reloaded or a resolver that lies
for a moment is over by then."""


class Look(StrEnum):
    """What one look said."""

    YES = "yes"
    NO = "no"  # a clear no: nothing there, or not our key
    UNCLEAR = "unclear"  # no usable answer from DNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look showed, with a sentence for people. `ttl` in seconds."""

    look: Look
    ttl: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyProof:
    """Times are seconds of one monotonic clock."""

    proven: bool
    doubted_at: float | None  # when a clear no came while it was proven
    since: float  # since when it has been so
    fresh_until: float  # who needs to know looks anew after this
    look_at: float  # when to look again though nobody asks


def after(last: KeyProof | None, look: Look, ttl: int, now: float) -> KeyProof:
    """What to believe after a look. `ttl` is the answer's, in seconds; it means nothing for UNCLEAR."""
    proven, doubted_at = (last.proven, last.doubted_at) if last is not None else (False, None)
    since = now if last is None else last.since
    if look is Look.YES:
        return _proven(since if proven else now, now + min(max(ttl, LOOK_MIN), LOOK_MAX))
    if look is Look.UNCLEAR and proven:
        return _proven(since, now + LOOK_MIN, doubted_at)
    if proven and (doubted_at is None or now - doubted_at < DOUBT):
        doubted_at = now if doubted_at is None else doubted_at
        return _proven(since, doubted_at + DOUBT, doubted_at)
    since = now if proven else since
    fresh = LOOK_MIN if look is Look.UNCLEAR else min(max(ttl, LOOK_MIN), FRESH_MISSING)
    return KeyProof(
        proven=False,
        doubted_at=None,
        since=since,
        fresh_until=now + fresh,
        look_at=now + min(max(fresh, (now - since) / PATIENCE), LOOK_RARELY),
    )


def _proven(since: float, until: float, doubted_at: float | None = None) -> KeyProof:
    return KeyProof(proven=True, doubted_at=doubted_at, since=since, fresh_until=until, look_at=until)
