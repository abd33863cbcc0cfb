"""What the store alone can do: put, lease, read and settle messages, as fast as one process goes.

    python benchmarks/store.py [--folder DIR] [--seconds 3]

Prints messages per second and CPU milliseconds per message (all threads; the event loop's share beside it),
for messages of 4 KiB and 200 KB, put by 20 at once and by one.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from relayd.core.address import Address
from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event, EventType
from relayd.core.mail import Dressing, Hop, Message, Parcel, Proof, Recipient, Route, Rung, Submission
from relayd.store.sqlite import SqliteStore

HEADER = b"".join(b"X-Header-%d: %s\r\n" % (n, b"x" * 60) for n in range(12))


class Room:
    total = 50

    def free(self, hop: str) -> int:
        return 50


@dataclass
class Result:
    messages: int
    seconds: float
    cpu: float
    loop: float


def message(number: int, size: int) -> Message:
    address = Address(f"r{number}", "example.com")
    return Message(
        id=f"{number:026d}",
        sender="acme",
        ref=None,
        submission=Submission(
            login=None,
            may_be=None,
            mail_from=Address("app", "app.example"),
            recipients=(address,),
            header=HEADER,
            body_size=size,
            body_hash=bytes(32),
            eight_bit=False,
            smtputf8=False,
            received_at=datetime.now(UTC),
        ),
        dressing=Dressing(
            rung=Rung.DEFAULT, proof=Proof.PLATFORM, reason=None, header_from=address, header=HEADER * 2
        ),
        recipients=(
            Recipient(
                index=0,
                address=address,
                hop=Hop(Route.DIRECT, "example.com"),
                return_path=f"b+{number:032d}@platform.example",
            ),
        ),
    )


def event(m: Message, kind: EventType) -> Event:
    return Event(
        time=datetime.now(UTC),
        type=kind,
        message=m.id,
        sender=m.sender,
        rung=Rung.DEFAULT,
        proof=Proof.PLATFORM,
        recipient=str(m.recipients[0].address),
    )


async def measure(folder: Path, size: int, putters: int, seconds: float) -> Result:
    store = await SqliteStore.open(folder)
    body, numbers = os.urandom(size), itertools.count(1)
    put = settled = 0
    end = time.monotonic() + seconds

    async def putting() -> None:
        nonlocal put
        while time.monotonic() < end:
            m = message(next(numbers), size)
            await store.put(m, body, [event(m, EventType.ACCEPTED)])
            put += 1

    async def settle(parcel: Parcel) -> None:
        nonlocal settled
        async for _ in store.content(parcel.message.id):
            pass
        done = event(parcel.message, EventType.DELIVERED)
        await store.settle(parcel, [Settlement(recipient=0, state=State.SENT, events=(done,))])
        settled += 1

    async def delivering() -> None:
        running: set[asyncio.Task[None]] = set()
        while time.monotonic() < end or settled < put:
            for parcel in await store.lease(datetime.now(UTC), Room()):
                task = asyncio.create_task(settle(parcel))
                running.add(task)
                task.add_done_callback(running.discard)
            if settled < put or time.monotonic() < end:
                await store.wait(datetime.now(UTC), Room())

    started, cpu, loop = time.monotonic(), time.process_time(), time.thread_time()
    await asyncio.gather(delivering(), *(putting() for _ in range(putters)))
    result = Result(settled, time.monotonic() - started, time.process_time() - cpu, time.thread_time() - loop)
    await store.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, help="where to write: what is measured is this disk")
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    for size, putters in ((4096, 20), (4096, 1), (200_000, 20), (200_000, 1)):
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            r = asyncio.run(measure(Path(folder), size, putters, arguments.seconds))
        print(
            f"{size:>7} octets, {putters:>2} at once: {r.messages / r.seconds:7.0f} messages/s,"
            f" {r.cpu / r.messages * 1000:6.3f} ms CPU each, event loop {r.loop / r.messages * 1000:6.3f} ms"
        )


if __name__ == "__main__":
    main()
