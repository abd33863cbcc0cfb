"""Which rung each sender's mail would get now; a change is an event, once, however often it is looked at.

What changes it is found at many places: proofs, logins, confirmations, settings. So nobody is asked to tell:
each sender is looked at again and again, from what is known, without asking anybody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from relayd.core.event import Event, EventType
from relayd.core.mail import Rung
from relayd.core.policy import Plan, Refusal
from relayd.core.reasons import Reason
from relayd.core.sender import Sender, Senders
from relayd.store.contract import Store, StoreError

log = logging.getLogger("relayd.identity.rungs")

KIND = "rung"
"""Kind of the facts that say which rung a sender was last told to be on, by sender. Who never left the
default address has none."""

HELD, REFUSED = "held", "refused"
"""In place of a rung: mail waits, or is refused."""

PAUSE = 60.0  # seconds between rounds: 10,000 senders take 0.4 s of it
AT_ONCE = 50
"""Senders looked at before others get their turn: some 2 ms."""


class Rungs:
    def __init__(
        self,
        *,
        store: Store,
        senders: Callable[[], Senders],
        plan: Callable[[Sender], Plan | Refusal],
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`plan` gives what a message of a sender with its own address in From would get now."""
        self._store = store
        self._senders = senders
        self._plan = plan
        self._clock = clock
        self._pause = pause
        self._told: dict[str, str] = {}

    async def load(self) -> None:
        self._told = {id: fact["rung"] for id, fact in (await self._store.recall(KIND)).items()}

    async def watch(self) -> None:
        """Look again and again. Runs until cancelled."""
        while True:
            try:
                await self.check()
            except StoreError as error:
                log.error("changed rungs can't be written down now: %s", error)
            await self._pause(PAUSE)

    async def look(self, domain: str) -> None:
        """Look at the senders of a domain of which something new is known. Raises StoreError."""
        for sender in self._senders().of_domain(domain):
            await self._look(sender)

    async def check(self) -> None:
        """Look at every sender once. Raises StoreError."""
        senders = {sender.id: sender for sender in self._senders()}
        for number, sender in enumerate(senders.values(), 1):
            if sender.send_as is not Rung.DEFAULT or sender.id in self._told:
                await self._look(sender)
            if number % AT_ONCE == 0:
                await self._pause(0)
        for id in [id for id in self._told if id not in senders]:
            await self._store.forget(KIND, id)
            del self._told[id]

    async def _look(self, sender: Sender) -> None:
        plan, before = self._plan(sender), self._told.get(sender.id, Rung.DEFAULT.value)
        now = _stands(plan)
        if now == before:
            return
        usable = isinstance(plan, Plan) and plan.proof is not None
        event = Event(
            time=self._clock(),
            type=EventType.RUNG_CHANGED,
            sender=sender.id,
            rung=plan.rung if isinstance(plan, Plan) and usable else None,
            proof=plan.proof if isinstance(plan, Plan) else None,
            reason=plan.reason or Reason.SENDER_UNPROVEN if now != sender.send_as.value else None,
            detail={"from": before, "to": now},
        )
        await self._store.remember(KIND, sender.id, {"rung": now}, [event])
        self._told[sender.id] = now


def _stands(plan: Plan | Refusal) -> str:
    if isinstance(plan, Refusal):
        return REFUSED
    return plan.rung.value if plan.proof is not None else HELD
