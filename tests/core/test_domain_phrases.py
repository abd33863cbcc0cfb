"""Every note has a sentence with the same facts in every language."""

from __future__ import annotations

import re
from itertools import product

import pytest

from relayd.core.phrases import LANGUAGES
from relayd.core.phrases.domain import _LANGUAGES, say, span
from relayd.core.records.domainnotes import Code, Note

PLACE = re.compile(r"\{[a-z]+\}")


def test_every_note_is_said_in_every_language(subtests: pytest.Subtests) -> None:
    for code, language in product(Code, LANGUAGES):
        with subtests.test(str(code), language=language):
            sentence = _LANGUAGES[language].notes[code]
            assert set(PLACE.findall(sentence)) == set(PLACE.findall(_LANGUAGES["en"].notes[code]))
            assert sentence[0].isupper() or sentence.startswith("{")
            assert sentence.endswith((".", "rotate"))
            places = [place.strip("{}") for place in PLACE.findall(sentence)]
            facts = {place: "none" if place == "wish" else "7" for place in places}
            if "time" in facts:
                facts = {"seconds": "2520"}
            assert "{" not in say(Note(code, facts), language)


def test_a_strangers_text_commands_no_terminal_and_has_an_end() -> None:
    said = say(Note(Code.KEY_TYPE, {"type": "\x1b[2J" + "x" * 9000}), "en")
    assert said.isprintable()
    assert len(said) < 2_000


def test_a_strangers_text_is_not_looked_through_for_places() -> None:
    said = say(Note(Code.ALIAS_ELSEWHERE, {"target": "{wanted}", "wanted": "r1.example"}), "en")
    assert said == "The alias leads to {wanted}; it must lead to r1.example."


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (2520, "42 min"), (86_400, "24 h")]
)
def test_a_length_of_time_is_short(seconds: int, said: str) -> None:
    assert span(seconds) == said
