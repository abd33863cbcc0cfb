"""Which hops are full, paused or closed, and whether port 25 is open at all.

Bookkeeping only: the caller says what was started, how it ended and what time it is (`now`: seconds of a
monotonic clock).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relayd.core.fate import Fate, Scope, Verdict
from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason

PAUSE = 30.0
"""Seconds a hop rests after it failed; doubled with each failure that follows, up to `LONGEST_PAUSE`. Short
enough that a restarting server costs little."""

LONGEST_PAUSE = 600.0

LOCKED_PAUSE = 3600.0
"""Seconds a hop rests when the server has seen too many logins; each try makes it longer (Google asks for an
hour)."""

FAILING_MAX = 10_000
"""Hops whose failures are kept in mind: strangers' domains die and are never written to again. The one that
failed longest ago is forgotten first; its next parcel finds out anew."""

PROBE_EVERY = 300.0
"""Seconds between direct parcels that find out whether port 25 has opened."""

UNRELATED = 3
"""Domains without an answer before the fault is ours: two may be down on the same day, or be neighbours."""

_CONNECTING = frozenset({Reason.NETWORK_REFUSED, Reason.NETWORK_TIMEOUT, Reason.NETWORK_UNREACHABLE})

# The next parcel would meet the same. A block list is not among them: a smarthost may pass on what one
# recipient's server says about it, and all other mail must not wait for that.
_UNWELL = _CONNECTING | {
    Reason.NETWORK_DNS,
    Reason.NETWORK_TLS,
    Reason.RATE_LIMITED,
    Reason.RATE_QUOTA_DAY,
    Reason.SERVER_BUSY,
}

# These come about without a word from the server.
_SILENT = _CONNECTING | {
    Reason.NETWORK_DNS,
    Reason.NETWORK_PORT_BLOCKED,
    Reason.RECIPIENT_DOMAIN,
    Reason.MESSAGE_LOOP,
    Reason.SERVER_ERROR,
}


@dataclass(slots=True)
class _Standing:
    in_flight: int = 0
    failures: int = 0  # in a row; over 0 with no pause running: one probing parcel at a time
    until: float | None = None  # paused till then
    closed: Reason | None = None

    @property
    def blank(self) -> bool:
        return self == _BLANK


_BLANK = _Standing()


class Hops:
    """A `Room`: how many parcels may be leased now, in all and for each hop.

    `unlimited` routes share only the total (the smarthost is one hop for all mail). `pause` and
    `longest_pause` are seconds.
    """

    def __init__(
        self,
        *,
        total: int,
        per_hop: int,
        unlimited: frozenset[Route] = frozenset({Route.SMARTHOST}),
        pause: float = PAUSE,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        self._total = total
        self._per_hop = per_hop
        self._unlimited = unlimited
        self._pause = pause
        self._longest_pause = longest_pause
        self._hops: dict[str, _Standing] = {}
        self._resting: set[str] = set()  # those that are paused
        self._failing: dict[str, float] = {}  # since when; the one that failed last stands last
        self._in_flight = 0
        self._reached = False  # a direct server answered since the start
        self._unanswered: set[str] = set()  # direct domains that could not be connected to since
        self._probe_at: float | None = None

    def resize(self, *, total: int, per_hop: int) -> None:
        """Other limits from now on; what is on the road stays there."""
        self._total, self._per_hop = total, per_hop

    @property
    def paused(self) -> list[str]:
        """Keys of the hops that rest after failures."""
        return sorted(self._resting)

    @property
    def total(self) -> int:
        """Parcels that may be leased now, in all."""
        return max(0, self._total - self._in_flight)

    def free(self, hop: str) -> int:
        """Parcels that may be leased now for the hop with this key."""
        standing = self._hops.get(hop, _BLANK)
        if standing.closed is not None or standing.until is not None:
            return 0
        limit = self._total if Hop.from_key(hop).route in self._unlimited else self._per_hop
        if standing.failures:
            limit = 1
        return max(0, min(self.total, limit - standing.in_flight))

    def started(self, hop: str) -> None:
        """A parcel for this hop is on the road."""
        self._standing(hop).in_flight += 1
        self._in_flight += 1

    def ended(self, hop: str, verdicts: Sequence[Verdict], now: float) -> None:
        """A parcel came back. No verdicts: it was not tried."""
        standing = self._standing(hop)
        standing.in_flight -= 1
        self._in_flight -= 1
        self._note_port(hop, verdicts)
        if any(verdict.reason is Reason.AUTH_TOO_MANY_ATTEMPTS for verdict in verdicts):
            self._failed(hop, max(standing.failures, 1), now + LOCKED_PAUSE, now)
        elif any(_well(verdict) for verdict in verdicts):
            self._recovered(hop)
        elif verdicts and all(_unwell(verdict) for verdict in verdicts) and standing.until is None:
            # Parcels that were on the road together fail together: one failure.
            until = now + min(self._pause * 2**standing.failures, self._longest_pause)
            self._failed(hop, min(standing.failures + 1, 30), until, now)
        self.reopen(now)
        self._tidy(hop)

    def reopen(self, now: float) -> None:
        """Let one probing parcel through to each hop whose pause is over."""
        for hop in list(self._resting):
            standing = self._hops[hop]
            if standing.until is not None and standing.until <= now:
                standing.until = None
                self._resting.discard(hop)

    def next_change(self, now: float) -> float | None:
        """Seconds until the next pause ends, when `reopen` is due; None when none runs."""
        resting = [self._hops[hop] for hop in self._resting]
        ends = [s.until for s in resting if s.until is not None and s.closed is None]
        return max(0.0, min(ends) - now) if ends else None

    def dead(self, seconds: float, now: float) -> list[str]:
        """Hops that have done nothing but fail for so long. They get one probe at a time, so most of what
        waits there was never tried, and counts no waiting by itself."""
        return [hop for hop, since in self._failing.items() if now - since >= seconds]

    def close(self, hop: str, reason: Reason) -> None:
        """Nothing goes there any more (a refused login), until `open`."""
        self._standing(hop).closed = reason

    def lock(self, hop: str, now: float) -> None:
        """Somebody else found out that this server has seen too many logins: rest as if mail had."""
        self._failed(hop, max(self._standing(hop).failures, 1), now + LOCKED_PAUSE, now)

    def open(self, hop: str) -> None:
        """A person changed something: start afresh, without a pause."""
        self._standing(hop).closed = None
        self._recovered(hop)
        self._tidy(hop)

    def closed(self, hop: str) -> Reason | None:
        return self._hops.get(hop, _BLANK).closed

    @property
    def port_blocked(self) -> bool:
        """Connecting failed to several unrelated domains, and no server has answered since the start."""
        return not self._reached and len(self._unanswered) >= UNRELATED

    def probe(self, now: float) -> bool:
        """While the port is blocked: may this direct parcel be tried, to see whether it is open again? True
        once in `PROBE_EVERY`; the others are held. Always True while it is not blocked."""
        if not self.port_blocked:
            return True
        if self._probe_at is not None and now < self._probe_at:
            return False
        self._probe_at = now + PROBE_EVERY
        return True

    def _note_port(self, hop: str, verdicts: Sequence[Verdict]) -> None:
        place = Hop.from_key(hop)
        if place.route is not Route.DIRECT or self._reached:
            return
        if any(v.reason not in _SILENT or v.fate is Fate.UNCERTAIN for v in verdicts):
            self._reached = True
            self._unanswered.clear()
        elif verdicts and not self.port_blocked and all(v.reason in _CONNECTING for v in verdicts):
            # Subdomains of one company are one place, as a down network takes them all.
            self._unanswered.add(".".join(place.name.split(".")[-2:]))

    def _failed(self, hop: str, failures: int, until: float, now: float) -> None:
        standing = self._hops[hop]
        standing.failures, standing.until = failures, until
        self._resting.add(hop)
        self._failing[hop] = self._failing.pop(hop, now)
        if len(self._failing) > FAILING_MAX:
            oldest = next(iter(self._failing))
            self._recovered(oldest)
            self._tidy(oldest)

    def _recovered(self, hop: str) -> None:
        standing = self._hops[hop]
        standing.failures, standing.until = 0, None
        self._resting.discard(hop)
        self._failing.pop(hop, None)

    def _standing(self, hop: str) -> _Standing:
        return self._hops.setdefault(hop, _Standing())

    def _tidy(self, hop: str) -> None:
        if self._hops[hop].blank:
            del self._hops[hop]


def _unwell(verdict: Verdict) -> bool:
    """It concerns everything that waits for the hop."""
    return (
        verdict.fate is Fate.DEFERRED
        and verdict.scope in (Scope.HOST, Scope.HOP)
        and verdict.reason in _UNWELL
    )


def _well(verdict: Verdict) -> bool:
    """The server was there and dealt with what it was given, whatever it said."""
    return verdict.fate is not Fate.UNCERTAIN and verdict.reason not in _SILENT and not _unwell(verdict)
