"""What the owner of a domain is told about its SPF record, and the record to publish, to the octet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import phrases
from relayd.core.phrases import spf as words
from relayd.core.records import spf, spfadvice, spfsurvey, spfterms
from relayd.core.records.spf import Client, Outcome
from relayd.core.records.spfadvice import Advice, State, merged, placed
from relayd.core.records.spfsurvey import RECORDS_MAX, Code, Finding

from .dnsdata import Records, answered

OURS = "my.platform.example"
EGRESS = ("192.0.2.25", "2001:db8::25")
PLATFORM: Records = {(OURS, "TXT"): ["v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"]}
OTHERS: Records = {
    ("google.example", "TXT"): ["v=spf1 include:g1.example include:g2.example ~all"],
    ("g1.example", "TXT"): ["v=spf1 ip4:198.51.100.0/24 ~all"],
    ("g2.example", "TXT"): ["v=spf1 a:mx.g.example ~all"],
    ("mx.g.example", "A"): ["198.51.100.9"],
    ("mx.g.example", "AAAA"): ["2001:db8:9::9"],
    ("crm.example", "TXT"): ["v=spf1 exists:%{i}.crm.example -all"],
    ("broken.example", "TXT"): ["v=spf1 ip4:1.2.3 -all"],
    ("loop.example", "TXT"): ["v=spf1 include:loop.example -all"],
    ("two.example", "TXT"): ["v=spf1 -all", "v=spf1 ~all"],
    **{(f"n{at}.example", "TXT"): [f"v=spf1 include:n{at + 1}.example ~all"] for at in range(12)},
    ("n12.example", "TXT"): ["v=spf1 ~all"],
    ("ten.example", "TXT"): ["v=spf1 include:n4.example ~all"],
}


def advised(
    *texts: str, domain: str = "acme.example", egress: tuple[str, ...] = EGRESS, **more: object
) -> Advice:
    records: Records = {**PLATFORM, **OTHERS, (domain, "TXT"): texts, **more.get("records", {})}  # type: ignore[dict-item]
    if not texts:
        records = {key: value for key, value in records.items() if key != (domain, "TXT")}
    client = Client(ip=egress[0] if egress else "192.0.2.1", sender=f"a@{domain}", helo="relay.example.net")
    results = {
        ip: answered(spf.check(Client(ip=ip, sender=f"a@{domain}", helo="relay.example.net")), records)
        for ip in egress
    }
    own = answered(spfsurvey.survey(domain, client), records)
    ours = answered(spfsurvey.survey(OURS, client), records)
    return spfadvice.advise(own=own, ours=ours, results=results)


def codes(advice: Advice) -> list[Code]:
    return [finding.code for finding in advice.findings]


# what is there | state | first finding | what to publish | look-ups after that
TABLE = [
    ([], State.MISSING, Code.NO_RECORD, "v=spf1 include:my.platform.example ~all", 1),
    (["unrelated"], State.MISSING, Code.NO_RECORD, "v=spf1 include:my.platform.example ~all", 1),
    (["v=spf1 include:my.platform.example -all"], State.OK, Code.OK, None, 1),
    (["v=spf1 mx include:MY.Platform.Example. ~all"], State.OK, Code.OK, None, 2),
    # named in another way
    (["v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"], State.OK, Code.OK, None, 0),
    (["v=spf1 redirect=my.platform.example"], State.OK, Code.OK, None, 1),
    # not there
    (
        ["v=spf1 include:google.example -all"], State.WRONG, Code.NOT_INCLUDED,
        "v=spf1 include:my.platform.example include:google.example -all", 5,
    ),
    (
        ["V=SPF1  mx   -ALL "], State.WRONG, Code.NOT_INCLUDED,
        "V=SPF1 include:my.platform.example  mx   -ALL ", 2,
    ),
    (["v=spf1"], State.WRONG, Code.NOT_INCLUDED, "v=spf1 include:my.platform.example", 1),
    (
        ["v=spf1 redirect=google.example"], State.WRONG, Code.NOT_INCLUDED,
        "v=spf1 include:my.platform.example redirect=google.example", 5,
    ),
    # one address of two
    (
        ["v=spf1 ip4:192.0.2.25 -all"], State.WRONG, Code.NOT_INCLUDED,
        "v=spf1 include:my.platform.example ip4:192.0.2.25 -all", 1,
    ),
    # in a place where it does nothing
    (
        ["v=spf1 mx -all include:my.platform.example"], State.WRONG, Code.BEHIND_ALL,
        "v=spf1 include:my.platform.example mx -all", 2,
    ),
    (
        ["v=spf1 ?include:my.platform.example -all"], State.WRONG, Code.QUALIFIED,
        "v=spf1 include:my.platform.example -all", 1,
    ),
    (
        ["v=spf1 -ip4:192.0.2.0/24 include:my.platform.example -all"], State.WRONG, Code.EARLIER,
        "v=spf1 include:my.platform.example -ip4:192.0.2.0/24 -all", 1,
    ),
    (
        ["v=spf1 a:x.example a:y.example a:z.example include:my.platform.example -all"],
        State.WRONG, Code.VOIDS,
        "v=spf1 include:my.platform.example a:x.example a:y.example a:z.example -all", 4,
    ),
    (
        ["v=spf1 include:none.example include:my.platform.example -all"], State.WRONG, Code.EARLIER,
        "v=spf1 include:my.platform.example include:none.example -all", 2,
    ),
    # spoilt by a term
    (
        ["v=spf1 include:my.platform.example inlcude:google.example -all"], State.WRONG, Code.EARLIER,
        "v=spf1 include:my.platform.example -all", 1,
    ),
    (["v=spf1 ip4:1.2.3 -all"], State.WRONG, Code.NOT_INCLUDED, "v=spf1 include:my.platform.example -all", 1),
    # too many look-ups: those behind us suffer, we don't
    (["v=spf1 include:my.platform.example include:n0.example ~all"], State.WARNING, Code.TOO_MANY, None, 14),
    (
        ["v=spf1 include:n0.example include:my.platform.example ~all"], State.WRONG, Code.EARLIER,
        "v=spf1 include:my.platform.example include:n0.example ~all", 14,
    ),
    # good for us, and bad for somebody
    (["v=spf1 include:my.platform.example ptr ~all"], State.WARNING, Code.PTR, None, 2),
    (["v=spf1 include:my.platform.example +all"], State.WARNING, Code.PASS_ALL, None, 1),
    (["v=spf1 include:my.platform.example -all mx"], State.WARNING, Code.UNREACHABLE, None, 1),
    (
        ["v=spf1 include:my.platform.example -all redirect=x.example"],
        State.WARNING, Code.REDIRECT_IGNORED, None, 1,
    ),
    (["v=spf1 include:my.platform.example include:gone.example -all"], State.WARNING, Code.DEAD, None, 2),
    (["v=spf1 include:my.platform.example include:two.example -all"], State.WARNING, Code.DEAD, None, 2),
    (["v=spf1 include:my.platform.example include:loop.example -all"], State.WARNING, Code.LOOP, None, 3),
    (["v=spf1 include:my.platform.example include:broken.example -all"], State.WARNING, Code.SYNTAX, None, 2),
    # the eleventh look-up would be ours
    (
        ["v=spf1 include:ten.example ~all"], State.WRONG, Code.NOT_INCLUDED,
        "v=spf1 include:my.platform.example include:ten.example ~all", 11,
    ),
    # meant as SPF, and none
    (
        ['"v=spf1 include:google.example" " mx -all"'], State.WRONG, Code.MEANT,
        "v=spf1 include:my.platform.example include:google.example mx -all", 6,
    ),
    ([" v=spf1 mx ~all"], State.WRONG, Code.MEANT, "v=spf1 include:my.platform.example mx ~all", 2),
    (["v = spf1; mx ~all"], State.WRONG, Code.MEANT, "v=spf1 include:my.platform.example mx ~all", 2),
    (["v=spf1mx ~all"], State.WRONG, Code.MEANT, "v=spf1 include:my.platform.example mx ~all", 2),
    (["include:my.platform.example"], State.WRONG, Code.MEANT, "v=spf1 include:my.platform.example", 1),
    (
        ["v=spf10", "spf2.0/pra -all"], State.MISSING, Code.NO_RECORD,
        "v=spf1 include:my.platform.example ~all", 1,
    ),
    (
        ["v=spf1 mx ~all", '"v=spf1 a ~all"'], State.WRONG, Code.NOT_INCLUDED,
        "v=spf1 include:my.platform.example mx ~all", 2,
    ),
    # several
    (
        ["v=spf1 include:google.example ~all", "v=spf1 mx -all"], State.DUPLICATE, Code.SEVERAL,
        "v=spf1 include:my.platform.example include:google.example mx ~all", 6,
    ),
    (
        ["v=spf1 include:my.platform.example ~all", "v=spf1 mx MX a +all"], State.DUPLICATE, Code.SEVERAL,
        "v=spf1 include:my.platform.example mx a ~all", 4,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "state", "first", "publish", "lookups"), TABLE)
def test_what_is_advised(
    texts: list[str], state: State, first: Code, publish: str | None, lookups: int
) -> None:
    advice = advised(*texts)
    assert (advice.state, codes(advice)[0], advice.publish) == (state, first, publish)
    assert (advice.lookups, advice.left) == (lookups, 10 - lookups)
    for language in phrases.LANGUAGES:
        for finding in advice.findings:
            assert "? " not in words.sentence(finding, language)


@pytest.mark.parametrize(
    "texts",
    [row[0] for row in TABLE if row[3] is not None and row[4] <= 10],
    ids=lambda texts: " | ".join(texts),
)
def test_what_is_advised_passes_once_it_is_published(texts: list[str]) -> None:
    publish = advised(*texts).publish
    assert publish is not None
    again = advised(publish)
    assert again.state in (State.OK, State.WARNING)
    assert again.publish is None


def test_an_eleventh_look_up_is_explained_with_what_each_term_costs() -> None:
    advice = advised("v=spf1 include:my.platform.example include:google.example include:n4.example mx ~all")
    [too_many] = [finding for finding in advice.findings if finding.code is Code.TOO_MANY]
    assert too_many.term == "15"
    assert too_many.value == (
        "include:my.platform.example (1), include:google.example (4), include:n4.example (9), mx (1)"
    )
    assert advice.left == -5


@pytest.mark.parametrize(
    "texts",
    [
        ["v=spf1 include:ten.example ~all"],
        ['"v=spf1 include:ten.example ~all"'],
        ["v=spf1 include:ten.example", "v=spf1 ~all"],
    ],
)
def test_that_the_eleventh_look_up_would_be_ours_is_said_before_it_is_published(texts: list[str]) -> None:
    [with_us] = [each for each in advised(*texts).findings if each.code is Code.TOO_MANY_WITH_US]
    assert with_us.term == "11"
    assert with_us.value == "include:my.platform.example (1), include:ten.example (10)"


def test_the_platforms_own_record_is_not_told_to_include_itself() -> None:
    advice = advised('"v=spf1 ip4:192.0.2.25 -all"', domain=OURS)
    assert (advice.state, codes(advice)[0], advice.publish) == (State.WRONG, Code.MEANT, None)


def test_what_the_platform_has_to_mend_is_not_asked_of_the_customer() -> None:
    platform = {(OURS, "TXT"): ["v=spf1 ip4:192.0.2.25 -all"]}
    advice = advised("v=spf1 include:my.platform.example -all", records=platform)
    assert advice.findings == (Finding(Code.PLATFORM_RECORD, OURS, value="2001:db8::25"),)
    assert (advice.state, advice.publish) == (State.WRONG, None)


@pytest.mark.parametrize("trouble", [("acme.example", "TXT"), ("g2.example", "TXT"), ("mx.g.example", "A")])
def test_dns_in_trouble_is_no_reason_to_change_anything(trouble: tuple[str, str]) -> None:
    advice = advised("v=spf1 include:google.example -all", records={trouble: None})
    assert (advice.state, codes(advice), advice.publish) == (State.UNKNOWN, [Code.TROUBLE], None)


def test_without_our_addresses_only_what_is_surely_wrong_is_said() -> None:
    assert advised("v=spf1 include:my.platform.example -all", egress=()).state is State.UNKNOWN
    assert codes(advised("v=spf1 include:my.platform.example -all", egress=())) == [Code.EGRESS_UNKNOWN]
    assert codes(advised("v=spf1 -all", egress=()))[0] is Code.NOT_INCLUDED


@pytest.mark.parametrize("texts", [[], ["v=spf1 -all"], ["v=spf1 mx -all", "v=spf1 -all"]])
def test_nobody_is_asked_to_include_themselves(texts: list[str]) -> None:
    advice = advised(*texts, domain=OURS)
    assert advice.publish is None
    assert advice.state in (State.MISSING, State.WRONG, State.DUPLICATE)


@pytest.mark.parametrize(
    ("records", "one"),
    [
        (["v=spf1 a -all", "v=spf1 a ~all"], "v=spf1 include:my.platform.example a ~all"),
        (["v=spf1 a -all", "v=spf1 mx ?all"], "v=spf1 include:my.platform.example a mx ?all"),
        (["v=spf1 a +all", "v=spf1 mx"], "v=spf1 include:my.platform.example a mx ~all"),
        (
            ["v=spf1 a", "v=spf1 redirect=x.example"],
            "v=spf1 include:my.platform.example a redirect=x.example",
        ),
        (
            ["v=spf1 a -all", "v=spf1 redirect=x.example"],
            "v=spf1 include:my.platform.example a include:x.example -all",
        ),
        (
            ["v=spf1 redirect=x.example", "v=spf1 redirect=y.example"],
            "v=spf1 include:my.platform.example include:x.example include:y.example",
        ),
        (
            ["v=spf1 a bogus -all exp=x.example", "v=spf1"],
            "v=spf1 include:my.platform.example a -all exp=x.example",
        ),
    ],
)
def test_one_record_in_place_of_several(records: list[str], one: str) -> None:
    assert merged(records, OURS) == one


RECORDS = st.lists(
    st.sampled_from(
        [
            *(
                "a",
                "mx",
                "-all",
                "~all",
                "+all",
                "include:my.platform.example",
                "?include:my.platform.example",
            ),
            *(
                "ip4:198.51.100.1",
                "ip4:1.2.3",
                "redirect=x.example",
                "exp=e.example",
                "bogus",
                "x=y",
                "",
                "ptr",
            ),
        ]
    ),
    max_size=9,
).map(lambda terms: " ".join(["v=spf1", *terms]))


@given(RECORDS)
def test_placed_our_include_is_first_and_only_what_is_broken_goes(record: str) -> None:
    after = spfterms.read(placed(record, OURS))
    assert after.bad == ()
    assert after.mechanisms[0].text == f"include:{OURS}"
    assert [term.text for term in after.mechanisms].count(f"include:{OURS}") == 1
    before = spfterms.read(record)
    kept = [term for term in before.mechanisms if OURS not in term.text]
    assert list(after.mechanisms[1:]) == kept
    assert (after.redirect, after.exp) == (before.redirect, before.exp)


@given(st.lists(RECORDS, min_size=2, max_size=4))
def test_merged_is_one_good_record_that_lets_pass_whom_each_did(records: list[str]) -> None:
    after = spfterms.read(merged(records, OURS))
    assert after.bad == ()
    assert after.mechanisms[0].text == f"include:{OURS}"
    wanted = {
        term.text
        for record in map(spfterms.read, records)
        for term in record.mechanisms
        if term.kind != "all"
    }
    assert {term.text for term in after.mechanisms if term.kind != "all"} >= {
        t for t in wanted if OURS not in t
    }
    if after.all is not None:
        assert after.all is after.mechanisms[-1]
        assert after.all.result is not Outcome.PASS


@given(
    st.lists(
        st.lists(st.sampled_from([f"include:d{at}.example" for at in range(20)]), max_size=20), max_size=20
    )
)
def test_a_survey_ends_however_records_lead_to_one_another(net: list[list[str]]) -> None:
    records: Records = {
        (f"d{at}.example", "TXT"): [" ".join(["v=spf1", *terms])] for at, terms in enumerate(net)
    }
    asked: list[spf.Question] = []
    client = Client(ip="192.0.2.1", sender="a@d0.example", helo="x")
    answered(spfsurvey.survey("d0.example", client), records, asked)
    assert len(asked) <= RECORDS_MAX


@pytest.mark.parametrize("term", ["bogus", "a", "include:my.platform.example", "exp=x.example", "-all"])
@pytest.mark.parametrize("octets", [8_000, 65_000])
def test_a_huge_record_is_judged_in_a_moment_and_not_told_in_full(term: str, octets: int) -> None:
    advice = advised(" ".join(["v=spf1", *[term] * (octets // (len(term) + 1))]))
    assert len(advice.findings) < 30
    assert sum(len(finding.value) for finding in advice.findings) < 2_000


def test_what_a_stranger_wrote_commands_no_terminal_and_has_an_end() -> None:
    hostile = "\x1b]0;owned\x07\x9b2J\r\n" + "x" * 9000
    for code in Code:
        said = words.sentence(Finding(code, hostile, hostile, hostile), "en")
        assert said.isprintable()
        assert len(said) < 3_000


def test_every_code_has_a_sentence_in_every_language() -> None:
    for code in Code:
        for language in phrases.LANGUAGES:
            said = words.sentence(Finding(code, "{value}", "{domain}", "7"), language)
            assert said.endswith(".")
            assert "{term}" not in said  # and what stands in a record is not searched for places
