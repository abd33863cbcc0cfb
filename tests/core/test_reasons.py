"""The reasons table is whole."""

import pytest

from relayd.core.reasons import REASONS, Actor, Reason, row


def test_every_reason_has_a_row_with_a_specimen(subtests: pytest.Subtests) -> None:
    for reason in Reason:
        with subtests.test(str(reason)):
            found = row(reason)

            assert found.reason is reason
            assert found.specimen.isprintable()
            assert found.specimen


def test_every_actor_has_something_to_do() -> None:
    assert {each.actor for each in REASONS.values()} == set(Actor)


def test_links_are_for_everybody_and_over_https() -> None:
    links = [each.link for each in REASONS.values() if each.link is not None]

    assert links
    assert all(link.startswith("https://") for link in links)


def test_what_nobody_recognises_is_the_platforms_to_look_into() -> None:
    assert row(Reason.UNKNOWN).actor is Actor.PLATFORM
    assert row(Reason.REPUTATION_BLOCKLIST).actor is Actor.PLATFORM
