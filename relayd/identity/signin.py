"""Signing in at a provider: in a browser (RFC 6749 with PKCE), or with a code on another device (RFC 8628).

What is begun here lives in memory, a quarter of an hour at most, once for each sender: a restart costs one
more click. Who comes back is known by a state that can't be guessed and works once. An account that isn't the
one the settings name is refused, whoever it belongs to: a link that was sent to somebody else gives nothing.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from relayd.core import oauth
from relayd.core.oauth import DeviceCode, Grant, Problem, Provider, Trouble, TroubleKind, same_account
from relayd.core.reply import Fault, clean
from relayd.core.sender import Secret, Sender
from relayd.identity.oauth import OAuth
from relayd.masterkey import NoMasterKey
from relayd.store.contract import StoreError

log = logging.getLogger("relayd.oauth")

BROWSER_LIFE = 900.0
"""Seconds from the link to coming back; providers give people 10 to 15 minutes for their pages."""

PARAMETER_MAX = 4096
"""Characters of anything that comes back. Microsoft's codes have up to 2,000."""


class Asks(Protocol):
    """`net.oauth.Providers` is one."""

    def sign_in_page(
        self, provider: Provider, *, redirect_uri: str, state: str, nonce: str, verifier: Secret, account: str
    ) -> str: ...

    async def redeem(
        self, provider: Provider, *, code: Secret, verifier: Secret, redirect_uri: str
    ) -> Grant | Trouble | Fault: ...

    async def device(self, provider: Provider) -> DeviceCode | Trouble | Fault: ...

    async def poll(self, provider: Provider, code: Secret) -> Grant | Trouble | Fault: ...


class CannotSignIn(Exception):
    """A sign-in can't begin. `problem` says why, `detail` what the provider said."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One that is under way, or how the last one ended."""

    sender: str
    provider: str
    username: str  # who has to sign in
    by: str
    language: str
    expires_at: datetime
    url: str  # where a person goes
    user_code: str | None = None  # what is typed in there; None: nothing
    done: bool = False
    problem: Problem | None = None  # done, and went wrong
    account: str | None = None  # who signed in
    detail: str = ""  # what the provider said, cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """What has to be known when somebody comes back."""

    provider: Provider
    redirect_uri: str
    verifier: Secret
    nonce: str
    ends: float


class SignIns:
    """Begins sign-ins and takes what comes of them to `OAuth`.

    `sender` gives the settings as they are now; `redirect_uri` is where browsers come back to, None without a
    public page.
    """

    def __init__(
        self,
        *,
        accounts: OAuth,
        asks: Callable[[], Asks],
        providers: Callable[[], Mapping[str, Provider]],
        sender: Callable[[str], Sender | None],
        redirect_uri: Callable[[], str | None],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = accounts
        self._asks = asks
        self._providers = providers
        self._sender = sender
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._known: dict[str, SignIn] = {}  # by sender: under way, or the last one
        self._states: dict[str, tuple[str, _Pending]] = {}  # by state: the sender
        self._polls: dict[str, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}

    def of(self, sender: str) -> SignIn | None:
        """The sign-in under way, or how the last one ended."""
        known = self._known.get(sender)
        if known is not None and not known.done and self._clock() >= known.expires_at:
            self._end(known, problem=Problem.EXPIRED)
        return self._known.get(sender)

    async def wait(self, sender: str, seconds: float) -> SignIn | None:
        """As `of`, as soon as it has ended, or after so many seconds."""
        known = self.of(sender)
        if known is not None and not known.done:
            left = (known.expires_at - self._clock()).total_seconds()
            try:
                async with asyncio.timeout(min(seconds, max(left, 0.0))):
                    await self._news.setdefault(sender, asyncio.Event()).wait()
            except TimeoutError:
                pass
        return self.of(sender)

    def in_browser(self, sender: str, *, by: str) -> SignIn:
        """Give the page where the customer signs in. Raises CannotSignIn."""
        provider, username, language = self._wanted(sender)
        redirect_uri = self._redirect_uri()
        if redirect_uri is None:
            raise CannotSignIn(Problem.NO_PAGE)
        self.cancel(sender)
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        pending = _Pending(
            provider=provider,
            redirect_uri=redirect_uri,
            verifier=Secret(secrets.token_urlsafe(64)),
            nonce=nonce,
            ends=self._monotonic() + BROWSER_LIFE,
        )
        url = self._asks().sign_in_page(
            provider,
            redirect_uri=redirect_uri,
            state=state,
            nonce=nonce,
            verifier=pending.verifier,
            account=username,
        )
        self._states[state] = (sender, pending)
        return self._begin(sender, provider, username, language, by, BROWSER_LIFE, url)

    async def on_device(self, sender: str, *, by: str) -> SignIn:
        """Give a code that the customer types in anywhere. Raises CannotSignIn."""
        provider, username, language = self._wanted(sender)
        if provider.device_url is None:
            raise CannotSignIn(Problem.NO_DEVICE)
        code = await self._asks().device(provider)
        if isinstance(code, Fault):
            raise CannotSignIn(Problem.PASSING, code.text)
        if isinstance(code, Trouble):
            raise CannotSignIn(_PROBLEMS.get(code.kind, Problem.OURS), code.text)
        self.cancel(sender)
        begun = self._begin(sender, provider, username, language, by, code.lives, code.url, code.user_code)
        self._polls[sender] = asyncio.create_task(self._ask(begun, provider, code))
        return begun

    def cancel(self, sender: str) -> None:
        """Nothing that was begun for this sender leads anywhere any more."""
        if (task := self._polls.pop(sender, None)) is not None:
            task.cancel()
        for state in [state for state, (whose, _) in self._states.items() if whose == sender]:
            del self._states[state]
        self._known.pop(sender, None)
        if (news := self._news.pop(sender, None)) is not None:
            news.set()

    async def close(self) -> None:
        for task in (tasks := list(self._polls.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # what comes of it

    async def come_back(self, parameters: Mapping[str, Sequence[str]]) -> SignIn | None:
        """Somebody came back with these parameters in the address (RFC 6749 section 4.1.2). None: it can't be
        said from which sign-in."""
        state = _only(parameters, "state")
        sender, pending = self._states.pop(state, ("", None)) if state else ("", None)
        known = self._known.get(sender)
        if pending is None or known is None:
            return None
        if self._monotonic() >= pending.ends:
            return self._end(known, problem=Problem.EXPIRED)
        if "iss" in parameters and not oauth.issued_by(_only(parameters, "iss"), pending.provider):
            return self._end(known, problem=Problem.MIXED_UP)  # RFC 9207 section 2.4
        if "error" in parameters:
            said = oauth.trouble(_only(parameters, "error"), _only(parameters, "error_description"))
            return self._end(known, problem=_PROBLEMS.get(said.kind, Problem.OURS), detail=said.text)
        code = _only(parameters, "code")
        if code is None:
            return self._end(known, problem=Problem.MIXED_UP)
        given = await self._asks().redeem(
            pending.provider, code=Secret(code), verifier=pending.verifier, redirect_uri=pending.redirect_uri
        )
        return await self._take(known, pending.provider, given, nonce=pending.nonce)

    async def _ask(self, begun: SignIn, provider: Provider, code: DeviceCode) -> None:
        """Ask whether the customer is done, as often as the provider likes."""
        interval, ends = code.interval, self._monotonic() + code.lives
        while self._monotonic() < ends:
            await self._pause(interval)
            given = await self._asks().poll(provider, code.code)
            if isinstance(given, Trouble) and given.kind is TroubleKind.PENDING:
                continue
            if isinstance(given, Trouble) and given.kind is TroubleKind.SLOW_DOWN:
                interval += oauth.INTERVAL  # RFC 8628 section 3.5
            elif isinstance(given, Fault):
                interval = min(interval * 2, oauth.INTERVAL_MAX)
            else:
                await self._take(begun, provider, given, nonce=None)
                return
        self._end(begun, problem=Problem.EXPIRED)

    async def _take(
        self, known: SignIn, provider: Provider, given: Grant | Trouble | Fault, *, nonce: str | None
    ) -> SignIn:
        """Look at what the provider gave, and keep it if it is what was asked for."""
        if isinstance(given, Fault):
            return self._end(known, problem=Problem.PASSING, detail=given.text)
        if isinstance(given, Trouble):
            log.warning("sign-in of sender %s: %s said %s", known.sender, provider.host, given.text)
            return self._end(known, problem=_PROBLEMS.get(given.kind, Problem.OURS), detail=given.text)
        problem = self._flaw(known, given, nonce)
        if problem is not None:
            return self._end(known, problem=problem, account=given.account)
        try:
            await self._accounts.sign_in(known.sender, provider, known.username, given, by=known.by)
        except (StoreError, NoMasterKey) as error:
            log.error("the sign-in of sender %s can't be kept: %s", known.sender, error)
            return self._end(known, problem=Problem.PASSING, detail=clean(str(error)))
        return self._end(known, problem=None, account=given.account)

    def _flaw(self, known: SignIn, given: Grant, nonce: str | None) -> Problem | None:
        sender = self._sender(known.sender)
        upstream = sender.upstream if sender is not None else None
        if upstream is None or (upstream.oauth, upstream.username) != (known.provider, known.username):
            return Problem.CHANGED
        if given.account is not None and nonce is not None and given.nonce != nonce:
            return Problem.MIXED_UP
        if given.account is not None and not same_account(given.account, known.username):
            return Problem.OTHER_ACCOUNT
        if not given.mail:
            return Problem.NO_MAIL
        return Problem.NOT_LASTING if given.refresh is None else None

    def _wanted(self, id: str) -> tuple[Provider, str, str]:
        sender = self._sender(id)
        if sender is None or sender.upstream is None or sender.upstream.oauth is None:
            raise CannotSignIn(Problem.NOT_WANTED)
        provider = self._providers().get(sender.upstream.oauth)
        if provider is None:
            raise CannotSignIn(Problem.OURS, f"oauth.{sender.upstream.oauth} is not in the config")
        return provider, sender.upstream.username or str(sender.contact), sender.language

    def _begin(
        self,
        sender: str,
        provider: Provider,
        username: str,
        language: str,
        by: str,
        life: float,
        url: str,
        user_code: str | None = None,
    ) -> SignIn:
        begun = self._known[sender] = SignIn(
            sender=sender,
            provider=provider.name,
            username=username,
            by=by,
            language=language,
            expires_at=self._clock() + timedelta(seconds=life),
            url=url,
            user_code=user_code,
        )
        return begun

    def _end(
        self, known: SignIn, *, problem: Problem | None, account: str | None = None, detail: str = ""
    ) -> SignIn:
        ended = replace(known, done=True, problem=problem, account=account, detail=detail)
        if self._known.get(known.sender) is known:  # and no later one
            self._known[known.sender] = ended
            if (news := self._news.pop(known.sender, None)) is not None:
                news.set()
        return ended


_PROBLEMS: Mapping[TroubleKind, Problem] = {
    TroubleKind.WITHDRAWN: Problem.MIXED_UP,  # the code belongs to another sign-in, or was used before
    TroubleKind.DENIED: Problem.DENIED,
    TroubleKind.EXPIRED: Problem.EXPIRED,
    TroubleKind.PASSING: Problem.PASSING,
    TroubleKind.OURS: Problem.OURS,
}


def _only(parameters: Mapping[str, Sequence[str]], name: str) -> str | None:
    """A parameter that came once, and is no novel (RFC 6749 section 3.1: none may come twice)."""
    values = parameters.get(name, ())
    return values[0] if len(values) == 1 and 0 < len(values[0]) <= PARAMETER_MAX else None
