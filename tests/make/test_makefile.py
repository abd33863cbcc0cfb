"""`make` on a machine that lacks something says what, and leaves nothing half made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    if shutil.which("make") is None:
        pytest.skip("make is missing: apt-get install make")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # without what the outer make hands down
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *words], cwd=folder, capture_output=True, text=True, check=False, env=environ
    )


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_help_lists_every_target(checkout: Path) -> None:
    said = make(checkout).stdout
    for target in ("demo", "test", "check", "bench", "kill", "clean"):
        assert f"make {target} " in said


def test_without_python_it_says_what_to_install(checkout: Path) -> None:
    done = make(checkout, "demo", "PYTHON=python3-not-here")
    assert done.returncode != 0
    assert "there is no 'python3-not-here' here" in done.stdout
    assert "apt-get install python3 python3-venv" in done.stdout


def test_an_old_python_is_named_with_its_version(checkout: Path) -> None:
    old = script(checkout / "old", 'case "$1" in -V) echo Python 3.9.2;; *) exit 1;; esac')
    done = make(checkout, "test", f"PYTHON={old}")
    assert done.returncode != 0
    assert "is Python 3.9.2" in done.stdout
    assert "make test PYTHON=python3.12" in done.stdout


def test_a_python_without_venv_names_the_package(checkout: Path) -> None:
    bare = script(checkout / "bare", f'case "$2" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    done = make(checkout, "demo", f"PYTHON={bare}")
    assert done.returncode != 0
    assert "apt-get install python3-venv" in done.stdout
    assert not (checkout / ".venv").exists()


def test_demo_installs_no_more_than_the_daemon_needs(checkout: Path) -> None:
    planned = make(checkout, "--dry-run", "demo").stdout
    assert "-e ." in planned
    assert "[test]" not in planned


@pytest.mark.parametrize("target", ["test", "check", "bench", "kill"])
def test_the_others_install_what_tests_need(checkout: Path, target: str) -> None:
    assert "-e '.[test]'" in make(checkout, "--dry-run", target).stdout


@pytest.mark.parametrize("target", ["demo", "check"])
def test_debian_s_pip_has_nothing_to_complain_about(checkout: Path, target: str) -> None:
    """Where a package has no pyproject.toml, pip 23.0 warns that it will build it otherwise one day."""
    planned = make(checkout, "--dry-run", target).stdout
    installing = [line for line in planned.splitlines() if "pip install" in line]
    assert installing
    assert all("--use-pep517" in line for line in installing)
