"""Delivering through a submission server, against real receivers on loopback."""

from __future__ import annotations

import asyncio
import base64
import dataclasses

import pytest

from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Reply, Stage
from relayd.core.retry import holding
from relayd.core.sender import Secret, Tls, Upstream
from relayd.core.verdict import Fate, Scope
from relayd.net.egress import Guard, Ourselves
from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Offers, Receiver
from relayd.sandbox.script import At, say

from .conftest import Letter, World, letter

HOP = Hop(Route.UPSTREAM, "acme")
PASSWORD = "canary-7f3a9c"


def upstream(port: int, **changes: object) -> Upstream:
    return dataclasses.replace(
        Upstream(
            host="smtp.acme.example",
            port=port,
            tls=Tls.STARTTLS,
            username="billing@acme.example",
            password=Secret(PASSWORD),
        ),
        **changes,  # type: ignore[arg-type]
    )


def mail(*recipients: str) -> Letter:
    return letter(*(recipients or ("bob@customer.example",)), hop=HOP)


def submission(world: World, **changes: object) -> Receiver:
    options = {
        "certificate": world.authority.issue("smtp.acme.example"),
        "users": {"billing@acme.example": PASSWORD},
        "require_login": True,
        **changes,
    }
    return Receiver(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
@pytest.mark.parametrize("mechanism", [None, "PLAIN", "LOGIN"])
async def test_a_message_is_handed_over_after_a_verified_login(
    world: World, tls: Tls, mechanism: str | None
) -> None:
    bill = mail("bob@customer.example", "eve@elsewhere.example")
    async with submission(world, implicit_tls=tls is Tls.IMPLICIT) as server:
        courier = world.upstream(upstream(server.port, tls=tls, mechanism=mechanism))
        attempts = await courier.deliver(bill.parcel, bill.body)
    assert [attempt.verdict.fate for attempt in attempts] == [Fate.SENT, Fate.SENT]
    assert attempts[0].tls is not None
    assert attempts[0].tls.valid
    assert server.logins == [("billing@acme.example", True)]
    assert server.received[0].content == bill.content
    assert server.received[0].recipients == ("bob@customer.example", "eve@elsewhere.example")


async def test_the_first_mechanism_we_can_is_used(world: World) -> None:
    bill = mail()
    async with submission(world, offers=Offers(mechanisms=("XOAUTH2", "LOGIN"))) as server:
        (attempt,) = await world.upstream(upstream(server.port)).deliver(bill.parcel, bill.body)
    assert attempt.verdict.fate is Fate.SENT
    assert any(line.text == "AUTH LOGIN" for line in server.lines)


@pytest.mark.parametrize("flaw", ["wrong name", "expired", "unknown authority"])
@pytest.mark.parametrize("tls", [Tls.STARTTLS, Tls.IMPLICIT])
async def test_no_password_is_shown_to_a_server_that_can_not_prove_its_name(
    world: World, flaw: str, tls: Tls
) -> None:
    certificate = {
        "wrong name": lambda: world.authority.issue("other.example"),
        "expired": lambda: world.authority.issue("smtp.acme.example", expired=True),
        "unknown authority": lambda: Authority("nobody knows").issue("smtp.acme.example"),
    }[flaw]()
    bill = mail()
    async with submission(world, certificate=certificate, implicit_tls=tls is Tls.IMPLICIT) as server:
        (attempt,) = await world.upstream(upstream(server.port, tls=tls)).deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert (attempt.evidence.kind, attempt.evidence.stage) == (FaultKind.TLS, Stage.TLS)
    assert "certificate" in attempt.evidence.text
    assert attempt.verdict.reason is Reason.NETWORK_TLS
    assert attempt.verdict.fate is Fate.DEFERRED
    assert server.logins == []
    assert server.uploads == []


async def test_an_authority_of_its_own_is_trusted_for_this_server(world: World, tmp_path) -> None:  # type: ignore[no-untyped-def]
    authority = Authority("of the house")
    ca_file = str(authority.write(tmp_path / "house.pem"))
    bill = mail()
    async with submission(world, certificate=authority.issue("smtp.acme.example")) as server:
        courier = world.upstream(upstream(server.port, ca_file=ca_file))
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert attempt.verdict.fate is Fate.SENT


async def test_no_password_is_sent_where_starttls_was_taken_away(world: World) -> None:
    bill = mail()
    async with submission(world, offers=Offers(starttls=False, login_in_clear=True)) as server:
        (attempt,) = await world.upstream(upstream(server.port)).deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.TLS_REQUIRED
    assert server.logins == []


@pytest.mark.parametrize("at", [At.STARTTLS, At.HANDSHAKE])
async def test_a_refused_handshake_is_never_followed_by_clear_text(world: World, at: At) -> None:
    bill = mail()
    async with submission(world) as server:
        server.tell(at, say("454 4.7.0 no TLS today"))
        (attempt,) = await world.upstream(upstream(server.port)).deliver(bill.parcel, bill.body)
    assert attempt.evidence.stage is Stage.TLS
    assert attempt.verdict.fate is Fate.DEFERRED
    assert (server.connections, server.logins) == (1, [])


# --- a refused login ---


async def test_a_refused_login_is_one_try_and_no_more(world: World) -> None:
    bill = mail()
    async with submission(world) as server:
        courier = world.upstream(upstream(server.port, password=Secret("wrong-9d1e")))
        (first,) = await courier.deliver(bill.parcel, bill.body)
        (second,) = await courier.deliver(bill.parcel, bill.body)
        assert len(server.logins) == 1
        courier.forget(HOP)
        await courier.deliver(bill.parcel, bill.body)
        assert len(server.logins) == 2
    assert isinstance(first.evidence, Reply)
    assert (first.evidence.code, first.evidence.stage) == (535, Stage.AUTH)
    assert first.verdict.scope is Scope.HOP
    assert (second.evidence, second.verdict) == (first.evidence, first.verdict)


async def test_a_wrong_password_reaches_the_server_once_however_many_messages_leave_together(
    world: World,
) -> None:
    async with submission(world, users={"billing@acme.example": "another"}) as server:
        courier = world.upstream(upstream(server.port))

        results = await asyncio.gather(
            *(courier.deliver(bill.parcel, bill.body) for bill in [mail() for _ in range(20)])
        )

    assert server.logins == [("billing@acme.example", False)]
    assert {attempt.verdict.reason for attempts in results for attempt in attempts} == {
        Reason.AUTH_WRONG_PASSWORD
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("535 5.7.1 Sorry", Reason.AUTH_WRONG_PASSWORD),
        ("535 5.1.1 Who?", Reason.AUTH_WRONG_PASSWORD),
        ("500 5.5.1 No", Reason.AUTH_NOT_LOGGED_IN),
        ("525 5.7.13 User account disabled", Reason.SENDER_BLOCKED),
    ],
)
async def test_whatever_code_a_server_refuses_a_login_with_it_is_tried_once_and_the_mail_held(
    world: World, answer: str, reason: Reason
) -> None:
    bill = mail()
    async with submission(world) as server:
        server.tell(At.AUTH, say(answer))
        courier = world.upstream(upstream(server.port))
        (first,) = await courier.deliver(bill.parcel, bill.body)
        (second,) = await courier.deliver(bill.parcel, bill.body)
    assert server.connections == 1
    assert holding(first, HOP.route) is reason
    assert second.verdict == first.verdict


async def test_senders_with_one_account_show_its_wrong_password_once_between_them(world: World) -> None:
    hops = [Hop(Route.UPSTREAM, f"sender{n}") for n in range(10)]
    async with submission(world, users={"billing@acme.example": "another"}) as server:
        courier = world.upstream(upstream(server.port))
        bills = [letter("bob@customer.example", hop=hop) for hop in hops]
        results = await asyncio.gather(*(courier.deliver(bill.parcel, bill.body) for bill in bills))
        assert server.logins == [("billing@acme.example", False)]

        courier.forget(hops[0])  # a person says: try again
        await courier.deliver(bills[0].parcel, bills[0].body)
        await courier.deliver(bills[1].parcel, bills[1].body)
        assert len(server.logins) == 2
    assert {attempts[0].verdict.reason for attempts in results} == {Reason.AUTH_WRONG_PASSWORD}


@pytest.mark.parametrize("at", [At.BANNER, At.EHLO_TLS])
async def test_mail_waits_for_a_server_that_sends_us_away_before_it_heard_of_it(world: World, at: At) -> None:
    bill = mail()
    async with submission(world) as server:
        server.tell(at, say("554 5.7.1 Not for you"))
        courier = world.upstream(upstream(server.port))
        (first,) = await courier.deliver(bill.parcel, bill.body)
    assert first.verdict.fate is Fate.DEFERRED
    assert server.logins == []


async def test_who_waits_for_a_server_that_is_down_waits_once(world: World) -> None:
    async with submission(world) as server:
        server.tell(At.BANNER, say("421 4.3.2 Service shutting down"))
        courier = world.upstream(upstream(server.port))

        await asyncio.gather(
            *(courier.deliver(bill.parcel, bill.body) for bill in [mail() for _ in range(20)])
        )

    assert server.connections == 1


async def test_a_new_password_is_tried_at_once(world: World) -> None:
    bill = mail()
    async with submission(world) as server:
        configured = [upstream(server.port, password=Secret("wrong-9d1e"))]
        courier = world.upstream(None, find=lambda hop: configured[0])
        await courier.deliver(bill.parcel, bill.body)
        configured[0] = upstream(server.port)
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert attempt.verdict.fate is Fate.SENT


async def test_a_passing_trouble_with_the_login_is_tried_again_later(world: World) -> None:
    bill = mail()
    async with submission(world) as server:
        server.tell(At.AUTH, say("454 4.7.0 Temporary authentication failure"))
        courier = world.upstream(upstream(server.port))
        (first,) = await courier.deliver(bill.parcel, bill.body)
        server.tell(At.AUTH)
        (second,) = await courier.deliver(bill.parcel, bill.body)
    assert first.verdict.fate is Fate.DEFERRED
    assert second.verdict.fate is Fate.SENT


@pytest.mark.parametrize(
    ("offers", "mechanism"),
    [
        (Offers(mechanisms=("CRAM-MD5",)), None),
        (Offers(mechanisms=("PLAIN",)), "LOGIN"),
        (Offers(mechanisms=()), None),
    ],
)
async def test_without_a_mechanism_in_common_no_login_is_tried(
    world: World, offers: Offers, mechanism: str | None
) -> None:
    bill = mail()
    async with submission(world, offers=offers) as server:
        courier = world.upstream(upstream(server.port, mechanism=mechanism))
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.MECHANISM
    assert server.logins == []


# --- where an upstream may be ---


async def test_the_servers_of_customers_are_guarded(world: World) -> None:
    bill = mail()
    async with submission(world) as server:
        courier = world.upstream(upstream(server.port), guard=Guard())
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.FORBIDDEN
    assert server.connections == 0


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "127.0.0.1", "::1", "[::1]"]
)
async def test_a_customer_names_a_server_and_no_number(world: World, host: str) -> None:
    bill = mail()
    async with submission(world) as server:
        courier = world.upstream(upstream(server.port, host=host), guard=Guard())
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.FORBIDDEN
    assert server.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_operators_smarthost_on_this_machine_may_be_plain(world: World, host: str) -> None:
    bill = mail()
    async with Receiver() as server:
        plain = upstream(server.port, host=host, tls=Tls.NONE, username=None, password=None)
        courier = world.upstream(plain, guard=None)
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert attempt.verdict.fate is Fate.SENT
    assert attempt.tls is None


async def test_a_login_is_never_sent_in_clear_not_even_to_this_machine(world: World) -> None:
    bill = mail()
    async with submission(world, offers=Offers(login_in_clear=True)) as server:
        courier = world.upstream(upstream(server.port, host="127.0.0.1", tls=Tls.NONE), guard=None)
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.TLS_REQUIRED
    assert server.logins == []


async def test_clear_text_never_leaves_the_machine(world: World) -> None:
    world.zone.set("smtp.acme.example", "A", "192.168.7.7")
    bill = mail()
    plain = upstream(25, tls=Tls.NONE, username=None, password=None)
    (attempt,) = await world.upstream(plain, guard=None).deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert "TLS is required" in attempt.evidence.text


async def test_our_own_listener_is_no_upstream(world: World) -> None:
    bill = mail()
    async with submission(world) as server:
        courier = world.upstream(
            upstream(server.port), ourselves=Ourselves(listeners=[("127.0.0.1", server.port)])
        )
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.LOOP
    assert server.connections == 0


async def test_a_hop_without_a_server_is_a_fault_of_ours(world: World) -> None:
    bill = mail()
    (attempt,) = await world.upstream(None).deliver(bill.parcel, bill.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.INTERNAL


# --- connections, secrets ---


async def test_senders_with_different_logins_never_share_a_connection(world: World) -> None:
    users = {"billing@acme.example": PASSWORD, "other@acme.example": PASSWORD}
    async with submission(world, users=users) as server:
        servers = {
            "acme": upstream(server.port),
            "other": upstream(server.port, username="other@acme.example"),
        }
        courier = world.upstream(None, find=lambda hop: servers[hop.name])
        for name in ("acme", "other", "acme", "other"):
            bill = letter("bob@customer.example", hop=Hop(Route.UPSTREAM, name))
            await courier.deliver(bill.parcel, bill.body)
    assert server.connections == 2
    assert [received.login for received in server.received] == [
        "billing@acme.example",
        "other@acme.example",
        "billing@acme.example",
        "other@acme.example",
    ]


PLAIN = base64.b64encode(f"\0billing@acme.example\0{PASSWORD}".encode()).decode()
ALONE = base64.b64encode(PASSWORD.encode()).decode()


@pytest.mark.parametrize("echo", [PLAIN, ALONE, PASSWORD])
async def test_a_server_that_repeats_our_password_does_not_get_it_into_a_log(
    world: World, echo: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    bill = mail()
    async with submission(world) as server:
        server.tell(At.AUTH, say(f"500 5.5.1 unrecognized: AUTH PLAIN {echo}"))
        courier = world.upstream(upstream(server.port))
        (attempt,) = await courier.deliver(bill.parcel, bill.body)
    assert "***" in attempt.evidence.text
    assert echo not in repr(attempt)
    assert not any(secret in caplog.text for secret in (PLAIN, ALONE, PASSWORD))
    assert PASSWORD not in repr(upstream(1))


# --- the mail exchanger as upstream ---


@pytest.mark.parametrize(
    ("domain", "reason"),
    [
        ("my.platform.example", Reason.UPSTREAM_IS_MX),
        ("elsewhere.example", Reason.UPSTREAM_RELAY_DENIED),
    ],
)
async def test_the_mail_exchanger_of_the_sender_that_relays_for_nobody_is_called_so(
    world: World, domain: str, reason: Reason
) -> None:
    world.zone.add(domain, "MX", "10 smtp.acme.example")
    bill = mail()
    async with submission(world) as server:
        server.tell(At.RCPT, say("554 5.7.1 <bob@customer.example>: Relay access denied"))
        (attempt,) = await world.upstream(upstream(server.port)).deliver(bill.parcel, bill.body)
    assert attempt.verdict.reason is reason
    assert attempt.verdict.fate is Fate.FAILED


async def test_an_account_that_is_locked_is_tried_again_later(world: World) -> None:
    bill = mail()
    async with submission(world) as server:
        server.tell(At.AUTH, say("535 5.7.0 (#AUTH005) Too many bad auth attempts."))
        courier = world.upstream(upstream(server.port))
        (first,) = await courier.deliver(bill.parcel, bill.body)
        server.tell(At.AUTH)
        (second,) = await courier.deliver(bill.parcel, bill.body)
    assert first.verdict.reason is Reason.AUTH_TOO_MANY_ATTEMPTS
    assert second.verdict.fate is Fate.SENT


async def test_an_exchanger_that_lets_nobody_log_in_holds_the_mail_for_a_person(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.zone.add("my.platform.example", "MX", "10 smtp.acme.example")
    bill = mail()
    async with submission(world, offers=Offers(mechanisms=())) as server:
        monkeypatch.setattr("relayd.couriers.upstream.MX_PORT", server.port)
        (attempt,) = await world.upstream(upstream(server.port)).deliver(bill.parcel, bill.body)
    assert attempt.verdict.reason is Reason.UPSTREAM_IS_MX
    assert holding(attempt, bill.parcel.hop.route) is Reason.UPSTREAM_IS_MX
