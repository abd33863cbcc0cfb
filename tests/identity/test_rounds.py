from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from relayd.identity.rounds import Rounds


def test_who_is_new_is_due_at_once_and_others_when_their_time_comes() -> None:
    rounds = Rounds()
    assert rounds.next() == math.inf
    rounds.keep(["a", "b"])
    assert rounds.take(0.0, 10) == ["a", "b"]
    rounds.put("a", 60.0)
    rounds.put("b", 30.0)
    rounds.keep(["a", "b", "c"])
    assert rounds.take(0.0, 10) == ["c"]
    rounds.put("c", 90.0)
    assert rounds.next() == 30.0
    assert rounds.take(60.0, 10) == ["b", "a"]


def test_only_so_many_are_taken_and_the_rest_stays_due() -> None:
    rounds = Rounds()
    rounds.keep("abc")
    assert rounds.take(0.0, 2) == ["a", "b"]
    assert rounds.next() == -math.inf
    assert rounds.take(0.0, 2) == ["c"]


def test_who_is_no_longer_wanted_is_not_looked_at() -> None:
    rounds = Rounds()
    rounds.keep("ab")
    rounds.keep("b")
    assert rounds.take(0.0, 10) == ["b"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 100)), max_size=40))
def test_the_last_word_about_a_domain_counts(said: list[tuple[str, float]]) -> None:
    rounds, last = Rounds(), dict(said)
    rounds.keep(last)
    rounds.take(-math.inf, len(last))
    for domain, at in said:
        rounds.put(domain, at)
    taken = rounds.take(100.0, 1000)
    assert sorted(taken) == sorted(last)
    assert [last[domain] for domain in taken] == sorted(last.values())
