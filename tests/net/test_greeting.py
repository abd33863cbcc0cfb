"""Whether a mail server can be reached, against servers that answer oddly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from relayd.net.greeting import greeting

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]


@asynccontextmanager
async def server(says: bytes, *, silent: bool = False) -> AsyncIterator[int]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        if silent:
            await reader.read()
        writer.close()

    made = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with made:
        yield made.sockets[0].getsockname()[1]


async def test_the_first_line_is_given() -> None:
    async with server(b"220 mx.example ESMTP\r\nmore\r\n") as port:
        assert await greeting("127.0.0.1", port, 5) == "220 mx.example ESMTP"


async def test_what_a_stranger_says_is_cleaned_and_capped() -> None:
    async with server(b"220 \x1b[2J" + b"x" * 400 + b"\r\n") as port:
        said = await greeting("127.0.0.1", port, 5)
    assert said.startswith("220 ?[2Jxxx")
    assert len(said) == 200


@pytest.mark.parametrize("says", [b"", b"x" * 5000])
async def test_who_says_nothing_or_too_much_is_no_mail_server(says: bytes) -> None:
    async with server(says) as port:
        with pytest.raises(ConnectionError):
            await greeting("127.0.0.1", port, 5)


async def test_silence_ends_in_time() -> None:
    async with server(b"", silent=True) as port:
        with pytest.raises(TimeoutError):
            await greeting("127.0.0.1", port, 0.05)


async def test_a_closed_port_is_an_error_of_the_system() -> None:
    async with server(b"") as port:
        pass
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await greeting("127.0.0.1", port, 5)
