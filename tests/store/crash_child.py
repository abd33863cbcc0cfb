"""A process that uses a store and says what was acknowledged, until it is killed. Run by the kill tests."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relayd.core.address import Address
from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event, EventType
from relayd.core.mail import Dressing, Hop, Message, Parcel, Proof, Recipient, Route, Rung, Submission
from relayd.store.contract import CHUNK, Selection, StoreError, Verb
from relayd.store.sqlite import SqliteStore


class Room:
    total = 20

    def free(self, hop: str) -> int:
        return 20


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())  # unbuffered: said is said


def body_of(identity: str, large: bool) -> bytes:
    seed = hashlib.sha256(identity.encode()).digest()
    return seed * (3 * CHUNK // 32 if large else 20)


def message(identity: str, large: bool) -> Message:
    body = body_of(identity, large)
    addresses = tuple(Address(f"r{index}", "example.com") for index in range(3))
    return Message(
        id=identity,
        sender="acme",
        ref=None,
        submission=Submission(
            login=None,
            may_be=None,
            mail_from=None,
            recipients=addresses,
            header=b"Subject: " + identity.encode() + b"\r\n",
            body_size=len(body),
            body_hash=hashlib.sha256(body).digest(),
            eight_bit=False,
            smtputf8=False,
            received_at=datetime.now(UTC),
        ),
        dressing=Dressing(
            rung=Rung.DEFAULT, proof=Proof.PLATFORM, reason=None, header_from=None, header=b"X: y\r\n"
        ),
        recipients=tuple(
            Recipient(index=i, address=a, hop=Hop(Route.DIRECT, a.domain), return_path=f"{i}@p.example")
            for i, a in enumerate(addresses)
        ),
    )


def event(m: Message, kind: EventType, index: int) -> Event:
    return Event(
        time=datetime.now(UTC), type=kind, message=m.id, sender=m.sender, recipient=f"r{index}@example.com"
    )


async def put(store: SqliteStore, prefix: str, most: int = 1_000_000) -> None:
    for number in range(most):
        identity = f"{prefix}{number:022d}"
        large = number % 5 == 4
        m = message(identity, large)
        body = body_of(identity, large)
        events = [event(m, EventType.ACCEPTED, index) for index in range(3)]
        if large:
            receiving = store.receive()
            for start in range(0, len(body), 100_000):
                await receiving.append(body[start : start + 100_000])
            if number % 10 == 9:
                if number % 20 == 9:
                    await receiving.discard()
                del receiving  # every other one is abandoned: the sweep's to clear
                continue
            await store.put(m, receiving, events)
        else:
            await store.put(m, body, events)
        say("put", identity)


async def deliver(store: SqliteStore) -> None:
    """The first recipient is sent, the second deferred once, the third fails."""
    while True:
        now = datetime.now(UTC)
        for parcel in await store.lease(now, Room()):
            await settle(store, parcel)
        await store.wait(datetime.now(UTC), Room())


async def settle(store: SqliteStore, parcel: Parcel) -> None:
    index = parcel.recipients[0].index
    again = index == 1 and not parcel.progress[index].attempts
    state = State.QUEUED if again else State.FAILED if index == 2 else State.SENT
    kind = {State.QUEUED: EventType.DEFERRED, State.FAILED: EventType.FAILED, State.SENT: EventType.DELIVERED}
    settlement = Settlement(
        recipient=index,
        state=state,
        wait=0.01 if again else None,
        events=(event(parcel.message, kind[state], index),),
    )
    say("settling", parcel.message.id, str(index), state.value)
    await store.settle(parcel, [settlement])
    say("settled", parcel.message.id, str(index), state.value)


async def keep_house(store: SqliteStore) -> None:
    for number in itertools.count():
        await asyncio.sleep(0.02)
        await store.note([Event(time=datetime.now(UTC), type=EventType.PROVEN, sender="acme")])
        try:
            await store.act(Verb.HOLD, Selection(recipient="r1@example.com"), datetime.now(UTC))
            await store.act(Verb.RELEASE, Selection(), datetime.now(UTC))
            if number % 3 == 2:
                await store.sweep(datetime.now(UTC), timedelta(days=7), timedelta(days=400))
        except StoreError as error:
            say("error", str(error))
            raise


async def main(folder: Path, prefix: str, alone: bool) -> None:
    store = await SqliteStore.open(folder)
    say("open")
    if alone:
        await put(store, prefix, most=8)
        await store.close()
        return
    await asyncio.gather(*(put(store, f"{prefix}{n}") for n in range(3)), deliver(store), keep_house(store))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], "alone" in sys.argv))
