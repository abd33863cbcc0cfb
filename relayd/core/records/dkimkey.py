"""DKIM key records (RFC 6376 section 3.6.1): what to publish, and is the key that is published there ours?"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

BITS_MIN = 1024
"""Receivers ignore signatures with smaller RSA keys (RFC 8301 section 3.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurKey:
    """One of our signing keys, as receivers get it: SubjectPublicKeyInfo, DER."""

    selector: str
    public_key: bytes

    def name(self, domain: str) -> str:
        """Where receivers look for it."""
        return name(self.selector, domain)

    @property
    def record(self) -> str:
        """The text to publish there. A zone file splits it into strings of at most 255 octets."""
        return _text(self.public_key)

    @property
    def fingerprint(self) -> str:
        """Tells this key from every other."""
        return _fingerprint(self.public_key)


@lru_cache(maxsize=8)
def _text(public_key: bytes) -> str:
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public_key).decode('ascii')}"


@lru_cache(maxsize=8)
def _fingerprint(public_key: bytes) -> str:
    return sha256(public_key).hexdigest()


def name(selector: str, domain: str) -> str:
    return f"{selector}._domainkey.{domain}"


def other_selector(selector: str) -> str:
    """The second selector of two: r1 and r2 are each other's, and to `mail` there is `mail2`."""
    match selector[-1]:
        case "1":
            return selector[:-1] + "2"
        case "2":
            return selector[:-1] + "1"
    return selector[:62] + "2"  # a label holds 63 octets


class KeyState(StrEnum):
    OURS = "ours"
    OTHER = "other"  # a good record, with a key that isn't ours
    REVOKED = "revoked"  # empty p=
    TESTING = "testing"  # ours, but receivers are asked not to count it
    UNFIT = "unfit"  # ours, but not for what we sign
    BROKEN = "broken"  # no key record
    SEVERAL = "several"  # more than one record; which one a receiver takes is anybody's guess


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyVerdict:
    """What is published, and a sentence for the person who publishes it."""

    state: KeyState
    text: str

    @property
    def good(self) -> bool:
        return self.state is KeyState.OURS


class _Broken(ValueError):
    pass


def judge(records: Sequence[str], public_key: bytes) -> KeyVerdict:
    """Compare what is published at a selector (each record with its strings joined) with our public key
    (SubjectPublicKeyInfo, DER), byte for byte."""
    if len(records) != 1:
        text = f"There are {len(records)} TXT records at this name; leave the one with our key."
        return KeyVerdict(state=KeyState.SEVERAL, text=text)
    try:
        tags = _tags(records[0])
        key = _key(tags)
    except _Broken as broken:
        return KeyVerdict(state=KeyState.BROKEN, text=str(broken))
    if not key:
        text = "The record says that this key is revoked (p= is empty); publish ours."
        return KeyVerdict(state=KeyState.REVOKED, text=text)
    if key != public_key:
        text = "The record holds another key than ours (or a part of it); copy the whole of ours."
        return KeyVerdict(state=KeyState.OTHER, text=text)
    return _fitness(tags)


def _tags(record: str) -> Mapping[str, str]:
    """The tag list (section 3.2). Blanks around names and values mean nothing; a name stands once."""
    if record.startswith('"') or "\\;" in record:
        raise _Broken("The record holds quotes or backslashes as text; enter it without them.")
    tags: dict[str, str] = {}
    for part in record.removesuffix(";").split(";") if record.strip() else ():
        name, equals, value = part.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not name:
            raise _Broken("The record can't be read; it must be tags such as v=DKIM1; k=rsa; p=KEY.")
        if name in tags:
            raise _Broken(f"The record has the tag {name[:10]}= twice; remove one.")
        tags[name] = value.strip(" \t\r\n")
    return tags


def _key(tags: Mapping[str, str]) -> bytes:
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise _Broken("The record is no DKIM key: it must begin with v=DKIM1.")
    if "p" not in tags:
        raise _Broken("The record holds no key: p= is missing.")
    try:
        return base64.b64decode("".join(tags["p"].split()), validate=True)
    except ValueError:
        raise _Broken("The key in p= is cut off or changed; copy the whole of ours.") from None


def _fitness(tags: Mapping[str, str]) -> KeyVerdict:
    """Ours; but what else does the record say?"""
    if tags.get("k", "rsa") != "rsa":
        return KeyVerdict(state=KeyState.UNFIT, text="The record says another key type; write k=rsa.")
    if "sha256" not in _list(tags.get("h", "sha256")):
        text = "The record does not allow SHA-256 (h=); remove h=."
        return KeyVerdict(state=KeyState.UNFIT, text=text)
    if not {"*", "email"} & _list(tags.get("s", "*")):
        text = "The record does not allow the key for e-mail (s=); remove s=."
        return KeyVerdict(state=KeyState.UNFIT, text=text)
    if "y" in _list(tags.get("t", "")):
        text = "The record says that the domain is testing (t=y), so receivers don't count it; remove t=y."
        return KeyVerdict(state=KeyState.TESTING, text=text)
    return KeyVerdict(state=KeyState.OURS, text="Our key is published.")


def _list(value: str) -> set[str]:
    return {item.strip(" \t\r\n") for item in value.split(":")}
