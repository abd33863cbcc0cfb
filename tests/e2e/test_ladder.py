"""The sender ladder as receivers and apps meet it: the daemon as a child, a real zone, a real receiver."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

Invoice = Callable[..., EmailMessage]
KEY = "r1._domainkey.{}"
GLOBEX = {
    "name": "Globex",
    "address": "office@globex.example",
    "confirmed": True,
    "send_as": "own",
}


async def hand_in(
    daemon: Any, content: bytes, mail_from: str, to: str = "kunde@customer.example"
) -> tuple[int, str]:
    """Send octets as an app does; gives the answer to the final dot."""

    def send() -> tuple[int, bytes]:
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as smtp:
            smtp.ehlo("app")
            assert smtp.mail(mail_from)[0] == 250
            assert smtp.rcpt(to)[0] == 250
            return smtp.data(content)

    code, text = await asyncio.to_thread(send)
    return code, text.decode()


def message(header_from: str, *more: str) -> bytes:
    return "\r\n".join((f"From: {header_from}", *more, "Subject: Rechnung", "", "Text", "")).encode()


async def test_on_the_default_address_dmarc_passes_and_replies_come_to_the_customer(
    world: Any, invoice: Invoice
) -> None:
    await hand_in(world.daemon, bytes(invoice("kunde@customer.example")), "billing@acme.example")

    [got] = await world.receiver.wait_for(1)
    read = message_from_bytes(got.content, policy=policy.default)
    assert world.verified(got.content) == ["my.platform.example"]
    assert str(read["From"]) == "Acme GmbH & Söhne <acme@my.platform.example>"
    assert read["Reply-To"] == "billing@acme.example"
    assert got.mail_from.endswith("@bounce.my.platform.example")
    assert "X-Relayd-Ref" not in read


async def test_from_a_proven_own_address_both_domains_sign(world: Any, invoice: Invoice) -> None:
    mail = invoice("kunde@customer.example", sender="office@globex.example")
    await hand_in(world.daemon, bytes(mail), "office@globex.example")

    [got] = await world.receiver.wait_for(1)
    assert world.verified(got.content) == ["globex.example", "my.platform.example"]
    assert "office@globex.example" in str(message_from_bytes(got.content, policy=policy.default)["From"])
    assert got.mail_from.endswith("@bounce.my.platform.example")


async def test_without_the_key_in_dns_the_own_address_falls_back_and_says_so(make_world: Any) -> None:
    async with make_world() as world:
        world.zone.remove(KEY.format("globex.example"))
        await world.daemon.start()
        await hand_in(world.daemon, message("office@globex.example"), "office@globex.example")

        [got] = await world.receiver.wait_for(1)
        assert b"<globex@my.platform.example>" in got.content
        assert world.verified(got.content) == ["my.platform.example"]
        await world.daemon.until(
            lambda: any(e["type"] == "accepted" for e in world.daemon.events()), "accepted"
        )
        [event] = [e for e in world.daemon.events() if e["type"] == "accepted"]
        assert (event["rung"], event["proof"], event["reason"]) == ("default", "platform", "sender.unproven")


@pytest.mark.parametrize(
    ("missing", "reason", "senders"),
    [
        ("globex.example", "sender.unproven", {"globex": {**GLOBEX, "if_unproven": "hold"}}),
        ("my.platform.example", "signing.failed", {"globex": {**GLOBEX, "send_as": "default"}}),
    ],
)
async def test_what_waits_for_a_key_leaves_when_it_is_published(
    make_world: Any, missing: str, reason: str, senders: dict[str, Any]
) -> None:
    async with make_world(senders=senders) as world:
        record = world.zone.values(KEY.format(missing), "TXT")[0]
        world.zone.remove(KEY.format(missing))
        await world.daemon.start()
        code, text = await hand_in(world.daemon, message("office@globex.example"), "office@globex.example")
        assert code == 250
        assert f"held {reason}" in text

        assert await world.daemon.stop() == 0
        assert world.receiver.received == []
        world.zone.add(KEY.format(missing), "TXT", record)
        await world.daemon.start()  # its first look finds the key

        [got] = await world.receiver.wait_for(1)
        assert missing in world.verified(got.content)


DOUBTFUL = [
    (message("else@globex.example"), "office@globex.example", "550 5.7.1 policy.from_mismatch"),
    (message("a@acme.example, b@acme.example"), "billing@acme.example", "554 5.6.0 message.malformed"),
    (message("a@x.example", "From: b@x.example"), "billing@acme.example", "554 5.6.0 message.malformed"),
    (b"Subject: x\r\n\r\nText\r\n", "billing@acme.example", "554 5.6.0 message.malformed"),
    (
        message("a@x.example", "Resent-From: b@x.example"),
        "billing@acme.example",
        "554 5.6.0 message.malformed",
    ),
    (message("x@nobody.example"), "x@nobody.example", "550 5.7.1 sender.unknown"),
    (message("office@globex.example"), "billing@acme.example", "550 5.7.1 sender.ambiguous"),
    (message("a@x.example", "X-Relayd-Sender: no"), "billing@acme.example", "550 5.7.1 sender.unknown"),
]


async def test_a_sender_in_doubt_is_refused_with_its_reason(world: Any) -> None:
    for content, mail_from, answer in DOUBTFUL:  # one daemon for all: a start takes seconds
        code, text = await hand_in(world.daemon, content, mail_from)
        assert f"{code} {text}".startswith(answer), content
    assert world.receiver.received == []


async def test_the_header_names_the_sender_and_a_null_return_path_stays_null(world: Any) -> None:
    content = message("app@internal.example", "X-Relayd-Sender: acme", "Bcc: hidden@x.example")
    code, _ = await hand_in(world.daemon, content, "")
    assert code == 250

    [got] = await world.receiver.wait_for(1)
    assert got.mail_from == ""
    assert b"hidden" not in got.content
    assert world.verified(got.content) == ["my.platform.example"]
