"""`relayd demo`, run as a user runs it: a process of its own, with a pipe for a terminal."""

from __future__ import annotations

import asyncio
import io
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from relayd.cli import demo as demo_module
from relayd.cli import demo_report
from relayd.dkimkeys import KeyRing
from relayd.sandbox import climb
from relayd.sandbox.demo import CASES, PLATFORM, World

COMMAND = (sys.executable, "-c", "from relayd.cli import main; main()", "demo")


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a short name: the path of a Unix socket, which the demo makes in it, has at most 107 octets."""
    return tmp_path_factory.mktemp("demo")


async def start(*options: str, **environ: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *COMMAND,
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "160", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", **environ},
    )


def about(output: str, heading: str, number: str) -> str:
    """The lines about one invoice under one heading."""
    section = output.partition(heading)[2]
    return re.split(r"\n  \S", section.partition(f"  {number}  ")[2])[0]


async def test_every_invoice_comes_out_as_it_should_within_a_minute_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    process = await start(TMPDIR=str(tmp_path))
    async with asyncio.timeout(60):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert os.listdir(tmp_path) == []
    assert "6 of 6 invoices came out as they should" in output
    assert "\x1b" not in output  # piped output is plain

    got, status = "What the receivers got", "The status of each invoice"
    assert f"blumen.krueger@{PLATFORM}" in about(output, got, "RE-1001")
    assert f"verified for {PLATFORM}" in about(output, got, "RE-1001")
    assert "laden@krueger-flowers.example" in about(output, got, "RE-1001")
    assert "verified for acme.example" in about(output, got, "RE-1002")
    assert "pass (aligned by spf)" in about(output, got, "RE-1003")
    assert "TLSv1.3, logged in as invoices@globex.example" in about(output, got, "RE-1003")
    for number in ("RE-1001", "RE-1002", "RE-1003", "RE-1006"):
        assert re.search(r"DMARC +pass", about(output, got, number))
        assert "sent" in about(output, status, number)
    for number, reason in (("RE-1004", "recipient.unknown"), ("RE-1005", "recipient.full")):
        told = about(output, status, number)
        assert "not sent" in told
        assert reason in told
        assert re.search(r"who must act +\S", told)
        assert re.search(r"what to do +\S", told)
    assert re.search(r"RE-1006 +deferred.*rate\.greylisted", output)
    the_climb(output)


def the_climb(output: str) -> None:
    """A customer whom the app adds gets from the default address to its own, a proof at a time."""
    assert "4 of 4 steps of the ladder came out as they should" in output
    climb = output.partition("climbs the ladder")[2].partition("Did it come out right?")[0]
    _, add, confirm, spf, dkim = re.split(r"\n  \d  ", climb)
    own, default = "From Bakkerij Peeters <facturen@peeters.example>", f"<bakkerij-peeters@{PLATFORM}>"

    assert default in add
    assert "Reply-To facturen@peeters.example" in add
    assert "DMARC pass by dkim and spf" in add
    assert re.search(r"a mail .*Bevestig uw adres facturen@peeters\.example.*, code \d{3} \d{3}", add)
    assert re.search(r"http://127\.0\.0\.1:\d+/confirm/[a-z2-7]{32}", add)
    assert "! wanted own, rung default, sender.unconfirmed, not confirmed" in add
    assert re.search(r"todo +Confirm facturen@peeters\.example", add)

    assert re.search(r"GET .*confirmed: no", confirm)  # scanners press links too
    assert re.search(r"POST .*confirmed: yes, by link", confirm)
    assert "peeters.example wrong; publish TXT" in confirm
    assert "v=spf1 include:my.platform.example ip4:192.0.2.25 -all" in confirm
    assert "! wanted own, rung default, sender.unproven, confirmed by link" in confirm

    assert own in spf
    assert "return path facturen@peeters.example, SPF pass" in spf
    assert f"DKIM d={PLATFORM}; DMARC pass by spf" in spf
    assert "✓ wanted own, rung own, proof spf, confirmed by link" in spf

    assert own in dkim
    assert re.search(rf"return path 2a.*@bounce\.{PLATFORM}", dkim)
    assert f"DKIM d=peeters.example, {PLATFORM}; DMARC pass by dkim" in dkim
    assert "✓ wanted own, rung own, proof dkim, confirmed by link" in dkim


@asynccontextmanager
async def staying(folder: Path, end: signal.Signals) -> AsyncIterator[tuple[Any, str]]:
    """The demo that keeps running, and what it said until then; ended by a signal, in order."""
    process = await start("--stay", TMPDIR=str(folder))
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(60):
        while b"ask its DNS" not in seen:
            line = await process.stdout.readline()
            assert line, seen.decode()
            seen += line
        yield process.stdout, seen.decode()
        process.send_signal(end)
        await process.communicate()
    assert process.returncode == 0
    assert os.listdir(folder) == []  # the daemon has ended too, or it would have been in the way


async def test_it_stays_when_asked_and_ends_in_order(tmp_path: Path) -> None:
    async with staying(tmp_path, signal.SIGINT):
        pass


async def test_what_it_says_to_try_can_be_tried(tmp_path: Path) -> None:
    async with staying(tmp_path, signal.SIGTERM) as (output, seen):
        told = re.findall(r"^ {4}((?:curl|relayd) .*)$", seen, re.MULTILINE)
        lines = [line for line in told if "--follow" not in line and not line.startswith("curl")]
        assert [line.split()[1] for line in lines] == ["status", "sender", "sender", "domain", "explain"]
        for line in lines:
            command = shlex.split(line)
            process = await asyncio.create_subprocess_exec(*COMMAND[:-1], *command[1:])
            assert await process.wait() == 0, line

        shown = b""
        while b"/confirm/" not in shown:  # of the mail that was asked for
            shown = await output.readline()
        async with httpx.AsyncClient(trust_env=False) as client:
            page = await client.get(shown.split()[-1].decode())
            (curl,) = [shlex.split(line) for line in told if line.startswith("curl")]
            name, _, value = curl[2].partition(": ")
            answer = await client.get(curl[3], headers={name: value})
        assert (page.status_code, "bolt@peeters.example" in page.text) == (200, True)
        assert answer.json()["proof"] == "dkim"


def test_what_comes_out_wrong_is_said_and_makes_the_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An invoice with another From than it should have, and a key in the customer's zone that is not ours."""
    wrong = (replace(CASES[0], header_from="Somebody else <x@y.example>"), *CASES[1:])
    monkeypatch.setattr(demo_module, "CASES", wrong)
    publish, not_ours = World.publish, KeyRing.open("r1", tmp_path / "r1.pem", make=True).keys[0].record

    def published(world: World, name: str, kind: str, value: str) -> None:
        publish(world, name, *(("TXT", not_ours) if kind == "CNAME" else (kind, value)))

    monkeypatch.setattr(World, "publish", published)
    shown = io.StringIO()
    assert demo_module.demo(console=Console(file=shown, width=160)) == 1
    assert "wrong RE-1001 From: 'Blumen Krüger <blumen.krueger@" in shown.getvalue()
    assert "5 of 6 invoices came out as they should" in shown.getvalue()
    assert "✗ r1._domainkey.peeters.example wrong" in shown.getvalue()
    assert "wrong step dkim: rung: ('own', 'spf', None) instead of ('own', 'dkim', None)" in shown.getvalue()
    assert "3 of 4 steps of the ladder came out as they should" in shown.getvalue()


def test_a_climb_that_cannot_go_on_ends_at_once_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(climb, "SENDER", {**climb.SENDER, "send_as": "nowhere"})
    shown = io.StringIO()
    assert demo_module.demo(console=Console(file=shown, width=160)) == 1
    assert "0 of 4 steps of the ladder came out as they should" in shown.getvalue()
    assert re.search(r"wrong step add: .*422", shown.getvalue())
    assert "wrong step dkim: it did not begin" in shown.getvalue()


def test_an_invoice_of_which_nothing_is_known_is_wrong_in_every_way() -> None:
    outcome = demo_report.Outcome(
        case=CASES[3], events=(), answer=None, server=None, received=None, seen=None, on_the_way=None
    )
    assert outcome.status == "unknown"
    assert {problem.split(":")[0] for problem in outcome.problems()} >= {
        "status",
        "rung",
        "reason",
        "what to do",
    }


@pytest.mark.parametrize(("locale", "language"), [("de_DE.UTF-8", "de"), ("C", "c"), ("", "en")])
def test_the_language_is_the_readers(monkeypatch: pytest.MonkeyPatch, locale: str, language: str) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", locale)
    report = demo_report.Report(Console(file=io.StringIO()))
    texts = {"de": "Guten Tag", "en": "Hello"}
    assert report._language == language
    assert report._in_language(texts) == ("Guten Tag" if language == "de" else "Hello")
    assert report._in_language(None) == ""
