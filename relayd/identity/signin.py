"""Signing in at a provider: in a browser (RFC 6749 with PKCE), or with a code on another device (RFC 8628).

What is begun here lives in memory, a quarter of an hour at most, once for each sender: a restart costs one
more click. Who comes back to a browser is known by a state that can't be guessed and works once, and has to
agree to what the provider's page could not name: the customer for whom the account is connected. So a link
that was sent to somebody else gives nothing, and an account that isn't the one the settings name is refused.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from relayd.core import oauth
from relayd.core.oauth import DeviceCode, Grant, Problem, Provider, Trouble, TroubleKind, same_account
from relayd.core.reply import Fault, clean
from relayd.core.sender import Secret, Sender
from relayd.identity.begun import CannotSignIn, SignIn, Visit
from relayd.identity.oauth import OAuth
from relayd.masterkey import NoMasterKey
from relayd.store.contract import StoreError

log = logging.getLogger("relayd.oauth")

BROWSER_LIFE = 900.0
"""Seconds from the link to coming back; providers give people 10 to 15 minutes for their pages."""

VISITS = 200
"""Comings back whose page can be read again; the oldest is forgotten first."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """What has to be known when somebody comes back."""

    provider: Provider
    redirect_uri: str
    verifier: Secret
    nonce: str
    ends: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Who is to sign in, and where."""

    provider: Provider
    username: str
    sender: Sender


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
        self._codes: dict[str, tuple[SignIn, _Pending, Secret]] = {}  # by ticket: who came back, with what
        self._visits: OrderedDict[str, SignIn] = OrderedDict()  # by ticket: what became of it
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
        wanted = self._wanted(sender)
        provider, username = wanted.provider, wanted.username
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
        return self._begin(wanted, by, BROWSER_LIFE, url)

    async def on_device(self, sender: str, *, by: str) -> SignIn:
        """Give a code that the customer types in anywhere. Raises CannotSignIn."""
        wanted = self._wanted(sender)
        provider = wanted.provider
        if provider.device_url is None:
            raise CannotSignIn(Problem.NO_DEVICE)
        code = await self._asks().device(provider)
        if isinstance(code, Fault):
            raise CannotSignIn(Problem.PASSING, code.text)
        if isinstance(code, Trouble):
            raise CannotSignIn(_PROBLEMS.get(code.kind, Problem.OURS), code.text)
        self.cancel(sender)
        begun = self._begin(wanted, by, code.lives, code.url, code.user_code)
        self._polls[sender] = asyncio.create_task(self._ask(begun, provider, code))
        return begun

    def cancel(self, sender: str) -> None:
        """Nothing that was begun for this sender leads anywhere any more."""
        if (task := self._polls.pop(sender, None)) is not None:
            task.cancel()
        for state in [state for state, (whose, _) in self._states.items() if whose == sender]:
            del self._states[state]
        for ticket in [ticket for ticket, (begun, *_) in self._codes.items() if begun.sender == sender]:
            del self._codes[ticket]
        self._known.pop(sender, None)
        if (news := self._news.pop(sender, None)) is not None:
            news.set()

    async def close(self) -> None:
        for task in (tasks := list(self._polls.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # what comes of it

    def come_back(self, parameters: Mapping[str, Sequence[str]]) -> Visit | None:
        """Somebody came back with these parameters in the address (RFC 6749 section 4.1.2). None: it can't be
        said from which sign-in."""
        sign_in, code = self._arrived(parameters)
        if sign_in is None:
            return None
        ticket = secrets.token_urlsafe(16)
        if code is not None:
            self._codes[ticket] = (sign_in, *code)
        self._visits[ticket] = sign_in
        while len(self._visits) > VISITS:
            old, _ = self._visits.popitem(last=False)
            self._codes.pop(old, None)
        return Visit(ticket=ticket, sign_in=sign_in)

    def visit(self, ticket: str) -> Visit | None:
        """Who came back, and what became of it."""
        sign_in = self._visits.get(ticket)
        if sign_in is not None and not sign_in.done and ticket not in self._codes:
            return None  # another sign-in was begun since
        return None if sign_in is None else Visit(ticket=ticket, sign_in=sign_in)

    async def agree(self, ticket: str) -> Visit | None:
        """Whoever came back agrees. Only now the provider's code is used, once."""
        begun, pending, code = self._codes.pop(ticket, (None, None, None))
        if begun is None or pending is None or code is None:
            return self.visit(ticket)
        if self._monotonic() >= pending.ends:
            ended = self._end(begun, problem=Problem.EXPIRED)
        else:
            given = await self._asks().redeem(
                pending.provider, code=code, verifier=pending.verifier, redirect_uri=pending.redirect_uri
            )
            ended = await self._take(begun, pending.provider, given, nonce=pending.nonce)
        self._visits[ticket] = ended
        return Visit(ticket=ticket, sign_in=ended)

    def _arrived(
        self, parameters: Mapping[str, Sequence[str]]
    ) -> tuple[SignIn | None, tuple[_Pending, Secret] | None]:
        """From which sign-in somebody comes, and with which code; without one it has ended."""
        state = _only(parameters, "state")
        sender, pending = self._states.pop(state, ("", None)) if state else ("", None)
        known = self._known.get(sender)
        if pending is None or known is None:
            return None, None
        if self._monotonic() >= pending.ends:
            return self._end(known, problem=Problem.EXPIRED), None
        if "iss" in parameters and not oauth.issued_by(_only(parameters, "iss"), pending.provider):
            return self._end(known, problem=Problem.MIXED_UP), None  # RFC 9207 section 2.4
        if "error" in parameters:
            said = oauth.trouble(_only(parameters, "error"), _only(parameters, "error_description"))
            return self._end(known, problem=_PROBLEMS.get(said.kind, Problem.OURS), detail=said.text), None
        code = _only(parameters, "code")
        if code is None:
            return self._end(known, problem=Problem.MIXED_UP), None
        return known, (pending, Secret(code))

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

    def _wanted(self, id: str) -> _Wanted:
        sender = self._sender(id)
        if sender is None or sender.upstream is None or sender.upstream.oauth is None:
            raise CannotSignIn(Problem.NOT_WANTED)
        provider = self._providers().get(sender.upstream.oauth)
        if provider is None:
            raise CannotSignIn(Problem.OURS, f"oauth.{sender.upstream.oauth} is not in the config")
        username = sender.upstream.username or str(sender.contact)
        return _Wanted(provider=provider, username=username, sender=sender)

    def _begin(self, wanted: _Wanted, by: str, life: float, url: str, user_code: str | None = None) -> SignIn:
        sender = wanted.sender
        begun = self._known[sender.id] = SignIn(
            sender=sender.id,
            customer=sender.name,
            provider=wanted.provider.name,
            username=wanted.username,
            by=by,
            language=sender.language,
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
