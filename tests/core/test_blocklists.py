"""What blocklists are asked, and what their answers mean."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.blocklists import LISTS, Kind, Verdict, judge, question
from relayd.core.records.answers import Found, Missing, Trouble

ZEN, SPAMCOP, DBL = LISTS


@pytest.mark.parametrize(
    ("blocklist", "asked", "name"),
    [
        (ZEN, "192.0.2.99", "99.2.0.192.zen.spamhaus.org"),
        (ZEN, "2001:db8::1", "1." + "0." * 23 + "8.b.d.0.1.0.0.2.zen.spamhaus.org"),
        (DBL, "acme.example", "acme.example.dbl.spamhaus.org"),
    ],
)
def test_a_list_is_asked_by_name(blocklist, asked: str, name: str) -> None:
    assert question(blocklist, asked) == name


@pytest.mark.parametrize(
    ("blocklist", "answers", "verdict", "meaning"),
    [
        (ZEN, ["127.0.0.2"], Verdict.LISTED, "SBL"),
        (ZEN, ["127.0.0.4", "127.0.0.11"], Verdict.LISTED, "XBL.*; PBL"),
        (ZEN, ["127.0.0.99"], Verdict.LISTED, "127.0.0.99"),
        (DBL, ["127.0.1.2"], Verdict.LISTED, "low reputation"),
        # not a listing, whatever else it says
        (ZEN, ["127.255.255.252"], Verdict.NOT_ANSWERED, "name of the list"),
        (ZEN, ["127.255.255.254"], Verdict.NOT_ANSWERED, "public resolver"),
        (ZEN, ["127.255.255.255"], Verdict.NOT_ANSWERED, "too many questions"),
        (ZEN, ["127.255.255.1", "127.0.0.2"], Verdict.NOT_ANSWERED, "error 127.255.255.1"),
        (DBL, ["127.0.1.255"], Verdict.NOT_ANSWERED, "error 127.0.1.255"),
        (ZEN, ["198.51.100.7"], Verdict.NOT_ANSWERED, "answers for every name"),
    ],
)
def test_what_an_answer_means(blocklist, answers: list[str], verdict: Verdict, meaning: str) -> None:
    listing = judge(blocklist, "192.0.2.99", Found(records=tuple(answers), ttl=60))
    assert listing.verdict is verdict
    assert re.search(meaning, listing.meaning)


def test_no_answer_is_told_from_a_no() -> None:
    assert judge(ZEN, "x", Missing(domain=False, ttl=60)).verdict is Verdict.CLEAN
    silent = judge(ZEN, "x", Trouble(text="silence"))
    assert (silent.verdict, silent.meaning) == (Verdict.NOT_ANSWERED, "silence")


def test_every_list_says_where_to_look_a_listing_up() -> None:
    assert all(each.page.startswith("https://") for each in LISTS)
    assert {each.kind for each in LISTS} == set(Kind)


@given(st.lists(st.ip_addresses(v=4).map(str), min_size=1, max_size=5))
def test_whatever_a_list_answers_only_its_own_codes_are_a_listing(answers: list[str]) -> None:
    listing = judge(ZEN, "192.0.2.99", Found(records=tuple(answers), ttl=60))
    codes = [ipaddress.ip_address(code) for code in answers]
    if listing.verdict is Verdict.LISTED:
        assert any(code.is_loopback for code in codes)
        assert not any(code in ipaddress.ip_network("127.255.255.0/24") for code in codes)
    else:
        assert listing.meaning
