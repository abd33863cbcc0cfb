"""Texts about a domain's records, for the administrator of a customer's domain and for the operator."""

from __future__ import annotations

import re
from collections.abc import Mapping

from relayd.core.address import shown
from relayd.core.phrases.domain_de import GERMAN
from relayd.core.phrases.domain_en import ENGLISH
from relayd.core.phrases.domain_fr import FRENCH
from relayd.core.phrases.domain_nl import DUTCH
from relayd.core.phrases.domain_text import DomainTexts
from relayd.core.records.dmarc import Wish
from relayd.core.records.domainnotes import Note

_LANGUAGES: dict[str, DomainTexts] = {"de": GERMAN, "en": ENGLISH, "fr": FRENCH, "nl": DUTCH}
PLACE_MAX = 1300
"""Characters shown in one place: five names."""

_PLACE = re.compile(r"\{([a-z]+)\}")


def say(note: Note, language: str) -> str:
    """Raises KeyError for a language that isn't in `phrases.LANGUAGES`."""
    words = _LANGUAGES[language]
    places = {name: shown(text, PLACE_MAX) for name, text in note.places.items()}
    if "seconds" in places:
        places["time"] = span(int(places["seconds"]))
    if "wish" in places:
        places["wish"] = words.wishes[Wish(places["wish"])]
    return _filled(words.notes[note.code], places)


def span(seconds: int) -> str:
    """A length of time, short, the same in every language."""
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def _filled(sentence: str, places: Mapping[str, str]) -> str:
    """All at once: what stands in a stranger's text is not looked through again."""
    return _PLACE.sub(lambda place: places.get(place[1], "?"), sentence)
