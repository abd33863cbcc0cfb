from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayd.net.systemd import Notifier, listen_fds


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's end: the socket, and what NOTIFY_SOCKET says."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        if request.param == "path":
            name = str(tmp_path / "notify")
            listening.bind(name)
        else:
            listening.bind("")  # the kernel picks an abstract name
            name = "@" + listening.getsockname()[1:].decode("latin-1")
        listening.settimeout(5)
        yield listening, name


def test_each_word_arrives(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})

    def heard() -> dict[str, str]:
        return dict(line.split("=", 1) for line in listening.recv(4096).decode().split("\n"))

    notifier.ready("mail of\n2 senders")
    assert heard() == {"READY": "1", "STATUS": "mail of 2 senders"}
    notifier.alive()
    assert heard() == {"WATCHDOG": "1"}
    notifier.status("x")
    assert heard() == {"STATUS": "x"}
    notifier.stopping()
    assert heard()["STOPPING"] == "1"
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    words = heard()
    assert words["RELOADING"] == "1"
    assert before <= int(words["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_without_a_manager_every_word_goes_nowhere(tmp_path: Path) -> None:
    Notifier({}).ready("x")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog(environ: dict[str, str], wanted: float | None) -> None:
    assert Notifier(environ).watchdog == wanted


CHILD = """
import os
from relayd.net.systemd import listen_fds
os.environ["LISTEN_PID"] = os.environ.get("SAY_PID") or str(os.getpid())
found = listen_fds(os.environ)
for name, sockets in found.items():
    for one in sockets:
        print(name, one.getsockname(), one.getblocking(), os.get_inheritable(one.fileno()))
print(sorted(name for name in os.environ if name.startswith("LISTEN")))
"""


def activated(names: str, *sockets: socket.socket, **environ: str) -> list[str]:
    """Start a child as systemd does: sockets from descriptor 3 on."""
    fds = [sock.fileno() for sock in sockets]

    def put_in_place() -> None:
        high = [os.dup2(fd, 100 + at) for at, fd in enumerate(fds)]
        for at, fd in enumerate(high):
            os.dup2(fd, 3 + at)

    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={**os.environ, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": names, **environ},
        close_fds=False,
        preexec_fn=put_in_place,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_sockets_are_found_by_name_and_children_do_not_get_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        lines = activated("smtp:api", a, b)
        assert lines == [
            f"smtp {a.getsockname()} False False",
            f"api {b.getsockname()} False False",
            "[]",
        ]


def test_sockets_without_names_and_for_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as a:
        assert activated("", a)[0].startswith("unknown ")
        assert activated("smtp", a, SAY_PID="1") == ["[]"]
        assert activated("smtp", a, LISTEN_FDS="many") == ["[]"]


def test_without_systemd_there_are_none() -> None:
    assert listen_fds({}) == {}
