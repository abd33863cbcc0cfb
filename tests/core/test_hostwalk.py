"""The walk is played by hand: what it asks for is answered, and the next question must follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.delivery import Tls
from relayd.core.dialogue import Protection
from relayd.core.hostwalk import (
    CONNECT_LIMIT,
    HOST_LIMIT,
    SESSION_LIMIT,
    Conclude,
    Connect,
    Find,
    HostWalk,
    Resolve,
)
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage
from relayd.core.verdict import Fate, Role

TLS = Tls(version="TLSv1.3", cipher="X", valid=True)
SENT = Reply(code=250, enhanced="2.0.0", text="queued", stage=Stage.END, host="a.example")
BUSY = Reply(code=421, enhanced="4.3.2", text="going down", stage=Stage.MAIL, host="a.example")
UNKNOWN = Reply(code=550, enhanced="5.1.1", text="no such user", stage=Stage.RCPT, host="a.example")


def fault(kind: FaultKind, stage: Stage = Stage.CONNECT) -> Fault:
    return Fault(kind=kind, text=f"{kind} at {stage}", stage=stage, host="a.example")


def walk(*recipients: int, protection: Protection = Protection.OFFERED, role: Role = Role.MX) -> HostWalk:
    return HostWalk(recipients=recipients or (0,), role=role, protection=protection)


def at(found: HostWalk, *hosts: str, ips: tuple[str, ...] = ("192.0.2.1",)) -> HostWalk:
    """Walk on to the first address of the first host."""
    assert found.next() == Find()
    found.found([Mx(10 * at, host) for at, host in enumerate(hosts or ("a.example",), 1)])
    resolved(found, *ips)
    return found


def resolved(walking: HostWalk, *ips: str) -> None:
    assert isinstance(walking.next(), Resolve)
    walking.resolved(Found(records=ips, ttl=60))


def answered(walking: HostWalk, evidence: Evidence | dict[int, Evidence], **more: object) -> None:
    step = walking.next()
    assert isinstance(step, Connect)
    found = evidence if isinstance(evidence, dict) else dict.fromkeys(walking.open, evidence)
    walking.answered(found, host=step.host, ip=step.ip, tls=TLS, **more)  # type: ignore[arg-type]


def fates(walking: HostWalk) -> list[Fate]:
    step = walking.next()
    assert isinstance(step, Conclude)
    return [step.trials[recipient].verdict.fate for recipient in sorted(step.trials)]


def evidence(walking: HostWalk) -> Evidence:
    step = walking.next()
    assert isinstance(step, Conclude)
    return step.trials[0].evidence


def test_the_usual_way_is_find_resolve_connect_conclude() -> None:
    walking = at(walk())
    assert walking.next() == Connect("a.example", "192.0.2.1", Protection.OFFERED)
    answered(walking, SENT, notes=("a note",))
    step = walking.next()
    assert isinstance(step, Conclude)
    trial = step.trials[0]
    assert (trial.host, trial.ip, trial.tls, trial.notes) == ("a.example", "192.0.2.1", TLS, ("a note",))
    assert trial.verdict.fate is Fate.SENT


def test_a_hop_without_hosts_is_decided_by_why() -> None:
    walking = walk(0, 1)
    walking.next()
    walking.found(fault(FaultKind.NULL_MX, Stage.DNS))
    assert fates(walking) == [Fate.FAILED, Fate.FAILED]


def test_all_addresses_of_a_host_come_before_the_next_host() -> None:
    walking = at(walk(), "a.example", "b.example", ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(fault(FaultKind.TIMEOUT))
    assert walking.next() == Connect("a.example", "192.0.2.2", Protection.OFFERED)
    walking.failed(fault(FaultKind.TIMEOUT))
    assert walking.next() == Resolve("b.example")


def test_an_address_that_was_tried_is_not_tried_under_another_name() -> None:
    walking = at(walk(), "a.example", "b.example")
    walking.failed(fault(FaultKind.REFUSED))
    resolved(walking, "192.0.2.1", "192.0.2.9")
    assert walking.next() == Connect("b.example", "192.0.2.9", Protection.OFFERED)


def test_recipients_are_decided_one_by_one() -> None:
    walking = at(walk(0, 1, 2), "a.example", "b.example")
    answered(walking, {0: UNKNOWN, 1: BUSY, 2: SENT})
    assert walking.open == (1,)
    resolved(walking, "192.0.2.9")
    answered(walking, SENT)
    assert fates(walking) == [Fate.FAILED, Fate.SENT, Fate.SENT]


@pytest.mark.parametrize(
    "last",
    [
        fault(FaultKind.CLOSED, Stage.END),
        fault(FaultKind.TIMEOUT, Stage.END),
        Reply(code=451, enhanced="4.3.0", text="local error", stage=Stage.END, host="a.example"),
        Reply(code=421, enhanced="4.3.2", text="going down", stage=Stage.END, host="a.example"),
    ],
)
def test_after_the_final_dot_nobody_else_is_asked(last: Evidence) -> None:
    walking = at(walk(), "a.example", "b.example", ips=("192.0.2.1", "192.0.2.2"))
    answered(walking, last)
    assert evidence(walking) == last


# --- TLS ---


def test_a_failed_handshake_is_followed_by_clear_text_once_and_noted() -> None:
    walking = at(walk(), ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(fault(FaultKind.TLS, Stage.TLS))
    assert walking.next() == Connect("a.example", "192.0.2.1", Protection.CLEAR)
    answered(walking, SENT)
    step = walking.next()
    assert isinstance(step, Conclude)
    assert step.trials[0].notes == ("sent in clear after a failed handshake: tls at tls",)


def test_clear_text_that_fails_too_ends_with_this_address() -> None:
    walking = at(walk(), ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(fault(FaultKind.TLS, Stage.TLS))
    walking.failed(fault(FaultKind.CLOSED, Stage.EHLO))
    assert walking.next() == Connect("a.example", "192.0.2.2", Protection.OFFERED)
    answered(walking, SENT)
    step = walking.next()
    assert isinstance(step, Conclude)
    assert step.trials[0].notes == ()


@pytest.mark.parametrize("protection", [Protection.REQUIRED, Protection.VERIFIED, Protection.IMPLICIT])
def test_where_tls_is_a_must_clear_text_never_follows(protection: Protection) -> None:
    walking = at(walk(protection=protection))
    walking.failed(fault(FaultKind.TLS, Stage.TLS))
    assert fates(walking) == [Fate.DEFERRED]


@pytest.mark.parametrize("stage", [Stage.BANNER, Stage.EHLO])
@pytest.mark.parametrize("code", [421, 450, 550, 554])
def test_what_is_said_before_the_message_is_known_does_not_concern_it(stage: Stage, code: int) -> None:
    walking = at(walk(), ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(Reply(code=code, enhanced=None, text="hm", stage=stage, host="a.example"))
    answered(walking, SENT)
    assert fates(walking) == [Fate.SENT]


def test_where_we_never_came_no_host_is_named_as_the_one_that_decided() -> None:
    walking = walk()
    walking.next()
    walking.found([Mx(10, "a.example")])
    walking.next()
    walking.resolved(Trouble(text="SERVFAIL"))
    step = walking.next()
    assert isinstance(step, Conclude)
    assert (step.trials[0].host, step.trials[0].ip) == (None, None)


# --- limits ---


def test_only_the_first_hosts_are_tried() -> None:
    walking = walk()
    walking.next()
    walking.found([Mx(at, f"h{at}.example") for at in range(20)])
    seen = 0
    while isinstance(walking.next(), Resolve):
        walking.resolved(Missing(domain=True, ttl=60))
        seen += 1
    assert seen == HOST_LIMIT


def test_after_two_servers_that_greeted_us_and_failed_it_is_enough() -> None:
    walking = at(walk(), ips=tuple(f"192.0.2.{at}" for at in range(1, 6)))
    for _ in range(SESSION_LIMIT):
        answered(walking, BUSY)
    assert evidence(walking) == BUSY


def test_addresses_that_never_answer_are_limited_too() -> None:
    walking = walk()
    walking.next()
    walking.found([Mx(at, f"h{at}.example") for at in range(5)])
    tried = 0
    while not isinstance(step := walking.next(), Conclude):
        if isinstance(step, Resolve):
            walking.resolved(Found(records=tuple(f"192.0.{tried}.{at}" for at in range(5)), ttl=60))
        else:
            tried += 1
            walking.failed(fault(FaultKind.TIMEOUT))
    assert tried == CONNECT_LIMIT


# --- what is reported when no host would do ---


def test_an_answer_weighs_more_than_silence() -> None:
    walking = at(walk(), ips=("192.0.2.1", "192.0.2.2", "192.0.2.3"))
    walking.failed(fault(FaultKind.REFUSED))
    answered(walking, BUSY)
    walking.failed(fault(FaultKind.TIMEOUT))
    assert evidence(walking) == BUSY


def test_a_server_that_left_weighs_more_than_one_that_never_came() -> None:
    walking = at(walk(), ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(fault(FaultKind.REFUSED))
    walking.failed(fault(FaultKind.CLOSED, Stage.EHLO))
    assert evidence(walking) == fault(FaultKind.CLOSED, Stage.EHLO)


def test_of_equal_troubles_the_first_is_reported() -> None:
    walking = at(walk(), ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(fault(FaultKind.REFUSED))
    walking.failed(fault(FaultKind.TIMEOUT))
    assert evidence(walking) == fault(FaultKind.REFUSED)


def test_a_server_that_never_serves_does_not_end_what_another_may_do_later() -> None:
    walking = at(walk(), ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(Reply(code=554, enhanced=None, text="no service", stage=Stage.BANNER, host="a.example"))
    walking.failed(fault(FaultKind.TIMEOUT))
    assert evidence(walking) == fault(FaultKind.TIMEOUT)
    assert fates(walking) == [Fate.DEFERRED]


@pytest.mark.parametrize("passing", [FaultKind.REFUSED, FaultKind.TIMEOUT, FaultKind.UNREACHABLE])
def test_a_host_without_address_does_not_end_what_may_pass(passing: FaultKind) -> None:
    walking = at(walk(), "a.example", "b.example", "c.example")
    walking.failed(fault(passing))
    walking.next()
    walking.resolved(Missing(domain=False, ttl=60))
    walking.next()
    walking.resolved(Trouble(text="SERVFAIL"))
    assert fates(walking) == [Fate.DEFERRED]


def test_trouble_in_dns_for_one_host_keeps_a_missing_other_from_being_final() -> None:
    walking = walk()
    walking.next()
    walking.found([Mx(10, "a.example"), Mx(20, "b.example")])
    walking.next()
    walking.resolved(Missing(domain=False, ttl=60))
    walking.next()
    walking.resolved(Trouble(text="SERVFAIL"))
    assert fates(walking) == [Fate.DEFERRED]


def test_hosts_without_addresses_end_it() -> None:
    walking = walk()
    walking.next()
    walking.found([Mx(10, "a.example")])
    walking.next()
    walking.resolved(Missing(domain=True, ttl=60))
    assert fates(walking) == [Fate.FAILED]


def test_forbidden_addresses_are_passed_over() -> None:
    walking = at(walk(), ips=("10.0.0.1", "192.0.2.2"))
    walking.avoided(fault(FaultKind.FORBIDDEN))
    answered(walking, SENT)
    assert fates(walking) == [Fate.SENT]


def test_where_we_find_ourselves_what_is_not_better_is_left_out() -> None:
    walking = walk()
    walking.next()
    walking.found([Mx(10, "a.example"), Mx(10, "b.example"), Mx(20, "c.example")])
    resolved(walking, "192.0.2.1")
    walking.is_us()
    assert fates(walking) == [Fate.FAILED]
    assert evidence(walking) == Fault(
        kind=FaultKind.LOOP,
        text="a.example [192.0.2.1] is this relay itself",
        stage=Stage.CONNECT,
        host="a.example",
    )


def test_a_refused_login_concerns_the_whole_hop() -> None:
    walking = at(walk(role=Role.UPSTREAM, protection=Protection.VERIFIED), ips=("192.0.2.1", "192.0.2.2"))
    refused = Reply(code=535, enhanced="5.7.8", text="bad credentials", stage=Stage.AUTH, host="a.example")
    walking.failed(refused, TLS)
    step = walking.next()
    assert isinstance(step, Conclude)
    assert (step.trials[0].evidence, step.trials[0].tls) == (refused, TLS)


@pytest.mark.parametrize(
    "evidence",
    [
        Fault(kind=FaultKind.CLOSED, text="closed", stage=Stage.AUTH, host="a.example"),
        Fault(kind=FaultKind.TIMEOUT, text="silence", stage=Stage.AUTH, host="a.example"),
        Reply(code=250, enhanced=None, text="what?", stage=Stage.AUTH, host="a.example"),
        Reply(code=421, enhanced="4.3.2", text="closing", stage=Stage.AUTH, host="a.example"),
    ],
    ids=["closed", "silent", "neither yes nor no", "closing"],
)
def test_a_login_is_shown_to_one_server_in_an_attempt(evidence: Evidence) -> None:
    walking = at(walk(role=Role.UPSTREAM, protection=Protection.VERIFIED), ips=("192.0.2.1", "192.0.2.2"))
    walking.failed(evidence, TLS)
    assert fates(walking) == [Fate.DEFERRED]


def test_a_kept_connection_comes_before_any_question() -> None:
    walking = walk()
    walking.answered({0: SENT}, host="a.example", ip="192.0.2.1", tls=None)
    assert fates(walking) == [Fate.SENT]


def test_after_a_kept_connection_failed_its_address_is_not_tried_again() -> None:
    walking = walk()
    walking.answered({0: BUSY}, host="a.example", ip="192.0.2.1", tls=None)
    at(walking, ips=("192.0.2.1", "192.0.2.2"))
    assert walking.next() == Connect("a.example", "192.0.2.2", Protection.OFFERED)


def test_a_hop_whose_list_of_hosts_is_empty_is_a_fault_of_ours_and_passes() -> None:
    walking = walk()
    walking.next()
    walking.found([])
    assert fates(walking) == [Fate.DEFERRED]


# --- whatever happens ---

stages = st.sampled_from(
    [Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.TLS, Stage.MAIL, Stage.RCPT, Stage.END]
)
replies = st.builds(
    lambda code, stage: Reply(code=code, enhanced=None, text="x", stage=stage, host="h.example"),
    st.sampled_from([250, 421, 450, 451, 535, 550, 554]),
    stages,
)
faults = st.builds(
    lambda kind, stage: Fault(kind=kind, text="x", stage=stage, host="h.example"),
    st.sampled_from(list(FaultKind)),
    stages,
)


@given(st.data())
def test_every_walk_ends_and_decides_every_recipient_and_never_delivers_twice(data: st.DataObject) -> None:
    recipients = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True))
    walking = HostWalk(
        recipients=recipients,
        role=data.draw(st.sampled_from(list(Role))),
        protection=data.draw(st.sampled_from(list(Protection))),
    )
    dotted: set[int] = set()
    steps = 0
    while not isinstance(step := walking.next(), Conclude):
        steps += 1
        assert steps < 100
        if isinstance(step, Find):
            hosts = data.draw(st.lists(st.integers(0, 9), max_size=12))
            walking.found([Mx(at, f"h{at}.example") for at in sorted(hosts)])
        elif isinstance(step, Resolve):
            ips = data.draw(st.lists(st.sampled_from(["192.0.2.1", "192.0.2.2", "10.0.0.1"]), max_size=5))
            answers = [Found(records=tuple(ips), ttl=1), Missing(domain=True, ttl=1), Trouble(text="x")]
            walking.resolved(data.draw(st.sampled_from(answers)))
        else:
            what = data.draw(st.sampled_from(["avoided", "us", "failed", "answered"]))
            if what == "avoided":
                walking.avoided(fault(FaultKind.FORBIDDEN))
            elif what == "us":
                walking.is_us()
            elif what == "failed":
                walking.failed(data.draw(replies | faults))
            else:
                assert not dotted & set(walking.open)
                found = {recipient: data.draw(replies | faults) for recipient in walking.open}
                dotted |= {recipient for recipient, one in found.items() if one.stage is Stage.END}
                walking.answered(found, host=step.host, ip=step.ip, tls=None)
    assert set(step.trials) == set(recipients)
