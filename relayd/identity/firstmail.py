"""The first mail of a sender whose address nobody was asked about asks its owner.

A reader of the journal with a cursor of its own, so that taking mail waits for nothing, and no first mail is
overlooked through a restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from relayd.core.event import Event, EventType
from relayd.core.letters.confirmation import BY_MESSAGE
from relayd.core.sender import Sender
from relayd.dressing import SigningFailed
from relayd.identity.confirm import AlreadyConfirmed, Confirmations, TooSoon
from relayd.identity.senders import SenderMissing
from relayd.store.contract import Store, StoreError

log = logging.getLogger("relayd.identity.firstmail")

BATCH = 1000  # events looked at between two turns of the loop: a few milliseconds
PACE = 1.0  # seconds between two looks; nobody waits for this letter
TRY_AGAIN = 5.0  # seconds after the store could not

KEEP_EVERY = 1000
"""Events after which the cursor is kept. What is looked at again after a crash does no harm: who was asked is
not asked again."""

_CURSOR = ("cursor", "first_mail")


class Known(Protocol):
    """The senders as they are now: a `core.sender.Senders`."""

    def get(self, id: str) -> Sender | None: ...
    def __iter__(self) -> Iterator[Sender]: ...


class FirstMail:
    """`run` until cancelled."""

    def __init__(
        self,
        *,
        store: Store,
        senders: Callable[[], Known],
        confirmations: Confirmations,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._senders = senders
        self._confirmations = confirmations
        self._pause = pause
        self._cursor = -1  # `seq` of the last event looked at; -1: not known yet
        self._kept = -1  # the same, as the store knows it

    async def run(self) -> None:
        """Ask as mail comes."""
        while True:
            try:
                await self.catch_up()
                await self._store.wait_journal(self._cursor)
                await self._pause(PACE)
            except StoreError as error:
                log.error("owners of new addresses can't be asked: %s; trying again", error)
                await self._pause(TRY_AGAIN)

    async def catch_up(self) -> None:
        """Look at everything that the journal has. Raises StoreError."""
        await self._resume()
        newest = self._store.newest
        # In this order: mail of a sender that is added meanwhile has a later place than `newest`.
        if any(map(self._confirmations.unasked, self._senders())):
            while self._cursor < newest:
                events = await self._store.journal(self._cursor, BATCH)
                for event in events:
                    await self._look_at(event)
                self._cursor = events[-1].seq
        self._cursor = max(self._cursor, newest)
        if self._cursor >= self._kept + KEEP_EVERY:
            await self._keep()

    async def _look_at(self, event: Event) -> None:
        if event.type is not EventType.ACCEPTED or event.sender is None:
            return
        sender = self._senders().get(event.sender)
        if sender is None or not self._confirmations.unasked(sender):
            return
        try:
            await self._confirmations.ask(sender.id, by=BY_MESSAGE)
        except TooSoon:
            pass  # another sender with this mailbox asked a moment ago: the next mail tries again
        except (SenderMissing, AlreadyConfirmed):
            pass  # it changed while we looked
        except SigningFailed as error:
            log.error("the owner of %s's address can't be asked: %s", sender.id, error)

    async def _resume(self) -> None:
        """Where we were. A journal that we never looked at tells of mail from before there was anybody to
        ask: that is let be."""
        if self._cursor < 0:
            kept = (await self._store.recall(_CURSOR[0])).get(_CURSOR[1])
            newest = self._store.newest
            self._cursor = self._kept = newest if kept is None else min(int(kept["seq"]), newest)
            if kept is None:
                await self._keep()

    async def _keep(self) -> None:
        await self._store.remember(*_CURSOR, {"seq": str(self._cursor)})
        self._kept = self._cursor
