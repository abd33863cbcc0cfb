"""How often a question may be put, and how long it stands."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import address
from relayd.core.confirmation import (
    DENIED,
    LIFETIME,
    MOST,
    PAUSE,
    QUIET,
    TRIES,
    WITHIN,
    Ending,
    Letters,
    Question,
    letters_as_fact,
    letters_from_fact,
    mailbox,
    question_as_fact,
    question_from_fact,
    spelled_code,
)

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
QUESTION = Question(
    sender="acme",
    address="billing@acme.example",
    token="t",
    code="c",
    asked_by="operator",
    asked_at=NOW,
    letter="A" * 26,
)
MINUTE = timedelta(minutes=1)


def test_a_question_is_open_for_a_day() -> None:
    assert QUESTION.open(NOW)
    assert QUESTION.open(NOW + LIFETIME - MINUTE)
    assert not QUESTION.open(NOW + LIFETIME)


def test_a_question_that_ended_or_has_no_letter_is_not_open() -> None:
    assert not replace(QUESTION, ended=Ending.DENIED).open(NOW)
    assert not replace(QUESTION, letter=None).open(NOW)


def test_tries_run_out() -> None:
    assert QUESTION.tries_left == TRIES
    assert replace(QUESTION, tries=TRIES - 1).tries_left == 1
    assert replace(QUESTION, tries=TRIES + 3).tries_left == 0


def test_the_first_letter_may_go_at_once() -> None:
    assert Letters().next(NOW, "acme") == NOW


def test_an_hour_lies_between_two_letters() -> None:
    letters = Letters(sent=(NOW,))
    assert letters.next(NOW + MINUTE, "acme") == NOW + PAUSE
    assert letters.next(NOW + PAUSE, "acme") == NOW + PAUSE
    assert letters.next(NOW + 2 * PAUSE, "acme") == NOW + 2 * PAUSE


def test_a_mailbox_gets_few_letters_a_day() -> None:
    letters = Letters(sent=tuple(NOW + n * PAUSE for n in range(MOST)))
    assert letters.next(NOW + MOST * PAUSE, "acme") == NOW + WITHIN
    assert letters.next(NOW + WITHIN, "acme") == NOW + WITHIN


def test_who_said_no_is_left_alone_for_a_day_and_by_the_sender_who_was_meant_for_a_week() -> None:
    letters = Letters(sent=(NOW,)).deny(QUESTION, NOW + MINUTE)
    assert letters.next(NOW + PAUSE, "globex") == letters.quiet_until("globex") == NOW + MINUTE + QUIET
    assert letters.next(NOW + PAUSE, "acme") == letters.quiet_until("acme") == NOW + DENIED
    assert Letters(sent=(NOW,)).quiet_until("acme") is None


def test_a_no_is_forgotten_when_it_no_longer_matters() -> None:
    letters = Letters().deny(QUESTION, NOW + MINUTE)
    later = replace(QUESTION, sender="globex", asked_at=NOW + DENIED)
    assert not letters.over(NOW + DENIED - MINUTE)
    assert letters.over(NOW + DENIED)
    assert letters.deny(later, NOW + DENIED - MINUTE).denied.keys() == {"acme", "globex"}
    assert letters.deny(later, NOW + DENIED).denied.keys() == {"globex"}


def test_what_was_sent_and_a_no_matter_for_a_day() -> None:
    assert Letters().over(NOW)
    assert not Letters(sent=(NOW,)).over(NOW + MINUTE)
    assert Letters(sent=(NOW,)).over(NOW + WITHIN)
    assert not Letters(denied_at=NOW).over(NOW + QUIET - MINUTE)
    assert Letters(denied_at=NOW).over(NOW + QUIET)


MOMENTS = st.integers(0, 8 * 24 * 60).map(lambda minutes: NOW + minutes * MINUTE)


@given(st.lists(MOMENTS, max_size=60))
def test_however_often_one_asks_no_mailbox_gets_more_than_it_may(asked: list[datetime]) -> None:
    letters = Letters()
    for now in sorted(asked):
        if letters.next(now, "acme") <= now:
            letters = replace(letters, sent=(*letters.sent, now))
    sent = letters.sent
    assert all(later - earlier >= PAUSE for earlier, later in itertools.pairwise(sent))
    assert all(later - earlier >= WITHIN for earlier, later in zip(sent, sent[MOST:], strict=False))


@pytest.mark.parametrize(
    ("written", "box"),
    [
        ("billing@acme.example", "billing@acme.example"),
        ("Billing@ACME.example", "billing@acme.example"),
        ("billing+1@acme.example", "billing@acme.example"),
        ("+1@acme.example", "+1@acme.example"),
    ],
)
def test_spellings_of_one_mailbox_are_one(written: str, box: str) -> None:
    assert mailbox(address.parse(written)) == box


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("012345", "012345"),
        (" 012 345 ", "012345"),
        ("012-345", "012345"),
        ("12345", None),
        ("0123456", None),
        ("01234a", None),
        ("٠١٢٣٤٥", None),
        ("", None),
        (" " * 1000 + "012345", None),
    ],
)
def test_a_code_is_six_digits_however_they_are_grouped(typed: str, code: str | None) -> None:
    assert spelled_code(typed) == code


@given(st.text(max_size=40))
def test_whatever_is_typed_a_code_is_six_digits_or_none(typed: str) -> None:
    code = spelled_code(typed)
    assert code is None or (len(code) == 6 and code.isascii() and code.isdigit())


@given(st.integers(0, 999_999), st.text(alphabet=" -\t", max_size=1), st.text(alphabet=" -", max_size=1))
def test_every_code_is_read_as_it_was_written(number: int, between: str, after: str) -> None:
    code = f"{number:06}"
    assert spelled_code(code[:3] + between + code[3:] + after) == code


@pytest.mark.parametrize(
    "question", [QUESTION, replace(QUESTION, letter=None, tries=3, ended=Ending.EXPIRED)]
)
def test_a_question_is_kept_as_it_is(question: Question) -> None:
    assert question_from_fact("acme", question_as_fact(question)) == question


@pytest.mark.parametrize(
    "letters", [Letters(), Letters(sent=(NOW, NOW + PAUSE)).deny(QUESTION, NOW + MINUTE)]
)
def test_what_a_mailbox_was_sent_is_kept_as_it_is(letters: Letters) -> None:
    assert letters_from_fact(letters_as_fact(letters)) == letters
