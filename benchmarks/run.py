"""The same work for relayd and for Postfix + OpenDKIM: accept over loopback, sign, make durable, relay to a
sink.

Measured from the start of the load until the sink has every message and the queue is empty. The contenders
take turns, so that whatever else the machine does hits both; the figures that count are the ratios within a
round, of which the median is taken.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from rich.console import Console
from rich.table import Table

from benchmarks import postfix
from benchmarks.daemon import PLATFORM, RETURN_PATH, SELECTOR, Relayd
from benchmarks.load import Load, Sink, free_port, missing_programs, source
from relayd.sandbox.receiver import Receiver
from relayd.sandbox.verify import look_at
from relayd.sandbox.zone import NameServer, Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One load, one contender, one round."""

    rate: float  # messages a second
    processor: float  # milliseconds of processor time a message, all its processes


Speeds = dict[str, dict[str, list[Figures]]]  # by load, by contender, for each round
Contender = Relayd | postfix.PostfixOpenDkim

# goals: what this release must reach; the goal after that is 3.0 on each
LOADS = (
    Load(name="4 KiB, 20 sessions", messages=5000, size=4096, sessions=20, goal=2.0),
    Load(name="200 KB, 20 sessions", messages=1500, size=200_000, sessions=20, goal=1.7),
    Load(name="4 KiB, 1 session", messages=1500, size=4096, sessions=1, goal=2.0),
)
WARM_UP = Load(name="warm-up", messages=200, size=4096, sessions=20)
BIG = Load(name="25 MiB, 100 sessions", messages=100, size=25 * 1024**2, sessions=100)
IDLE_LIMIT, BIG_LIMIT = 80, 400  # MiB
_PATIENCE = 300  # seconds without any message reaching the sink
_POLL = 0.005


def main() -> None:
    """Exit 0 whatever the ratios are (a shared machine proves nothing), 1 when a contender fails."""
    options = _options()
    console = Console()
    if missing := missing_programs():
        console.print(
            f"Nothing was compared: {', '.join(missing)} not installed. "
            "On Debian: apt-get install postfix opendkim opendkim-tools"
        )
        return
    if os.geteuid() != 0 and not options.alone:
        console.print(
            "Postfix starts as root only: run this as root, or --alone to measure relayd by itself."
        )
        return
    with tempfile.TemporaryDirectory(prefix="relayd-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # Postfix and OpenDKIM look into it as their own users
        result = Bench(folder, options, console).run()
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="alternating rounds for each load (5)")
    parser.add_argument("--scale", type=float, default=1.0, help="messages of each round, times this")
    parser.add_argument("--alone", action="store_true", help="relayd only, nothing to compare with")
    parser.add_argument("--peer-only", action="store_true", help="Postfix + OpenDKIM only")
    parser.add_argument("--no-memory", action="store_true", help="without the run of 100 x 25 MiB")
    parser.add_argument("--no-stages", action="store_true", help="without the run under the sampler")
    parser.add_argument("--functions", action="store_true", help="where the time goes by function, too")
    parser.add_argument("--stages-only", action="store_true", help="nothing but the run under the sampler")
    parser.add_argument("--json", metavar="FILE", help="write all figures there too")
    return parser.parse_args()


class Bench:
    """One whole comparison in one folder."""

    def __init__(self, folder: Path, options: argparse.Namespace, console: Console) -> None:
        self._folder = folder
        self._options = options
        self._console = console
        self._key, record = signing_key(folder)
        self._zone = zone(record)
        self._nameserver = ""

    def run(self) -> dict[str, object]:
        console, options = self._console, self._options
        described = describe()
        for line in described:
            console.print(line, style="dim", highlight=False, soft_wrap=True)
        with serving(self._zone) as self._nameserver:
            result: dict[str, object] = {"what": described}
            if options.stages_only:
                return {**result, "stages": self._stages()}
            result["loads"] = {
                load: {name: [asdict(each) for each in figures] for name, figures in row.items()}
                for load, row in self._compare().items()
            }
            if not options.peer_only:
                if not options.no_stages:
                    result["stages"] = self._stages()
                result["memory"] = self._memory()
        return result

    # speed

    def _compare(self) -> Speeds:
        with ExitStack() as stack:
            running = [(each, stack.enter_context(sink)) for each, sink in self._contenders(stack)]
            for contender, sink in running:
                measure(scaled(WARM_UP, min(1, self._options.scale)), contender, sink)
            speeds: Speeds = {}
            for load in LOADS:
                load = scaled(load, self._options.scale)
                row = speeds[load.name] = {each.name: [] for each, _ in running}
                for turn in range(self._options.rounds):
                    # who goes first changes, in case the second finds the disk or the caches in another state
                    for contender, sink in running if turn % 2 == 0 else running[::-1]:
                        with self._console.status(f"{load.name}, round {turn + 1}: {contender.name}"):
                            row[contender.name].append(measure(load, contender, sink))
                    self._console.print(
                        f"{load.name}, round {turn + 1}: "
                        + ", ".join(f"{name} {figures[-1].rate:.0f}/s" for name, figures in row.items()),
                        style="dim",
                        highlight=False,
                    )
            peak = next((each.memory("VmHWM") for each, _ in running if isinstance(each, Relayd)), None)
        self._print_speeds(speeds, peak)
        return speeds

    def _contenders(self, stack: ExitStack) -> Iterator[tuple[Contender, Sink]]:
        if not self._options.peer_only:
            yield self._start(stack, Relayd)
        if not self._options.alone:
            yield self._start(stack, postfix.PostfixOpenDkim)

    def _start(self, stack: ExitStack, kind: type[Contender]) -> tuple[Contender, Sink]:
        port = free_port()
        contender: Contender
        if kind is Relayd:
            contender = self._relayd(port, self._folder)
        else:
            contender = postfix.PostfixOpenDkim(self._folder, port, self._key)
        stack.enter_context(contender)
        asyncio.run(check_signs(contender, port, self._zone))
        return contender, Sink(port)

    def _relayd(self, sink_port: int, folder: Path, samples: Path | None = None) -> Relayd:
        return Relayd(
            folder, sink_port=sink_port, key=self._key, nameserver=self._nameserver, samples=samples
        )

    def _print_speeds(self, speeds: Speeds, peak: float | None) -> None:
        names = list(next(iter(speeds.values())))
        self._table("messages a second: median (lowest–highest)", speeds, "rate", "{:.0f}")
        self._table("processor time a message in ms: median (lowest–highest)", speeds, "processor", "{:.2f}")
        if len(names) == 2:
            self._console.print("A busy machine distorts the first table more than the second.", style="dim")
        if peak is not None:
            self._console.print(f"relayd's peak memory over all of this: {peak:.0f} MiB")

    def _table(self, title: str, speeds: Speeds, what: str, form: str) -> None:
        """One figure for all loads; the ratio says how many times better relayd is."""
        self._console.print(title, style="bold")
        names = list(next(iter(speeds.values())))
        both = len(names) == 2
        table = Table()
        table.add_column("load")
        for name in [
            *names,
            *(["ratio"] if both else []),
            *(["at least"] if both and what == "rate" else []),
        ]:
            table.add_column(name, justify="right")
        for load in LOADS:
            rounds = [[getattr(each, what) for each in figures] for figures in speeds[load.name].values()]
            cells = [_median(found, form) for found in rounds]
            if both:
                ratios = [ours / theirs for ours, theirs in zip(*rounds, strict=True)]
                if what == "processor":
                    ratios = [1 / ratio for ratio in ratios]
                cells.append(f"[bold]{_median(ratios, '{:.2f}')}[/]")
                cells += [f"{load.goal}"] if what == "rate" else []
            table.add_row(load.name, *cells)
        self._console.print(table)

    # where the time goes

    def _stages(self) -> dict[str, dict[str, float]]:
        """Processor milliseconds a message by place, as a sampler sees them; for each load."""
        result: dict[str, dict[str, float]] = {}
        for load in LOADS:
            load = scaled(load, self._options.scale / 2)
            samples = self._folder / f"{load.sessions}-{load.size}.json"
            folder = self._folder / samples.stem
            folder.mkdir()
            port = free_port()
            with self._console.status(f"where the time goes: {load.name}"):
                with Sink(port) as sink, self._relayd(port, folder, samples) as relayd:
                    measure(scaled(WARM_UP, min(1, self._options.scale)), relayd, sink)
                    samples.with_suffix(".go").touch()
                    measure(load, relayd, sink)
                seconds: dict[str, float] = json.loads(samples.read_text())
            result[load.name] = {name: each * 1000 / load.messages for name, each in seconds.items()}
        self._print_stages("file", {name: by_file(row) for name, row in result.items()}, 16)
        if self._options.functions:
            self._print_stages("function", result, 40)
        return result

    def _print_stages(self, by: str, rows: dict[str, dict[str, float]], most: int) -> None:
        self._console.print(f"relayd's processor time, all threads: ms a message by {by}", style="bold")
        table = Table()
        table.add_column(by)
        for name in rows:
            table.add_column(name, justify="right")
        places = {
            place: max(row.get(place, 0.0) for row in rows.values()) for row in rows.values() for place in row
        }
        for place in sorted(places, key=lambda place: -places[place])[:most]:
            table.add_row(place, *(f"{row.get(place, 0.0):.3f}" for row in rows.values()))
        table.add_section()
        table.add_row("in all", *(f"{sum(row.values()):.3f}" for row in rows.values()))
        self._console.print(table)

    # memory

    def _memory(self) -> dict[str, float]:
        """MiB: idle, and the peak while 100 messages of 25 MiB are on their way at once."""
        folder = self._folder / "memory"
        folder.mkdir()
        port = free_port()
        figures: dict[str, float] = {}
        with Sink(port) as sink, self._relayd(port, folder) as relayd:
            time.sleep(2)  # what the start left undone is done
            figures["idle"] = relayd.memory("VmRSS")
            self._console.print(f"idle: {figures['idle']:.0f} MiB (at most {IDLE_LIMIT})")
            if not self._options.no_memory:
                with self._console.status("100 messages of 25 MiB at once"):
                    rate = measure(BIG, relayd, sink).rate
                figures["big"] = relayd.memory("VmHWM")
                self._console.print(
                    f"100 messages of 25 MiB at once: peak {figures['big']:.0f} MiB (at most {BIG_LIMIT}), "
                    f"{rate * BIG.size / 1024**2:.0f} MiB/s"
                )
        return figures


def _median(found: Sequence[float], form: str) -> str:
    lowest, highest = (form.format(each) for each in (min(found), max(found)))
    return f"{form.format(statistics.median(found))} ({lowest}–{highest})"


def measure(load: Load, contender: Contender, sink: Sink) -> Figures:
    """From the start of the load until the sink has all of it and the queue is empty.

    Raises RuntimeError when the load breaks off or nothing moves any more.
    """
    before = got = sink.read()
    used = contender.processor()
    start = moved = time.monotonic()
    with source(load, contender.port) as process:
        while (now := sink.read()) - before < load.messages or not contender.done():
            if now != got:
                got, moved = now, time.monotonic()
            if process.poll() or time.monotonic() - moved > _PATIENCE:
                raise RuntimeError(
                    f"{contender.name}: {load.name} stopped at {now - before} of {load.messages} messages"
                    f" (smtp-source: {process.poll()})"
                    + (f"\n{contender.log()}" if isinstance(contender, Relayd) else "")
                )
            time.sleep(_POLL)
        seconds = time.monotonic() - start
        process.wait()
    spent = contender.processor() - used
    return Figures(rate=load.messages / seconds, processor=spent * 1000 / load.messages)


async def check_signs(contender: Contender, sink_port: int, zone: Zone) -> None:
    """A comparison with one that doesn't sign would say nothing: one message, verified, before the rounds."""
    async with Receiver(port=sink_port) as receiver, asyncio.timeout(30):
        with source(Load(name="one", messages=1, size=4096, sessions=1), contender.port):
            (got, *_) = await receiver.wait_for(1)
    if not look_at(got, zone).signed_by:
        raise RuntimeError(f"{contender.name}: no DKIM signature that verifies")


def signing_key(folder: Path) -> tuple[Path, str]:
    """RSA-2048 for both contenders: the PEM file, and the TXT record."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path = folder / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return path, f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


def zone(record: str) -> Zone:
    made = Zone(
        f"{RETURN_PATH} MX 10 mx.{PLATFORM}\n{PLATFORM} MX 10 mx.{PLATFORM}\nmx.{PLATFORM} A 127.0.0.1\n"
        f"{RETURN_PATH} TXT v=spf1 ip4:127.0.0.1 -all\nacme.example MX 10 mx.{PLATFORM}\n"
        f"customer.example MX 10 mx.{PLATFORM}\n"
    )
    for domain in (PLATFORM, "acme.example"):  # the peer signs for the domain in From, as it has no ladder
        made.add(f"{SELECTOR}._domainkey.{domain}", "TXT", record)
    return made


@contextmanager
def serving(zone: Zone) -> Iterator[str]:
    """The zone's name server in a thread; gives its address."""
    loop = asyncio.new_event_loop()
    server = NameServer(zone)
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.address
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def scaled(load: Load, scale: float) -> Load:
    return Load(
        name=load.name,
        messages=max(1, round(load.messages * scale)),
        size=load.size,
        sessions=load.sessions,
        goal=load.goal,
    )


def describe() -> Sequence[str]:
    """What is compared, on what, by what commands."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    cpu = next(
        (line.partition(":")[2].strip() for line in _read("/proc/cpuinfo") if line.startswith("model name")),
        "?",
    )
    return [
        f"relayd {commit.stdout.strip() or '(no git)'}, Python {platform.python_version()}"
        f" against {' + '.join(postfix.versions())}",
        f"{os.cpu_count()} x {cpu}, load {os.getloadavg()[0]:.1f} before the start; {platform.platform()}",
        "work: accept, DKIM-sign (RSA-2048, relaxed/simple), make durable, relay; 50 deliveries at once",
        "load: smtp-source -s SESSIONS -m MESSAGES -l SIZE, a connection a message; sink: smtp-sink -c",
        f"command: {' '.join(['python -m benchmarks', *sys.argv[1:]])}",
    ]


def _read(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def by_file(row: dict[str, float]) -> dict[str, float]:
    """`file:function` summed up by file."""
    found: dict[str, float] = defaultdict(float)
    for place, each in row.items():
        found[place.partition(":")[0]] += each
    return found
