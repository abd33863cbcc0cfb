"""The kill harness on the store: SIGKILL at every named step and at random; nothing that was acknowledged
is lost, and nothing half is there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from relayd.core.delivery import State
from relayd.core.journal import EventType
from relayd.crashpoints import STEPS
from relayd.store.contract import Selection
from relayd.store.sqlite import SqliteStore

pytestmark = pytest.mark.whole  # children are started and killed

CHILD = Path(__file__).with_name("crash_child.py")
STORE_STEPS = sorted(
    step for step in STEPS if step.split(".")[0] in {"put", "chunk", "settle", "act", "note", "sweep", "open"}
)
FINAL = {State.SENT.value: State.SENT, State.FAILED.value: State.FAILED}


@dataclass
class Ledger:
    """What the child said before it died."""

    put: set[str] = field(default_factory=set)
    settled: dict[tuple[str, int], str] = field(default_factory=dict)
    settling: set[tuple[str, int]] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def hear(self, lines: list[str]) -> None:
        for line in lines:
            word, *rest = line.split(" ")
            if word == "put":
                self.put.add(rest[0])
            elif word == "settling":
                self.settling.add((rest[0], int(rest[1])))
            elif word == "settled":
                self.settled[rest[0], int(rest[1])] = rest[2]
            elif word == "error":
                self.errors.append(line)


def run_child(
    folder: Path, prefix: str, crash_at: str = "", lines: int | None = None
) -> tuple[list[str], int]:
    """Run until it dies by itself, or kill it after it said `lines` lines."""
    environ = {**os.environ, "RELAYD_CRASH_AT": crash_at}
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(folder), prefix], env=environ, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    said: list[str] = []
    for line in _whole(child.stdout):
        said.append(line)
        if lines is not None and len(said) == lines:
            child.send_signal(signal.SIGKILL)
        assert len(said) < 20_000, "the step is never reached"
    return said, child.wait()


def _whole(stream: Any) -> Iterator[str]:
    for line in stream:
        if line.endswith("\n"):
            yield line[:-1]


async def check(folder: Path, ledger: Ledger, child: Any) -> None:
    assert ledger.errors == []
    store = await SqliteStore.open(folder)
    try:
        records = {record.message.id: record for record in await store.find(Selection(), limit=100_000)}
        assert ledger.put <= records.keys(), "an acknowledged message is lost"
        events: dict[tuple[str, str], list[EventType]] = {}
        for event in await store.journal(0, 1_000_000):
            if event.message is not None and event.recipient is not None:
                events.setdefault((event.message, event.recipient), []).append(event.type)
        for identity, record in records.items():
            large = record.message.submission.body_size > 10_000
            body = b"".join([chunk async for chunk in store.content(identity)])
            assert body == child.body_of(identity, large), "a body is not what was put"
            assert len(record.standings) == 3
            for standing in record.standings:
                history = events[identity, str(standing.recipient.address)]
                assert history[0] is EventType.ACCEPTED
                assert (standing.state is State.SENT) == (EventType.DELIVERED in history)
                assert (standing.state is State.FAILED) == (EventType.FAILED in history)
                assert history.count(EventType.DELIVERED) <= 1
        for (identity, index), state in ledger.settled.items():
            if state in FINAL:
                assert records[identity].standings[index].state is FINAL[state], "a result is lost"
            else:
                assert records[identity].standings[index].attempts >= 1
        states = [standing.state for record in records.values() for standing in record.standings]
        assert {state: states.count(state) for state in State} == dict(await store.count())
    finally:
        await store.close()
    _whole_database(folder / "relayd.db")


def _whole_database(path: Path) -> None:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert db.execute("SELECT count(*) FROM receiving").fetchall() == [(0,)]
    orphans = "SELECT count(*) FROM {} WHERE id >> 16 NOT IN (SELECT n FROM message)"
    assert db.execute(orphans.format("content")).fetchall() == [(0,)]
    assert db.execute(orphans.format("recipient")).fetchall() == [(0,)]
    for crc, data in db.execute("SELECT crc, data FROM content"):
        assert zlib.crc32(data) == crc  # type: ignore[arg-type]
    db.close()


@pytest.fixture(scope="module")
def child() -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("crash_child", CHILD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.kill
@pytest.mark.parametrize("passage", [1, 7])
@pytest.mark.parametrize("step", STORE_STEPS)
async def test_nothing_acknowledged_is_lost_when_killed_at(
    step: str, passage: int, tmp_path: Path, child: Any
) -> None:
    passage = 1 if step.startswith("open.") else passage
    ledger = Ledger()
    said, code = run_child(tmp_path, "A", f"{step}:{passage}")
    assert code == -signal.SIGKILL, said[-3:]
    ledger.hear(said)
    await check(tmp_path, ledger, child)


@pytest.mark.kill
async def test_nothing_acknowledged_is_lost_when_killed_again_and_again(tmp_path: Path, child: Any) -> None:
    dice = random.Random(20260301)
    ledger = Ledger()
    for prefix in "ABCDEFGHIJKLMNO":
        said, code = run_child(tmp_path, prefix, lines=dice.randrange(1, 150))
        assert code == -signal.SIGKILL
        ledger.hear(said)
        await check(tmp_path, ledger, child)
    assert len(ledger.put) > 100
