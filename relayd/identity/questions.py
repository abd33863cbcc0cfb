"""What was asked about addresses, and what each mailbox was sent: in memory for every look, in the store for
ever. `identity.confirm` decides; here it is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from relayd.core import address as addresses
from relayd.core.address import Address
from relayd.core.confirmation import (
    Letters,
    Question,
    letters_as_fact,
    letters_from_fact,
    mailbox,
    question_as_fact,
    question_from_fact,
)
from relayd.core.event import Event
from relayd.core.sender import HOUSE
from relayd.store.contract import Selection, Store, StoreError

log = logging.getLogger("relayd.identity.questions")

QUESTION = "confirmation"
"""Kind of the facts that say what was asked last, by sender."""

LETTERS = "confirmation_letters"
"""Kind of the facts that say what a mailbox was sent, by mailbox."""


class Questions:
    """The last question of each sender. Methods without `await` change memory alone, so that whoever looks
    next finds it; `write` and `forget` make it last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_sender: dict[str, Question] = {}
        self._by_token: dict[str, str] = {}  # sender by hashed token
        self._letters: dict[str, Letters] = {}  # by mailbox

    def __iter__(self) -> Iterator[Question]:
        """Those there are now, whatever changes meanwhile."""
        return iter(list(self._by_sender.values()))

    async def load(self) -> None:
        """Take up what was asked before. A question whose letter was never kept was put to nobody."""
        for box, fact in (await self._store.recall(LETTERS)).items():
            self._letters[box] = letters_from_fact(fact)
        for sender, fact in (await self._store.recall(QUESTION)).items():
            question = question_from_fact(sender, fact)
            if question.letter is None:
                question = replace(question, letter=await self._letter_of(question))
            self.keep(question)
            if question.letter is None:
                await self.take_back(question, None)

    def of(self, sender: str) -> Question | None:
        return self._by_sender.get(sender)

    def with_token(self, hashed: str) -> Question | None:
        return self._by_sender.get(self._by_token.get(hashed, ""))

    def letters(self, address: Address) -> Letters:
        """What the mailbox of this address was sent lately."""
        return self._letters.get(mailbox(address), Letters())

    def keep(self, question: Question) -> None:
        self.drop(question.sender)
        self._by_sender[question.sender] = question
        self._by_token[question.token] = question.sender

    def drop(self, sender: str) -> None:
        question = self._by_sender.pop(sender, None)
        if question is not None:
            del self._by_token[question.token]

    def note_letter(self, address: Address, at: datetime) -> None:
        letters = self.letters(address)
        self._letters[mailbox(address)] = replace(letters, sent=(*letters.sent, at))

    async def write(self, question: Question, *events: Event) -> None:
        await self._store.remember(QUESTION, question.sender, question_as_fact(question), events)

    async def write_letters(self, address: Address) -> None:
        box = mailbox(address)
        await self._store.remember(LETTERS, box, letters_as_fact(self._letters[box]))

    async def forget(self, sender: str) -> None:
        await self._store.forget(QUESTION, sender)
        self.drop(sender)

    async def deny(self, question: Question, now: datetime) -> None:
        """Its mailbox wants no more letters for a while."""
        address = addresses.parse(question.address)
        self._letters[mailbox(address)] = self.letters(address).deny(question, now)
        await self.write_letters(address)

    async def take_back(self, question: Question, before: Question | None) -> None:
        """No letter was kept: it is as if nobody had asked, and `before` stands again."""
        address = addresses.parse(question.address)
        letters = self.letters(address)
        sent = tuple(at for at in letters.sent if at != question.asked_at)
        self._letters[mailbox(address)] = replace(letters, sent=sent)
        self.drop(question.sender)
        if before is not None:
            self.keep(before)
        try:
            await self.write_letters(address)
            if before is not None:
                await self.write(before)
            else:
                await self._store.forget(QUESTION, question.sender)
        except StoreError as error:  # the next start finds a question without a letter
            log.error("a question that was not asked can't be taken back yet: %s", error)

    async def forget_old_letters(self, now: datetime) -> None:
        for box, letters in list(self._letters.items()):
            if letters.over(now):
                await self._store.forget(LETTERS, box)
                del self._letters[box]

    async def _letter_of(self, question: Question) -> str | None:
        """The letter of a question, when a crash kept us from writing down that there is one."""
        for record in await self._store.find(Selection(ref=ref(question.sender), sender=HOUSE), 1):
            if record.message.submission.received_at >= question.asked_at:
                return record.message.id
        return None


def ref(sender: str) -> str:
    """By which the letters about a sender's address are found in the status log."""
    return f"confirmation:{sender}"
