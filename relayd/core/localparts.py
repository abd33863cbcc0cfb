"""Local parts of default addresses: made safe, unique, and never given to another sender."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relayd.core.address import Address

RESERVED = frozenset(
    {
        # RFC 2142
        *("abuse", "ftp", "hostmaster", "info", "marketing", "news", "noc", "postmaster", "sales"),
        *("security", "support", "usenet", "uucp", "webmaster", "www"),
        # whoever reads these can have certificates for the domain (CA/B Forum, requirements 3.2.2.4.4)
        *("admin", "administrator"),
        # machines write to or from these
        *("bounce", "bounces", "daemon", "dmarc", "dmarc-reports", "mailer-daemon", "no-reply", "nobody"),
        *("noreply", "root", "tlsrpt"),
    }
)

LENGTH_MAX = 64  # octets, RFC 5321 section 4.5.3.1.1

_SAFE = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_SPELLED = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe", "å": "aa",
     "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "&": " ", ".": "", "'": "", "’": ""}
)  # fmt: skip
_GAP = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a sender's local part is made from."""

    sender: str
    name: str
    contact: Address
    local_part: str | None  # as the operator wrote it


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignments:
    """`parts` by sender id; `new` are those to be remembered, sender by local part; `refused` are sentences
    by sender id for local parts that the operator wrote and that can't be had."""

    parts: Mapping[str, str]
    new: Mapping[str, str]
    refused: Mapping[str, str]


class LocalParts:
    """Who was given which local part, ever, and who gets which next. Nothing here looks through all of them:
    there may be ten thousand senders, and many of one name."""

    def __init__(self, remembered: Mapping[str, str]) -> None:
        """`remembered` is what was ever given: sender by local part."""
        self._owners: dict[str, str] = {}
        self._had: dict[str, list[str]] = {}
        self._next: dict[str, int] = {}  # the number to try next, by what comes before it
        self.keep(remembered)

    def keep(self, given: Mapping[str, str]) -> None:
        """These were given, for ever: `Assignments.new`, once they are written down."""
        self._owners.update(given)
        for part, owner in given.items():
            self._had.setdefault(owner, []).append(part)

    def assign(self, wishes: Sequence[Wish]) -> Assignments:
        """Give every sender a local part. Nothing counts as given until `keep`.

        What the operator wrote comes first, then what the sender had, then one made from its name, then from
        its contact address, with a number where that is taken.
        """
        new: dict[str, str] = {}
        parts: dict[str, str] = {}
        refused: dict[str, str] = {}
        for wish in wishes:
            if wish.local_part is not None:
                problem = problem_with(wish.local_part) or self._taken(wish, new)
                if problem:
                    refused[wish.sender] = problem
                else:
                    self._give(wish.local_part.lower(), wish.sender, parts, new)
        for wish in wishes:
            if wish.sender not in parts and wish.sender not in refused:
                had, made = self._had.get(wish.sender, ()), _made(wish)
                part = made if made in had else min(had) if had else self._free(made, new)
                self._give(part, wish.sender, parts, new)
        return Assignments(parts=parts, new=new, refused=refused)

    def _give(self, part: str, sender: str, parts: dict[str, str], new: dict[str, str]) -> None:
        parts[sender] = part
        if part not in self._owners:
            new[part] = sender

    def _taken(self, wish: Wish, new: Mapping[str, str]) -> str | None:
        part = str(wish.local_part).lower()
        owner = new.get(part) or self._owners.get(part, wish.sender)
        if owner == wish.sender:
            return None
        return f'"{wish.local_part}" belongs (or belonged) to sender {owner}; an address is never given on'

    def _free(self, made: str, new: Mapping[str, str]) -> str:
        part, stem = made, made[: LENGTH_MAX - 6]
        while part in new or part in self._owners or part in RESERVED:
            number = self._next.get(stem, 2)
            self._next[stem] = number + 1
            part = f"{stem}-{number}"
        return part


def assign(wishes: Sequence[Wish], remembered: Mapping[str, str]) -> Assignments:
    """As `LocalParts.assign`, for once."""
    return LocalParts(remembered).assign(wishes)


def problem_with(local_part: str) -> str | None:
    """Why an operator can't have this local part, as a sentence; None when it will do."""
    if local_part.lower() in RESERVED:
        return f'"{local_part}" is reserved for the operator of the domain (RFC 2142); choose another'
    if len(local_part) > LENGTH_MAX or _SAFE.fullmatch(local_part.lower()) is None:
        return (
            f'"{local_part}" must be letters a-z, digits, and single dots or hyphens between them, at most 64'
        )
    return None


def _made(wish: Wish) -> str:
    return _safe(wish.name) or _safe(wish.contact.local.strip('"')) or "sender"


def _safe(text: str) -> str:
    spelled = text.lower().translate(_SPELLED)
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode("ascii").lower()
    return _GAP.sub("-", plain).strip("-")[:LENGTH_MAX].strip("-")
