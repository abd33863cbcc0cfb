"""What follows one try: done, again later, held for a person, or given up.

Waiting is counted, not read off the clock: a clock that jumps, a stopped daemon and time spent held expire
nothing. All lengths of time are seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relayd.core.delivery import Attempt, Settlement, State, Tls
from relayd.core.fate import Fate, Scope, Verdict
from relayd.core.journal import Event, EventType
from relayd.core.mail import Parcel, Progress, Route, Rung
from relayd.core.reasons import Reason
from relayd.core.reply import Evidence, Reply, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """`retry_after`: the waits between attempts, the last one repeats."""

    give_up_after: float
    warn_after: float
    retry_after: tuple[float, ...]


EAGER = 6
"""Attempts that may come sooner than the schedule says, because a server named a time or greylists. A server
that always says "in one second" would else be asked 2,000 times in three days."""

GREYLIST_WAIT = 15 * 60.0
"""Greylisting passes after 1 to 15 minutes (postgrey and rspamd: 5), so a longer wait is wasted."""

LONGEST_HINT = 4 * 3600.0
"""A server may put us off this long. The longest that is documented is a day's quota, which has its own row;
more than this, and one hostile line would use up the time until we give up."""

PATIENT_WAIT = 3600.0
"""Day quotas roll over 24 hours (Google, Microsoft), and each login too many locks the account for longer:
asking sooner than this only costs."""

_PATIENT = frozenset({Reason.RATE_QUOTA_DAY, Reason.AUTH_TOO_MANY_ATTEMPTS})

LOGIN_REFUSED = frozenset(
    reason
    for reason in Reason
    if reason.value.startswith("auth.") and reason is not Reason.AUTH_TOO_MANY_ATTEMPTS
) | {Reason.UPSTREAM_IS_MX}
"""Of a whole hop: nothing gets in there until a person changes something. (A locked account opens by itself,
the password may be right.)"""

_CONNECTING = frozenset({Reason.NETWORK_REFUSED, Reason.NETWORK_TIMEOUT, Reason.NETWORK_UNREACHABLE})

# "try again in 5 minutes", "Greylisted for 300 seconds", "retry after 1 hour". Each part is bounded.
_HINT = re.compile(
    r"\b(?:in|for|after|wait|within) (?:at least |about )?(\d{1,5}) ?"
    r"(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b",
    re.IGNORECASE,
)
_UNIT = {"s": 1, "m": 60, "h": 3600}


def settlement(
    parcel: Parcel,
    attempt: Attempt,
    rules: RetryRules,
    *,
    jitter: float,
    now: datetime,
    port_blocked: bool = False,
) -> Settlement:
    """Decide what becomes of one recipient after one attempt. `jitter` is 0..1, drawn by the caller.

    `port_blocked`: nothing gets out to port 25, so a direct parcel that couldn't connect is held.
    """
    trip = _Trip(parcel, attempt, rules, now)
    fate = attempt.verdict.fate
    if fate is Fate.SENT:
        kind = EventType.DELIVERED if parcel.hop.route is Route.DIRECT else EventType.RELAYED
        return trip.settle(State.SENT, trip.event(kind, final=True, bounces=bounces(parcel, attempt)))
    if fate is Fate.FAILED:
        return trip.settle(State.FAILED, trip.event(EventType.FAILED, final=True))
    if fate is Fate.UNCERTAIN:
        return _uncertain(trip, jitter)
    held = holding(attempt, parcel.hop.route, port_blocked=port_blocked)
    if held is not None:
        return trip.settle(State.HELD, replace(trip.event(EventType.HELD), reason=held))
    return _deferred(trip, jitter)


def holding(attempt: Attempt, route: Route, *, port_blocked: bool = False) -> Reason | None:
    """Why this attempt's recipient is held instead of tried again: waiting won't help, a person must act."""
    reason = attempt.verdict.reason
    if route is not Route.DIRECT:
        return reason if login_refused(attempt.evidence, attempt.verdict) else None
    if reason is Reason.NETWORK_PORT_BLOCKED or (port_blocked and reason in _CONNECTING):
        return Reason.NETWORK_PORT_BLOCKED
    return None


def login_refused(evidence: Evidence, verdict: Verdict) -> bool:
    """Whether a server with logins says that nothing gets in there until a person changes something."""
    blocked = verdict.reason is Reason.SENDER_BLOCKED and evidence.stage is Stage.AUTH
    return verdict.scope is Scope.HOP and (blocked or verdict.reason in LOGIN_REFUSED)


def next_wait(progress: Progress, attempt: Attempt, rules: RetryRules, jitter: float) -> float:
    """Seconds until the next attempt: the schedule, bent by what the server said, and up to a quarter more so
    that what failed together doesn't come back together."""
    steps = rules.retry_after
    wait = steps[min(progress.attempts, len(steps) - 1)]
    reason = attempt.verdict.reason
    hint = hinted(attempt.evidence.text) if isinstance(attempt.evidence, Reply) else None
    if reason in _PATIENT:
        wait = max(wait, PATIENT_WAIT, hint or 0.0)
    elif hint is not None and (hint > wait or progress.attempts < EAGER):
        wait = max(hint, min(wait, steps[0]))
    elif reason is Reason.RATE_GREYLISTED and progress.attempts < EAGER:
        wait = min(wait, GREYLIST_WAIT)
    return wait * (1 + jitter / 4)


def hinted(text: str) -> float | None:
    """The wait that a reply names, in seconds, at most `LONGEST_HINT`; None when it names none."""
    found = _HINT.search(" ".join(text.split()))
    if found is None:
        return None
    return min(float(found[1]) * _UNIT[found[2][0].lower()], LONGEST_HINT)


def bounces(parcel: Parcel, attempt: Attempt) -> str | None:
    """Where a late bounce of this recipient would go: "customer" when the return path is the own address, so
    that we never see it, else "tracked". A null return path gets no bounces: None."""
    path, dressing = attempt.recipient.return_path, parcel.message.dressing
    if not path:
        return None
    own = dressing.rung is not Rung.DEFAULT and path.lower() == str(dressing.header_from).lower()
    return "customer" if own else "tracked"


class _Trip:
    """One recipient's attempt with everything that its events repeat."""

    def __init__(self, parcel: Parcel, attempt: Attempt, rules: RetryRules, now: datetime) -> None:
        self.attempt = attempt
        self.rules = rules
        self.now = now
        self.message = parcel.message
        self.progress = parcel.progress[attempt.recipient.index]

    @property
    def elapsed(self) -> float:
        """Seconds of waiting and trying so far, this attempt included."""
        return self.progress.waited + self.attempt.seconds

    def event(
        self,
        kind: EventType,
        *,
        final: bool = False,
        wait: float | None = None,
        bounces: str | None = None,
    ) -> Event:
        message, attempt, evidence = self.message, self.attempt, self.attempt.evidence
        return Event(
            time=self.now,
            type=kind,
            message=message.id,
            ref=message.ref,
            sender=message.sender,
            rung=message.dressing.rung,
            proof=message.dressing.proof,
            recipient=str(attempt.recipient.address),
            test=message.test,
            attempt=self.progress.attempts + 1,
            next_attempt=None if wait is None else self.now + timedelta(seconds=wait),
            final=final,
            reason=attempt.verdict.reason,
            code=evidence.code if isinstance(evidence, Reply) else None,
            enhanced=evidence.enhanced if isinstance(evidence, Reply) else None,
            reply=evidence.text or None,
            host=attempt.host,
            ip=attempt.ip,
            tls=None if attempt.tls is None else tls_text(attempt.tls),
            bounces=bounces,
            detail=self._detail(),
        )

    def settle(self, state: State, *events: Event, wait: float | None = None, **flags: bool) -> Settlement:
        return Settlement(
            recipient=self.attempt.recipient.index,
            state=state,
            wait=wait,
            spent=self.attempt.seconds + (wait or 0.0),
            events=events,
            **flags,
        )

    def _detail(self) -> dict[str, str]:
        detail = {"stage": self.attempt.evidence.stage.value}
        if self.attempt.notes:
            detail["notes"] = "; ".join(self.attempt.notes)
        if self.progress.uncertain:
            # Whatever this attempt says, an earlier one may have got through.
            detail["uncertain"] = "an earlier attempt may have arrived"
        return detail


def tls_text(tls: Tls) -> str:
    return f"{tls.version} {tls.cipher} {'verified' if tls.valid else 'unverified'}"


def _uncertain(trip: _Trip, jitter: float) -> Settlement:
    """Once more with the same bytes, so that the far side can tell a copy by its Message-ID; after that only
    a person can know."""
    if trip.progress.uncertain:
        return trip.settle(State.HELD, trip.event(EventType.HELD), uncertain=True)
    wait = trip.rules.retry_after[0] * (1 + jitter / 4)
    return trip.settle(State.QUEUED, trip.event(EventType.UNCERTAIN, wait=wait), wait=wait, uncertain=True)


def _deferred(trip: _Trip, jitter: float) -> Settlement:
    """Later, unless the next attempt would come after `give_up_after`. An attempt lies behind us, so one that
    was released has had its turn."""
    wait = next_wait(trip.progress, trip.attempt, trip.rules, jitter)
    if trip.elapsed + wait > trip.rules.give_up_after:
        event = trip.event(EventType.EXPIRED, final=True)
        last = {} if event.reason is None else {"last_reason": event.reason.value}
        return trip.settle(
            State.FAILED, replace(event, reason=Reason.EXPIRED, detail={**event.detail, **last})
        )
    deferred = trip.event(EventType.DEFERRED, wait=wait)
    # As soon as it is certain that `warn_after` will pass: while someone can still act on it.
    if not trip.progress.warned and trip.elapsed + wait > trip.rules.warn_after:
        warned = trip.event(EventType.WARNED, wait=wait)
        return trip.settle(State.QUEUED, deferred, warned, wait=wait, warned=True)
    return trip.settle(State.QUEUED, deferred, wait=wait)
