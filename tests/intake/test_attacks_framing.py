"""Attacks on where a message, a command or a connection ends: A1, A3, A4, A6 and A9 of the catalogue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from relayd.core import answer

TLS = {"certificate": "tls.pem", "key": "tls.key"}
LOGINS = [{"username": "app", "password": "canary-7c1f"}]
HEADER = b"From: billing@acme.example\r\nSubject: x\r\n\r\n"
SMUGGLED = (
    b"MAIL FROM:<smuggled@acme.example>\r\nRCPT TO:<victim@b.example>\r\nDATA\r\n"
    b"From: billing@acme.example\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
)
END = b"\r\n.\r\n"

SEQUENCES = [
    b"\n.\n",
    b"\n.\r",
    b"\r.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r\n\x00.\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n.\x00\r\n",
    b"\r\n .\r\n",
    b"\r\n..\r\n",
    b"\n\n.\r\n",
]


async def subjects(world: Any) -> list[bytes]:
    return [message.submission.header for message in await world.messages()]


async def nothing_was_smuggled(world: Any, client: Any) -> None:
    """Exactly one answer came for all that was sent, and at most one message is kept."""
    reply = await client.reply()
    assert reply[:3] in ("250", "552", "554"), reply
    assert await client.say("QUIT") == "221 2.0.0 goodbye"
    kept = await world.messages()
    assert len(kept) == (1 if reply.startswith("250") else 0)
    assert all("smuggled" not in str(message.submission.mail_from) for message in kept)
    assert all(b"Subject: x" in header for header in await subjects(world))


@pytest.mark.parametrize("sequence", SEQUENCES, ids=repr)
class TestA1Smuggling:
    async def test_from_localhost(self, world: Any, sequence: bytes) -> None:
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + b"text" + sequence + SMUGGLED)
        await nothing_was_smuggled(world, client)

    async def test_as_the_first_octets_after_354(self, world: Any, sequence: bytes) -> None:
        client = await world.hello()
        await client.begin()
        await client.send(sequence + SMUGGLED)
        await nothing_was_smuggled_at_the_start(world, client)

    async def test_behind_the_size_limit(self, make_world: Any, sequence: bytes) -> None:
        world = await make_world(limits={"message_size": 4096})
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + b"y" * 70 + b"\r\n" + (b"x" * 76 + b"\r\n") * 60 + sequence + SMUGGLED)
        assert (await client.reply()).startswith("552" if b"\r\r" not in sequence else "55")
        assert await client.say("QUIT") == "221 2.0.0 goodbye"
        assert await world.messages() == []

    async def test_behind_a_line_too_long(self, world: Any, sequence: bytes) -> None:
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + b"x" * 200_000 + sequence + SMUGGLED)
        assert (await client.reply()).startswith("554 5.6.0 message.line_too_long: line 4 is longer")
        assert await client.say("QUIT") == "221 2.0.0 goodbye"
        assert await world.messages() == []

    async def test_over_tls_and_logged_in(self, make_world: Any, sequence: bytes) -> None:
        world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": TLS}], logins=LOGINS)
        client = await world.hello()
        await client.starttls(world.trusting())
        assert (await client.say("EHLO client.example")).startswith("250")
        assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==")).startswith("235")
        await client.begin()
        await client.send(HEADER + b"text" + sequence + SMUGGLED)
        await nothing_was_smuggled(world, client)

    async def test_cut_in_two_at_every_octet(self, world: Any, sequence: bytes) -> None:
        data = b"text" + sequence + b"MAIL FROM:<smuggled@acme.example>\r\n.\r\n"
        replies = set()
        for cut in range(1, len(data)):
            client = await world.hello()
            await client.begin()
            await client.send(HEADER + data[:cut])
            await client.turns()
            await client.send(data[cut:])
            replies.add((await client.reply())[:9])
            assert await client.say("QUIT") == "221 2.0.0 goodbye"
        assert len(replies) == 1
        assert all(b"smuggled" not in header for header in await subjects(world))


async def nothing_was_smuggled_at_the_start(world: Any, client: Any) -> None:
    reply = await client.reply()
    assert reply.startswith("554 5.6.0 message.malformed"), reply
    assert await client.say("QUIT") == "221 2.0.0 goodbye"
    assert await world.messages() == []


async def test_a1_a_stuffed_dot_is_a_dot(world: Any) -> None:
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"a\r\n..\r\nb" + END)
    assert (await client.reply()).startswith("250")
    assert await world.body((await world.messages())[0]) == b"a\r\n.\r\nb\r\n"


async def test_a1_what_a_bare_lf_would_have_ended_is_content_and_leaves_with_crlf(world: Any) -> None:
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"a\n.\nb" + END)
    assert (await client.reply()).startswith("250")
    assert await world.body((await world.messages())[0]) == b"a\r\n.\r\nb\r\n"


class TestA3StartTls:
    async def test_clear_text_behind_starttls_is_never_read(self, make_world: Any) -> None:
        world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": TLS}])
        client = await world.hello()
        await client.send(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<billing@acme.example>\r\n")
        assert await client.rest() == [answer.OUT_OF_STEP("STARTTLS").line.decode().strip()]

    async def test_clear_text_that_comes_late_breaks_the_handshake(self, make_world: Any) -> None:
        world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": TLS}])
        client = await world.hello()
        assert (await client.say("STARTTLS")).encode() + b"\r\n" == answer.TLS_READY().line
        await client.send(b"NOOP\r\nMAIL FROM:<billing@acme.example>\r\n")
        rest = await client.reader.read()
        assert b"250" not in rest

    async def test_after_tls_nothing_is_remembered(self, make_world: Any) -> None:
        world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": TLS}], logins=LOGINS)
        client = await world.hello()
        assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==")).startswith("235")
        assert (await client.say("MAIL FROM:<billing@acme.example>")).startswith("250")
        await client.starttls(world.trusting())
        assert (await client.say("MAIL FROM:<a@b.example>")).startswith("530")
        assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==")).startswith("503")
        greeting = await client.say("EHLO client.example")
        assert "STARTTLS" not in greeting
        assert "AUTH PLAIN LOGIN" in greeting
        assert (await client.say("RCPT TO:<a@b.example>")).startswith("530")
        assert (await client.say("STARTTLS")).encode() + b"\r\n" == answer.TLS_TWICE().line


INJECTIONS = [
    (b"MAIL FROM:<a@b.example\r\nRCPT TO:<x@y.example>>\r\n", ("501", "503")),
    (b"MAIL FROM:<a@b.example> SIZE=1> AUTH=<x@y.example\r\n", ("501",)),
    (b'MAIL FROM:<"a\r\n"@b.example>\r\n', ("501", "500")),
    (b"MAIL FROM:<a@b.example\x00>\r\n", ("500",)),
    (b"MAIL FROM:<a@b.example\x0bc>\r\n", ("500",)),
    ("MAIL FROM:<a@b.example\u2028> SMTPUTF8\r\n".encode(), ("501",)),
    (b"MAIL FROM:<a@b.example> ENVID=x+0D+0Ay\r\n", ("555",)),
    (b"MAIL FROM:<user@example.com> AUTH=<attacker@example.com> XCLIENT\r\n", ("555",)),
    (b"MAIL FROM:<a@b.example>\nRCPT TO:<x@y.example>\r\n", ("500",)),
    (b"EHLO me.example XCLIENT ADDR=1.2.3.4\r\n", ("501",)),
    (b"MAIL FROM:<\xff@b.example>\r\n", ("501",)),
    (b"MAIL FROM:<a@b.example><c@d.example>\r\n", ("501",)),
]


@pytest.mark.parametrize(("sent", "codes"), INJECTIONS, ids=repr)
async def test_a4_a6_nothing_gets_into_a_command_through_an_address(
    world: Any, sent: bytes, codes: tuple[str, ...]
) -> None:
    client = await world.hello()
    await client.send(sent)
    assert (await client.reply())[:3] in codes
    client.writer.write_eof()
    rest = await client.rest()
    assert not any(line.startswith("250 2.1.5") for line in rest)
    assert await world.messages() == []


async def test_a4_a_parameter_for_rcpt_is_refused(world: Any) -> None:
    client = await world.hello()
    await client.say("MAIL FROM:<billing@acme.example>")
    assert (await client.say("RCPT TO:<a@b.example> ORCPT=rfc822;x+00")).startswith("555")


async def test_a6_nul_and_bare_cr_in_content_are_refused_and_eight_bit_text_is_kept(world: Any) -> None:
    for data, wanted in ((b"a\0b", "554 5.6.0"), (b"a\rb", "554 5.6.0"), ("ä".encode(), "250")):
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + data + END)
        assert (await client.reply()).startswith(wanted)
    (message,) = await world.messages()
    assert message.submission.eight_bit


async def test_a9_who_speaks_before_the_greeting_is_told_so(world: Any) -> None:
    client = await world.early(b"EHLO client.example\r\n")
    assert await client.rest() == [answer.EARLY_TALKER().line.decode().strip()]


async def test_a9_a_browser_that_speaks_first_learns_that_this_is_smtp(world: Any) -> None:
    client = await world.early(b"POST / HTTP/1.1\r\nHost: localhost:2525\r\n\r\nMAIL FROM:<a@b.example>\r\n")
    (only,) = await client.rest()
    assert "is not SMTP" in only
    assert "relayd" not in only


async def test_a9_pipelined_messages_are_each_answered(world: Any) -> None:
    """What may be pipelined is: the next MAIL in one piece with the end of the message before."""
    client = await world.hello()
    group = b"MAIL FROM:<billing@acme.example>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n"
    await client.send(group)
    for _ in range(3):
        for code in ("250", "250", "354"):
            assert (await client.reply()).startswith(code)
        await client.send(HEADER + b"x" + END + group)
        assert (await client.reply()).startswith("250 2.0.0 queued")
    assert len(await world.messages()) == 3


async def test_a2_settled_content_is_settled_for_good(world: Any) -> None:
    """What leaves are the octets that were signed: nothing in them is left for anybody to normalise."""
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"a\nb\r\n\n..c\r\n..d" + END)
    assert (await client.reply()).startswith("250")
    (message,) = await world.messages()
    whole = message.dressing.header + b"\r\n" + await world.body(message)
    assert whole.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") == whole
    assert b"\r" not in whole.replace(b"\r\n", b"")


async def test_b3_the_client_goes_away_in_mid_commit_and_the_message_is_kept(make_world: Any) -> None:
    from relayd.store.memory import MemoryStore

    class SlowStore(MemoryStore):
        entered = asyncio.Event()
        go_on = asyncio.Event()

        async def put(self, message: Any, body: Any, events: Any) -> None:
            self.entered.set()
            await self.go_on.wait()
            await super().put(message, body, events)

    SlowStore.entered, SlowStore.go_on = asyncio.Event(), asyncio.Event()
    world = await make_world(store=SlowStore())
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"x" + END)
    await SlowStore.entered.wait()
    client.writer.transport.abort()
    await client.turns(20)
    SlowStore.go_on.set()
    await world.server.gate.empty.wait()
    assert len(await world.messages()) == 1
