"""Probing a customer's server: each step told, the cause named, one login at most, and never in clear."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from relayd.core.address import Address
from relayd.core.findings import Kind
from relayd.core.probe import Known, Mark, Question, Step, StepName
from relayd.core.reasons import Reason
from relayd.core.sender import Secret, Tls, Upstream
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
                "elsewhere": {},
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
