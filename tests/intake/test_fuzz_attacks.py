"""Dialogues thrown together from right and wrong pieces: what was answered 250 is kept, nothing else."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest

PIECES = [
    b"EHLO client.example\r\n",
    b"HELO client.example\r\n",
    b"MAIL FROM:<billing@acme.example>\r\n",
    b"MAIL FROM:<billing@acme.example>\r\n",
    b"MAIL FROM:<> SIZE=12\r\n",
    b"RCPT TO:<a@b.example>\r\n",
    b"RCPT TO:<a@b.example>\r\n",
    b"RCPT TO:<root>\r\n",
    b"DATA\r\n",
    b"DATA\r\n",
    b"From: billing@acme.example\r\n",
    b"Subject: x\r\n",
    b"\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"\r\n.\r\n",
    b"..\r\n",
    b"\n.\n",
    b"\r.\r",
    b"\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"AUTH PLAIN AGFwcAB4\r\n",
    b"BDAT 5 LAST\r\n",
    b"\x00",
    b"\xff\xfe\r\n",
    b"x" * 1200,
    b"Received: by x\r\n",
]


@pytest.mark.parametrize("seed", range(25))
async def test_what_is_answered_250_is_kept_and_nothing_else(
    world: Any, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    dice = random.Random(seed)
    promised = 0
    for _ in range(12):
        client = await world.connect()
        if dice.random() < 0.9:
            assert (await client.reply()).startswith("220")
            await client.send(PIECES[0])
            assert (await client.reply()).startswith("250")
        for _ in range(dice.randrange(1, 25)):
            data = dice.choice(PIECES)
            if dice.random() < 0.2:
                cut = dice.randrange(len(data))
                data = data[:cut] if dice.random() < 0.5 else data[cut:]
            try:
                await client.send(data)
            except ConnectionError:
                break
            if dice.random() < 0.7:
                await client.turns(3)
        try:
            client.writer.write_eof()
        except (OSError, RuntimeError):
            pass
        replies = await client.rest()
        promised += sum(reply.startswith("250 2.0.0 queued id=") for reply in replies)
        assert all(reply[:3].isdigit() and reply[:3] != "451" for reply in replies), replies
    assert len(await world.messages()) == promised
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
