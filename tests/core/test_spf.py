"""SPF beyond the RFC's own suite: what a result tells, and what no zone can do to us."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.records import spf, spfmacros, spfterms
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.records.spf import Client, Decided, Outcome, Question, Result, Type, Why
from relayd.core.records.spfterms import Ill

from .dnsdata import Records, answered

IP = "192.0.2.1"
SENDER = "billing@acme.example"
QUESTIONS_MAX = 1 + spf.LOOKUPS * (1 + spf.NAMES) + (1 + spf.NAMES) + 1
"""The record; for each term itself and its names; the client's names once; the explanation."""


def check(records: Records, ip: str = IP, sender: str = SENDER, helo: str = "relay.example.net") -> Result:
    return answered(spf.check(Client(ip=ip, sender=sender, helo=helo)), records)


def of(text: str) -> Records:
    return {("acme.example", "TXT"): [text]}


@pytest.mark.parametrize(
    ("text", "outcome", "term", "why"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", Outcome.PASS, "ip4:192.0.2.0/24", None),
        ("v=spf1 ip4:198.51.100.1 ~all", Outcome.SOFTFAIL, "~all", None),
        ("v=spf1", Outcome.NEUTRAL, "", None),
        ("v=spf1 ip4:192.0.2.1/33", Outcome.PERMERROR, "ip4:192.0.2.1/33", Why.BAD_TERM),
        ("v=spf1 inlcude:x.example -all", Outcome.PERMERROR, "inlcude:x.example", Why.BAD_TERM),
        ("v=spf1 include:none.example -all", Outcome.PERMERROR, "include:none.example", Why.INCLUDED_NONE),
        ("v=spf1 redirect=none.example", Outcome.PERMERROR, "redirect=none.example", Why.INCLUDED_NONE),
        ("v=spf1 include:%{l}..example -all", Outcome.PERMERROR, "include:%{l}..example", Why.INCLUDED_NONE),
        ("v=spf1 a:x.example mx:y.example a:z.example -all", Outcome.PERMERROR, "a:z.example", Why.VOIDS),
        ("v=spf1 redirect=acme.example", Outcome.PERMERROR, "redirect=acme.example", Why.LOOKUPS),
        ("v=spf1 include:acme.example", Outcome.PERMERROR, "include:acme.example", Why.LOOKUPS),
    ],
)  # fmt: skip
def test_a_result_names_the_term_that_decided(
    text: str, outcome: Outcome, term: str, why: Why | None
) -> None:
    result = check(of(text))
    assert (result.outcome, result.decided, result.why) == (outcome, Decided("acme.example", term), why)


def test_the_term_may_be_in_a_record_that_is_included() -> None:
    records = {
        ("acme.example", "TXT"): ["v=spf1 redirect=hoster.example"],
        ("hoster.example", "TXT"): ["v=spf1 mx -all"],
        ("hoster.example", "MX"): None,
    }
    result = check(records)
    assert (result.outcome, result.why) == (Outcome.TEMPERROR, Why.TROUBLE)
    assert result.decided == Decided("hoster.example", "mx")
    assert (result.lookups, result.voids) == (2, 0)


def test_the_smallest_ttl_of_all_answers_counts() -> None:
    assert check(of("v=spf1 -all")).ttl == 60
    assert check({("acme.example", "TXT"): None}).ttl is None
    assert check({}).ttl == 300


@pytest.mark.parametrize(
    ("sender", "helo"),
    [
        ("x@localhost", "a.example"),
        ("x@[192.0.2.1]", "a.example"),
        ("x@a..example", "a.example"),
        (f"x@{'a' * 64}.example", "a.example"),
        ("x@m\u00fcller.example", "a.example"),
        ("", "relay"),
        (f"x@{'.'.join(['abcdefgh'] * 30)}", "a.example"),
    ],
)
def test_a_sender_without_a_real_domain_has_no_spf(sender: str, helo: str) -> None:
    result = check({}, sender=sender, helo=helo)
    assert (result.outcome, result.why) == (Outcome.NONE, Why.NO_DOMAIN)


def test_without_a_sender_the_helo_name_counts() -> None:
    records = {("relay.example.net", "TXT"): ["v=spf1 exists:%{l}.%{o} -all"]}
    records[("postmaster.relay.example.net", "A")] = ["127.0.0.2"]
    assert check(records, sender="").outcome is Outcome.PASS


def test_an_ipv4_address_in_ipv6_dress_is_an_ipv4_address() -> None:
    assert check(of("v=spf1 ip4:192.0.2.1 -all"), ip="::ffff:192.0.2.1").outcome is Outcome.PASS


def test_a_record_that_looks_at_the_local_part_says_so() -> None:
    assert not check(of("v=spf1 exists:%{i}.acme.example -all")).personal
    assert check(of("v=spf1 exists:%{l}.acme.example -all")).personal
    assert check(of("v=spf1 exists:%{S}.acme.example -all")).personal


def test_a_name_that_is_not_ascii_matches_nothing() -> None:
    """RFC 8616 section 4: local parts may be UTF-8, names in DNS may not."""
    result = check(of("v=spf1 exists:%{l}.acme.example -all"), sender="m\u00fcller@acme.example")
    assert result.outcome is Outcome.FAIL


@pytest.mark.parametrize("modifier", ["exp=%{l}.acme.example", "redirect=%{l}.acme.example"])
def test_nor_does_it_lead_anywhere(modifier: str) -> None:
    end = "-all" if modifier.startswith("exp") else ""
    result = check(of(f"v=spf1 {modifier} {end}"), sender="m\u00fcller@acme.example")
    assert result.explanation is None
    assert result.outcome is (Outcome.FAIL if end else Outcome.PERMERROR)


def test_names_that_are_too_long_lose_labels_from_the_left() -> None:
    letters = dict(spfmacros.values(Client(ip=IP, sender=SENDER, helo="x"), "acme.example"))
    letters["d"] = ".".join(f"l{number:03}" for number in range(80)) + ".example"
    name = spfmacros.name("%{d}", letters)
    assert name is not None
    assert len(name) <= 253
    assert letters["d"].endswith(f".{name}")
    letters["d"] = "x" * 300
    assert spfmacros.name("%{d}", letters) == ""


@pytest.mark.parametrize(
    ("macro", "value"),
    [
        ("%{d1}", "example"),
        ("%{d99999999999999999999}", "acme.example"),
        ("%{dr}", "example.acme"),
        ("%{l-}", "billing"),
        ("%{S}", "billing%40acme.example"),
        ("%%%_%-", "% %20"),
        ("%{v}", "in-addr"),
    ],
)
def test_macros(macro: str, value: str) -> None:
    letters = spfmacros.values(Client(ip=IP, sender=SENDER, helo="x"), "acme.example")
    assert spfmacros.expand(macro, letters) == value


@pytest.mark.parametrize("text", ["%", "%{", "%{x}", "%{c}", "%{d0}", "%{d00r}", "%{d", "a b", "\u00fc"])
def test_what_is_no_macro_string(text: str) -> None:
    assert spfmacros.expand(text, {}) is None
    assert spfmacros.name(text, {}) is None


@pytest.mark.parametrize(
    ("names", "best"),
    [
        ((), "unknown"),
        (("x.example",), "x.example"),
        (("x.example", "mail.acme.example"), "mail.acme.example"),
        (("mail.acme.example", "acme.example"), "acme.example"),
    ],
)
def test_the_clients_name_is_the_nearest_to_the_domain(names: tuple[str, ...], best: str) -> None:
    records = of("v=spf1 exists:%{p}.of.example ptr -all")
    records = {**records, (IP, "PTR"): names, **{(name, "A"): [IP] for name in names}}
    asked: list[Question] = []
    answered(spf.check(Client(ip=IP, sender=SENDER, helo="x")), records, asked)
    assert f"{best}.of.example" in [question.name for question in asked]
    assert [question.type for question in asked].count(Type.PTR) == 1  # looked up once


@pytest.mark.parametrize(
    ("term", "ill"),
    [
        ("foo:bar", Ill.UNKNOWN),
        ("all:x", Ill.SYNTAX),
        ("ip4:1.2.3", Ill.SYNTAX),
        ("ip4:01.2.3.4", Ill.SYNTAX),
        ("ip6:192.0.2.1", Ill.SYNTAX),
        ("ip6:::1/129", Ill.SYNTAX),
        ("ip6:fe80::1%eth0", Ill.SYNTAX),
        ("include", Ill.SYNTAX),
        ("include:x", Ill.SYNTAX),
        ("include:%{z}.example", Ill.MACRO),
        ("a/33", Ill.SYNTAX),
        ("a//129", Ill.SYNTAX),
        ("ptr/24", Ill.SYNTAX),
        ("x=%{z}", Ill.MACRO),
        ("redirect=", Ill.SYNTAX),
        ("a:\u00fc.example", Ill.SYNTAX),
    ],
)
def test_a_term_that_cant_be_read_is_kept_with_what_is_wrong(term: str, ill: Ill) -> None:
    [bad] = spfterms.read(f"v=spf1 {term} -all").bad
    assert (bad.ill, bad.text) == (ill, term)


def test_redirect_and_exp_stand_once() -> None:
    record = spfterms.read("v=spf1 redirect=a.example redirect=b.example exp=c.example exp=d.example")
    assert [(bad.ill, bad.text) for bad in record.bad] == [
        (Ill.TWICE, "redirect=b.example"),
        (Ill.TWICE, "exp=d.example"),
    ]
    assert (record.redirect, record.exp) == ("a.example", "c.example")


@pytest.mark.parametrize("exp", [["one", "two"], ["\u00fc"], ["%{z}"], None, []])
def test_an_explanation_that_cant_be_had_changes_nothing(exp: list[str] | None) -> None:
    records = {**of("v=spf1 -all exp=why.example"), ("why.example", "TXT"): exp}
    result = check(records)
    assert (result.outcome, result.explanation) == (Outcome.FAIL, None)


def test_an_explanation_is_filled_in() -> None:
    records = {**of("v=spf1 -all exp=why.example"), ("why.example", "TXT"): ["%{i} is not of %{d}  (%{r})"]}
    assert check(records).explanation == "192.0.2.1 is not of acme.example  (unknown)"


# --- what no zone can do ---

TERMS = [
    *("a", "mx", "ptr", "a:%{i}.acme.example", "mx:%{p}.example", "exists:%{l}.%{d}", "include:acme.example"),
    *(
        "include:b.example",
        "ptr:%{p}.example",
        "redirect=b.example",
        "exp=%{p}.example",
        "~all",
        "ip4:192.0.2.9",
    ),
    *(
        "include:%{d}.%{d}.%{d}.example",
        "-",
        "%",
        "ip6:::/0",
        "?a//0",
        "\u00ff",
        "x=%{h}",
        "all/0",
        "mx:a..b",
    ),
]
TEXTS = st.lists(st.sampled_from(TERMS), max_size=30).map(lambda terms: " ".join(["v=spf1", *terms]))
ANSWERS = st.one_of(
    st.builds(lambda texts: ("TXT", tuple(texts)), st.lists(TEXTS | st.text(max_size=40), max_size=3)),
    st.just(("A", ("192.0.2.1", "198.51.100.7"))),
    st.just(("NAMES", tuple(f"n{number}.example" for number in range(30)))),
    st.just(("TROUBLE", ())),
    st.just(("MISSING", ())),
)


@given(st.lists(ANSWERS, min_size=1, max_size=12), st.integers(), st.sampled_from([IP, "2001:db8::1"]))
def test_it_always_ends_after_a_bounded_number_of_questions(
    answers: list[tuple[str, tuple[str, ...]]], seed: int, ip: str
) -> None:
    dice = random.Random(seed)
    asked: list[Question] = []
    client = Client(ip=ip, sender=SENDER, helo="relay.example.net")
    result = answered(spf.check(client), lambda question: hostile(question, *dice.choice(answers)), asked)
    assert isinstance(result, Result)
    assert result.lookups <= spf.LOOKUPS + 1
    assert result.voids <= spf.VOIDS + 1
    assert len(asked) <= QUESTIONS_MAX


def hostile(question: Question, kind: str, values: tuple[str, ...]) -> spf.Answer:
    if kind == "TROUBLE":
        return Trouble(text="SERVFAIL")
    if question.type is Type.TXT and kind == "TXT" and values:
        return Found(records=values, ttl=0)
    if question.type is Type.MX and kind == "NAMES":
        return Found(records=tuple(Mx(0, name) for name in values), ttl=0)
    if question.type is Type.PTR and kind == "NAMES":
        return Found(records=values, ttl=0)
    if question.type in (Type.A, Type.AAAA) and kind == "A":
        found = values if question.type is Type.A else ("2001:db8::1",)
        return Found(records=found, ttl=0)
    return Missing(domain=True, ttl=0)


def test_a_record_that_is_far_too_long_is_not_read() -> None:
    result = check(of("v=spf1 " + "ip4:192.0.2.1 " * 5000))
    assert (result.outcome, result.why) == (Outcome.PERMERROR, Why.BAD_TERM)
    assert "70007 octets" in result.decided.term


@given(st.text(max_size=200), st.text(alphabet="%{}slodipvhcrt0123456789r.-+,/_=: *", max_size=80))
def test_no_text_makes_reading_fail(text: str, macros: str) -> None:
    for record in (f"v=spf1 {text}", f"v=spf1 a:{macros}", f"v=spf1 redirect={macros} x={macros}"):
        read = spfterms.read(record)
        assert all(bad.text in record for bad in read.bad)


@pytest.mark.parametrize(
    "term",
    ["a:" + "-" * 8_000, "a:" + "%{d}" * 2_000, "x=" + "/" * 8_000, "a" * 8_000, "a:x.y" + "/1" * 4_000],
)
def test_a_term_that_fills_a_record_is_read_in_one_pass(term: str) -> None:
    check(of(f"v=spf1 {term} -all"))


def test_the_record_is_asked_for_in_the_case_it_was_written_in_and_compared_without() -> None:
    asked: list[Question] = []
    answered(
        spf.check(Client(ip=IP, sender="x@ACME.Example", helo="x")), of("V=SPF1 IP4:192.0.2.1 -ALL"), asked
    )
    assert asked == [Question(Type.TXT, "ACME.Example")]
