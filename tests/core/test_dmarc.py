"""DMARC: the policy that is found, what is aligned, and what receivers will see of each rung."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import phrases
from relayd.core.phrases import forecast as words
from relayd.core.records import dmarc
from relayd.core.records.dmarc import Discovery, Dmarc, Ill, Mode, Wish
from relayd.core.records.spf import Outcome

from .dnsdata import Records, answered

RELAXED, STRICT = Mode.RELAXED, Mode.STRICT


def organization(domain: str) -> str:
    """As the public suffix list has it, for the names of these tests."""
    labels = domain.split(".")
    return ".".join(labels[-3:] if domain.endswith(".co.uk") else labels[-2:])


def discovered(records: Records, domain: str = "mail.acme.example") -> Discovery:
    return answered(dmarc.discover(domain, organization), records)


def test_the_domains_own_record_comes_first() -> None:
    found = discovered(
        {
            ("_dmarc.mail.acme.example", "TXT"): ["v=DMARC1; p=none"],
            ("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=reject"],
        }
    )
    assert found.policy is not None
    assert (found.policy.domain, found.policy.wish, found.ttl) == ("mail.acme.example", Wish.NONE, 60)


@pytest.mark.parametrize(
    ("text", "wish"),
    [("v=DMARC1; p=reject", Wish.REJECT), ("v=DMARC1; p=none; sp=quarantine", Wish.QUARANTINE)],
)
def test_else_the_organizations_counts_and_says_what_is_for_domains_below_it(text: str, wish: Wish) -> None:
    found = discovered(
        {("_dmarc.acme.example", "TXT"): [text], ("_dmarc.mail.acme.example", "TXT"): ["else"]}
    )
    assert found.policy is not None
    assert (found.policy.domain, found.policy.wish) == ("acme.example", wish)


def test_the_policy_for_domains_below_is_not_the_domains_own() -> None:
    policy, ill = dmarc.read("v=DMARC1; p=none; sp=reject", "acme.example")
    assert policy is not None
    assert (policy.wish, ill) == (Wish.NONE, None)


@pytest.mark.parametrize(
    ("records", "ill", "trouble"),
    [
        ({}, None, None),
        ({("_dmarc.acme.example", "TXT"): ["v=spf1 -all"]}, None, None),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=none", "v=DMARC1; p=none"]}, Ill.SEVERAL, None),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p"]}, Ill.SYNTAX, None),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; rua=mailto:\u00fc@x.example"]}, Ill.SYNTAX, None),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1"]}, Ill.NO_POLICY, None),
        ({("_dmarc.acme.example", "TXT"): ["v=DMARC1; p=rejct"]}, Ill.NO_POLICY, None),
        ({("_dmarc.acme.example", "TXT"): None}, None, "SERVFAIL"),
    ],
)
def test_where_there_is_no_policy_it_is_said_why(
    records: Records, ill: Ill | None, trouble: str | None
) -> None:
    found = discovered(records)
    assert (found.policy, found.ill, found.trouble) == (None, ill, trouble)


@pytest.mark.parametrize(
    ("text", "wish", "spf", "dkim", "percent", "reports", "ill"),
    [
        ("v=DMARC1;p=reject", Wish.REJECT, RELAXED, RELAXED, 100, (), None),
        ("v=DMARC1 ; P = Quarantine; ASPF=s;adkim=S;pct=20;", Wish.QUARANTINE, STRICT, STRICT, 20, (), None),
        ("v=DMARC1; p=none; aspf=x; pct=101", Wish.NONE, RELAXED, RELAXED, 100, (), Ill.BAD_TAG),
        ("v=DMARC1; p=none; pct=\u0663", None, RELAXED, RELAXED, 100, (), Ill.SYNTAX),
        ("v=DMARC1; p=none; p=reject", Wish.NONE, RELAXED, RELAXED, 100, (), None),
        (
            "v=DMARC1; p=x; rua=mailto:a@x.example, mailto:b@x.example",
            Wish.NONE, RELAXED, RELAXED, 100, ("mailto:a@x.example", "mailto:b@x.example"), Ill.NO_POLICY,
        ),
    ],
)  # fmt: skip
def test_reading_a_record(
    text: str,
    wish: Wish | None,
    spf: Mode,
    dkim: Mode,
    percent: int,
    reports: tuple[str, ...],
    ill: Ill | None,
) -> None:
    policy, found = dmarc.read(text, "acme.example")
    assert found is ill
    if wish is None:
        assert policy is None
    else:
        assert policy is not None
        assert (policy.wish, policy.spf, policy.dkim) == (wish, spf, dkim)
        assert (policy.percent, policy.reports) == (percent, reports)


@given(st.text(max_size=80))
def test_no_text_makes_reading_fail(text: str) -> None:
    for record in (text, f"v=DMARC1; {text}", f"v=DMARC1; p=none; pct={text}; sp={text}"):
        dmarc.read(record, "acme.example", above=True)


@pytest.mark.parametrize(
    ("author", "other", "mode", "aligned"),
    [
        ("acme.example", "acme.example", STRICT, True),
        ("ACME.example", "acme.example", STRICT, True),
        ("acme.example", "bounce.acme.example", STRICT, False),
        ("acme.example", "bounce.acme.example", RELAXED, True),
        ("mail.acme.co.uk", "bounce.acme.co.uk", RELAXED, True),
        ("acme.co.uk", "globex.co.uk", RELAXED, False),
        ("acme.example", "my.platform.example", RELAXED, False),
        ("acme.example", "notacme.example", RELAXED, False),
    ],
)
def test_alignment(author: str, other: str, mode: Mode, aligned: bool) -> None:
    assert dmarc.aligned(author, other, mode, organization) is aligned


OWN, PLATFORM = "acme.example", "my.platform.example"
PASS, FAIL = Outcome.PASS, Outcome.FAIL
REJECT = "v=DMARC1; p=reject; "

# rung, policy, SPF, return path, signers | the sentence
FORECASTS = [
    ("default", PLATFORM, REJECT, PASS, "bounce.my.platform.example", [PLATFORM],
     "Receivers will see SPF pass, aligned; DKIM pass, aligned; DMARC pass."),
    ("own by DKIM", OWN, REJECT, PASS, "bounce.my.platform.example", [OWN, PLATFORM],
     "Receivers will see SPF pass, not aligned; DKIM pass, aligned; DMARC pass."),
    ("... with the own return-path host", OWN, REJECT, PASS, "bounce.acme.example", [OWN, PLATFORM],
     "Receivers will see SPF pass, aligned; DKIM pass, aligned; DMARC pass."),
    ("... under a strict policy", OWN, REJECT + "aspf=s", PASS, "bounce.acme.example", [OWN, PLATFORM],
     "Receivers will see SPF pass, not aligned; DKIM pass, aligned; DMARC pass."),
    ("own by SPF", OWN, REJECT + "aspf=s", PASS, OWN, [PLATFORM],
     "Receivers will see SPF pass, aligned; DKIM pass, not aligned; DMARC pass."),
    ("... unsigned", OWN, REJECT, PASS, OWN, [],
     "Receivers will see SPF pass, aligned; no DKIM; DMARC pass."),
    ("own by SPF once the record is gone", OWN, REJECT, FAIL, OWN, [PLATFORM],
     "Receivers will see SPF fail, aligned; DKIM pass, not aligned; DMARC fail."),
    ("... without a policy", OWN, None, FAIL, OWN, [PLATFORM],
     "Receivers will see SPF fail, aligned; DKIM pass, not aligned; DMARC not published."),
    ("<> on the own address by DKIM", OWN, REJECT, PASS, None, [OWN],
     "Receivers will see SPF pass, not aligned; DKIM pass, aligned; DMARC pass."),
    ("upstream with our key", OWN, REJECT, None, OWN, [OWN],
     "Receivers will see SPF as your own server decides; DKIM pass, aligned; DMARC pass."),
    ("upstream without", OWN, REJECT, None, OWN, None,
     "Receivers will see SPF as your own server decides; DKIM as your own server decides; DMARC as your own "
     "server decides."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("author", "text", "spf", "return_path", "signers", "says"),
    [row[1:] for row in FORECASTS],
    ids=[row[0] for row in FORECASTS],
)
def test_what_receivers_will_see(
    author: str,
    text: str | None,
    spf: Outcome | None,
    return_path: str | None,
    signers: list[str] | None,
    says: str,
) -> None:
    policy, _ = dmarc.read(text, author) if text else (None, None)
    seen = dmarc.forecast(
        author=author,
        policy=policy,
        spf=spf,
        return_path=return_path,
        signers=signers,
        organization=organization,
    )
    assert words.sentence(seen, "en") == says
    assert seen.wish is (Wish.REJECT if text else None)
    assert (seen.dmarc is Dmarc.PASS) == says.endswith("DMARC pass.")
    for language in phrases.LANGUAGES:
        assert words.sentence(seen, language).count(";") == 2
