"""The letter about a refused login: what happened, what waits, what to do, in the reader's language."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from relayd.core import phrases
from relayd.core.letters.upstream_failed import WORDS, Failed, upstream_failed
from relayd.core.mail import IfUnproven
from relayd.core.phrases import LANGUAGES
from relayd.core.reasons import Reason

FAILED = Failed(
    platform="Platform",
    customer="ACME BV",
    address="billing@acme.example",
    host="smtp.acme.example",
    reason=Reason.AUTH_WRONG_PASSWORD,
    at=datetime(2026, 11, 22, 9, 5, tzinfo=UTC),
    if_unproven=IfUnproven.HOLD,
    said="535 5.7.8 authentication failed",
    link="https://help.example/password",
)


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_and_html_tell_cause_remedy_and_what_becomes_of_the_mail(language: str) -> None:
    letter = upstream_failed(FAILED, language)
    words = WORDS[language]
    assert letter.subject.startswith("Platform")
    for said in (
        phrases.text(FAILED.reason, language),
        phrases.remedy(FAILED.reason, language),
        words.waits,
        words.new[IfUnproven.HOLD],
        words.after,
        "535 5.7.8 authentication failed",
        "smtp.acme.example",
        "https://help.example/password",
        "2026-11-22 09:05 UTC",
    ):
        assert joined(said) in joined(letter.text)
    assert f'lang="{language}"' in letter.html
    assert "{" not in letter.text + letter.subject


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("if_unproven", list(IfUnproven))
def test_what_becomes_of_new_mail_is_said_as_it_is_set(language: str, if_unproven: IfUnproven) -> None:
    letter = upstream_failed(dataclasses.replace(FAILED, if_unproven=if_unproven), language)
    expected = WORDS[language].new[if_unproven].replace("{platform}", "Platform")
    assert joined(expected) in joined(letter.text)


def test_a_server_that_says_a_lot_does_not_fill_our_letter() -> None:
    letter = upstream_failed(dataclasses.replace(FAILED, said="535 buy this " * 50), "en")
    assert joined(letter.text).count("buy this") < 20
    assert "…" in letter.text


def test_what_nobody_said_is_left_out() -> None:
    letter = upstream_failed(dataclasses.replace(FAILED, said=None, link=None, customer=""), "en")
    assert WORDS["en"].said not in letter.text
    assert "help page" not in letter.text
    assert "mail of billing@acme.example" in joined(letter.text)
