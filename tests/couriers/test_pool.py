from __future__ import annotations

import asyncio
from typing import cast

import pytest

from relayd.couriers.pool import Pool
from relayd.net.smtp import Session


class Line:
    """What the pool sees of a session."""

    def __init__(self, *, opened: float = 0.0) -> None:
        self.usable = True
        self.uses = 1
        self.opened = opened
        self.closed = asyncio.Event()

    def close(self) -> None:
        self.closed.set()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def give(pool: Pool, key: str, **more: float) -> Line:
    line = Line(**more)
    pool.give(key, cast(Session, line))
    return line


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_the_session_used_last_is_taken_first(clock: Clock) -> None:
    pool = Pool(monotonic=clock)
    older, newer = give(pool, "a"), give(pool, "a")
    assert pool.take("a") is newer
    assert pool.take("a") is older
    assert pool.take("a") is None
    pool.close()


async def test_sessions_of_other_hops_are_never_taken(clock: Clock) -> None:
    pool = Pool(monotonic=clock)
    give(pool, "a")
    assert pool.take("b") is None
    pool.close()


async def test_a_session_that_went_away_meanwhile_is_passed_over(clock: Clock) -> None:
    pool = Pool(monotonic=clock)
    good, gone = give(pool, "a"), give(pool, "a")
    gone.usable = False
    assert pool.take("a") is good
    assert gone.closed.is_set()
    pool.close()


@pytest.mark.parametrize("wear", ["used up", "too old", "broken", "no room"])
async def test_what_is_worn_is_closed_and_not_kept(clock: Clock, wear: str) -> None:
    pool = Pool(monotonic=clock, uses=10, age=300.0, most=1)
    line = Line()
    if wear == "used up":
        line.uses = 10
    if wear == "too old":
        clock.now = 300.0
    if wear == "broken":
        line.usable = False
    if wear == "no room":
        give(pool, "b")
    pool.give("a", cast(Session, line))
    assert line.closed.is_set()
    assert pool.take("a") is None
    pool.close()


async def test_idle_sessions_are_closed_by_themselves(clock: Clock) -> None:
    pool = Pool(monotonic=clock, idle=0.01)
    old = give(pool, "a")
    other = give(pool, "b")
    clock.now = 0.005
    young = give(pool, "a")
    clock.now = 0.012
    async with asyncio.timeout(10):
        await old.closed.wait()
        await other.closed.wait()
    assert not young.closed.is_set()
    clock.now = 1.0
    async with asyncio.timeout(10):
        await young.closed.wait()
    assert pool.take("a") is None


async def test_closing_the_pool_closes_what_it_keeps(clock: Clock) -> None:
    pool = Pool(monotonic=clock)
    lines = [give(pool, "a"), give(pool, "a"), give(pool, "b")]
    pool.drop("b")
    assert lines[2].closed.is_set()
    pool.close()
    assert all(line.closed.is_set() for line in lines)
