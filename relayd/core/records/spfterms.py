"""SPF records, read (RFC 7208 sections 4.5 to 7): terms, with their macros not yet expanded."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

VERSION = "v=spf1"

RECORD_MAX = 8192
"""Octets of a record that is read. RFC 7208 section 3.4 asks for answers of at most 512; what a TXT record
can hold, 64 KiB, is there to keep us busy."""


class Outcome(StrEnum):
    """What SPF can come to (section 2.6)."""

    NONE = "none"
    NEUTRAL = "neutral"
    PASS = "pass"
    FAIL = "fail"
    SOFTFAIL = "softfail"
    TEMPERROR = "temperror"
    PERMERROR = "permerror"


class Kind(StrEnum):
    """The mechanisms (section 5)."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


class Ill(StrEnum):
    """What is wrong with a term. One such term spoils the whole record (section 4.6)."""

    UNKNOWN = "unknown_mechanism"
    SYNTAX = "syntax"
    MACRO = "macro"
    TWICE = "twice"  # redirect or exp, of which there may be one


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    text: str  # as it is written, qualifier and all
    result: Outcome  # what its qualifier makes of a match
    kind: Kind
    target: str | None = None  # a domain, with macros; None: the domain of the record
    network: Network | None = None  # of ip4 and ip6
    prefix4: int = 32
    prefix6: int = 128

    @property
    def asks(self) -> bool:
        """It counts towards the ten look-ups (section 4.6.4)."""
        return self.kind not in (Kind.ALL, Kind.IP4, Kind.IP6)


@dataclass(frozen=True, slots=True)
class BadTerm:
    ill: Ill
    text: str  # as it is written


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    text: str
    mechanisms: tuple[Mechanism, ...]
    redirect: str | None  # a domain, with macros
    exp: str | None
    bad: tuple[BadTerm, ...]

    @property
    def all(self) -> Mechanism | None:
        """The first `all`: what stands behind it is never reached, and `redirect` is ignored."""
        return next((term for term in self.mechanisms if term.kind is Kind.ALL), None)


_QUALIFIERS = {
    "+": Outcome.PASS,
    "-": Outcome.FAIL,
    "~": Outcome.SOFTFAIL,
    "?": Outcome.NEUTRAL,
}
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*)=(.*)", re.IGNORECASE | re.DOTALL)
_DIRECTIVE = re.compile(r"([+?~-]?)([a-z][a-z0-9._-]*)(?:(:)(.*)|(/.*))?", re.IGNORECASE | re.DOTALL)
_CIDR = re.compile(r"(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?")
_IP4 = re.compile(r"([0-9.]+)(?:/(0|[1-9][0-9]?))?")
_IP6 = re.compile(r"([0-9a-f:.]+)(?:/(0|[1-9][0-9]{0,2}))?", re.IGNORECASE)
_VISIBLE = re.compile(r"[!-~]+")

# Possessive: whatever is written there, one pass tells (a TXT record may have 64 KiB).
TOKEN = re.compile(r"%\{([a-z])([0-9]*+)(r?+)([.\-+,/_=]*+)\}|%([%_-])|([!-$&-~]++)", re.IGNORECASE)
"""A macro with letter, number, `r` and delimiters; an escape; or literal text (section 7.1)."""

_LETTERS = frozenset("slodipvh")
_EXP_LETTERS = _LETTERS | set("crt")  # these three mean something in an explanation only
_TOP_LABEL = re.compile(r"(?![0-9]+\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.IGNORECASE)


class _Bad(ValueError):
    def __init__(self, ill: Ill = Ill.SYNTAX) -> None:
        super().__init__(ill)
        self.ill = ill


def records(texts: Iterable[str]) -> tuple[str, ...]:
    """Those of the TXT records of a name that are SPF (section 4.5); there should be one."""
    return tuple(text for text in texts if text.lower() == VERSION or text.lower().startswith(f"{VERSION} "))


_MEANT = re.compile(r"[\s\"'\\]*(?:v\s*=\s*spf1(?![0-9.])[\s,;:]*|(?=include:))", re.IGNORECASE)


def mended(text: str) -> str | None:
    """What a text was meant to be that is no SPF record for want of a right beginning: it stands in quotation
    marks, behind a blank, or has no version. None for any other text."""
    head = _MEANT.match(text[:RECORD_MAX])
    if head is None or records([text]):
        return None
    return " ".join([VERSION, *re.sub(r"[\"\\]", "", text[head.end() : RECORD_MAX]).split()])


def read(text: str) -> Record:
    """Read a record that `records` chose. Never raises: what can't be read is in `bad`."""
    if len(text) > RECORD_MAX:
        huge = BadTerm(Ill.SYNTAX, f"{text[:40]}... ({len(text)} octets)")
        return Record(text=text, mechanisms=(), redirect=None, exp=None, bad=(huge,))
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    bad: list[BadTerm] = []
    for term in text[len(VERSION) :].split(" "):
        if not term:
            continue
        try:
            if _VISIBLE.fullmatch(term) is None:
                raise _Bad
            if modifier := _MODIFIER.fullmatch(term):
                _modify(modifiers, modifier[1].lower(), modifier[2])
            else:
                mechanisms.append(_mechanism(term))
        except _Bad as error:
            bad.append(BadTerm(error.ill, term))
    return Record(
        text=text,
        mechanisms=tuple(mechanisms),
        redirect=modifiers.get("redirect"),
        exp=modifiers.get("exp"),
        bad=tuple(bad),
    )


def tokens(text: str, *, explaining: bool = False) -> list[re.Match[str]] | None:
    """The parts of a macro-string (section 7.1); None when it isn't one. `explaining` allows blanks and the
    letters of section 7.2 that are for explanations."""
    letters = _EXP_LETTERS if explaining else _LETTERS
    found: list[re.Match[str]] = []
    at = 0
    while at < len(text):
        if explaining and text[at] == " ":
            at += 1
            continue
        token = TOKEN.match(text, at)
        if token is None or (token[1] and token[1].lower() not in letters):
            return None
        if token[2] and not token[2].strip("0"):
            return None  # the right-hand zero parts of a name are no name
        found.append(token)
        at = token.end()
    return found


def _modify(modifiers: dict[str, str], name: str, value: str) -> None:
    if name not in ("redirect", "exp"):  # others are for the future, and need only be well-formed
        if tokens(value, explaining=True) is None or " " in value:
            raise _Bad(Ill.MACRO)
        return
    if name in modifiers:
        raise _Bad(Ill.TWICE)
    modifiers[name] = _domain_spec(value)


def _mechanism(term: str) -> Mechanism:
    match = _DIRECTIVE.fullmatch(term)
    if match is None or match[2].lower() not in set(Kind):
        raise _Bad(Ill.UNKNOWN)
    result, kind = _QUALIFIERS[match[1] or "+"], Kind(match[2].lower())
    value = match[4]
    match kind:
        case Kind.ALL if match[3] is None and match[5] is None:
            return Mechanism(text=term, result=result, kind=kind)
        case Kind.IP4 | Kind.IP6 if value:
            return Mechanism(text=term, result=result, kind=kind, network=_network(kind, value))
        case Kind.INCLUDE | Kind.EXISTS if value:
            return Mechanism(text=term, result=result, kind=kind, target=_domain_spec(value))
        case Kind.PTR if match[5] is None:
            target = None if match[3] is None else _domain_spec(value)
            return Mechanism(text=term, result=result, kind=kind, target=target)
        case Kind.A | Kind.MX:
            rest = match[5] or ""
            target = None
            if match[3] is not None:
                spec, rest = _without_cidr(value)
                target = _domain_spec(spec)
            prefix4, prefix6 = _prefixes(rest)
            return Mechanism(
                text=term, result=result, kind=kind, target=target, prefix4=prefix4, prefix6=prefix6
            )
    raise _Bad


def _without_cidr(value: str) -> tuple[str, str]:
    """A domain may hold slashes itself, so the lengths are what looks like them at the end."""
    cut = re.search(r"(?:/[0-9]+)?(?://[0-9]+)?\Z", value[-9:])  # "/32//128" has 8
    assert cut is not None, "the pattern also matches nothing"
    at = max(len(value) - 9, 0) + cut.start()
    return value[:at], value[at:]


def _prefixes(text: str) -> tuple[int, int]:
    lengths = _CIDR.fullmatch(text)
    if lengths is None:
        raise _Bad
    prefix4, prefix6 = int(lengths[1] or 32), int(lengths[2] or 128)
    if prefix4 > 32 or prefix6 > 128:
        raise _Bad
    return prefix4, prefix6


def _network(kind: Kind, value: str) -> Network:
    match = (_IP4 if kind is Kind.IP4 else _IP6).fullmatch(value)
    if match is None:
        raise _Bad
    try:
        if kind is Kind.IP4:
            return ipaddress.IPv4Network((match[1], int(match[2] or 32)), strict=False)
        return ipaddress.IPv6Network((match[1], int(match[2] or 128)), strict=False)
    except ValueError:
        raise _Bad from None


def _domain_spec(text: str) -> str:
    """Macros and text that end in a macro or in a label that can be a top-level domain."""
    parts = tokens(text)
    if not parts:
        raise _Bad(Ill.MACRO if parts is None else Ill.SYNTAX)
    end = parts[-1][6]
    if end is not None:
        name, dot, top = end.removesuffix(".").rpartition(".")
        if not dot or _TOP_LABEL.fullmatch(top) is None or (not name and len(parts) == 1):
            raise _Bad
    return text
