"""Which hops have room, and when: counted, paused, closed, and port 25."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.fate import Fate, Scope, Verdict
from relayd.core.hops import LOCKED_PAUSE, PAUSE, PROBE_EVERY, Hops
from relayd.core.reasons import Reason

A, B, C = "direct:a.example", "direct:b.example", "direct:c.example"
SMARTHOST, ACME = "smarthost:", "upstream:acme"

SENT = Verdict(fate=Fate.SENT, reason=None, scope=Scope.RECIPIENT)
UNKNOWN = Verdict(fate=Fate.FAILED, reason=Reason.RECIPIENT_UNKNOWN, scope=Scope.RECIPIENT)
GREYLISTED = Verdict(fate=Fate.DEFERRED, reason=Reason.RATE_GREYLISTED, scope=Scope.RECIPIENT)
UNCERTAIN = Verdict(fate=Fate.UNCERTAIN, reason=Reason.NETWORK_TIMEOUT, scope=Scope.MESSAGE)
CLOSED = Verdict(fate=Fate.DEFERRED, reason=Reason.NETWORK_CLOSED, scope=Scope.HOST)
NO_DOMAIN = Verdict(fate=Fate.FAILED, reason=Reason.RECIPIENT_DOMAIN, scope=Scope.HOP)


def down(reason: Reason = Reason.NETWORK_REFUSED, scope: Scope = Scope.HOST) -> Verdict:
    return Verdict(fate=Fate.DEFERRED, reason=reason, scope=scope)


def hops(total: int = 10, per_hop: int = 4) -> Hops:
    return Hops(total=total, per_hop=per_hop)


def once(room: Hops, hop: str, verdict: Verdict, now: float = 0.0) -> None:
    room.started(hop)
    room.ended(hop, [verdict], now)


def test_a_hop_takes_its_share_and_all_together_no_more_than_the_total() -> None:
    room = hops()

    assert (room.total, room.free(A)) == (10, 4)
    for _ in range(4):
        room.started(A)
    assert (room.total, room.free(A), room.free(B)) == (6, 0, 4)
    for _ in range(4):
        room.started(B)
    assert (room.total, room.free(C)) == (2, 2)
    room.ended(A, [SENT], 0.0)
    assert (room.total, room.free(A)) == (3, 1)


def test_the_smarthost_may_use_the_whole_total() -> None:
    assert hops().free(SMARTHOST) == 10
    assert hops().free(ACME) == 4


def test_a_hop_that_cannot_be_connected_to_rests_longer_each_time() -> None:
    room, now = hops(), 0.0

    for pause in (30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0):
        once(room, A, down(), now)

        assert room.free(A) == 0
        assert room.next_change(now) == pause
        room.reopen(now + pause - 1)
        assert room.free(A) == 0
        now += pause
        room.reopen(now)
        assert room.free(A) == 1  # one probing parcel
        assert room.next_change(now) is None
        room.started(A)
        assert room.free(A) == 0
        room.ended(A, [], now)  # it came back untried


def test_parcels_that_fail_together_count_as_one_failure() -> None:
    room = hops()
    for _ in range(3):
        room.started(A)

    for _ in range(3):
        room.ended(A, [down()], 0.0)

    assert room.next_change(0.0) == PAUSE


@pytest.mark.parametrize("verdict", [SENT, UNKNOWN, GREYLISTED, CLOSED])
def test_a_server_that_dealt_with_a_parcel_ends_the_pause(verdict: Verdict) -> None:
    room = hops()
    room.started(A)
    once(room, A, down())

    room.ended(A, [verdict], 1.0)

    assert room.free(A) == 4
    assert room.next_change(1.0) is None


@pytest.mark.parametrize("verdict", [UNCERTAIN, NO_DOMAIN])
def test_what_tells_nothing_about_the_server_changes_nothing(verdict: Verdict) -> None:
    room = hops()
    once(room, A, verdict)
    assert room.free(A) == 4

    once(room, A, down())
    room.reopen(PAUSE)
    once(room, A, verdict, PAUSE)

    assert room.free(A) == 1


@pytest.mark.parametrize(
    ("verdict", "pauses"),
    [
        (down(Reason.NETWORK_TIMEOUT), True),
        (down(Reason.NETWORK_UNREACHABLE), True),
        (down(Reason.NETWORK_TLS), True),
        (down(Reason.SERVER_BUSY), True),
        (down(Reason.NETWORK_DNS, Scope.HOP), True),
        (down(Reason.RATE_LIMITED, Scope.HOP), True),
        (down(Reason.RATE_QUOTA_DAY, Scope.HOP), True),
        (down(Reason.REPUTATION_BLOCKLIST, Scope.HOP), False),
        (down(Reason.RATE_LIMITED, Scope.RECIPIENT), False),
        (down(Reason.SERVER_BUSY, Scope.MESSAGE), False),
        (down(Reason.SERVER_ERROR, Scope.MESSAGE), False),
        (CLOSED, False),
    ],
)
def test_only_what_the_next_parcel_would_meet_too_pauses_a_hop(verdict: Verdict, pauses: bool) -> None:
    room = hops()

    once(room, A, verdict)

    assert (room.free(A) == 0) is pauses


def test_a_parcel_that_partly_arrived_pauses_nothing() -> None:
    room = hops()
    room.started(A)

    room.ended(A, [SENT, down()], 0.0)

    assert room.free(A) == 4


def test_other_hops_reopen_while_work_goes_on() -> None:
    """The loop asks for `reopen` only when it is idle, so the end of any parcel does it too."""
    room = hops()
    once(room, A, down())

    once(room, B, SENT, PAUSE)

    assert room.free(A) == 1


def test_the_next_change_is_the_first_of_all_pauses() -> None:
    room = hops()
    once(room, A, down())
    once(room, B, down(), 10.0)

    assert room.next_change(12.0) == 18.0
    assert room.next_change(99.0) == 0.0


def test_a_closed_hop_stays_closed_until_a_person_opens_it() -> None:
    room = hops()
    once(room, ACME, down(Reason.AUTH_WRONG_PASSWORD, Scope.HOP))
    room.close(ACME, Reason.AUTH_WRONG_PASSWORD)

    assert room.closed(ACME) is Reason.AUTH_WRONG_PASSWORD
    assert room.next_change(0.0) is None  # its pause ends nothing
    room.reopen(1e9)
    assert room.free(ACME) == 0

    room.open(ACME)

    assert room.closed(ACME) is None
    assert room.free(ACME) == 4


def test_pauses_can_be_set_for_short_schedules() -> None:
    room = Hops(total=1, per_hop=1, pause=1.0, longest_pause=2.0)
    once(room, A, down())

    assert room.next_change(0.0) == 1.0


def test_limits_can_change_while_parcels_are_on_the_road() -> None:
    room = hops()
    for _ in range(4):
        room.started(A)

    room.resize(total=3, per_hop=2)
    assert (room.total, room.free(A), room.free(B)) == (0, 0, 0)

    room.resize(total=20, per_hop=6)
    assert (room.total, room.free(A), room.free(B)) == (16, 2, 6)


def test_the_paused_hops_are_known_by_name() -> None:
    room = hops()
    once(room, A, down())
    once(room, B, SENT)

    assert room.paused == [A]


def test_idle_hops_leave_no_trace() -> None:
    room = hops()
    for number in range(100):
        once(room, f"direct:{number}.example", SENT)
    room.open(A)

    assert room._hops == {}


def test_a_hop_is_dead_that_has_done_nothing_but_fail_for_long() -> None:
    room = hops()
    for now in range(0, 1000, 100):
        once(room, A, down(), float(now))
        once(room, B, down(), float(now))
    once(room, B, SENT, 950.0)
    once(room, B, down(), 960.0)

    assert room.dead(1000.0, 999.0) == []
    assert room.dead(1000.0, 1000.0) == [A]
    assert sorted(room.dead(1000.0, 1960.0)) == [A, B]


def test_of_hops_that_never_come_back_a_bounded_number_is_kept_in_mind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relayd.core.hops.FAILING_MAX", 3)
    room = hops()
    room.started(A)  # still on the road when it is forgotten
    once(room, A, down())
    for number in range(100):
        once(room, f"direct:{number}.example", down())
        room.reopen(1e6)

    assert sorted(room._hops) == [f"direct:{number}.example" for number in (97, 98, 99)] + [A]
    assert room._hops[A].in_flight == 1
    assert len(room._failing) == 3
    assert room.paused == []
    assert len(room._unanswered) == 3
    room.ended(A, [SENT], 0.0)
    assert A not in room._hops


def test_a_server_that_took_a_message_and_fell_silent_shows_that_the_port_is_open() -> None:
    room = hops()
    for hop in (A, B):
        once(room, hop, down())
    once(room, "direct:d.example", UNCERTAIN)
    once(room, C, down())

    assert not room.port_blocked


def test_three_unrelated_domains_without_an_answer_mean_the_port_is_blocked() -> None:
    room = hops()
    once(room, A, down())
    once(room, "direct:mail.a.example", down(Reason.NETWORK_TIMEOUT))
    once(room, B, down(Reason.NETWORK_UNREACHABLE))
    assert not room.port_blocked

    once(room, C, down(Reason.NETWORK_TIMEOUT))

    assert room.port_blocked


@pytest.mark.parametrize("verdict", [SENT, UNKNOWN, GREYLISTED, CLOSED, down(Reason.NETWORK_TLS)])
def test_any_answer_shows_that_the_port_is_open(verdict: Verdict) -> None:
    room = hops()
    for hop in (A, B, C):
        once(room, hop, down())
    assert room.port_blocked

    once(room, "direct:d.example", verdict)

    assert not room.port_blocked
    for number in range(5):
        once(room, f"direct:{number}.example", down())
    assert not room.port_blocked


@pytest.mark.parametrize(
    ("hop", "verdict"),
    [
        (ACME, SENT),
        (SMARTHOST, SENT),
        ("direct:d.example", down(Reason.NETWORK_DNS, Scope.HOP)),
        ("direct:d.example", NO_DOMAIN),
        ("direct:d.example", down(Reason.SERVER_ERROR, Scope.MESSAGE)),
    ],
)
def test_what_is_no_direct_answer_says_nothing_about_the_port(hop: str, verdict: Verdict) -> None:
    room = hops()
    for each in (A, B, C):
        once(room, each, down())

    once(room, hop, verdict)

    assert room.port_blocked


def test_upstreams_that_are_down_do_not_block_the_port() -> None:
    room = hops()
    for name in ("a", "b", "c", "d"):
        once(room, f"upstream:{name}", down())

    assert not room.port_blocked


def test_while_the_port_is_blocked_a_probe_goes_out_now_and_then() -> None:
    room = hops()
    assert room.probe(0.0)
    assert room.probe(0.0)
    for hop in (A, B, C):
        once(room, hop, down(), 100.0)

    assert room.probe(100.0)
    assert not room.probe(100.0)
    assert not room.probe(100.0 + PROBE_EVERY - 1)
    assert room.probe(100.0 + PROBE_EVERY)
    assert not room.probe(100.0 + PROBE_EVERY)


VERDICTS = st.sampled_from(
    [SENT, UNKNOWN, GREYLISTED, CLOSED, UNCERTAIN, down(), down(Reason.NETWORK_TIMEOUT)]
)


@given(st.lists(st.tuples(st.sampled_from([A, B, C, SMARTHOST, ACME]), VERDICTS, st.floats(0, 1000))))
def test_the_books_always_balance(trips: list[tuple[str, Verdict, float]]) -> None:
    """However parcels end, nothing is over the limits, and with nothing on the road all room is there again
    as soon as pauses are over."""
    room, now = hops(total=3, per_hop=2), 0.0
    for hop, verdict, later in trips:
        now += later
        if room.free(hop):
            room.started(hop)
            assert 0 <= room.total <= 3
            room.ended(hop, [verdict], now)
    room.reopen(now + 1e6)

    assert room.total == 3
    assert all(room.free(hop) in (1, 2) for hop in (A, B, C, ACME))


def test_after_too_many_logins_a_hop_rests_for_an_hour() -> None:
    """Each further try would make the lock longer."""
    hops = Hops(total=10, per_hop=5)
    hops.started("upstream:acme")

    hops.ended(
        "upstream:acme",
        [Verdict(fate=Fate.DEFERRED, reason=Reason.AUTH_TOO_MANY_ATTEMPTS, scope=Scope.HOP)],
        100.0,
    )

    assert hops.free("upstream:acme") == 0
    assert hops.next_change(100.0) == 3600.0
    hops.reopen(3700.0)
    assert hops.free("upstream:acme") == 1


def test_an_account_that_a_probe_found_locked_rests_like_one_that_mail_found_locked() -> None:
    room = hops()
    room.lock("upstream:acme", now=0.0)
    assert room.free("upstream:acme") == 0
    assert room.next_change(now=0.0) == LOCKED_PAUSE
    room.open("upstream:acme")
    assert room.free("upstream:acme") == 4
