"""Signatures in the eyes of others: dkimpy and OpenDKIM, for mail of every shape."""

from __future__ import annotations

import asyncio
import base64
import random
import re
import shutil
from asyncio.subprocess import PIPE
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest

from relayd.core import tokens
from relayd.core.content import Settler
from relayd.core.mail import Rung
from relayd.dressing import Dressed

MESSAGES = 1000
# in the past: verifiers don't take signatures from the future
NOW = datetime(2025, 11, 22, 5, 11, 49, tzinfo=UTC)

_FOLDS = ("", " ", "  ", "\t", "\r\n ", "\r\n\t", " \r\n  \t")
_WORDS = (
    "Rechnung",
    "2026-0042",
    "=?utf-8?q?f=C3=BCr?=",
    "a:b",
    "x;y",
    "<1@acme.example>",
    "é",
    "=",
    "—" * 9,
)
_OPTIONAL = (
    *("To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type"),
    *("Content-Transfer-Encoding", "List-Unsubscribe", "List-Unsubscribe-Post", "In-Reply-To"),
)
_FREE = ("X-Mailer", "Received", "X-" + "long" * 12, "Comments", "X_odd!name", "Keywords")


def some_text(dice: random.Random) -> str:
    return "".join(dice.choice(_FOLDS) + dice.choice(_WORDS) for _ in range(dice.randrange(12)))


def some_header(dice: random.Random) -> bytes:
    fields = [f"From:{dice.choice(_FOLDS[:4])}ACME{dice.choice(_FOLDS[1:])}<billing@acme.example>"]
    fields += [f"{name}:{some_text(dice)}" for name in _OPTIONAL if dice.random() < 0.6]
    fields += [f"{dice.choice(_FREE)}:{some_text(dice)}" for _ in range(dice.randrange(5))]
    fields = [
        dice.choice((str, str.upper, str.lower))(f.partition(":")[0]) + f[f.index(":") :] for f in fields
    ]
    dice.shuffle(fields)
    return ("\r\n".join(fields) + "\r\n").encode()


def some_body(dice: random.Random) -> bytes:
    lines = [
        dice.choice((b"", b" ", b"text", b"trailing \t", b"\xff\xfe", b".", b"a" * 900, b"From x", b"\t"))
        for _ in range(dice.randrange(10))
    ]
    return b"".join(line + b"\r\n" for line in lines)


@pytest.fixture
def generate(workshop, make_sender, make_submission) -> Callable[[int], object]:
    """Messages as they leave, from the octets after DATA to the signed header."""

    async def run(count: int) -> list[bytes]:
        dice = random.Random(6376)
        made = []
        for number in range(count):
            settler = Settler(limit=1_000_000)
            body = settler.feed(some_header(dice) + b"\r\n" + some_body(dice))
            content = settler.finish()
            submission = make_submission(header=content.header, body_hash=content.body_hash)
            dressed = await workshop.dresser.dress(
                submission,
                make_sender(send_as=dice.choice((Rung.OWN, Rung.DEFAULT))),
                tokens.message_id(NOW, number.to_bytes(10, "big")),
                NOW,
            )
            assert isinstance(dressed, Dressed), dressed
            made.append(dressed.dressing.header + b"\r\n" + body)
        return made

    return run


def signers(message: bytes) -> list[str]:
    return [found.decode() for found in re.findall(rb"(?m)^DKIM-Signature:.*? d=([a-z.]+);", message)]


@pytest.fixture
def txt(vault) -> Callable[..., bytes]:
    text = vault.ring.keys[0].record.encode()
    return lambda name, timeout=5: text


async def test_a_thousand_messages_verify_in_dkimpy(generate, txt) -> None:
    for message in await generate(MESSAGES):
        verifier = dkim.DKIM(message)
        domains = signers(message)
        assert domains in (["acme.example", "my.platform.example"], ["my.platform.example"])
        for at in range(len(domains)):
            assert verifier.verify(idx=at, dnsfunc=txt), message


@pytest.mark.real
async def test_a_thousand_messages_verify_in_opendkim(generate, vault, tmp_path: Path) -> None:
    opendkim = shutil.which("opendkim", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if opendkim is None:
        pytest.skip("opendkim is not installed (Debian: apt-get install opendkim)")
    domains = ("acme.example", "my.platform.example")
    (key,) = vault.ring.keys
    lines = [f"{key.name(domain)} {key.record}\n" for domain in domains]
    (tmp_path / "keys").write_text("".join(lines))
    (tmp_path / "conf").write_text(f"Mode v\nSyslog no\nTestPublicKeys {tmp_path}/keys\n")
    messages = await generate(MESSAGES)
    for number, message in enumerate(messages):
        (tmp_path / str(number)).write_bytes(message)
    names = ",".join(str(number) for number in range(len(messages)))
    process = await asyncio.create_subprocess_exec(
        *(opendkim, "-x", "conf", "-vv", "-t", names), cwd=tmp_path, stdout=PIPE, stderr=PIPE
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0
    assert "fail" not in said
    assert said.count("dkim=pass") == sum(len(signers(message)) for message in messages)


ATTACKED = ("From", "To", "Cc", "Subject", "Date", "Message-ID", "Reply-To", "MIME-Version", "Content-Type",
            "Content-Transfer-Encoding", "List-Unsubscribe", "List-Unsubscribe-Post")  # fmt: skip


@pytest.mark.parametrize("name", ATTACKED)
async def test_a_field_put_on_top_later_breaks_every_signature(generate, txt, name: str) -> None:
    for message in await generate(10):
        forged = f"{name}: evil@x.example\r\n".encode() + message
        verifier = dkim.DKIM(forged)
        assert not any(verifier.verify(idx=at, dnsfunc=txt) for at in range(len(signers(message))))


async def test_what_is_added_to_the_body_breaks_the_signature(generate, txt) -> None:
    for message in await generate(10):
        with pytest.raises(dkim.ValidationError, match="body hash"):
            dkim.DKIM(message + b"more\r\n").verify(dnsfunc=txt)


async def test_a_signature_is_that_of_the_key_in_the_record(vault) -> None:
    (key,) = vault.ring.keys
    assert base64.b64decode(key.record.partition("p=")[2]) == key.public_key
