"""Asking whether an address may be used: how long a question stands, and how often one may be put.

A yes grants sending as that address, so a code that can be guessed or a letter that can be provoked at will
is a way to somebody else's address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from relayd.core.address import Address

LIFETIME = timedelta(hours=24)
"""How long link and code are good for."""

TRIES = 5
"""Codes that may be typed for one letter. Then the code is dead; the link, which nobody can guess, is not:
else whoever types five wrong ones could keep the owner from saying yes."""

PAUSE = timedelta(hours=1)
"""Between two letters to one mailbox, whoever asks and for whichever sender."""

MOST = 5
WITHIN = timedelta(days=1)
"""Letters to one mailbox in a day: with `TRIES`, 25 guesses at a code of a million."""

QUIET = timedelta(days=1)
"""No letter at all to a mailbox whose reader said "this wasn't me". Not longer: somebody else may have a
right to ask there."""

DENIED = timedelta(days=7)
"""No letter there for the sender who was meant by it, counted from the question; also when that sender has
another address meanwhile, or is removed and added again."""

DIGITS = 6

_CODE = re.compile(rf"[0-9]{{{DIGITS}}}")


class Ending(StrEnum):
    """How a question ended without a yes."""

    EXPIRED = "expired"
    DENIED = "denied"  # "this wasn't me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What one letter asked: may this sender use this address? Token and code are keyed hashes."""

    sender: str
    address: str
    token: str
    code: str
    asked_by: str
    asked_at: datetime
    letter: str | None = None  # id of the message; None: not kept yet
    tries: int = 0  # codes typed
    ended: Ending | None = None

    @property
    def expires_at(self) -> datetime:
        return self.asked_at + LIFETIME

    @property
    def tries_left(self) -> int:
        return max(0, TRIES - self.tries)

    def open(self, now: datetime) -> bool:
        """Somebody may still answer. Not before its letter is kept: until then nobody has the code, so
        whoever types one guesses."""
        return self.letter is not None and self.ended is None and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """What one mailbox was sent lately, and whether its reader wants more. `denied`: whose question got the
    answer "this wasn't me", and when it was asked."""

    sent: Sequence[datetime] = ()
    denied_at: datetime | None = None
    denied: Mapping[str, datetime] = field(default_factory=dict)

    def next(self, now: datetime, sender: str) -> datetime:
        """When the next letter may go for this sender; not after `now`: at once."""
        recent = sorted(at for at in self.sent if at + WITHIN > now)
        moments = [now]
        if recent:
            moments.append(recent[-1] + PAUSE)
        if len(recent) >= MOST:
            moments.append(recent[-MOST] + WITHIN)
        return max(*moments, self.quiet_until(sender) or now)

    def quiet_until(self, sender: str) -> datetime | None:
        """Until when a "this wasn't me" forbids letters for this sender; None: there was none."""
        moments = [] if self.denied_at is None else [self.denied_at + QUIET]
        if sender in self.denied:
            moments.append(self.denied[sender] + DENIED)
        return max(moments, default=None)

    def deny(self, question: Question, now: datetime) -> Letters:
        """With the answer "this wasn't me", and without such that no longer matter."""
        before = {sender: at for sender, at in self.denied.items() if at + DENIED > now}
        return replace(self, denied_at=now, denied={**before, question.sender: question.asked_at})

    def over(self, now: datetime) -> bool:
        """Nothing of this matters any more."""
        ends = [at + WITHIN for at in self.sent] + [at + DENIED for at in self.denied.values()]
        ends += [] if self.denied_at is None else [self.denied_at + QUIET]
        return all(end <= now for end in ends)


def mailbox(address: Address) -> str:
    """Under which name letters to this address are counted. Different spellings that many servers take for
    one mailbox are one: nobody gets more letters because `Bill+1@` stands where `bill@` stood."""
    local = address.local.lower()
    return f"{local.partition('+')[0] or local}@{address.domain}"


def spelled_code(typed: str) -> str | None:
    """The digits of a code as somebody typed it, with blanks or hyphens between; None when it is none."""
    digits = re.sub(r"[\s-]", "", typed) if len(typed) <= 20 else ""
    return digits if _CODE.fullmatch(digits) else None


def question_as_fact(question: Question) -> Mapping[str, str]:
    """As the store keeps it; the sender is its key."""
    return {
        "address": question.address,
        "token": question.token,
        "code": question.code,
        "asked_by": question.asked_by,
        "asked_at": question.asked_at.isoformat(),
        "letter": question.letter or "",
        "tries": str(question.tries),
        "ended": question.ended.value if question.ended else "",
    }


def question_from_fact(sender: str, fact: Mapping[str, str]) -> Question:
    return Question(
        sender=sender,
        address=fact["address"],
        token=fact["token"],
        code=fact["code"],
        asked_by=fact["asked_by"],
        asked_at=datetime.fromisoformat(fact["asked_at"]),
        letter=fact["letter"] or None,
        tries=int(fact["tries"]),
        ended=Ending(fact["ended"]) if fact["ended"] else None,
    )


def letters_as_fact(letters: Letters) -> Mapping[str, str]:
    """As the store keeps it; the mailbox is its key."""
    return {
        "sent": " ".join(at.isoformat() for at in letters.sent),
        "denied_at": letters.denied_at.isoformat() if letters.denied_at else "",
        "denied": " ".join(f"{sender}={at.isoformat()}" for sender, at in letters.denied.items()),
    }


def letters_from_fact(fact: Mapping[str, str]) -> Letters:
    return Letters(
        sent=tuple(datetime.fromisoformat(at) for at in fact["sent"].split()),
        denied_at=datetime.fromisoformat(fact["denied_at"]) if fact["denied_at"] else None,
        denied={
            sender: datetime.fromisoformat(at)
            for sender, _, at in (one.partition("=") for one in fact["denied"].split())
        },
    )
