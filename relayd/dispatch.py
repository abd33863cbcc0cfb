"""Lease, deliver, settle: the only loop of the house."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from relayd.core import retry
from relayd.core.delivery import Attempt, Settlement, State
from relayd.core.hops import Hops
from relayd.core.journal import Event, EventType
from relayd.core.mail import Dressing, Hop, Message, Parcel, Recipient, Route, Rung, Submission
from relayd.core.policy import Refusal
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Stage
from relayd.core.sender import Sender
from relayd.core.verdict import Fate, Scope, Verdict
from relayd.crashpoints import crashpoint
from relayd.dressing import Dressed, SigningFailed
from relayd.store.contract import (
    Body,
    DressingStays,
    LeaseEnded,
    Selection,
    Store,
    StoreDamaged,
    StoreError,
    Verb,
)

log = logging.getLogger("relayd.dispatch")

STORE_RETRY = 2.0
"""Seconds between tries to write a result down that the store could not take. A delivery whose result is
lost would be made again, so we stay with it; no new delivery starts meanwhile."""

UNWRITTEN = 400
"""Results that may wait for their commit until no new delivery starts: a disk that stalls must not leave
thousands of deliveries behind that nobody wrote down. A commit takes 10 to 20 of them under load."""

SIBLING = 1.0
"""Seconds until a parcel looks again whose message is just being dressed anew for another one: a signature
takes milliseconds, and a look into DNS seldom longer."""

ROUND = 10.0
"""Seconds that the loop waits at most; the watchdog counts its rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What is written down when a lease ends."""

    settlements: Sequence[Settlement]
    dressing: Dressing | None = None  # the message was dressed anew ...
    recipients: Sequence[Recipient] = ()  # ... or not; these recipients leave this way now


class Courier(Protocol):
    """Delivers parcels for one kind of hop."""

    async def deliver(self, parcel: Parcel, body: Body) -> Sequence[Attempt]:
        """Try once (all hosts of the hop if need be). One attempt for each recipient; never raises for
        what the network or a server did. Raises StoreDamaged when the body can't be read."""
        ...

    async def close(self) -> None:
        """Let go of idle connections."""
        ...


class Dresser(Protocol):
    async def stands(self, message: Message, sender: Sender) -> bool:
        """Would the message be dressed the same way now?"""
        ...

    async def dress(
        self, submission: Submission, sender: Sender, message_id: str, now: datetime
    ) -> Dressed | Refusal: ...

    def outdated(self, message: Message, sender: Sender) -> bool:
        """It stands, but its signature is of a key that receivers no longer find, while another is there."""
        ...

    def moved(self, message: Message, recipients: Sequence[Recipient]) -> Sequence[Recipient]:
        """Those of these recipients that go by another hop since the settings changed, with that hop."""
        ...


class Credentials(Protocol):
    """Logins that an upstream refused. They are not tried again until something changes."""

    def mark(self, hop: Hop) -> object:
        """Equal as long as the same login is used there."""
        ...

    def refused_elsewhere(self, hop: Hop) -> Reason | None:
        """Why its login needs no try, though it was not tried there."""
        ...

    async def refuse(self, parcel: Parcel, attempt: Attempt, now: datetime) -> None: ...

    async def learn(self, hop: Hop, reason: Reason, now: datetime) -> None: ...

    async def taken(self, hop: Hop, now: datetime) -> None:
        """The server took mail from us, so the login is good."""
        ...


def _reason_to_wait(message: Message, sender: Sender) -> Reason:
    """Which proof a message waits for that can't be dressed anew; it is let go when that proof is back."""
    if message.dressing.rung is Rung.UPSTREAM and sender.upstream is not None and sender.upstream.sealed:
        return Reason.UPSTREAM_SEALED
    return Reason.SIGNING_FAILED if message.dressing.rung is Rung.DEFAULT else Reason.SENDER_UNPROVEN


def _refused_login(parcel: Parcel, attempts: Sequence[Attempt]) -> Attempt | None:
    for attempt in attempts if parcel.hop.route is not Route.DIRECT else ():
        if retry.login_refused(attempt.evidence, attempt.verdict):
            return attempt
    return None


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


class Dispatcher:
    """Takes what is due, hands it to the courier of its hop, writes down what became of it."""

    def __init__(
        self,
        *,
        store: Store,
        couriers: Mapping[Route, Courier],
        testing: Courier,
        hops: Hops,
        dresser: Dresser,
        sender: Callable[[str], Sender | None],
        credentials: Credentials,
        rules: retry.RetryRules,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        dice: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self.couriers = couriers
        self._testing = testing
        self.hops = hops
        self.dresser = dresser
        self.sender = sender
        self.rules = rules
        self._credentials = credentials
        self._clock = clock
        self._monotonic = monotonic
        self._dice = dice
        self._pause = pause
        self._under_way: Counter[str] = Counter()  # parcels being worked on, by message
        self._on_the_road: Counter[str] = Counter()  # those of them that a courier has
        self._tasks: set[asyncio.Task[None]] = set()
        self._stuck = 0  # results that the store can't take just now
        self._unwritten = 0  # results that the store has not written yet
        self._written = asyncio.Event()  # one more is
        self.rounds = 0  # turns of the loop: the watchdog's proof of progress

    async def run(self) -> None:
        """Deliver until cancelled. What is on the road then goes on: see `drain`."""
        while True:
            self.rounds += 1
            try:
                waits = self._stuck or self._unwritten >= UNWRITTEN
                parcels = [] if waits else await self._store.lease(self._clock(), self.hops)
            except StoreError as error:
                log.error("can't read the queue, trying again: %s", error)
                await self._pause(STORE_RETRY)
                continue
            for parcel in parcels:
                self.hops.started(parcel.hop.key)
                task = asyncio.create_task(self._carry(parcel))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await self._wait()

    @property
    def stuck(self) -> bool:
        """The store can't take a result just now; no new delivery starts."""
        return self._stuck > 0

    async def drain(self, seconds: float) -> int:
        """Let what is on the road arrive, for at most `seconds`. Returns how many parcels did not; their
        leases end with the process, so they are delivered after the next start."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    async def _wait(self) -> None:
        """Until something can be leased, or a paused hop opens again."""
        if self._stuck:
            await self._pause(STORE_RETRY)
            return
        if self._unwritten >= UNWRITTEN:
            self._written.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND):
                    await self._written.wait()
            return
        change = self.hops.next_change(self._monotonic())
        try:
            async with asyncio.timeout(ROUND if change is None else min(change, ROUND)):
                await self._store.wait(self._clock(), self.hops)
        except TimeoutError:
            self.hops.reopen(self._monotonic())

    async def _carry(self, parcel: Parcel) -> None:
        crashpoint("dispatch.leased")
        attempts: Sequence[Attempt] = ()
        refused: Attempt | None = None
        current = with_courier = False
        self._under_way[parcel.message.id] += 1
        try:
            ending = await self._without_trying(parcel)
            if ending is None:
                with_courier, mark = True, self._mark(parcel)
                attempts = await self._deliver(parcel)
                refused = _refused_login(parcel, attempts)
                current = refused is not None and self._mark(parcel) == mark
                if current and refused is not None and refused.verdict.reason is not None:
                    self.hops.close(parcel.hop.key, refused.verdict.reason)
                ending = self._judged(parcel, attempts)
        except StoreDamaged as error:
            log.error("message %s is held: %s", parcel.message.id, error)
            ending = self._held(parcel, Reason.SERVER_ERROR)
        except StoreError as error:  # a body that can't be read now; its final dot was not sent
            log.error("message %s: %s", parcel.message.id, error)
            ending = self._faulty(parcel, Fate.DEFERRED)
        except Exception:
            # A bug that strikes after the final dot must not send an invoice again and again.
            log.exception("message %s: a fault of ours", parcel.message.id)
            ending = self._faulty(parcel, Fate.UNCERTAIN if with_courier else Fate.DEFERRED)
        finally:
            _less(self._under_way, parcel.message.id)
            # Before the result is written: whoever the commit wakes finds the place free.
            # What a test sender's courier makes up says nothing about the hop.
            verdicts = [] if parcel.message.test else [attempt.verdict for attempt in attempts]
            self.hops.ended(parcel.hop.key, verdicts, self._monotonic())
        if refused is not None and current:
            await self._remember(parcel, refused)
        await self._settle(parcel, ending)
        if refused is not None:
            await self._after_refusal(parcel, refused, current)
        elif parcel.hop.route is not Route.DIRECT and any(a.verdict.fate is Fate.SENT for a in attempts):
            await self._say_taken(parcel)

    async def _without_trying(self, parcel: Parcel) -> Ending | None:
        """What ends this lease without a try: the sender is gone, or its proof is. None: deliver."""
        sender = self.sender(parcel.message.sender)
        if sender is None:
            return self._held(parcel, Reason.SENDER_UNKNOWN)
        moved = self.dresser.moved(parcel.message, parcel.recipients)
        if moved:
            return Ending(settlements=(), recipients=moved)
        if self._is_direct(parcel) and not self.hops.probe(self._monotonic()):
            return self._held(parcel, Reason.NETWORK_PORT_BLOCKED)
        stands = await self.dresser.stands(parcel.message, sender)
        if stands and not (self._untried(parcel) and self.dresser.outdated(parcel.message, sender)):
            closed = self.hops.closed(parcel.hop.key)  # since it was leased
            if closed is None and not parcel.message.test and parcel.hop.route is not Route.DIRECT:
                closed = await self._refused_elsewhere(parcel.hop)
            return None if closed is None else self._held(parcel, closed)
        if not self._untried(parcel):
            # A recipient of this message was attempted, or is on its way: the dressing must stay, and the
            # rest waits until its proof is back.
            return self._held(parcel, _reason_to_wait(parcel.message, sender))
        if self._under_way[parcel.message.id] > 1:
            return self._back(parcel, SIBLING)
        return await self._dressed_anew(parcel, sender)

    def _untried(self, parcel: Parcel) -> bool:
        return parcel.first and not self._on_the_road[parcel.message.id]

    async def _dressed_anew(self, parcel: Parcel, sender: Sender) -> Ending:
        message, now = parcel.message, self._clock()
        try:
            dressed = await self.dresser.dress(message.submission, sender, message.id, now)
        except SigningFailed:
            log.exception("message %s can't be signed; it stays held", message.id)
            return self._held(parcel, Reason.SIGNING_FAILED)
        if isinstance(dressed, Refusal):
            if dressed.reason is Reason.POLICY_FROM_MISMATCH:
                # It fitted when we took it: somebody changed the sender's address since, not the app.
                return self._held(parcel, dressed.reason)
            return self._all(parcel, State.FAILED, EventType.FAILED, dressed.reason)
        if dressed.held is not None:
            return self._held(parcel, dressed.held)
        old, new = message.dressing, dressed.dressing
        first, *others = self._back(parcel, 0.0).settlements
        if (old.rung, old.proof) != (new.rung, new.proof):  # else with other bytes only
            changed = self._event(parcel, parcel.recipients[0], EventType.RUNG_CHANGED, new.reason)
            changed = dataclasses.replace(changed, recipient=None, rung=new.rung, proof=new.proof)
            first = dataclasses.replace(first, events=(changed,))
        return Ending(settlements=(first, *others), dressing=new, recipients=dressed.recipients)

    def _back(self, parcel: Parcel, wait: float) -> Ending:
        """To the queue as it came."""
        return Ending(
            settlements=[
                Settlement(recipient=r.index, state=State.QUEUED, wait=wait, attempted=False)
                for r in parcel.recipients
            ]
        )

    async def _deliver(self, parcel: Parcel) -> Sequence[Attempt]:
        courier = self._testing if parcel.message.test else self.couriers[parcel.hop.route]
        self._on_the_road[parcel.message.id] += 1
        try:
            body = functools.partial(self._store.content, parcel.message.id)
            attempts = await courier.deliver(parcel, body)
        finally:
            _less(self._on_the_road, parcel.message.id)
        crashpoint("dispatch.delivered")
        lost = {r.index for r in parcel.recipients} - {a.recipient.index for a in attempts}
        if lost:
            raise RuntimeError(f"the courier lost recipients {sorted(lost)}")
        return attempts

    def _judged(self, parcel: Parcel, attempts: Sequence[Attempt]) -> Ending:
        now = self._clock()
        return Ending(
            settlements=[
                retry.settlement(
                    parcel,
                    attempt,
                    self.rules,
                    jitter=self._dice(),
                    now=now,
                    port_blocked=self.hops.port_blocked,
                )
                for attempt in attempts
            ]
        )

    async def _settle(self, parcel: Parcel, ending: Ending) -> None:
        """Write the result down, whatever it takes."""
        crashpoint("dispatch.before_settle")
        stuck = False
        self._unwritten += 1
        try:
            while True:
                try:
                    await self._store.settle(parcel, ending.settlements, ending.dressing, ending.recipients)
                    break
                except LeaseEnded:
                    raise
                except DressingStays:
                    # Another recipient was leased or attempted since we looked. The next look sees which.
                    ending = self._back(parcel, SIBLING)
                except StoreError as error:
                    log.error("message %s: result not written, trying again: %s", parcel.message.id, error)
                    self._stuck += not stuck
                    stuck = True
                    await self._pause(STORE_RETRY)
        finally:
            self._stuck -= stuck
            self._unwritten -= 1
            self._written.set()
        crashpoint("dispatch.after_settle")

    def _mark(self, parcel: Parcel) -> object:
        return None if parcel.hop.route is Route.DIRECT else self._credentials.mark(parcel.hop)

    async def _remember(self, parcel: Parcel, refused: Attempt) -> None:
        """Before the result: a login that was refused is not tried again, a crash in between or not."""
        try:
            await self._credentials.refuse(parcel, refused, self._clock())
        except StoreError as error:
            log.error("the login of %s was refused, which can't be kept: %s", parcel.hop.key, error)

    async def _refused_elsewhere(self, hop: Hop) -> Reason | None:
        """A login that is known to be refused is not tried with another sender's mail."""
        reason = self._credentials.refused_elsewhere(hop)
        if reason is None:
            return None
        self.hops.close(hop.key, reason)
        try:
            await self._credentials.learn(hop, reason, self._clock())
            waiting = Selection(hop=hop.key, state=State.QUEUED)
            await self._store.act(Verb.HOLD, waiting, self._clock(), reason)
        except StoreError as error:
            log.error("the login of %s is known to be refused, which can't be kept: %s", hop.key, error)
        return reason

    async def _say_taken(self, parcel: Parcel) -> None:
        try:
            await self._credentials.taken(parcel.hop, self._clock())
        except StoreError as error:
            log.error("that the login of %s is good again can't be kept: %s", parcel.hop.key, error)

    async def _after_refusal(self, parcel: Parcel, refused: Attempt, current: bool) -> None:
        """What waits for this hop is held with the reason, too. Where the settings changed while the login
        was tried, it was the old one: the mail may try the new one."""
        hop, reason = parcel.hop.key, refused.verdict.reason
        try:
            if not current:
                held = Selection(message=parcel.message.id, hop=hop, held=reason)
                await self._store.act(Verb.RELEASE, held, self._clock())
            elif self.hops.closed(hop) is not None:
                waiting = Selection(hop=hop, state=State.QUEUED)
                await self._store.act(Verb.HOLD, waiting, self._clock(), reason)
        except StoreError as error:
            log.error("mail for %s, whose login was refused: %s", hop, error)

    def _is_direct(self, parcel: Parcel) -> bool:
        return parcel.hop.route is Route.DIRECT and not parcel.message.test

    def _held(self, parcel: Parcel, reason: Reason) -> Ending:
        return self._all(parcel, State.HELD, EventType.HELD, reason)

    def _all(self, parcel: Parcel, state: State, kind: EventType, reason: Reason) -> Ending:
        return Ending(
            settlements=[
                Settlement(
                    recipient=recipient.index,
                    state=state,
                    attempted=False,
                    events=(self._event(parcel, recipient, kind, reason, final=state is State.FAILED),),
                )
                for recipient in parcel.recipients
            ]
        )

    def _faulty(self, parcel: Parcel, fate: Fate) -> Ending:
        """A fault of ours. UNCERTAIN where it is not known how far the delivery came."""
        now = self._clock()
        verdict = Verdict(fate=fate, reason=Reason.SERVER_ERROR, scope=Scope.MESSAGE)
        fault = Fault(
            kind=FaultKind.INTERNAL,
            text="a fault inside relayd, see its log",
            stage=Stage.END if fate is Fate.UNCERTAIN else Stage.BODY,
            host="",
        )
        return self._judged(
            parcel,
            [
                Attempt(
                    recipient=recipient,
                    evidence=fault,
                    verdict=verdict,
                    host=None,
                    ip=None,
                    tls=None,
                    started_at=now,
                    seconds=0.0,
                )
                for recipient in parcel.recipients
            ],
        )

    def _event(
        self,
        parcel: Parcel,
        recipient: Recipient,
        kind: EventType,
        reason: Reason | None,
        *,
        final: bool = False,
    ) -> Event:
        message = parcel.message
        return Event(
            time=self._clock(),
            type=kind,
            message=message.id,
            ref=message.ref,
            sender=message.sender,
            rung=message.dressing.rung,
            proof=message.dressing.proof,
            recipient=str(recipient.address),
            reason=reason,
            final=final,
            test=message.test,
        )
