"""The units as shipped: they load, they are tight, and they agree with each other."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent.parent / "systemd"
SERVICE = (UNITS / "relayd.service").read_text()


def settings(name: str, section: str) -> list[tuple[str, str]]:
    """The settings of a section, repetitions kept."""
    found = []
    now = ""
    for line in (UNITS / name).read_text().splitlines():
        if line.startswith("["):
            now = line.strip("[]")
        elif line and not line.startswith("#") and now == section:
            key, _, value = line.partition("=")
            found.append((key, value))
    return found


def test_the_service_runs_the_command_on_the_config_that_reload_reads_again() -> None:
    service = dict(settings("relayd.service", "Service"))
    assert service["ExecStart"] == "/opt/relayd/bin/relayd run -c /etc/relayd/relayd.yaml"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["Type"] == "notify", "Debian 12 has systemd 252; notify-reload came with 253"


def test_a_wrong_config_is_not_started_over_and_over() -> None:
    assert dict(settings("relayd.service", "Service"))["RestartPreventExitStatus"] == "64 78"


def test_the_sockets_outlive_the_service() -> None:
    keys = dict(settings("relayd.service", "Service"))
    assert "RuntimeDirectory" not in keys, "systemd removes that folder, with the sockets, at every stop"
    for unit, name, path in (
        ("relayd.socket", "smtp", "/run/relayd/smtp.sock"),
        ("relayd-api.socket", "api", "/run/relayd/api.sock"),
    ):
        socket = settings(unit, "Socket")
        assert ("FileDescriptorName", name) in socket
        assert ("ListenStream", path) in socket
        assert unit in keys["Sockets"]


def test_ports_for_http_are_systemd_s_and_loopback_alone() -> None:
    """The unit may bind nothing itself, so what the config may name has a socket; neither is on by itself."""
    service = dict(settings("relayd.service", "Service"))
    assert service["SocketBindDeny"] == "any"
    for unit, name, place in (
        ("relayd-http.socket", "http", "127.0.0.1:8025"),
        ("relayd-public.socket", "public", "127.0.0.1:8026"),
    ):
        socket = settings(unit, "Socket")
        assert ("FileDescriptorName", name) in socket
        assert [value for key, value in socket if key == "ListenStream"] == [place]
        assert ("Service", "relayd.service") in socket
        assert unit not in service["Sockets"]


def test_clients_on_the_unix_socket_keep_their_uid() -> None:
    """In a user namespace SO_PEERCRED gives 65534 for everybody, and `logins: [{uid: ...}]` means nobody."""
    assert "PrivateUsers" not in dict(settings("relayd.service", "Service"))


def test_the_groups_that_own_the_sockets_are_made() -> None:
    made = set(re.findall(r"^[ug] +(\S+)", (UNITS / "relayd.sysusers").read_text(), re.MULTILINE))
    asked = {
        value
        for unit in ("relayd.service", "relayd.socket", "relayd-api.socket")
        for section in ("Service", "Socket")
        for key, value in settings(unit, section)
        if key in ("User", "Group", "SocketGroup")
    }
    assert asked <= made, "a socket whose group is missing does not start"


def test_a_drain_fits_into_the_time_systemd_gives() -> None:
    """20 s for uploads and 50 s for answers to the final dot, and then some."""
    assert int(dict(settings("relayd.service", "Service"))["TimeoutStopSec"]) > 70


@pytest.mark.parametrize("path", sorted(UNITS.glob("drop-ins/*.conf")), ids=lambda path: path.name)
def test_a_drop_in_parses_and_says_how_to_install_it(path: Path) -> None:
    parser = RawConfigParser(strict=False, comment_prefixes=("#",))
    parser.read_string(path.read_text())
    assert parser.sections() == ["Service"]
    assert f"/etc/systemd/system/relayd.service.d/{path.name}" in path.read_text()


# --- with systemd's own tools ---


@pytest.fixture
def analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is missing: apt-get install systemd")
    return found


def installed(folder: Path, *drop_ins: str) -> Path:
    """The units in a folder of their own, with a command that exists in place of /opt/relayd."""
    for unit in UNITS.glob("relayd*.s[eo]*"):
        if unit.suffix in (".service", ".socket"):
            text = unit.read_text().replace("/opt/relayd/bin/relayd", "/bin/true")
            (folder / unit.name).write_text(text)
    for name in drop_ins:
        (folder / "relayd.service.d").mkdir(exist_ok=True)
        shutil.copy(UNITS / "drop-ins" / name, folder / "relayd.service.d" / name)
    return folder


@pytest.mark.real
@pytest.mark.parametrize(
    "drop_ins", [(), ("lan.conf",), ("credentials.conf",)], ids=["plain", "lan", "credentials"]
)
def test_systemd_loads_the_units_without_a_word(
    analyze: str, tmp_path: Path, drop_ins: tuple[str, ...]
) -> None:
    folder = installed(tmp_path, *drop_ins)
    units = [str(path) for path in sorted(folder.glob("relayd*.s*t")) + sorted(folder.glob("*.service"))]
    done = subprocess.run(
        [analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.real
@pytest.mark.parametrize(
    ("drop_in", "most"), [(None, 12), ("lan.conf", 12), ("credentials.conf", 12)], ids=str
)
def test_what_the_service_is_exposed_to_stays_at_1_2(
    analyze: str, tmp_path: Path, drop_in: str | None, most: int
) -> None:
    """The threshold is in tenths. An offline check reads no drop-ins, so theirs is put at the unit's end."""
    unit = installed(tmp_path) / "relayd.service"
    if drop_in is not None:
        unit.write_text(unit.read_text() + (UNITS / "drop-ins" / drop_in).read_text())
    done = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={most}", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.real
def test_the_users_and_groups_can_be_made(tmp_path: Path) -> None:
    sysusers = shutil.which("systemd-sysusers")
    if sysusers is None:
        pytest.skip("systemd-sysusers is missing: apt-get install systemd")
    done = subprocess.run(
        [sysusers, f"--root={tmp_path}", "--dry-run", str(UNITS / "relayd.sysusers")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
