"""What is to be said of an SPF record, and what to do, in the reader's language. The reader is whoever looks
after the domain, or the customer who asks them."""

from __future__ import annotations

import re

from relayd.core.address import shown
from relayd.core.phrases.spf_french_dutch import FRENCH_DUTCH
from relayd.core.phrases.spf_german_english import GERMAN_ENGLISH
from relayd.core.records.spfsurvey import Code, Finding

NAME_MAX = 300
"""Characters shown of a domain or a term: a name has 255 at most."""

LIST_MAX = 2000
"""Characters shown of a list of terms: some 60 of them."""

_PLACE = re.compile(r"\{(domain|term|value)\}")


def sentence(finding: Finding, language: str) -> str:
    """One finding, as one or two sentences. Raises KeyError for a language that isn't in
    `phrases.LANGUAGES`."""
    words = _LANGUAGES[language][finding.code]
    places = {
        "domain": shown(finding.domain, NAME_MAX),
        "term": shown(finding.term, NAME_MAX),
        "value": shown(finding.value, LIST_MAX),
    }
    # All at once: what stands in a stranger's record is not searched for places again.
    return _PLACE.sub(lambda place: places[place[1]] or "?", words)


_LANGUAGES: dict[str, dict[Code, str]] = {
    "de": {code: pair[0] for code, pair in GERMAN_ENGLISH.items()},
    "en": {code: pair[1] for code, pair in GERMAN_ENGLISH.items()},
    "fr": {code: pair[0] for code, pair in FRENCH_DUTCH.items()},
    "nl": {code: pair[1] for code, pair in FRENCH_DUTCH.items()},
}
