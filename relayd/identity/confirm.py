"""Confirming contact addresses: one letter with a link and a code, and what comes of it.

What is asked is kept before the letter is, so a link that somebody has in hand is always known; a question
whose letter was never kept is dropped at the next start, and asked again. Nothing of a token or code is kept
but keyed hashes.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from relayd.core import address as addresses
from relayd.core.confirmation import DIGITS, LIFETIME, Ending, Question, spelled_code
from relayd.core.event import Event, EventType
from relayd.core.letters import Letter
from relayd.core.letters.confirmation import Ask, confirmation
from relayd.core.reasons import Reason
from relayd.core.sender import Sender
from relayd.dressing import SigningFailed
from relayd.identity.questions import Questions, ref
from relayd.identity.senders import SenderMissing, SenderRefused
from relayd.store.contract import Store, StoreError

log = logging.getLogger("relayd.identity.confirm")

TOKEN_OCTETS = 20
"""Of chance in a link: 160 bits, 32 characters without padding. Base32, since a mail program that makes a
link of plain text may leave off a `-` or `_` at its end."""

SWEEP_EVERY = 60.0  # seconds; a question that ended a minute ago is refused all the same


class Found(Protocol):
    """The senders as they are now: a `core.sender.Senders`."""

    def get(self, id: str) -> Sender | None: ...


class Post(Protocol):
    async def send(
        self,
        letter: Letter,
        to: addresses.Address,
        *,
        ref: str,
        sender: str | None = None,
        test: bool = False,
    ) -> str:
        """Raises SigningFailed and StoreError, having kept nothing."""
        ...


class TooSoon(Exception):
    """This mailbox gets no letter before `at`, in `wait`. `denied`: its reader said that it wasn't them."""

    def __init__(self, at: datetime, now: datetime, *, denied: bool) -> None:
        super().__init__(f"no letter before {at:%Y-%m-%d %H:%M} UTC")
        self.at = at
        self.wait = at - now
        self.denied = denied


class AlreadyConfirmed(Exception):
    """There is nothing to ask."""


class Tried(StrEnum):
    """What came of a code."""

    CONFIRMED = "confirmed"
    WRONG = "wrong"
    USED_UP = "used_up"  # too many wrong ones: this code is dead
    NOTHING_ASKED = "nothing_asked"  # or it has run out, or was for another address


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """How it stands with confirming the address that a sender has now."""

    question: Question | None  # the last one about this address
    open: bool  # it can still be answered
    next_letter_at: datetime  # when the next letter may go; not in the future: at once


class Confirm(Protocol):
    async def __call__(self, id: str, address: addresses.Address, *, by: str) -> object:
        """Write down that the address may be used. Raises SenderMissing, SenderRefused, StoreError."""
        ...


class Confirmations:
    """Asks, and takes the answers. `load` first, `run` beside the rest."""

    def __init__(
        self,
        *,
        store: Store,
        senders: Callable[[], Found],
        post: Callable[[], Post],
        confirm: Confirm,
        fingerprint: Callable[[str], str],
        platform: Callable[[], str],
        public_url: Callable[[], str | None],
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`senders`, `post`, `platform` (its name for people) and `public_url` give what the settings say
        now; `fingerprint` is a keyed hash."""
        self._questions = Questions(store)
        self._senders = senders
        self._post = post
        self._confirm = confirm
        self._fingerprint = fingerprint
        self._platform = platform
        self._public_url = public_url
        self._clock = clock
        self._pause = pause

    async def load(self) -> None:
        """Take up what was asked before."""
        await self._questions.load()

    async def run(self) -> None:
        """End what runs out. Runs until cancelled."""
        while True:
            try:
                await self.sweep()
            except StoreError as error:
                log.error("questions that ran out can't be ended: %s", error)
            await self._pause(SWEEP_EVERY)

    def sender(self, id: str) -> Sender:
        """Raises SenderMissing."""
        sender = self._senders().get(id)
        if sender is None:
            raise SenderMissing(id)
        return sender

    def status(self, sender: Sender) -> Confirmation:
        question, now = self._about(sender), self._clock()
        return Confirmation(
            question=question,
            open=question is not None and question.open(now) and not sender.confirmed,
            next_letter_at=self._next_letter(sender, now),
        )

    def unasked(self, sender: Sender) -> bool:
        """Its address is not confirmed, and nobody was ever asked about it."""
        return not sender.confirmed and self._about(sender) is None

    async def ask(self, id: str, *, by: str) -> Confirmation:
        """Send a letter to the sender's contact address. The one before is worth nothing from then on.

        `by` is who asked, for the letter and the journal. Raises SenderMissing, AlreadyConfirmed, TooSoon,
        and SigningFailed and StoreError, having sent nothing.
        """
        sender, now = self.sender(id), self._clock()
        if sender.confirmed:
            raise AlreadyConfirmed
        if (at := self._next_letter(sender, now)) > now:
            denied = at == self._questions.letters(sender.contact).quiet_until(id)
            raise TooSoon(at, now, denied=denied)
        token, code = _token(), f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        before = self._questions.of(id)
        question = Question(
            sender=id,
            address=str(sender.contact),
            token=self._hashed_token(token),
            code=self._hashed_code(id, str(sender.contact), code),
            asked_by=by,
            asked_at=now,
        )
        self._questions.keep(question)  # both at once: who asks meanwhile finds them
        self._questions.note_letter(sender.contact, now)
        try:
            await self._questions.write_letters(sender.contact)
            await self._questions.write(question)
            letter = self._letter(sender, question, token, code)
            id_of_letter = await self._post().send(
                letter, sender.contact, ref=ref(id), sender=id, test=sender.test
            )
        except (SigningFailed, StoreError):
            await self._questions.take_back(question, before)
            raise
        if self._questions.of(id) is not question:
            return self.status(sender)  # withdrawn meanwhile, so the letter is worth nothing
        question = replace(question, letter=id_of_letter)
        self._questions.keep(question)
        sent = _event(
            EventType.CONFIRMATION_SENT, question, sender, now, reason=Reason.SENDER_UNCONFIRMED, by=by
        )
        await self._questions.write(question, sent)
        return self.status(sender)

    def find(self, token: str) -> tuple[Sender, Question] | None:
        """What a link asks; None for one that nobody may answer any more, whatever the cause."""
        question = self._questions.with_token(self._hashed_token(token))
        sender = self._senders().get(question.sender) if question is not None else None
        if question is None or sender is None or self.status(sender).question is not question:
            return None
        return (sender, question) if self.status(sender).open else None

    async def confirm_by_link(self, token: str) -> Sender | None:
        """The reader of the letter said yes. None as `find`. Raises StoreError."""
        found = self.find(token)
        return await self._yes(*found, by="link") if found is not None else None

    async def deny(self, token: str) -> Sender | None:
        """The reader of the letter said "this wasn't me". None as `find`. Raises StoreError."""
        found = self.find(token)
        if found is None:
            return None
        sender, question = found
        now = self._clock()
        await self._questions.deny(question, now)
        await self._end(question, Ending.DENIED, sender, now)
        return sender

    async def confirm_by_code(self, id: str, typed: str) -> Tried:
        """Somebody typed a code. Each try is counted before it is looked at, so that no crash gives one back.
        Raises SenderMissing and StoreError."""
        sender = self.sender(id)
        question = self._about(sender)
        if question is None or not self.status(sender).open:
            return Tried.NOTHING_ASKED
        if not question.tries_left:
            return Tried.USED_UP
        question = replace(question, tries=question.tries + 1)
        self._questions.keep(question)
        await self._questions.write(question)
        code = spelled_code(typed)
        if code is not None and hmac.compare_digest(
            self._hashed_code(id, question.address, code), question.code
        ):
            confirmed = await self._yes(sender, question, by="code")
            return Tried.CONFIRMED if confirmed is not None else Tried.NOTHING_ASKED
        return Tried.WRONG if question.tries_left else Tried.USED_UP

    async def vouch(self, id: str) -> None:
        """The operator knows whose address it is. Raises SenderMissing and StoreError."""
        sender = self.sender(id)
        if not sender.confirmed:
            await self._confirm(id, sender.contact, by="vouch")
        if self._questions.of(id) is not None:
            await self._questions.forget(id)

    async def withdraw(self, id: str) -> None:
        """Its address is another one now, or it was removed: what was asked is over, also when sender and
        address come back."""
        if self._questions.of(id) is None:
            return
        self._questions.drop(id)
        try:
            await self._questions.forget(id)
        except StoreError as error:  # after the next start the sweep forgets it
            log.error("what was asked about %s can't be forgotten yet: %s", id, error)

    async def sweep(self) -> None:
        """End questions that ran out, each with one event; forget what no longer matters."""
        now = self._clock()
        for question in self._questions:
            sender = self._senders().get(question.sender)
            if sender is None or sender.confirmed or str(sender.contact) != question.address:
                await self._questions.forget(question.sender)
            elif question.ended is None and now >= question.expires_at:
                await self._end(question, Ending.EXPIRED, sender, now)
        await self._questions.forget_old_letters(now)

    async def _yes(self, sender: Sender, question: Question, *, by: str) -> Sender | None:
        self._questions.drop(sender.id)  # single use: whoever comes second finds nothing
        try:
            await self._confirm(sender.id, addresses.parse(question.address), by=by)
        except (SenderMissing, SenderRefused):  # it was removed, or has another address by now
            return None
        except StoreError:
            self._questions.keep(question)
            raise
        try:
            await self._questions.forget(sender.id)
        except StoreError as error:  # confirmed all the same; after the next start the sweep forgets it
            log.error("an answered question can't be forgotten yet: %s", error)
        return sender

    async def _end(self, question: Question, ending: Ending, sender: Sender, now: datetime) -> None:
        ended = replace(question, ended=ending)
        over = _event(EventType.CONFIRMATION_EXPIRED, ended, sender, now, why=ending.value)
        await self._questions.write(ended, over)
        if self._questions.of(sender.id) is question:  # nothing newer was asked meanwhile
            self._questions.keep(ended)

    def _letter(self, sender: Sender, question: Question, token: str, code: str) -> Letter:
        url = self._public_url()
        link = None if url is None else f"{url.rstrip('/')}/confirm/{token}"
        ask = Ask(
            platform=self._platform(),
            customer=sender.name,
            address=question.address,
            asked_by=question.asked_by,
            asked_at=question.asked_at,
            hours=LIFETIME // timedelta(hours=1),
            code=code,
            link=link,
            not_me=None if link is None else f"{link}/not-me",
        )
        return confirmation(ask, sender.language)

    def _next_letter(self, sender: Sender, now: datetime) -> datetime:
        return self._questions.letters(sender.contact).next(now, sender.id)

    def _about(self, sender: Sender) -> Question | None:
        """The last question, if it was about the address that the sender has now."""
        question = self._questions.of(sender.id)
        return question if question is not None and question.address == str(sender.contact) else None

    def _hashed_token(self, token: str) -> str:
        return self._fingerprint(f"confirmation link\0{token}")

    def _hashed_code(self, sender: str, address: str, code: str) -> str:
        return self._fingerprint(f"confirmation code\0{sender}\0{address}\0{code}")


def _token() -> str:
    return base64.b32encode(secrets.token_bytes(TOKEN_OCTETS)).decode("ascii").lower()


def _event(
    kind: EventType,
    question: Question,
    sender: Sender,
    now: datetime,
    reason: Reason | None = None,
    **detail: str,
) -> Event:
    letter = {} if question.letter is None else {"letter": question.letter}
    return Event(
        time=now,
        type=kind,
        sender=sender.id,
        reason=reason,
        test=sender.test,
        detail={"address": question.address, **letter, **detail},
    )
