"""Probing a real submission server: Postfix, with Dovecot saying who may log in."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest

from relayd.core.address import Address
from relayd.core.findings import Kind
from relayd.core.probe import Known, Question, Step
from relayd.core.reasons import Reason
from relayd.core.sender import Secret, Tls, Upstream
from relayd.identity.lookout import Lookout
from relayd.identity.probe import Outcome, Prober
from relayd.net.egress import Guard, Ourselves
from relayd.sandbox.receiver import Receiver

from ..couriers.conftest import World, authority, contexts, world
from .dovecot_instance import Dovecot, dovecot
from .dovecot_instance import why_not as no_dovecot
from .postfix_instance import postfix
from .postfix_instance import why_not as no_postfix

_WHY = no_dovecot() or no_postfix()
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(40),
    pytest.mark.skipif(_WHY is not None, reason=_WHY or ""),
]

__all__ = ["authority", "contexts", "world"]

OWN = Address("billing", "acme.example")
PASSWORD = "canary-öre-51c2"
USERS = {"billing@acme.example": PASSWORD, "office@acme.example": "canary-office"}


@pytest.fixture
async def elsewhere() -> AsyncIterator[Receiver]:
    """Where Postfix hands on what it took."""
    async with Receiver() as receiver:
        yield receiver


@contextmanager
def submission(world: World, elsewhere: Receiver, **more: str) -> Iterator[tuple[Dovecot, int]]:
    with dovecot(USERS) as logins:
        settings = {
            "myhostname": "smtp.acme.example",
            "relayhost": f"[127.0.0.1]:{elsewhere.port}",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            **logins.postfix_settings,
            **more,
        }
        with postfix(settings, world.authority.issue("smtp.acme.example")) as port:
            yield logins, port


def server(port: int, **changes: object) -> Upstream:
    usual = Upstream(
        host="smtp.acme.example",
        port=port,
        tls=Tls.STARTTLS,
        username="billing@acme.example",
        password=Secret(PASSWORD),
    )
    return dataclasses.replace(usual, **changes)  # type: ignore[arg-type]


async def probe(world: World, upstream: Upstream, *, send: bool = False) -> tuple[Outcome, list[Step]]:
    steps: list[Step] = []
    prober = Prober(
        resolver=world.resolver(),
        guard=Guard(["127.0.0.0/8"]),
        ourselves=Ourselves(),
        contexts=world.contexts,
        hostname="relay.my.platform.example",
        platform="Platform",
        families=("ipv4",),
        lookout=Lookout(
            resolver=world.resolver(),
            guard=Guard(["127.0.0.0/8"]),
            families=("ipv4",),
            port_blocked=lambda: False,
            elsewhere={},
        ),
    )
    question = Question(sender="acme", contact=OWN, upstream=upstream, send=send)
    async with asyncio.timeout(30):
        return await prober.probe(question, Known(), steps.append), steps


@pytest.mark.parametrize("mechanism", [None, "PLAIN", "LOGIN"])
async def test_the_right_password_passes_every_step_and_the_test_mail_arrives(
    world: World, elsewhere: Receiver, mechanism: str | None
) -> None:
    world.zone.add("acme.example", "MX", "10 smtp.acme.example")
    with submission(world, elsewhere) as (logins, port):
        outcome, steps = await probe(world, server(port, mechanism=mechanism), send=True)
        (received,) = await elsewhere.wait_for(1)
        assert logins.refusals() == 0
    assert (outcome.passed, outcome.proves) == (True, True)
    assert [step.name.value for step in steps][-6:] == ["auth", "mail", "rcpt", "rset", "send", "quit"]
    assert received.recipients == ("billing@acme.example",)


async def test_a_wrong_password_is_one_refused_login_in_their_log(world: World, elsewhere: Receiver) -> None:
    with submission(world, elsewhere) as (logins, port):
        outcome, steps = await probe(world, server(port, password=Secret("canary-wrong")))
        assert logins.refusals() == 1
    assert outcome.finding is not None
    assert outcome.finding.kind is Kind.PASSWORD_WRONG
    assert outcome.refusal is Reason.AUTH_WRONG_PASSWORD
    assert steps[-1].seen.startswith("535 5.7.8 Error: authentication failed")


async def test_a_changed_password_is_seen_and_the_new_one_passes(world: World, elsewhere: Receiver) -> None:
    with submission(world, elsewhere) as (logins, port):
        logins.change({"billing@acme.example": "canary-new-password"})
        before, _ = await probe(world, server(port))
        after, _ = await probe(world, server(port, password=Secret("canary-new-password")))
    assert before.refusal is Reason.AUTH_WRONG_PASSWORD
    assert after.passed


async def test_an_account_that_may_not_send_as_this_address(world: World, elsewhere: Receiver) -> None:
    owners = "inline:{billing@acme.example=billing@acme.example}"
    with submission(
        world,
        elsewhere,
        smtpd_sender_login_maps=owners,
        smtpd_sender_restrictions="reject_sender_login_mismatch",
        smtpd_delay_reject="no",
    ) as (_, port):
        upstream = server(port, username="office@acme.example", password=Secret("canary-office"))
        outcome, steps = await probe(world, upstream)
    assert outcome.finding is not None
    assert outcome.finding.kind is Kind.ADDRESS_DIFFERS
    assert outcome.refusal is Reason.SENDER_NOT_ALLOWED
    assert "not owned by user office@acme.example" in steps[-1].seen


async def test_without_tls_no_password_leaves(world: World, elsewhere: Receiver) -> None:
    with submission(world, elsewhere, smtpd_tls_security_level="none") as (logins, port):
        outcome, steps = await probe(world, server(port))
        assert "billing" not in (logins.folder / "dovecot.log").read_text()
    assert outcome.finding is not None
    assert outcome.finding.kind is Kind.TLS_MISSING
    assert steps[-1].name.value == "tls"
