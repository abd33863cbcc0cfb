"""Broken configs and what is said about them: each NN-name.yaml has its sentences in NN-name.expected."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from relayd.cli.root import relayd
from relayd.config import ConfigErrors, read

CONFIGS = Path(__file__).parent.parent / "data" / "configs"
BROKEN = sorted(CONFIGS.glob("*.yaml"))


def told(path: Path) -> list[str]:
    with pytest.raises(ConfigErrors) as found:
        read(path, {})
    return [str(error).removeprefix(str(path)) for error in found.value.errors]


def expected(path: Path) -> list[str]:
    return path.with_suffix(".expected").read_text().splitlines()


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_problem_is_told_in_its_words(path: Path) -> None:
    assert told(path) == expected(path)


def test_there_are_enough_of_them_and_none_is_without_its_sentences() -> None:
    assert len(BROKEN) >= 40
    assert {path.stem for path in BROKEN} == {path.stem for path in CONFIGS.glob("*.expected")}


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_no_secret_is_told(path: Path) -> None:
    """Every password in these files is called a canary."""
    assert "canary" not in "".join(told(path))
    assert "271828" not in "".join(told(path))


@pytest.mark.parametrize("path", BROKEN[::9], ids=lambda path: path.stem)
def test_check_config_prints_all_of_them_and_exits_with_78(path: Path) -> None:
    result = CliRunner().invoke(relayd, ["check-config", "-c", str(path)])

    assert result.exit_code == 78
    lines = result.output.splitlines()
    for line in expected(path):
        place, _, rest = line.partition(": ")
        assert f"{path}{place}: error: {rest}" in lines
    assert "error" in lines[-1]


def test_check_config_as_json_has_a_field_for_each_part() -> None:
    path = CONFIGS / "10-duplicate-key.yaml"

    result = CliRunner().invoke(relayd, ["check-config", "-c", str(path), "--json"])

    assert result.exit_code == 78
    found = json.loads(result.output)
    assert found["ok"] is False
    assert found["errors"][0] == {
        "file": str(path),
        "line": 6,
        "key": "hostname",
        "seen": "the key a second time",
        "expected": "each key once; it is on line 1 too",
    }


def test_run_refuses_a_broken_config_before_anything_else(tmp_path: Path) -> None:
    """As a process of its own: the exit code is what systemd's RestartPreventExitStatus sees."""
    path = CONFIGS / "31-open-relay.yaml"

    done = subprocess.run(
        [sys.executable, "-m", "relayd", "run", "-c", str(path)], capture_output=True, text=True, cwd=tmp_path
    )

    assert done.returncode == 78
    assert "else it's an open relay" in done.stderr
    assert not done.stdout


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as found:
        read(tmp_path / "none.yaml", {})
    assert str(found.value) == (
        f"{tmp_path}/none.yaml: found No such file or directory; expected a config file that relayd can read"
    )


def test_a_file_of_more_than_a_mebibyte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"# " + b"x" * 1024 * 1024)

    assert told(path) == [": found more than 1 MiB; expected a config file of at most 1 MiB"]
