"""What every store promises. `tests/store` holds each one to it.

Times are aware UTC datetimes and come from the caller. Every method that writes returns only when the
write is durable. `StoreDamaged` and `StoreFull` are the two faults a caller is expected to tell apart;
both mean 4xx to a client, never a lost message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event
from relayd.core.mail import Dressing, Message, Parcel, Recipient
from relayd.core.reasons import Reason

Body = Callable[[], AsyncIterator[bytes]]
"""Gives the settled body from its start, each time it is called; chunks of at most 1 MiB."""


class StoreError(Exception):
    """The store could not do it; nothing was written."""


class StoreFull(StoreError):
    """No space left (ENOSPC, EDQUOT): 452 4.3.1."""


class StoreDamaged(StoreError):
    """The database failed its own checks; the text says which file and what to do."""


class StoreBusy(StoreError):
    """Another process holds the state: the daemon runs, or a command does."""


class LeaseEnded(StoreError):
    """This parcel was settled before."""


class DressingStays(StoreError):
    """The message can't be dressed anew: a recipient was attempted, or is on its way in the old dressing."""


class Receiving(Protocol):
    """A body on its way in. Chunks of at most 1 MiB are committed as they come, so memory stays bounded;
    what is never put is swept."""

    async def append(self, chunk: bytes) -> None: ...
    async def discard(self) -> None: ...


class Room(Protocol):
    """How much may be leased. `core.hops.Hops` is one."""

    @property
    def total(self) -> int:
        """Parcels that may be leased now, in all."""
        ...

    def free(self, hop: str) -> int:
        """Parcels that may be leased now for the hop with this key; 0 for a paused one."""
        ...


class Verb(StrEnum):
    """What an operator does to open recipients."""

    RETRY = "retry"  # queued: due now
    HOLD = "hold"
    RELEASE = "release"  # held -> queued, due now, at least one more attempt
    CANCEL = "cancel"  # final: FAILED
    EXPIRE = "expire"  # final: FAILED, held or queued for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which recipients. All given conditions must hold; an empty selection selects every open recipient."""

    message: str | None = None
    ref: str | None = None
    sender: str | None = None
    hop: str | None = None
    state: State | None = None
    recipient: str | None = None
    held: Reason | None = None  # held for this reason
    unchanged_since: datetime | None = None  # nothing happened to it after this time


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one recipient stands."""

    recipient: Recipient
    state: State
    held: Reason | None
    attempts: int
    due_at: datetime | None
    last: Event | None  # the newest event of this recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A message with where its recipients stand, for people. Kept until `retention.metadata` is over."""

    message: Message
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSender:
    """A sender that was added at run time."""

    id: str
    settings: Mapping[str, object]  # as in the config file, in the types of JSON; no secret is in it
    sealed: Mapping[str, str] = field(default_factory=dict)  # by key, such as "upstream.password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something small to remember."""

    kind: str
    key: str
    value: Mapping[str, str]


class Store(Protocol):
    def write_at_once(self, alone: Callable[[], bool]) -> None:
        """While `alone` says that one client is being served, what it sends may be written on the event loop:
        waking a thread and being woken by it takes as long as a quick disk does, and delays nobody else."""
        ...

    def receive(self) -> Receiving:
        """Open a body that is too large to wait in memory (over CHUNK octets)."""
        ...

    def low_on_space(self, message_size: int) -> bool:
        """Too little room is left to begin with a message of up to so many octets: 452 4.3.1 at MAIL. Cheap;
        asked for every message."""
        ...

    async def put(self, message: Message, body: bytes | Receiving, events: Sequence[Event]) -> None:
        """Keep a message: content, recipients (QUEUED, or HELD when `message.held`) and events in one
        transaction. On return it survives a power loss. Queued ones are due at once."""
        ...

    async def lease(self, now: datetime, room: Room) -> list[Parcel]:
        """Take due parcels, as many as `room` has place for; one recipient each unless recipients of the
        message share hop and return path (at most 100 of those). Fair: within a hop, senders take turns;
        within a sender, oldest due first. What was just put comes from memory. `message.held` is None in a
        parcel: it waits no longer."""
        ...

    def content(self, message: str) -> AsyncIterator[bytes]:
        """The settled body in chunks of at most 1 MiB. Raises StoreDamaged when a chunk is missing."""
        ...

    async def settle(
        self,
        parcel: Parcel,
        settlements: Sequence[Settlement],
        dressing: Dressing | None = None,
        recipients: Sequence[Recipient] = (),
    ) -> None:
        """End a lease: state and events in one transaction. A recipient of the parcel that no settlement
        names goes back to the queue at once. With `dressing` (and the recipients with their new hops and
        return paths) the message is dressed anew; when any of it was attempted or is leased in another
        parcel: DressingStays, and the lease goes on. With `recipients` alone, recipients of this parcel take
        another hop in the dressing they have. Settling a lease twice raises LeaseEnded."""
        ...

    async def wait(self, now: datetime, room: Room) -> None:
        """Return when `lease` might have something: at once, when something is put, released or settled,
        or when the next one falls due. May return early; never misses."""
        ...

    def watch(self, message: str) -> AbstractAsyncContextManager[Watch]:
        """Follow one message from before it is put, for an app that waits for the real outcome."""
        ...

    @property
    def newest(self) -> int:
        """`seq` of the last event; 0 when there is none."""
        ...

    async def journal(self, after: int, limit: int = 1000) -> list[Event]:
        """Events with seq > after, in commit order, no gaps: at most `limit`."""
        ...

    async def wait_journal(self, after: int) -> None:
        """Return when there is an event with seq > after."""
        ...

    async def act(self, verb: Verb, selection: Selection, now: datetime, reason: Reason | None = None) -> int:
        """Do what an operator (or a refused login, with `reason`) asks to all selected open recipients; one
        event each (released, retried, held, cancelled). Leased ones are left alone, except that HOLD and
        CANCEL take effect when their parcel is settled as QUEUED (CANCEL: or HELD), across a restart too.
        Returns how many recipients."""
        ...

    async def find(self, selection: Selection, limit: int = 100) -> list[Record]:
        """Messages with any selected recipient, newest first; final ones too."""
        ...

    async def count(self) -> Mapping[State, int]:
        """Recipients by state."""
        ...

    async def held(self) -> Mapping[tuple[str, Reason], int]:
        """Held recipients by sender and reason. As quick as little is held."""
        ...

    async def dressed_with(self, octets: bytes) -> int:
        """How many messages with an open recipient have these octets in their dressed header block. Reads
        the headers of all that is open."""
        ...

    async def note(self, events: Sequence[Event]) -> None:
        """Write events that belong to no message change."""
        ...

    async def remember(
        self, kind: str, key: str, value: Mapping[str, str], events: Sequence[Event] = ()
    ) -> None:
        """Keep a small fact (a default address once assigned, a refused login, a last known proof)."""
        ...

    async def forget(self, kind: str, key: str, events: Sequence[Event] = ()) -> None: ...

    async def recall(self, kind: str) -> Mapping[str, Mapping[str, str]]: ...

    async def senders(self) -> list[StoredSender]:
        """All that were put and not removed, by id."""
        ...

    async def put_senders(
        self, many: Sequence[StoredSender], facts: Sequence[Fact] = (), events: Sequence[Event] = ()
    ) -> None:
        """Keep senders, each in place of one with its id, with facts and events in one transaction."""
        ...

    async def remove_sender(
        self, id: str, forget: Sequence[tuple[str, str]] = (), events: Sequence[Event] = ()
    ) -> None:
        """Remove a sender and forget facts (kind and key) in one transaction. Nothing of a sealed secret
        stays readable in the file. Its mail stays as it is."""
        ...

    async def sweep(self, now: datetime, content: timedelta, metadata: timedelta) -> None:
        """Clear what is over: bodies never put, content `content` and everything `metadata` after the final
        state. Deleted content leaves nothing readable in the file, and its space is given back."""
        ...

    async def backup(self, to: Path) -> None:
        """Write a consistent copy while running. Raises FileExistsError."""
        ...

    async def close(self) -> None: ...


class Watch(Protocol):
    async def settled(self) -> Sequence[Event]:
        """Wait until every recipient has been settled once (or was put as held), and give the last event
        of each, in the order of the recipients."""
        ...


CHUNK = 256 * 1024
"""Bodies up to this many octets wait in memory and are put in one transaction with everything else; larger
ones stream through a `Receiving`. 100 sessions at once hold 25 MiB this way."""
