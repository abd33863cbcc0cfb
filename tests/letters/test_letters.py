"""What relayd's own letters say, and that names in them are only names."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.letters.confirmation import BY_MESSAGE, BY_OPERATOR, Ask, confirmation
from relayd.core.letters.confirmation_words import WORDS
from relayd.core.letters.letter import NAME_MAX, filled, shown_name
from relayd.core.phrases import LANGUAGES

LINK = "https://confirm.platform.example/confirm/abcdefghijklmnopqrstuvwxyz234567"
ASK = Ask(
    platform="Platform",
    customer="ACME BV",
    address="billing@acme.example",
    asked_by=BY_MESSAGE,
    asked_at=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
    hours=24,
    code="012345",
    link=LINK,
    not_me=LINK + "/not-me",
)


class Reader(HTMLParser):
    """What of a page is markup, and what is text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.language: str | None = None
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag == "html":
            self.language = dict(attrs)["lang"]

    def handle_data(self, data: str) -> None:
        self.words += data


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_and_html_tell_who_asked_for_what_with_which_link_and_code(language) -> None:
    letter = confirmation(ASK, language)
    html = Reader(letter.html)
    assert html.language == language
    assert html.links == [LINK, LINK + "/not-me"]
    for said in (joined(letter.text), joined(html.words)):
        for fact in ("Platform", "ACME BV", "billing@acme.example", "012 345", "24", "2026-11-22 08:30 UTC"):
            assert fact in said
        assert WORDS[language].by_message in said
        assert "{" not in said
    assert LINK in letter.text.split()
    assert LINK + "/not-me" in letter.text.split()
    assert "billing@acme.example" in letter.subject


def test_languages_differ_and_have_the_same_places() -> None:
    for field in dataclasses.fields(WORDS["en"]):
        sentences = [getattr(words, field.name) for words in WORDS.values()]
        assert (
            len({tuple(sorted({c for c in s.split() if "{" in c} and s.count("{") * "x")) for s in sentences})
            == 1
        )
        if field.name not in ("row_address",):
            assert len(set(sentences)) == len(LANGUAGES), field.name


def test_without_a_page_the_letter_carries_the_code_alone() -> None:
    letter = confirmation(dataclasses.replace(ASK, link=None, not_me=None), "en")
    assert "http" not in letter.text
    assert Reader(letter.html).links == []
    assert "enter this code in Platform:" in joined(letter.text)


def test_it_says_whether_the_operator_or_an_app_asked() -> None:
    operator = confirmation(dataclasses.replace(ASK, asked_by=BY_OPERATOR), "en")
    assert "by the operator of Platform" in operator.text
    app = confirmation(dataclasses.replace(ASK, asked_by="token:billing"), "en")
    assert "by the application billing" in app.text


HOSTILE = st.text(max_size=200) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "Acme\r\nBcc: victim@example.com",
        "{code} {link} {address}",
        "You won! https://evil.example/x or www.evil.example",
        "\u202egnp.exe",
        "a@b.example",
    ]
)


@given(customer=HOSTILE, platform=HOSTILE, app=HOSTILE, language=st.sampled_from(LANGUAGES))
def test_a_name_can_be_nothing_but_a_name(customer, platform, app, language) -> None:
    ask = dataclasses.replace(ASK, customer=customer, platform=platform, asked_by=app)
    letter = confirmation(ask, language)
    plain = Reader(confirmation(ASK, language).html)
    html = Reader(letter.html)
    assert html.tags == plain.tags
    assert html.links == plain.links
    assert "\r" not in letter.subject
    assert "\n" not in letter.subject
    assert {word for word in letter.text.split() if "://" in word and "\u2060" not in word} == {
        LINK,
        LINK + "/not-me",
    }


@given(HOSTILE)
def test_a_shown_name_is_short_and_one_line_and_links_nowhere(name) -> None:
    shown = shown_name(name)
    assert len(shown.replace("\u2060", "")) <= NAME_MAX
    assert "@" not in shown
    assert not {"\r", "\n", "\u2028", "\u202e"} & set(shown)
    assert "evil.example" not in shown


def test_a_customer_whose_name_shows_nothing_is_called_by_the_address() -> None:
    letter = confirmation(dataclasses.replace(ASK, customer="\u202e"), "en")
    assert "Company:   billing@acme.example" in letter.text


def test_a_place_in_a_name_is_not_filled() -> None:
    assert filled("{a} and {b}", {"a": "{b}", "b": "x"}) == "{b} and x"
