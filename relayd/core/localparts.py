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


def assign(wishes: Sequence[Wish], remembered: Mapping[str, str]) -> Assignments:
    """Give every sender a local part. `remembered` is what was ever given: sender by local part.

    What the operator wrote comes first, then what the sender had, then one made from its name, then from
    its contact address, with a number where that is taken.
    """
    taken = dict(remembered)
    parts: dict[str, str] = {}
    refused: dict[str, str] = {}
    for wish in wishes:
        if wish.local_part is not None:
            problem = problem_with(wish.local_part) or _taken(wish, taken)
            if problem:
                refused[wish.sender] = problem
            else:
                parts[wish.sender] = taken_name = wish.local_part.lower()
                taken[taken_name] = wish.sender
    for wish in wishes:
        if wish.sender not in parts and wish.sender not in refused:
            had = sorted(part for part, owner in remembered.items() if owner == wish.sender)
            made = _made(wish)
            part = made if made in had else had[0] if had else _free(made, taken)
            parts[wish.sender] = part
            taken[part] = wish.sender
    new = {part: owner for part, owner in taken.items() if part not in remembered}
    return Assignments(parts=parts, new=new, refused=refused)


def problem_with(local_part: str) -> str | None:
    """Why an operator can't have this local part, as a sentence; None when it will do."""
    if local_part.lower() in RESERVED:
        return f'"{local_part}" is reserved for the operator of the domain (RFC 2142); choose another'
    if len(local_part) > LENGTH_MAX or _SAFE.fullmatch(local_part.lower()) is None:
        return (
            f'"{local_part}" must be letters a-z, digits, and single dots or hyphens between them, at most 64'
        )
    return None


def _taken(wish: Wish, taken: Mapping[str, str]) -> str | None:
    owner = taken.get(str(wish.local_part).lower(), wish.sender)
    if owner == wish.sender:
        return None
    return f'"{wish.local_part}" belongs (or belonged) to sender {owner}; an address is never given on'


def _made(wish: Wish) -> str:
    return _safe(wish.name) or _safe(wish.contact.local.strip('"')) or "sender"


def _safe(text: str) -> str:
    spelled = text.lower().translate(_SPELLED)
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode("ascii").lower()
    return _GAP.sub("-", plain).strip("-")[:LENGTH_MAX].strip("-")


def _free(made: str, taken: Mapping[str, str]) -> str:
    if made not in taken and made not in RESERVED:
        return made
    number = 2
    while (part := f"{made[: LENGTH_MAX - 6]}-{number}") in taken:
        number += 1
    return part
