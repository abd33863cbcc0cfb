"""Mail and probes of one server take turns with one password, so that a wrong one reaches it once."""

from __future__ import annotations

import asyncio

import pytest

from relayd.core.address import Address
from relayd.core.mail import Hop, Route
from relayd.core.probe import Known, Question, Step
from relayd.core.reasons import Reason
from relayd.core.sender import Secret, Tls, Upstream
from relayd.core.verdict import Fate
from relayd.identity.lookout import Lookout
from relayd.identity.probe import Prober
from relayd.net.egress import Guard, Ourselves
from relayd.sandbox.receiver import Receiver

from .conftest import World, letter

HOP = Hop(Route.UPSTREAM, "acme")
OWN = Address("billing", "acme.example")
PASSWORD = "canary-7f3a9c"


def prober(world: World) -> Prober:
    guard = Guard(["127.0.0.0/8"])
    resolver = world.resolver()
    lookout = Lookout(
        resolver=resolver, guard=guard, families=("ipv4",), port_blocked=lambda: False, elsewhere={}
    )
    return Prober(
        resolver=resolver,
        guard=guard,
        ourselves=Ourselves(),
        contexts=world.contexts,
        hostname="relay.my.platform.example",
        platform="Platform",
        lookout=lookout,
        families=("ipv4",),
    )


@pytest.mark.parametrize("password", [PASSWORD, "canary-wrong"])
async def test_a_password_is_tried_once_by_mail_and_probes_together(world: World, password: str) -> None:
    server = Receiver(
        certificate=world.authority.issue("smtp.acme.example"),
        users={str(OWN): PASSWORD},
        require_login=True,
    )
    async with server:
        upstream = Upstream(
            host="smtp.acme.example",
            port=server.port,
            tls=Tls.STARTTLS,
            username=str(OWN),
            password=Secret(password),
        )
        courier, probing = world.upstream(upstream), prober(world)
        question = Question(sender="acme", contact=OWN, upstream=upstream)
        steps: list[Step] = []
        mail = [letter("bob@customer.example", hop=HOP) for _ in range(10)]

        async with asyncio.timeout(20):
            probes, deliveries = await asyncio.gather(
                asyncio.gather(
                    *(probing.probe(question, Known(), steps.append, courier.turn(HOP)) for _ in range(3))
                ),
                asyncio.gather(*(courier.deliver(one.parcel, one.body) for one in mail)),
            )
        await courier.close()
    refused = [name for name, taken in server.logins if not taken]
    if password == PASSWORD:
        assert refused == []
        assert all(outcome.passed for outcome in probes)
        assert {attempt.verdict.fate for attempts in deliveries for attempt in attempts} == {Fate.SENT}
    else:
        assert refused == [str(OWN)]
        assert {outcome.refusal for outcome in probes} == {Reason.AUTH_WRONG_PASSWORD}
        reasons = {attempt.verdict.reason for attempts in deliveries for attempt in attempts}
        assert reasons == {Reason.AUTH_WRONG_PASSWORD}
