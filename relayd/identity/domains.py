"""What is proven of which domain: looked up, remembered, watched.

A *subject* is one thing that can be proven of a domain, such as one of our keys at its selector. Each is
looked at and remembered by itself. A proof stands while any of its subjects does, so that a key can be
changed with no moment in which nothing is proven.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from relayd.core import dkim
from relayd.core.journal import Event, EventType
from relayd.core.keyproof import KeyProof, Look, after
from relayd.core.mail import Proof, Rung
from relayd.core.policy import RETURN_HOST, Claim
from relayd.core.reasons import Reason
from relayd.core.records.dkimkey import OurKey
from relayd.core.sender import Senders
from relayd.identity.returnpaths import Egress
from relayd.identity.rounds import Rounds
from relayd.identity.spf import Resolver
from relayd.identity.subjects import Authority, Subject, Subjects
from relayd.store.contract import Selection, Store, StoreError, Verb

log = logging.getLogger("relayd.identity.domains")

GRACE = 30.0
"""Seconds for which an answer is still used after its time is over. The watch looks again at that time and
a look takes at most 20 (`identity.spf.PATIENCE`), so mail doesn't wait for DNS while the watch runs."""

LOOKS_AT_ONCE = 10
"""Domains that the watch looks at at the same time: those whose servers are dead keep few others waiting,
and it is no burst for a resolver."""

BREATH = 0.02
"""Seconds of rest after each, while more are due: ten thousand domains take some minutes, in which mail goes
as quickly as ever. Mail that can't wait looks by itself."""

SOON = 1.0
"""Seconds until the next look at the earliest: what has no time to live isn't asked for all the time."""

KIND = "proof"
"""Kind of the facts that keep what was believed of a subject, by its record's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The newest look at a subject: what we believe, and what was seen, as a sentence."""

    fingerprint: str  # the subject's
    proof: KeyProof
    look: Look
    text: str
    settled: bool  # mail held for want of this proof was let go since it is there


class Domains:
    """Looks for our keys at `<selector>._domainkey.<domain>`, and at the return paths that SPF gives us. What
    is believed survives a restart."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        authority: Authority | None = None,
        store: Store,
        platform: str,
        return_path: str,
        include: str,
        egress: Egress,
        keys: Callable[[], Sequence[OurKey]],
        senders: Callable[[], Senders],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`platform` is the platform's domain, `return_path` the one that bounces come back to, `include` the
        one that customers name in SPF. `keys` gives our signing keys, the newest first, and `senders` those
        there are now. Without `authority` the resolver alone is asked. `egress` may be changed at any time:
        what SPF came to for other addresses counts no longer."""
        self._subjects = Subjects(
            resolver=resolver,
            authority=authority,
            return_path=return_path,
            include=include,
            egress=egress,
            keys=keys,
        )
        self._store = store
        self._platform = platform
        self._keys = keys
        self._senders = senders
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._looked: dict[str, Looked] = {}
        self._remembered: dict[str, tuple[str, bool, datetime]] = {}
        self._under_way: dict[tuple[str, str], asyncio.Task[Looked]] = {}
        self._loaded = False

    @property
    def egress(self) -> Egress:
        """Where mail leaves from; may be changed at any time."""
        return self._subjects.egress

    @egress.setter
    def egress(self, egress: Egress) -> None:
        self._subjects.egress = egress

    async def load(self) -> None:
        """Take up what was believed before. The first look does it by itself."""
        for record, value in (await self._store.recall(KIND)).items():
            since = datetime.fromisoformat(value["since"])
            fact = (value.get("key", ""), value.get("proven") == "yes", since)
            self._remembered.setdefault(record, fact)
        self._loaded = True

    def known(self, domain: str, claim: Claim = Proof.DKIM) -> bool | None:
        """Whether this is proven of the domain, from the last looks; None when those are too old."""
        fresh = [
            self._known(record, fingerprint) for record, fingerprint in self._subjects.places(domain, claim)
        ]
        return True if True in fresh else None if None in fresh else False

    def believed(self, domain: str, claim: Claim = Proof.DKIM) -> bool:
        """As `known`, without asking DNS: what was found last, however long ago. For reports."""
        for record, fingerprint in self._subjects.places(domain, claim):
            looked, remembered = self._looked.get(record), self._remembered.get(record)
            if looked is not None and looked.fingerprint == fingerprint:
                if looked.proof.proven:
                    return True
            elif remembered is not None and remembered[:2] == (fingerprint, True):
                return True
        return False

    async def proven(self, domain: str, claim: Claim = Proof.DKIM) -> bool:
        """As `known`, looking when need be. With DNS in trouble the last known answer counts."""
        known = self.known(domain, claim)
        if known is not None:
            return known
        subjects = [each for each in self._subjects.of(domain) if each.claim == claim]
        looked = await asyncio.gather(*map(self._share, subjects))
        return any(each.proof.proven for each in looked)

    def selector(self, domain: str) -> str:
        """Which of our keys to sign with for this domain: the newest that is published there. Where none is
        known to be, the one we have had longest."""
        keys = self._keys()
        return next((key for key in keys if self._shown(key, domain)), keys[-1]).selector

    def withdrawn(self, domain: str, header: bytes) -> bool:
        """Whether a header block is signed for this domain with a key of ours that is no longer there, while
        another one is: somebody took the old one away while the message waited."""
        keys = self._keys()
        if len(keys) < 2:
            return False  # asked before every first attempt
        signing = [key for key in keys if dkim.signed_by(header, domain, key.selector)]
        shown = [key for key in keys if self._shown(key, domain)]
        return bool(signing and shown) and not any(key in shown for key in signing)

    def _shown(self, key: OurKey, domain: str) -> bool:
        """Whether just this key is believed to be there; another one was there under the same selector."""
        looked = self._looked.get(key.name(domain))
        return looked is not None and looked.fingerprint == key.fingerprint and looked.proof.proven

    @property
    def missing_key(self) -> str | None:
        """Where receivers don't find the platform's own key, as far as we know; None where they do."""
        return self._keys()[-1].name(self._platform) if self.known(self._platform) is False else None

    def wanted(self) -> list[str]:
        """The domains whose proofs are watched: the platform's, and of every sender that wants more than the
        default address."""
        own = [s.contact.domain for s in self._senders() if s.send_as is not Rung.DEFAULT and s.confirmed]
        return list(dict.fromkeys((self._platform, *own)))

    async def look(self, domain: str) -> Sequence[Looked]:
        """Look at all subjects of a domain now, first those of `keys`, in their order."""
        return await asyncio.gather(*map(self._anew, self._subjects.of(domain)))

    async def _anew(self, subject: Subject) -> Looked:
        """A look that begins now: one under way may have asked before something was published."""
        under_way = self._under_way.get((subject.record, subject.fingerprint))
        if under_way is not None:
            await asyncio.wait((under_way,))
        return await self._share(subject)

    async def _share(self, subject: Subject) -> Looked:
        """Whoever asks for the same meanwhile shares the look."""
        key = (subject.record, subject.fingerprint)
        while True:
            task = self._under_way.get(key)
            if task is None:
                task = asyncio.create_task(self._look(subject))
                self._under_way[key] = task
                task.add_done_callback(functools.partial(self._looked_at, key))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                asking = asyncio.current_task()
                if not task.cancelled() or (asking and asking.cancelling()):
                    raise
                # `close` ended the look. Who asked has a message at hand, which a reload must not cost.

    async def watch(self) -> None:
        """Look again whenever the time comes, so that proofs come and go while no mail does. Runs until
        cancelled."""
        rounds, survey_at, ours = Rounds(), -math.inf, self._subjects.fingerprints
        under_way: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                now = self._monotonic()
                if now >= survey_at:
                    if ours != (ours := self._subjects.fingerprints):
                        rounds = Rounds()  # something else is looked for now, everywhere
                    rounds.keep(self.wanted())
                    survey_at = now + GRACE
                for domain in rounds.take(now + BREATH, min(1, LOOKS_AT_ONCE - len(under_way))):
                    task = group.create_task(self._visit(domain, rounds))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                left = min(rounds.next(), survey_at) - now
                if left <= BREATH and len(under_way) < LOOKS_AT_ONCE:
                    await asyncio.sleep(BREATH)
                elif under_way:
                    await asyncio.wait(under_way, timeout=max(left, BREATH), return_when=FIRST_COMPLETED)
                else:
                    await self._pause(left)

    async def close(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _looked_at(self, key: tuple[str, str], task: asyncio.Task[Looked]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]

    async def _visit(self, domain: str, rounds: Rounds) -> None:
        """Look at what is due of a domain, and say when to come again."""
        watched, soon = self._watched(domain), self._monotonic() + BREATH
        await asyncio.gather(*(self._in_turn(each) for each in watched if self._look_at(each) <= soon))
        rounds.put(domain, max(min(map(self._look_at, watched)), self._monotonic() + SOON))

    async def _in_turn(self, subject: Subject) -> None:
        try:
            await self._share(subject)
        except Exception:  # one domain must not blind us for the others
            log.exception("looking at %s: a fault of ours", subject.record)

    def _watched(self, domain: str) -> list[Subject]:
        """Return paths matter only to those who send with the own address and without an upstream."""
        own = any(s.send_as is Rung.OWN and s.confirmed for s in self._senders().of_domain(domain))
        return self._subjects.of(domain) if own else self._subjects.keys(domain)

    def _known(self, record: str, fingerprint: str) -> bool | None:
        looked = self._looked.get(record)
        if looked is None or looked.fingerprint != fingerprint:
            return None
        return looked.proof.proven if self._monotonic() < looked.proof.fresh_until + GRACE else None

    def _look_at(self, subject: Subject) -> float:
        looked = self._last(subject)
        return -math.inf if looked is None else looked.proof.look_at

    def _last(self, subject: Subject) -> Looked | None:
        """The last look at just this; one at something else counts nothing."""
        looked = self._looked.get(subject.record)
        return looked if looked is not None and looked.fingerprint == subject.fingerprint else None

    async def _load_once(self) -> None:
        try:
            if not self._loaded:
                await self.load()
        except StoreError as error:
            log.error("what was proven before can't be read: %s", error)

    async def _look(self, subject: Subject) -> Looked:
        await self._load_once()
        seen = await subject.look()
        last = self._last(subject)
        believed = last.proof if last is not None else self._believed_before(subject)
        proof = after(believed, seen.look, seen.ttl, self._monotonic())
        if proof.doubted_at is not None:
            log.warning(
                "what is published at %s is no longer seen: %s Looking again.", subject.record, seen.text
            )
        changed = seen.look is not Look.UNCLEAR and self._fact(subject) is not proof.proven
        settled = seen.look is Look.YES and not changed and last is not None and last.settled
        try:
            if changed:
                await self._remember(subject, proof.proven, seen.text)
            if seen.look is Look.YES and not settled:
                await self._release(subject)
                settled = not changed  # once more: mail may be put that was planned before the proof came
        except StoreError as error:  # what DNS says is true all the same; the next look writes it down
            log.error("what is published at %s can't be written down: %s", subject.record, error)
        looked = Looked(
            fingerprint=subject.fingerprint, proof=proof, look=seen.look, text=seen.text, settled=settled
        )
        self._looked[subject.record] = looked
        return looked

    def _fact(self, subject: Subject) -> bool | None:
        fingerprint, proven, _ = self._remembered.get(subject.record, ("", False, None))
        return proven if fingerprint == subject.fingerprint else None

    def _believed_before(self, subject: Subject) -> KeyProof | None:
        proven = self._fact(subject)
        if proven is None:
            return None
        now = self._monotonic()
        age = (self._clock() - self._remembered[subject.record][2]).total_seconds()
        return KeyProof(
            proven=proven, doubted_at=None, since=now - max(age, 0.0), fresh_until=now, look_at=now
        )

    async def _remember(self, subject: Subject, proven: bool, text: str) -> None:
        now = self._clock()
        value = {
            "proven": "yes" if proven else "no",
            "key": subject.fingerprint,
            "since": now.isoformat(),
        }
        told = self._tells(subject, proven)
        events = self._events(subject, proven, text, now) if told else []
        await self._store.remember(KIND, subject.record, value, events)
        self._remembered[subject.record] = (subject.fingerprint, proven, now)
        if proven:
            log.info("what names us is published at %s: %s", subject.record, text)
        else:
            level = logging.WARNING if told else logging.INFO
            log.log(
                level,
                "what names us is not published at %s: %s Publish %s",
                subject.record,
                text,
                subject.publish,
            )

    def _tells(self, subject: Subject, proven: bool) -> bool:
        """Whether this changes what is proven, or is the first that is known of it. A return path that isn't
        there is news only when it was: nobody has to have both it and the key."""
        if subject.claim == RETURN_HOST:
            return False
        if subject.claim is Proof.SPF:
            return proven is not self._remembered.get(subject.record, ("", False, None))[1]
        group = [(each, self._fact(each)) for each in self._subjects.keys(subject.domain)]
        before = [fact for _, fact in group if fact is not None]
        after = [proven if each.record == subject.record else fact for each, fact in group]
        return not before or any(before) is not any(after)

    def _events(self, subject: Subject, proven: bool, text: str, now: datetime) -> list[Event]:
        key = subject.claim is Proof.DKIM
        owners: list[str | None] = [None] if key and subject.domain == self._platform else []
        owners += [
            s.id
            for s in self._senders().of_domain(subject.domain)
            if s.send_as is Rung.OWN or (key and s.send_as is Rung.UPSTREAM)
        ]
        detail = {"domain": subject.domain, "record": subject.record, "text": text}
        other = Proof.SPF if key else Proof.DKIM
        if not proven and self.known(subject.domain, other):
            detail["still"] = other.value
        return [
            Event(
                time=now,
                type=EventType.PROVEN if proven else EventType.UNPROVEN,
                sender=owner,
                proof=Proof.PLATFORM if owner is None else Proof.DKIM if key else Proof.SPF,
                reason=None if proven else Reason.SIGNING_FAILED if owner is None else Reason.SENDER_UNPROVEN,
                detail=detail,
            )
            for owner in owners
        ]

    async def _release(self, subject: Subject) -> None:
        """Let go what waited for this proof; it is planned anew before it leaves."""
        domain, key = subject.domain, subject.claim is Proof.DKIM
        if subject.claim == RETURN_HOST and not self.known(domain):
            return  # it proves nothing by itself
        waiting = [Selection(held=Reason.SIGNING_FAILED)] if key and domain == self._platform else []
        held = await self._store.held()
        waiting += [
            Selection(held=Reason.SENDER_UNPROVEN, sender=s.id)
            for s in self._senders().of_domain(domain)
            if s.send_as is not Rung.DEFAULT and (s.id, Reason.SENDER_UNPROVEN) in held
        ]
        for selection in waiting:
            await self._store.act(Verb.RELEASE, selection, self._clock())
