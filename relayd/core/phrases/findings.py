"""Texts of findings: what is wrong with a customer's mail settings, and what to do, in the reader's language.
The reader is a person at an invoicing company, not a mail expert."""

from __future__ import annotations

import re
from collections.abc import Mapping

from relayd.core import phrases
from relayd.core.findings import Finding, Kind
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
    """What to do, with the right server where it is known."""
    words = _LANGUAGES[language]
    if finding.kind is Kind.OTHER:
        return phrases.remedy(finding.reason or Reason.UNKNOWN, language)
    said = _filled(words.kinds[finding.kind][1], finding.places)
    if not finding.places.get("right"):
        return said
    return f"{said} {_filled(words.better, finding.places)}"


def _filled(sentence: str, places: Mapping[str, str]) -> str:
    """All at once: what stands in a name that somebody typed is not looked through again."""
    return _PLACE.sub(lambda place: places.get(place[1]) or "?", sentence)
