"""Texts of findings: what is wrong with a customer's mail settings, and what to do, in the reader's language.
The reader is a person at an invoicing company, not a mail expert."""

from __future__ import annotations

import re
from collections.abc import Mapping

from relayd.core import phrases
from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders.words import STEPS, USERNAMES
from relayd.core.phrases.findings_de import GERMAN
from relayd.core.phrases.findings_en import ENGLISH
from relayd.core.phrases.findings_fr import FRENCH
from relayd.core.phrases.findings_nl import DUTCH
from relayd.core.phrases.findings_text import Findings
from relayd.core.reasons import Reason

_LANGUAGES: dict[str, Findings] = {"de": GERMAN, "en": ENGLISH, "fr": FRENCH, "nl": DUTCH}
_PLACE = re.compile(r"\{([a-z]+)\}")


def text(finding: Finding, language: str) -> str:
    """What is behind it. Raises KeyError for a language that isn't in `phrases.LANGUAGES`."""
    if finding.kind is Kind.OTHER:
        return phrases.text(finding.reason or Reason.UNKNOWN, language)
    return _filled(_LANGUAGES[language].kinds[finding.kind][0], finding.places)


def remedy(finding: Finding, language: str) -> str:
    """What to do, with what this provider asks for, and the right server where it is known."""
    words = _LANGUAGES[language]
    if finding.kind is Kind.OTHER:
        return phrases.remedy(finding.reason or Reason.UNKNOWN, language)
    name = {"name": finding.places.get("provider", "")}
    said = [_filled(STEPS[step][language], name) for step in finding.steps]
    expected = {} if finding.username is None else {"expected": _filled(_expected(finding, language), name)}
    said.append(_filled(words.kinds[finding.kind][1], {**expected, **finding.places}))
    if finding.places.get("right"):
        said.append(_filled(words.better, finding.places))
    return " ".join(said)


def _expected(finding: Finding, language: str) -> str:
    return "" if finding.username is None else USERNAMES[finding.username][language]


def _filled(sentence: str, places: Mapping[str, str]) -> str:
    """All at once: what stands in a name that somebody typed is not looked through again."""
    return _PLACE.sub(lambda place: places.get(place[1]) or "?", sentence)
