"""What the running daemon does fits through the unit's filters: system calls, sockets, writable code.

No systemd runs on a test machine, so the daemon is watched instead: every call it makes is held against what
the unit lets through.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import smtplib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

UNIT = (Path(__file__).parent.parent.parent / "systemd" / "relayd.service").read_text()

HARMLESS = {
    "fchown",  # SQLite, and only as root: the log beside the database belongs to whom the database does
    "sched_setaffinity",  # libuv's threads; they run without
}
"""Calls that the filter answers with EPERM and that their callers do without."""


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install {package}")
    return found


def calls_of(name: str) -> set[str]:
    """The system calls in one of systemd's sets, sets within it resolved."""
    analyze = tool("systemd-analyze", "systemd")
    out = subprocess.run(
        [analyze, "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
    ).stdout
    found = set()
    for line in out.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            found |= calls_of(word)
        elif word and not word.startswith("#"):
            found.add(word)
    return found


def allowed() -> set[str]:
    found: set[str] = set()
    for value in re.findall(r"^SystemCallFilter=(.*)$", UNIT, re.MULTILINE):
        calls = set().union(*(calls_of(name) for name in value.removeprefix("~").split()))
        found = found - calls if value.startswith("~") else found | calls
    return found


@pytest.fixture
async def trace(make_world: Callable[..., Any], tmp_path: Path, invoice: Callable[..., Any]) -> list[str]:
    """What the daemon did from start to stop, with one invoice delivered in between."""
    out = tmp_path / "trace"
    # -D: strace is the child, so the daemon keeps the process id that its socket was handed over for
    strace = (tool("strace", "strace"), "-D", "-f", "-qq", "-s", "0", "-o", str(out))
    async with make_world() as world:
        world.daemon.before = strace
        await world.daemon.start()

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", world.daemon.port) as server:
                server.send_message(invoice("kunde@customer.example"))

        await asyncio.to_thread(send)
        await asyncio.wait_for(world.receiver.wait_for(1), 30)
        await world.daemon.until(lambda: world.daemon.events()[-1:] != [], "a line in the status log")
        assert await world.daemon.stop() == 0
    return out.read_text(errors="replace").splitlines()


async def test_the_daemon_fits_through_the_filters_of_its_unit(trace: list[str]) -> None:
    calls = {found[1] for line in trace if (found := re.match(r"\d+ +(?:<\.\.\. )?(\w+)[( ]", line))}
    assert {"socket", "fdatasync", "sendto"} & calls, "the trace shows the daemon at work"
    assert calls - allowed() <= HARMLESS

    families = {found[1] for line in trace if (found := re.search(r"\bsocket\((AF_\w+)", line))}
    granted = re.search(r"^RestrictAddressFamilies=(.*)$", UNIT, re.MULTILINE)
    assert granted is not None
    assert families <= set(granted[1].split())

    # MemoryDenyWriteExecute=: nothing both writable and executable, nothing made executable later
    writable_code = [
        line
        for line in trace
        if re.search(r"\bmmap\([^)]*PROT_WRITE\|PROT_EXEC", line)
        or re.search(r"\b(?:pkey_)?mprotect\([^)]*PROT_EXEC", line)
        or "SHM_EXEC" in line
    ]
    assert not writable_code
