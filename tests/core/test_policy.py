"""The sender ladder as a table: every state of proof and every wanted rung, and what leaves."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import UTC, datetime

import pytest

from relayd.core import headers, policy
from relayd.core.address import Address
from relayd.core.headers import Facts
from relayd.core.mail import Hop, IfUnproven, Proof, Route, Rung
from relayd.core.policy import Plan, Platform, Proven, Refusal, Tokened
from relayd.core.reasons import Reason
from relayd.core.sender import Sender, Tls, Upstream

OWN_ADDRESS = Address("billing", "acme.example")
DEFAULT_ADDRESS = Address("acme", "my.platform.example")
APP = Address("app", "internal.example")
PLATFORM = Platform(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    send_unproven=False,
    smarthost=False,
)
ALL = Proven(platform_key=True, own_key=True)
NONE = Proven(platform_key=True, own_key=False)
REFUSED = Proven(platform_key=True, own_key=False, login_refused=Reason.AUTH_WRONG_PASSWORD)
REFUSED_OWN = dataclasses.replace(REFUSED, own_key=True)
NO_PLATFORM = Proven(platform_key=False, own_key=True)
SPF = Proven(platform_key=True, own_key=False, own_spf=True)
SPF_ALONE = Proven(platform_key=False, own_key=False, own_spf=True)
HOST = Proven(platform_key=True, own_key=True, own_spf=True, return_host=True)
NOTHING = Proven(platform_key=False, own_key=False)
LOGIN = Upstream(host="smtp.acme.example", port=587, tls=Tls.STARTTLS)
TOKEN = Tokened(domain="bounce.my.platform.example")
OWN_TOKEN = Tokened(domain="bounce.acme.example")
PLATFORM_SIGNS = ("my.platform.example",)
BOTH_SIGN = ("acme.example", "my.platform.example")
OWN_SIGNS = ("acme.example",)

D, O, U = Rung.DEFAULT, Rung.OWN, Rung.UPSTREAM  # noqa: E741 - a table is read in columns
FALL, HOLD, REJECT = IfUnproven.DEFAULT, IfUnproven.HOLD, IfUnproven.REJECT


def sender(
    wanted: Rung, if_unproven: IfUnproven, confirmed: bool, upstream: Upstream | None = LOGIN
) -> Sender:
    return Sender(
        id="acme",
        name="ACME BV",
        contact=OWN_ADDRESS,
        confirmed=confirmed,
        default_address=DEFAULT_ADDRESS,
        send_as=wanted,
        if_unproven=if_unproven,
        language="de",
        test=False,
        upstream=upstream if wanted is Rung.UPSTREAM else None,
    )


DEFAULT_GOES = (D, Proof.PLATFORM, DEFAULT_ADDRESS, TOKEN, PLATFORM_SIGNS, Route.DIRECT)
OWN_GOES = (O, Proof.DKIM, OWN_ADDRESS, TOKEN, BOTH_SIGN, Route.DIRECT)
HOST_GOES = (O, Proof.DKIM, OWN_ADDRESS, OWN_TOKEN, BOTH_SIGN, Route.DIRECT)
UP_GOES = (U, Proof.CREDENTIALS, OWN_ADDRESS, OWN_ADDRESS)
UNPROVEN, UNCONFIRMED, PASSWORD = (
    Reason.SENDER_UNPROVEN,
    Reason.SENDER_UNCONFIRMED,
    Reason.AUTH_WRONG_PASSWORD,
)
NO_KEY = Reason.SIGNING_FAILED

# wanted, if_unproven, confirmed, proven | what leaves: rung proof From return-path d= route, reason, held
LEAVES = [
    # default needs nothing of the sender
    (D, FALL, True, ALL, DEFAULT_GOES, None, None),
    (D, FALL, False, ALL, DEFAULT_GOES, None, None),
    (D, HOLD, False, NONE, DEFAULT_GOES, None, None),
    (D, REJECT, True, NONE, DEFAULT_GOES, None, None),
    # ... but our own key has to be seen
    (D, FALL, True, NO_PLATFORM, DEFAULT_GOES, None, NO_KEY),
    (D, REJECT, True, NOTHING, DEFAULT_GOES, None, NO_KEY),
    # own
    (O, FALL, True, ALL, OWN_GOES, None, None),
    (O, HOLD, True, ALL, OWN_GOES, None, None),
    (O, REJECT, True, ALL, OWN_GOES, None, None),
    (O, FALL, True, NO_PLATFORM, (*OWN_GOES[:4], OWN_SIGNS, Route.DIRECT), None, None),
    (O, FALL, True, HOST, HOST_GOES, None, None),
    (O, FALL, True, NONE, DEFAULT_GOES, UNPROVEN, None),
    (O, FALL, True, NOTHING, DEFAULT_GOES, UNPROVEN, NO_KEY),
    (O, HOLD, True, NONE, (O, None, OWN_ADDRESS, OWN_ADDRESS, (), Route.DIRECT), UNPROVEN, UNPROVEN),
    # an address whose owner has yet to agree always falls back
    (O, FALL, False, ALL, DEFAULT_GOES, UNCONFIRMED, None),
    (O, HOLD, False, ALL, DEFAULT_GOES, UNCONFIRMED, None),
    (O, REJECT, False, ALL, DEFAULT_GOES, UNCONFIRMED, None),
    (O, REJECT, False, NO_PLATFORM, DEFAULT_GOES, UNCONFIRMED, NO_KEY),
    (U, REJECT, False, ALL, DEFAULT_GOES, UNCONFIRMED, None),
    # upstream
    (U, FALL, True, ALL, (*UP_GOES, OWN_SIGNS, Route.UPSTREAM), None, None),
    (U, FALL, True, NONE, (*UP_GOES, (), Route.UPSTREAM), None, None),
    (U, FALL, True, NOTHING, (*UP_GOES, (), Route.UPSTREAM), None, None),
    (U, FALL, True, REFUSED, DEFAULT_GOES, PASSWORD, None),
    (U, FALL, True, REFUSED_OWN, DEFAULT_GOES, PASSWORD, None),
    (U, HOLD, True, REFUSED, (U, None, OWN_ADDRESS, OWN_ADDRESS, (), Route.UPSTREAM), PASSWORD, PASSWORD),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "if_unproven", "confirmed", "proven", "goes", "reason", "held"), LEAVES)
def test_what_leaves(
    wanted: Rung,
    if_unproven: IfUnproven,
    confirmed: bool,
    proven: Proven,
    goes: tuple[Rung, Proof | None, Address, Tokened | Address, tuple[str, ...], Route],
    reason: Reason | None,
    held: Reason | None,
) -> None:
    rung, proof, header_from, return_path, signs, route = goes
    expected = Plan(
        rung=rung,
        proof=proof,
        reason=reason,
        header_from=header_from,
        signs=signs,
        return_path=return_path,
        route=route,
        held=held,
    )
    whose = sender(wanted, if_unproven, confirmed)
    plan = policy.plan(sender=whose, mail_from=APP, header_from=OWN_ADDRESS, proven=proven, platform=PLATFORM)
    assert plan == expected
    # <> stays <> on every rung
    null = policy.plan(
        sender=whose, mail_from=None, header_from=OWN_ADDRESS, proven=proven, platform=PLATFORM
    )
    assert null == dataclasses.replace(expected, return_path=None)
    # a message that was dressed so may leave as long as nothing changes
    assert policy.stands(
        rung=rung,
        proof=proof,
        header_from=header_from,
        return_path=path_of(plan),
        sender=whose,
        proven=proven,
        platform=PLATFORM,
    ) == (held is None)


def path_of(plan: Plan | Refusal) -> str:
    assert isinstance(plan, Plan)
    path = plan.return_path
    return f"token@{path.domain}" if isinstance(path, Tokened) else str(path or "")


def test_spf_proves_the_own_address_as_return_path_and_nothing_for_mail_without_one() -> None:
    def planned(mail_from: Address | None, if_unproven: IfUnproven = FALL) -> Plan | Refusal:
        return policy.plan(
            sender=sender(O, if_unproven, True),
            mail_from=mail_from,
            header_from=OWN_ADDRESS,
            proven=SPF,
            platform=PLATFORM,
        )

    plan = planned(APP)
    assert isinstance(plan, Plan)
    assert (plan.rung, plan.proof, plan.return_path) == (O, Proof.SPF, OWN_ADDRESS)
    null = planned(None)
    assert isinstance(null, Plan)
    assert (null.rung, null.reason, null.return_path) == (D, UNPROVEN, None)
    refused = planned(None, REJECT)
    assert isinstance(refused, Refusal)
    assert "SPF proves nothing with MAIL FROM <>" in refused.text


REFUSALS = [
    (O, REJECT, True, NONE, OWN_ADDRESS, UNPROVEN, "r1._domainkey.acme.example"),
    (O, REJECT, True, NOTHING, OWN_ADDRESS, UNPROVEN, "if_unproven: default"),
    (U, REJECT, True, REFUSED, OWN_ADDRESS, PASSWORD, "refused the login"),
    # a From that isn't the sender's, whatever is proven
    *(
        (wanted, if_unproven, confirmed, proven, other, Reason.POLICY_FROM_MISMATCH, "billing@acme.example")
        for wanted in (O, U)
        for if_unproven in IfUnproven
        for confirmed in (True, False)
        for proven in (ALL, NOTHING)
        for other in (
            APP,
            DEFAULT_ADDRESS,
            Address("Billing", "acme.example"),
            Address("billing", "x.example"),
        )
    ),
]


@pytest.mark.parametrize(
    ("wanted", "if_unproven", "confirmed", "proven", "header_from", "reason", "says"), REFUSALS
)
def test_what_is_refused(
    wanted: Rung,
    if_unproven: IfUnproven,
    confirmed: bool,
    proven: Proven,
    header_from: Address,
    reason: Reason,
    says: str,
) -> None:
    refusal = policy.plan(
        sender=sender(wanted, if_unproven, confirmed),
        mail_from=APP,
        header_from=header_from,
        proven=proven,
        platform=PLATFORM,
    )
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.enhanced, refusal.reason) == (550, "5.7.1", reason)
    assert says in refusal.text
    assert refusal.text.isascii()


@pytest.mark.parametrize("if_unproven", IfUnproven)
def test_an_upstream_that_is_not_configured_proves_nothing(if_unproven: IfUnproven) -> None:
    plan = policy.plan(
        sender=sender(U, if_unproven, True, upstream=None),
        mail_from=APP,
        header_from=OWN_ADDRESS,
        proven=ALL,
        platform=PLATFORM,
    )
    assert plan.reason is Reason.SENDER_UNPROVEN
    if isinstance(plan, Refusal):
        assert if_unproven is IfUnproven.REJECT
        assert "it has no upstream" in plan.text
    else:
        assert plan.rung is (Rung.DEFAULT if if_unproven is IfUnproven.DEFAULT else Rung.UPSTREAM)


def test_every_state_has_an_answer_and_nothing_leaves_unproven() -> None:
    reasons = (None, Reason.AUTH_WRONG_PASSWORD)
    for (
        wanted,
        if_unproven,
        confirmed,
        upstream,
        platform_key,
        own_key,
        own_spf,
        refused,
        send,
        header_from,
    ) in itertools.product(
        Rung, IfUnproven, (0, 1), (None, LOGIN), (0, 1), (0, 1), (0, 1), reasons, (0, 1), (OWN_ADDRESS, APP)
    ):
        proven = Proven(
            platform_key=bool(platform_key),
            own_key=bool(own_key),
            own_spf=bool(own_spf),
            login_refused=refused,
        )
        platform = dataclasses.replace(PLATFORM, send_unproven=bool(send))
        whose = sender(wanted, if_unproven, bool(confirmed), upstream)
        plan = policy.plan(
            sender=whose, mail_from=APP, header_from=header_from, proven=proven, platform=platform
        )
        if isinstance(plan, Refusal) or plan.held is not None:
            continue
        assert plan.proof is not None
        if plan.header_from == OWN_ADDRESS:
            assert confirmed
            by_spf = own_spf and plan.return_path == OWN_ADDRESS
            assert own_key or by_spf or (plan.route is Route.UPSTREAM and upstream and not refused)
        else:
            assert plan.header_from == DEFAULT_ADDRESS
            assert platform_key or send
            assert plan.signs == PLATFORM_SIGNS


def test_while_our_own_key_is_not_seen_the_operator_may_send_all_the_same() -> None:
    platform = dataclasses.replace(PLATFORM, send_unproven=True)
    plan = policy.plan(
        sender=sender(D, FALL, True), mail_from=APP, header_from=APP, proven=NOTHING, platform=platform
    )
    assert isinstance(plan, Plan)
    assert plan.held is None
    assert policy.stands(
        rung=D,
        proof=Proof.PLATFORM,
        header_from=DEFAULT_ADDRESS,
        return_path="token@bounce.my.platform.example",
        sender=sender(D, FALL, True),
        proven=NOTHING,
        platform=platform,
    )


def test_a_sender_in_the_platforms_own_domain_signs_once() -> None:
    whose = dataclasses.replace(sender(O, FALL, True), contact=Address("x", "my.platform.example"))
    plan = policy.plan(sender=whose, mail_from=APP, header_from=whose.contact, proven=ALL, platform=PLATFORM)
    assert isinstance(plan, Plan)
    assert plan.signs == PLATFORM_SIGNS


@pytest.mark.parametrize(
    ("wanted", "smarthost", "hop"),
    [
        (D, False, Hop(Route.DIRECT, "example.com")),
        (O, False, Hop(Route.DIRECT, "example.com")),
        (D, True, Hop(Route.SMARTHOST, "")),
        (O, True, Hop(Route.SMARTHOST, "")),
        (U, False, Hop(Route.UPSTREAM, "acme")),
        (U, True, Hop(Route.UPSTREAM, "acme")),
    ],
)
def test_the_next_hop(wanted: Rung, smarthost: bool, hop: Hop) -> None:
    plan = policy.plan(
        sender=sender(wanted, FALL, True),
        mail_from=APP,
        header_from=OWN_ADDRESS,
        proven=ALL,
        platform=dataclasses.replace(PLATFORM, smarthost=smarthost),
    )
    assert isinstance(plan, Plan)
    assert plan.hop(Address("b", "example.com"), "acme") == hop


@pytest.mark.parametrize(
    ("rung", "proof", "header_from", "whose", "proven", "still"),
    [
        (O, Proof.DKIM, OWN_ADDRESS, sender(O, FALL, True), ALL, True),
        (O, Proof.DKIM, OWN_ADDRESS, sender(O, FALL, True), NONE, False),  # the key is gone
        (O, Proof.DKIM, OWN_ADDRESS, sender(O, FALL, False), ALL, False),  # consent is gone
        (O, Proof.DKIM, APP, sender(O, FALL, True), ALL, False),  # the address was changed
        (U, Proof.CREDENTIALS, OWN_ADDRESS, sender(U, FALL, True), NONE, True),
        (U, Proof.CREDENTIALS, OWN_ADDRESS, sender(U, FALL, True), REFUSED, True),  # waits for a new login
        (U, Proof.CREDENTIALS, OWN_ADDRESS, sender(U, FALL, True, None), ALL, False),
        (D, Proof.PLATFORM, DEFAULT_ADDRESS, sender(D, FALL, True), NONE, True),
        (D, Proof.PLATFORM, DEFAULT_ADDRESS, sender(D, FALL, True), NO_PLATFORM, False),
        (D, Proof.PLATFORM, APP, sender(D, FALL, True), ALL, False),
        (O, None, OWN_ADDRESS, sender(O, HOLD, True), ALL, False),  # was never dressed
        (O, Proof.SPF, OWN_ADDRESS, sender(O, FALL, True), SPF, True),
        (O, Proof.SPF, OWN_ADDRESS, sender(O, FALL, True), SPF_ALONE, True),
        (O, Proof.SPF, OWN_ADDRESS, sender(O, FALL, True), NONE, False),  # the record no longer names us
        (O, Proof.SPF, OWN_ADDRESS, sender(O, FALL, False), SPF, False),
        (O, Proof.DKIM, OWN_ADDRESS, sender(O, FALL, True), SPF, False),  # another proof, another dressing
    ],
)
def test_what_was_proven_when_it_was_dressed_is_looked_at_again(
    rung: Rung, proof: Proof | None, header_from: Address, whose: Sender, proven: Proven, still: bool
) -> None:
    assert still == policy.stands(
        rung=rung,
        proof=proof,
        header_from=header_from,
        return_path="",
        sender=whose,
        proven=proven,
        platform=PLATFORM,
    )


@pytest.mark.parametrize(
    ("host", "domain", "delegated", "still"),
    [
        ("bounce.acme.example", "acme.example", True, True),
        ("bounce.acme.example", "acme.example", False, False),  # no longer leads to us
        ("bounce.my.platform.example", "acme.example", False, True),
        ("bounce.my.platform.example", "my.platform.example", False, True),  # the platform's own
    ],
)
def test_a_return_path_in_the_own_domain_stands_as_long_as_it_leads_to_us(
    host: str, domain: str, delegated: bool, still: bool
) -> None:
    whose = dataclasses.replace(sender(O, FALL, True), contact=Address("billing", domain))
    assert still == policy.stands(
        rung=O,
        proof=Proof.DKIM,
        header_from=whose.contact,
        return_path=f"token@{host}",
        sender=whose,
        proven=dataclasses.replace(ALL, return_host=delegated),
        platform=PLATFORM,
    )


SUBMITTED = (
    b"From: ACME <billing@acme.example>\r\n"
    b"Sender: app@internal.example\r\n"
    b"To: b@example.com\r\n"
    b"Disposition-Notification-To: app@internal.example\r\n"
)
RECEIVED = b"Received: by relay.example.net with ESMTP id ID;\r\n Sun, 22 Nov 2026 05:11:49 +0000\r\n"
ADDED = b"Date: Sun, 22 Nov 2026 05:11:49 +0000\r\nMessage-ID: <ID@"
AS_DEFAULT = (
    RECEIVED + b'From: "ACME BV" <acme@my.platform.example>\r\nReply-To: billing@acme.example\r\n'
    b"To: b@example.com\r\nDisposition-Notification-To: billing@acme.example\r\n"
    + ADDED
    + b"my.platform.example>\r\n"
)
AS_OWN = (
    RECEIVED + b"From: ACME <billing@acme.example>\r\nTo: b@example.com\r\n"
    b"Disposition-Notification-To: app@internal.example\r\n" + ADDED + b"acme.example>\r\n"
)


@pytest.mark.parametrize(
    ("wanted", "proven", "header"),
    [
        (D, ALL, AS_DEFAULT),
        (O, ALL, AS_OWN),
        (O, NONE, AS_DEFAULT),
        (U, NONE, AS_OWN),
        (U, REFUSED, AS_DEFAULT),
    ],
)
def test_the_header_that_leaves(wanted: Rung, proven: Proven, header: bytes) -> None:
    whose = sender(wanted, FALL, True)
    plan = policy.plan(sender=whose, mail_from=APP, header_from=OWN_ADDRESS, proven=proven, platform=PLATFORM)
    assert isinstance(plan, Plan)
    facts = Facts(
        hostname="relay.example.net",
        message_id="ID",
        received_at=datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC),
        smtputf8=False,
    )
    assert headers.dress(headers.parse(SUBMITTED), plan, whose, facts) == header
