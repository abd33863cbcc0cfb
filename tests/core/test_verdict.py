"""What replies and faults mean: each row recognises its specimen, and nothing is left without a verdict."""

import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.fate import Fate, Role, Scope, Verdict
from relayd.core.providers import CARDS, card
from relayd.core.reasons import Reason
from relayd.core.reply import CAP, Evidence, Fault, FaultKind, Reply, Stage, clean, parse_line
from relayd.core.rules.rule import Rule, covers
from relayd.core.verdict import RULES, classify, rule_for

# Reasons that no server can give: we find them ourselves, or they come from faults.
OURS = {
    Reason.RECIPIENT_SUPPRESSED,
    Reason.POLICY_FROM_MISMATCH,
    Reason.NETWORK_PORT_BLOCKED,
    Reason.SENDER_UNCONFIRMED,
    Reason.SENDER_UNPROVEN,
    Reason.SENDER_UNKNOWN,
    Reason.SENDER_AMBIGUOUS,
    Reason.SIGNING_FAILED,
    Reason.UPSTREAM_SEALED,
    Reason.EXPIRED,
    Reason.CANCELLED,
    Reason.DUPLICATE,
}


def specimens() -> list[tuple[Rule, Role]]:
    return [(rule, role) for rule in RULES for role in Role if rule.role in (None, role)]


def heard(rule: Rule) -> Reply:
    host = "mx1." + card(rule.provider).suffixes[0] if rule.provider else "mx.example.org"
    return parse_line(rule.seen, stage=min(rule.stages, default=None), host=host)


def said(text: str, host: str = "mx.example.org", stage: Stage | None = None) -> Reply:
    return parse_line(text, stage=stage, host=host)


def test_every_row_recognises_its_specimen(subtests: pytest.Subtests) -> None:
    for rule, role in specimens():
        with subtests.test(rule.seen[:50], role=str(role)):
            reply = heard(rule)

            assert rule_for(reply, role) is rule
            assert classify(reply, role).reason is rule.reason


def test_tokens_are_written_as_they_are_searched_for(subtests: pytest.Subtests) -> None:
    for rule in RULES:
        with subtests.test(rule.seen[:50]):
            for token in rule.tokens:
                assert token == " ".join(token.lower().split())


def test_every_reason_a_server_can_give_has_a_row_or_a_fault() -> None:
    faults = {classify(fault(kind), role).reason for kind in FaultKind for role in Role}

    assert {rule.reason for rule in RULES} | faults | OURS == set(Reason)


def test_no_row_blames_the_recipient_for_a_bare_550() -> None:
    for stage in Stage:
        verdict = classify(said("550 Requested action not taken: mailbox unavailable", stage=stage), Role.MX)

        assert verdict.reason is Reason.UNKNOWN


@pytest.mark.parametrize(
    ("text", "host", "role", "fate", "reason", "scope"),
    [
        # the same words, from an MX and from a submission server
        ("550 Requested action not taken: mailbox unavailable", "mx00.gmx.net", Role.MX,
         Fate.FAILED, Reason.RECIPIENT_UNKNOWN, Scope.RECIPIENT),
        ("550 Requested action not taken: mailbox unavailable", "mail.gmx.net", Role.UPSTREAM,
         Fate.FAILED, Reason.UNKNOWN, Scope.RECIPIENT),
        # a further line that nobody knows: not the recipient's fault
        ("550-Requested action not taken: mailbox unavailable\n550 Something new.", "mx00.gmx.net", Role.MX,
         Fate.FAILED, Reason.UNKNOWN, Scope.RECIPIENT),
        # 5xx, and yet for today only
        ("550 5.4.5 Daily user sending limit exceeded. gsmtp", "smtp.gmail.com", Role.UPSTREAM,
         Fate.DEFERRED, Reason.RATE_QUOTA_DAY, Scope.HOP),
        ("554 5.7.1 blocked using zen.spamhaus.org", "mx.example.org", Role.MX,
         Fate.DEFERRED, Reason.REPUTATION_BLOCKLIST, Scope.HOP),
        # 4xx, and yet for good
        ("403 You are not authorized to send from that email address", "smtp.sendgrid.net", Role.UPSTREAM,
         Fate.FAILED, Reason.SENDER_NOT_ALLOWED, Scope.MESSAGE),
        # full for now, full for good
        ("452 4.2.2 full", "mx.example.org", Role.MX, Fate.DEFERRED, Reason.RECIPIENT_FULL, Scope.RECIPIENT),
        ("552 5.2.2 full", "mx.example.org", Role.MX, Fate.FAILED, Reason.RECIPIENT_FULL, Scope.RECIPIENT),
        # a misprinted enhanced code: the token decides
        ("535 5.7.80 Username and Password not accepted.", "smtp.gmail.com", Role.UPSTREAM,
         Fate.DEFERRED, Reason.AUTH_WRONG_PASSWORD, Scope.HOP),
        # denied access is not what Microsoft means
        ("550 5.4.1 Recipient address rejected: Access denied.", "acme.mail.protection.outlook.com", Role.MX,
         Fate.FAILED, Reason.RECIPIENT_UNKNOWN, Scope.RECIPIENT),
        # the same token from anybody else says nothing about the recipient
        ("550 5.4.1 Recipient address rejected: Access denied.", "mx.example.org", Role.MX,
         Fate.FAILED, Reason.UNKNOWN, Scope.RECIPIENT),
        ("554 5.7.1 Relay access denied", "mx.example.org", Role.MX,
         Fate.FAILED, Reason.RECIPIENT_DOMAIN, Scope.RECIPIENT),
        ("554 5.7.1 Relay access denied", "smtp.example.org", Role.UPSTREAM,
         Fate.FAILED, Reason.UPSTREAM_RELAY_DENIED, Scope.RECIPIENT),
        # a block in answer to RCPT is no missing mailbox
        ("550 5.1.1 <anna@example.org>: Recipient address rejected: blocked using bl.spamcop.net",
         "mx.example.org", Role.MX, Fate.DEFERRED, Reason.REPUTATION_BLOCKLIST, Scope.HOP),
        # pasted without a host: the text shows whose it is
        ("550 5.1.1 Learn more at https://support.google.com/mail/?p=NoSuchUser - gsmtp", "", Role.MX,
         Fate.FAILED, Reason.RECIPIENT_UNKNOWN, Scope.RECIPIENT),
        # temporarily disabled says little: Gmail means a rate, others their spam check
        ("450 4.2.1 hm", "mx.example.org", Role.MX, Fate.DEFERRED, Reason.UNKNOWN, Scope.RECIPIENT),
        ("450 hm", "mx.example.org", Role.MX, Fate.DEFERRED, Reason.UNKNOWN, Scope.RECIPIENT),
        ("499 hm", "mx.example.org", Role.MX, Fate.DEFERRED, Reason.UNKNOWN, Scope.MESSAGE),
        ("599 hm", "mx.example.org", Role.MX, Fate.FAILED, Reason.UNKNOWN, Scope.MESSAGE),
    ],
)  # fmt: skip
def test_who_says_it_and_how_decide_more_than_the_first_digit(
    text: str, host: str, role: Role, fate: Fate, reason: Reason, scope: Scope
) -> None:
    assert classify(said(text, host), role) == Verdict(fate=fate, reason=reason, scope=scope)


def test_only_a_yes_to_the_final_dot_is_sent() -> None:
    assert classify(said("250 2.0.0 OK", stage=Stage.END), Role.MX).fate is Fate.SENT
    assert classify(said("250 2.1.5 OK", stage=Stage.RCPT), Role.MX) == Verdict(
        fate=Fate.DEFERRED, reason=Reason.SERVER_PROTOCOL, scope=Scope.HOST
    )


@pytest.mark.parametrize("code", [100, 354, 699])
def test_neither_yes_nor_no_to_the_final_dot_is_uncertain(code: int) -> None:
    reply = Reply(code=code, enhanced=None, text="?", stage=Stage.END, host="mx.example.org")

    assert classify(reply, Role.MX) == Verdict(
        fate=Fate.UNCERTAIN, reason=Reason.SERVER_PROTOCOL, scope=Scope.MESSAGE
    )


def fault(kind: FaultKind, stage: Stage = Stage.CONNECT) -> Fault:
    return Fault(kind=kind, text="", stage=stage, host="mx.example.org")


@pytest.mark.parametrize(
    ("kind", "mx", "upstream"),
    [
        (FaultKind.REFUSED, "deferred network.refused host", "deferred network.refused host"),
        (FaultKind.TIMEOUT, "deferred network.timeout host", "deferred network.timeout host"),
        (FaultKind.UNREACHABLE, "deferred network.unreachable host", "deferred network.unreachable host"),
        (FaultKind.CLOSED, "deferred network.closed host", "deferred network.closed host"),
        (FaultKind.DNS, "deferred network.dns hop", "deferred network.dns hop"),
        (FaultKind.NO_DOMAIN, "failed recipient.domain hop", "deferred network.dns hop"),
        (FaultKind.NULL_MX, "failed recipient.domain hop", "deferred network.dns hop"),
        (FaultKind.LOOP, "failed message.loop hop", "deferred message.loop hop"),
        (FaultKind.FORBIDDEN, "failed recipient.domain host", "deferred network.unreachable hop"),
        (FaultKind.TLS, "deferred network.tls host", "deferred network.tls hop"),
        (FaultKind.TLS_REQUIRED, "deferred policy.tls_required host", "deferred policy.tls_required hop"),
        (FaultKind.PROTOCOL, "deferred server.protocol host", "deferred server.protocol host"),
        (FaultKind.TOO_BIG, "failed message.too_big message", "failed message.too_big message"),
        (FaultKind.SMTPUTF8, "failed message.smtputf8 recipient", "failed message.smtputf8 recipient"),
        (FaultKind.MECHANISM, "deferred auth.mechanism hop", "deferred auth.mechanism hop"),
        (FaultKind.INTERNAL, "deferred server.error message", "deferred server.error message"),
    ],
)
def test_every_fault_has_its_meaning(kind: FaultKind, mx: str, upstream: str) -> None:
    for role, expected in ((Role.MX, mx), (Role.UPSTREAM, upstream)):
        verdict = classify(fault(kind), role)

        assert verdict.reason is not None
        assert f"{verdict.fate} {verdict.reason} {verdict.scope}" == expected


@pytest.mark.parametrize(("kind", "role"), list(product(FaultKind, Role)))
def test_whatever_goes_wrong_after_the_final_dot_is_uncertain(kind: FaultKind, role: Role) -> None:
    verdict = classify(fault(kind, Stage.END), role)

    assert verdict.fate is Fate.UNCERTAIN
    assert verdict.scope is Scope.MESSAGE
    assert verdict.reason is not None


def test_a_refused_login_concerns_the_hop_and_fails_nothing() -> None:
    """Whatever an upstream says to AUTH, the mail waits: it is no fault of the message."""
    for code in range(400, 600):
        verdict = classify(said(f"{code} no", stage=Stage.AUTH), Role.UPSTREAM)

        assert verdict.fate is Fate.DEFERRED
        assert verdict.scope is Scope.HOP


def test_no_words_and_no_code_at_a_login_blame_the_message_or_a_recipient(subtests: pytest.Subtests) -> None:
    for rule in RULES:
        with subtests.test(rule.seen[:60]):
            verdict = classify(said(rule.seen, stage=Stage.AUTH), Role.UPSTREAM)

            assert (verdict.fate, verdict.scope) == (Fate.DEFERRED, Scope.HOP)


def test_mail_waits_for_an_own_server_that_sends_us_away_before_it_heard_of_it(
    subtests: pytest.Subtests,
) -> None:
    for rule, stage in product(RULES, (Stage.BANNER, Stage.EHLO)):
        with subtests.test(rule.seen[:60], stage=str(stage)):
            verdict = classify(said(rule.seen, stage=stage), Role.UPSTREAM)

            assert verdict.fate is Fate.DEFERRED
            assert verdict.scope in (Scope.HOST, Scope.HOP)


@pytest.mark.parametrize("text", ["535 5.7.1 Sorry", "535 5.1.1 Who?", "535 5.5.1 No", "535 5.3.0 Internal"])
def test_a_refused_password_is_one_whatever_the_enhanced_code_says(text: str) -> None:
    assert classify(said(text, stage=Stage.AUTH), Role.UPSTREAM).reason is Reason.AUTH_WRONG_PASSWORD


def test_an_account_that_is_switched_off_is_no_wrong_password() -> None:
    verdict = classify(said("525 5.7.13 User account disabled", stage=Stage.AUTH), Role.UPSTREAM)

    assert verdict.reason is Reason.SENDER_BLOCKED


HOSTS = st.sampled_from(["mx.example.org", *("mx." + each.suffixes[0] for each in CARDS)])
TOKENS = st.sampled_from(sorted({token for rule in RULES for token in rule.tokens}))
TEXTS = st.text(max_size=CAP) | st.lists(TOKENS, max_size=4).map(" ".join)
REPLIES = st.builds(
    Reply,
    code=st.integers(-1, 1000),
    enhanced=st.none()
    | st.from_regex(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", fullmatch=True)
    | st.text(max_size=6),
    text=TEXTS,
    stage=st.sampled_from(Stage),
    host=HOSTS | st.text(max_size=20),
)
FAULTS = st.builds(
    Fault, kind=st.sampled_from(FaultKind), text=TEXTS, stage=st.sampled_from(Stage), host=HOSTS
)


@given(REPLIES | FAULTS, st.sampled_from(Role))
def test_every_evidence_has_a_verdict(evidence: Evidence, role: Role) -> None:
    verdict = classify(evidence, role)

    assert (verdict.reason is None) == (verdict.fate is Fate.SENT)
    if verdict.fate is Fate.SENT:
        assert isinstance(evidence, Reply)
        assert evidence.code // 100 == 2
        assert evidence.stage is Stage.END
    if verdict.fate is Fate.UNCERTAIN:
        assert evidence.stage is Stage.END
    if isinstance(evidence, Reply) and verdict.fate is Fate.FAILED:
        assert evidence.code >= 400


@pytest.mark.parametrize("filler", ["a", " ", "\n", "5.1.1 ", "550-", "\x1b[", "greylis", "(#5.1.", "in 1 "])
def test_a_hostile_text_costs_linear_time(filler: str) -> None:
    """16 times the text takes about 16 times as long, not 256 times; the bound leaves room for a busy
    machine."""

    def cost(length: int) -> float:
        text = "550 " + filler * (length // len(filler))
        started = time.perf_counter()
        try:
            classify(parse_line(clean(text)), Role.MX)
            parse_line(text)
        except ValueError:
            pass
        return time.perf_counter() - started

    small = min(cost(4_000) for _ in range(3))
    large = min(cost(64_000) for _ in range(3))

    assert large < 100 * small + 0.05


@pytest.mark.parametrize(
    ("pattern", "enhanced", "yes"),
    [
        ("5.1.1", "5.1.1", True),
        ("5.1.1", "4.1.1", False),
        ("x.1.1", "4.1.1", True),
        ("x.1.1", "5.2.1", False),
        ("5.7.606-649", "5.7.606", True),
        ("5.7.606-649", "5.7.649", True),
        ("5.7.606-649", "5.7.650", False),
        ("5.7.606-649", "5.7.605", False),
        ("5.1.1", None, False),
        ("5.1.1", "5.1.", False),
        ("5.1.1", "5.1.1.1", False),
        ("5.1.1", "", False),
    ],
)
def test_patterns_name_enhanced_codes(pattern: str, enhanced: str | None, yes: bool) -> None:
    assert covers(pattern, enhanced) is yes
