"""What an answer of a customer's server says about the settings, decided without asking anybody."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import mailproviders, probe
from relayd.core.address import Address
from relayd.core.delivery import TlsFlaw
from relayd.core.findings import Finding, Kind
from relayd.core.phrases import findings
from relayd.core.probe import Known, Mark, Question, Reach, Step, StepName
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Reply, Stage
from relayd.core.sender import Secret, Tls, Upstream

OWN = Address("billing", "acme.example")
HOST = "smtp.acme.example"


def question(**changes: Any) -> Question:
    upstream = Upstream(host=HOST, port=587, tls=Tls.STARTTLS, username=str(OWN), password=Secret("canary"))
    return Question(sender="acme", contact=OWN, upstream=dataclasses.replace(upstream, **changes))


def fault(kind: FaultKind, stage: Stage) -> Fault:
    return Fault(kind=kind, text="what happened", stage=stage, host=HOST)


def reply(code: int, text: str, stage: Stage) -> Reply:
    return Reply(code=code, enhanced=None, text=text, stage=stage, host=HOST)


MICROSOFT = mailproviders.get("microsoft-365")


FAULTS = (
    (FaultKind.NO_DOMAIN, Stage.DNS, {}, None, Kind.SERVER_NAME),
    (FaultKind.DNS, Stage.DNS, {}, None, Kind.OTHER),
    (FaultKind.FORBIDDEN, Stage.DNS, {}, None, Kind.HOST_NOT_PUBLIC),
    (FaultKind.LOOP, Stage.CONNECT, {}, None, Kind.HOST_IS_US),
    (FaultKind.REFUSED, Stage.CONNECT, {"reach": Reach.THEIRS}, None, Kind.NETWORK_THEIRS),
    (FaultKind.TIMEOUT, Stage.CONNECT, {"reach": Reach.OURS}, None, Kind.NETWORK_OURS),
    (FaultKind.UNREACHABLE, Stage.CONNECT, {}, None, Kind.NETWORK_UNCLEAR),
    (FaultKind.REFUSED, Stage.CONNECT, {"other_port": 465}, None, Kind.SERVER_PORT),
    (FaultKind.TIMEOUT, Stage.BANNER, {}, None, Kind.SERVER_NOT_SMTP),
    (FaultKind.CLOSED, Stage.BANNER, {}, None, Kind.SERVER_NOT_SMTP),
    (FaultKind.PROTOCOL, Stage.BANNER, {}, None, Kind.SERVER_NOT_SMTP),
    (FaultKind.TIMEOUT, Stage.EHLO, {}, None, Kind.OTHER),
    (FaultKind.TLS_REQUIRED, Stage.TLS, {}, None, Kind.TLS_MISSING),
    (FaultKind.TLS, Stage.TLS, {}, TlsFlaw.NAME, Kind.TLS_NAME),
    (FaultKind.TLS, Stage.TLS, {}, TlsFlaw.EXPIRED, Kind.TLS_EXPIRED),
    (FaultKind.TLS, Stage.TLS, {}, TlsFlaw.UNTRUSTED, Kind.TLS_UNTRUSTED),
    (FaultKind.TLS, Stage.TLS, {}, TlsFlaw.OLD, Kind.TLS_OLD),
    (FaultKind.TLS, Stage.TLS, {}, TlsFlaw.OTHER, Kind.OTHER),
    (FaultKind.TLS, Stage.TLS, {}, TlsFlaw.NOT_TLS, Kind.OTHER),  # with starttls it said 220 before
    (FaultKind.TLS, Stage.TLS, {}, None, Kind.OTHER),
    (FaultKind.MECHANISM, Stage.AUTH, {}, None, Kind.SERVER_NO_LOGIN),
    (FaultKind.MECHANISM, Stage.AUTH, {"exchangers": (HOST,)}, None, Kind.SERVER_IS_MX),
    (FaultKind.MECHANISM, Stage.AUTH, {"provider": MICROSOFT}, None, Kind.LOGIN_NEEDS_OAUTH),
    (FaultKind.TOKEN, Stage.AUTH, {}, None, Kind.OTHER),
    (FaultKind.SMTPUTF8, Stage.MAIL, {}, None, Kind.OTHER),
    (FaultKind.CLOSED, Stage.MAIL, {}, None, Kind.OTHER),
)


@pytest.mark.parametrize(("kind", "stage", "known", "flaw", "found"), FAULTS)
def test_what_happened_instead_of_an_answer(
    kind: FaultKind, stage: Stage, known: dict[str, Any], flaw: TlsFlaw | None, found: Kind
) -> None:
    judged = probe.judge(fault(kind, stage), question(), Known(**known), flaw)
    assert judged.finding.kind is found
    assert judged.mark is Mark.FAILED


def test_implicit_tls_at_a_server_that_begins_in_clear() -> None:
    judged = probe.judge(
        fault(FaultKind.TLS, Stage.TLS), question(port=587, tls=Tls.IMPLICIT), Known(), TlsFlaw.NOT_TLS
    )
    assert judged.finding.kind is Kind.SERVER_TLS_MODE
    assert judged.finding.places["tls"] == "starttls"


def test_clear_text_at_a_port_that_begins_with_tls() -> None:
    judged = probe.judge(fault(FaultKind.TIMEOUT, Stage.BANNER), question(port=465), Known())
    assert judged.finding.kind is Kind.SERVER_TLS_MODE
    assert judged.finding.places["tls"] == "implicit"


@pytest.mark.parametrize(("port", "tls"), [("587", "starttls"), ("465", "implicit")])
def test_another_open_door_is_named_with_its_encryption(port: str, tls: str) -> None:
    judged = probe.judge(
        fault(FaultKind.REFUSED, Stage.CONNECT), question(port=25), Known(other_port=int(port))
    )
    assert (judged.finding.places["other"], judged.finding.places["tls"]) == (port, tls)


@pytest.mark.parametrize(
    ("said", "mark", "refusal"),
    [
        (reply(535, "authentication failed", Stage.AUTH), Mark.FAILED, Reason.AUTH_WRONG_PASSWORD),
        (reply(454, "Temporary authentication failure", Stage.AUTH), Mark.FAILED, None),
        (reply(550, "no such user", Stage.RCPT), Mark.WARNING, None),
        (reply(554, "Relay access denied", Stage.RCPT), Mark.FAILED, Reason.UPSTREAM_RELAY_DENIED),
        (reply(451, "greylisted", Stage.MAIL), Mark.WARNING, None),
        (reply(550, "Sender address is not allowed", Stage.MAIL), Mark.FAILED, Reason.SENDER_NOT_ALLOWED),
        (reply(554, "Transaction failed", Stage.END), Mark.FAILED, None),
    ],
)
def test_what_is_remembered_and_what_is_only_said(said: Reply, mark: Mark, refusal: Reason | None) -> None:
    judged = probe.judge(said, question(), Known())
    assert (judged.mark, judged.refusal) == (mark, refusal)


def test_nothing_is_tried_with_a_password_that_can_not_be_read() -> None:
    judged = probe.untried(question(password=None, sealed=True), Known())
    assert judged is not None
    assert (judged.finding.reason, judged.refusal) == (Reason.UPSTREAM_SEALED, None)


@pytest.mark.parametrize(
    ("changes", "known", "proven"),
    [
        ({}, {"derived": frozenset({HOST})}, True),
        ({"host": "SMTP.Acme.example."}, {"derived": frozenset({HOST})}, True),
        ({}, {}, False),
        ({"username": "office@acme.example"}, {"derived": frozenset({HOST})}, False),
        ({"username": None}, {"derived": frozenset({HOST})}, False),
        ({"ca_file": "own.pem"}, {"derived": frozenset({HOST})}, False),
    ],
)
def test_what_a_login_shows_about_who_owns_the_address(
    changes: dict[str, Any], known: dict[str, Any], proven: bool
) -> None:
    assert probe.proves(question(**changes), Known(**known)) is proven


@given(
    code=st.integers(200, 599),
    text=st.text(max_size=80),
    stage=st.sampled_from(list(Stage)),
    username=st.none() | st.text(max_size=30),
)
def test_whatever_a_server_says_has_a_finding(
    code: int, text: str, stage: Stage, username: str | None
) -> None:
    asked = question(username=username)
    judged = probe.judge(reply(code, text, stage), asked, Known())
    line = probe.as_dict(
        Step(name=StepName.AUTH, mark=judged.mark, seconds=0.25, seen=text, finding=judged.finding)
    )
    assert line["ms"] == 250
    probe.of_settings(asked, Known())


def test_a_link_stands_in_the_line_where_there_is_one() -> None:
    finding = Finding(kind=Kind.PASSWORD_WRONG, reason=Reason.AUTH_WRONG_PASSWORD, link="https://x.example")
    line = probe.of_finding(finding)
    assert (line["link"], line["actor"]) == ("https://x.example", "sender")
    assert "link" not in probe.of_finding(Finding(kind=Kind.PASSWORD_WRONG))


def test_the_name_of_an_apps_login_is_noticed_before_and_after() -> None:
    asked, known = question(username="billing-app"), Known(platform_username=True)
    assert [finding.kind for finding in probe.of_settings(asked, known)] == [Kind.PASSWORD_OF_PLATFORM]
    judged = probe.judge(reply(535, "authentication failed", Stage.AUTH), asked, known)
    assert judged.finding.kind is Kind.PASSWORD_OF_PLATFORM


def test_the_domains_own_exchanger_that_relays_for_nobody_is_called_so() -> None:
    judged = probe.judge(reply(554, "Relay access denied", Stage.RCPT), question(), Known(exchangers=(HOST,)))
    assert (judged.finding.kind, judged.refusal) == (Kind.SERVER_IS_MX, Reason.UPSTREAM_IS_MX)


def test_a_token_that_is_refused_is_no_wrong_password() -> None:
    asked = question(oauth="google", password=None)
    judged = probe.judge(reply(535, "5.7.8 Username and Password not accepted", Stage.AUTH), asked, Known())
    assert judged.finding.reason is Reason.AUTH_TOKEN_EXPIRED


@pytest.mark.parametrize("kind", [FaultKind.NO_DOMAIN, FaultKind.FORBIDDEN, FaultKind.TLS])
def test_trouble_where_tokens_come_from_is_not_blamed_on_the_mail_server(kind: FaultKind) -> None:
    judged = probe.judge(fault(kind, Stage.AUTH), question(oauth="google"), Known())
    assert judged.finding.kind is Kind.OTHER


def refused(provider: str, **changes: Any) -> Finding:
    """What is found when the login at this provider is refused with the usual words."""
    known = Known(provider=mailproviders.get(provider))
    return probe.judge(reply(535, "authentication failed", Stage.AUTH), question(**changes), known).finding


def test_a_provider_with_a_password_of_its_own_for_programs_is_told_so() -> None:
    finding = refused("t-online")
    assert finding.kind is Kind.PASSWORD_WRONG
    assert "has a password of its own for mail programs" in findings.remedy(finding, "en")
    assert finding.link is not None


def test_what_must_be_switched_on_and_which_password_are_told_together() -> None:
    finding = refused("gmx")
    assert finding.kind is Kind.LOGIN_OFF_AT_PROVIDER
    assert "If sign-in in two steps is on at GMX" in findings.remedy(finding, "en")


@pytest.mark.parametrize(
    ("provider", "username", "expected"),
    [
        ("sendgrid", "billing@acme.example", "Enter as user name: apikey."),
        ("gmx", "billing", "Enter as user name: the whole e-mail address."),
        ("web-de", "billing@web.de", "Enter as user name: the part of the address before the @."),
    ],
)
def test_the_form_of_the_user_name_is_the_providers(provider: str, username: str, expected: str) -> None:
    finding = refused(provider, username=username)
    assert finding.kind is Kind.USERNAME_FORM
    assert findings.remedy(finding, "en") == expected


def test_a_name_that_may_do_as_well_is_no_reason_to_warn_before() -> None:
    known = Known(provider=mailproviders.get("web-de"))
    asked = question(username="billing@acme.example")
    assert probe.of_settings(asked, known) == ()
