"""A dispatcher with its store in memory, and a courier, a dresser and a store of logins that do as told."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from relayd.core.address import Address
from relayd.core.delivery import Attempt, State
from relayd.core.hops import Hops
from relayd.core.journal import EventType
from relayd.core.mail import (
    Dressing,
    Hop,
    IfUnproven,
    Message,
    Parcel,
    Proof,
    Recipient,
    Route,
    Rung,
    Submission,
)
from relayd.core.policy import Refusal
from relayd.core.reasons import Reason
from relayd.core.reply import Reply, Stage
from relayd.core.retry import RetryRules
from relayd.core.sender import Sender
from relayd.core.verdict import Fate, Scope, Verdict
from relayd.couriers.nobody import Nobody
from relayd.dispatch import Dispatcher
from relayd.dressing import Dressed
from relayd.store.contract import Body, Record, Selection
from relayd.store.memory import MemoryStore

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = b"Please find the invoice attached.\r\n"
SENT = Verdict(fate=Fate.SENT, reason=None, scope=Scope.MESSAGE)
UNKNOWN_USER = Verdict(fate=Fate.FAILED, reason=Reason.RECIPIENT_UNKNOWN, scope=Scope.RECIPIENT)
GREYLISTED = Verdict(fate=Fate.DEFERRED, reason=Reason.RATE_GREYLISTED, scope=Scope.RECIPIENT)
WRONG_PASSWORD = Verdict(fate=Fate.DEFERRED, reason=Reason.AUTH_WRONG_PASSWORD, scope=Scope.HOP)

ACME = Sender(
    id="acme",
    name="ACME BV",
    contact=Address("billing", "acme.example"),
    confirmed=True,
    default_address=Address("acme", "my.platform.example"),
    send_as=Rung.DEFAULT,
    if_unproven=IfUnproven.DEFAULT,
    language="en",
    test=False,
)
RULES = RetryRules(give_up_after=72 * 3600, warn_after=4 * 3600, retry_after=(120.0,))
DRESSING = Dressing(
    rung=Rung.DEFAULT,
    proof=Proof.PLATFORM,
    reason=None,
    header_from=ACME.default_address,
    header=b"From: acme@my.platform.example\r\n",
)


def message(number: int, *to: str, route: Route = Route.DIRECT, **more: Any) -> Message:
    addresses = tuple(Address(*text.split("@")) for text in to or ("anna@example.com",))
    return Message(
        id=f"{number:A>26}".translate(str.maketrans("0123456789", "ABCDEFGHIJ")),
        sender="acme",
        ref=f"INV-{number}",
        submission=Submission(
            login=None,
            may_be=None,
            mail_from=ACME.contact,
            recipients=addresses,
            header=b"From: billing@acme.example\r\n",
            body_size=len(BODY),
            body_hash=hashlib.sha256(BODY).digest(),
            eight_bit=False,
            smtputf8=False,
            received_at=NOON,
        ),
        dressing=DRESSING,
        recipients=tuple(
            Recipient(index=i, address=a, hop=_hop(route, a), return_path=f"b{i}@bounce.my.platform.example")
            for i, a in enumerate(addresses)
        ),
        **more,
    )


def _hop(route: Route, address: Address) -> Hop:
    return Hop(route, {Route.DIRECT: address.domain, Route.UPSTREAM: "acme", Route.SMARTHOST: ""}[route])


@dataclass
class ToldCourier:
    """Gives the verdicts it was told to, in order; then `SENT`."""

    verdicts: list[Verdict | Exception | None] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    arrived: Callable[[Parcel], None] = lambda parcel: None

    async def deliver(self, parcel: Parcel, body: Body) -> Sequence[Attempt]:
        self.parcels.append(parcel)
        self.arrived(parcel)
        verdict = self.verdicts.pop(0) if self.verdicts else SENT
        if isinstance(verdict, Exception):
            raise verdict
        self.bodies.append(b"".join([chunk async for chunk in body()]))
        reply = Reply(code=250, enhanced="2.0.0", text="told so", stage=Stage.END, host="mx.example.com")
        return [
            Attempt(
                recipient=recipient,
                evidence=reply,
                verdict=verdict,
                host="mx.example.com",
                ip="192.0.2.1",
                tls=None,
                started_at=NOON,
                seconds=0.5,
            )
            for recipient in (parcel.recipients if verdict is not None else ())
            if verdict is not None
        ]

    async def close(self) -> None: ...


@dataclass
class ToldDresser:
    standing: bool = True
    old_key: bool = False  # the first dressing is signed with one
    anew: Dressed | Refusal | Exception | None = None
    hop: Hop | None = None  # where everything goes now; None: where it was meant to go

    async def stands(self, message: Message, sender: Sender) -> bool:
        return self.standing

    async def dress(
        self, submission: Submission, sender: Sender, message_id: str, now: datetime
    ) -> Dressed | Refusal:
        self.standing = True
        if isinstance(self.anew, Exception):
            raise self.anew
        assert self.anew is not None
        return self.anew

    def outdated(self, message: Message, sender: Sender) -> bool:
        return self.old_key and message.dressing == DRESSING

    def moved(self, message: Message, recipients: Sequence[Recipient]) -> Sequence[Recipient]:
        if self.hop is None:
            return ()
        return [replace(r, hop=self.hop) for r in recipients if r.hop != self.hop]


@dataclass
class Logins:
    refused: list[tuple[str, Reason | None]] = field(default_factory=list)
    password: str = "first"
    elsewhere: Reason | None = None  # why another sender was refused with it

    def mark(self, hop: Hop) -> str:
        return self.password

    def refused_elsewhere(self, hop: Hop) -> Reason | None:
        return self.elsewhere

    async def learn(self, hop: Hop, reason: Reason, now: datetime) -> None:
        self.refused.append((hop.key, reason))

    async def taken(self, hop: Hop, now: datetime) -> None: ...

    async def refuse(self, parcel: Parcel, attempt: Attempt, now: datetime) -> None:
        self.refused.append((parcel.hop.key, attempt.verdict.reason))


class House:
    """A dispatcher with its store in memory."""

    def __init__(self) -> None:
        self.store = MemoryStore(clock=lambda: NOON)
        self.courier = ToldCourier()
        self.dresser = ToldDresser()
        self.logins = Logins()
        self.senders = {"acme": ACME}
        self.pauses: list[float] = []
        self.hops = Hops(total=10, per_hop=5)
        self.dispatcher = Dispatcher(
            store=self.store,
            couriers=dict.fromkeys(Route, self.courier),
            testing=Nobody(clock=lambda: NOON),
            hops=self.hops,
            dresser=self.dresser,
            sender=self.senders.get,
            credentials=self.logins,
            rules=RULES,
            clock=lambda: NOON,
            monotonic=lambda: 0.0,
            dice=lambda: 0.0,
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    async def put(self, *messages: Message) -> None:
        for one in messages:
            await self.store.put(one, BODY, [])

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Run the dispatcher meanwhile."""
        task = asyncio.create_task(self.dispatcher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.dispatcher.drain(5)

    async def until(self, *kinds: EventType, count: int = 1) -> None:
        """Wait until the journal has so many events of these kinds."""
        seen = 0
        async with asyncio.timeout(10):
            while True:
                found = await self.store.journal(0)
                if sum(event.type in kinds for event in found) >= count:
                    return
                await self.store.wait_journal(max(seen, len(found)))
                seen = len(found)

    async def deliver(self, *messages: Message, until: EventType, count: int = 1) -> None:
        async with self.open():
            await self.put(*messages)
            await self.until(until, count=count)

    async def states(self) -> list[State]:
        found: list[Record] = await self.store.find(Selection())
        return [standing.state for record in found for standing in record.standings]

    async def last(self, kind: EventType) -> Any:
        return [event for event in await self.store.journal(0) if event.type is kind][-1]
