"""How each record of a domain stands, from what DNS said."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.records import domainreport as report
from relayd.core.records.answers import Found, Missing, Mx, Told, Trouble
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.dmarc import Discovery, Ill, Mode, Policy, Wish
from relayd.core.records.domainnotes import Code, Note
from relayd.core.records.domainreport import Line, Ours, Purpose, Report, State, View
from relayd.core.records.spfadvice import Advice
from relayd.core.records.spfsurvey import Code as Spf
from relayd.core.records.spfsurvey import Finding

R1, R2 = OurKey(selector="r1", public_key=b"first"), OurKey(selector="r2", public_key=b"second")
OURS = Ours(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    keys=(R1,),
    spf_include="my.platform.example",
)
NO = Missing(domain=False, ttl=900)
NAME1, NAME2 = "r1._domainkey.acme.example", "r2._domainkey.acme.example"
ALIAS1, ALIAS2 = "r1._domainkey.my.platform.example", "r2._domainkey.my.platform.example"


def view(*records: object, ttl: int = 300) -> View:  # type: ignore[type-arg]
    return View(told=None, resolved=Found(records=records, ttl=ttl) if records else NO)


NOTHING = view()


def codes(line: Line) -> list[str]:
    return [note.code for note in line.notes]


def keys(
    first: View[str] = NOTHING,
    second: View[str] = NOTHING,
    aliases: tuple[View[str], View[str]] = (NOTHING, NOTHING),
    ours: Ours = OURS,
) -> tuple[Line, ...]:
    return report.key_lines(
        "acme.example",
        ours,
        {"r1": first, "r2": second},
        {"r1": aliases[0], "r2": aliases[1]},
    )


def test_what_to_publish_is_known_before_anybody_looked() -> None:
    lines = report.to_publish("acme.example", OURS)
    assert [(line.purpose.value, line.name, line.type, line.value) for line in lines] == [
        ("dkim", NAME1, "CNAME", ALIAS1),
        ("dkim", NAME2, "CNAME", ALIAS2),
        ("spf", "acme.example", "TXT", "v=spf1 include:my.platform.example ~all"),
        ("dmarc", "_dmarc.acme.example", "TXT", "v=DMARC1; p=none"),
        ("return_path", "bounce.acme.example", "CNAME", "bounce.my.platform.example"),
        ("mx", "acme.example", "MX", None),
    ]
    assert lines[0].text == R1.record
    assert lines[1].text is None
    assert {line.state for line in lines} == {None}


def test_the_platform_itself_publishes_the_key_and_needs_no_delegation() -> None:
    lines = report.to_publish(OURS.domain, OURS)
    assert [(line.purpose.value, line.type, line.value) for line in lines[:2]] == [
        ("dkim", "TXT", R1.record),
        ("dkim", "TXT", None),
    ]
    assert Purpose.RETURN_PATH not in {line.purpose for line in lines}


def test_without_an_include_nothing_is_said_about_spf() -> None:
    ours = dataclasses.replace(OURS, spf_include=None)
    assert Purpose.SPF not in {line.purpose for line in report.to_publish("acme.example", ours)}


def test_nothing_published_is_missing() -> None:
    first, second = keys()
    assert (first.state, codes(first)) == (State.MISSING, [Code.KEY_MISSING, Code.OLD_ANSWER])
    assert (second.state, codes(second)) == (State.MISSING, [Code.ALIAS_MISSING, Code.OLD_ANSWER])
    assert (first.needed, second.needed) == (True, False)
    assert first.ttl == 900


def test_the_key_as_text_is_good_and_the_second_alias_stays_offered() -> None:
    first, second = keys(view(R1.record))
    assert (first.state, codes(first), first.seen) == (State.OK, [Code.KEY_OK], (R1.record,))
    assert second.state is State.MISSING
    assert first.ttl is None


def test_aliases_to_the_platform_are_good() -> None:
    first, second = keys(view(R1.record), view(), (view(ALIAS1), view(ALIAS2)))
    assert (first.state, codes(first), first.seen) == (State.OK, [Code.ALIAS_OK], (ALIAS1,))
    assert (second.state, codes(second)) == (State.OK, [Code.ALIAS_READY])


def test_while_the_key_is_changed_both_selectors_hold_one() -> None:
    ours = dataclasses.replace(OURS, keys=(R2, R1))
    first, second = keys(view(R1.record), view(R2.record), (view(ALIAS1), view(ALIAS2)), ours)
    assert (first.state, second.state) == (State.OK, State.OK)
    first, second = keys(view(R1.record), view(R1.record), ours=ours)
    assert (first.state, second.state) == (State.OK, State.WRONG)
    assert codes(second)[0] is Code.KEY_OTHER
    assert second.text == R2.record


def test_a_new_key_that_is_not_published_yet_is_nobodys_fault() -> None:
    ours = dataclasses.replace(OURS, keys=(R2, R1))
    first, second = keys(view(R1.record), view(), (view(ALIAS1), view(ALIAS2)), ours)
    assert (first.state, first.needed) == (State.OK, True)
    assert (second.state, codes(second)) == (State.OK, [Code.ALIAS_READY])
    # with the key as text it is wanted, and not needed as long as the old one counts
    first, second = keys(view(R1.record), ours=ours)
    assert (second.state, second.needed, codes(second)[0]) == (State.MISSING, False, Code.KEY_MISSING)
    first, second = keys(ours=ours)
    assert (first.needed, second.needed) == (True, True)


@pytest.mark.parametrize(
    ("text", "alias", "state", "code"),
    [
        (view(), view(ALIAS1), State.WRONG, Code.KEY_UNPUBLISHED),
        (view(), view("other.example"), State.WRONG, Code.ALIAS_ELSEWHERE),
        (view("v=DKIM1; p=AAAA"), view("other.example"), State.WRONG, Code.ALIAS_ELSEWHERE),
        (view(R1.record), view("other.example"), State.OK, Code.KEY_OK),
        (view("v=DKIM1; p="), view(), State.WRONG, Code.KEY_REVOKED),
        (view(f"{R1.record}; t=y"), view(), State.WRONG, Code.KEY_TESTING),
        (view(R1.record, R1.record), view(), State.DUPLICATE, Code.KEY_SEVERAL),
        (View(told=None, resolved=Trouble(text="x")), view(), State.UNKNOWN, Code.TROUBLE),
    ],
)
def test_what_is_wrong_with_the_key_is_said(text, alias, state: State, code: Code) -> None:
    line = keys(text, view(), (alias, view()))[0]
    assert (line.state, codes(line)[0]) == (state, code)


@pytest.mark.parametrize(
    ("text", "alias", "state", "code"),
    [
        (view(), view("other.example"), State.WARNING, Code.ALIAS_ELSEWHERE),
        (view("v=DKIM1; p=AAAA"), view(), State.WARNING, Code.ALIAS_TAKEN),
        (view(), View(told=None, resolved=Trouble(text="x")), State.UNKNOWN, Code.TROUBLE),
    ],
)
def test_what_stands_at_the_second_name_is_said(text, alias, state: State, code: Code) -> None:
    line = keys(view(R1.record), text, (view(), alias))[1]
    assert (line.state, codes(line)[0]) == (state, code)


def test_a_record_that_went_elsewhere_is_named_where_nothing_is() -> None:
    astray = {name: Note(Code.NAME_TWICE, {"there": f"{name}.acme.example"}) for name in (NAME1, NAME2)}
    texts, aliases = {"r1": view(), "r2": view()}, {"r1": view(), "r2": view(ALIAS2)}
    first, second = report.key_lines("acme.example", OURS, texts, aliases, astray)
    assert (first.state, codes(first)[0]) == (State.MISSING, Code.NAME_TWICE)
    assert (second.state, codes(second)) == (State.OK, [Code.ALIAS_READY])


def test_the_platforms_second_selector_waits_for_its_key() -> None:
    lines = report.key_lines(
        OURS.domain, OURS, {"r1": view(R1.record), "r2": view()}, {"r1": view(), "r2": view()}
    )
    assert [line.state for line in lines] == [State.OK, State.OK]
    assert codes(lines[1]) == [Code.KEY_LATER]


def told(*records: str, others: tuple[str, ...] = ()) -> Told[str]:
    answer = Found(records=records, ttl=60) if records else NO
    return Told(answer=answer, servers=("ns1.example",), others=others)


def test_what_others_may_not_see_yet_is_said_with_the_time() -> None:
    behind = View(told=told(R1.record), resolved=Missing(domain=True, ttl=2520))
    line = keys(behind)[0]
    assert (line.state, line.ttl) == (State.OK, 2520)
    assert line.notes[-1] == Note(Code.BEHIND, {"seconds": "2520"})
    same = View(told=told(R1.record), resolved=Found(records=(R1.record,), ttl=2520))
    assert keys(same)[0].ttl is None


def test_trouble_at_the_resolver_alone_hides_nothing() -> None:
    assert keys(View(told=told(R1.record), resolved=Trouble(text="x")))[0].state is State.OK
    gone = keys(View(told=told(), resolved=Trouble(text="x")))[0]
    assert (gone.state, gone.ttl) == (State.MISSING, None)


def test_nameservers_that_differ_are_named() -> None:
    view = View(told=told(R1.record, others=("ns2.example",)), resolved=Found(records=(R1.record,), ttl=1))
    line = keys(view)[0]
    assert (line.state, codes(line)) == (State.WARNING, [Code.KEY_OK, Code.NOT_IN_STEP])
    assert line.notes[1] == Note(Code.NOT_IN_STEP, {"servers": "ns1.example, ns2.example"})


def advice(state: State, *, seen: tuple[str, ...] = (), publish: str | None = None) -> Advice:
    finding = Finding(Spf.OK if state is State.OK else Spf.NO_RECORD, "acme.example")
    return Advice(
        domain="acme.example",
        state=state,
        findings=(finding,),
        seen=seen,
        publish=publish,
        lookups=1,
        ttl=60,
    )


def test_spf_is_what_its_advice_says() -> None:
    text = "v=spf1 include:my.platform.example ~all"
    line = report.spf_line(advice(State.MISSING, publish=text), view())
    assert (line.state, line.value, line.ttl) == (State.MISSING, text, 900)
    assert isinstance(line.notes[0], Finding)
    line = report.spf_line(advice(State.OK, seen=(text,)), view(text))
    assert (line.state, line.value, line.seen, line.ttl) == (State.OK, text, (text,), None)


def policy(spf: Mode = Mode.RELAXED, dkim: Mode = Mode.RELAXED) -> Policy:
    return Policy(
        domain="acme.example",
        text="v=DMARC1; p=reject",
        wish=Wish.REJECT,
        spf=spf,
        dkim=dkim,
        percent=100,
        reports=(),
    )


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        ({}, State.MISSING, [Code.DMARC_MISSING]),
        ({"trouble": "x"}, State.UNKNOWN, [Code.TROUBLE]),
        ({"ill": Ill.SEVERAL, "seen": ("a", "b")}, State.DUPLICATE, [Code.DMARC_SEVERAL]),
        ({"ill": Ill.SYNTAX}, State.WRONG, [Code.DMARC_SYNTAX]),
        ({"ill": Ill.NO_POLICY}, State.WRONG, [Code.DMARC_NO_POLICY]),
        ({"policy": policy(), "ill": Ill.BAD_TAG}, State.WARNING, [Code.DMARC_BAD_TAG, Code.DMARC_OK]),
        ({"policy": policy()}, State.OK, [Code.DMARC_OK]),
        (
            {"policy": policy(Mode.STRICT, Mode.STRICT)},
            State.OK,
            [Code.DMARC_OK, Code.DMARC_STRICT_SPF, Code.DMARC_STRICT_DKIM],
        ),
    ],
)
def test_dmarc_is_what_was_discovered(found: dict, state: State, said: list[Code]) -> None:
    line = report.dmarc_line(Discovery(domain="acme.example", ttl=60, **found))
    assert (line.state, codes(line)) == (state, said)
    assert line.name == "_dmarc.acme.example"


@pytest.mark.parametrize(
    ("alias", "leads", "state", "code"),
    [
        (view("bounce.my.platform.example"), True, State.OK, Code.RETURN_OK),
        (view("bounce.my.platform.example"), False, State.WARNING, Code.RETURN_OK),
        (view("other.example"), False, State.WARNING, Code.RETURN_TAKEN),
        (View(told=None, resolved=Missing(domain=True, ttl=9)), False, State.WARNING, Code.RETURN_TAKEN),
        (view(), False, State.MISSING, Code.RETURN_MISSING),
        (view(), None, State.UNKNOWN, Code.TROUBLE),
        (View(told=None, resolved=Trouble(text="x")), False, State.UNKNOWN, Code.TROUBLE),
    ],
)
def test_the_host_for_bounces(alias, leads: bool | None, state: State, code: Code) -> None:
    line = report.return_line("acme.example", OURS, alias, leads=leads)
    assert (line.state, codes(line)[0]) == (state, code)


@pytest.mark.parametrize(
    ("mx", "address", "state", "code"),
    [
        (view(Mx(10, "mx.acme.example")), False, State.OK, Code.MX_OK),
        (view(Mx(0, "")), True, State.WRONG, Code.MX_NULL),
        (view(), True, State.WARNING, Code.MX_ADDRESS),
        (view(), False, State.MISSING, Code.MX_MISSING),
        (View(told=None, resolved=Trouble(text="x")), False, State.UNKNOWN, Code.TROUBLE),
    ],
)
def test_whether_replies_arrive(mx, address: bool, state: State, code: Code) -> None:
    line = report.mx_line("acme.example", mx, address=address)
    assert (line.state, codes(line)) == (state, [code])


def test_a_report_says_which_proofs_are_there() -> None:
    lines = (*keys(view(R1.record)), report.spf_line(advice(State.MISSING), view()))
    found = Report(domain="acme.example", lines=lines)
    assert found.proven(Purpose.DKIM)
    assert not found.proven(Purpose.SPF)
    assert not report.shared("gmx.de", "GMX").proven(Purpose.DKIM)


@given(st.lists(st.text(max_size=900), max_size=9))
def test_what_a_stranger_publishes_is_shown_without_end_or_control_characters(records: list[str]) -> None:
    line = keys(view(*records))[0]
    assert len(line.seen) <= report.SEEN_MAX
    for seen in line.seen:
        assert seen.isprintable()
        assert len(seen) <= report.SEEN_LENGTH * 10 + 1
