"""Both stores behind one fixture, and values to fill them with."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relayd.core.address import Address
from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event, EventType
from relayd.core.mail import Dressing, Hop, Message, Parcel, Proof, Recipient, Route, Rung, Submission
from relayd.core.reasons import Reason
from relayd.store.contract import Store
from relayd.store.memory import MemoryStore
from relayd.store.sqlite import SqliteStore

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **units: float) -> datetime:
        self.now += timedelta(**units)
        return self.now

    back = forward  # with negative units


@dataclass
class Rooms:
    """A `Room` that says what it is told to."""

    total: int = 100
    each: int = 100
    closed: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def free(self, hop: str) -> int:
        self.asked.append(hop)
        return 0 if hop in self.closed else self.each


class Maker:
    """Makes messages and what happens to them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)

    def message(
        self,
        to: str | Sequence[str] = "anna@example.com",
        *,
        sender: str = "acme",
        body: bytes = b"Hello\r\n",
        return_path: str | None = None,
        hop: str | None = None,
        **more: Any,
    ) -> Message:
        """`return_path` None: one of its own for each recipient."""
        number = next(self._numbers)
        addresses = tuple(Address(*text.rsplit("@", 1)) for text in ([to] if isinstance(to, str) else to))
        header = b"From: acme@app.example\r\nSubject: Invoice %d\r\n" % number
        return Message(
            id=_identity(number),
            sender=sender,
            ref=more.pop("ref", None),
            submission=Submission(
                login=None,
                may_be=None,
                mail_from=Address("app", "app.example"),
                recipients=addresses,
                refused=more.pop("refused", ()),
                header=header,
                body_size=len(body),
                body_hash=hashlib.sha256(body).digest(),
                eight_bit=False,
                smtputf8=False,
                received_at=self._clock(),
            ),
            dressing=Dressing(
                rung=Rung.DEFAULT,
                proof=Proof.PLATFORM,
                reason=None,
                header_from=Address("acme", "platform.example"),
                header=b"DKIM-Signature: v=1\r\n" + header,
            ),
            recipients=tuple(
                Recipient(
                    index=index,
                    address=address,
                    hop=Hop(Route.DIRECT, hop or address.domain),
                    return_path=f"b+{number}.{index}@platform.example"
                    if return_path is None
                    else return_path,
                )
                for index, address in enumerate(addresses)
            ),
            **more,
        )

    def event(self, message: Message, kind: EventType, index: int = 0, **more: Any) -> Event:
        return Event(
            time=self._clock(),
            type=kind,
            message=message.id,
            ref=message.ref,
            sender=message.sender,
            rung=message.dressing.rung,
            proof=message.dressing.proof,
            recipient=str(message.recipients[index].address),
            **more,
        )

    def accepted(self, message: Message) -> list[Event]:
        kind = EventType.ACCEPTED if message.held is None else EventType.HELD
        return [
            self.event(message, kind, index, reason=message.held) for index in range(len(message.recipients))
        ]

    def sent(self, parcel: Parcel) -> list[Settlement]:
        return [
            Settlement(
                recipient=r.index,
                state=State.SENT,
                spent=0.5,
                events=(
                    self.event(
                        parcel.message, EventType.DELIVERED, r.index, code=250, reply="2.0.0 Ok", final=True
                    ),
                ),
            )
            for r in parcel.recipients
        ]

    def deferred(self, parcel: Parcel, wait: float = 120.0, **more: Any) -> list[Settlement]:
        return [
            Settlement(
                recipient=r.index,
                state=State.QUEUED,
                wait=wait,
                spent=0.5 + wait,
                events=(
                    self.event(parcel.message, EventType.DEFERRED, r.index, reason=Reason.RATE_GREYLISTED),
                ),
                **more,
            )
            for r in parcel.recipients
        ]

    def dressed_anew(self, message: Message, domain: str) -> tuple[Dressing, tuple[Recipient, ...]]:
        dressing = replace(
            message.dressing, rung=Rung.UPSTREAM, proof=Proof.CREDENTIALS, header=b"Dressed: anew\r\n"
        )
        return dressing, tuple(
            replace(r, hop=Hop(Route.UPSTREAM, domain), return_path="own@acme.example")
            for r in message.recipients
        )


@dataclass
class Desk:
    """A store with everything at hand."""

    store: Store
    make: Maker
    clock: Clock
    room: Rooms

    async def put(self, *to: str, body: bytes = b"Hello\r\n", **more: Any) -> Message:
        message = self.make.message(to or ("anna@example.com",), body=body, **more)
        await self.store.put(message, body, self.make.accepted(message))
        return message

    async def lease(self, **room: Any) -> list[Parcel]:
        return await self.store.lease(self.clock(), replace(self.room, **room))

    async def body(self, message: Message) -> bytes:
        return b"".join([chunk async for chunk in self.store.content(message.id)])

    async def types(self, after: int = 0) -> list[EventType]:
        return [event.type for event in await self.store.journal(after)]

    async def deliver_all(self) -> None:
        while parcels := await self.lease():
            for parcel in parcels:
                await self.store.settle(parcel, self.make.sent(parcel))


def _identity(number: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    for _ in range(26):
        number, digit = divmod(number, 26)
        text = letters[digit] + text
    return text


def _addresses(parcels: Iterable[Parcel]) -> list[str]:
    return [str(recipient.address) for parcel in parcels for recipient in parcel.recipients]


@pytest.fixture
def addresses() -> Callable[[Iterable[Parcel]], list[str]]:
    return _addresses


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Maker:
    return Maker(clock)


@pytest.fixture
def room() -> Rooms:
    return Rooms()


@pytest.fixture(params=["memory", "sqlite", "sqlite without memory"])
async def desk(
    request: pytest.FixtureRequest, clock: Clock, make: Maker, room: Rooms, tmp_path: Path
) -> AsyncIterator[Desk]:
    """Every store; SQLite also with no room for hot messages, so that all is leased from the database."""
    store: Store
    if request.param == "memory":
        store = MemoryStore(clock=clock)
    else:
        hot = {} if request.param == "sqlite" else {"hot": 0}
        store = await SqliteStore.open(tmp_path / "state", clock=clock, **hot)
    yield Desk(store, make, clock, room)
    await store.close()


@pytest.fixture
async def open_desk(
    clock: Clock, make: Maker, room: Rooms, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Desk]]]:
    """Opens SQLite stores, again and again in the same folder if need be."""
    opened: list[SqliteStore] = []

    async def open_one(folder: Path = tmp_path / "state", **more: Any) -> Desk:
        store = await SqliteStore.open(folder, clock=clock, **more)
        opened.append(store)
        return Desk(store, make, clock, room)

    yield open_one
    for store in opened:
        await store.close()
