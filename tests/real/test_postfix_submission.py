"""Postfix as a customer's submission server, with logins."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Reply, Stage
from relayd.core.sender import Secret, Tls, Upstream
from relayd.core.verdict import Fate, Scope
from relayd.sandbox.receiver import Receiver

from ..couriers.conftest import World, authority, contexts, letter, world
from .postfix_instance import postfix, why_no_logins

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(40),
    pytest.mark.skipif(why_no_logins() is not None, reason=why_no_logins() or ""),
]

__all__ = ["authority", "contexts", "world"]

HOP = Hop(Route.UPSTREAM, "acme")
PASSWORD = "canary-öre-51c2"
USERS = {"billing@acme.example": PASSWORD}


@pytest.fixture
async def elsewhere() -> AsyncIterator[Receiver]:
    """Where Postfix hands on what it took."""
    async with Receiver() as receiver:
        yield receiver


def submission(elsewhere: Receiver, **more: str) -> dict[str, str]:
    return {
        "myhostname": "smtp.acme.example",
        "relayhost": f"[127.0.0.1]:{elsewhere.port}",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
        "smtpd_sasl_authenticated_header": "yes",
        **more,
    }


def server(port: int, *, password: str = PASSWORD, mechanism: str | None = None) -> Upstream:
    return Upstream(
        host="smtp.acme.example",
        port=port,
        tls=Tls.STARTTLS,
        username="billing@acme.example",
        password=Secret(password),
        mechanism=mechanism,
    )


@pytest.mark.parametrize("mechanism", [None, "PLAIN", "LOGIN"])
async def test_postfix_takes_our_login_and_our_mail(
    world: World, elsewhere: Receiver, mechanism: str | None
) -> None:
    mail = letter(
        "bob@customer.example", "eve@elsewhere.example", hop=HOP, return_path="billing@acme.example"
    )
    with postfix(submission(elsewhere), world.authority.issue("smtp.acme.example"), USERS) as port:
        courier = world.upstream(server(port, mechanism=mechanism))
        attempts = await courier.deliver(mail.parcel, mail.body)
        (received, *_) = await elsewhere.wait_for(1)
        await courier.close()
    assert [attempt.verdict.fate for attempt in attempts] == [Fate.SENT, Fate.SENT]
    assert b"(Authenticated sender: billing@acme.example)" in received.content
    assert received.content.endswith(mail.content)


async def test_a_wrong_password_is_tried_once(world: World, elsewhere: Receiver) -> None:
    mail = letter("bob@customer.example", hop=HOP, return_path="billing@acme.example")
    with postfix(submission(elsewhere), world.authority.issue("smtp.acme.example"), USERS) as port:
        courier = world.upstream(server(port, password="wrong"))
        (first,) = await courier.deliver(mail.parcel, mail.body)
        (second,) = await courier.deliver(mail.parcel, mail.body)
    assert isinstance(first.evidence, Reply)
    assert (first.evidence.code, first.evidence.stage) == (535, Stage.AUTH)
    assert first.verdict.reason is Reason.AUTH_WRONG_PASSWORD
    assert first.verdict.scope is Scope.HOP
    assert second.evidence == first.evidence


async def test_a_sender_that_the_login_may_not_use_is_named(world: World, elsewhere: Receiver) -> None:
    settings = submission(
        elsewhere,
        smtpd_sender_login_maps="inline:{billing@acme.example=billing@acme.example, boss@acme.example=boss}",
        smtpd_sender_restrictions="reject_sender_login_mismatch",
    )
    mail = letter("bob@customer.example", hop=HOP, return_path="boss@acme.example")
    with postfix(settings, world.authority.issue("smtp.acme.example"), USERS) as port:
        courier = world.upstream(server(port))
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
        await courier.close()
    assert isinstance(attempt.evidence, Reply)
    assert attempt.evidence.enhanced == "5.7.1"
    assert attempt.verdict.reason is Reason.SENDER_NOT_ALLOWED
