"""Tells customers by mail that their own server refuses our login.

A reader of the journal with a cursor of its own. The letter goes to the confirmed contact address on the
platform's rung, never through the server that refuses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from relayd.core import journal
from relayd.core.event import Event, EventType
from relayd.core.letters.letter import Letter
from relayd.core.letters.upstream_failed import Failed, upstream_failed
from relayd.core.probe import REFUSALS
from relayd.core.reasons import Reason
from relayd.core.sender import Sender
from relayd.dressing import SigningFailed
from relayd.post import Post
from relayd.store.contract import Store, StoreError

log = logging.getLogger("relayd.identity.failedlogins")

EVERY = timedelta(days=1)
"""At most one letter to a sender in this time, however often its login is refused."""

BATCH = 1000  # events looked at between two turns of the loop
PACE = 1.0  # seconds between two looks; nobody waits for this letter
TRY_AGAIN = 60.0  # seconds after a letter could not be kept

_CURSOR = ("cursor", "failed_logins")
LETTERS = "failed_login_letter"
"""Kind of the facts that say when a sender was last written to, by sender id."""


class FailedLogins:
    """`run` until cancelled. `platform` is the name that letters speak of."""

    def __init__(
        self,
        *,
        store: Store,
        sender: Callable[[str], Sender | None],
        refused: Callable[[], Mapping[str, Reason]],
        post: Callable[[], Post],
        platform: Callable[[], str],
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`refused`: why logins are refused now, by sender id."""
        self._store = store
        self._sender = sender
        self._refused = refused
        self._post = post
        self._platform = platform
        self._clock = clock
        self._pause = pause
        self._cursor = -1  # `seq` of the last event looked at; -1: not known yet

    async def run(self) -> None:
        while True:
            try:
                await self.catch_up()
                await self._store.wait_journal(self._cursor)
                await self._pause(PACE)
            except (StoreError, SigningFailed) as error:
                log.error("customers whose login is refused can't be written to: %s; trying again", error)
                await self._pause(TRY_AGAIN)

    async def catch_up(self) -> None:
        """Look at everything that the journal has. Raises StoreError, SigningFailed."""
        if self._cursor < 0:
            kept = (await self._store.recall(_CURSOR[0])).get(_CURSOR[1])
            # A journal that was never looked at tells of what is long over.
            self._cursor = self._store.newest if kept is None else min(int(kept["seq"]), self._store.newest)
            if kept is None:
                await self._keep(self._cursor)
        newest = self._store.newest
        # In this order: a login is known to be refused before its event is written.
        if self._refused():
            while self._cursor < newest:
                events = await self._store.journal(self._cursor, BATCH)
                for event in events:
                    if event.type is EventType.UPSTREAM_FAILED:
                        await self._look_at(event)
                        await self._keep(event.seq)
                self._cursor = events[-1].seq
        self._cursor = max(self._cursor, newest)

    async def _keep(self, seq: int) -> None:
        await self._store.remember(*_CURSOR, {"seq": str(seq)})

    async def _look_at(self, event: Event) -> None:
        sender = self._sender(event.sender) if event.sender is not None else None
        if sender is None or not sender.confirmed or sender.test or sender.upstream is None:
            return
        if event.reason not in REFUSALS or sender.id not in self._refused():
            return
        now = self._clock()
        last = (await self._store.recall(LETTERS)).get(sender.id)
        if last is not None and now - datetime.fromisoformat(last["at"]) < EVERY:
            return
        await self._store.remember(LETTERS, sender.id, {"at": now.isoformat()})
        try:
            await self._post().send(
                self._letter(event, sender), sender.contact, ref=f"upstream-{sender.id}", sender=sender.id
            )
        except (SigningFailed, StoreError):
            await self._store.forget(LETTERS, sender.id)
            raise

    def _letter(self, event: Event, sender: Sender) -> Letter:
        assert event.reason is not None
        assert sender.upstream is not None
        said = [str(part) for part in (event.code, event.enhanced, event.reply) if part]
        failed = Failed(
            platform=self._platform(),
            customer=sender.name,
            address=str(sender.contact),
            host=sender.upstream.host,
            reason=event.reason,
            at=event.time,
            if_unproven=sender.if_unproven,
            said=" ".join(said) or None,
            link=journal.link(event),
        )
        return upstream_failed(failed, sender.language)
