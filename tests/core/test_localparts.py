from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import address, localparts
from relayd.core.address import Address
from relayd.core.localparts import RESERVED, Wish


def wish(sender: str, name: str = "", contact: str = "billing", local_part: str | None = None) -> Wish:
    return Wish(sender=sender, name=name, contact=Address(contact, "acme.example"), local_part=local_part)


@pytest.mark.parametrize(
    ("name", "contact", "part"),
    [
        ("ACME BV", "billing", "acme-bv"),
        ("Acme B.V.", "billing", "acme-bv"),
        ("Müller & Söhne GmbH", "x", "mueller-soehne-gmbh"),
        ("Straßenbau Łódź", "x", "strassenbau-lodz"),
        ("L'Été à Paris", "x", "lete-a-paris"),
        ("Ærø Åland", "x", "aeroe-aaland"),
        ("  --  ", "billing", "billing"),
        ("日本語", "Rechnung.Nord", "rechnungnord"),
        ("日本語", '"ü x"', "ue-x"),
        ("日本語", "+", "sender"),
        ("A" * 100, "x", "a" * 64),
        ("A" * 63 + " B", "x", "a" * 63),
        ("billing@acme.example", "x", "billing-acmeexample"),
        ("Postmaster", "x", "postmaster-2"),
        ("info", "x", "info-2"),
    ],
)
def test_a_local_part_is_made_from_the_name_or_the_contact_address(
    name: str, contact: str, part: str
) -> None:
    assert localparts.assign([wish("s", name, contact)], {}).parts == {"s": part}


def test_senders_of_one_name_get_numbers_in_their_order() -> None:
    given = localparts.assign([wish("a", "ACME"), wish("b", "Acme"), wish("c", "acme!")], {})
    assert given.parts == {"a": "acme", "b": "acme-2", "c": "acme-3"}
    assert given.new == {"acme": "a", "acme-2": "b", "acme-3": "c"}


def test_a_number_fits_behind_a_long_name() -> None:
    given = localparts.assign([wish("a", "x" * 80), wish("b", "x" * 80)], {})
    assert given.parts["b"] == "x" * 58 + "-2"


def test_what_the_operator_wrote_comes_before_what_is_made() -> None:
    given = localparts.assign([wish("a", "ACME"), wish("b", "Other", local_part="Acme")], {})
    assert given.parts == {"a": "acme-2", "b": "acme"}


def test_a_local_part_is_fixed_once_assigned_whatever_the_name_becomes() -> None:
    given = localparts.assign([wish("a", "Renamed"), wish("b", "ACME")], {"acme": "a"})
    assert given.parts == {"a": "acme", "b": "acme-2"}
    assert given.new == {"acme-2": "b"}


def test_of_several_it_had_a_sender_keeps_the_one_its_name_makes() -> None:
    had = {"old": "a", "acme": "a"}
    assert localparts.assign([wish("a", "ACME")], had).parts == {"a": "acme"}
    assert localparts.assign([wish("a", "Else")], had).parts == {"a": "acme"}
    assert localparts.assign([wish("a", "Old")], had).parts == {"a": "old"}


def test_an_address_is_never_given_to_another_sender_even_when_the_first_is_gone() -> None:
    given = localparts.assign([wish("b", "ACME"), wish("c", local_part="acme")], {"acme": "gone"})
    assert given.parts == {"b": "acme-2"}
    assert "belongs (or belonged) to sender gone" in given.refused["c"]


def test_an_operator_may_change_a_local_part_and_the_old_one_stays_the_senders() -> None:
    given = localparts.assign([wish("a", "ACME", local_part="billing")], {"acme": "a"})
    assert given.parts == {"a": "billing"}
    assert given.new == {"billing": "a"}


def test_two_senders_can_not_write_the_same_local_part() -> None:
    given = localparts.assign([wish("a", local_part="x"), wish("b", local_part="x")], {})
    assert given.parts == {"a": "x"}
    assert "sender a" in given.refused["b"]


@pytest.mark.parametrize("part", sorted(RESERVED))
def test_a_reserved_name_is_given_to_nobody(part: str) -> None:
    assert localparts.assign([wish("a", part)], {}).parts != {"a": part}
    assert "reserved" in localparts.assign([wish("a", local_part=part.upper())], {}).refused["a"]


@pytest.mark.parametrize("part", ["", "a..b", ".a", "a b", "a@b", "ü", "a" * 65, "a+b", "-a", "a\r\nb"])
def test_a_local_part_that_is_not_safe_is_refused_with_a_sentence(part: str) -> None:
    assert "must be letters" in str(localparts.problem_with(part))


@pytest.mark.parametrize("part", ["acme", "a.b-c", "A1", "a" * 64])
def test_a_safe_local_part_is_no_problem(part: str) -> None:
    assert localparts.problem_with(part) is None


@given(st.lists(st.tuples(st.text(max_size=80), st.from_regex(r"[a-z.+]{1,20}", fullmatch=True)), max_size=8))
def test_every_sender_gets_a_safe_one_of_its_own(made_of: list[tuple[str, str]]) -> None:
    wishes = [wish(str(at), name, contact) for at, (name, contact) in enumerate(made_of)]
    parts = localparts.assign(wishes, {}).parts
    assert len(set(parts.values())) == len(parts) == len(wishes)
    for part in parts.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", part)
        assert part not in RESERVED
        assert str(address.parse(f"{part}@my.platform.example")) == f"{part}@my.platform.example"
    again = localparts.assign(wishes, {part: sender for sender, part in parts.items()})
    assert again.parts == parts
    assert again.new == {}


def test_what_was_kept_counts_in_the_next_round() -> None:
    book = localparts.LocalParts({"acme": "a"})
    first = book.assign([wish("b", "ACME")])
    assert book.assign([wish("c", local_part="acme-2")]).refused == {}, "nothing counts until it is kept"
    book.keep(first.new)
    assert "sender b" in book.assign([wish("c", local_part="acme-2")]).refused["c"]
    assert book.assign([wish("b", "Renamed")]).parts == {"b": "acme-2"}


def test_thousands_of_one_name_are_given_theirs_one_after_the_other() -> None:
    book = localparts.LocalParts({})
    for n in range(10_000):
        book.keep(book.assign([wish(f"s{n}", "Müller")]).new)
    assert book.assign([wish("s9999", "Müller")]).parts == {"s9999": "mueller-10000"}
