"""Probing a customer's server: each step told, the cause named, one login at most, and never in clear."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from relayd.core.address import Address
from relayd.core.findings import Kind
from relayd.core.phrases import LANGUAGES
from relayd.core.phrases import findings as texts
from relayd.core.probe import Known, Mark, Question, Reach, Step, StepName, as_dict
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Stage
from relayd.core.sender import Secret, Tls, Upstream
from relayd.identity.lookout import Lookout
from relayd.identity.probe import Outcome, Prober
from relayd.net.dns import Resolver
from relayd.net.egress import Guard, Ourselves
from relayd.net.smtp import Deadlines
from relayd.net.tls import Contexts
from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Offers, Receiver
from relayd.sandbox.script import CLOSE, CUT, HANG, NOT_SMTP, At, say
from relayd.sandbox.zone import DnsFault, NameServer, Zone

CONTACT = Address("billing", "acme.example")
PASSWORD = "canary-7f3a9c"
ZONE = """
acme.example            MX   10 mx.acme.example
mx.acme.example         A    127.0.0.1
smtp.acme.example       A    127.0.0.1
inside.acme.example     A    10.20.30.40
rebind.acme.example     A    169.254.169.254
v6.acme.example         AAAA ::ffff:10.0.0.1
"""
FAR = Deadlines(
    connect=5, banner=5, ehlo=5, tls=5, auth=5, mail=5, rcpt=5, data=5, progress=5, end=5
)  # on a busy machine none strikes by itself


@dataclass(kw_only=True)
class Bench:
    names: NameServer
    authority: Authority
    contexts: Contexts
    resolver: Resolver
    steps: list[Step] = field(default_factory=list)

    @property
    def zone(self) -> Zone:
        return self.names.zone

    def server(self, *names: str, **options: Any) -> Receiver:
        certificate = self.authority.issue(*(names or ("smtp.acme.example",)))
        users = {"billing@acme.example": PASSWORD}
        return Receiver(**{"certificate": certificate, "users": users, "require_login": True, **options})

    def lookout(self, elsewhere: Mapping[int, Sequence[str]], *, blocked: bool = False) -> Lookout:
        return Lookout(
            resolver=self.resolver,
            guard=Guard(["127.0.0.0/8"]),
            families=("ipv4",),
            port_blocked=lambda: blocked,
            elsewhere=elsewhere,
        )

    def prober(self, **options: Any) -> Prober:
        return Prober(
            **{
                "resolver": self.resolver,
                "guard": Guard(["127.0.0.0/8"]),
                "ourselves": Ourselves(),
                "contexts": self.contexts,
                "hostname": "relay.my.platform.example",
                "platform": "Platform",
                "families": ("ipv4",),
                "deadlines": FAR,
                "lookout": self.lookout({}),
                **options,
            }
        )

    async def probe(
        self,
        upstream: Upstream,
        *,
        known: Known | None = None,
        send: bool = False,
        again: bool = False,
        contact: Address = CONTACT,
        **options: Any,
    ) -> Outcome:
        question = Question(sender="acme", contact=contact, upstream=upstream, send=send, again=again)
        async with asyncio.timeout(20):
            return await self.prober(**options).probe(question, known or Known(), self.steps.append)

    def told(self) -> list[str]:
        """`step mark` of each, with what was found."""
        return [
            " ".join([step.name, step.mark, *([step.finding.kind] if step.finding else [])])
            for step in self.steps
        ]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def contexts(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(str(authority.write(tmp_path_factory.mktemp("ca") / "ca.pem")))


@pytest.fixture
async def bench(authority: Authority, contexts: Contexts) -> AsyncIterator[Bench]:
    async with NameServer(Zone(ZONE)) as names:
        resolver = Resolver([names.address])
        yield Bench(names=names, authority=authority, contexts=contexts, resolver=resolver)
        await resolver.close()


def upstream(port: int, **changes: Any) -> Upstream:
    usual = Upstream(
        host="smtp.acme.example",
        port=port,
        tls=Tls.STARTTLS,
        username="billing@acme.example",
        password=Secret(PASSWORD),
    )
    return dataclasses.replace(usual, **changes)


# --- what passes ---


async def test_every_step_is_told_in_the_order_in_which_it_happens(bench: Bench) -> None:
    async with bench.server() as server:
        outcome = await bench.probe(upstream(server.port))
    assert bench.told() == [
        "settings ok",
        "dns ok",
        "tcp ok",
        "greeting ok",
        "ehlo ok",
        "tls ok",
        "ehlo ok",
        "auth ok",
        "mail ok",
        "rcpt ok",
        "rset ok",
        "quit ok",
    ]
    assert outcome.passed
    assert [line.text for line in server.lines if not line.text.startswith("EHLO")] == [
        "STARTTLS",
        "AUTH PLAIN",
        "MAIL FROM:<billing@acme.example> SIZE=0",
        "RCPT TO:<billing@acme.example>",
        "RSET",
        "QUIT",
    ]
    assert server.received == []
    tls = next(step for step in bench.steps if step.name is StepName.TLS)
    assert "TLSv1.3, certificate for smtp.acme.example from CN=relayd sandbox CA, valid until" in tls.seen


async def test_implicit_tls_says_less_because_there_is_one_ehlo(bench: Bench) -> None:
    async with bench.server(implicit_tls=True) as server:
        outcome = await bench.probe(upstream(server.port, tls=Tls.IMPLICIT))
    assert outcome.passed
    assert [step.name for step in bench.steps][:6] == ["settings", "dns", "tcp", "greeting", "tls", "ehlo"]


async def test_a_test_mail_goes_to_the_own_address_and_asks_to_look_at_its_sender(bench: Bench) -> None:
    async with bench.server() as server:
        outcome = await bench.probe(upstream(server.port), send=True)
        (received,) = await server.wait_for(1)
    assert outcome.passed
    assert "send ok from.look" in bench.told()
    assert (received.mail_from, received.recipients) == ("billing@acme.example", ("billing@acme.example",))
    assert b"From: billing@acme.example\r\n" in received.content
    assert b"Subject: Test mail: is the sender right?\r\n" in received.content
    assert b"    billing@acme.example" in received.content


# --- A35: the password travels over verified TLS or not at all ---


@dataclass(frozen=True, kw_only=True)
class Downgrade:
    """What a server, or somebody in between, does to get the password in clear."""

    name: str
    told: str
    tls: Tls = Tls.STARTTLS
    options: Mapping[str, Any] = field(default_factory=dict)
    certificate: str = "right"
    actions: Mapping[At, Any] = field(default_factory=dict)


DOWNGRADES = (
    Downgrade(
        name="no STARTTLS offered",
        told="tls failed tls.missing",
        options={"offers": Offers(starttls=False, login_in_clear=True)},
    ),
    Downgrade(
        name="STARTTLS refused with 454", told="tls failed other", actions={At.STARTTLS: say("454 4.7.0 no")}
    ),
    Downgrade(
        name="STARTTLS unknown, 502", told="tls failed other", actions={At.STARTTLS: say("502 5.5.1 what?")}
    ),
    Downgrade(
        name="clear text after the go-ahead",
        told="tls failed other",
        actions={At.HANDSHAKE: say("250 go on in clear")},
    ),
    Downgrade(name="garbage in the handshake", told="tls failed other", actions={At.HANDSHAKE: NOT_SMTP}),
    Downgrade(name="cut in the handshake", told="tls failed other", actions={At.HANDSHAKE: CUT}),
    Downgrade(name="self-signed", certificate="unknown", told="tls failed tls.untrusted"),
    Downgrade(name="for another name", certificate="other", told="tls failed tls.name"),
    Downgrade(name="expired", certificate="expired", told="tls failed tls.expired"),
    Downgrade(
        name="implicit, self-signed",
        certificate="unknown",
        told="tls failed tls.untrusted",
        tls=Tls.IMPLICIT,
        options={"implicit_tls": True},
    ),
    Downgrade(
        name="implicit, for another name",
        certificate="other",
        told="tls failed tls.name",
        tls=Tls.IMPLICIT,
        options={"implicit_tls": True},
    ),
    Downgrade(name="implicit at a clear port", told="tls failed server.tls_mode", tls=Tls.IMPLICIT),
    Downgrade(
        name="TLS asked for by nobody",
        told="auth failed tls.missing",
        tls=Tls.NONE,
        options={"offers": Offers(login_in_clear=True)},
    ),
)


@pytest.mark.parametrize("case", DOWNGRADES, ids=lambda case: case.name)
async def test_no_password_leaves_before_verified_tls(bench: Bench, case: Downgrade) -> None:
    certificate = {
        "right": lambda: bench.authority.issue("smtp.acme.example"),
        "other": lambda: bench.authority.issue("other.example"),
        "expired": lambda: bench.authority.issue("smtp.acme.example", expired=True),
        "unknown": lambda: Authority("nobody knows").issue("smtp.acme.example"),
    }[case.certificate]()
    async with bench.server(certificate=certificate, **case.options) as server:
        for at, action in case.actions.items():
            server.tell(at, action)
        outcome = await bench.probe(upstream(server.port, tls=case.tls))
    assert server.logins == []
    assert not any(line.text.startswith("AUTH") for line in server.lines)
    assert bench.told()[-1] == case.told
    assert not outcome.passed
    assert outcome.refusal is None, "nothing was refused: the login never left"


async def test_in_clear_only_on_this_machine(bench: Bench) -> None:
    plain = upstream(25, host="inside.acme.example", tls=Tls.NONE, username=None, password=None)
    await bench.probe(plain, guard=Guard(["10.0.0.0/8"]))
    assert bench.told()[-1] == "tls failed tls.missing"


# --- replies ---


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a provider's server says, and what is behind it."""

    host: str
    reply: str
    found: Kind
    reason: Reason
    at: At = At.AUTH
    password: str = PASSWORD
    username: str = "billing@acme.example"
    refusal: bool = True


APP_PASSWORD = "abcd efgh ijkl mnop"

SAID = (
    # Google (support.google.com/a/answer/3726730)
    Said(
        host="smtp.gmail.com",
        reply="534 5.7.9 Application-specific password required. For more information, go to\n"
        "5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp",
        found=Kind.PASSWORD_APP_NEEDED,
        reason=Reason.AUTH_APP_PASSWORD_NEEDED,
    ),
    Said(
        host="smtp.gmail.com",
        reply="535 5.7.8 Username and Password not accepted. For more information, go to\n"
        "5.7.8 https://support.google.com/mail/?p=BadCredentials - gsmtp",
        found=Kind.PASSWORD_APP_NEEDED,  # that was no app password
        reason=Reason.AUTH_WRONG_PASSWORD,
    ),
    Said(
        host="smtp.gmail.com",
        reply="535 5.7.8 Username and Password not accepted. For more information, go to\n"
        "5.7.8 https://support.google.com/mail/?p=BadCredentials - gsmtp",
        password=APP_PASSWORD,
        found=Kind.PASSWORD_WRONG,
        reason=Reason.AUTH_WRONG_PASSWORD,
    ),
    Said(
        host="smtp.gmail.com",
        reply="534 5.7.14 Please log in through your web browser and then try again. - gsmtp",
        found=Kind.OTHER,
        reason=Reason.AUTH_BROWSER_LOGIN_NEEDED,
    ),
    Said(
        host="smtp.gmail.com",
        reply="454 4.7.0 Too many login attempts, please try again later. - gsmtp",
        found=Kind.OTHER,
        reason=Reason.AUTH_TOO_MANY_ATTEMPTS,
        refusal=False,
    ),
    # Microsoft: one code, three switches, and the end of passwords
    Said(
        host="smtp.office365.com",
        reply="535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. "
        "Visit https://aka.ms/smtp_auth_disabled for more information.",
        found=Kind.LOGIN_OFF_FOR_TENANT,
        reason=Reason.AUTH_SMTP_AUTH_DISABLED,
    ),
    Said(
        host="smtp.office365.com",
        reply="535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
        "Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.",
        found=Kind.LOGIN_OFF_FOR_MAILBOX,
        reason=Reason.AUTH_SMTP_AUTH_DISABLED,
    ),
    Said(
        host="smtp.office365.com",
        reply="535 5.7.139 Authentication unsuccessful, the user credentials were incorrect. The request did "
        "not meet the criteria to be authenticated successfully. Contact your administrator.",
        found=Kind.LOGIN_OFF_BY_POLICY,
        reason=Reason.AUTH_SMTP_AUTH_DISABLED,
    ),
    Said(
        host="smtp-mail.outlook.com",
        reply="535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        found=Kind.LOGIN_NEEDS_OAUTH,
        reason=Reason.AUTH_BASIC_DISABLED,
    ),
    Said(
        host="smtp.office365.com",
        reply="550 5.7.30 Basic authentication is not supported for Client Submission.",
        found=Kind.LOGIN_NEEDS_OAUTH,
        reason=Reason.AUTH_BASIC_DISABLED,
    ),
    Said(
        host="smtp.office365.com",
        reply="535 5.7.3 Authentication unsuccessful [AM6PR05CA0023.eurprd05.prod.outlook.com]",
        found=Kind.PASSWORD_WRONG,
        reason=Reason.AUTH_WRONG_PASSWORD,
    ),
    Said(
        host="smtp.office365.com",
        reply="554 5.2.252 SendAsDenied; info@acme.example not allowed to send as billing@acme.example",
        at=At.MAIL,
        username="info@acme.example",
        found=Kind.ADDRESS_DIFFERS,
        reason=Reason.SENDER_NOT_ALLOWED,
    ),
    Said(
        host="acme-example.mail.protection.outlook.com",
        reply="550 5.7.64 TenantAttribution; Relay Access Denied SMTP.",
        at=At.RCPT,
        found=Kind.SERVER_IS_MX,
        reason=Reason.UPSTREAM_IS_MX,
    ),
    # GMX, WEB.DE: the same words for a wrong password and for access that is not switched on
    Said(
        host="mail.gmx.net",
        reply="535 Authentication credentials invalid",
        found=Kind.LOGIN_OFF_AT_PROVIDER,
        reason=Reason.AUTH_WRONG_PASSWORD,
    ),
    Said(
        host="mail.gmx.net",
        reply="535 Authentication credentials invalid",
        username="billing",
        found=Kind.USERNAME_FORM,
        reason=Reason.AUTH_WRONG_PASSWORD,
    ),
    Said(
        host="mail.gmx.net",
        reply="550 Requested action not taken: mailbox unavailable\nSender address is not allowed.",
        at=At.MAIL,
        username="office@gmx.net",
        found=Kind.ADDRESS_DIFFERS,
        reason=Reason.SENDER_NOT_ALLOWED,
    ),
    # Apple
    Said(
        host="smtp.mail.me.com",
        reply="535 5.7.8 Error: authentication failed: authentication failure",
        found=Kind.PASSWORD_APP_NEEDED,
        reason=Reason.AUTH_WRONG_PASSWORD,
    ),
    # anybody
    Said(
        host="smtp.acme.example",
        reply="535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6",
        found=Kind.PASSWORD_WRONG,
        reason=Reason.AUTH_WRONG_PASSWORD,
    ),
    Said(
        host="smtp.acme.example",
        reply="553 5.7.1 <billing@acme.example>: Sender address rejected: not owned by user "
        "billing@acme.example",
        at=At.MAIL,
        found=Kind.OTHER,
        reason=Reason.SENDER_NOT_ALLOWED,
    ),
    Said(
        host="smtp.acme.example",
        reply="454 4.7.0 Temporary authentication failure",
        found=Kind.OTHER,
        reason=Reason.SERVER_BUSY,
        refusal=False,
    ),
)


@pytest.mark.parametrize("said", SAID, ids=lambda said: f"{said.host}: {said.reply[:48]}")
async def test_what_a_server_says_leads_to_the_setting_behind_it(bench: Bench, said: Said) -> None:
    bench.zone.set(said.host, "A", "127.0.0.1")
    async with bench.server(said.host, require_login=False, users={said.username: said.password}) as server:
        server.tell(said.at, say(said.reply))
        outcome = await bench.probe(
            upstream(server.port, host=said.host, username=said.username, password=Secret(said.password))
        )
    finding = outcome.finding
    assert finding is not None
    assert (finding.kind, finding.reason) == (said.found, said.reason)
    assert not outcome.passed
    assert outcome.refusal == (said.reason if said.refusal else None)
    assert sum(line.text.startswith("AUTH") for line in server.lines) == 1
    for language in LANGUAGES:
        assert "{" not in texts.text(finding, language) + texts.remedy(finding, language)
        assert "?" not in texts.text(finding, language) + texts.remedy(finding, language)


async def test_a_mail_exchanger_without_logins_is_called_so(bench: Bench) -> None:
    bench.zone.set("acme.example", "MX", "10 smtp.acme.example")
    async with bench.server(offers=Offers(mechanisms=())) as server:
        outcome = await bench.probe(upstream(server.port))
    assert bench.told()[-1] == "auth failed server.is_mx"
    assert outcome.refusal is Reason.UPSTREAM_IS_MX


async def test_a_server_without_logins_that_is_no_exchanger_is_no_server_for_customers(bench: Bench) -> None:
    async with bench.server(offers=Offers(mechanisms=())) as server:
        await bench.probe(upstream(server.port))
    assert bench.told()[-1] == "auth failed server.no_login"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        ("450 4.2.0 <billing@acme.example>: Greylisted, come back", "rcpt warning other"),
        ("550 5.1.1 <billing@acme.example>: User unknown", "rcpt warning other"),
        ("554 5.7.1 <billing@acme.example>: Relay access denied", "rcpt failed other"),
    ],
)
async def test_after_a_good_login_only_what_concerns_all_mail_fails_the_probe(
    bench: Bench, reply: str, told: str
) -> None:
    async with bench.server() as server:
        server.tell(At.RCPT, say(reply))
        outcome = await bench.probe(upstream(server.port))
    assert told in bench.told()
    assert outcome.passed == ("warning" in told)


async def test_a_quota_that_is_used_up_today_is_a_login_that_works(bench: Bench) -> None:
    async with bench.server() as server:
        server.tell(At.MAIL, say("550 5.4.5 Daily user sending limit exceeded"))
        outcome = await bench.probe(upstream(server.port))
    assert "mail warning other" in bench.told()
    assert outcome.passed


@pytest.mark.parametrize("at", [At.BANNER, At.EHLO, At.EHLO_TLS, At.AUTH, At.MAIL, At.RCPT])
@pytest.mark.parametrize("action", [CLOSE, CUT, NOT_SMTP, say("421 4.3.2 going down")])
async def test_a_server_that_goes_away_ends_the_probe_and_no_more(bench: Bench, at: At, action: Any) -> None:
    async with bench.server() as server:
        server.tell(at, action)
        outcome = await bench.probe(upstream(server.port))
    assert bench.steps[-1].mark is not Mark.OK or outcome.passed
    assert sum(line.text.startswith("AUTH") for line in server.lines) <= 1


async def test_what_a_server_repeats_of_the_password_is_not_shown(bench: Bench) -> None:
    async with bench.server() as server:
        server.tell(At.AUTH, say(f"535 5.7.8 wrong password {PASSWORD} for billing"))
        await bench.probe(upstream(server.port))
    assert PASSWORD not in json.dumps([as_dict(step) for step in bench.steps])


# --- what the settings say by themselves ---


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"username": "info@acme.example"}, ["settings warning address.differs"]),
        ({"host": "mx.acme.example", "port": 25}, ["settings warning server.is_mx"]),
        ({"port": 465}, ["settings warning server.tls_mode"]),
        ({"port": 587, "tls": Tls.IMPLICIT}, ["settings warning server.tls_mode"]),
        (
            {"host": "smtp.gmail.com", "port": 587, "username": "me@gmail.com"},
            [
                "settings warning address.differs",
                "settings warning from.rewritten",
                "settings warning password.app_needed",
            ],
        ),
        (
            {"host": "mail.gmx.net", "port": 587, "username": "me"},
            ["settings warning username.form"],
        ),
        ({"host": "smtp.office365.com", "port": 587}, ["settings ok"]),
    ],
)
async def test_settings_that_do_not_fit_together_are_said_before_anybody_is_asked(
    bench: Bench, changes: dict[str, Any], told: list[str]
) -> None:
    bench.zone.fault("smtp.gmail.com", DnsFault.REFUSED)
    await bench.probe(upstream(**{"port": 587, **changes}), guard=Guard())
    assert [line for line in bench.told() if line.startswith("settings")] == told


async def test_the_mailbox_of_one_provider_and_the_server_of_another(bench: Bench) -> None:
    bench.zone.set("acme.example", "MX", "0 acme-example.mail.protection.outlook.com")
    outlook = upstream(587, host="smtp.gmail.com", password=Secret(APP_PASSWORD))
    await bench.probe(outlook, guard=Guard())
    (finding,) = [step.finding for step in bench.steps if step.name is StepName.SETTINGS]
    assert finding is not None
    assert finding.kind is Kind.SERVER_OF_ANOTHER
    assert "smtp.office365.com, 587, starttls" in texts.remedy(finding, "en")


async def test_what_a_person_saw_as_sender_is_kept_in_mind(bench: Bench) -> None:
    known = Known(arrived_from="me@gmail.com")
    await bench.probe(upstream(587), known=known, guard=Guard())
    assert bench.told()[0] == "settings warning from.rewritten"


async def test_the_platforms_own_password_is_shown_to_nobody(bench: Bench) -> None:
    async with bench.server() as server:
        outcome = await bench.probe(upstream(server.port), known=Known(platform_password=True))
    assert bench.told()[-1] == "auth failed password.of_platform"
    assert outcome.refusal is Reason.AUTH_WRONG_PASSWORD
    assert server.logins == []


async def test_a_login_that_was_refused_before_is_not_tried_again_unless_asked(bench: Bench) -> None:
    known = Known(refused=Reason.AUTH_WRONG_PASSWORD)
    async with bench.server() as server:
        before = await bench.probe(upstream(server.port), known=known)
        assert bench.told()[-1] == "auth failed login.refused_before"
        assert server.logins == []
        again = await bench.probe(upstream(server.port), known=known, again=True)
    assert not before.passed
    assert again.passed
    assert server.logins == [("billing@acme.example", True)]


async def test_a_name_without_a_password_logs_in_nowhere(bench: Bench) -> None:
    async with bench.server() as server:
        outcome = await bench.probe(upstream(server.port, password=None))
    assert bench.told()[-1] == "auth failed password.missing"
    assert outcome.refusal is None


# --- whose network ---


async def test_a_closed_door_while_others_are_open_is_theirs(bench: Bench) -> None:
    async with bench.server() as server:
        bench.zone.set("smtp.acme.example", "A", "127.0.0.9")
        bench.zone.set("smtp.gmail.com", "A", "127.0.0.1")
        elsewhere = {server.port: ("smtp.gmail.com", "not.there.example")}
        await bench.probe(upstream(server.port), lookout=bench.lookout(elsewhere))
    assert bench.told()[-1] == "tcp failed network.theirs"


async def test_when_nobody_can_be_reached_the_fault_is_ours(bench: Bench) -> None:
    async with bench.server() as server:
        port = server.port
    for name, ip in (("smtp.acme.example", 9), ("smtp.gmail.com", 10), ("mail.gmx.net", 11)):
        bench.zone.set(name, "A", f"127.0.0.{ip}")
    elsewhere = {port: ("smtp.gmail.com", "mail.gmx.net")}
    outcome = await bench.probe(upstream(port), lookout=bench.lookout(elsewhere))
    assert bench.told()[-1] == "tcp failed network.ours"
    assert outcome.finding is not None
    assert outcome.finding.actor == "platform"


async def test_port_25_that_is_known_to_be_blocked_needs_no_look(bench: Bench) -> None:
    reach = await bench.lookout({}, blocked=True).reach(25, "smtp.acme.example")
    assert reach is Reach.OURS


async def test_without_anybody_to_compare_with_it_is_left_open(bench: Bench) -> None:
    async with bench.server() as server:
        port = server.port
    await bench.probe(upstream(port))
    assert bench.told()[-1] == "tcp failed network.unclear"


async def test_another_open_port_of_the_same_server_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.server() as closed:
        port = closed.port
    monkeypatch.setattr(Lookout, "other_port", lambda self, ip, port: _value(465))
    await bench.probe(upstream(port))
    finding = bench.steps[-1].finding
    assert finding is not None
    assert finding.kind is Kind.SERVER_PORT
    assert texts.remedy(finding, "en") == "Set the port to 465, with the encryption implicit."


async def _value(number: int) -> int:
    return number


async def test_a_second_address_is_tried_when_the_first_is_silent(bench: Bench) -> None:
    async with bench.server() as server:
        bench.zone.set("smtp.acme.example", "AAAA", "::1")
        both = {"families": ("ipv6", "ipv4"), "guard": Guard(["127.0.0.0/8", "::1/128"])}
        outcome = await bench.probe(upstream(server.port), **both)
    assert outcome.passed
    assert "tcp warning" in bench.told()


async def test_a_server_that_waits_for_tls_is_told_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async with bench.server() as server:
        server.tell(At.BANNER, HANG)
        monkeypatch.setattr("relayd.core.probe.answers.IMPLICIT_PORT", server.port)
        await bench.probe(upstream(server.port), deadlines=dataclasses.replace(FAR, banner=0.1))
    assert bench.told()[-1] == "greeting failed server.tls_mode"


async def test_what_is_no_mail_server_is_called_so_and_not_shown(bench: Bench) -> None:
    async with bench.server() as server:
        server.tell(At.BANNER, dataclasses.replace(NOT_SMTP, raw=b"SSH-2.0-secret-version\r\n"))
        await bench.probe(upstream(server.port))
    assert bench.told()[-1] == "greeting failed server.not_smtp"
    assert "secret" not in repr(bench.steps)


# --- DNS, and where a customer's server may be (A26) ---


async def test_a_name_that_is_not_there(bench: Bench) -> None:
    await bench.probe(upstream(587, host="smpt.acme.example"))
    assert bench.told()[-1] == "dns failed server.name"


async def test_dns_that_does_not_answer_is_nobodys_setting(bench: Bench) -> None:
    bench.zone.fault("smtp.acme.example", DnsFault.SERVFAIL)
    outcome = await bench.probe(upstream(587))
    assert bench.told()[-1] == "dns failed other"
    assert outcome.refusal is None


@pytest.mark.parametrize(
    "host",
    [
        *("inside.acme.example", "rebind.acme.example", "smtp.acme.example"),
        *("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "::1", "[::1]", "10.0.0.1"),
    ],
)
async def test_inside_is_refused_with_one_sentence_whether_the_port_is_open_or_closed(
    bench: Bench, host: str
) -> None:
    said = []
    async with bench.server() as server:
        for port in (server.port, 9):
            bench.steps.clear()
            outcome = await bench.probe(upstream(port, host=host), guard=Guard())
            assert bench.told()[-1] == "dns failed host.not_public"
            assert outcome.refusal is None
            last = {**as_dict(bench.steps[-1]), "ms": 0}
            said.append(json.dumps(last))
            assert "10.20.30.40" not in said[-1]
    assert said[0] == said[1]
    assert server.connections == 0


async def test_ipv4_hidden_in_ipv6_is_inside_too(bench: Bench) -> None:
    await bench.probe(upstream(587, host="v6.acme.example"), guard=Guard(), families=("ipv6",))
    assert bench.told()[-1] == "dns failed host.not_public"


async def test_our_own_listener_is_no_server_of_a_customer(bench: Bench) -> None:
    async with bench.server() as server:
        ourselves = Ourselves(listeners=[("127.0.0.1", server.port)])
        await bench.probe(upstream(server.port), ourselves=ourselves)
    assert bench.told()[-1] == "tcp failed host.is_us"
    assert server.connections == 0


# --- who owns the address ---


@pytest.mark.parametrize(
    ("mx", "host", "username", "proven"),
    [
        ("10 smtp.acme.example", "smtp.acme.example", "billing@acme.example", True),
        ("0 acme-example.mail.protection.outlook.com", "smtp.office365.com", "billing@acme.example", True),
        # somebody's own server lets everybody in
        ("10 mx.acme.example", "smtp.attacker.example", "billing@acme.example", False),
        # ... even one whose name looks like it
        ("10 mx.acme.example", "smtp.acme.example", "billing@acme.example", False),
        # the right server, and another mailbox
        ("10 smtp.acme.example", "smtp.acme.example", "intern@acme.example", False),
        ("10 smtp.acme.example", "smtp.acme.example", "billing", False),
        # a provider that has other mailboxes, not this one
        ("10 mx.acme.example", "smtp.office365.com", "billing@acme.example", False),
    ],
)
async def test_a_login_shows_who_owns_the_address_only_at_a_server_that_we_derived(
    bench: Bench, mx: str, host: str, username: str, proven: bool
) -> None:
    bench.zone.set("acme.example", "MX", mx)
    bench.zone.set(host, "A", "127.0.0.1")
    async with bench.server(host, users={username: PASSWORD}) as server:
        outcome = await bench.probe(upstream(server.port, host=host, username=username))
    assert outcome.passed
    assert outcome.proves is proven


async def test_authorities_that_came_with_the_settings_prove_nothing(bench: Bench, tmp_path: Path) -> None:
    bench.zone.set("acme.example", "MX", "10 smtp.acme.example")
    house = Authority("of the house")
    ca_file = str(house.write(tmp_path / "house.pem"))
    async with bench.server(certificate=house.issue("smtp.acme.example")) as server:
        outcome = await bench.probe(upstream(server.port, ca_file=ca_file))
    assert (outcome.passed, outcome.proves) == (True, False)


async def test_a_server_without_login_proves_nothing(bench: Bench) -> None:
    bench.zone.set("acme.example", "MX", "10 smtp.acme.example")
    async with bench.server(require_login=False) as server:
        outcome = await bench.probe(upstream(server.port, username=None, password=None))
    assert (outcome.passed, outcome.proves) == (True, False)


# --- signed in instead of a password ---


@dataclass
class Tokens:
    """Gives what is left, one after the other."""

    left: list[Secret | Fault]
    refused: list[Secret | None] = field(default_factory=list)

    async def access_token(self, sender: str, refused: Secret | None = None) -> Secret | Fault:
        self.refused.append(refused)
        return self.left.pop(0)


OLD, FRESH = Secret("canary-token-old"), Secret("canary-token-fresh")
NOBODY = Fault(kind=FaultKind.TOKEN, text="nobody signed in", stage=Stage.AUTH, host="")


def signed_in(port: int) -> Upstream:
    return upstream(port, password=None, oauth="google")


def with_tokens(bench: Bench) -> Receiver:
    offers = Offers(mechanisms=("XOAUTH2", "OAUTHBEARER"))
    return bench.server(users={}, offers=offers, takes_token=lambda name, token: token == FRESH.value)


@pytest.mark.parametrize(
    ("tokens", "last"),
    [
        ([FRESH], "quit ok"),
        ([OLD, FRESH], "quit ok"),  # spent before its time: fetched anew, once
        ([OLD, OLD], "auth failed other"),
        ([OLD, NOBODY], "auth failed other"),
        ([NOBODY], "auth failed other"),
    ],
)
async def test_a_token_is_tried_once_and_a_fresh_one_once(
    bench: Bench, tokens: list[Secret | Fault], last: str
) -> None:
    given = Tokens(list(tokens))
    async with with_tokens(bench) as server:
        outcome = await bench.probe(signed_in(server.port), tokens=given)
    assert bench.told()[-1] == last
    assert given.left == []
    assert outcome.passed is (last == "quit ok")
    assert outcome.refusal == (None if outcome.passed else Reason.AUTH_TOKEN_EXPIRED)
    assert not outcome.proves, "signing in shows who followed a link"
    assert "canary" not in repr(bench.steps) + repr(server.lines)


async def test_no_fresh_token_is_fetched_where_it_can_not_help(bench: Bench) -> None:
    given = Tokens([OLD, FRESH])
    async with with_tokens(bench) as server:
        server.tell(At.AUTH, say("535 5.7.0 (#AUTH005) Too many bad auth attempts."))
        await bench.probe(signed_in(server.port), tokens=given)
    assert given.left == [FRESH]
    assert server.connections == 1


async def test_a_login_that_can_not_be_unsealed_is_not_tried(bench: Bench) -> None:
    async with bench.server() as server:
        outcome = await bench.probe(upstream(server.port, password=None, sealed=True))
    assert bench.told()[-1] == "auth failed other"
    assert outcome.finding is not None
    assert outcome.finding.reason is Reason.UPSTREAM_SEALED
    assert (outcome.refusal, server.logins) == (None, [])


# --- after the login ---


async def test_an_address_that_the_server_can_not_write_is_said(bench: Bench) -> None:
    async with bench.server(offers=Offers(smtputf8=False)) as server:
        await bench.probe(upstream(server.port), contact=Address("büro", "acme.example"))
    assert bench.told()[-1] == "mail failed other"
    finding = bench.steps[-1].finding
    assert finding is not None
    assert finding.reason is Reason.MESSAGE_SMTPUTF8


@pytest.mark.parametrize("at", [At.RSET, At.QUIT])
async def test_how_a_server_takes_leave_decides_nothing(bench: Bench, at: At) -> None:
    async with bench.server() as server:
        server.tell(at, say("500 5.5.1 what?"))
        outcome = await bench.probe(upstream(server.port))
    assert outcome.passed
    assert f"{at} warning" in bench.told()


async def test_a_test_mail_that_is_refused_fails_the_probe(bench: Bench) -> None:
    async with bench.server() as server:
        server.tell(At.END, say("554 5.7.1 Your account has been suspended from sending due to spam"))
        outcome = await bench.probe(upstream(server.port), send=True)
    assert bench.told()[-1] == "send failed other"
    assert outcome.refusal is Reason.SENDER_BLOCKED


async def test_a_test_mail_that_has_to_wait_is_a_warning(bench: Bench) -> None:
    async with bench.server() as server:
        server.tell(At.END, say("451 4.7.1 Greylisted, try again"))
        outcome = await bench.probe(upstream(server.port), send=True)
    assert "send warning other" in bench.told()
    assert outcome.passed


async def test_a_number_that_the_operator_allowed_is_connected_to(bench: Bench) -> None:
    async with bench.server("127.0.0.1") as server:
        outcome = await bench.probe(upstream(server.port, host="127.0.0.1"))
    assert outcome.passed


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
@pytest.mark.parametrize(
    "greeting",
    [b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n", b"+OK POP3 ready\r\n", b"HTTP/1.1 400 Bad\r\n"],
)
async def test_the_server_for_reading_mail_is_not_the_one_for_sending(
    bench: Bench, tls: Tls, greeting: bytes
) -> None:
    async with bench.server(implicit_tls=tls is Tls.IMPLICIT) as server:
        server.tell(At.BANNER, dataclasses.replace(NOT_SMTP, raw=greeting))
        outcome = await bench.probe(upstream(server.port, tls=tls))
    assert bench.told()[-1] == "greeting failed server.not_smtp"
    assert outcome.refusal is None
