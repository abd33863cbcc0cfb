"""What only the embedded store promises: durability, damage, disks that fill up, restarts, bounds."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from relayd.core.delivery import State
from relayd.core.journal import EventType
from relayd.core.reasons import Reason
from relayd.store import acts, database, reading
from relayd.store.contract import (
    CHUNK,
    Selection,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    Verb,
)

DAY = timedelta(days=1)
CHILD = Path(__file__).with_name("crash_child.py")


# --- restarts


async def test_everything_is_there_after_a_restart(open_desk: Any) -> None:
    desk = await open_desk()
    message = await desk.put("a@one.example", "b@two.example", ref="R", meta={"x": "y"})
    large = await desk.put(body=b"x" * 3 * CHUNK)
    await desk.store.remember("proof", "a", {"b": "c"})
    events = await desk.store.journal(0)
    await desk.store.close()
    desk = await open_desk()
    assert await desk.store.journal(0) == events
    assert (await desk.store.find(Selection(message=message.id)))[0].message == message
    assert {parcel.message.id for parcel in await desk.lease()} == {message.id, large.id}
    assert await desk.body(large) == b"x" * 3 * CHUNK
    assert dict(await desk.store.recall("proof")) == {"a": {"b": "c"}}
    await desk.put()
    assert [event.seq for event in await desk.store.journal(0)] == [1, 2, 3, 4]


async def test_leases_are_void_after_a_restart(open_desk: Any) -> None:
    desk = await open_desk()
    await desk.put()
    await desk.lease()
    await desk.store.close()
    desk = await open_desk()
    [parcel] = await desk.lease()
    assert parcel.progress[0].attempts == 0


async def test_a_wait_goes_on_after_a_restart(open_desk: Any) -> None:
    desk = await open_desk()
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=3600))
    await desk.store.close()
    desk.clock.forward(minutes=30)
    desk = await open_desk()
    assert await desk.lease() == []
    desk.clock.forward(minutes=30)
    [parcel] = await desk.lease()
    assert (parcel.progress[0].attempts, parcel.first) == (1, False)


async def test_a_clock_set_back_across_a_restart_delays_nobody_longer_than_planned(open_desk: Any) -> None:
    desk = await open_desk()
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=600))
    await desk.store.close()
    desk.clock.back(days=-3650)
    desk = await open_desk()
    desk.clock.forward(seconds=599)
    assert await desk.lease() == []
    desk.clock.forward(seconds=1)
    assert len(await desk.lease()) == 1


@pytest.mark.parametrize(("verb", "state"), [(Verb.HOLD, State.HELD), (Verb.CANCEL, State.FAILED)])
async def test_hold_and_cancel_of_a_leased_recipient_survive_a_restart(
    open_desk: Any, verb: Verb, state: State
) -> None:
    desk = await open_desk()
    await desk.put()
    await desk.lease()
    await desk.store.act(verb, Selection(), desk.clock(), Reason.AUTH_WRONG_PASSWORD)
    await desk.store.close()
    desk = await open_desk()
    assert await desk.lease() == []
    assert (await desk.store.count())[state] == 1
    assert (await desk.store.journal(1))[0].reason is Reason.AUTH_WRONG_PASSWORD


async def test_bodies_never_put_are_gone_after_a_restart(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    receiving = desk.store.receive()
    await receiving.append(b"x" * 3 * CHUNK)
    await desk.store.close()
    desk = await open_desk()
    await desk.store.close()
    assert _rows(tmp_path / "state", "content") == 0


async def test_an_abandoned_body_is_swept(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    receiving = desk.store.receive()
    await receiving.append(b"x" * 3 * CHUNK)
    del receiving
    await desk.store.sweep(desk.clock(), DAY, DAY)
    assert _rows(tmp_path / "state", "content") == 0


def _rows(folder: Path, table: str) -> int:
    db = apsw.Connection(str(folder / database.FILE), flags=apsw.SQLITE_OPEN_READONLY)
    (found,) = db.execute(f"SELECT count(*) FROM {table}").fetchone() or (None,)
    db.close()
    assert isinstance(found, int)
    return found


async def test_close_finishes_what_waits_to_be_written(open_desk: Any) -> None:
    desk = await open_desk()
    putting = [asyncio.ensure_future(desk.put()) for _ in range(20)]
    await asyncio.sleep(0)
    await desk.store.close()
    await asyncio.gather(*putting)
    desk = await open_desk()
    assert len(await desk.lease()) == 20


# --- one process, private files, one schema


async def test_a_second_process_is_told_who_has_the_state_and_what_to_do(
    open_desk: Any, tmp_path: Path
) -> None:
    desk = await open_desk()
    with pytest.raises(StoreBusy, match=rf"{tmp_path}/state is in use .*process {os.getpid()}.*stop it"):
        await open_desk()
    await desk.store.close()
    await open_desk()


async def test_nobody_else_may_read_the_files(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    await desk.put()
    await desk.store.backup(tmp_path / "copy.db")
    for path in [*(tmp_path / "state").iterdir(), tmp_path / "copy.db"]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


async def test_an_older_database_is_brought_up_to_date(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    message = await desk.put()
    await desk.store.close()
    path = tmp_path / "state" / database.FILE
    newer = (*database.schema(), "ALTER TABLE message ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'")
    db = database.open_writer(path, newer)
    assert db.execute("SELECT id, colour FROM message").fetchall() == [(message.id, "blue")]
    assert db.pragma("user_version") == len(newer)
    db.close()


async def test_a_migration_that_fails_leaves_the_database_as_it_was(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    await desk.put()
    await desk.store.close()
    path = tmp_path / "state" / database.FILE
    with pytest.raises(StoreError):
        database.open_writer(path, (*database.schema(), "DROP TABLE event; SELECT nonsense FROM nowhere"))
    desk = await open_desk()
    assert len(await desk.lease()) == 1
    assert len(await desk.types()) == 1


async def test_a_newer_database_is_refused_with_what_to_do(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    await desk.store.close()
    db = apsw.Connection(str(tmp_path / "state" / database.FILE))
    db.pragma("user_version", 99)
    db.close()
    with pytest.raises(StoreError, match=r"newer relayd \(schema 99, this one knows \d+\): install"):
        await open_desk()


async def test_a_database_of_something_else_is_refused(open_desk: Any, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    db = apsw.Connection(str(tmp_path / "state" / database.FILE))
    db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(StoreError, match="something else"):
        await open_desk()


# --- damage


async def test_a_file_that_is_no_database_names_file_and_remedy(open_desk: Any, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / database.FILE).write_bytes(b"Not a database at all. " * 1000)
    with pytest.raises(StoreDamaged, match=rf"{tmp_path}/state/relayd.db is damaged .*relayd backup"):
        await open_desk()


async def test_a_torn_database_is_recognised_at_the_start(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    for _ in range(200):
        await desk.put()
    await desk.store.close()
    path = tmp_path / "state" / database.FILE
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StoreDamaged, match=r"relayd\.db is damaged .*\.recover"):
        await open_desk()


async def _damage(desk: Any, tmp_path: Path, message: Any, part: int) -> None:
    """Flip an octet of one row of content, as a failing disk does."""
    await desk.store.close()
    path = tmp_path / "state" / database.FILE
    db = apsw.Connection(str(path))
    (n,) = db.execute("SELECT n FROM message WHERE id = ?", (message.id,)).fetchone() or (None,)
    assert isinstance(n, int)
    with db.blob_open("main", "content", "data", n << 16 | part, True) as blob:
        blob.write(b"\xff")
    db.close()


async def test_a_damaged_body_concerns_its_own_message_only(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    bad, good = await desk.put(), await desk.put()
    await _damage(desk, tmp_path, bad, part=2)
    desk = await open_desk()
    parcels = await desk.lease()
    assert len(parcels) == 2
    with pytest.raises(StoreDamaged, match=f"{bad.id}: part 2 fails its checksum"):
        await desk.body(bad)
    assert await desk.body(good) == b"Hello\r\n"


@pytest.mark.parametrize("part", [0, 1])
async def test_a_message_with_a_damaged_header_block_is_held_and_others_go_on(
    open_desk: Any, tmp_path: Path, part: int
) -> None:
    desk = await open_desk()
    bad, good = await desk.put(), await desk.put()
    await _damage(desk, tmp_path, bad, part)
    desk = await open_desk()
    assert [parcel.message.id for parcel in await desk.lease()] == [good.id]
    [record] = await desk.store.find(Selection(held=Reason.SERVER_ERROR))
    assert record.message.id == bad.id
    [event] = await desk.store.journal(2)
    assert (event.type, event.message, event.reason) == (EventType.HELD, bad.id, Reason.SERVER_ERROR)


@pytest.mark.parametrize("column", ["facts", "dressing"])
async def test_a_message_with_a_damaged_row_is_held_and_others_go_on(
    open_desk: Any, tmp_path: Path, column: str
) -> None:
    desk = await open_desk()
    bad, good = await desk.put(), await desk.put()
    await desk.store.close()
    db = apsw.Connection(str(tmp_path / "state" / database.FILE))
    db.execute(f"UPDATE message SET {column} = substr({column}, 3) WHERE id = ?", (bad.id,))
    db.close()
    desk = await open_desk()
    assert [parcel.message.id for parcel in await desk.lease()] == [good.id]
    [event] = await desk.store.journal(2)
    assert (event.type, event.message, event.reason) == (EventType.HELD, bad.id, Reason.SERVER_ERROR)
    with pytest.raises(StoreDamaged, match="isn't as it was written"):
        await desk.store.find(Selection(message=bad.id))
    assert await desk.store.act(Verb.CANCEL, Selection(message=bad.id), desk.clock()) == 1


async def test_a_missing_part_of_a_body_is_damage(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    message = await desk.put(body=b"x" * 3 * 1024 * 1024)
    await desk.store.close()
    db = apsw.Connection(str(tmp_path / "state" / database.FILE))
    db.execute("DELETE FROM content WHERE id & 65535 = 3")
    db.close()
    desk = await open_desk()
    with pytest.raises(StoreDamaged, match="part 3 is missing"):
        await desk.body(message)


# --- full and failing disks


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """32 MiB that can be filled up for real."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_said_and_goes_on_when_there_is_room_again(
    open_desk: Any, small_disk: Path
) -> None:
    desk = await open_desk(small_disk / "state")
    kept = [await desk.put(body=b"x" * 100_000)]
    _fill(small_disk / "ballast")
    with pytest.raises(StoreFull, match="no space left"):
        await desk.put(body=b"x" * 100_000)
    with pytest.raises(StoreFull):
        await desk.put(body=b"x" * 200_000)
    (small_disk / "ballast").unlink()
    kept.append(await desk.put(body=b"x" * 100_000))
    await desk.deliver_all()
    assert (await desk.store.count())[State.SENT] == len(kept)
    await desk.store.close()
    desk = await open_desk(small_disk / "state")
    assert (await desk.store.count())[State.SENT] == len(kept)
    await desk.store.close()


async def test_what_fits_is_still_written_when_its_neighbour_does_not(
    open_desk: Any, small_disk: Path
) -> None:
    desk = await open_desk(small_disk / "state")
    await desk.put()
    [parcel] = await desk.lease()
    huge = desk.make.message(body=b"x" * 30_000_000)
    results = await asyncio.gather(
        desk.store.put(huge, b"x" * 30_000_000, []),
        desk.store.settle(parcel, desk.make.sent(parcel)),
        return_exceptions=True,
    )
    assert [type(result) for result in results] == [StoreFull, type(None)]
    assert (await desk.store.count())[State.SENT] == 1
    await desk.store.close()


async def test_results_are_written_when_the_disk_is_full_and_new_mail_is_not(
    open_desk: Any, small_disk: Path
) -> None:
    desk = await open_desk(small_disk / "state")
    await desk.put()
    [parcel] = await desk.lease()
    _fill(small_disk / "ballast")
    with pytest.raises(StoreFull):
        await desk.put(body=b"x" * 100_000)
    await desk.store.settle(parcel, desk.make.sent(parcel))
    assert (await desk.store.count())[State.SENT] == 1
    (small_disk / "ballast").unlink()
    await desk.store.sweep(desk.clock(), DAY, DAY)
    assert (small_disk / "state" / "reserve").stat().st_size == 8 * 1024 * 1024, "set aside again"
    await desk.store.close()


async def test_a_result_that_could_not_be_written_can_be_written_later(
    open_desk: Any, small_disk: Path
) -> None:
    desk = await open_desk(small_disk / "state")
    await desk.put()
    [parcel] = await desk.lease()
    (small_disk / "state" / "reserve").unlink()
    _fill(small_disk / "ballast")
    with pytest.raises(StoreFull):
        await desk.store.settle(parcel, desk.make.sent(parcel))
    assert await desk.lease() == []
    (small_disk / "ballast").unlink()
    await desk.store.settle(parcel, desk.make.sent(parcel))
    assert (await desk.store.count())[State.SENT] == 1
    await desk.store.close()


async def test_a_store_opens_on_a_full_disk(open_desk: Any, small_disk: Path) -> None:
    desk = await open_desk(small_disk / "state")
    await desk.put()
    await desk.store.close()
    _fill(small_disk / "ballast")
    desk = await open_desk(small_disk / "state")
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.sent(parcel))
    await desk.store.close()


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


class _FailingDisk(apsw.VFS):
    """Everything as it is, but fsync fails when told to."""

    def __init__(self) -> None:
        self.fails = False
        super().__init__("failing", "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        return _FailingFile(self, name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, disk: _FailingDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:
        if self._disk.fails:
            error = apsw.IOError("disk I/O error")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC
            raise error
        super().xSync(flags)


async def test_after_a_failed_fsync_nothing_more_is_accepted_or_leased_until_a_restart(
    open_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = _FailingDisk()
    connection = apsw.Connection
    monkeypatch.setattr(apsw, "Connection", lambda *a, **more: connection(*a, vfs="failing", **more))
    desk = await open_desk()
    await desk.put()
    disk.fails = True
    with pytest.raises(StoreError, match=r"failed to keep .* until relayd is started again"):
        await desk.put()
    disk.fails = False  # the kernel forgets that it lost the pages
    for _ in range(2):
        with pytest.raises(StoreError, match="failed to keep"):
            await desk.put()
    with pytest.raises(StoreError, match="failed to keep"):
        await desk.lease()
    assert len(await desk.store.journal(0)) == 1
    await desk.store.close()
    desk = await open_desk()
    await desk.put()
    assert len(await desk.lease()) >= 2
    await desk.store.close()


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace isn't installed")
def test_the_answer_comes_after_the_wal_was_synced(tmp_path: Path) -> None:
    """Power loss: between the last write to the WAL and the answer there is an fsync of it."""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=pwrite64,fdatasync,fsync,write"]
    child = subprocess.Popen(
        [*command, sys.executable, str(CHILD), str(tmp_path / "state"), "A", "alone"],
        stdout=subprocess.PIPE,
    )
    child.communicate()
    assert child.returncode == 0
    dirty, answers = False, 0
    for line in trace.read_text(errors="replace").splitlines():
        if re.search(r"pwrite64\(\d+<.*relayd\.db-wal>", line):
            dirty = True
        elif re.search(r"f(data)?sync(\(\d+<.*relayd\.db-wal>\)| resumed>\)) += 0", line):
            dirty = False
        elif re.search(r'write\(1<.*"put ', line):
            answers += 1
            assert not dirty, "a put was answered before its WAL was on disk"
    assert answers == 8


# --- what is deleted is gone


async def test_nothing_of_deleted_mail_is_left_in_the_files(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    secret = b"TOPSECRET-INVOICE-4711 "
    for _ in range(30):
        await desk.put("anna-topsecret-4711@example.com", body=secret * 20)
        await desk.put(body=secret * 5000)
    await desk.deliver_all()
    keep = await desk.put(body=b"a body that stays\r\n")
    assert _grep(tmp_path, secret)
    await desk.store.sweep(desk.clock.forward(days=8), content=7 * DAY, metadata=400 * DAY)
    assert not _grep(tmp_path, secret)
    assert not _grep(tmp_path, b"Subject: Invoice 1\r\n")
    assert _grep(tmp_path, b"anna-topsecret-4711")
    await desk.store.sweep(desk.clock.forward(days=400), content=7 * DAY, metadata=400 * DAY)
    assert not _grep(tmp_path, b"anna-topsecret-4711")
    assert await desk.body(keep) == b"a body that stays\r\n"
    assert (tmp_path / "state" / database.FILE).stat().st_size < 300_000, "space is given back"
    assert (tmp_path / "state" / (database.FILE + "-wal")).stat().st_size == 0


def _grep(folder: Path, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in (folder / "state").iterdir() if path.is_file())


async def test_a_number_is_not_given_again_after_everything_was_swept(open_desk: Any) -> None:
    desk = await open_desk()
    await desk.put()
    await desk.deliver_all()
    await desk.store.sweep(desk.clock.forward(days=500), content=DAY, metadata=DAY)
    await desk.store.close()
    desk = await open_desk()
    message = await desk.put()
    await desk.store.sweep(desk.clock(), content=DAY, metadata=DAY)
    assert [event.message for event in await desk.store.journal(0)] == [message.id]


# --- backup


async def test_a_backup_made_while_writing_is_whole(open_desk: Any, tmp_path: Path) -> None:
    desk = await open_desk()
    before = [await desk.put(body=b"x" * 50_000) for _ in range(20)]
    running = True

    async def write() -> None:
        while running:
            await desk.put(body=b"y" * 50_000)

    writing = [asyncio.ensure_future(write()) for _ in range(3)]
    await desk.store.backup(tmp_path / "copy.db")
    running = False
    await asyncio.gather(*writing)
    db = apsw.Connection(str(tmp_path / "copy.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    (tmp_path / "restored").mkdir()
    shutil.copy(tmp_path / "copy.db", tmp_path / "restored" / database.FILE)
    restored = await open_desk(tmp_path / "restored")
    found = {record.message.id for record in await restored.store.find(Selection(), limit=100_000)}
    assert {message.id for message in before} <= found
    assert await restored.body(before[0]) == b"x" * 50_000


async def test_a_backup_that_finds_no_room_says_so_and_leaves_nothing(
    open_desk: Any, tmp_path: Path, small_disk: Path
) -> None:
    desk = await open_desk()
    await desk.put(body=b"x" * 40_000_000)
    with pytest.raises(StoreFull, match=r"copy\.db: no space left"):
        await desk.store.backup(small_disk / "copy.db")
    assert list(small_disk.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        await desk.store.backup(tmp_path / "nowhere" / "copy.db")


# --- bounds


async def test_a_dead_hop_does_not_keep_others_out_of_memory(open_desk: Any) -> None:
    desk = await open_desk(hot=50_000)
    desk.room.closed.add("direct:dead.example")
    for _ in range(60):
        await desk.put("anna@dead.example", body=b"x" * 1000)
    for _ in range(40):
        await desk.put("anna@alive.example", body=b"x" * 1000)
    parcels = await desk.lease()
    assert [parcel.hop.name for parcel in parcels] == ["alive.example"] * 40
    assert await desk.lease() == []
    for parcel in parcels:
        await desk.store.settle(parcel, desk.make.sent(parcel))
    desk.room.closed.clear()
    parcels = await desk.lease()
    assert len(parcels) == 60
    due = [parcel.message.id for parcel in parcels]
    assert due == sorted(due), "oldest first, wherever they waited"


async def test_a_long_queue_to_a_dead_hop_costs_others_nothing(tmp_path: Path) -> None:
    """100,000 recipients of a dead hop are due; what a lease for another hop reads is counted in steps of
    SQLite's machine, not in time."""
    db = _queue_of(tmp_path / database.FILE, 100_000)
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    db.set_progress_handler(count, 100)
    want = reading.Want(pair=("direct:alive.example", "acme"), most=20, claimed=frozenset())
    staged = reading.stage(db, [want], now=10**16)
    assert [str(item.recipients[0].address) for item in staged.items] == ["anna@alive.example"]
    assert staged.left == {want.pair: None}
    assert steps < 20, "of a hundred instructions each"
    want = reading.Want(pair=("direct:dead.example", "acme"), most=20, claimed=frozenset())
    steps = 0
    assert len(reading.stage(db, [want], now=10**16).items) == 20
    assert steps < 200
    db.close()


async def test_a_closed_hop_with_a_long_queue_is_not_read(open_desk: Any, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    _queue_of(tmp_path / "state" / database.FILE, 20_000).close()
    desk = await open_desk()
    desk.room.closed.add("direct:dead.example")
    parcels = await desk.lease()
    assert [parcel.hop.name for parcel in parcels] == ["alive.example"]
    assert len(desk.room.asked) < 10
    assert (await desk.store.count())[State.QUEUED] == 20_001
    assert await desk.store.act(Verb.HOLD, Selection(hop="direct:dead.example"), desk.clock()) == 20_000


def _queue_of(path: Path, many: int) -> apsw.Connection:
    """A database with `many` recipients due at a dead hop and one at another."""
    db = database.open_writer(path, database.schema())
    facts = '{"login":null,"may_be":null,"mail_from":null,"body_size":0,"body_hash":""}'
    with db:
        db.execute(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n <= ?1)"
            " INSERT INTO message (n, id, sender, received, facts, dressing)"
            " SELECT n, printf('%026d', n), 'acme', n, ?2, '[\"default\",null,null,null]' FROM s",
            (many, facts),
        )
        db.execute("INSERT INTO content SELECT n << 16 | p.value, 0, x'' FROM message, json_each('[0,1]') p")
        db.execute(
            "INSERT INTO recipient (id, hop, sender, address, return_path, state, due)"
            " SELECT n << 16, 'direct:' || d, 'acme', 'anna@' || d, n || '@p.example', 0, received"
            " FROM (SELECT *, iif(n <= ?1, 'dead.example', 'alive.example') AS d FROM message)",
            (many,),
        )
    return db


async def test_the_questions_asked_all_the_time_are_answered_by_indexes(tmp_path: Path) -> None:
    db = database.open_writer(tmp_path / database.FILE, database.schema())
    for query, index in (
        (
            "SELECT id, due FROM recipient WHERE hop = 'a' AND sender = 'b' AND due IS NOT NULL ORDER BY due",
            "SEARCH recipient USING COVERING INDEX recipient_due (hop=? AND sender=? AND due>?)",
        ),
        ("SELECT n FROM message WHERE id = 'x'", "USING COVERING INDEX sqlite_autoindex_message_1 (id=?)"),
        ("SELECT n FROM message WHERE ref = 'x'", "USING COVERING INDEX message_ref (ref=?)"),
        (acts.VOID, "USING INDEX recipient_open (state=?)"),
        (
            acts.SELECT + " AND r.state IN (1) AND r.hop = 'a' ORDER BY r.id",
            "USING INDEX recipient_open (state=?)",
        ),
        (
            acts.SELECT + " AND m.id = 'x' AND r.state = 1 AND r.id <= 99 AND r.id > 33 ORDER BY r.id",
            "USING INDEX recipient_open (state=? AND rowid>? AND rowid<?)",
        ),
        (
            "SELECT hop, sender, min(due) FROM recipient WHERE due IS NOT NULL GROUP BY hop, sender",
            "recipient_due",
        ),
    ):
        plan = [step for *_, step in db.execute("EXPLAIN QUERY PLAN " + query, (1,) * query.count("?"))]
        assert index in str(plan[0])
    db.close()
