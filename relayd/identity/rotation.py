"""Changing the signing key, with no message unsigned and no customer in a hurry.

A new key is made under the other of the two selectors. From then on each domain is signed for with the newest
key that everybody can see there (`Domains.selector`): domains with CNAMEs move as soon as the platform has
published the new key, domains with the key as TXT whenever they publish it. The old key goes when nothing
needs it any more: no domain that is signed for, and no message that is still on its way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from relayd.core import dkim
from relayd.core.records.dkimkey import OurKey
from relayd.dkimkeys import KeyRing
from relayd.keyfiles import VaultError
from relayd.store.contract import Store, StoreError

log = logging.getLogger("relayd.identity.rotation")

KIND, KEY = "dkim", "rotation"
"""Kind and key of the fact that says that a change is under way, and to which selector."""

MARGIN = timedelta(hours=1)
"""For so long nobody must have needed the old key before it goes: a message is signed before it is kept, and
a proof may come and go."""

RESTORE = "restore its file from a backup and start relayd again, or begin anew: relayd dkim rotate"
"""What to do where the file of a new key is gone."""

PAUSE = 300.0  # seconds between looks at whether the old key is still needed


class Domains(Protocol):
    def wanted(self) -> list[str]: ...
    def selector(self, domain: str) -> str: ...
    def known(self, domain: str) -> bool | None: ...


class UnderWay(Exception):
    """A change of the key has begun and isn't over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the keys stand."""

    selector: str  # that mail of the platform's own domain is signed with
    keys: tuple[OurKey, ...]  # the newest first; two while the key is changed
    since: datetime | None  # when the change began; None: none is under way
    lost: str | None = None  # selector of the new key of a change that ended because its file is gone
    waiting_for: tuple[str, ...] = ()  # domains that are still signed for with the old key
    on_their_way: int = 0  # messages signed with the old key whose delivery isn't over
    unneeded_since: datetime | None = None  # nobody needs the old key; it goes `MARGIN` later


class Rotation:
    """The change of the key. What is under way survives a restart."""

    def __init__(
        self,
        *,
        ring: KeyRing,
        store: Store,
        domains: Callable[[], Domains],
        platform: str,
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`domains` gives those of the settings as they are now; `platform` is the platform's domain."""
        self._ring = ring
        self._store = store
        self._domains = domains
        self._platform = platform
        self._clock = clock
        self._pause = pause
        self._since: datetime | None = None
        self._unneeded_since: datetime | None = None
        self._lost: str | None = None
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Take up what was under way. A second key file that nobody spoke of is a change that begins now."""
        fact = (await self._store.recall(KIND)).get(KEY)
        selectors = [key.selector for key in self._ring.keys]
        if fact is not None and fact["to"] in selectors:
            self._ring.prefer(fact["to"])
            self._since = datetime.fromisoformat(fact["since"])
        elif fact is not None:
            self._lost = fact["to"]
            log.error("the new signing key %s is gone, and with it the change to it: %s", self._lost, RESTORE)
        elif len(selectors) > 1:
            await self._begun(selectors[0])

    async def begin(self) -> Standing:
        """Make a new key under the other selector. Raises UnderWay, VaultError, StoreError."""
        async with self._turn:
            if len(self._ring.keys) > 1:
                raise UnderWay
            # The fact first: only it says which of two keys is the new one.
            await self._begun(self._ring.next_selector())
            try:
                await asyncio.to_thread(self._ring.make)
            except VaultError:
                self._since = None
                await self._store.forget(KIND, KEY)
                raise
            log.info("a new key is made; publish %s", self._ring.keys[0].name(self._platform))
        return await self.standing()

    async def standing(self) -> Standing:
        keys = self._ring.keys
        selector = self._domains().selector(self._platform)
        if len(keys) < 2:
            return Standing(selector=selector, keys=keys, since=None, lost=self._lost)
        old = keys[-1].selector
        return Standing(
            selector=selector,
            keys=keys,
            since=self._since,
            waiting_for=self._waiting_for(old),
            on_their_way=await self._on_their_way(old),
            unneeded_since=self._unneeded_since,
        )

    async def watch(self) -> None:
        """Let the old key go when its time has come. Runs until cancelled."""
        while True:
            try:
                await self.settle()
            except (StoreError, OSError) as error:
                log.error("whether the old signing key is still needed can't be said now: %s", error)
            await self._pause(PAUSE)

    async def settle(self) -> None:
        """Look once whether the old key is still needed. Raises StoreError, OSError."""
        async with self._turn:
            old = self._ring.keys[-1]
            if len(self._ring.keys) < 2:
                return
            # The store is asked last: it has to read the headers of all that waits.
            if self._waiting_for(old.selector) or await self._on_their_way(old.selector):
                self._unneeded_since = None
                return
            now = self._clock()
            if self._unneeded_since is None:
                self._unneeded_since = now
            elif now - self._unneeded_since >= MARGIN:
                await self._end(old)

    async def _begun(self, selector: str) -> None:
        since = self._clock()
        await self._store.remember(KIND, KEY, {"to": selector, "since": since.isoformat()})
        self._since, self._unneeded_since, self._lost = since, None, None

    async def _end(self, old: OurKey) -> None:
        # The file first: a fact without two keys is forgotten at the next change, a key without a fact would
        # begin another one.
        self._ring.drop(old.selector)
        await self._store.forget(KIND, KEY)
        self._since = self._unneeded_since = None
        log.info(
            "the signing key is changed; what is published at %s may be taken away in a week",
            old.name(self._platform),
        )

    def _waiting_for(self, old: str) -> tuple[str, ...]:
        """The platform itself must show the new key; another domain is waited for while it shows the old."""
        domains = self._domains()
        return tuple(
            domain
            for domain in domains.wanted()
            if domains.selector(domain) == old
            and (domain == self._platform or domains.known(domain) is not False)
        )

    async def _on_their_way(self, old: str) -> int:
        return await self._store.dressed_with(dkim.mark(old))
