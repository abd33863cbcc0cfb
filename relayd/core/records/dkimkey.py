"""DKIM key records (RFC 6376 section 3.6.1): what to publish, and is the key that is published there ours?"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256

from relayd.core.records.domainnotes import Code, Note

BITS_MIN = 1024
"""Receivers ignore signatures with smaller RSA keys (RFC 8301 section 3.2)."""

BITS = 2048
"""What RFC 8301 section 3.2 says a key should have at least."""


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


_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\xa0\\xad]|\\xe2\\x80[\\x8b-\\x8f]|\\xef\\xbb\\xbf"
)
"""Control characters and blanks that are none, also as the octets of UTF-8 that a text is made of here."""

_NAMED = {
    0x00: "NUL",
    0xA0: "a no-break space",
    0xAD: "a soft hyphen",
    0xE2: "a zero-width space",
    0xEF: "a BOM",
}


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
    """What is published, and a note for the person who publishes it."""

    state: KeyState
    note: Note

    @property
    def good(self) -> bool:
        return self.state is KeyState.OURS


class _Broken(ValueError):
    def __init__(self, code: Code, **places: str) -> None:
        super().__init__(code)
        self.note = Note(code, places)


def judge(records: Sequence[str], public_key: bytes) -> KeyVerdict:
    """Compare what is published at a selector (each record with its strings joined) with our public key
    (SubjectPublicKeyInfo, DER), byte for byte."""
    if len(records) != 1:
        return _verdict(KeyState.SEVERAL, Code.KEY_SEVERAL, count=str(len(records)))
    try:
        tags = _tags(records[0])
        key = _key(tags)
    except _Broken as broken:
        return KeyVerdict(state=KeyState.BROKEN, note=_unseen(records[0]) or broken.note)
    kind = tags.get("k", "rsa")
    if not key:
        return _verdict(KeyState.REVOKED, Code.KEY_REVOKED)
    if kind != "rsa":
        return _verdict(KeyState.UNFIT, Code.KEY_TYPE, type=kind[:20])
    if key != public_key:
        return _other(key, public_key)
    return _fitness(tags, public_key)


def _unseen(record: str) -> Note | None:
    """What nobody who looks at the record can find is likelier the cause than what follows from it."""
    found = _UNSEEN.search(record)
    if found is None:
        return None
    octet = ord(found[0][0])
    return Note(Code.KEY_INVISIBLE, {"what": _NAMED.get(octet, f"octet {octet}")})


def _tags(record: str) -> Mapping[str, str]:
    """The tag list (section 3.2). Blanks around names and values mean nothing; a name stands once."""
    if record.startswith('"') or "\\;" in record:
        raise _Broken(Code.KEY_QUOTES)
    tags: dict[str, str] = {}
    record = record.strip(
        " \t\r\n"
    )  # nobody sees a blank behind the last semicolon, and receivers don't mind it
    for part in record.removesuffix(";").split(";") if record else ():
        name, equals, value = part.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not name:
            raise _Broken(Code.KEY_NO_TAGS)
        if name in tags:
            raise _Broken(Code.KEY_TWICE, tag=name[:10])
        tags[name] = value.strip(" \t\r\n")
    return tags


def _key(tags: Mapping[str, str]) -> bytes:
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise _Broken(Code.KEY_VERSION)
    if "p" not in tags:  # names are told apart by case (section 3.2)
        raise _Broken(Code.KEY_CAPITALS if "P" in tags else Code.KEY_NO_P)
    try:
        return base64.b64decode(re.sub(r"[ \t\r\n]+", "", tags["p"]), validate=True)
    except ValueError:
        raise _Broken(Code.KEY_CUT_OFF) from None


def _other(key: bytes, public_key: bytes) -> KeyVerdict:
    if public_key.startswith(key):
        return _verdict(KeyState.OTHER, Code.KEY_CUT_OFF)
    bits = rsa_bits(key)
    if bits is not None and bits < BITS_MIN:
        return _verdict(KeyState.OTHER, Code.KEY_OTHER_WEAK, bits=str(bits))
    return _verdict(KeyState.OTHER, Code.KEY_OTHER)


def _fitness(tags: Mapping[str, str], public_key: bytes) -> KeyVerdict:
    """Ours; but what else does the record say?"""
    if "sha256" not in _list(tags.get("h", "sha256")):
        return _verdict(KeyState.UNFIT, Code.KEY_HASH)
    if not {"*", "email"} & _list(tags.get("s", "*")):
        return _verdict(KeyState.UNFIT, Code.KEY_SERVICE)
    if "y" in _list(tags.get("t", "")):
        return _verdict(KeyState.TESTING, Code.KEY_TESTING)
    bits = rsa_bits(public_key)
    if bits is not None and bits < BITS:
        return _verdict(KeyState.OURS, Code.KEY_WEAK, bits=str(bits))
    return _verdict(KeyState.OURS, Code.KEY_OK)


def rsa_bits(public_key: bytes) -> int | None:
    """The length of the modulus in a SubjectPublicKeyInfo (RFC 5280, RFC 8017 appendix A.1.1), or in the bare
    RSAPublicKey that some publish; None for what is neither."""
    try:
        content = _inside(public_key, 0x30)
        if content[:1] == b"\x30":
            algorithm = _inside(content, 0x30)
            wrapped = _inside(content[len(algorithm) + 2 :], 0x03)
            content = _inside(wrapped[1:], 0x30)  # the first octet counts unused bits
        return int.from_bytes(_inside(content, 0x02)).bit_length() or None
    except ValueError:
        return None


def _inside(der: bytes, tag: int) -> bytes:
    """The content of the element that comes first. Raises ValueError when it isn't one with this tag."""
    if len(der) < 2 or der[0] != tag:
        raise ValueError("another element")
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start])
    if len(der) < start + length:
        raise ValueError("cut off")
    return der[start : start + length]


def _verdict(state: KeyState, code: Code, **places: str) -> KeyVerdict:
    return KeyVerdict(state=state, note=Note(code, places))


def _list(value: str) -> set[str]:
    return {item.strip(" \t\r\n") for item in value.split(":")}
