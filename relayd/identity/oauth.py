"""The accounts that senders signed in with at a provider (Microsoft, Google), and their access tokens.

A refresh token is all that is kept on disk, sealed; access tokens are in memory alone, and a restart fetches
new ones. A provider may give a new refresh token with each access token and honour no older one: so it is
stored before the access token is used, nobody who waits can interrupt that, and one question is asked at a
time for each account. A crash between the provider's answer and our disk leaves the token before it: Google
and Microsoft still honour that one; a provider that does not costs one more sign-in, and nothing is lost but
time, since the mail waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from relayd.core.event import Event, EventType
from relayd.core.oauth import Access, Grant, Provider, Trouble, TroubleKind
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Stage, clean
from relayd.core.sender import Secret, Upstream
from relayd.identity.account import Account, State
from relayd.masterkey import NoMasterKey, SealBroken
from relayd.store.contract import Store, StoreError

log = logging.getLogger("relayd.oauth")

KIND = "oauth"
"""Kind of the facts, by sender id."""

REST = 15.0
"""Seconds in which a provider that just failed is not asked again for the same account: whoever waits for its
token gets the same answer."""

KEEP_ALIVE = timedelta(days=7)
"""A refresh token that nobody uses runs out (Microsoft: 90 days, Google: 6 months), so accounts are used at
least this often. It also tells of a consent that was withdrawn before the next invoice has to find out."""

SELDOM = timedelta(days=1)
"""Where the refresh token stays the same, that an account was used is written at most this often."""

LOOK = 3600.0
"""Seconds between two looks at which accounts were not used for that long."""


class Refresher(Protocol):
    async def refresh(self, provider: Provider, token: Secret) -> Grant | Trouble | Fault: ...


class Seals(Protocol):
    def seal(self, text: str, *, context: str) -> str: ...
    def unseal(self, sealed: str, *, context: str) -> Secret: ...


class OAuth:
    """Gives access tokens: `core.oauth.AccessTokens`.

    `upstream`, `providers` and the endpoints that `asks` gives are those of the settings as they are now.
    `lost` is called when a sender has to sign in
    again, `gained` when it did. `dice` is 0..1.
    """

    def __init__(
        self,
        *,
        store: Store,
        seals: Seals,
        asks: Callable[[], Refresher],
        providers: Callable[[], Mapping[str, Provider]],
        upstream: Callable[[str], Upstream | None],
        lost: Callable[[str, Reason], Awaitable[None]],
        gained: Callable[[str], Awaitable[None]],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        dice: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._seals = seals
        self._asks = asks
        self._providers = providers
        self._upstream = upstream
        self._lost = lost
        self._gained = gained
        self._clock = clock
        self._monotonic = monotonic
        self._dice = dice
        self._pause = pause
        self._accounts: dict[str, Account] = {}
        self._access: dict[str, tuple[Access, float]] = {}  # with its draw of the dice
        self._resting: dict[str, tuple[float, Fault]] = {}  # until when, and why
        self._unwritten: dict[str, tuple[Account, Grant]] = {}  # given, and not yet on disk
        self._asking: dict[str, asyncio.Task[Secret | Fault]] = {}
        self._writing = asyncio.Lock()
        self.problems: dict[str, str] = {}  # by provider: what the operator has to mend

    async def load(self) -> None:
        """Read what earlier runs kept. Raises StoreError."""
        for sender, fact in (await self._store.recall(KIND)).items():
            try:
                self._accounts[sender] = Account.read(fact)
            except (KeyError, ValueError):
                log.error("the sign-in of sender %s can't be read; it has to be done again", sender)

    async def close(self) -> None:
        """Wait for the answers under way: what a provider gives now, it may not give again."""
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        for sender, (account, given) in list(self._unwritten.items()):
            await self._keep(sender, account, given)

    # for couriers and probes

    async def access_token(self, sender: str, refused: Secret | None = None) -> Secret | Fault:
        """See `core.oauth.AccessTokens`."""
        missing = self._missing(sender)
        if missing is not None:
            return missing
        now = self._clock()
        access, jitter = self._access.get(sender, (None, 0.0))
        if access is not None and refused == access.token:
            del self._access[sender]
            access = None
        if access is not None and not access.ageing(now, jitter):
            return access.token
        found = await self._fetched(sender)
        if access is not None and isinstance(found, Fault) and found.kind is not FaultKind.TOKEN:
            return found if access.spent(self._clock()) else access.token
        return found

    def missing(self, sender: str) -> Reason | None:
        """Why this sender can't log in before a person signs in; None when that isn't so."""
        upstream = self._upstream(sender)
        if upstream is None or upstream.oauth is None:
            return None  # asked for every message; nearly all senders end here
        fault = self._missing(sender)
        return Reason.AUTH_TOKEN_EXPIRED if fault is not None and fault.kind is FaultKind.TOKEN else None

    def unreadable(self, among: Container[str] | None = None) -> list[str]:
        """Senders (of all, or `among` these) whose sign-in can't be opened while the master key is missing,
        or another one is there."""
        asked = [each for each in self._accounts.items() if among is None or each[0] in among]
        return [sender for sender, account in asked if self._closed(sender, account)]

    def grant(self, sender: str) -> str:
        """Another text after each sign-in: a login that was refused concerns the one before."""
        account = self._accounts.get(sender)
        return "" if account is None else account.since.isoformat()

    # for people

    def state(self, sender: str) -> State | None:
        """None for a sender that doesn't log in this way."""
        upstream = self._upstream(sender)
        if upstream is None or upstream.oauth is None:
            return None
        account = self._accounts.get(sender)
        asked = State(provider=upstream.oauth, username=upstream.username or "", connected=False)
        if account is None or not account.fits(upstream):
            return asked
        return replace(
            asked,
            connected=account.withdrawn is None,
            account=account.account,
            since=account.since,
            withdrawn=account.withdrawn,
        )

    async def sign_in(self, sender: str, provider: Provider, username: str, grant: Grant, *, by: str) -> None:
        """Keep what a sign-in gave, in the place of what was there. Raises StoreError and NoMasterKey; then
        nothing changed."""
        assert grant.refresh is not None, "without it the account is lost in an hour"
        now = self._clock()
        account = Account(
            provider=provider.name,
            username=username,
            account=grant.account,
            since=now,
            used=now,
            sealed=self._seals.seal(grant.refresh.value, context=_context(sender)),
        )
        async with self._writing:
            await self._store.remember(KIND, sender, account.written(), [self._changed(sender, by)])
            self._forget(sender)
            self._accounts[sender] = account
            self._hold(sender, grant)
        self.problems.pop(provider.name, None)
        try:
            await self._gained(sender)
        except StoreError as error:
            log.error("mail that waited for the sign-in of sender %s still waits: %s", sender, error)

    async def forget(self, sender: str, *, by: str | None) -> bool:
        """Throw the sign-in away. `by` None: the sender is gone, which was told. False when there was none.
        Raises StoreError."""
        async with self._writing:
            if sender not in self._accounts:
                return False
            await self._store.forget(KIND, sender, [] if by is None else [self._changed(sender, by)])
            self._forget(sender)
            del self._accounts[sender]
            return True

    # in the background

    async def run(self) -> None:
        """Use accounts that nobody else uses, one after the other. Until cancelled."""
        while True:
            due = self._clock() - KEEP_ALIVE
            for sender, account in list(self._accounts.items()):
                if account.used < due and self._missing(sender) is None:
                    await self._fetched(sender)
                    await self._pause(1.0)  # nobody is in a hurry
            await self._pause(LOOK * (1 + self._dice() / 4))

    # asking

    def _missing(self, sender: str) -> Fault | None:
        """What stands in the way before the provider is even asked."""
        upstream, account = self._upstream(sender), self._accounts.get(sender)
        if upstream is None or upstream.oauth is None:
            return _fault(FaultKind.INTERNAL, f"sender {sender} does not sign in anywhere", "")
        provider = self._providers().get(upstream.oauth)
        if provider is None:
            return _fault(FaultKind.INTERNAL, f"oauth.{upstream.oauth} is not in the config", upstream.oauth)
        if account is None or not account.fits(upstream):
            text = f"nobody has signed in as {upstream.username} yet"
            return _fault(FaultKind.TOKEN, text, provider.host)
        if account.withdrawn is not None:
            return _fault(FaultKind.TOKEN, account.withdrawn, provider.host)
        return None

    def _closed(self, sender: str, account: Account) -> bool:
        try:
            self._seals.unseal(account.sealed, context=_context(sender))
        except SealBroken:
            return True
        return False

    async def _fetched(self, sender: str) -> Secret | Fault:
        """A new access token. Whoever asks while it is on its way gets that one; who stops waiting stops
        nothing."""
        until, fault = self._resting.get(sender, (0.0, None))
        if fault is not None and self._monotonic() < until:
            return fault
        asking = self._asking.get(sender)
        if asking is None:
            account = self._accounts[sender]
            asked = self._ask(sender, account, self._providers()[account.provider])
            asking = self._asking[sender] = asyncio.create_task(asked)
            asking.add_done_callback(lambda _: self._asking.pop(sender, None))
        return await asyncio.shield(asking)

    async def _ask(self, sender: str, account: Account, provider: Provider) -> Secret | Fault:
        if sender in self._unwritten:
            account, grant = self._unwritten[sender]
            return await self._keep(sender, account, grant)
        try:
            token = self._seals.unseal(account.sealed, context=_context(sender))
        except SealBroken as error:
            return self._rest(sender, _fault(FaultKind.INTERNAL, str(error), ""))
        given = await self._asks().refresh(provider, token)
        if self._accounts.get(sender) is not account:
            return self._instead(sender)
        match given:
            case Grant():
                self.problems.pop(provider.name, None)
                return await self._keep(sender, account, given)
            case Trouble(kind=TroubleKind.WITHDRAWN | TroubleKind.DENIED | TroubleKind.EXPIRED):
                return await self._withdraw(sender, account, given.text, provider)
            case Trouble(kind=TroubleKind.OURS):
                self.problems[provider.name] = given.text
                log.error("%s does not take our registration: %s", provider.host, given.text)
                return self._rest(sender, _fault(FaultKind.INTERNAL, given.text, provider.host))
            case Trouble():
                text = f"{provider.host}: {given.text}"
                return self._rest(sender, _fault(FaultKind.UNREACHABLE, text, provider.host))
            case Fault():
                return self._rest(sender, given)

    async def _keep(self, sender: str, account: Account, given: Grant) -> Secret | Fault:
        """Durable first. What the disk doesn't take is used by nobody, and written before anything is asked
        again."""
        async with self._writing:
            if self._accounts.get(sender) is not account:
                return self._instead(sender)
            try:
                kept = self._renewed(sender, account, given)
                if kept is not account:
                    await self._store.remember(KIND, sender, kept.written())
            except (StoreError, NoMasterKey) as error:
                log.error("the new sign-in of sender %s is not on disk yet: %s", sender, error)
                self._unwritten[sender] = (account, given)
                return self._rest(sender, _fault(FaultKind.INTERNAL, f"can't be kept: {error}", ""))
            self._forget(sender)
            self._accounts[sender] = kept
            return self._hold(sender, given)

    def _renewed(self, sender: str, account: Account, given: Grant) -> Account:
        """The account with what is new about it; itself, when nothing is. Raises NoMasterKey."""
        now = self._clock()
        if given.refresh is not None:
            sealed = self._seals.seal(given.refresh.value, context=_context(sender))
            return replace(account, used=now, sealed=sealed)
        return replace(account, used=now) if now - account.used >= SELDOM else account

    async def _withdraw(self, sender: str, account: Account, why: str, provider: Provider) -> Secret | Fault:
        """The provider honours it no longer. Said once; from now on nobody asks for it."""
        withdrawn = replace(account, withdrawn=why)
        event = Event(
            time=self._clock(),
            type=EventType.CONSENT_WITHDRAWN,
            sender=sender,
            reason=Reason.AUTH_TOKEN_EXPIRED,
            host=provider.host,
            reply=why,
        )
        async with self._writing:
            if self._accounts.get(sender) is not account:
                return self._instead(sender)
            try:
                await self._store.remember(KIND, sender, withdrawn.written(), [event])
            except StoreError as error:
                log.error("that sender %s has to sign in again can't be kept: %s", sender, error)
            self._forget(sender)
            self._accounts[sender] = withdrawn
        try:
            await self._lost(sender, Reason.AUTH_TOKEN_EXPIRED)
        except StoreError as error:
            log.error("mail of sender %s, who has to sign in again: %s", sender, error)
        return _fault(FaultKind.TOKEN, why, provider.host)

    def _hold(self, sender: str, grant: Grant) -> Secret:
        access = Access(token=grant.access, since=self._clock(), lives=grant.lives)
        self._access[sender] = (access, self._dice())
        return access.token

    def _instead(self, sender: str) -> Secret | Fault:
        """Somebody signed in or out while we asked; the answer belongs to what was before."""
        if sender in self._access:
            return self._access[sender][0].token
        return self._missing(sender) or _fault(
            FaultKind.INTERNAL, "signed in just now; asked again later", ""
        )

    def _rest(self, sender: str, fault: Fault) -> Fault:
        self._resting[sender] = (self._monotonic() + REST, fault)
        return fault

    def _forget(self, sender: str) -> None:
        """What is in memory of a sign-in that is over, or was answered."""
        for known in (self._access, self._resting, self._unwritten):
            known.pop(sender, None)

    def _changed(self, sender: str, by: str) -> Event:
        detail = {"keys": "upstream.oauth", "by": by}
        return Event(time=self._clock(), type=EventType.SENDER_CHANGED, sender=sender, detail=detail)


def _context(sender: str) -> str:
    return f"oauth:{sender}"


def _fault(kind: FaultKind, text: str, host: str) -> Fault:
    return Fault(kind=kind, text=clean(text), stage=Stage.AUTH, host=host)
