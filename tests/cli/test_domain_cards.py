"""How the commands about domains show what they are told."""

from __future__ import annotations

from typing import Any

import click
import pytest

from relayd.cli import dkim, doctor, domain, domain_card
from relayd.cli.domain_words import WORDS
from relayd.core.phrases import LANGUAGES
from relayd.core.records.domainreport import Purpose, State

RECORD: dict[str, Any] = {
    "purpose": "dkim",
    "name": "r1._domainkey.acme.example",
    "type": "CNAME",
    "value": "r1._domainkey.my.platform.example",
    "zone": "r1._domainkey.acme.example. IN CNAME r1._domainkey.my.platform.example.",
    "instead": None,
    "needed": True,
    "state": "missing",
    "seen": [],
    "ttl": None,
    "notes": [],
}


def found(*records: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "domain": "acme.example",
        "provider": None,
        "note": None,
        "looked_at": "2026-11-22T09:04:20Z",
        "nameservers": [],
        "records": [{**RECORD, **record} for record in records],
        "lookups": None,
        "forecast": [],
        **more,
    }


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([("ok", True)], 0),
        ([("warning", True), ("missing", True)], 0),
        ([("missing", True), ("ok", False)], 65),
        ([("missing", True), ("unknown", True)], 75),
        ([("unknown", False), ("wrong", True)], 65),
    ],
)
def test_the_exit_code_says_whether_the_domain_is_proven(states: list[tuple[str, bool]], code: int) -> None:
    assert domain.exit_code(found(*({"state": state, "needed": needed} for state, needed in states))) == code


def test_a_card_says_what_was_seen_and_what_to_publish() -> None:
    card = click.unstyle("\n".join(domain_card.card(found({"state": "wrong", "seen": ["other.example"]}))))
    assert "✗" in card
    assert "found: other.example" in card
    assert "publish:    type   CNAME\n" in card
    assert "value  r1._domainkey.my.platform.example" in card
    assert "is not proven" in card


def test_a_zone_file_gets_only_what_is_left_to_publish() -> None:
    instead = {"type": "TXT", "value": "v", "zone": "other form"}
    lines = list(
        domain_card.zone_lines(found({"instead": instead}, {"state": "ok"}, {"zone": None, "value": None}))
    )
    assert lines == [RECORD["zone"], "; or: other form"]
    assert list(domain_card.zone_lines(found(note="It belongs to GMX."))) == ["; It belongs to GMX."]


def test_a_zone_file_says_what_goes_when_something_else_is_there() -> None:
    """Beside it, a second SPF record voids both, and a CNAME keeps the whole zone from loading."""
    lines = domain_card.zone_lines(found({"state": "duplicate", "seen": ["one", "two"]}))
    assert list(lines) == ["; in place of: one", "; in place of: two", RECORD["zone"]]


def test_a_name_that_serves_something_else_is_not_taken_by_whoever_pastes() -> None:
    lines = domain_card.zone_lines(found({"state": "warning", "needed": False, "seen": ["shop.example"]}))
    assert list(lines) == ["; in place of: shop.example", f"; if nobody needs that: {RECORD['zone']}"]


@pytest.mark.parametrize(
    "record",
    [{"state": "warning"}, {"state": "wrong", "seen": [RECORD["value"]]}],
    ids=["what counts stays", "what is there already is not pasted again"],
)
def test_what_is_right_stays_out_of_a_zone_file(record: dict[str, Any]) -> None:
    assert list(domain_card.zone_lines(found(record))) == []


def test_a_card_of_a_shared_domain_is_a_note() -> None:
    card = "\n".join(domain_card.card(found(note="It belongs to GMX.", looked_at=None)))
    assert card.endswith("It belongs to GMX.")
    assert "nobody has looked" not in card


@pytest.mark.parametrize("state", ["ok", "unknown"])
def test_where_nothing_is_to_be_done_nothing_is_to_be_published(state: str) -> None:
    assert "publish:" not in "\n".join(domain_card.card(found({"state": state})))


def test_a_change_of_the_key_says_for_what_it_waits() -> None:
    standing = {
        "selector": "r1",
        "since": "2026-11-22T09:04:20Z",
        "records": [{"selector": "r2", "zone": "two"}, {"selector": "r1", "zone": "one"}],
        "waiting_for": ["acme.example"],
        "on_their_way": 3,
        "unneeded_since": "2026-11-22T10:04:20Z",
    }
    text = "\n".join(dkim.standing(standing))
    assert "changing from selector r1 to r2 since 2026-11-22 09:04:20 UTC" in text
    assert "still signed for with r1: acme.example" in text
    assert "on their way with a signature of r1: 3 messages" in text
    assert "nobody needs r1 since 2026-11-22 10:04:20 UTC" in text


def test_a_finding_of_the_doctor_has_its_remedy_below() -> None:
    finding = {"check": "new_one", "about": "", "health": "bad", "text": "broken " * 30, "remedy": "mend it"}
    first, *_, last = doctor.lines(finding)
    assert first.endswith("broken broken broken broken broken broken broken broken broken broken")
    assert last.strip() == "→ mend it"


def test_every_word_is_there_in_every_language() -> None:
    assert set(WORDS) == set(LANGUAGES)
    for words in WORDS.values():
        assert set(words.titles) == {purpose.value for purpose in Purpose}
        assert set(words.states) == {state.value for state in State}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_is_in_one_language(language: str) -> None:
    lookups = {"needed": 3, "left": 7}
    records = [{"purpose": purpose.value, "state": "missing"} for purpose in Purpose]
    lines = list(domain_card.card(found(*records, lookups=lookups), language))
    text = click.unstyle("\n".join(lines))
    assert "{" not in text
    assert WORDS[language].not_proven in text
    assert all(title in text for title in WORDS[language].titles.values())
    assert WORDS[language].states["missing"] in text
    assert language == "en" or not set(WORDS["en"].titles.values()) & set(text.splitlines())
