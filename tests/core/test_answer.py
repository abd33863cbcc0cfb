from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import answer
from relayd.core.answer import Answer
from relayd.core.reasons import Reason
from relayd.core.refusal import Refusal

WITHOUT_ENHANCED_CODE = {"GREETING", "GREETING_LMTP", "HELO_OK", "GO_AHEAD"}


def filled(name: str, value: str) -> Answer:
    row = answer.ROWS[name]
    return row(*[value] * row.sentence.count("{}"))


class TestEachReply:
    def test_has_an_enhanced_code_of_its_class(self, subtests: pytest.Subtests) -> None:
        for name, row in answer.ROWS.items():
            with subtests.test(name):
                if name in WITHOUT_ENHANCED_CODE:
                    assert row.enhanced == ""
                else:
                    assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", row.enhanced)
                    assert row.enhanced[0] == str(row.code)[0]

    def test_is_one_ascii_line_whatever_value_it_shows(self, subtests: pytest.Subtests) -> None:
        for name in answer.ROWS:
            with subtests.test(name):
                for value in ("x", "", "ä€\r\n250 forged", "\x00" * 99, "y" * 5000, "{}", "%s"):
                    line = filled(name, value).line
                    assert line.isascii()
                    assert len(line) <= 512
                    assert line.endswith(b"\r\n")
                    assert line.count(b"\n") == line.count(b"\r") == 1
                    assert all(32 <= octet < 127 for octet in line[:-2])

    def test_shows_the_value_seen(self, subtests: pytest.Subtests) -> None:
        for name, row in answer.ROWS.items():
            with subtests.test(name):
                if "{}" in row.sentence:
                    assert b"value-seen" in filled(name, "value-seen").line

    def test_says_what_to_do_when_it_is_a_no(self, subtests: pytest.Subtests) -> None:
        for name, row in answer.ROWS.items():
            with subtests.test(name):
                if row.code >= 400:
                    seen, colon, advice = row.sentence.rpartition(": ")
                    assert (bool(seen), colon, len(advice.split()) >= 2) == (True, ": ", True)

    def test_a_fault_of_ours_is_never_final(self, subtests: pytest.Subtests) -> None:
        for name, row in answer.ROWS.items():
            with subtests.test(name):
                if name in {"FAULT", "FULL", "SIGNING_FAILED", "TOO_MANY_CONNECTIONS", "GOING_DOWN"}:
                    assert 400 <= row.code < 500


def test_only_what_is_below_400_is_positive() -> None:
    assert answer.MAIL_OK().positive
    assert answer.GO_AHEAD().positive
    assert not answer.FULL().positive


def test_500_is_said_only_of_commands_not_understood() -> None:
    for name, row in answer.ROWS.items():
        if row.code == 500:
            assert row.enhanced in ("5.5.1", "5.5.2"), name


@given(st.text(max_size=2000))
def test_a_refusal_is_one_line_with_its_reason(text: str) -> None:
    refusal = Refusal(code=550, enhanced="5.7.1", reason=Reason.SENDER_UNKNOWN, text=text)
    line = answer.refused(refusal).line
    assert line.startswith(b"550 5.7.1 sender.unknown: ")
    assert len(line) <= 512
    assert line.isascii()
    assert line.count(b"\r") == line.count(b"\n") == 1
