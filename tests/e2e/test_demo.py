"""`relayd demo`, run as a user runs it: a process of its own, with a pipe for a terminal."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from relayd.cli import demo as demo_module
from relayd.cli import demo_report
from relayd.sandbox.demo import CASES, PLATFORM

COMMAND = (sys.executable, "-c", "from relayd.cli import main; main()", "demo")


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


async def test_every_invoice_comes_out_as_it_should_within_a_minute() -> None:
    process = await start()
    async with asyncio.timeout(60):
        output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
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


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    subprocess.run(
        COMMAND, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.DEVNULL, timeout=60
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_it_stays_when_asked_and_ends_in_order(end: signal.Signals, tmp_path: Path) -> None:
    process = await start("--stay", TMPDIR=str(tmp_path))
    assert process.stdout is not None
    seen = b""
    async with asyncio.timeout(60):
        while b"ask its DNS" not in seen:
            line = await process.stdout.readline()
            assert line, seen.decode()
            seen += line
        process.send_signal(end)
        await process.communicate()
    assert process.returncode == 0
    assert os.listdir(tmp_path) == []  # the daemon has ended too, or it would have been in the way


def test_what_comes_out_wrong_is_said_and_makes_the_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = (replace(CASES[0], header_from="Somebody else <x@y.example>"), *CASES[1:])
    monkeypatch.setattr(demo_module, "CASES", wrong)
    shown = io.StringIO()
    assert demo_module.demo(console=Console(file=shown, width=160)) == 1
    assert "wrong RE-1001 From: 'Blumen Krüger <blumen.krueger@" in shown.getvalue()
    assert "5 of 6 invoices came out as they should" in shown.getvalue()


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
