"""A dialogue broken off, clogged or overtaken: what was promised holds, and nothing is left over."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import weakref
from collections import Counter
from typing import Any

import pytest

from relayd.core import answer
from relayd.net.smtpd import Connection
from relayd.net.smtpd_line import AT_ONCE
from relayd.net.smtpd_terms import Deadlines
from relayd.store.memory import MemoryReceiving, MemoryStore

HEADER = b"From: billing@acme.example\r\nSubject: x\r\n\r\n"
END = b"\r\n.\r\n"
TLS = {"certificate": "tls.pem", "key": "tls.key"}
MAIL = b"MAIL FROM:<billing@acme.example>\r\n"


def text(reply: answer.Answer) -> str:
    return reply.line.decode().strip()


def connection(world: Any) -> Any:
    """Our side of the only client there is."""
    (one,) = world.server.gate._open
    return one


def reset(client: Any) -> None:
    """Go away without a word, as the kernel does for a process that is killed."""
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()


async def gone(world: Any, ours: weakref.ref[Connection]) -> None:
    """It counts no more, and no timer or task holds it."""
    async with asyncio.timeout(10):
        await world.server.gate.empty.wait()
        while ours() is not None:
            await asyncio.sleep(0)
            gc.collect()


class SlowStore(MemoryStore):
    """Keeps a message when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = asyncio.Event(), asyncio.Event()

    async def put(self, message: Any, body: Any, events: Any) -> None:
        self.entered.set()
        await self.go_on.wait()
        await super().put(message, body, events)


class TestLost:
    """The connection is reset while a task is under way."""

    @pytest.mark.parametrize("tls", [False, True])
    async def test_a_message_being_committed_is_kept_once_and_its_connection_ends(
        self, make_world: Any, caplog: Any, tls: bool
    ) -> None:
        store = SlowStore()
        listen = {"address": "127.0.0.1", "port": 0, "tls": {**TLS, "mode": "implicit"} if tls else None}
        world = await make_world(store=store, listen=[listen])
        client = await world.hello(tls=tls)
        ours = connection(world)
        await client.begin()
        await client.send(HEADER + b"x" + END)
        await store.entered.wait()
        reset(client)
        while not ours._over:
            await client.turns()
        store.go_on.set()
        async with asyncio.timeout(10):
            await world.server.gate.empty.wait()
        assert len(await world.messages()) == 1
        assert caplog.records == []

    @pytest.mark.parametrize(
        "then", [b"", b"RCPT TO:<nobody>\r\n", b"STARTTLS\r\n", b"DATA\r\n", b"QUIT\r\n"]
    )
    async def test_a_recipient_being_looked_up(self, make_world: Any, caplog: Any, then: bytes) -> None:
        world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": TLS}])
        world.resolver.answers["slow.example"] = [asyncio.Event()]
        client = await world.hello()
        ours = connection(world)
        await client.send(MAIL + b"RCPT TO:<nobody>\r\nRCPT TO:<a@slow.example>\r\n" + then)
        while not world.resolver.asked:
            await client.turns(1)
        reset(client)
        while not ours._over:
            await client.turns()
        async with asyncio.timeout(10):
            await world.server.gate.empty.wait()
        assert caplog.records == []


class TestOvertaken:
    async def test_content_sent_before_it_was_asked_for_is_never_taken_for_a_message(
        self, world: Any
    ) -> None:
        """It arrives between DATA, which waited behind a look into DNS, and our asking for the message."""
        asked = asyncio.Event()
        world.resolver.answers["slow.example"] = [asked]
        client = await world.hello()
        await client.send(MAIL + b"RCPT TO:<a@slow.example>\r\nDATA\r\n")
        while not world.resolver.asked:
            await client.turns(1)
        ours = connection(world)
        engage, ours._engage = ours._engage, None

        def overtaken(later: Any) -> None:
            engage(later)
            ours.data_received(HEADER + b"x" + END)

        ours._engage = overtaken
        asked.set()
        assert (await client.reply()).startswith("250")
        assert (await client.reply()).startswith("250")
        assert await client.rest() == [text(answer.OUT_OF_STEP("DATA"))]
        assert await world.messages() == []

    async def test_a_message_that_was_told_it_came_too_late_is_not_kept(self, make_world: Any) -> None:
        """The store was slow with its last piece; the client will send it again."""
        entered, go_on, let_go = asyncio.Event(), asyncio.Event(), asyncio.Event()

        class Slow(MemoryReceiving):
            async def append(self, chunk: bytes) -> None:
                await super().append(chunk)
                if chunk.endswith(b"the end\r\n"):
                    entered.set()
                    await go_on.wait()

            async def discard(self) -> None:
                await super().discard()
                let_go.set()

        store = MemoryStore()
        store.receive = Slow  # type: ignore[method-assign]
        late = Deadlines(command=0.2, data=0.1, data_rate=1_000_000_000)
        world = await make_world(store=store, deadlines=late)
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + (b"x" * 76 + b"\r\n") * 20_000 + b"the end" + END)
        await entered.wait()
        assert await client.rest() == [text(answer.DATA_TIMEOUT(late.data_rate))]
        go_on.set()
        await world.server.gate.empty.wait()
        assert let_go.is_set()
        assert await world.messages() == []


class TestClogged:
    async def test_a_client_that_sends_all_and_then_reads_gets_every_answer(self, world: Any) -> None:
        client = await world.hello()
        client.writer.transport.pause_reading()
        ours = connection(world)
        ours._wire.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        async with asyncio.timeout(60):
            client.writer.write(MAIL + b"RCPT TO:<a@b.example>\r\n" * 9_000)
            client.writer.write_eof()
            while not (ours._clogged and ours._buffer and ours._heard_out):
                await client.turns(1)
            client.writer.transport.resume_reading()
            replies = await client.rest()
        assert len(replies) == 1 + 9_000


class TestFlood:
    async def test_who_sends_thousands_of_commands_lets_others_have_their_turn(
        self, world: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        turn, obeyed = 0, Counter[int]()
        loop, obey = asyncio.get_running_loop(), Connection._obey

        def tick() -> None:
            nonlocal turn
            turn += 1
            loop.call_soon(tick)

        def counted(self: Connection, line: bytes) -> Any:
            obeyed[turn] += 1
            return obey(self, line)

        monkeypatch.setattr(Connection, "_obey", counted)
        client = await world.hello()
        tick()
        await client.send(MAIL + b"RCPT TO:<a@b.example>\r\n" * 3000 + b"QUIT\r\n")
        assert len(await client.rest()) == 3002
        assert max(obeyed.values()) <= 2 * AT_ONCE, "what was read, and what came with the turn"
        assert len(obeyed) >= 3002 // AT_ONCE // 2


class TestTurnedAway:
    async def test_who_was_told_that_we_stop_may_go_on_talking(self, world: Any, caplog: Any) -> None:
        client = await world.connect()
        assert (await client.reply()).startswith("220")
        connection(world).go_down()
        await client.send(b"\x16\x03\x01")
        assert await client.rest() == [text(answer.GOING_DOWN())]
        await client.turns()
        assert caplog.records == []

    async def test_one_too_many_is_told_over_tls_too(self, make_world: Any, caplog: Any) -> None:
        listen = [{"address": "127.0.0.1", "port": 0, "tls": {**TLS, "mode": "implicit"}}]
        world = await make_world(listen=listen, limits={"connections": 1})
        await world.hello(tls=True)
        late = await world.connect(tls=True)
        assert await late.rest() == [text(answer.TOO_MANY_CONNECTIONS(1))]
        await late.turns()
        assert caplog.records == []


class TestNothingLeft:
    @pytest.mark.parametrize("how", ["reset", "garbage", "silence", "no more"])
    async def test_a_handshake_that_fails_leaves_nothing_behind(
        self, make_world: Any, how: str, caplog: Any
    ) -> None:
        world = await make_world(
            listen=[{"address": "127.0.0.1", "port": 0, "tls": TLS}], deadlines=Deadlines(tls=0.1, linger=0.1)
        )
        client = await world.hello()
        ours = weakref.ref(connection(world))
        assert (await client.say("STARTTLS")).startswith("220")
        if how == "reset":
            reset(client)
        elif how == "garbage":
            await client.send(MAIL * 10)
        elif how == "no more":
            client.writer.write_eof()
        await gone(world, ours)
        assert caplog.records == []

    async def test_who_leaves_right_after_the_handshake(self, make_world: Any, caplog: Any) -> None:
        world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": TLS}])
        client = await world.hello()
        await client.starttls(world.trusting())
        client.writer.close()
        await world.server.gate.empty.wait()
        assert caplog.records == []

    async def test_a_connection_cut_before_its_message_was_begun(self, world: Any) -> None:
        client = await world.hello()
        ours = connection(world)
        engage, ours._engage = ours._engage, None

        def cut(later: Any) -> None:
            engage(later)
            ours.abort()

        ours._engage = cut
        await client.send(MAIL + b"RCPT TO:<a@b.example>\r\nDATA\r\n")
        async with asyncio.timeout(10):
            await world.server.gate.empty.wait()

    async def test_a_client_of_whom_nothing_can_be_noted_leaves_all_the_same(self, world: Any) -> None:
        client = await world.hello()
        ours = connection(world)
        ours._client.reset = lambda: 1 / 0
        client.writer.close()
        async with asyncio.timeout(10):
            await world.server.gate.empty.wait()
