"""What the daemon holds in memory while nothing happens."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

LIMIT = 80.0
"""MiB: what issue 2 allows."""

SELDOM = ("httpx", "authlib", "jinja2", "rich", "relayd.identity.discover", "relayd.web.page")
"""What few installations ever use: about 15 MiB in all."""


def imported(log: str) -> list[str]:
    """The modules that the daemon imported, as -X importtime says."""
    return re.findall(r"^import time: +\d+ \| +\d+ \| +([\w.]+)$", log, re.MULTILINE)


def sizes(pid: int) -> Counter[str]:
    """KiB in memory by what they are (proc_pid_smaps(5)), `Rss` and `Private` for the whole process."""
    found: Counter[str] = Counter()
    name = ""
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        key, *values = line.split()
        if not key.endswith(":"):
            name = Path(values[-1]).name if len(values) == 5 else "anonymous"
        elif key in ("Rss:", "Private_Clean:", "Private_Dirty:"):
            found[key.partition("_")[0].rstrip(":")] += int(values[0])
            found[name] += int(values[0]) if key == "Rss:" else 0
    return found


@pytest.fixture
async def daemon(make_world: Any) -> Any:
    """One that has started, with neither pages for people nor sign-ins, and has been asked something."""
    async with make_world() as world:
        await world.daemon.start(PYTHONPROFILEIMPORTTIME="1")
        code, _, err = await world.daemon.command("status")
        assert code == 0, err
        yield world.daemon


async def test_what_few_installations_use_is_not_in_memory(daemon: Any) -> None:
    found = imported(daemon.log.read_text())
    assert "relayd.app" in found
    assert not set(SELDOM) & set(found)


async def test_an_idle_daemon_and_the_process_that_signs_fit_into_80_mib(daemon: Any) -> None:
    pid = daemon.process.pid
    (signer,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ours, its = sizes(pid), sizes(int(signer))
    together = (ours["Rss"] + its["Private"]) / 1024
    packages = Counter(name.partition(".")[0] for name in imported(daemon.log.read_text()))
    assert together < LIMIT, (
        f"{together:.1f} MiB: {ours['Rss']} KiB, and {its['Private']} KiB of the process that signs. "
        f"Most of it: {ours.most_common(12)}. Modules, by package: {packages.most_common(30)}"
    )
