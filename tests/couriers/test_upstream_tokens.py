"""Logging in with access tokens, at a receiving server that looks at each of them."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
from dataclasses import dataclass, field

import pytest

from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Reply, Stage
from relayd.core.sender import Secret, Tls, Upstream
from relayd.core.verdict import Fate, Scope
from relayd.couriers.upstream import UpstreamCourier
from relayd.sandbox.receiver import Offers, Receiver
from relayd.sandbox.script import USUAL, Action, At, End, say

from .conftest import World, letter

HOP = Hop(Route.UPSTREAM, "acme")
ACCOUNT = "billing@acme.example"


@dataclass
class Tokens:
    """Gives tokens that are numbered; `good` are those that the server takes."""

    good: set[str] = field(default_factory=lambda: {"canary-1"})
    given: int = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    fault: Fault | None = None
    long: str = ""

    async def access_token(self, sender: str, refused: Secret | None = None) -> Secret | Fault:
        self.asked.append((sender, refused.value if refused else None))
        if self.fault is not None:
            return self.fault
        if refused is not None or not self.given:
            self.given += 1
        return Secret(f"canary-{self.given}{self.long}")

    def takes(self, user: str, token: str) -> bool:
        return user == ACCOUNT and token.removesuffix(self.long) in self.good


def upstream(port: int, **changes: object) -> Upstream:
    known = Upstream(
        host="smtp.acme.example", port=port, tls=Tls.STARTTLS, username=ACCOUNT, oauth="microsoft"
    )
    return dataclasses.replace(known, **changes)  # type: ignore[arg-type]


def submission(world: World, tokens: Tokens, *mechanisms: str, **changes: object) -> Receiver:
    options = {
        "certificate": world.authority.issue("smtp.acme.example"),
        "takes_token": tokens.takes,
        "require_login": True,
        "offers": Offers(mechanisms=mechanisms or ("XOAUTH2", "OAUTHBEARER")),
        **changes,
    }
    return Receiver(**options)  # type: ignore[arg-type]


def courier(world: World, tokens: Tokens, settings: Upstream) -> UpstreamCourier:
    return world.upstream(settings, tokens=tokens)


@pytest.mark.parametrize(
    ("offered", "wanted", "used"),
    [
        (("PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"), None, "XOAUTH2"),
        (("PLAIN", "OAUTHBEARER"), None, "OAUTHBEARER"),
        (("XOAUTH2", "OAUTHBEARER"), "OAUTHBEARER", "OAUTHBEARER"),
    ],
)
@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
@pytest.mark.parametrize("size", ["short", "long"])
async def test_a_token_logs_in_by_what_the_server_offers(
    world: World, offered: tuple[str, ...], wanted: str | None, used: str, tls: Tls, size: str
) -> None:
    tokens, bill = Tokens(long="x" * 3000 if size == "long" else ""), letter(hop=HOP)
    async with submission(world, tokens, *offered, implicit_tls=tls is Tls.IMPLICIT) as server:
        settings = upstream(server.port, tls=tls, mechanism=wanted)
        (attempt,) = await courier(world, tokens, settings).deliver(bill.parcel, bill.body)
    assert attempt.verdict.fate is Fate.SENT
    assert server.logins == [(ACCOUNT, True)]
    begun = [line.text for line in server.lines if line.text.startswith("AUTH")]
    assert [line.split()[1] for line in begun] == [used]
    assert all(len(line.text) < 512 for line in server.lines)


async def test_a_refused_token_is_fetched_anew_once(world: World) -> None:
    tokens, bill = Tokens(good={"canary-2"}), letter(hop=HOP)
    async with submission(world, tokens) as server:
        (attempt,) = await courier(world, tokens, upstream(server.port)).deliver(bill.parcel, bill.body)
    assert attempt.verdict.fate is Fate.SENT
    assert [taken for _, taken in server.logins] == [False, True]
    assert tokens.asked == [("acme", None), ("acme", "canary-1")]


@pytest.mark.parametrize(
    ("mechanism", "answer", "why"), [("XOAUTH2", "", "(401)"), ("OAUTHBEARER", "AQ==", "(invalid_token)")]
)
async def test_a_second_refusal_holds_the_mail_and_nothing_more_is_tried(
    world: World, mechanism: str, answer: str, why: str
) -> None:
    tokens, bill = Tokens(good=set()), letter(hop=HOP)
    async with submission(world, tokens, mechanism, "PLAIN", "LOGIN") as server:
        sends = courier(world, tokens, upstream(server.port))
        (attempt,) = await sends.deliver(bill.parcel, bill.body)
        results = await asyncio.gather(
            *(sends.deliver(more.parcel, more.body) for more in [letter(hop=HOP) for _ in range(20)])
        )
        assert len(server.logins) == 2
        sends.forget(HOP)
        await sends.deliver(bill.parcel, bill.body)
        assert len(server.logins) == 4
    assert isinstance(attempt.evidence, Reply)
    assert (attempt.evidence.code, attempt.evidence.stage) == (535, Stage.AUTH)
    assert why in attempt.evidence.text
    assert (attempt.verdict.fate, attempt.verdict.reason, attempt.verdict.scope) == (
        Fate.DEFERRED,
        Reason.AUTH_TOKEN_EXPIRED,
        Scope.HOP,
    )
    assert {a.verdict.reason for attempts in results for a in attempts} == {Reason.AUTH_TOKEN_EXPIRED}
    said = next(line.text for line in server.lines if "challenge" in line.text)
    assert said == f"answer to the challenge: {answer}"
    assert not any(line.text.startswith(("AUTH PLAIN", "AUTH LOGIN")) for line in server.lines)
    assert "canary" not in repr(attempt)


async def test_what_a_new_token_can_not_mend_is_not_tried_twice(world: World) -> None:
    tokens, bill = Tokens(), letter(hop=HOP)
    off = "534 5.7.9 Application-specific password required"
    async with submission(world, tokens) as server:
        server.tell(At.AUTH, say(off))
        (attempt,) = await courier(world, tokens, upstream(server.port)).deliver(bill.parcel, bill.body)
        assert server.connections == 1
    assert attempt.verdict.reason is Reason.AUTH_APP_PASSWORD_NEEDED
    assert len(tokens.asked) == 1


async def test_a_token_that_a_server_repeats_is_not_shown(world: World) -> None:
    tokens, bill = Tokens(), letter(hop=HOP)
    blob = base64.b64encode(f"user={ACCOUNT}\x01auth=Bearer canary-1\x01\x01".encode()).decode()
    async with submission(world, tokens) as server:
        server.tell(At.AUTH, say(f"500 5.5.1 unrecognized: AUTH XOAUTH2 {blob} canary-1"))
        (attempt,) = await courier(world, tokens, upstream(server.port)).deliver(bill.parcel, bill.body)
    assert "canary" not in repr(attempt)
    assert blob not in repr(attempt)


async def test_without_a_token_nobody_connects(world: World) -> None:
    fault = Fault(kind=FaultKind.TOKEN, text="nobody signed in", stage=Stage.AUTH, host="login.example")
    tokens, bill = Tokens(fault=fault), letter(hop=HOP)
    async with submission(world, tokens) as server:
        (attempt,) = await courier(world, tokens, upstream(server.port)).deliver(bill.parcel, bill.body)
        assert server.connections == 0
    assert (attempt.evidence, attempt.verdict.reason) == (fault, Reason.AUTH_TOKEN_EXPIRED)
    assert attempt.verdict.scope is Scope.HOP


@pytest.mark.parametrize("flaw", ["no STARTTLS", "another name"])
async def test_no_token_travels_without_verified_tls(world: World, flaw: str) -> None:
    tokens, bill = Tokens(), letter(hop=HOP)
    changes: dict[str, object] = {
        "no STARTTLS": {
            "offers": Offers(mechanisms=("XOAUTH2",), starttls=False, login_in_clear=True),
        },
        "another name": {"certificate": world.authority.issue("other.example")},
    }[flaw]
    async with submission(world, tokens, **changes) as server:
        (attempt,) = await courier(world, tokens, upstream(server.port)).deliver(bill.parcel, bill.body)
    assert attempt.verdict.fate is Fate.DEFERRED
    assert server.logins == []
    assert not any(line.text.startswith("AUTH") for line in server.lines)


async def test_a_server_that_takes_only_passwords_gets_nothing(world: World) -> None:
    tokens, bill = Tokens(), letter(hop=HOP)
    async with submission(world, tokens, "PLAIN", "LOGIN") as server:
        settings = upstream(server.port, password=Secret("canary-password"))
        (attempt,) = await courier(world, tokens, settings).deliver(bill.parcel, bill.body)
    assert attempt.verdict.reason is Reason.AUTH_MECHANISM
    assert server.logins == []


async def test_an_open_connection_belongs_to_its_sender_alone(world: World) -> None:
    """Another sender that writes the same account into its settings has not signed in."""
    tokens, evil = Tokens(), Hop(Route.UPSTREAM, "evil")
    async with submission(world, tokens) as server:
        sends = courier(world, tokens, upstream(server.port))
        bill = letter(hop=HOP)
        await sends.deliver(bill.parcel, bill.body)
        tokens.fault = Fault(kind=FaultKind.TOKEN, text="not signed in", stage=Stage.AUTH, host="x")
        other = letter(hop=evil)
        (attempt,) = await sends.deliver(other.parcel, other.body)
        assert attempt.verdict.reason is Reason.AUTH_TOKEN_EXPIRED
        assert len(server.received) == 1
        again = letter(hop=HOP)
        (attempt,) = await sends.deliver(again.parcel, again.body)
        assert attempt.verdict.fate is Fate.SENT
        assert server.connections == 1
        sends.forget(HOP)
        (attempt,) = await sends.deliver(again.parcel, again.body)
        assert attempt.verdict.reason is Reason.AUTH_TOKEN_EXPIRED


async def test_a_connection_whose_login_ran_out_is_replaced(world: World) -> None:
    tokens = Tokens()
    async with submission(world, tokens) as server:
        server.tell(At.MAIL, USUAL, Action(say="530 5.7.57 Client not authenticated", end=End.CLOSE), USUAL)
        sends = courier(world, tokens, upstream(server.port))
        for _ in range(2):
            bill = letter(hop=HOP)
            (attempt,) = await sends.deliver(bill.parcel, bill.body)
            assert attempt.verdict.fate is Fate.SENT
        assert server.connections == 2
