"""The benchmark runs; what it measures is for people to read, never for a test to judge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "benchmarks")
NEEDED = ("smtp-source", "smtp-sink", "postfix", "opendkim")


def run(*options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "160", **environ},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_without_debians_packages_it_says_what_is_missing_and_is_content(tmp_path: Path) -> None:
    done = run(PATH=str(tmp_path))
    assert done.returncode == 0
    assert "apt-get install postfix opendkim" in done.stdout
    assert "smtp-source" in done.stdout


@pytest.mark.real
@pytest.mark.skipif(
    any(shutil.which(name) is None for name in NEEDED), reason="needs Debian's postfix and opendkim"
)
@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root only")
def test_both_contenders_sign_and_relay_all_there_is(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = run("--rounds", "1", "--scale", "0.02", "--no-memory", "--json", str(figures))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ratio" in done.stdout
    assert "relayd's processor time" in done.stdout
    found = json.loads(figures.read_text())
    assert set(found) == {"what", "loads", "stages", "memory"}
    assert all(len(row) == 2 for row in found["loads"].values())
    assert found["memory"]["idle"] > 0
