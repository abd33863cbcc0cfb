"""Replies are cut from the stream the same way however the network cuts it."""

from __future__ import annotations

import asyncio
import itertools
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import dialogue
from relayd.net.wire import BUFFER_LIMIT, LINE_LIMIT, REPLY_LIMIT, Gone, NotSmtp, Wire


class Transport:
    """What a Wire asks of a transport."""

    def __init__(self) -> None:
        self.closing = False
        self.written = b""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass

    def set_write_buffer_limits(self, high: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closing

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.closing = True

    close = abort


def wire() -> Wire:
    return Wire(cast(asyncio.Transport, Transport()))


line = st.builds(
    lambda code, last, text: f"{code}{' ' if last else '-'}{text}\r\n".encode(),
    st.sampled_from([220, 250, 354, 421, 550]),
    st.booleans(),
    st.text(alphabet="ab .-5", max_size=12),
)


@given(st.lists(line, max_size=20), st.lists(st.integers(0, 400), max_size=12))
async def test_replies_do_not_depend_on_how_the_network_cuts_them(
    lines: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(lines)
    expected: list[bytes] = []
    reply = b""
    for one in lines:
        reply += one
        if dialogue.complete(one):
            expected.append(reply)
            reply = b""
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    cutter, found = wire(), []
    for start, end in itertools.pairwise(edges):
        cutter.data_received(stream[start:end])
        while (raw := cutter._cut()) is not None:
            found.append(raw)
    assert found == expected
    assert cutter.pending == bool(reply)


@given(st.binary(max_size=200))
async def test_no_octets_can_break_the_cutter(data: bytes) -> None:
    cutter = wire()
    cutter.data_received(data)
    try:
        while cutter._cut() is not None:
            pass
    except NotSmtp:
        pass


@pytest.mark.parametrize(
    "data",
    [
        b"250 " + b"x" * LINE_LIMIT,
        b"250 " + b"x" * LINE_LIMIT + b"\r\n",
        b"250-x\r\n" * (REPLY_LIMIT // 7 + 1),
        b"250-x\r\n" * (REPLY_LIMIT // 7) + b"250 x\r\n",
    ],
)
async def test_a_reply_without_measure_is_none(data: bytes) -> None:
    cutter = wire()
    cutter.data_received(data)
    with pytest.raises(NotSmtp):
        await cutter.reply(1.0)


async def test_a_flood_nobody_asked_for_ends_the_connection() -> None:
    cutter = wire()
    for _ in range(BUFFER_LIMIT // 7 + 1):
        cutter.data_received(b"250 x\r\n")
    assert not cutter.quiet
    assert cutter._transport.is_closing()


async def test_what_was_said_before_the_end_is_heard_and_then_the_end() -> None:
    cutter = wire()
    cutter.data_received(b"421 4.3.2 bye\r\n")
    cutter.eof_received()
    assert await cutter.reply(1.0) == b"421 4.3.2 bye\r\n"
    with pytest.raises(Gone):
        await cutter.reply(1.0)
    with pytest.raises(Gone):
        cutter.write(b"NOOP\r\n")
    with pytest.raises(Gone):
        await cutter.drained(1.0)


async def test_a_reply_that_never_comes_is_waited_for_until_its_deadline() -> None:
    with pytest.raises(TimeoutError):
        await wire().reply(0.0)
