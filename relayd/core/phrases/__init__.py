"""Texts for people: what happened and what to do, in the reader's language. Code never reads them back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from typing import TypeVar

from relayd.core.event import Event, EventType
from relayd.core.phrases.de import GERMAN
from relayd.core.phrases.en import ENGLISH
from relayd.core.phrases.fr import FRENCH
from relayd.core.phrases.language import Language
from relayd.core.phrases.nl import DUTCH
from relayd.core.reasons import Reason

_LANGUAGES: dict[str, Language] = {"de": GERMAN, "en": ENGLISH, "fr": FRENCH, "nl": DUTCH}

LANGUAGES = tuple(_LANGUAGES)
"""The languages that a sender's `language` may be."""


T = TypeVar("T")


def in_every_language(said: Callable[[str], T]) -> dict[str, T]:
    """What `said` gives for each of `LANGUAGES`."""
    return {language: said(language) for language in LANGUAGES}


def text(reason: Reason, language: str) -> str:
    """What happened. Raises KeyError for a language that isn't in `LANGUAGES`."""
    return _LANGUAGES[language].reasons[reason][0]


def remedy(reason: Reason, language: str) -> str:
    """What to do about it."""
    return _LANGUAGES[language].reasons[reason][1]


@cache
def remedies(reason: Reason) -> Mapping[str, str]:
    """What to do about it, in every language."""
    return in_every_language(partial(remedy, reason))


def smtp_sentence(reason: Reason) -> str:
    """The reason as an SMTP answer says it: English, ASCII, no full stop at the end."""
    return text(reason, "en").rstrip(".")


def sentences(event: Event) -> Mapping[str, str]:
    """What happened, in every language."""
    if event.type in _USUAL:
        return _usual(event.type, event.host, event.tls is None, event.bounces, event.test)
    return in_every_language(partial(sentence, event))


_USUAL = frozenset({EventType.ACCEPTED, EventType.DELIVERED, EventType.RELAYED})
"""What happens to a message that arrives at once. These sentences say nothing of one message alone, so they
are made once for each host."""


_ANY = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def _usual(
    kind: EventType, host: str | None, in_clear: bool, bounces: str | None, test: bool
) -> Mapping[str, str]:
    event = Event(time=_ANY, type=kind, host=host, tls=None if in_clear else "", bounces=bounces, test=test)
    return in_every_language(partial(sentence, event))


def sentence(event: Event, language: str) -> str:
    """What happened, in a few sentences: "Delayed: The recipient's mailbox is full. Next attempt at …"."""
    words = _LANGUAGES[language]
    parts = [_happened(event, words)]
    if event.next_attempt is not None:
        parts.append(words.next_attempt.format(at=_moment(event.next_attempt)))
    if event.bounces == "customer" and event.type in (EventType.DELIVERED, EventType.RELAYED):
        parts.append(words.late_bounces)
    if "uncertain" in event.detail and event.type in (EventType.FAILED, EventType.EXPIRED, EventType.HELD):
        parts.append(words.maybe_arrived)
    if event.test:
        parts.append(words.test)
    return " ".join(parts)


_NOT_OUT = {"held": EventType.HELD, "refused": EventType.REFUSED}
"""What `rung_changed` says of a sender whose mail goes out with no address at all now."""


def _happened(event: Event, words: Language) -> str:
    if event.sender is None and event.type in (EventType.PROVEN, EventType.UNPROVEN):
        ours = words.platform_proven if event.type is EventType.PROVEN else words.platform_unproven
        return ours.replace("{record}", event.detail.get("record", "DNS"))
    if event.type is EventType.UNPROVEN and "still" in event.detail:
        return words.still_proven
    kind = event.type
    if kind is EventType.RUNG_CHANGED:  # of a sender; a message that goes out says nothing of where "to"
        kind = _NOT_OUT.get(event.detail.get("to", ""), kind)
    template = words.events[kind]
    if "{text}" in template:
        last = event.detail.get("last_reason")
        cause = Reason(last) if last is not None else event.reason
        if cause is None:
            return template.partition("{text}")[0].rstrip(" :") + "."
        return template.replace("{text}", words.reasons[cause][0])
    host = event.host or words.unnamed_server
    # A host's name is a stranger's text: put in last, and not searched for places again.
    tls = "" if event.test else words.in_clear if event.tls is None else words.encrypted
    return template.replace("{tls}", tls).replace("{host}", host)


def _moment(when: datetime) -> str:
    """The same in every language, and never mistaken for another day."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
