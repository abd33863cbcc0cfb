"""Attacks on memory, time and patience: A7, A8, A12 to A18 and A20 of the catalogue."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from typing import Any

import pytest

from relayd.core import answer
from relayd.net.smtpd_terms import Deadlines
from relayd.store.memory import MemoryStore

HEADER = b"From: billing@acme.example\r\nSubject: x\r\n\r\n"
END = b"\r\n.\r\n"
MIB = 1024 * 1024


def text(reply: answer.Answer) -> str:
    return reply.line.decode().strip()


class Forgetful(MemoryStore):
    """Takes large bodies as the real store does: what was appended is no longer in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.appended = 0
        self.let_go = asyncio.Event()

    def receive(self) -> Any:
        store = self

        class Receiving:
            async def append(self, chunk: bytes) -> None:
                assert len(chunk) <= MIB
                store.appended += len(chunk)

            async def discard(self) -> None:
                store.discarded = True
                store.let_go.set()

        return Receiving()

    discarded = False


class TestA7OverLong:
    @pytest.mark.parametrize("octets", [2049, 5000, 60_000])
    async def test_a_command_line_too_long_is_refused_and_the_session_goes_on(
        self, world: Any, octets: int
    ) -> None:
        client = await world.hello()
        line = b"NOOP " + b"x" * (octets - 7) + b"\r\n"
        assert await client.say(line) == text(answer.LINE_TOO_LONG(octets, 2048))
        assert await client.say("NOOP") == "250 2.0.0 still here"

    @pytest.mark.parametrize("octets", [513, 1001, 2048])
    async def test_a_long_command_line_within_the_limit_is_read(self, world: Any, octets: int) -> None:
        client = await world.hello()
        assert await client.say(b"NOOP " + b"x" * (octets - 7) + b"\r\n") == "250 2.0.0 still here"

    async def test_a_command_that_never_ends_ends_the_connection(self, world: Any) -> None:
        client = await world.hello()
        await client.send(b"NOOP " + b"x" * MIB)
        assert text(answer.LINE_ENDLESS(65536)) in await client.rest()

    async def test_a_login_line_has_its_own_limit(self, make_world: Any) -> None:
        world = await make_world(logins=[{"username": "app", "password": "canary"}])
        client = await world.hello()
        assert (await client.say(b"AUTH PLAIN " + b"A" * 12_000 + b"\r\n")).startswith("501")
        assert (await client.say(b"AUTH PLAIN " + b"A" * 13_000 + b"\r\n")).startswith("500")
        assert (await client.say("AUTH LOGIN")).startswith("334")
        assert (await client.say(b"A" * 13_000 + b"\r\n")).startswith("500")

    @pytest.mark.parametrize(
        ("octets", "code"), [(998, "250"), (999, "554"), (1000, "554"), (100_000, "554")]
    )
    async def test_lines_of_content(self, world: Any, octets: int, code: str) -> None:
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + b"x" * octets + END)
        reply = await client.reply()
        assert reply.startswith(code)
        if code == "554":
            assert reply.endswith("line 4 is longer than 998 octets: use base64 or quoted-printable")

    async def test_a_line_of_content_that_never_ends_ends_the_connection(self, make_world: Any) -> None:
        world = await make_world(limits={"message_size": MIB}, deadlines=Deadlines(linger=0.1))
        client = await world.hello()
        await client.begin()
        with pytest.raises(ConnectionError):
            await client.send_for_ever(b"x" * MIB)
        assert len(world.server.gate) == 0

    async def test_twice_the_limit_is_read_and_dropped_then_the_connection_ends(
        self, make_world: Any
    ) -> None:
        world = await make_world(limits={"message_size": MIB})
        client = await world.hello()
        await client.begin()
        await client.send(HEADER)
        sending = asyncio.create_task(client.send((b"x" * 76 + b"\r\n") * 40_000))
        assert await client.reply() == text(answer.DATA_ENDLESS(MIB))
        sending.cancel()
        assert await world.messages() == []


async def test_a_client_in_full_flow_still_gets_the_last_reply(make_world: Any) -> None:
    """A socket closed on unread octets resets the connection, and the reply that says why is lost."""
    world = await make_world(limits={"message_size": MIB}, deadlines=Deadlines(linger=5))
    client = await world.hello()
    await client.begin()
    sending = asyncio.create_task(client.send(b"x" * 30 * MIB))
    assert await client.rest() == [text(answer.DATA_ENDLESS(MIB))]
    sending.cancel()


class TestA8Memory:
    async def _most(self, world: Any, block: bytes, count: int) -> int:
        """Octets of Python's memory at the peak, while `block` is sent `count` times."""
        client = await world.hello()
        await client.begin()
        await client.send(HEADER)
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(count):
                await client.send(block)
            await client.send(END)
            self.said = await client.reply()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    async def test_16_mib_of_nothing_but_line_ends(self, make_world: Any) -> None:
        world = await make_world(store=Forgetful())
        most = await self._most(world, b"\r\n" * 32_768, 256)
        assert most < 4 * MIB

    async def test_16_mib_of_bare_line_feeds_which_double(self, make_world: Any) -> None:
        world = await make_world(store=Forgetful())
        most = await self._most(world, b"\n" * 65_536, 256)
        assert most < 6 * MIB

    async def test_memory_does_not_grow_behind_the_size_limit(self, make_world: Any) -> None:
        world = await make_world(store=Forgetful(), limits={"message_size": 10 * MIB})
        most = await self._most(world, (b"x" * 76 + b"\r\n") * 800, 256)
        assert most < 4 * MIB
        assert self.said.startswith("552 5.3.4 message.too_big: ")
        assert world.store.discarded


class TestA12Slow:
    async def test_a_client_that_says_nothing(self, make_world: Any) -> None:
        world = await make_world(deadlines=Deadlines(command=0.2))
        client = await world.hello()
        assert await client.rest() == [text(answer.TIMEOUT("0.2"))]

    async def test_a_command_that_comes_drop_by_drop(self, make_world: Any) -> None:
        """The deadline is of the whole command: octets don't move it."""
        world = await make_world(deadlines=Deadlines(command=0.3))
        client = await world.hello()
        dropping = asyncio.create_task(_drop(client))
        assert await client.rest() == [text(answer.TIMEOUT("0.3"))]
        dropping.cancel()

    async def test_content_that_comes_drop_by_drop(self, make_world: Any) -> None:
        world = await make_world(deadlines=Deadlines(command=0.1, data=0.3, data_rate=1_000_000))
        client = await world.hello()
        await client.begin()
        await client.send(HEADER)
        dropping = asyncio.create_task(_drop(client))
        assert await client.rest() == [text(answer.DATA_TIMEOUT(1_000_000))]
        dropping.cancel()
        assert await world.messages() == []

    async def test_a_long_upload_at_a_fair_rate_is_not_cut(self, make_world: Any) -> None:
        """B7: the deadline moves with what has come; a command's deadline does not count here."""
        world = await make_world(deadlines=Deadlines(command=0.05, data=0.05, data_rate=1000))
        client = await world.hello()
        await client.begin()
        await client.send(HEADER)
        loop = asyncio.get_running_loop()
        start = loop.time()
        while loop.time() - start < 0.3:
            await client.send(b"x" * 70 + b"\r\n")
            await asyncio.sleep(0)
        await client.send(b".\r\n")
        assert (await client.reply()).startswith("250")

    async def test_a_handshake_that_never_comes(self, make_world: Any) -> None:
        tls = {"certificate": "tls.pem", "key": "tls.key"}
        world = await make_world(
            listen=[{"address": "127.0.0.1", "port": 0, "tls": tls}], deadlines=Deadlines(tls=0.2)
        )
        client = await world.hello()
        assert (await client.say("STARTTLS")).startswith("220")
        assert await client.reader.read() == b""
        assert len(world.server.gate) == 0

    async def test_a_client_that_reads_no_replies_is_let_go(self, make_world: Any) -> None:
        world = await make_world(deadlines=Deadlines(command=0.3, linger=0.1))
        client = await world.hello()
        client.writer.transport.pause_reading()
        with pytest.raises(ConnectionError):
            await client.send_for_ever(b"MAKE x\r\n" * 1000)


async def _drop(client: Any) -> None:
    while True:
        await client.send(b"x")
        await asyncio.sleep(0)


class TestA13Floods:
    @pytest.mark.parametrize("command", ["NOOP", "RSET", "EHLO client.example", "VRFY x@y.example", "HELP"])
    async def test_commands_that_bring_no_message_nearer(self, world: Any, command: str) -> None:
        client = await world.hello()
        replies = [await client.say(command) for _ in range(99)]
        assert len(set(replies)) == 1
        assert await client.say(command) == text(answer.JUNK(101))
        assert await client.line() == ""

    async def test_errors(self, world: Any) -> None:
        client = await world.hello()
        for _ in range(19):
            assert (await client.say("MAKE coffee")).startswith("500")
        assert (await client.say("MAKE coffee")).startswith("500")
        assert await client.rest() == [text(answer.ERRORS(20))]

    async def test_a_message_that_is_kept_forgives_what_was_before(self, world: Any) -> None:
        client = await world.hello()
        for _ in range(3):
            for _ in range(15):
                await client.say("MAKE coffee")
            for _ in range(80):
                await client.say("RSET")
            await client.begin()
            await client.send(HEADER + b"x" + END)
            assert (await client.reply()).startswith("250")

    async def test_refused_recipients_are_no_errors_of_the_dialogue(self, world: Any) -> None:
        client = await world.hello()
        for _ in range(30):
            await client.say("MAIL FROM:<billing@acme.example>")
            assert (await client.say("RCPT TO:<nobody>")).startswith("501 5.1.3 recipient.unknown")
            await client.say("RSET")


class TestA14Connections:
    async def test_one_too_many_is_told_421(self, make_world: Any) -> None:
        world = await make_world(limits={"connections": 3})
        held = [await world.hello() for _ in range(3)]
        late = await world.connect()
        assert await late.rest() == [text(answer.TOO_MANY_CONNECTIONS(3))]
        leaving = held.pop()
        await leaving.say("QUIT")
        assert await leaving.line() == ""
        await leaving.turns()
        await world.hello()

    async def test_hundreds_come_and_go_and_none_is_left(self, world: Any) -> None:
        for _ in range(20):
            clients = [await world.connect() for _ in range(20)]
            for client in clients:
                client.writer.transport.abort()
        await world.server.gate.empty.wait()


class TestA15Recipients:
    async def test_the_limit_and_a_message_to_as_many(self, world: Any) -> None:
        client = await world.hello()
        await client.say("MAIL FROM:<billing@acme.example>")
        for n in range(100):
            assert (await client.say(f"RCPT TO:<a{n}@b.example>")).startswith("250")
        assert await client.say("RCPT TO:<one@more.example>") == text(answer.TOO_MANY_RCPT(100))
        await client.say("DATA")
        await client.send(HEADER + b"x" + END)
        assert (await client.reply()).startswith("250")
        (message,) = await world.messages()
        assert len(message.recipients) == 100

    async def test_one_recipient_a_thousand_times_is_one_delivery(self, world: Any) -> None:
        client = await world.hello()
        await client.send(b"MAIL FROM:<billing@acme.example>\r\n" + b"RCPT TO:<a@b.example>\r\n" * 1000)
        assert {(await client.reply())[:3] for _ in range(1001)} == {"250"}
        await client.say("DATA")
        await client.send(HEADER + b"x" + END)
        await client.reply()
        (message,) = await world.messages()
        assert len(message.recipients) == 1

    async def test_refused_ones_are_remembered_up_to_the_limit(self, world: Any) -> None:
        client = await world.hello()
        await client.say("MAIL FROM:<billing@acme.example>")
        replies = [await client.say(f"RCPT TO:<nobody{n}>") for n in range(101)]
        assert replies[99].startswith("501")
        assert replies[100].startswith("452")


class TestA16Headers:
    @pytest.mark.parametrize(
        ("header", "wanted"),
        [
            (b"X: " + b"x" * 990 + b"\r\n", "250"),
            ((b"X: " + b"x" * 900 + b"\r\n") * 300, "554 5.6.0"),
            (b"X: y\r\n" * 1001, "554 5.6.0"),
            (b"X: y\r\n" + b" folded\r\n" * 9000, "554 5.6.0"),
            (b"To: " + b"a@b.example,\r\n " * 5000 + b"\r\n", "554 5.6.0"),
            (b"Received: by x\r\n" * 31, "554 5.4.6"),
        ],
        ids=["long line", "block", "fields", "folds", "To", "Received"],
    )
    async def test_limits_of_the_header_block(self, world: Any, header: bytes, wanted: str) -> None:
        client = await world.hello()
        await client.begin()
        await client.send(b"From: billing@acme.example\r\n" + header + b"\r\nx" + END)
        assert (await client.reply()).startswith(wanted)


async def test_a17_mime_is_never_parsed(world: Any) -> None:
    """A body of 20,000 nested parts is octets like any other."""
    nested = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (n, n + 1) for n in range(20_000)
    )
    client = await world.hello()
    await client.begin()
    await client.send(b"Content-Type: multipart/mixed; boundary=b0\r\n" + HEADER + nested + END)
    assert (await client.reply()).startswith("250")


class TestA18Disconnects:
    async def test_what_came_before_a_disconnect_is_let_go(self, make_world: Any) -> None:
        store = Forgetful()
        world = await make_world(store=store)
        for _ in range(10):
            store.discarded = False
            client = await world.hello()
            await client.begin()
            await client.send(HEADER + (b"x" * 76 + b"\r\n") * 10_000)
            client.writer.transport.abort()
            await world.server.gate.empty.wait()
            assert store.discarded
        assert await world.messages() == []

    async def test_a_refused_body_is_let_go_at_once(self, make_world: Any) -> None:
        store = Forgetful()
        world = await make_world(store=store)
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + (b"x" * 76 + b"\r\n") * 10_000 + b"\0\r\n" + b"y" * 200_000)
        async with asyncio.timeout(10):
            await store.let_go.wait()
        client.writer.transport.abort()


class TestA20Logins:
    async def test_three_wrong_ones_on_a_connection(self, make_world: Any) -> None:
        world = await make_world(logins=[{"username": "app", "password": "canary"}])
        client = await world.hello()
        for _ in range(2):
            assert await client.say("AUTH PLAIN AGFwcAB3cm9uZw==") == text(answer.LOGIN_FAILED())
        assert await client.say("AUTH PLAIN AGFwcAB3cm9uZw==") == text(answer.LOGIN_ATTEMPTS(3))
        assert await client.line() == ""

    async def test_an_unknown_user_gets_the_answer_of_a_wrong_password(self, make_world: Any) -> None:
        world = await make_world(logins=[{"username": "app", "password": "canary"}])
        client = await world.hello()
        known = await client.say("AUTH PLAIN AGFwcAB3cm9uZw==")
        unknown = await client.say("AUTH PLAIN AG5vYm9keQB3cm9uZw==")
        assert known == unknown
