"""What the tests of the whole daemon share: a small world on loopback, and `relayd run` as a child in it.

The world has a DNS zone, a receiving server and a listening socket that outlives the daemon, as with systemd:
while the daemon is down, clients wait in the backlog and none is refused.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import itertools
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import dkim
import hypothesis
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver
from relayd.sandbox.zone import NameServer, Zone

ROOT = Path(__file__).parent.parent
RELAYD = str(Path(sys.executable).parent / "relayd")
PATIENCE = 30.0
"""Seconds that a whole step (start, drain, stop) may take on a busy machine with two cores."""

# Timing is the machine's, and it is busy: no deadline per example, and slow generation is no fault. In CI the
# examples are the same each time, so that what it says is about the change; at home they are new ones.
hypothesis.settings.register_profile(
    "relayd",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("relayd")

# --- the quick part and the rest ---

WHOLE = ("e2e", "kill", "real", "systemd")
"""Folders whose tests start the whole daemon or foreign programs. They and the files that say so themselves
are not the unit part."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole: starts the whole daemon; set by the test's folder or `real`")


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    for item in items:
        if item.get_closest_marker("real") or any(part in WHOLE for part in item.path.parts):
            item.add_marker("whole")
    yield  # what the command line leaves out is left out here, be it single rows of a table
    tables = itertools.groupby(items, lambda item: (item.parent, getattr(item, "originalname", item.name)))
    items[:] = [item for _, rows in tables for item in _table(list(rows))]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of items and all modules stay until the end: looking through them for garbage again and again
    took a tenth of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(5_000, 20, 10)
        gc.enable()


# --- tables ---

EVERYWHERE = {"_keys_proven_once", "_no_roots", "_nobody", "event_loop_policy", "request", "tmp_path_factory"}
"""Fixtures of every test, and what these need."""


def _table(rows: list[pytest.Item]) -> list[pytest.Item]:
    """One item for all rows of a test that takes nothing but its row: pytest spends milliseconds on an item,
    and most rows need less than a tenth of one. Each row is still judged, and named when it fails; a single
    one is run as ever with `-k` or by its name."""
    plain = [row for row in rows if isinstance(row, pytest.Function) and _takes_its_row_alone(row)]
    if len(plain) < max(len(rows), 2):
        return rows

    def table(subtests: pytest.Subtests) -> None:
        __tracebackhide__ = True
        for row in plain:
            with subtests.test(row.callspec.id):
                row.obj(**row.callspec.params)

    first = plain[0]
    table.pytestmark = [mark for mark in first.own_markers if mark.name != "parametrize"]  # type: ignore[attr-defined]
    table.place_as = first.obj  # type: ignore[attr-defined]
    return [pytest.Function.from_parent(first.parent, name=first.originalname, callobj=table)]


def _takes_its_row_alone(item: pytest.Function) -> bool:
    row = getattr(item, "callspec", None)
    return (
        row is not None
        and type(item) is pytest.Function  # not one of asyncio
        and isinstance(item.parent, pytest.Module)
        and not row.marks
        and not item.get_closest_marker("whole")  # where a part is missing, each row is skipped by itself
        and not getattr(item.obj, "is_hypothesis_test", False)  # its report is about one test
        and {*item.fixturenames} - EVERYWHERE == {*row.params}
        and not any(mark.kwargs.get("indirect") for mark in item.iter_markers("parametrize"))
    )


@dataclass
class _Quiet:
    """Subtests of which pytest hears when they don't pass; the news that one does takes it a millisecond."""

    loud: pytest.Subtests

    @contextmanager
    def test(self, msg: str | None = None, **named: Any) -> Iterator[None]:
        __tracebackhide__ = True
        try:
            yield
        except (Exception, pytest.fail.Exception, pytest.skip.Exception) as end:
            with self.loud.test(msg, **named):
                raise end


@pytest.fixture
def subtests(subtests: pytest.Subtests) -> _Quiet:
    return _Quiet(subtests)


# --- keys ---


@pytest.fixture(scope="session", autouse=True)
def _keys_proven_once() -> Iterator[None]:
    """OpenSSL proves each private key that it reads, for 40 ms. The same octets are proven once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serialization, "load_pem_private_key", cache(serialization.load_pem_private_key))
        yield


# --- nobody is trusted ---


@pytest.fixture(scope="session")
def _nobody(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of authorities with one that issues nothing; an empty list is an error to some."""
    path = tmp_path_factory.mktemp("nobody") / "ca.pem"
    path.write_bytes(Authority("Nobody").pem)
    return path


@pytest.fixture(scope="module", autouse=True)
def _no_roots(request: pytest.FixtureRequest, _nobody: Path) -> Iterator[None]:
    """The unit part trusts nobody whom the machine trusts, and doesn't read its list for each context anew:
    that took longer than most tests. Foreign programs, which fetch something, keep it."""
    with pytest.MonkeyPatch.context() as patch:
        if not any(part in WHOLE for part in request.path.parts):
            patch.setenv("SSL_CERT_FILE", str(_nobody))
        yield


# --- time that nobody waits for ---


class _Jumping:
    """A selector that says what is there. Where nothing is, it doesn't wait: the loop's clock jumps ahead to
    its next timer. What runs in a thread is waited for."""

    BREATH = 0.01
    """Seconds in which the kernel hands on what one end of a connection wrote to the other."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._selector = loop._selector
        self._time, self._ahead = loop.time, 0.0
        self._run, self._threads = loop.run_in_executor, 0
        loop._selector, loop.time, loop.run_in_executor = self, self.time, self.run_in_executor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)

    def time(self) -> float:
        return self._time() + self._ahead  # type: ignore[no-any-return]

    def run_in_executor(self, *work: Any) -> Any:
        self._threads += 1
        running = self._run(*work)
        running.add_done_callback(self._ended)
        return running

    def _ended(self, _: object) -> None:
        self._threads -= 1

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= self.BREATH or self._threads:
            return self._selector.select(timeout)
        ready = self._selector.select(self.BREATH)
        if not ready:
            self._ahead += timeout
        return ready


@pytest.fixture(scope="session")
def skip_waits() -> Callable[[], None]:
    """For tests in which something is silent until somebody's patience ends: called where the loop runs (one
    of asyncio, and nobody outside of it is talked to), it makes patience end as soon as nothing happens. So
    it may be as long as a busy machine needs."""

    def skip() -> None:
        _Jumping(asyncio.get_running_loop())

    return skip


# --- a test marked `real` may be skipped on a developer's machine, never in CI ---


# Taken out of the environment: RELAYD_* are config keys to every daemon that a test starts.
_REQUIRED = os.environ.pop("RELAYD_REQUIRE_REAL", os.environ.get("REQUIRE_REAL", "")) not in ("", "0")
os.environ["REQUIRE_REAL"] = "1" if _REQUIRED else "0"  # for pytest-xdist's workers


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if _REQUIRED and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("real"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"RELAYD_REQUIRE_REAL is set, so this test must run. {why}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _REQUIRED and report.outcome == "skipped" and "real" in collector.path.parent.parts:
        report.outcome = "failed"
        report.longrepr = f"RELAYD_REQUIRE_REAL is set, so this file must run: {report.longrepr}"
    return report


# --- the world ---

ZONE = """
my.platform.example               MX   10 mx.my.platform.example
my.platform.example               TXT  "v=spf1 ip4:127.0.0.1 -all"
mx.my.platform.example            A    127.0.0.1
bounce.my.platform.example        MX   10 mx.my.platform.example
bounce.my.platform.example        TXT  "v=spf1 ip4:127.0.0.1 -all"
relay.my.platform.example         A    127.0.0.1
127.0.0.1                         PTR  relay.my.platform.example
acme.example                      MX   10 mx.customer.example
globex.example                    MX   10 mx.customer.example
customer.example                  MX   10 mx.customer.example
one.example                       MX   10 mx.customer.example
two.example                       MX   10 mx.customer.example
three.example                     MX   10 mx.customer.example
mx.customer.example               A    127.0.0.1
"""


def signing_key() -> tuple[bytes, str]:
    """A fresh DKIM key: PEM, and the TXT record that publishes it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def config(folder: Path, *, nameserver: str, mx_port: int, **changes: Any) -> Path:
    """Write a config for the world into `folder`; `changes` are merged into its top level, one level deep."""
    settings: dict[str, Any] = {
        "hostname": "relay.my.platform.example",
        "state_dir": str(folder / "state"),
        "platform": {
            "domain": "my.platform.example",
            "name": "Platform",
            "return_path": "bounce.my.platform.example",
            "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
        },
        "senders": {
            "acme": {
                "name": "Acme GmbH & Söhne",
                "address": "billing@acme.example",
                "confirmed": True,
                "local_part": "acme",
            },
            "globex": {
                "name": "Globex",
                "address": "office@globex.example",
                "confirmed": True,
                "send_as": "own",
            },
        },
        "delivery": {"families": ["ipv4"], "mx_port": mx_port, "retry_after": ["1s"], "answer_within": "0s"},
        "dns": {"nameservers": [nameserver]},
        "allow_private": {"delivery": ["127.0.0.0/8"], "upstreams": ["127.0.0.0/8"]},
        "status_log": "status.jsonl",
        "log": {"format": "json"},
    }
    for key, value in changes.items():
        settings[key] = {**settings.get(key, {}), **value} if isinstance(value, dict) else value
    settings["delivery"]["mx_port"] = mx_port
    path = folder / "relayd.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))
    return path


@dataclass(kw_only=True)
class Daemon:
    """`relayd run -c FILE` as a child, with its listening socket handed over as systemd does it."""

    folder: Path
    config: Path
    smtp: socket.socket
    environ: Mapping[str, str] = field(default_factory=dict)
    before: Sequence[str] = ()  # a command to run it under, such as strace
    more: Sequence[tuple[str, socket.socket]] = ()  # further sockets handed over: FileDescriptorName, socket
    process: asyncio.subprocess.Process | None = None
    log: Path = field(init=False)
    starts: int = 0

    def __post_init__(self) -> None:
        self.log = self.folder / "daemon.log"

    @property
    def port(self) -> int:
        port: int = self.smtp.getsockname()[1]
        return port

    @property
    def status_log(self) -> Path:
        return self.folder / "state" / "status.jsonl"

    async def start(self, **environ: str) -> None:
        """Start it and return when it says READY=1; AssertionError with its log when it ends instead."""
        with self.notify_socket() as heard:
            await self.launch(heard, **environ)
            await self.hear(heard, b"READY=1")

    def notify_socket(self) -> socket.socket:
        """Where the next start says how it is. Read it: when it is full, the daemon waits."""
        heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        heard.bind(str(self.folder / f"notify.{self.starts}"))
        heard.setblocking(False)
        self.starts += 1
        return heard

    async def launch(self, heard: socket.socket, **environ: str) -> None:
        handed = [("smtp", self.smtp), *self.more]
        numbers = [str(sock.fileno()) for _, sock in handed]
        # bash becomes the daemon, so $$ is its process id, which LISTEN_PID has to name
        hand_over = 'n=3; for fd in $TEST_FDS; do eval "exec $n<&$fd"; n=$((n+1)); done; '
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *("bash", "-c", hand_over + 'export LISTEN_PID=$$; exec "$@"', "relayd", *self.before),
                *(RELAYD, "run", "-c", str(self.config)),
                stdout=log,
                stderr=log,
                pass_fds=tuple(map(int, numbers)),
                env={
                    **os.environ,
                    "TEST_FDS": " ".join(numbers),
                    "LISTEN_FDS": str(len(handed)),
                    "LISTEN_FDNAMES": ":".join(name for name, _ in handed),
                    "NOTIFY_SOCKET": str(heard.getsockname()),
                    **self.environ,
                    **environ,
                },
            )

    async def hear(self, heard: socket.socket, word: bytes) -> None:
        """Wait until it says the word to systemd."""
        assert self.process is not None
        loop = asyncio.get_running_loop()
        ended = asyncio.create_task(self.process.wait())
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    said = asyncio.create_task(loop.sock_recv(heard, 4096))
                    await asyncio.wait({said, ended}, return_when=asyncio.FIRST_COMPLETED)
                    if not said.done():
                        said.cancel()
                        raise AssertionError(f"relayd ended with {ended.result()}:\n{self.tail()}")
                    if word in said.result().split(b"\n"):
                        return
        finally:
            ended.cancel()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def died(self) -> int:
        """Wait until it ends by itself; gives its exit code (negative: the signal)."""
        assert self.process is not None
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()

    async def stop(self) -> int:
        """SIGTERM, and wait for the drain; gives the exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
        return await self.died()

    def tail(self, size: int = 6000) -> str:
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def events(self) -> list[dict[str, Any]]:
        """What the status log says so far. A line that isn't complete yet is left for later."""
        if not self.status_log.exists():
            return []
        lines = self.status_log.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines if line]

    async def until(self, true: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait until something that another process does has come true."""
        try:
            async with asyncio.timeout(patience):
                while not true():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {patience:g} s: {what}\n{self.tail()}") from None

    async def command(self, *words: str, stdin: bytes | None = None) -> tuple[int, str, str]:
        """Run `relayd WORDS -c FILE`; gives exit code, output, errors."""
        process = await asyncio.create_subprocess_exec(
            *(RELAYD, *words, "-c", str(self.config)),
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(stdin), PATIENCE)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()


@dataclass(kw_only=True)
class World:
    folder: Path
    zone: Zone
    names: NameServer
    receiver: Receiver
    daemon: Daemon

    def txt(self, name: bytes, timeout: float = 5) -> bytes | None:
        """The TXT record of a name, strings joined: dkimpy's `dnsfunc`."""
        values = self.zone.values(name.decode().rstrip("."), "TXT")
        return values[0][1:-1].replace('" "', "").encode() if values else None

    def verified(self, content: bytes) -> list[str]:
        """The d= of each signature that dkimpy verifies, in the order of the header."""
        signatures = re.findall(rb"(?im)^DKIM-Signature:.*?\bd=([a-z0-9.-]+)", content, re.DOTALL)
        verifier = dkim.DKIM(content)
        return [
            domain.decode()
            for at, domain in enumerate(signatures)
            if verifier.verify(idx=at, dnsfunc=self.txt)
        ]


class MakeWorld(Protocol):
    def __call__(self, **changes: Any) -> Any: ...


@pytest.fixture
def make_world(tmp_path: Path) -> MakeWorld:
    """`async with make_world(delivery={...}) as world:` a world with a daemon that isn't started yet."""

    @asynccontextmanager
    async def make(*, receiver: Receiver | None = None, **changes: Any) -> AsyncIterator[World]:
        folder = tmp_path
        pem, record = signing_key()
        keys = folder / "state" / "keys"
        keys.mkdir(parents=True, mode=0o700)
        (keys / "r1.pem").touch(mode=0o600)
        (keys / "r1.pem").write_bytes(pem)
        (folder / "state").chmod(0o700)
        zone = Zone(ZONE)
        for domain in ("my.platform.example", "globex.example"):
            zone.add(f"r1._domainkey.{domain}", "TXT", record)
        async with NameServer(zone) as names, receiver or Receiver(name="mx.customer.example") as far:
            with socket.create_server(("127.0.0.1", 0), backlog=256) as smtp:
                here = {"listen": [{"address": "127.0.0.1", "port": smtp.getsockname()[1]}], **changes}
                path = config(folder, nameserver=names.address, mx_port=far.port, **here)
                daemon = Daemon(folder=folder, config=path, smtp=smtp)
                try:
                    yield World(folder=folder, zone=zone, names=names, receiver=far, daemon=daemon)
                finally:
                    if daemon.process is not None:
                        await daemon.kill()

    return make


@pytest.fixture
async def world(make_world: MakeWorld) -> AsyncIterator[World]:
    """A world whose daemon runs."""
    async with make_world() as made:
        await made.daemon.start()
        yield made


# --- mail ---


@pytest.fixture
def invoice() -> Callable[..., EmailMessage]:
    """Makes an invoice as an app would send it: a name beyond ASCII, a text, a PDF."""
    return _invoice


def _invoice(to: str, *, ref: str = "2026-0042", sender: str = "billing@acme.example") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Acme GmbH & Söhne <{sender}>"
    mail["To"] = to
    mail["Subject"] = f"Rechnung {ref} für Grünau"
    mail["X-Relayd-Ref"] = ref
    mail.set_content(f"Guten Tag,\n\nanbei die Rechnung {ref} über 119,00 €.\n")
    pdf = b"%PDF-1.4\n" + bytes(range(256)) * 40
    mail.add_attachment(pdf, maintype="application", subtype="pdf", filename="Rechnung.pdf")
    return mail
