"""Texts about a domain's records, for the administrator of a customer's domain and for the operator."""

from __future__ import annotations

import re
from collections.abc import Mapping

from relayd.core.phrases.domain_de import GERMAN
from relayd.core.phrases.domain_en import ENGLISH
from relayd.core.phrases.domain_fr import FRENCH
from relayd.core.phrases.domain_nl import DUTCH
from relayd.core.phrases.domain_text import DomainTexts
from relayd.core.records.dmarc import Dmarc, Forecast, Wish
from relayd.core.records.domainnotes import Note
from relayd.core.records.spf import Outcome

_LANGUAGES: dict[str, DomainTexts] = {"de": GERMAN, "en": ENGLISH, "fr": FRENCH, "nl": DUTCH}
_PLACE = re.compile(r"\{([a-z]+)\}")


def say(note: Note, language: str) -> str:
    """Raises KeyError for a language that isn't in `phrases.LANGUAGES`."""
    words = _LANGUAGES[language]
    places = dict(note.places)
    if "seconds" in places:
        places["time"] = span(int(places["seconds"]))
    if "wish" in places:
        places["wish"] = words.wishes[Wish(places["wish"])]
    return _filled(words.notes[note.code], places)


def forecast(found: Forecast, language: str) -> str:
    """What receivers will see, in one sentence."""
    words = _LANGUAGES[language]
    places = {
        "spf": words.by_server if found.spf is None else found.spf.value,
        "spfaligned": _aligned(words, found.spf_aligned, found.spf is Outcome.PASS),
        "dkim": words.by_server if found.dkim is None else words.dkim[found.dkim],
        "dkimaligned": _aligned(words, found.dkim_aligned, bool(found.dkim)),
        "dmarc": words.dmarc[found.dmarc],
    }
    said = _filled(words.forecast, places)
    if found.dmarc is Dmarc.FAIL and found.wish is not None:
        return f"{said} {_filled(words.failing, {'wish': words.wishes[found.wish]})}"
    return said


def span(seconds: int) -> str:
    """A length of time, short, the same in every language."""
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


def _aligned(words: DomainTexts, aligned: bool, counts: bool) -> str:
    return "" if not counts else words.aligned if aligned else words.not_aligned


def _filled(sentence: str, places: Mapping[str, str]) -> str:
    """All at once: what stands in a stranger's text is not looked through again."""
    return _PLACE.sub(lambda place: places.get(place[1], "?"), sentence)
