"""The status log: every event once, in order, through kills, rotation and full disks."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.journal import Event, EventType, as_dict
from relayd.core.reasons import Reason
from relayd.report.logfile import LogFile
from relayd.report.statuslog import StatusLog
from relayd.store.contract import StoreDamaged
from relayd.store.memory import MemoryStore

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


def event(number: int, **more: Any) -> Event:
    return Event(time=NOW, type=EventType.FAILED, recipient=f"r{number}@example.com", final=True, **more)


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    yield store
    await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.jsonl"


def lines(*paths: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def seqs(*paths: Path) -> list[int]:
    return [line["seq"] for line in lines(*paths)]


async def written(store: MemoryStore, path: Path, **options: Any) -> StatusLog:
    """As the daemon does it from start to stop."""
    log = StatusLog(store=store, path=path, **options)
    await log.catch_up()
    await log.close()
    return log


@asynccontextmanager
async def running(log: StatusLog) -> AsyncIterator[None]:
    task = asyncio.create_task(log.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await log.close()


async def until(log: StatusLog, seq: int) -> None:
    async with asyncio.timeout(20):
        while log.cursor < seq:
            await asyncio.sleep(0)


async def test_each_event_is_one_line_of_json(store: MemoryStore, path: Path) -> None:
    await store.note([event(1, reason=Reason.RECIPIENT_UNKNOWN, reply="no such user\nhere\u2028")])

    await written(store, path)

    [line] = path.read_text().splitlines()
    [found] = await store.journal(0)
    assert json.loads(line) == as_dict(found)
    assert "\u2028" not in line


async def test_only_owner_and_group_may_read_it(store: MemoryStore, path: Path) -> None:
    before = os.umask(0)
    try:
        await written(store, path)
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


async def test_it_follows_the_journal_while_it_runs(store: MemoryStore, path: Path) -> None:
    log = StatusLog(store=store, path=path, pause=lambda _: asyncio.sleep(0))

    async with running(log):
        for number in range(1, 4):
            await store.note([event(number)])
            await until(log, number)
            assert seqs(path) == list(range(1, number + 1))


async def test_the_first_event_is_written_at_once_and_the_log_rests_after_it(
    store: MemoryStore, path: Path
) -> None:
    rests: list[list[int]] = []

    async def rest(_: float) -> None:
        rests.append(seqs(path))
        if len(rests) == 2:
            raise asyncio.CancelledError

    log = StatusLog(store=store, path=path, pause=rest)
    following = asyncio.create_task(log.run())
    while not rests:
        await asyncio.sleep(0)
    await store.note([event(1)])
    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(following, 20)
    await log.close()

    assert rests == [[], [1]]


async def test_after_a_restart_it_goes_on_without_gap_or_repetition(store: MemoryStore, path: Path) -> None:
    for number in range(1, 6):
        await store.note([event(number)])
        await written(store, path)

    assert seqs(path) == [1, 2, 3, 4, 5]


async def test_a_kill_before_close_loses_nothing(store: MemoryStore, path: Path) -> None:
    """No cursor was kept: the file alone says how far we came."""
    await store.note([event(1), event(2)])
    await StatusLog(store=store, path=path).catch_up()
    await store.note([event(3)])

    await written(store, path)

    assert seqs(path) == [1, 2, 3]


@pytest.mark.parametrize("left", [b'{"seq":3,"ti', b"\x00" * 4096, b'{"seq":3}\x00\x00\n', b"\xff\xfe\n"])
async def test_what_a_kill_or_power_loss_left_torn_is_cut_off_and_written_again(
    store: MemoryStore, path: Path, left: bytes
) -> None:
    await store.note([event(1), event(2)])
    await written(store, path)
    with path.open("ab") as file:
        file.write(left)
    await store.note([event(3)])

    await written(store, path)

    assert seqs(path) == [1, 2, 3]


@given(st.integers(0, 400))
def test_wherever_the_file_is_torn_only_whole_lines_stay(cut: int) -> None:
    import tempfile

    whole = [f'{{"seq":{number},"text":"{"x" * number}"}}\n' for number in range(1, 12)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_text("".join(whole)[:cut])
        file = LogFile(path, rotate_at=10**9, keep=1)
        file.open()
        newest = next(file.newest_lines(), {"seq": 0})["seq"]
        file.append(whole[int(str(newest)) :])
        file.close()

        assert path.read_text() == "".join(whole)


async def test_stopped_in_the_middle_of_a_write_it_writes_nothing_twice(
    store: MemoryStore, path: Path
) -> None:
    """A thread that writes can't be cancelled; the stop waits for it."""
    for turns in range(20):
        await store.note([event(turns)])
        log = StatusLog(store=store, path=path)
        task = asyncio.create_task(log.run())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await log.close()

    assert seqs(path) == list(range(1, 21))


# --- rotation ---


async def test_it_rotates_by_size_and_keeps_so_many(store: MemoryStore, path: Path) -> None:
    for number in range(1, 41):
        await store.note([event(number)])
        await written(store, path, rotate_at=2000, keep=3)

    files = sorted(path.parent.iterdir(), reverse=True)
    assert [file.name for file in files] == [f"status.jsonl{end}" for end in (".3", ".2", ".1", "")]
    assert all(file.stat().st_size <= 2000 for file in files)
    found = seqs(*files)
    assert found == list(range(found[0], 41))
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o640 for file in files)


@pytest.mark.parametrize("told", [True, False])
async def test_a_file_that_logrotate_moved_is_left_and_a_new_one_begun(
    store: MemoryStore, path: Path, told: bool
) -> None:
    """With SIGHUP or without."""
    log = StatusLog(store=store, path=path)
    await store.note([event(1)])
    await log.catch_up()

    moved = path.rename(path.with_name("status.jsonl-20300131"))
    if told:
        log.reopen()
    await store.note([event(2)])
    await log.catch_up()
    await log.close()

    assert (seqs(moved), seqs(path)) == ([1], [2])


@pytest.mark.parametrize("name", ["status.jsonl.1", "status.jsonl-20300131"])
async def test_moved_away_just_before_a_kill_it_is_still_found(
    store: MemoryStore, path: Path, name: str
) -> None:
    await store.note([event(1), event(2)])
    await StatusLog(store=store, path=path).catch_up()
    moved = path.rename(path.with_name(name))
    await store.note([event(3)])

    await written(store, path)

    assert (seqs(moved), seqs(path)) == ([1, 2], [3])


async def test_with_every_file_gone_the_cursor_in_the_store_counts(store: MemoryStore, path: Path) -> None:
    await store.note([event(1), event(2)])
    await written(store, path)
    path.unlink()
    await store.note([event(3)])

    await written(store, path)

    assert seqs(path) == [3]


async def test_ahead_of_a_store_that_was_put_back_it_goes_back_to_where_they_agree(path: Path) -> None:
    """Its numbers are used again, for other events; none of those may be missing."""
    first, restored = MemoryStore(), MemoryStore()
    await first.note([event(1), event(2), event(3)])
    await written(first, path)
    await restored.note([event(1)])
    await restored.note(
        [Event(time=NOW.replace(hour=13), type=EventType.CANCELLED, recipient="x@example.com")]
    )

    await written(restored, path)

    assert [(line["seq"], line["type"]) for line in lines(path)][3:] == [(2, "cancelled")]


# --- trouble ---


class Stop(Exception):
    pass


def pausing(until_over: float, action: Callable[[], None]) -> Callable[[float], Awaitable[None]]:
    """A pause that does something when it is a long one, and ends the run at the second."""
    long = []

    async def pause(seconds: float) -> None:
        if seconds < until_over:
            return
        long.append(seconds)
        action()
        if len(long) == 2:
            raise Stop

    return pause


async def test_a_full_disk_is_logged_and_waited_for(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.note([event(1)])
    log = StatusLog(store=store, path=Path("/dev/full"), pause=pausing(1, lambda: None))

    with caplog.at_level(logging.ERROR), pytest.raises(Stop):
        await log.run()

    assert log.cursor == 0
    assert "status log /dev/full: [Errno 28] No space left on device" in caplog.text


async def test_a_store_that_can_not_be_read_stops_nothing_else(
    store: MemoryStore, path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon ends when a task of it does; a log that can't be written is no reason for that."""

    async def damaged(after: int, limit: int = 1000) -> list[Event]:
        raise StoreDamaged("page 7 is unreadable")

    monkeypatch.setattr(store, "journal", damaged)
    log = StatusLog(store=store, path=path, pause=pausing(1, lambda: None))

    with pytest.raises(Stop):
        await log.run()
    await log.close()

    assert caplog.text.count("page 7 is unreadable") == 3


async def test_after_a_full_disk_nothing_is_missing(store: MemoryStore, path: Path) -> None:
    """Half of a line fits; it is taken back, and the whole one follows when there is room."""
    import resource

    await store.note([event(1)])
    log = StatusLog(store=store, path=path)
    await log.catch_up()
    await store.note([event(2)])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            await log.catch_up()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert seqs(path) == [1]

    await log.catch_up()
    await log.close()

    assert seqs(path) == [1, 2]


async def test_a_link_in_its_place_is_not_followed(store: MemoryStore, path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic link"):
        await StatusLog(store=store, path=path).catch_up()

    assert not (tmp_path / "elsewhere").exists()


CHILD = """
import asyncio, sys
from datetime import datetime, UTC
from pathlib import Path
from relayd.core.journal import Event, EventType
from relayd.report.statuslog import StatusLog
from relayd.store.sqlite import SqliteStore

async def main(folder):
    store = await SqliteStore.open(folder / "state")
    path, quick = folder / "status.jsonl", lambda _: asyncio.sleep(0)
    log = StatusLog(store=store, path=path, rotate_at=60_000, keep=100, pause=quick)
    task = asyncio.create_task(log.run())
    if "last" not in sys.argv:
        while True:
            await store.note([Event(time=datetime.now(UTC), type=EventType.PROVEN, sender="acme")] * 7)
            print("noted", flush=True)
    await log.catch_up()
    task.cancel()
    await log.close()
    await store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_killed_again_and_again_it_has_every_event_once(tmp_path: Path) -> None:
    for rounds in (3, 20, 7):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(rounds):
            assert child.stdout.readline() == b"noted\n"
        child.kill()
        child.wait()
    subprocess.run([sys.executable, "-c", CHILD, str(tmp_path), "last"], check=True)

    files = sorted(
        tmp_path.glob("status.jsonl*"), key=lambda file: -int(file.suffix[1:].replace("jsonl", "0"))
    )
    found = seqs(*files)
    assert found == list(range(1, len(found) + 1))
    assert len(found) >= 7 * (3 + 20 + 7)
