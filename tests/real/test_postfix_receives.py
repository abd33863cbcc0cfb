"""Postfix as a recipient's mail exchanger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Reply, Stage
from relayd.core.verdict import Fate
from relayd.sandbox.receiver import Receiver

from ..couriers.conftest import World, authority, contexts, letter, world
from .postfix_instance import postfix, why_not

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(40),
    pytest.mark.skipif(why_not() is not None, reason=why_not() or ""),
]

__all__ = ["authority", "contexts", "world"]

HOP = Hop(Route.DIRECT, "customer.example")


@pytest.fixture
async def mailbox() -> AsyncIterator[Receiver]:
    """Where Postfix hands on what it took."""
    async with Receiver() as receiver:
        yield receiver


def exchanger(mailbox: Receiver, **more: str) -> dict[str, str]:
    return {
        "myhostname": "mx.customer.example",
        "relay_domains": "customer.example",
        "relay_transport": f"smtp:[127.0.0.1]:{mailbox.port}",
        "relay_recipient_maps": "inline:{bob@customer.example=ok, eve@customer.example=ok}",
        "smtpd_relay_restrictions": "reject_unauth_destination",
        **more,
    }


async def test_postfix_takes_our_mail_over_tls_and_hands_on_the_very_same_bytes(
    world: World, mailbox: Receiver
) -> None:
    body = b"Gr\xc3\xbc\xc3\x9fe\r\n.\r\n..\r\n.dot\r\n" + b"x" * 998 + b"\r\n\r\n"
    mail = letter("bob@customer.example", "eve@customer.example", hop=HOP, body=body, eight_bit=True)
    with postfix(exchanger(mailbox), world.authority.issue("mx.customer.example")) as port:
        courier = world.direct(port, require_tls=True)
        attempts = await courier.deliver(mail.parcel, mail.body)
        (received, *_) = await mailbox.wait_for(1)
        await courier.close()
    assert [attempt.verdict.fate for attempt in attempts] == [Fate.SENT, Fate.SENT]
    assert attempts[0].tls is not None
    assert (attempts[0].tls.version, attempts[0].tls.valid) == ("TLSv1.3", True)
    header, _, rest = received.content.partition(b"\r\nFrom: ")
    assert header.startswith(b"Received: ")
    assert b" with ESMTPS id " in header
    assert b"From: " + rest == mail.content


async def test_postfix_refuses_one_recipient_and_takes_the_other(world: World, mailbox: Receiver) -> None:
    mail = letter("nobody@customer.example", "eve@customer.example", hop=HOP)
    with postfix(exchanger(mailbox), world.authority.issue("mx.customer.example")) as port:
        courier = world.direct(port)
        nobody, eve = await courier.deliver(mail.parcel, mail.body)
        await mailbox.wait_for(1)
        await courier.close()
    assert isinstance(nobody.evidence, Reply)
    assert (nobody.evidence.code, nobody.evidence.enhanced) == (550, "5.1.1")
    assert nobody.verdict.reason is Reason.RECIPIENT_UNKNOWN
    assert eve.verdict.fate is Fate.SENT


async def test_a_kept_connection_carries_on_after_postfix_refused_everything(
    world: World, mailbox: Receiver
) -> None:
    refused, taken = letter("nobody@customer.example", hop=HOP), letter("bob@customer.example", hop=HOP)
    with postfix(exchanger(mailbox), world.authority.issue("mx.customer.example")) as port:
        courier = world.direct(port)
        for _ in range(3):
            (no,) = await courier.deliver(refused.parcel, refused.body)
            (yes,) = await courier.deliver(taken.parcel, taken.body)
            assert no.evidence.stage is Stage.RCPT
            assert yes.verdict.fate is Fate.SENT
        await mailbox.wait_for(3)
        await courier.close()


async def test_postfix_says_what_is_too_big_before_we_upload_it(world: World, mailbox: Receiver) -> None:
    settings = exchanger(mailbox, message_size_limit="100000")
    mail = letter("bob@customer.example", hop=HOP, body=b"x" * 70 + b"\r\n" * 60_000)
    with postfix(settings, world.authority.issue("mx.customer.example")) as port:
        courier = world.direct(port)
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
        await courier.close()
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.TOO_BIG
    assert mail.read == 0


async def test_large_messages_side_by_side_arrive_whole(world: World, mailbox: Receiver) -> None:
    settings = exchanger(mailbox, message_size_limit="20000000")
    chunk = (b"." + b"y" * 76 + b"\r\n") * 8_000
    mails = [letter("bob@customer.example", hop=HOP, body=[chunk] * 6) for _ in range(4)]
    with postfix(settings, world.authority.issue("mx.customer.example")) as port:
        courier = world.direct(port)
        results = await asyncio.gather(*(courier.deliver(mail.parcel, mail.body) for mail in mails))
        received = await mailbox.wait_for(4)
        await courier.close()
    assert [attempt.verdict.fate for (attempt,) in results] == [Fate.SENT] * 4
    assert {one.content[-len(mails[0].content) :] for one in received} == {mails[0].content}
