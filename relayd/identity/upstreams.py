"""The customers' own servers, kept going: probed when somebody asks, and by themselves when their settings
change. Mail that waits for a refused login goes on when a probe of the new settings passes, not before.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from relayd.core import probe
from relayd.core.address import Address, parse
from relayd.core.delivery import State
from relayd.core.findings import Finding
from relayd.core.hops import Hops
from relayd.core.mail import Hop, Route
from relayd.core.probe import Known, Question
from relayd.core.reasons import Reason
from relayd.core.reply import Reply, Stage
from relayd.core.retry import LOGIN_REFUSED
from relayd.core.sender import Secret, Sender, Upstream
from relayd.identity.credentials import Credentials, failed
from relayd.identity.probe import Outcome, Prober, Tell, Turn
from relayd.store.contract import Selection, Store, StoreError, Verb

log = logging.getLogger("relayd.identity.upstreams")

AT_ONCE = 8
"""Probes under way: an import of thousands of senders must not knock at thousands of doors together."""

RETRY_AFTER = (60.0, 300.0, 900.0, 3600.0)
"""Seconds until a probe that could tell nothing (a server that is down, DNS that doesn't answer) is made
again by itself, while mail waits for it; the last repeats."""

TRIES, WINDOW = 10, 3600.0
"""Refused logins of one sender within so many seconds; then no more are made for a while. Who corrects a
password needs three or four, who guesses one needs thousands."""

SEEN = "shown_from"
"""Kind of the facts that say which From a person saw in a test mail, by sender id."""

RELEASED = LOGIN_REFUSED | probe.REFUSALS | {Reason.SENDER_UNPROVEN}


class NoSender(Exception):
    """There is no such sender."""


class NoUpstream(Exception):
    """The sender has no server of its own."""


class TooManyTries(Exception):
    """Too many logins of this sender were refused lately: somebody may be guessing a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a probe came to. `released`: recipients whose mail goes on; `confirmed`: it showed who owns the
    address."""

    passed: bool
    finding: Finding | None = None
    refusal: Reason | None = None
    released: int = 0
    confirmed: bool = False


class Upstreams:
    """`logins` gives the apps' own logins here, name and password; `turn` the place where couriers and probes
    take turns logging in, `forget` makes it forget a refusal; `confirm` notes who owns an address."""

    def __init__(
        self,
        *,
        store: Store,
        credentials: Credentials,
        hops: Callable[[], Hops],
        prober: Callable[[], Prober],
        sender: Callable[[str], Sender | None],
        logins: Callable[[], Sequence[tuple[str, Secret]]],
        turn: Callable[[Hop], Turn | None],
        forget: Callable[[Hop], None],
        confirm: Callable[[str, Address], Awaitable[object]],
        fingerprint: Callable[[str], str],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._hops = hops
        self._prober = prober
        self._sender = sender
        self._logins = logins
        self._turn = turn
        self._forget = forget
        self._confirm = confirm
        self._fingerprint = fingerprint
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._changes: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._generation: defaultdict[str, int] = defaultdict(int)
        self._tries: defaultdict[str, deque[float]] = defaultdict(deque)  # refused logins, by sender id

    async def probe(
        self,
        id: str,
        tell: Tell,
        *,
        typed: Upstream | None = None,
        send: bool = False,
        again: bool = False,
        news: bool = False,
    ) -> Result:
        """Probe a sender's server, or settings that somebody `typed` for it and has not saved. `send`: with a
        test mail; `again`: though this login was refused before; `news`: that it works is worth an event.

        What it shows about the sender's own settings takes effect: a refusal is remembered as mail would have
        it, a login that works lets waiting mail go. Raises NoSender, NoUpstream, TooManyTries, StoreError.
        """
        if self._sender(id) is None:
            raise NoSender(id)  # before a lock is made for any name that somebody asks with
        async with self._under_way[id], self._room:
            sender = self._sender(id)
            if sender is None:
                raise NoSender(id)
            upstream = typed or sender.upstream
            if upstream is None:
                raise NoUpstream(id)
            self._count(id)
            hop, own = Hop(Route.UPSTREAM, id), upstream == sender.upstream
            if again and own:
                self._forget(hop)
            outcome = await self._prober().probe(
                Question(
                    sender=id,
                    contact=sender.contact,
                    upstream=upstream,
                    language=sender.language,
                    send=send,
                    again=again,
                ),
                await self._known(sender, upstream),
                tell,
                self._turn(hop) if own else None,
            )
            if _tried_in_vain(outcome):
                self._tries[id].append(self._monotonic())
            now = self._sender(id)
            if own and now is not None and (now.upstream, now.contact) == (upstream, sender.contact):
                return await self._learn(now, hop, outcome, news)
            if outcome.passed or outcome.refusal is not None:
                self._credentials.learn_candidate(upstream, outcome.refusal)
            return Result(passed=outcome.passed, finding=outcome.finding, refusal=outcome.refusal)

    def _count(self, id: str) -> None:
        tries, since = self._tries[id], self._monotonic() - WINDOW
        while tries and tries[0] < since:
            tries.popleft()
        if len(tries) >= TRIES:
            raise TooManyTries(id)
        if not tries:
            del self._tries[id]

    def changed(self, id: str) -> None:
        """A sender's server, its login or its address is another one: it is probed soon, by itself."""
        self._generation[id] += 1
        self._changes.put_nowait((id, self._generation[id]))

    async def saw(self, id: str, shown: str) -> bool:
        """A person says which From a test mail arrived with. Returns whether it is the right one; else it is
        kept in mind. Raises NoSender, NoUpstream, AddressError, StoreError."""
        sender = self._sender(id)
        if sender is None:
            raise NoSender(id)
        if sender.upstream is None:
            raise NoUpstream(id)
        address = parse(shown.strip(), smtputf8=True)
        if (address.local.casefold(), address.domain) == (
            sender.contact.local.casefold(),
            sender.contact.domain,
        ):
            await self._store.forget(SEEN, id)
            return True
        fact = {"from": str(address), "of": self._of(sender, sender.upstream)}
        await self._store.remember(SEEN, id, fact)
        return False

    async def run(self) -> None:
        """Probe what changed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                id, generation = await self._changes.get()
                group.create_task(self._follow(id, generation))

    # --- by itself ---

    async def _follow(self, id: str, generation: int) -> None:
        """Probe until something is known, while mail waits for it; a later change begins anew."""
        hop, tries = Hop(Route.UPSTREAM, id), 0
        while self._generation[id] == generation:
            sender = self._sender(id)
            if sender is None or sender.upstream is None or sender.test:
                return
            try:
                result = await self.probe(id, _unheard, news=True)
                if result.passed or result.refusal is not None:
                    return
                if not tries:
                    await self._tell_failure(hop, result)
                if _locked(result.finding):
                    tries = len(RETRY_AFTER)
            except (NoSender, NoUpstream):
                return
            except TooManyTries:
                log.warning("the server of %s is not probed for a while: too many refused logins", id)
            except StoreError as error:
                log.error("what the probe of %s's server showed can't be kept: %s", id, error)
            if not self._credentials.changed(hop):
                return  # nothing waits for it; mail that comes finds out by itself
            await self._pause(RETRY_AFTER[min(tries, len(RETRY_AFTER) - 1)])
            tries += 1

    async def _tell_failure(self, hop: Hop, result: Result) -> None:
        reason = result.finding.reason if result.finding is not None else None
        if reason is not None:
            await self._store.note([failed(hop, reason, self._clock())])

    # --- what a probe shows ---

    async def _learn(self, sender: Sender, hop: Hop, outcome: Outcome, news: bool) -> Result:
        if outcome.passed:
            released = await self._works(hop, news)
            confirmed = outcome.proves and not sender.confirmed
            if confirmed:
                await self._confirm(sender.id, sender.contact)
            return Result(passed=True, released=released, confirmed=confirmed)
        reason = outcome.refusal
        if reason is not None:
            self._hops().close(hop.key, reason)
            await self._credentials.learn(
                hop,
                reason,
                self._clock(),
                evidence=outcome.evidence,
                host=outcome.host or None,
                ip=outcome.ip,
            )
            waiting = Selection(hop=hop.key, state=State.QUEUED)
            await self._store.act(Verb.HOLD, waiting, self._clock(), reason)
        elif _locked(outcome.finding):
            self._hops().lock(hop.key, self._monotonic())
        return Result(passed=False, finding=outcome.finding, refusal=reason)

    async def _works(self, hop: Hop, news: bool) -> int:
        """Let go what waits. The refusal is struck off last: after a crash in between the probe is made
        again."""
        self._forget(hop)
        released = 0
        if self._credentials.trust(hop):
            self._hops().open(hop.key)
            for reason in sorted(RELEASED):
                one = Selection(hop=hop.key, held=reason)
                released += await self._store.act(Verb.RELEASE, one, self._clock())
        await self._credentials.good(hop, self._clock(), tell=news)
        return released

    # --- what is known beside the dialogue ---

    async def _known(self, sender: Sender, upstream: Upstream) -> Known:
        seen = (await self._store.recall(SEEN)).get(sender.id)
        fits = seen is not None and seen["of"] == self._of(sender, upstream)
        password = upstream.password
        return Known(
            refused=self._credentials.why_not(Hop(Route.UPSTREAM, sender.id), upstream),
            arrived_from=seen["from"] if seen is not None and fits else None,
            platform_username=any(name == upstream.username for name, _ in self._logins()),
            platform_password=password is not None
            and any(self._same(password, ours) for _, ours in self._logins()),
        )

    def _same(self, one: Secret, other: Secret) -> bool:
        return hmac.compare_digest(self._fingerprint(one.value), self._fingerprint(other.value))

    def _of(self, sender: Sender, upstream: Upstream) -> str:
        """What a person's word about From was for: another account or address is another matter."""
        return f"{upstream.host} {upstream.username or ''} {sender.contact}"


def _locked(finding: Finding | None) -> bool:
    """The account is locked for a while: each further try makes it longer."""
    return finding is not None and finding.reason is Reason.AUTH_TOO_MANY_ATTEMPTS


def _tried_in_vain(outcome: Outcome) -> bool:
    evidence = outcome.evidence
    return isinstance(evidence, Reply) and evidence.stage is Stage.AUTH


def _unheard(step: probe.Step) -> None:
    pass
