from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import tokens
from relayd.core.tokens import Token

KEY = b"k" * 32
NOW = datetime(2026, 11, 22, 5, 11, 49, 123000, tzinfo=UTC)
ID = tokens.message_id(NOW, bytes(10))

times = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
entropy = st.binary(min_size=10, max_size=10)


@given(at=times, chance=entropy)
def test_a_message_id_has_26_characters_and_tells_when_it_was_made(at: datetime, chance: bytes) -> None:
    made = tokens.message_id(at, chance)
    assert re.fullmatch(r"[A-Z2-7]{26}", made)
    assert timedelta(0) <= at - tokens.made_at(made) < timedelta(milliseconds=1)


@given(first=times, second=times, chances=st.tuples(entropy, entropy))
def test_message_ids_sort_by_time_as_plain_text(
    first: datetime, second: datetime, chances: tuple[bytes, bytes]
) -> None:
    one, other = (tokens.message_id(at, c) for at, c in zip((first, second), chances, strict=True))
    if second - first >= timedelta(milliseconds=1):
        assert one < other


def test_two_ids_of_one_millisecond_differ_by_their_entropy() -> None:
    assert tokens.message_id(NOW, b"0123456789") != tokens.message_id(NOW, b"0123456780")


@pytest.mark.parametrize("length", [0, 9, 11])
def test_another_length_of_entropy_is_a_fault_of_the_caller(length: int) -> None:
    with pytest.raises(ValueError, match="10 octets"):
        tokens.message_id(NOW, bytes(length))


@pytest.mark.parametrize("text", ["", "A" * 25, "a" * 26, "A" * 25 + "1"])
def test_what_is_no_message_id_has_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="26 characters"):
        tokens.made_at(text)


@given(recipient=st.integers(0, 1023))
def test_a_return_path_finds_its_way_back_to_message_and_recipient(recipient: int) -> None:
    path = tokens.return_path(KEY, message=ID, recipient=recipient, domain="bounce.example")
    local, _, domain = path.partition("@")
    assert domain == "bounce.example"
    assert len(local) == 44
    assert re.fullmatch(r"[a-z2-7]{44}", local)
    assert tokens.verify(KEY, local, domain) == Token(message=ID, recipient=recipient)
    assert tokens.verify(KEY, local.upper(), "BOUNCE.example") == Token(message=ID, recipient=recipient)


@given(place=st.integers(0, 43), letter=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_return_path_with_any_character_changed_is_not_ours(place: int, letter: str) -> None:
    local = tokens.return_path(KEY, message=ID, recipient=3, domain="b.example").partition("@")[0]
    changed = local[:place] + letter + local[place + 1 :]
    assert (tokens.verify(KEY, changed, "b.example") is None) == (changed != local)


@given(st.text(max_size=60))
def test_no_text_makes_verify_stumble(text: str) -> None:
    assert tokens.verify(KEY, text, "b.example") is None


def test_a_return_path_counts_for_its_key_and_its_domain_alone() -> None:
    local = tokens.return_path(KEY, message=ID, recipient=0, domain="b.example").partition("@")[0]
    assert tokens.verify(b"x" * 32, local, "b.example") is None
    assert tokens.verify(KEY, local, "c.example") is None


@pytest.mark.parametrize("recipient", [-1, 1024])
def test_an_index_that_does_not_fit_is_a_fault_of_the_caller(recipient: int) -> None:
    with pytest.raises(ValueError, match="0 to 1023"):
        tokens.return_path(KEY, message=ID, recipient=recipient, domain="b.example")
