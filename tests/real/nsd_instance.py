"""NSD, an authoritative nameserver, for zone files of a test."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 20.0  # seconds until it answers
_QUESTION = bytes.fromhex("123400000001000000000000") + b"\x00\x00\x06\x00\x01"  # . SOA


def program(name: str) -> str | None:
    return shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")


def why_not() -> str | None:
    """Why it can't run here; None when it can."""
    return None if program("nsd") else "nsd is not installed (Debian: apt-get install nsd)"


@dataclass(frozen=True, kw_only=True)
class Nsd:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]
    zones: tuple[str, ...]

    def publish(self, zone: str, text: str) -> None:
        """Write the zone anew and have it read. Returns before it is served."""
        (self.folder / f"{self.zones.index(zone)}.zone").write_text(text)
        self.process.send_signal(signal.SIGHUP)


@contextmanager
def nsd(folder: Path, zones: Mapping[str, str], *, address: str = "127.0.0.1") -> Iterator[Nsd]:
    """Serve zone files, by zone, in the foreground."""
    port = free_port(address)
    folder.mkdir(exist_ok=True)
    blocks = []
    for number, (zone, text) in enumerate(zones.items()):
        (folder / f"{number}.zone").write_text(text)
        blocks.append(f'zone:\n  name: "{zone}"\n  zonefile: "{folder}/{number}.zone"\n')
    (folder / "nsd.conf").write_text(
        f'server:\n  ip-address: {address}@{port}\n  username: ""\n  chroot: ""\n  zonesdir: "{folder}"\n'
        f'  database: ""\n  xfrdfile: "{folder}/xfrd.state"\n  zonelistfile: "{folder}/zone.list"\n'
        f'  pidfile: ""\n  server-count: 1\n  logfile: "{folder}/nsd.log"\n'
        "remote-control:\n  control-enable: no\n" + "".join(blocks)
    )
    nsd_program = program("nsd")
    assert nsd_program is not None
    process = subprocess.Popen([nsd_program, "-d", "-c", str(folder / "nsd.conf")])
    try:
        wait(process, address, port, folder / "nsd.log")
        yield Nsd(folder=folder, port=port, process=process, zones=tuple(zones))
    finally:
        process.terminate()
        process.wait(PATIENCE)


def free_port(address: str) -> int:
    """One that is free for TCP and UDP; NSD takes no socket from us."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port: int = tcp.getsockname()[1]
            try:
                udp.bind((address, port))
            except OSError:
                continue
            return port


def wait(process: subprocess.Popen[bytes], address: str, port: int, log: Path) -> None:
    """Until it answers; each question waits a little for its answer."""
    with socket.socket(type=socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.1)
        asking.connect((address, port))
        for _ in range(int(PATIENCE / 0.1)):
            if process.poll() is not None:
                raise AssertionError(f"nsd ended with {process.returncode}: {log.read_text()}")
            try:
                asking.send(_QUESTION)
                if asking.recv(512):
                    return
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                process_ended = process.poll() is not None
                if not process_ended:
                    _a_moment(asking)
    raise AssertionError(f"nsd does not answer: {log.read_text()}")


def _a_moment(asking: socket.socket) -> None:
    """What a refused question costs no time: wait for the next as long as for an answer."""
    try:
        asking.recv(512)
    except OSError:
        pass
