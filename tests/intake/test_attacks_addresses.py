"""Attacks through addresses, identities and loops: A21 to A25, as far as intake meets them."""

from __future__ import annotations

from typing import Any

import pytest

HEADER = b"From: billing@acme.example\r\nSubject: x\r\n\r\n"
END = b"\r\n.\r\n"

RCPT = [
    ("<@own.example,@x.example:user@evil.example>", "501 5.1.3"),
    ("<@a.example,@b.example:c@d.example>", "501 5.1.3"),
    ("<a(c)@x.example>", "501 5.1.3"),
    ("<a..b@x.example>", "501 5.1.3"),
    ("<user@evil.example@own.example>", "501 5.1.3"),
    ("<user@own.example:2525>", "501 5.1.3"),
    ("<user@[127.0.0.1]>", "550 5.1.2"),
    ("<user@[IPv6:::1]>", "550 5.1.2"),
    ("<user@127.0.0.1>", "550 5.1.2"),
    ("<user@localhost>", "550 5.1.2"),
    ("<user@.>", "501 5.1.3"),
    ("<user@a..b>", "550 5.1.2"),
    ("<user@own.example.>", "501 5.1.3"),
    (f"<{'a' * 65}@own.example>", "501 5.1.3"),
    (f"<a@{'.'.join(['a' * 60] * 5)}>", "550 5.1.2"),
    (f"<{'a' * 60}@{'.'.join(['a' * 60] * 4)}>", "501 5.1.3"),
    ("<user @own.example>", "501 5.5.4"),
    ("<user@own.example >", "501 5.5.4"),
    ("<>", "501 5.1.3"),
    ("<;id;>", "501 5.1.3"),
    ("<root>", "501 5.1.3"),
    ("<|/bin/sh>", "501 5.1.3"),
    ("<user@xn--zz--.example>", "550 5.1.2"),
    ("user@own.example", "501 5.5.4"),
]


@pytest.mark.parametrize(("path", "wanted"), RCPT)
async def test_a21_what_is_no_plain_address_is_refused(world: Any, path: str, wanted: str) -> None:
    client = await world.hello()
    await client.say("MAIL FROM:<billing@acme.example>")
    reply = await client.say(f"RCPT TO:{path}")
    assert reply.startswith(wanted), reply
    assert (await client.say("DATA")).startswith("554 5.5.1")
    assert await world.messages() == []


@pytest.mark.parametrize(
    "address",
    ["user%evil.example@own.example", "evil.example!user@own.example", '"user@evil.example"@own.example'],
)
async def test_a21_tricks_of_old_relays_are_local_parts_and_nothing_more(world: Any, address: str) -> None:
    client = await world.hello()
    await client.begin(to=address)
    await client.send(HEADER + b"x" + END)
    assert (await client.reply()).startswith("250")
    (message,) = await world.messages()
    assert [str(one.address) for one in message.recipients] == [address]
    assert message.recipients[0].hop.name == "own.example"


@pytest.mark.parametrize("path", ["<;id;>", "<root>", "<@a:b@c.example>", "<a@[127.0.0.1]>", "<a@localhost>"])
async def test_a21_a_sender_address_is_read_as_strictly(world: Any, path: str) -> None:
    client = await world.hello()
    assert (await client.say(f"MAIL FROM:{path}"))[:3] in ("501", "550")
    assert (await client.say("RCPT TO:<a@b.example>")).startswith("503")


FROM = [
    (b"", "554 5.6.0 message.malformed"),
    (b"From: billing@acme.example\r\nFrom: billing@acme.example\r\n", "554 5.6.0 message.malformed"),
    (b"From: billing@acme.example, ceo@acme.example\r\n", "554 5.6.0 message.malformed"),
    (b"From: us: billing@acme.example;\r\n", "554 5.6.0 message.malformed"),
    (b"From: billing@acme.example\r\nSubject: a\r\nSubject: b\r\n", "554 5.6.0 message.malformed"),
    (b"From: billing@acme.example\r\nResent-From: x@y.example\r\n", "554 5.6.0 message.malformed"),
    (b"From: someone@stranger.example\r\n", "550 5.7.1 sender.unknown"),
]


@pytest.mark.parametrize(("header", "wanted"), FROM, ids=repr)
async def test_a22_nobody_sends_as_somebody_else(world: Any, header: bytes, wanted: str) -> None:
    client = await world.hello()
    await client.begin(sender="someone@stranger.example")
    await client.send(header + b"\r\nx" + END)
    assert (await client.reply()).startswith(wanted)
    assert await world.messages() == []


async def test_a22_a_login_sends_only_as_its_senders(make_world: Any) -> None:
    world = await make_world(logins=[{"username": "app", "password": "canary", "senders": ["other"]}])
    for named in (b"", b"X-Relayd-Sender: acme\r\n"):
        client = await world.hello()
        assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnk=")).startswith("235")
        await client.begin()
        await client.send(named + HEADER + b"x" + END)
        reply = await client.reply()
        assert reply.startswith("250" if not named else "550 5.7.1 sender.not_allowed"), reply
    assert [message.sender for message in await world.messages()] == ["other"]


async def test_a23_a_domain_is_the_one_of_idna_2008_and_no_other(world: Any) -> None:
    client = await world.hello()
    await client.say("MAIL FROM:<billing@acme.example> SMTPUTF8")
    for domain in ("straße.example", "рaypal.example", "xn--strae-oqa.example"):
        assert (await client.say(f"RCPT TO:<a@{domain}>")).startswith("250")
    await client.say("DATA")
    await client.send(HEADER + b"x" + END)
    await client.reply()
    (message,) = await world.messages()
    assert [one.address.domain for one in message.recipients] == [
        "xn--strae-oqa.example",
        "xn--aypal-uye.example",
    ]


async def test_a23_one_address_in_two_normal_forms_is_one_recipient(world: Any) -> None:
    client = await world.hello()
    await client.say("MAIL FROM:<billing@acme.example> SMTPUTF8")
    for local in ("m\u00fcller", "mu\u0308ller"):
        assert (await client.say(f"RCPT TO:<{local}@b.example>")).startswith("250")
    assert (await client.say("RCPT TO:<a\u202eb@b.example>")).startswith("501 5.1.3")
    await client.say("DATA")
    await client.send(HEADER + b"x" + END)
    await client.reply()
    (message,) = await world.messages()
    assert [one.address.local for one in message.recipients] == ["m\u00fcller"]


async def test_a24_a_refusal_is_an_answer_and_never_a_mail(world: Any) -> None:
    client = await world.hello()
    await client.begin(sender="stranger@evil.example")
    await client.send(b"From: stranger@evil.example\r\nReply-To: victim@b.example\r\n\r\nx" + END)
    assert (await client.reply()).startswith("550")
    assert await world.messages() == []


@pytest.mark.parametrize(("count", "wanted"), [(29, "250"), (31, "554 5.4.6 message.loop"), (1000, "554")])
async def test_a25_a_message_that_goes_in_circles_is_stopped(world: Any, count: int, wanted: str) -> None:
    client = await world.hello()
    await client.begin()
    await client.send(b"Received: from a by b\r\n" * count + HEADER + b"x" + END)
    assert (await client.reply()).startswith(wanted)
