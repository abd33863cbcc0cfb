"""Unbound, a resolver with a cache, in front of the nameservers of a test."""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from .nsd_instance import PATIENCE, free_port, program, wait


def why_not() -> str | None:
    """Why it can't run here; None when it can."""
    return None if program("unbound") else "unbound is not installed (Debian: apt-get install unbound)"


@contextmanager
def unbound(folder: Path, zones: Collection[str], authority: str) -> Iterator[int]:
    """Resolve these zones at `authority`, `127.0.0.1@5353`, and nothing else; gives the port."""
    port = free_port("127.0.0.1")
    folder.mkdir(exist_ok=True)
    stubs = "".join(f'stub-zone:\n  name: "{zone}"\n  stub-addr: {authority}\n' for zone in zones)
    (folder / "unbound.conf").write_text(
        f'server:\n  interface: 127.0.0.1@{port}\n  port: {port}\n  do-daemonize: no\n  username: ""\n'
        f'  chroot: ""\n  directory: "{folder}"\n  pidfile: ""\n  use-syslog: no\n'
        f'  logfile: "{folder}/unbound.log"\n  do-not-query-localhost: no\n  module-config: "iterator"\n'
        f'  num-threads: 1\n  local-zone: "example" transparent\n  access-control: 127.0.0.0/8 allow\n{stubs}'
        "remote-control:\n  control-enable: no\n"
    )
    name = program("unbound")
    assert name is not None
    process = subprocess.Popen([name, "-d", "-c", str(folder / "unbound.conf")])
    try:
        wait(process, "127.0.0.1", port, folder / "unbound.log")
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)
