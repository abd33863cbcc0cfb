"""In which domains our key is published: looked up, remembered, watched."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from relayd.core.journal import Event, EventType
from relayd.core.keyproof import KeyProof, Look, after
from relayd.core.mail import Proof, Rung
from relayd.core.reasons import Reason
from relayd.core.records import dkimkey
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.sender import Sender
from relayd.store.contract import Selection, Store, StoreError, Verb
from relayd.vault import public_record

log = logging.getLogger("relayd.identity.domains")

GRACE = 30.0
"""Seconds for which an answer is still used after its time is over. The watch looks again at that time and
a look takes at most 8, so mail doesn't wait for DNS while the watch runs."""

LOOKS_AT_ONCE = 10
"""Look-ups of the watch under way at once: enough for thousands of domains, and no burst for a resolver."""

_KIND = "proof"


class Resolver(Protocol):
    async def txt(self, name: str, *, fresh: bool = False) -> Found[str] | Missing | Trouble: ...
    async def mx(self, domain: str) -> Found[Mx] | Missing | Trouble: ...
    async def addresses(self, host: str) -> Found[str] | Missing | Trouble: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """The newest look at a domain: what we believe, and what was seen, as a sentence."""

    proof: KeyProof
    look: Look
    text: str
    settled: bool  # mail held for want of this proof was let go since it is there


class Domains:
    """Looks our key up at `<selector>._domainkey.<domain>`. What is believed survives a restart."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        store: Store,
        platform: str,
        selector: str,
        public_key: bytes,
        senders: Callable[[], Iterable[Sender]],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`platform` is the platform's domain; `senders` gives those there are now."""
        self._resolver = resolver
        self._store = store
        self._platform = platform
        self._selector = selector
        self._public_key = public_key
        self._senders = senders
        self._clock = clock
        self._monotonic = monotonic
        self._pause = pause
        self._looked: dict[str, Looked] = {}
        self._remembered: dict[str, bool] = {}
        self._under_way: dict[str, asyncio.Task[Looked]] = {}
        self._loaded = False

    async def load(self) -> None:
        """Take up what was believed before; a proof of another key counts nothing. The first look does it
        by itself."""
        for name, value in (await self._store.recall(_KIND)).items():
            if value.get("key") == self._fingerprint():
                self._remembered.setdefault(name, value.get("proven") == "yes")
        self._loaded = True

    def known(self, domain: str) -> bool | None:
        """Whether our key is published in this domain, from the last look; None when that is too old."""
        looked = self._looked.get(domain)
        if looked is None or self._monotonic() >= looked.proof.look_at + GRACE:
            return None
        return looked.proof.proven

    @property
    def missing_key(self) -> str | None:
        """Where receivers don't find the platform's own key, as far as we know; None where they do."""
        return self._name(self._platform) if self.known(self._platform) is False else None

    async def proven(self, domain: str) -> bool:
        """As `known`, looking when need be. With DNS in trouble the last known answer counts."""
        known = self.known(domain)
        return known if known is not None else (await self.look(domain)).proof.proven

    async def look(self, domain: str) -> Looked:
        """Look now. Whoever asks for the same domain meanwhile shares the look."""
        while True:
            task = self._under_way.get(domain)
            if task is None:
                task = asyncio.create_task(self._look(domain))
                self._under_way[domain] = task
                task.add_done_callback(functools.partial(self._looked_at, domain))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                asking = asyncio.current_task()
                if not task.cancelled() or (asking and asking.cancelling()):
                    raise
                # `close` ended the look. Who asked has a message at hand, which a reload must not cost.

    async def watch(self) -> None:
        """Look again whenever the time comes, for the platform and every sender that wants more than the
        default address, so that proofs come and go while no mail does. Runs until cancelled."""
        turns = asyncio.Semaphore(LOOKS_AT_ONCE)
        while True:
            now = self._monotonic()
            times = {domain: self._look_at(domain) for domain in self._wanted()}
            due = [domain for domain, at in times.items() if at <= now]
            await asyncio.gather(*(self._in_turn(domain, turns) for domain in due))
            waits = [self._look_at(domain) - self._monotonic() for domain in self._wanted()]
            await self._pause(min(max(min(waits), 1.0), GRACE))

    async def close(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _looked_at(self, domain: str, task: asyncio.Task[Looked]) -> None:
        if self._under_way.get(domain) is task:
            del self._under_way[domain]

    async def _in_turn(self, domain: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            try:
                await self.look(domain)
            except Exception:  # one domain must not blind us for the others
                log.exception("looking at %s: a fault of ours", self._name(domain))

    def _wanted(self) -> list[str]:
        own = [s.contact.domain for s in self._senders() if s.send_as is not Rung.DEFAULT and s.confirmed]
        return list(dict.fromkeys((self._platform, *own)))

    def _look_at(self, domain: str) -> float:
        looked = self._looked.get(domain)
        return -math.inf if looked is None else looked.proof.look_at

    def _name(self, domain: str) -> str:
        return f"{self._selector}._domainkey.{domain}"

    async def _load_once(self) -> None:
        try:
            if not self._loaded:
                await self.load()
        except StoreError as error:
            log.error("what was proven before can't be read: %s", error)

    async def _look(self, domain: str) -> Looked:
        await self._load_once()
        # fresh: the answers are cached here, and the second clear no must be a new one
        answer = await self._resolver.txt(self._name(domain), fresh=True)
        look, ttl, text = self._judged(answer)
        last = self._looked.get(domain)
        believed = last.proof if last is not None else self._believed_before(domain)
        proof = after(believed, look, ttl, self._monotonic())
        if proof.doubted_at is not None:
            log.warning("our key is no longer seen at %s: %s Looking again.", self._name(domain), text)
        changed = look is not Look.UNCLEAR and self._remembered.get(self._name(domain)) is not proof.proven
        settled = look is Look.YES and not changed and last is not None and last.settled
        try:
            if changed:
                await self._remember(domain, proof.proven, text)
            if look is Look.YES and not settled:
                await self._release(domain)
                settled = not changed  # once more: mail may be put that was planned before the proof came
        except StoreError as error:  # what DNS says is true all the same; the next look writes it down
            log.error("what is published at %s can't be written down: %s", self._name(domain), error)
        looked = Looked(proof=proof, look=look, text=text, settled=settled)
        self._looked[domain] = looked
        return looked

    def _believed_before(self, domain: str) -> KeyProof | None:
        remembered = self._remembered.get(self._name(domain))
        return None if remembered is None else KeyProof(proven=remembered, doubted_at=None, look_at=0.0)

    def _judged(self, answer: Found[str] | Missing | Trouble) -> tuple[Look, int, str]:
        match answer:
            case Found():
                verdict = dkimkey.judge(answer.records, self._public_key)
                return (Look.YES if verdict.good else Look.NO), answer.ttl, verdict.text
            case Missing():
                return Look.NO, answer.ttl, "There is no TXT record at this name."
            case Trouble():
                return Look.UNCLEAR, 0, f"DNS gives no usable answer: {answer.text}"

    async def _remember(self, domain: str, proven: bool, text: str) -> None:
        name, now = self._name(domain), self._clock()
        value = {"proven": "yes" if proven else "no", "key": self._fingerprint(), "since": now.isoformat()}
        owners: list[str | None] = [None] if domain == self._platform else []
        owners += [
            s.id for s in self._senders() if s.contact.domain == domain and s.send_as is not Rung.DEFAULT
        ]
        events = [
            Event(
                time=now,
                type=EventType.PROVEN if proven else EventType.UNPROVEN,
                sender=owner,
                proof=Proof.PLATFORM if owner is None else Proof.DKIM,
                reason=None if proven else Reason.SIGNING_FAILED if owner is None else Reason.SENDER_UNPROVEN,
                detail={"domain": domain, "record": name, "text": text},
            )
            for owner in owners
        ]
        await self._store.remember(_KIND, name, value, events)
        self._remembered[name] = proven
        if proven:
            log.info("our key is published at %s", name)
        else:
            record = public_record(self._public_key, self._selector, domain)
            log.warning("our key is not published at %s: %s Publish as TXT: %s", name, text, record.text)

    async def _release(self, domain: str) -> None:
        """Let go what waited for this proof; it is planned anew before it leaves."""
        waiting = [Selection(held=Reason.SIGNING_FAILED)] if domain == self._platform else []
        waiting += [
            Selection(held=Reason.SENDER_UNPROVEN, sender=s.id)
            for s in self._senders()
            if s.contact.domain == domain and s.send_as is not Rung.DEFAULT
        ]
        for selection in waiting:
            await self._store.act(Verb.RELEASE, selection, self._clock())

    def _fingerprint(self) -> str:
        return sha256(self._public_key).hexdigest()


async def return_path_problem(resolver: Resolver, domain: str) -> str | None:
    """What is wrong with the domain of the return path, as a sentence; None when bounces find the way back
    and receivers find an SPF record. DNS trouble is no finding."""
    mx, addresses, texts = await asyncio.gather(
        resolver.mx(domain), resolver.addresses(domain), resolver.txt(domain)
    )
    problems = []
    if isinstance(mx, Missing) and isinstance(addresses, Missing):
        problems.append("no MX and no address record, so receivers refuse mail from it and bounces are lost")
    if _is_null_mx(mx):
        problems.append("a null MX (RFC 7505), so receivers refuse mail from it")
    spf = [text for text in _records(texts) if text.lower().split(" ")[0] == "v=spf1"]
    if not spf and not isinstance(texts, Trouble):
        problems.append("no SPF record; publish one that lists the addresses this host sends from")
    if len(spf) > 1:
        problems.append(f"{len(spf)} SPF records, which counts as an error; leave one")
    return f"the return path {domain} has {'; and it has '.join(problems)}" if problems else None


def _is_null_mx(answer: Found[Mx] | Missing | Trouble) -> bool:
    return isinstance(answer, Found) and all(not mx.host for mx in answer.records)


def _records(answer: Found[str] | Missing | Trouble) -> tuple[str, ...]:
    return answer.records if isinstance(answer, Found) else ()
