"""`relayd demo`: the real daemon, a world of servers on loopback, six invoices and what becomes of them, and
a customer who climbs the ladder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console

from relayd import dkimkeys
from relayd.cli.demo_climb import Api, Climb
from relayd.cli.demo_report import Outcome, Report
from relayd.cli.options import EX_UNAVAILABLE
from relayd.sandbox import invoices
from relayd.sandbox.demo import CASES, SELECTOR, Case, World

PATIENCE = 45.0
"""Seconds for everything before the end: the demo ends within a minute, whatever happens."""

_LOOK_AGAIN = 0.05  # seconds between looks at a file that another process writes
_DAEMON = (sys.executable, "-c", "from relayd.cli import main; main()")


@click.command("demo")
@click.option(
    "--stay", is_flag=True, help="Keep everything running afterwards, to try things; Ctrl-C ends it."
)
def demo_command(stay: bool) -> None:
    """See what relayd does, on this machine alone.

    An invoicing app sends six invoices for three customers. Then it adds a fourth one, who climbs from the
    default address to its own: confirmed, proven by SPF, proven by DKIM. Nothing leaves the machine, nothing
    is left behind. Exit 0 when everything came out as it should, 1 when anything did not.

    \b
    Examples:
      relayd demo
      relayd demo --stay
    """
    raise SystemExit(demo(stay=stay))


def demo(*, stay: bool = False, console: Console | None = None) -> int:
    """Run the demo; gives the exit code."""
    console = console or Console(highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="relayd-demo-") as folder:
            return asyncio.run(_Demo(Path(folder), console).run(stay=stay))
    except (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C, SIGTERM
        return 0 if stay else 1
    except _Failed as problem:
        console.print(f"[bold red]The demo could not run:[/] {problem}", soft_wrap=True)
        return EX_UNAVAILABLE


class _Failed(Exception):
    """The demo can't go on; the text says why."""


class _Demo:
    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._state = folder / "state"
        self._config = folder / "relayd.yaml"
        self._log = folder / "daemon.log"
        self._console = console
        self._report = Report(console)
        self._port, api, pages = _free_ports(3)
        self._api, self._pages = f"127.0.0.1:{api}", f"127.0.0.1:{pages}"
        self._events: list[dict[str, Any]] = []
        self._answers: dict[str, invoices.Answer] = {}
        self._untold = 0.0  # events up to this seq are not shown one by one

    async def run(self, *, stay: bool) -> int:
        started, ends = time.monotonic(), asyncio.get_running_loop().time() + PATIENCE
        me = asyncio.current_task()
        assert me is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)  # so that nothing is left
        world = World(self._make_key())
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(world.opened())
            except OSError as error:
                raise _Failed(f"its servers need 127.0.0.1 to 127.0.0.6 as addresses ({error})") from error
            self._write_config(world)
            user = _unprivileged(self._folder)
            self._report.opening(world, user=user, config=self._config, port=self._port)
            process = await stack.enter_async_context(self._daemon(user))
            following = asyncio.create_task(self._follow(process))
            stack.callback(following.cancel)
            await self._send(world, ends)
            outcomes = [self._outcome(world, case) for case in CASES]
            self._report.invoices(outcomes)
            steps = await self._climb(world, ends)
            good = self._report.closing(outcomes, steps, seconds=time.monotonic() - started)
            if not good:
                self._report.log(self._log)
            if stay:
                self._report.staying(
                    world,
                    config=self._config,
                    port=self._port,
                    api=self._api,
                    pages=self._pages,
                    program=_program(),
                )
                await self._stay(world, process)
        return 0 if good else 1

    # before

    def _make_key(self) -> str:
        """The platform's signing key, where the daemon looks for it; gives the record that publishes it."""
        keys = self._state / "keys"
        keys.mkdir(mode=0o700, parents=True)
        self._state.chmod(0o700)
        path = keys / "r1.pem"
        path.touch(mode=0o600)
        path.write_bytes(dkimkeys.new_key())
        return dkimkeys.KeyRing.open(SELECTOR, path, make=False).keys[0].record

    def _write_config(self, world: World) -> None:
        ca_file = world.authority.write(self._folder / "ca.pem")
        settings = world.settings(
            state_dir=self._state, port=self._port, api=self._api, pages=self._pages, ca_file=ca_file
        )
        self._config.touch(mode=0o600)  # it holds a password
        self._config.write_text(yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True))

    @contextlib.asynccontextmanager
    async def _daemon(self, user: str | None) -> AsyncIterator[asyncio.subprocess.Process]:
        """`relayd run -c FILE` as a child; ready when it greets."""
        with self._log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(*_DAEMON, "run", "-c", str(self._config)),
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the daemon in order
                **_as_user(user),
            )
        try:
            with self._console.status("relayd is starting"):
                await self._greeted(process)
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 10)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def _greeted(self, process: asyncio.subprocess.Process) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if process.returncode is not None:
                self._report.log(self._log)
                raise _Failed(f"relayd ended with {process.returncode} at its start")
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                greeting = await reader.readline()
                writer.close()
                if greeting.startswith(b"220"):
                    return
            except OSError:
                pass
            await asyncio.sleep(_LOOK_AGAIN)
        self._report.log(self._log)
        raise _Failed("relayd did not greet")

    # the invoices

    async def _send(self, world: World, ends: float) -> None:
        """Hand in all invoices at once, and wait until every one has ended."""
        try:
            async with asyncio.timeout_at(ends):
                await asyncio.gather(*(self._hand_in(case) for case in CASES))
                await _until(lambda: all(self._ended(case) for case in CASES))
                # what an upstream took has a little more way to go
                meant = [case.invoice.number for case in CASES if case.status == "sent"]
                await _until(lambda: all(world.received(number) for number in meant))
        except TimeoutError:
            self._console.print("[bold red]Some invoices had no end in time.[/]")

    async def _hand_in(self, case: Case) -> None:
        self._report.handed_in(case)
        await self._submit(case.invoice)

    async def _submit(self, invoice: invoices.Invoice) -> invoices.Answer:
        try:
            answer = await invoices.hand_in(invoice, host="127.0.0.1", port=self._port)
        except Exception as error:  # whatever a client library raises: it is one invoice's outcome
            answer = invoices.Answer(code=0, text=f"{type(error).__name__}: {error}")
        self._answers[invoice.number] = answer
        return answer

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        """Read the status log as it grows, as an app may, and show each event."""
        path = self._state / "status.jsonl"
        await _until(lambda: path.exists() or process.returncode is not None)
        rest = ""
        with path.open(encoding="utf-8") as log:
            while process.returncode is None:
                *lines, rest = (rest + log.read()).split("\n")
                for line in lines:
                    self._events.append(json.loads(line))
                    if self._events[-1]["seq"] > self._untold:
                        self._report.event(self._events[-1])
                await asyncio.sleep(_LOOK_AGAIN)

    async def _climb(self, world: World, ends: float) -> dict[str, list[str]]:
        """The fourth customer's way up; gives what came out wrong at each step."""
        api = Api(place=self._api, token=world.token)
        self._untold = math.inf
        try:
            return await Climb(
                world=world, api=api, report=self._report, hand_in=self._submit, command=self._command
            ).run(ends)
        finally:
            self._untold = api.seq
            await api.close()

    async def _command(self, *words: str) -> tuple[int, str]:
        """`relayd WORDS -c FILE`, as a person beside the daemon calls it; gives exit code and output."""
        process = await asyncio.create_subprocess_exec(
            *(*_DAEMON, *words, "-c", str(self._config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output = (await process.communicate())[0].decode(errors="replace")
        finally:
            if process.returncode is None:  # time is up, or Ctrl-C
                process.kill()
        assert process.returncode is not None
        return process.returncode, output

    def _of(self, case: Case) -> list[dict[str, Any]]:
        return [event for event in self._events if event.get("ref") == case.invoice.number]

    def _ended(self, case: Case) -> bool:
        return any(event.get("status") in ("sent", "not_sent") for event in self._of(case))

    def _outcome(self, world: World, case: Case) -> Outcome:
        arrived = world.received(case.invoice.number)
        return Outcome(
            case=case,
            events=tuple(self._of(case)),
            answer=self._answers.get(case.invoice.number),
            server=arrived[0].name if arrived else None,
            received=arrived[1] if arrived else None,
            seen=world.seen(arrived[1]) if arrived else None,
            on_the_way=world.on_the_way(case.invoice.number),
        )

    async def _stay(self, world: World, process: asyncio.subprocess.Process) -> None:
        """Show what arrives, until Ctrl-C or the daemon's end."""
        shown = [len(server.received) for server in world.mail_servers]
        while process.returncode is None:
            for at, server in enumerate(world.mail_servers):
                for each in server.received[shown[at] :]:
                    self._report.arrived(server.name, each, world.seen(each))
                shown[at] = len(server.received)
            await asyncio.sleep(_LOOK_AGAIN)
        self._report.log(self._log)


async def _until(true: Callable[[], bool]) -> None:
    """Wait for something that another process does; there is no event to wait for."""
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_AGAIN)


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _unprivileged(folder: Path) -> str | None:
    """Started by root, the daemon runs as `nobody`, if that user can read this program and reach the folder,
    which becomes its own. None: as who we are."""
    if os.geteuid() != 0:
        return None
    try:
        able = subprocess.run(  # noqa: S603  # ourselves
            (sys.executable, "-c", "import os, sys, relayd.app; os.stat(sys.argv[1])", folder),
            check=False,
            capture_output=True,
            cwd="/",
            **_as_user("nobody"),
        )
    except OSError:
        return None
    if able.returncode:
        return None
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, "nobody", pwd.getpwnam("nobody").pw_gid)
    return "nobody"


def _as_user(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _program() -> str:
    """How this program is called from where we are."""
    beside = Path(sys.argv[0])
    return os.path.relpath(beside) if beside.name == "relayd" and beside.exists() else "relayd"
