"""The named steps: each is passed somewhere, no other is, and a wish for an unknown one is refused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import relayd
from relayd import crashpoints
from relayd.crashpoints import STEPS

SOURCE = Path(relayd.__file__).parent


def run(code: str, crash_at: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "RELAYD_CRASH_AT": crash_at}
    code = "from relayd.crashpoints import crashpoint\n" + code
    return subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )


def test_every_step_is_passed_somewhere_and_no_other() -> None:
    sources = "".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name != "crashpoints.py")
    literal = set(re.findall(r'crashpoint\("([a-z_.]+)"\)', sources))
    written = set(re.findall(r'write\(\s*"([a-z]+)"', sources))  # the writer adds .before_ and .after_commit
    grouped = {f"{step}.{moment}_commit" for step in written for moment in ("before", "after")}
    assert literal | grouped == STEPS


def test_the_process_dies_at_the_named_passage() -> None:
    done = run(
        "for n in range(5): print(n, flush=True); crashpoint('put.after_commit')", "put.after_commit:3"
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout.split() == ["0", "1", "2"]


def test_without_a_wish_nothing_happens() -> None:
    assert run("crashpoint('put.after_commit')", "").returncode == 0


def test_a_wish_for_a_step_that_does_not_exist_is_refused() -> None:
    done = run("", "put.sometime")
    assert "there is no such step" in done.stderr
    assert done.returncode != 0


def test_passing_a_step_that_is_not_listed_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashpoints, "_name", "put.after_commit")
    with pytest.raises(ValueError, match="not listed"):
        crashpoints.crashpoint("put.sometime")
