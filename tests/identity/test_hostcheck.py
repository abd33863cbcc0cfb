"""What the doctor finds on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from relayd.core.doctor import Finding, Health
from relayd.core.settings import Settings
from relayd.identity import hostcheck


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "keys").mkdir(mode=0o700)
    for name in ("keys/r1.pem", "master.key"):
        (tmp_path / name).touch(mode=0o600)
    tmp_path.chmod(0o700)
    return Settings.model_validate(
        {
            "hostname": "relay.example.net",
            "state_dir": str(tmp_path),
            "master_key_file": str(tmp_path / "master.key"),
            "platform": {
                "domain": "my.platform.example",
                "name": "Platform",
                "dkim": {"selector": "r1", "key_file": str(tmp_path / "keys/r1.pem")},
            },
        }
    )


def found(settings: Settings, **more: object) -> dict[str, Finding]:
    findings = hostcheck.findings(
        settings,
        **{"synchronised": lambda: True, "managed": lambda: False, **more},  # type: ignore[arg-type]
    )
    return {finding.check: finding for finding in findings}


def test_a_machine_that_is_well(settings: Settings) -> None:
    assert {check: finding.health for check, finding in found(settings).items()} == {
        "clock": Health.OK,
        "disk": Health.OK,
        "files": Health.OK,
    }


@pytest.mark.parametrize(
    ("kept", "health"), [(True, Health.OK), (False, Health.WARNING), (None, Health.UNKNOWN)]
)
def test_the_clock(settings: Settings, kept: bool | None, health: Health) -> None:
    assert found(settings, synchronised=lambda: kept)["clock"].health is health


@pytest.mark.parametrize("name", ["", "master.key", "keys/r1.pem", "keys/r2.pem"])
def test_what_others_may_read_is_said_with_the_command_that_mends_it(settings: Settings, name: str) -> None:
    path = Path(settings.state_dir) / name
    if not path.exists():
        path.touch()
    path.chmod(path.stat().st_mode | 0o004)
    finding = found(settings)["files"]
    assert (finding.health, finding.remedy) == (Health.BAD, f"chmod o= {path}")


def test_one_of_the_two_keys_is_enough(settings: Settings) -> None:
    key = Path(settings.platform.dkim.key_file)
    key.rename(key.with_name("r2.pem"))
    assert found(settings)["files"].health is Health.OK
    key.with_name("r2.pem").unlink()
    assert found(settings)["files"].health is Health.BAD


@pytest.mark.parametrize(
    ("free", "inodes", "health"),
    [(100, 1, Health.OK), (7, 1, Health.WARNING), (1, 1, Health.BAD), (100, 0, Health.BAD)],
)
def test_the_disk(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, free: int, inodes: int, health: Health
) -> None:
    def statvfs(path: object) -> os.statvfs_result:
        unit = 1024**2
        return os.statvfs_result((unit, unit, 100, free, free, 10, inodes, inodes, 0, 255))

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert found(settings)["disk"].health is health


def test_a_state_folder_that_is_not_there(settings: Settings) -> None:
    gone = settings.model_copy(update={"state_dir": "/nowhere/at/all"})
    assert found(gone)["disk"].health is Health.BAD


def test_systemd(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hostcheck, "UNITS", (str(tmp_path),))
    assert "not installed" in found(settings, managed=lambda: True)["systemd"].text
    (tmp_path / "relayd.service").touch()
    assert found(settings, managed=lambda: True)["systemd"].remedy == "systemctl enable relayd"
    (tmp_path / "multi-user.target.wants").mkdir()
    (tmp_path / "multi-user.target.wants" / "relayd.service").symlink_to(tmp_path / "relayd.service")
    assert found(settings, managed=lambda: True)["systemd"].health is Health.OK
