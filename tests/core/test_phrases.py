"""Texts for people exist for everything, in every language, and read as sentences."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from relayd.core.event import Event, EventType
from relayd.core.phrases import (
    LANGUAGES,
    remedy,
    sentence,
    sentences,
    smtp_sentence,
    text,
)
from relayd.core.reasons import Reason

NOW = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)


def event(kind: EventType, **fields: Any) -> Event:
    return Event(time=NOW, type=kind, **fields)


def test_the_four_languages_are_there() -> None:
    assert set(LANGUAGES) == {"de", "en", "fr", "nl"}


def test_every_reason_has_a_text_and_a_remedy(subtests: pytest.Subtests) -> None:
    for reason, language in product(Reason, LANGUAGES):
        with subtests.test(str(reason), language=language):
            for words in (text(reason, language), remedy(reason, language)):
                assert 10 < len(words) <= 200
                assert words.endswith(".")
                assert words[0].isupper()
                assert words.isprintable()
                assert "  " not in words
                assert "{" not in words


def test_no_two_languages_share_a_text() -> None:
    for reason in Reason:
        assert len({text(reason, language) for language in LANGUAGES}) == 4
        assert len({remedy(reason, language) for language in LANGUAGES}) == 4


def test_smtp_answers_are_ascii_and_short(subtests: pytest.Subtests) -> None:
    for reason in Reason:
        with subtests.test(str(reason)):
            words = smtp_sentence(reason)

            assert words.isascii()
            assert not words.endswith(".")


def test_every_event_is_a_sentence(subtests: pytest.Subtests) -> None:
    for kind, language, reason in product(EventType, LANGUAGES, [None, Reason.RECIPIENT_FULL]):
        with subtests.test(str(kind), language=language, reason=str(reason)):
            said = sentence(event(kind, reason=reason), language)

            assert said[0].isupper()
            assert said.endswith(".")
            assert "{" not in said
            assert ":." not in said
            assert " ." not in said


def test_all_languages_at_once_say_what_each_says(subtests: pytest.Subtests) -> None:
    """Those of mail that arrives are made once for each host, so nothing else may change them."""
    details: list[dict[str, str]] = [{}, {"stage": "end", "uncertain": "an earlier attempt may have arrived"}]
    for kind, detail, host, tls, bounces, test in product(
        EventType, details, [None, "mx.example"], [None, "TLSv1.3"], [None, "customer"], [False, True]
    ):
        fields = {"detail": detail, "host": host, "tls": tls, "bounces": bounces, "test": test}
        with subtests.test(str(kind), **fields):
            happened = event(kind, reason=Reason.RECIPIENT_FULL, attempt=3, **fields)
            assert sentences(happened) == {each: sentence(happened, each) for each in LANGUAGES}


def test_a_sender_whose_mail_waits_is_not_said_to_send_with_another_address() -> None:
    changed = event(EventType.RUNG_CHANGED, sender="acme", reason=Reason.AUTH_WRONG_PASSWORD)
    said = {
        to: sentence(replace(changed, detail={"from": "upstream", "to": to}), "en").partition(":")[0]
        for to in ("held", "refused", "default")
    }
    assert said == {
        "held": "On hold",
        "refused": "Not accepted",
        "default": "Mail now goes out with another sender address",
    }


@pytest.mark.parametrize(
    ("happened", "said"),
    [
        (
            event(EventType.DELIVERED, host="mx.example.com", tls="TLSv1.3 X verified", bounces="tracked"),
            "Delivered to mx.example.com, encrypted.",
        ),
        (
            event(EventType.RELAYED, host="smtp.acme.example", bounces="customer"),
            "Handed over to smtp.acme.example for delivery, not encrypted. If it comes back later, the "
            "notice goes only to your own mailbox.",
        ),
        (
            event(EventType.DELIVERED, test=True),
            "Delivered to the mail server. Test: nothing was really sent.",
        ),
        (
            event(EventType.DEFERRED, reason=Reason.RECIPIENT_FULL, next_attempt=NOW),
            "Delayed: The recipient's mailbox is full. Next attempt at 2026-11-22 05:30 UTC.",
        ),
        (
            event(
                EventType.EXPIRED,
                reason=Reason.EXPIRED,
                detail={"last_reason": "recipient.full", "uncertain": "yes"},
            ),
            "Not sent, we have given up trying: The recipient's mailbox is full. An earlier attempt may "
            "already have arrived.",
        ),
        (
            event(EventType.FAILED, reason=Reason.RECIPIENT_FULL, bounces="customer"),
            "Not sent: The recipient's mailbox is full.",
        ),
        (event(EventType.HELD), "On hold."),
        (
            event(EventType.PROVEN, detail={"record": "r1._domainkey.my.platform.example"}),
            "The platform's own key is published at r1._domainkey.my.platform.example.",
        ),
        (
            event(
                EventType.UNPROVEN,
                reason=Reason.SIGNING_FAILED,
                detail={"record": "r1._domainkey.my.platform.example"},
            ),
            "The platform's own key is not published at r1._domainkey.my.platform.example.",
        ),
        (
            event(EventType.PROVEN, sender="acme", detail={"record": "r1._domainkey.acme.example"}),
            "The own address may be used for sending.",
        ),
        # A host's name is a stranger's text: what stands in it is not filled in.
        (
            event(EventType.DELIVERED, host="{tls}.{0}.example", tls="x"),
            "Delivered to {tls}.{0}.example, encrypted.",
        ),
    ],
)
def test_sentences_say_what_happened(happened: Event, said: str) -> None:
    assert sentence(happened, "en") == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_platforms_own_key_has_its_own_sentences(language: str) -> None:
    said = {
        sentence(event(kind, sender=sender, detail={"record": "r1._domainkey.x.example"}), language)
        for kind in (EventType.PROVEN, EventType.UNPROVEN)
        for sender in (None, "acme")
    }

    assert len(said) == 4
    assert sum("r1._domainkey.x.example" in each for each in said) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_proof_that_goes_while_another_stands_stops_nothing(language: str) -> None:
    gone = event(EventType.UNPROVEN, sender="acme", reason=Reason.SENDER_UNPROVEN)
    still = event(EventType.UNPROVEN, sender="acme", reason=Reason.SENDER_UNPROVEN, detail={"still": "dkim"})
    assert text(Reason.SENDER_UNPROVEN, language) in sentence(gone, language)
    assert text(Reason.SENDER_UNPROVEN, language) not in sentence(still, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_can_not_be_signed_tells_the_operator_which_command_helps(language: str) -> None:
    assert "`relayd dkim new`" in remedy(Reason.SIGNING_FAILED, language)


def test_german_says_sie() -> None:
    said = sentence(event(EventType.DEFERRED, reason=Reason.RATE_GREYLISTED, next_attempt=NOW), "de")

    assert said.startswith("Verzögert: Der Mailserver des Empfängers bittet neue Absender")
    assert said.endswith("Nächster Versuch um 2026-11-22 05:30 UTC.")
    assert remedy(Reason.RATE_GREYLISTED, "de").startswith("Sie müssen nichts tun")


def test_an_unknown_language_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        text(Reason.UNKNOWN, "xx")
