"""The letter that asks whether an address may be used.

Its reader may be a stranger, whose address somebody wrote down by mistake or with bad intent. So it says who
asked for what, what a yes would mean, and how to say no.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from relayd.core.letters.confirmation_words import WORDS
from relayd.core.letters.letter import (
    Facts,
    Follow,
    Letter,
    Part,
    Press,
    Say,
    Show,
    compose,
    filled,
    shown_name,
)

BY_MESSAGE = "first message"
"""Asked by the first mail that was sent in the sender's name."""

BY_OPERATOR = "operator"
"""Asked by whoever runs relayd."""

BY_TOKEN = "token:"
"""Asked by an app; the name of its token follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a confirmation letter tells. `link` and `not_me` are None where there is no page to lead to."""

    platform: str
    customer: str  # the sender's name
    address: str
    asked_by: str  # BY_MESSAGE, BY_OPERATOR, or BY_TOKEN and a name
    asked_at: datetime  # UTC
    hours: int  # for which link and code are good
    code: str  # six digits
    link: str | None
    not_me: str | None


def confirmation(ask: Ask, language: str) -> Letter:
    """The letter in this language. Raises KeyError for one that isn't in `core.phrases.LANGUAGES`."""
    words = WORDS[language]
    places = places_of(ask.platform, ask.customer, ask.address, ask.hours)
    parts: list[Part] = [
        Say(words.greeting),
        Say(filled(words.opening, places)),
        Say(filled(words.meaning, places)),
    ]
    if ask.link is not None:
        parts.append(Press(words.button, ask.link))
    parts += [
        Say(filled(words.code if ask.link is not None else words.code_alone, places)),
        Show(f"{ask.code[:3]} {ask.code[3:]}"),
        Say(filled(words.good_for, places)),
        Facts(facts(places, ask.asked_by, ask.asked_at, language)),
        Say(filled(words.not_you, places), quiet=True),
    ]
    if ask.not_me is not None:
        parts.append(Follow(words.tell_us, words.not_me, ask.not_me))
    return compose(
        language=language,
        subject=filled(words.subject, places),
        title=words.title,
        parts=parts,
        foot=filled(words.foot, places),
    )


def places_of(platform: str, customer: str, address: str, hours: int) -> Mapping[str, str]:
    """What stands in the places of the sentences, names made fit to be shown."""
    return {
        "platform": shown_name(platform),
        "customer": shown_name(customer) or address,
        "address": address,
        "hours": str(hours),
    }


def facts(
    places: Mapping[str, str], asked_by: str, asked_at: datetime, language: str
) -> tuple[tuple[str, str], ...]:
    """Who asks for which address, and who asked us to ask."""
    words = WORDS[language]
    by = {BY_MESSAGE: words.by_message, BY_OPERATOR: words.by_operator}.get(asked_by, words.by_app)
    who = filled(by, {**places, "app": shown_name(asked_by.removeprefix(BY_TOKEN))})
    return (
        (words.row_company, places["customer"]),
        (words.row_address, places["address"]),
        (words.row_asked, who),
        (words.row_time, f"{asked_at:%Y-%m-%d %H:%M} UTC"),
    )
