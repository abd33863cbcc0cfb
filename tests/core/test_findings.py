"""Every finding can be said to a person in every language, whatever the names in it."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import phrases
from relayd.core.findings import Finding, Kind
from relayd.core.phrases import LANGUAGES, findings
from relayd.core.reasons import Actor, Reason

KINDS = [kind for kind in Kind if kind is not Kind.OTHER]
PLACES = {
    name: f"<{name}>"
    for name in (
        *("host", "port", "tls", "username", "address"),
        *("provider", "other", "seen", "expected"),
    )
}


def test_each_finding_has_a_cause_and_a_remedy_as_whole_sentences(subtests: pytest.Subtests) -> None:
    for kind, language in product(KINDS, LANGUAGES):
        with subtests.test(str(kind), language=language):
            finding = Finding(kind=kind, places=PLACES)
            for said in (findings.text(finding, language), findings.remedy(finding, language)):
                assert said.endswith((".", "?"))
                assert "{" not in said
                assert len(said) < 300


def test_the_languages_name_the_same_things(subtests: pytest.Subtests) -> None:
    """In some language a name may stand in the other sentence, but none is missing."""
    for kind in KINDS:
        with subtests.test(str(kind)):
            finding = Finding(kind=kind, places=PLACES)

            def named(language: str, finding: Finding = finding) -> set[str]:
                said = findings.text(finding, language) + findings.remedy(finding, language)
                return set(re.findall(r"<(\w+)>", said))

            assert {frozenset(named(language)) for language in LANGUAGES} == {frozenset(named("en"))}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_right_server_is_named_where_it_is_known(language: str) -> None:
    places = {**PLACES, "right": "smtp.office365.com, 587, starttls"}
    finding = Finding(kind=Kind.SERVER_IS_MX, places=places)
    assert "smtp.office365.com, 587, starttls" in findings.remedy(finding, language)


def test_what_has_no_finding_of_its_own_has_the_words_of_its_reason() -> None:
    finding = Finding(kind=Kind.OTHER, reason=Reason.SERVER_BUSY)
    assert findings.text(finding, "en") == phrases.text(Reason.SERVER_BUSY, "en")
    assert findings.remedy(finding, "en") == phrases.remedy(Reason.SERVER_BUSY, "en")
    assert finding.actor is Actor.NOBODY
    assert Finding(kind=Kind.OTHER).actor is Actor.PLATFORM


def test_three_networks_have_three_who_must_act() -> None:
    kinds = (Kind.NETWORK_OURS, Kind.NETWORK_THEIRS, Kind.LOGIN_OFF_FOR_TENANT)
    assert [Finding(kind=kind).actor for kind in kinds] == [Actor.PLATFORM, Actor.SENDER_IT, Actor.SENDER_IT]
    assert len({findings.remedy(Finding(kind=kind, places=PLACES), "en") for kind in kinds}) == 3


@given(name=st.text(max_size=40))
def test_a_name_that_somebody_typed_is_only_a_name(name: str) -> None:
    finding = Finding(kind=Kind.SERVER_NAME, places={"host": name})
    assert findings.text(finding, "en") == f"There is no server called {name or '?'}."


def test_a_place_that_nobody_filled_is_a_question_mark() -> None:
    assert findings.text(Finding(kind=Kind.SERVER_NAME), "en") == "There is no server called ?."
