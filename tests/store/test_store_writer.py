"""Group commit: who waits together commits together, who comes alone commits at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from relayd.core.journal import Event, EventType
from relayd.store import database, writer
from relayd.store.contract import StoreError
from relayd.store.reserve import Reserve
from relayd.store.writer import Rows, Transaction, Work, Writer


class Bench:
    """A writer on a real database that counts its commits."""

    def __init__(self, folder: Path) -> None:
        self.db = database.open_writer(folder / database.FILE, database.schema())
        self.commits = 0
        self.events: list[int] = []
        self.db.set_commit_hook(self._count)
        self.writer = Writer(
            self.db,
            folder / database.FILE,
            seq=0,
            loop=asyncio.get_running_loop(),
            committed=lambda events: self.events.extend(seq for seq, _ in events),
            reserve=Reserve(folder),
        )

    def _count(self) -> bool:
        self.commits += 1
        return False

    def submit(self, **more: Any) -> asyncio.Future[Any]:
        answer = asyncio.get_running_loop().create_future()
        self.writer.submit(Work(step="note", answer=answer, **more))
        return answer


@pytest.fixture
async def bench(tmp_path: Path) -> Any:
    made = Bench(tmp_path)
    yield made
    await made.writer.stop()
    made.db.close()


def noted(clock: Any, sender: str = "acme") -> Rows:
    return Rows(events=[(None, Event(time=clock(), type=EventType.PROVEN, sender=sender))])


async def test_everything_that_waits_is_one_transaction(bench: Bench, clock: Any) -> None:
    answers = [bench.submit(rows=noted(clock)) for _ in range(100)]
    bench.writer.start()
    await asyncio.gather(*answers)
    assert bench.commits == 1
    assert bench.events == list(range(1, 101))


async def test_what_comes_alone_is_not_kept_waiting(bench: Bench, clock: Any) -> None:
    bench.writer.start()
    for expected in (1, 2, 3):
        await asyncio.wait_for(bench.submit(rows=noted(clock)), 10)
        assert bench.commits == expected


async def test_a_group_is_bounded_in_octets(bench: Bench, clock: Any) -> None:
    answers = [bench.submit(rows=noted(clock), size=writer.GROUP // 2) for _ in range(6)]
    bench.writer.start()
    await asyncio.gather(*answers)
    assert bench.commits == 3


async def test_a_bad_one_fails_alone_and_the_numbers_have_no_gap(bench: Bench, clock: Any) -> None:
    answers = [bench.submit(rows=noted(clock)) for _ in range(5)]
    bad = bench.submit(rows=Rows(events=[(None, Event(time=clock(), type=EventType.HELD, detail={1: {2}}))]))  # type: ignore[dict-item]
    answers += [bench.submit(rows=noted(clock)) for _ in range(5)]
    bench.writer.start()
    await asyncio.gather(*answers)
    with pytest.raises(StoreError):
        await bad
    assert bench.events == list(range(1, 11))


async def test_functions_and_rows_keep_their_order(bench: Bench, clock: Any) -> None:
    def count(transaction: Transaction) -> int:
        (found,) = transaction.db.execute("SELECT count(*) FROM event").fetchone() or (None,)
        assert isinstance(found, int)
        return found

    first = bench.submit(rows=noted(clock))
    between = bench.submit(run=count)
    last = bench.submit(rows=noted(clock))
    after = bench.submit(run=count)
    bench.writer.start()
    await asyncio.gather(first, last)
    assert (await between, await after) == (1, 2)


async def test_what_runs_outside_transactions_keeps_its_place_too(bench: Bench, clock: Any) -> None:
    first = bench.submit(rows=noted(clock))
    alone = bench.submit(alone=lambda db: db.execute("SELECT count(*) FROM event").fetchone())
    last = bench.submit(rows=noted(clock))
    bench.writer.start()
    await asyncio.gather(first, last)
    assert await alone == (1,)
    assert bench.commits == 2


async def test_nobody_waiting_for_the_answer_is_no_reason_not_to_write(bench: Bench, clock: Any) -> None:
    done: list[Any] = []
    bench.submit(rows=noted(clock), done=done.append).cancel()
    other = bench.submit(rows=noted(clock))
    bench.writer.start()
    await other
    assert done == [None]
    assert bench.events == [1, 2]


async def test_a_fault_in_what_follows_a_commit_keeps_nobody_waiting(bench: Bench, clock: Any) -> None:
    def explode(_: Any) -> None:
        raise ZeroDivisionError

    bad = bench.submit(rows=noted(clock), done=explode)
    good = bench.submit(rows=noted(clock))
    bench.writer.start()
    await asyncio.wait_for(good, 10)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(bad, 10)


async def test_the_wal_is_copied_into_the_database_when_it_has_grown(
    bench: Bench, clock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "CHECKPOINT", 50)
    bench.writer.start()
    wal = tmp_path / (database.FILE + "-wal")
    for n in range(60):
        await bench.submit(rows=Rows(content=[(n << 16, 0, bytes(50_000))]))
    assert wal.stat().st_size < 2_000_000, "sixty times 50,000 octets went through it"


@pytest.fixture(autouse=True)
def connections_are_closed() -> Iterator[None]:
    yield
    assert not apsw.connections()
