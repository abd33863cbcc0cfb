"""What we believe about a published key after each look into DNS. One bad answer doesn't undo a proof."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

LOOK_MIN = 60.0
LOOK_MAX = 3600.0
"""Seconds between looks at a key that is there: its TTL within these. Below, we would ask more often than
anything changes; above, a key that was taken away would be used for long."""

LOOK_MISSING = 120.0
"""Seconds at most until the next look at a key that is not there: somebody may just be publishing it, and is
waiting for mail that is held."""

DOUBT = 180.0
"""Seconds between the two clear answers that undo a proof. A zone that is reloaded or a resolver that lies
for a moment is over by then."""


class Look(StrEnum):
    """What one look said."""

    YES = "yes"
    NO = "no"  # a clear no: nothing there, or not our key
    UNCLEAR = "unclear"  # no usable answer from DNS


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyProof:
    """Times are seconds of one monotonic clock."""

    proven: bool
    doubted_at: float | None  # when a clear no came while it was proven
    look_at: float  # when to look again


def after(last: KeyProof | None, look: Look, ttl: int, now: float) -> KeyProof:
    """What to believe after a look. `ttl` is the answer's, in seconds; it means nothing for UNCLEAR."""
    if look is Look.YES:
        return KeyProof(proven=True, doubted_at=None, look_at=now + min(max(ttl, LOOK_MIN), LOOK_MAX))
    proven, doubted_at = (last.proven, last.doubted_at) if last is not None else (False, None)
    if look is Look.UNCLEAR:
        return KeyProof(proven=proven, doubted_at=doubted_at, look_at=now + LOOK_MIN)
    if proven and (doubted_at is None or now - doubted_at < DOUBT):
        doubted_at = now if doubted_at is None else doubted_at
        return KeyProof(proven=True, doubted_at=doubted_at, look_at=doubted_at + DOUBT)
    return KeyProof(proven=False, doubted_at=None, look_at=now + min(max(ttl, LOOK_MIN), LOOK_MISSING))
