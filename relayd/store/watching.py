"""Waiting on the event loop: for anything at all (`Bell`), and for one message (`Watching`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from relayd.core.journal import Event
from relayd.core.mail import Message


class Bell:
    """Wakes everybody who listens."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for listener in self._listeners:
            _done(listener)
        self._listeners.clear()

    async def heard(self, seconds: float | None = None) -> None:
        """Return at the next ring, or after `seconds`."""
        loop = asyncio.get_running_loop()
        listener = loop.create_future()
        self._listeners.add(listener)
        timer = None if seconds is None else loop.call_later(seconds, _done, listener)
        try:
            await listener
        finally:
            self._listeners.discard(listener)
            if timer is not None:
                timer.cancel()


def _done(listener: asyncio.Future[None]) -> None:
    if not listener.done():
        listener.set_result(None)


class Watching:
    """Follows one message: the newest event of each recipient, and who was settled."""

    def __init__(self) -> None:
        self._order: tuple[str, ...] | None = None
        self._last: dict[str, Event] = {}
        self._settled: set[str] = set()
        self._all = asyncio.Event()

    def put(self, message: Message, events: Iterable[Event]) -> None:
        self._order = tuple(str(recipient.address) for recipient in message.recipients)
        self.saw(events)
        if message.held is not None:
            self.settled(self._order)

    def saw(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.recipient is not None:
                self._last[event.recipient] = event

    def settled(self, recipients: Iterable[str]) -> None:
        self._settled.update(recipients)
        if self._order is not None and self._settled.issuperset(self._order):
            self._all.set()

    async def all(self) -> Sequence[Event]:
        await self._all.wait()
        return [self._last[address] for address in self._order or () if address in self._last]


class Handle:
    """What a caller of `Store.watch` holds."""

    def __init__(self, watching: Watching) -> None:
        self._watching = watching

    async def settled(self) -> Sequence[Event]:
        return await self._watching.all()


class Watchers:
    """The messages that somebody follows; few at a time."""

    def __init__(self) -> None:
        self._messages: dict[str, list[Watching]] = {}

    @asynccontextmanager
    async def watch(self, message: str) -> AsyncIterator[Handle]:
        watching = Watching()
        self._messages.setdefault(message, []).append(watching)
        try:
            yield Handle(watching)
        finally:
            self._messages[message].remove(watching)
            if not self._messages[message]:
                del self._messages[message]

    def put(self, message: Message, events: Iterable[Event]) -> None:
        for watching in self._messages.get(message.id, ()):
            watching.put(message, events)

    def settled(self, message: str, events: Mapping[str, Sequence[Event]], settled: Iterable[str]) -> None:
        """`events` by recipient; `settled`: those that now stand somewhere else than "not tried yet"."""
        watchings = self._messages.get(message)
        if not watchings:
            return
        settled = tuple(settled)
        for watching in watchings:
            for happened in events.values():
                watching.saw(happened)
            watching.settled(settled)

    def acted(self, events: Iterable[Event]) -> None:
        """Held or cancelled by hand."""
        if not self._messages:
            return
        for event in events:
            if event.message is not None and event.recipient is not None:
                self.settled(event.message, {event.recipient: (event,)}, (event.recipient,))
