"""Sweeping, step by step: the reader looks, the writer deletes, everybody else goes on between."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial

from relayd.store import rows, sweeping
from relayd.store.engine import Engine

log = logging.getLogger("relayd.store")

PAGES = 2000
"""Free pages given back in one step."""


async def sweep(
    engine: Engine,
    now: datetime,
    content: timedelta,
    metadata: timedelta,
    receiving: Callable[[], Collection[int]],
) -> list[int]:
    """Clear what is over. `receiving` gives the numbers of bodies that are coming in: asked for each one just
    before it is dropped, since bodies begin while we read. Returns how many recipients of each state are
    gone."""
    for n in await engine.read(sweeping.received):
        if n not in receiving():
            await engine.write("sweep", run=partial(sweeping.drop_received, numbers=[n]))
    await _contents(engine, rows.stamp(now - content))
    gone = await _messages(engine, rows.stamp(now - metadata))
    await _events(engine, rows.stamp(now - metadata))
    while await engine.write("sweep", alone=partial(sweeping.shrink, pages=PAGES)):
        pass
    if not await engine.write("sweep", alone=sweeping.truncate):
        log.warning("%s: a reader is in the way, the WAL is emptied at the next sweep", engine.path)
    await engine.renew_reserve()
    return gone


async def _contents(engine: Engine, cutoff: int) -> None:
    after = 0
    while numbers := await engine.read(sweeping.contents, cutoff, after):
        await engine.write("sweep", run=partial(sweeping.drop_contents, numbers=numbers))
        after = numbers[-1]


async def _messages(engine: Engine, cutoff: int) -> list[int]:
    after, gone = 0, [0] * len(rows.STATES)
    while numbers := await engine.read(sweeping.messages, cutoff, after):
        less = await engine.write("sweep", run=partial(sweeping.drop_messages, numbers=numbers))
        gone = [one + other for one, other in zip(gone, less, strict=True)]
        after = numbers[-1]
    return gone


async def _events(engine: Engine, cutoff: int) -> None:
    after, more = 0, True
    while more:
        last, more = await engine.read(sweeping.events, cutoff, after)
        if last > after:
            await engine.write(
                "sweep", run=partial(sweeping.drop_events, after=after, last=last, cutoff=cutoff)
            )
            engine.recent.clear()  # the readers of the journal are not to see what is gone
        after = last
