"""What follows an attempt: done, later, held, given up; and what the journal says about it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.address import Address
from relayd.core.delivery import Attempt, Settlement, State, Tls
from relayd.core.event import EventType
from relayd.core.fate import Fate, Role, Scope, Verdict
from relayd.core.mail import (
    Dressing,
    Hop,
    Message,
    Parcel,
    Progress,
    Proof,
    Recipient,
    Route,
    Rung,
    Submission,
)
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Reply, Stage, parse_line
from relayd.core.retry import (
    LONGEST_HINT,
    RetryRules,
    hinted,
    settlement,
)
from relayd.core.verdict import classify

NOW = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
HOUR = 3600.0
RULES = RetryRules(
    give_up_after=72 * HOUR,
    warn_after=4 * HOUR,
    retry_after=(120.0, 300.0, 900.0, 1800.0, HOUR, 2 * HOUR),
)
OWN = Address("billing", "acme.example")
DIRECT, UPSTREAM, SMARTHOST = (
    Hop(Route.DIRECT, "example.org"),
    Hop(Route.UPSTREAM, "acme"),
    Hop(Route.SMARTHOST, ""),
)


def recipient(hop: Hop = DIRECT, return_path: str = "b-abc@bounce.my.platform.example") -> Recipient:
    return Recipient(index=3, address=Address("anna", "example.org"), hop=hop, return_path=return_path)


def parcel(to: Recipient, *, rung: Rung = Rung.DEFAULT, test: bool = False, **progress: Any) -> Parcel:
    message = Message(
        id="A" * 26,
        sender="acme",
        ref="invoice-7",
        submission=Submission(
            login=None,
            may_be=None,
            mail_from=OWN,
            recipients=(to.address,),
            header=b"From: x\r\n",
            body_size=2,
            body_hash=b"",
            eight_bit=False,
            smtputf8=False,
            received_at=NOW,
        ),
        dressing=Dressing(
            rung=rung,
            proof=Proof.DKIM if rung is Rung.OWN else Proof.PLATFORM,
            reason=None,
            header_from=Address("acme", "my.platform.example") if rung is Rung.DEFAULT else OWN,
            header=b"From: x\r\n",
        ),
        recipients=(to,),
        test=test,
    )
    stand = {"attempts": 0, "waited": 0.0, "uncertain": 0, "warned": False} | progress
    return Parcel(
        lease=1,
        message=message,
        hop=to.hop,
        recipients=(to,),
        progress={to.index: Progress(**stand)},
        first=True,
    )


def attempt(
    to: Recipient, evidence: Reply | Fault, *, seconds: float = 2.0, tls: Tls | None = None, **more: Any
) -> Attempt:
    role = Role.MX if to.hop.route is Route.DIRECT else Role.UPSTREAM
    return Attempt(
        recipient=to,
        evidence=evidence,
        verdict=classify(evidence, role),
        host="mx.example.org",
        ip="192.0.2.25",
        tls=tls,
        started_at=NOW,
        seconds=seconds,
        **more,
    )


def settled(
    said: str | FaultKind,
    *,
    stage: Stage = Stage.END,
    hop: Hop = DIRECT,
    jitter: float = 0.0,
    port_blocked: bool = False,
    seconds: float = 2.0,
    **progress: Any,
) -> Settlement:
    evidence: Reply | Fault
    if isinstance(said, FaultKind):
        evidence = Fault(kind=said, text="what happened", stage=stage, host="mx.example.org")
    else:
        evidence = parse_line(said, stage=stage, host="mx.example.org")
    to = recipient(hop)
    return settlement(
        parcel(to, **progress),
        attempt(to, evidence, seconds=seconds),
        RULES,
        jitter=jitter,
        now=NOW,
        port_blocked=port_blocked,
    )


@pytest.mark.parametrize(
    ("hop", "kind"),
    [
        (DIRECT, EventType.DELIVERED),
        (UPSTREAM, EventType.RELAYED),
        (SMARTHOST, EventType.RELAYED),
    ],
)
def test_a_yes_is_delivered_by_the_mx_and_relayed_by_an_upstream(hop: Hop, kind: EventType) -> None:
    done = settled("250 2.0.0 OK", hop=hop)

    assert (done.state, done.wait, done.spent, done.recipient) == (State.SENT, None, 2.0, 3)
    [event] = done.events
    assert (event.type, event.final, event.reason, event.next_attempt) == (kind, True, None, None)


def test_an_event_tells_the_whole_story() -> None:
    to = recipient()
    done = settlement(
        parcel(to, test=True, attempts=4),
        attempt(
            to,
            parse_line("250 2.0.0 OK queued as 1", stage=Stage.END),
            tls=Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", valid=True),
            notes=("sent without BODY=8BITMIME", "second note"),
        ),
        RULES,
        jitter=0.0,
        now=NOW,
    )

    [event] = done.events
    assert (event.time, event.message, event.ref, event.sender) == (NOW, "A" * 26, "invoice-7", "acme")
    assert (event.rung, event.proof, event.recipient) == (Rung.DEFAULT, Proof.PLATFORM, "anna@example.org")
    assert (event.attempt, event.code, event.enhanced, event.reply) == (5, 250, "2.0.0", "OK queued as 1")
    assert (event.host, event.ip, event.test) == ("mx.example.org", "192.0.2.25", True)
    assert event.tls == "TLSv1.3 TLS_AES_256_GCM_SHA384 verified"
    assert event.bounces == "tracked"
    assert event.detail == {"stage": "end", "notes": "sent without BODY=8BITMIME; second note"}


def test_an_unverified_connection_says_so() -> None:
    to = recipient()
    tls = Tls(version="TLSv1.2", cipher="X", valid=False)
    done = settlement(
        parcel(to),
        attempt(to, parse_line("250 OK", stage=Stage.END), tls=tls),
        RULES,
        jitter=0.0,
        now=NOW,
    )

    assert done.events[0].tls == "TLSv1.2 X unverified"


@pytest.mark.parametrize(
    ("rung", "return_path", "expected"),
    [
        (Rung.DEFAULT, "b-abc@bounce.my.platform.example", "tracked"),
        (Rung.DEFAULT, "acme@my.platform.example", "tracked"),
        (Rung.OWN, "b-abc@bounce.acme.example", "tracked"),
        (Rung.OWN, "billing@acme.example", "customer"),
        (Rung.UPSTREAM, "Billing@Acme.example", "customer"),
        (Rung.UPSTREAM, "", None),
    ],
)
def test_late_bounces_go_where_the_return_path_points(
    rung: Rung, return_path: str, expected: str | None
) -> None:
    to = recipient(return_path=return_path)
    done = settlement(
        parcel(to, rung=rung),
        attempt(to, parse_line("250 OK", stage=Stage.END)),
        RULES,
        jitter=0.0,
        now=NOW,
    )

    assert done.events[0].bounces == expected


def test_a_no_is_failed_and_final() -> None:
    done = settled("550 5.1.1 no such user", stage=Stage.RCPT)

    assert (done.state, done.wait) == (State.FAILED, None)
    [event] = done.events
    assert (event.type, event.final, event.reason) == (EventType.FAILED, True, Reason.RECIPIENT_UNKNOWN)
    assert event.detail == {"stage": "rcpt"}
    assert event.bounces is None


def test_a_fault_has_no_code_and_its_text_as_reply() -> None:
    [event] = settled(FaultKind.REFUSED, stage=Stage.CONNECT).events

    assert (event.code, event.enhanced, event.reply) == (None, None, "what happened")


def test_later_means_queued_with_the_next_attempt() -> None:
    done = settled("451 4.3.0 oops")

    assert (done.state, done.wait, done.spent) == (State.QUEUED, 120.0, 122.0)
    assert (done.uncertain, done.warned, done.attempted) == (False, False, True)
    [event] = done.events
    assert (event.type, event.final) == (EventType.DEFERRED, False)
    assert event.next_attempt == NOW + timedelta(seconds=120)


@pytest.mark.parametrize(
    ("attempts", "wait"),
    [(0, 120), (1, 300), (2, 900), (3, 1800), (4, 3600), (5, 7200), (6, 7200), (99, 7200)],
)
def test_waits_follow_the_schedule_and_the_last_one_repeats(attempts: int, wait: float) -> None:
    assert settled("451 oops", attempts=attempts).wait == wait


def test_jitter_adds_up_to_a_quarter() -> None:
    assert settled("451 oops", jitter=1.0).wait == 150.0
    assert settled("451 oops", jitter=0.5).wait == 135.0


@pytest.mark.parametrize(
    ("said", "attempts", "wait"),
    [
        # greylisting is over within minutes
        ("450 4.2.0 Greylisted", 0, 120),
        ("450 4.2.0 Greylisted", 4, 900),
        ("450 4.2.0 Greylisted", 6, 7200),
        # a server that names a time knows better
        ("451 4.7.1 Greylisted for 5 minutes", 0, 300),
        ("451 4.7.1 Greylisted for 5 minutes", 4, 300),
        ("450 4.7.1 Try again in 3 hours", 0, 10800),
        ("450 4.7.1 Try again in 3 hours", 9, 10800),
        # though not sooner than our first wait, and not for ever
        ("450 4.7.1 Try again in 1 second", 3, 120),
        ("450 4.7.1 Try again in 1 second", 6, 7200),
        ("450 4.7.1 Try again in 999 hours", 0, LONGEST_HINT),
        # a day's quota is not asked about every two minutes
        ("454 Throttling failure: Daily message quota exceeded", 0, 3600),
        ("454 Throttling failure: Daily message quota exceeded", 5, 7200),
        ("454 Daily message quota exceeded, retry after 2 hours", 0, 7200),
        # a locked account opens by itself, unless it is asked again and again
        ("454 4.7.0 Too many login attempts, please try again later.", 0, 3600),
    ],
)
def test_what_the_server_says_bends_the_schedule(said: str, attempts: int, wait: float) -> None:
    assert settled(said, hop=UPSTREAM, attempts=attempts).wait == wait


def test_a_fault_names_no_time() -> None:
    assert settled(FaultKind.TIMEOUT, stage=Stage.CONNECT).wait == 120.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 5 minutes", 300.0),
        ("Please retry after 90 sec", 90.0),
        ("wait 30s", 30.0),
        ("Greylisted for 300 seconds", 300.0),
        ("come back in at least 10 mins", 600.0),
        ("come back in about\n2 h", 7200.0),
        ("blocked for 5 reasons", None),
        ("in 5 months", None),
        ("the limit is 20 messages", None),
        ("in 123456 minutes", None),
        ("", None),
    ],
)
def test_times_are_read_from_replies(text: str, seconds: float | None) -> None:
    assert hinted(text) == seconds


def test_given_up_when_the_next_attempt_would_be_too_late() -> None:
    waited = 72 * HOUR - 7200 - 2
    assert settled("451 oops", attempts=40, waited=waited, warned=True).state is State.QUEUED

    done = settled("452 4.2.2 full", attempts=40, waited=waited + 1, warned=True)

    assert (done.state, done.wait, done.spent) == (State.FAILED, None, 2.0)
    [event] = done.events
    assert (event.type, event.final, event.reason) == (EventType.EXPIRED, True, Reason.EXPIRED)
    assert event.detail == {"stage": "end", "last_reason": "recipient.full"}
    assert (event.code, event.next_attempt) == (452, None)


def test_one_that_was_released_has_had_its_attempt_before_it_expires() -> None:
    done = settled("250 OK", waited=100 * HOUR, released=True)
    assert done.state is State.SENT

    assert settled("451 oops", waited=100 * HOUR, released=True).state is State.FAILED


def test_a_warning_comes_once_when_the_time_is_going_to_pass() -> None:
    early = settled("451 oops", attempts=4, waited=2 * HOUR)
    assert [event.type for event in early.events] == [EventType.DEFERRED]
    assert not early.warned

    warned = settled("451 oops", attempts=5, waited=3 * HOUR)
    assert [event.type for event in warned.events] == [EventType.DEFERRED, EventType.WARNED]
    assert warned.warned
    assert warned.events[1].next_attempt == NOW + timedelta(hours=2)
    assert not warned.events[1].final

    again = settled("451 oops", attempts=6, waited=5 * HOUR, warned=True)
    assert [event.type for event in again.events] == [EventType.DEFERRED]
    assert not again.warned  # nothing new to write down


def test_no_answer_to_the_final_dot_is_tried_once_more_and_then_held() -> None:
    first = settled(FaultKind.TIMEOUT, attempts=3, jitter=1.0)
    assert (first.state, first.wait, first.uncertain) == (State.QUEUED, 150.0, True)
    [event] = first.events
    assert (event.type, event.reason, event.final) == (EventType.UNCERTAIN, Reason.NETWORK_TIMEOUT, False)

    second = settled(FaultKind.CLOSED, attempts=4, uncertain=1)
    assert (second.state, second.wait, second.uncertain) == (State.HELD, None, True)
    [event] = second.events
    assert (event.type, event.reason) == (EventType.HELD, Reason.NETWORK_CLOSED)
    assert "uncertain" in event.detail


def test_a_failure_after_an_uncertain_attempt_remembers_it() -> None:
    [event] = settled("550 5.1.1 no such user", stage=Stage.RCPT, uncertain=1).events

    assert event.detail["uncertain"] == "an earlier attempt may have arrived"


@pytest.mark.parametrize("hop", [UPSTREAM, SMARTHOST])
def test_a_refused_login_holds_and_is_not_tried_again(hop: Hop) -> None:
    done = settled("535 5.7.8 Username and Password not accepted", stage=Stage.AUTH, hop=hop)

    assert (done.state, done.wait) == (State.HELD, None)
    [event] = done.events
    assert (event.type, event.reason, event.final) == (EventType.HELD, Reason.AUTH_WRONG_PASSWORD, False)
    assert event.next_attempt is None


def test_trouble_at_an_upstream_that_is_no_refused_login_is_tried_again() -> None:
    assert settled("454 4.7.0 later", stage=Stage.AUTH, hop=UPSTREAM).state is State.QUEUED
    assert settled(FaultKind.REFUSED, stage=Stage.CONNECT, hop=UPSTREAM).state is State.QUEUED


def test_a_login_that_an_mx_wants_holds_nothing() -> None:
    """Only an upstream has a login that a person could set right."""
    to = recipient(DIRECT)
    verdict = Verdict(fate=Fate.DEFERRED, reason=Reason.AUTH_MECHANISM, scope=Scope.HOP)
    tried = attempt(to, parse_line("451 no", stage=Stage.MAIL))
    tried = Attempt(
        recipient=to,
        evidence=tried.evidence,
        verdict=verdict,
        host=None,
        ip=None,
        tls=None,
        started_at=NOW,
        seconds=0.0,
    )

    assert settlement(parcel(to), tried, RULES, jitter=0.0, now=NOW).state is State.QUEUED


def test_direct_mail_is_held_while_port_25_is_closed() -> None:
    done = settled(FaultKind.TIMEOUT, stage=Stage.CONNECT, port_blocked=True)

    assert done.state is State.HELD
    [event] = done.events
    assert (event.type, event.reason) == (EventType.HELD, Reason.NETWORK_PORT_BLOCKED)


@pytest.mark.parametrize(
    ("hop", "said", "stage"),
    [
        (UPSTREAM, FaultKind.TIMEOUT, Stage.CONNECT),
        (DIRECT, FaultKind.DNS, Stage.DNS),
        (DIRECT, "451 oops", Stage.END),
    ],
)
def test_a_closed_port_25_concerns_nothing_else(hop: Hop, said: str | FaultKind, stage: Stage) -> None:
    assert settled(said, stage=stage, hop=hop, port_blocked=True).state is State.QUEUED


@given(
    code=st.integers(200, 599),
    text=st.text(max_size=60),
    stage=st.sampled_from(Stage),
    hop=st.sampled_from([DIRECT, UPSTREAM, SMARTHOST]),
    attempts=st.integers(0, 1000),
    waited=st.floats(0, 1e7),
    uncertain=st.integers(0, 2),
    warned=st.booleans(),
    jitter=st.floats(0, 1),
)
def test_every_settlement_is_consistent(
    code: int,
    text: str,
    stage: Stage,
    hop: Hop,
    attempts: int,
    waited: float,
    uncertain: int,
    warned: bool,
    jitter: float,
) -> None:
    """Whatever is said: queued has a next attempt and nobody else has; a final state has exactly one final
    event; nobody waits past the time we give up."""
    done = settled(
        f"{code} {text}",
        stage=stage,
        hop=hop,
        jitter=jitter,
        attempts=attempts,
        waited=waited,
        uncertain=uncertain,
        warned=warned,
    )

    assert (done.wait is not None) == (done.state is State.QUEUED)
    finals = [event for event in done.events if event.final]
    assert len(finals) == (done.state in (State.SENT, State.FAILED))
    assert all(event.attempt == attempts + 1 for event in done.events)
    if done.wait is not None:
        assert done.wait >= RULES.retry_after[0]
        assert done.events[0].next_attempt == NOW + timedelta(seconds=done.wait)
        if not done.uncertain:
            assert waited + done.spent <= RULES.give_up_after
