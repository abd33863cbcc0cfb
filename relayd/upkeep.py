"""What has to be done now and then: end holds that lasted too long, hold what waits for a refused login, find
out whether port 25 has opened, clear what is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from relayd.core.delivery import State
from relayd.core.hops import PROBE_EVERY, Hops
from relayd.core.reasons import Reason
from relayd.core.settings import Settings
from relayd.store.contract import Selection, Store, StoreError, Verb

log = logging.getLogger("relayd.upkeep")

TURN = 60.0
"""Seconds between turns. Nothing here is urgent: the limits it enforces are hours and days."""


class Upkeep:
    """`refused` gives, by hop key, why its login is not tried any more."""

    def __init__(
        self,
        *,
        store: Store,
        hops: Hops,
        settings: Callable[[], Settings],
        refused: Callable[[], Mapping[str, Reason]],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._hops = hops
        self._settings = settings
        self._refused = refused
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._blocked = False
        self._probed_at: float | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._pause(TURN)
            try:
                await self.turn()
            except StoreError as error:
                log.error("upkeep: %s", error)

    async def turn(self) -> None:
        await self._hold_what_can_not_log_in()
        await self._watch_the_port()
        await self._end_holds()
        await self._end_waits()
        retention = self._settings().retention
        await self._store.sweep(self._clock(), retention.content, retention.metadata)

    async def _hold_what_can_not_log_in(self) -> None:
        """Mail that came in while the login was being refused waits like the rest, and says why."""
        for hop, reason in list(self._refused().items()):
            if hop not in self._refused():
                continue  # a person let it log in again meanwhile
            await self._store.act(Verb.HOLD, Selection(hop=hop, state=State.QUEUED), self._clock(), reason)

    async def _watch_the_port(self) -> None:
        """While port 25 is closed, let one held message try it now and then; once it is open, let all go."""
        held = Selection(state=State.HELD, held=Reason.NETWORK_PORT_BLOCKED)
        if self._hops.port_blocked:
            if not self._blocked:
                log.critical(
                    "nothing gets out to port %d: several unrelated mail servers can't be reached. Direct "
                    "mail is held. Ask your hoster to open the port, or set platform.smarthost to a server "
                    "that relays for you, and reload.",
                    self._settings().delivery.mx_port,
                )
            self._blocked = True
            now = self._monotonic()
            if self._probed_at is None or now - self._probed_at >= PROBE_EVERY:
                self._probed_at = now
                for record in await self._store.find(held, limit=1):
                    one = Selection(message=record.message.id, held=Reason.NETWORK_PORT_BLOCKED)
                    await self._store.act(Verb.RELEASE, one, self._clock())
            return
        # Every turn: what closed and opened between two turns held mail all the same.
        self._blocked, self._probed_at = False, None
        if not (await self._store.count()).get(State.HELD):
            return
        released = await self._store.act(Verb.RELEASE, held, self._clock())
        if released:
            log.warning("port %d is open again: %d released", self._settings().delivery.mx_port, released)

    async def _end_waits(self) -> None:
        """What was accepted for a hop that has been dead since, and never had its turn, ends like what had:
        attempts count their own waiting, this mail had none."""
        limit = self._settings().delivery.give_up_after
        for hop in self._hops.dead(limit.total_seconds(), self._monotonic()):
            over = Selection(hop=hop, state=State.QUEUED, unchanged_since=self._clock() - limit)
            if ended := await self._store.act(Verb.EXPIRE, over, self._clock(), Reason.EXPIRED):
                log.warning("%d recipients waited for %s until delivery.give_up_after", ended, hop)

    async def _end_holds(self) -> None:
        limit: timedelta = self._settings().delivery.hold_limit
        over = Selection(state=State.HELD, unchanged_since=self._clock() - limit)
        ended = await self._store.act(Verb.EXPIRE, over, self._clock(), Reason.EXPIRED)
        if ended:
            log.warning(
                "%d recipients were held for longer than delivery.hold_limit; they are not sent", ended
            )
