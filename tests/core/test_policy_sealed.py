"""A sender whose password is sealed with a missing master key: it waits on `upstream`, and only there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relayd.core import policy
from relayd.core.address import Address
from relayd.core.mail import IfUnproven, Proof, Rung
from relayd.core.policy import Plan, Platform, Proven
from relayd.core.reasons import Reason
from relayd.core.sender import Sender, Tls, Upstream

CONTACT = Address("billing", "acme.example")
PLATFORM = Platform(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    send_unproven=False,
    smarthost=False,
)
PROVEN = Proven(platform_key=True, own_key=True)
SEALED = Upstream(host="smtp.acme.example", port=587, tls=Tls.STARTTLS, username="me", sealed=True)


def sender(send_as: Rung, if_unproven: IfUnproven = IfUnproven.DEFAULT) -> Sender:
    return Sender(
        id="acme",
        name="ACME",
        contact=CONTACT,
        confirmed=True,
        default_address=Address("acme", "my.platform.example"),
        send_as=send_as,
        if_unproven=if_unproven,
        language="en",
        test=False,
        upstream=SEALED,
    )


def planned(one: Sender) -> Plan:
    plan = policy.plan(sender=one, mail_from=CONTACT, header_from=CONTACT, proven=PROVEN, platform=PLATFORM)
    assert isinstance(plan, Plan)
    return plan


@pytest.mark.parametrize("if_unproven", IfUnproven)
def test_mail_that_wants_upstream_waits_whatever_the_sender_chose_for_its_own_lacks(
    if_unproven: IfUnproven,
) -> None:
    plan = planned(sender(Rung.UPSTREAM, if_unproven))
    assert (plan.rung, plan.proof, plan.held) == (Rung.UPSTREAM, None, Reason.UPSTREAM_SEALED)


@pytest.mark.parametrize("send_as", [Rung.DEFAULT, Rung.OWN])
def test_other_rungs_need_no_password(send_as: Rung) -> None:
    plan = planned(sender(send_as))
    assert (plan.rung, plan.held, plan.reason) == (send_as, None, None)


@pytest.mark.parametrize("sealed", [True, False])
def test_what_was_dressed_for_upstream_stands_as_long_as_the_password_can_be_read(sealed: bool) -> None:
    one = replace(sender(Rung.UPSTREAM), upstream=replace(SEALED, sealed=sealed))
    stands = policy.stands(
        rung=Rung.UPSTREAM,
        proof=Proof.CREDENTIALS,
        header_from=CONTACT,
        return_path=str(CONTACT),
        sender=one,
        proven=PROVEN,
        platform=PLATFORM,
    )
    assert stands is not sealed
