"""What `relayd doctor` looks at on this machine: clock, disk, who may read which file, systemd."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from relayd.core import doctor
from relayd.core.doctor import Finding
from relayd.core.records.dkimkey import other_selector
from relayd.core.settings import Settings
from relayd.net import clock
from relayd.store.space import ENOUGH, SHARE

UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
"""Where systemd looks for units (systemd.unit(5))."""


def findings(
    settings: Settings,
    *,
    synchronised: Callable[[], bool | None] = clock.synchronised,
    managed: Callable[[], bool] = clock.managed_by_systemd,
) -> list[Finding]:
    return [_clock(synchronised()), _disk(Path(settings.state_dir)), *_files(settings), *_systemd(managed())]


def _clock(synchronised: bool | None) -> Finding:
    if synchronised is None:
        return doctor.unknown(
            "clock", "", "the kernel doesn't tell here whether its clock is kept; ask in a shell: timedatectl"
        )
    if synchronised:
        return doctor.ok("clock", "", "kept right by a time service")
    text = "nothing on this machine says that it keeps the clock; signatures and expiry depend on it"
    return doctor.warning("clock", "", text, "timedatectl set-ntp true, or see that the host does it")


def _disk(folder: Path) -> Finding:
    try:
        room = os.statvfs(folder)
    except OSError as error:
        remedy = f"make it, or correct state_dir: {folder}"
        return doctor.bad("disk", str(folder), error.strerror or "can't be read", remedy)
    free, size = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
    kept = min(int(size * SHARE), ENOUGH)  # below that no mail is taken
    text = f"{_size(free)} free of {_size(size)}"
    if free < kept or (room.f_files and not room.f_favail):
        return doctor.bad("disk", str(folder), f"{text}; no mail is taken below {_size(kept)}", "make room")
    if free < 2 * kept:
        return doctor.warning(
            "disk", str(folder), f"{text}; no mail is taken below {_size(kept)}", "make room"
        )
    return doctor.ok("disk", str(folder), text)


def _files(settings: Settings) -> list[Finding]:
    """Secrets must be nobody else's to read."""
    key = Path(settings.platform.dkim.key_file)
    other = key.with_name(f"{other_selector(settings.platform.dkim.selector)}.pem")
    paths = [Path(settings.state_dir), Path(settings.master_key_file), key, other]
    found = [finding for path in dict.fromkeys(paths) if (finding := _file(path)) is not None]
    if not _there(key) and not _there(other):
        text = "the signing key is not there, or not to be seen"
        found.append(doctor.bad("files", str(key), text, "restore it, or make one: relayd dkim new"))
    return found or [doctor.ok("files", str(settings.state_dir), "keys and state are nobody else's to read")]


def _there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that we may not look into
        return False


def _file(path: Path) -> Finding | None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
    if not mode & 0o007:
        return None
    text = f"mode {mode:04o}: every user of this machine gets at it"
    return doctor.bad("files", str(path), text, f"chmod o= {path}")


def _systemd(managed: bool) -> list[Finding]:
    if not managed:
        return []
    if any((Path(folder) / "relayd.service").exists() for folder in UNITS):
        wanted = Path(UNITS[0]) / "multi-user.target.wants" / "relayd.service"
        if wanted.is_symlink():
            return [doctor.ok("systemd", "relayd.service", "starts with the machine")]
        text = "is installed, and does not start with the machine"
        return [doctor.warning("systemd", "relayd.service", text, "systemctl enable relayd")]
    text = "is not installed: nobody starts relayd again after a crash or a restart of the machine"
    return [doctor.warning("systemd", "relayd.service", text, "install the units; see docs/operating.md")]


def _size(octets: int) -> str:
    return f"{octets / 1024**3:.1f} GiB" if octets >= 1024**3 else f"{octets / 1024**2:.0f} MiB"
