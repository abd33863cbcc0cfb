"""Everybody at once: putting, leasing, settling, acting, sweeping. Nobody is in two hands at the same time,
nobody is forgotten."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from relayd.core.delivery import State
from relayd.core.journal import EventType
from relayd.core.mail import Parcel
from relayd.store.contract import Selection, Verb

DAY = timedelta(days=1)
HOPS = ["one.example", "two.example", "three.example"]


@pytest.mark.parametrize("hot", [0, 2_000, 10_000_000])
async def test_nobody_is_in_two_hands_and_nobody_is_forgotten(open_desk: Any, hot: int) -> None:
    desk = await open_desk(hot=hot)
    dice = random.Random(hot)
    total, in_hand, sent = 240, set[tuple[str, int]](), Counter[tuple[str, int]]()
    recipients = 0
    putting = True

    async def put() -> None:
        nonlocal recipients
        for _ in range(total // 4):
            to = [f"r{n}@{dice.choice(HOPS)}" for n in range(dice.randrange(1, 4))]
            shared = dice.random() < 0.5
            recipients += len(to)
            await desk.put(
                *to, sender=dice.choice(["acme", "bulk"]), return_path="own@acme.example" if shared else None
            )

    async def deliver() -> None:
        tasks: set[asyncio.Task[None]] = set()
        while putting or tasks or await _open(desk):
            desk.clock.forward(milliseconds=1)
            for parcel in await desk.lease(total=dice.randrange(1, 30), each=dice.randrange(1, 10)):
                keys = {(parcel.message.id, r.index) for r in parcel.recipients}
                assert not keys & in_hand, "leased twice"
                in_hand.update(keys)
                tasks.add(asyncio.create_task(settle(parcel, keys)))
            tasks = {task for task in tasks if not task.done() or task.result()}
            await asyncio.sleep(0)

    async def settle(parcel: Parcel, keys: set[tuple[str, int]]) -> None:
        for _ in range(dice.randrange(5)):
            await asyncio.sleep(0)
        assert await desk.body(parcel.message) == b"Hello\r\n"
        in_hand.difference_update(keys)
        fate = dice.random()
        if fate < 0.5:
            sent.update(keys)
            await desk.store.settle(parcel, desk.make.sent(parcel))
        elif fate < 0.8:
            await desk.store.settle(parcel, desk.make.deferred(parcel, wait=dice.choice([0, 0.001, 0.01])))
        else:
            await desk.store.settle(parcel, [])

    async def act() -> None:
        while putting or await _open(desk):
            verb = dice.choice([Verb.HOLD, Verb.RELEASE, Verb.RETRY])
            hop = dice.choice([None, *(f"direct:{hop}" for hop in HOPS)])
            await desk.store.act(verb, Selection(hop=hop), desk.clock())
            await desk.store.act(Verb.RELEASE, Selection(), desk.clock())
            await desk.store.sweep(desk.clock(), DAY, DAY)

    async def put_all() -> None:
        nonlocal putting
        await asyncio.gather(*(put() for _ in range(4)))
        putting = False

    await asyncio.wait_for(asyncio.gather(put_all(), deliver(), act()), 100)
    assert set(sent.values()) == {1}
    assert len(sent) == recipients
    assert dict(await desk.store.count()) == {
        State.QUEUED: 0,
        State.HELD: 0,
        State.SENT: recipients,
        State.FAILED: 0,
    }
    events = await desk.store.journal(0, 1_000_000)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert Counter(event.type for event in events)[EventType.DELIVERED] == recipients


async def _open(desk: Any) -> int:
    counts = await desk.store.count()
    return int(counts[State.QUEUED] + counts[State.HELD])


async def test_a_lease_that_is_cancelled_takes_nothing_along(open_desk: Any) -> None:
    desk = await open_desk(hot=0)
    for _ in range(20):
        await desk.put()
    for ticks in range(6):
        leasing = asyncio.ensure_future(desk.lease())
        for _ in range(ticks):
            await asyncio.sleep(0)
        leasing.cancel()
        try:
            for parcel in await leasing:
                await desk.store.settle(parcel, [])
        except asyncio.CancelledError:
            pass
    assert len(await desk.lease()) == 20


async def test_a_put_that_is_cancelled_is_whole_or_not_there(open_desk: Any) -> None:
    desk = await open_desk()
    for ticks in range(5):
        putting = asyncio.ensure_future(desk.put("a@one.example", "b@two.example"))
        for _ in range(ticks):
            await asyncio.sleep(0)
        putting.cancel()
        await asyncio.gather(putting, return_exceptions=True)
    await desk.put("a@one.example", "b@two.example")
    records = await desk.store.find(Selection())
    assert all(len(record.standings) == 2 for record in records)
    assert len(await desk.lease()) == 2 * len(records)
