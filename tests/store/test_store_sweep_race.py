"""A sweep looks for bodies that nobody sends any more, while others begin and are put."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from relayd.store import sweeping
from relayd.store.contract import CHUNK

BODY = b"x" * 62 + b"\r\n"
BODY *= 3 * CHUNK // len(BODY)
DAY = timedelta(days=1)


async def _look_while(desk: Any, patch: pytest.MonkeyPatch, before: Any = None, after: Any = None) -> None:
    """Sweep, with something happening just before or just after the sweep has looked for bodies."""
    engine = desk.store._engine
    read: Callable[..., Awaitable[Any]] = engine.read

    async def looking(what: Any, *rest: Any) -> Any:
        if what is sweeping.received and before is not None:
            await before()
        found = await read(what, *rest)
        if what is sweeping.received and after is not None:
            await after()
        return found

    patch.setattr(engine, "read", looking)
    await desk.store.sweep(desk.clock(), 7 * DAY, 400 * DAY)
    patch.undo()


async def test_a_body_that_begins_while_a_sweep_looks_is_whole(
    open_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await open_desk()
    begun = []

    async def begin() -> None:
        receiving = desk.store.receive()
        await receiving.append(BODY[: 2 * CHUNK])
        begun.append(receiving)

    await _look_while(desk, monkeypatch, before=begin)
    await begun[0].append(BODY[2 * CHUNK :])
    message = desk.make.message("a@one.example", body=BODY)
    await desk.store.put(message, begun.pop(), desk.make.accepted(message))
    assert await desk.body(message) == BODY


async def test_a_body_that_is_put_while_a_sweep_looks_is_whole(
    open_desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await open_desk()
    held = [desk.store.receive()]
    await held[0].append(BODY)
    message = desk.make.message("a@one.example", body=BODY)

    async def put() -> None:
        await desk.store.put(message, held.pop(), desk.make.accepted(message))

    await _look_while(desk, monkeypatch, after=put)
    assert await desk.body(message) == BODY
