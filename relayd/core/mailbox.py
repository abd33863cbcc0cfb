"""The From field: exactly one mailbox (RFC 5322 section 3.4), read strictly.

A reader that is more generous than the one in the recipient's hands shows another sender than the one we
have proven. So what two readers could take differently is no mailbox here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from relayd.core import address, displayname
from relayd.core.address import Address, AddressError, shown

_TOKEN = re.compile(
    r"(?P<blank>(?:\r\n)?[ \t]++(?:\r\n[ \t]++)*)"
    r'|(?P<quoted>"[^"\\]*+(?:\\.[^"\\]*+)*")'
    r"|(?P<special>[<>:;@,.\[\]()])"
    r'|(?P<atom>[^\x00-\x20\x7f()<>\[\]:;@\\,."]++)',
    re.DOTALL,
)
_PAIR = re.compile(r"\\(.)", re.DOTALL)

_LENGTH_MAX = 2048
"""Octets of a From value we read. One mailbox has an address of at most 254 and a name; what is longer
holds many mailboxes or means harm. It also bounds what the cache below may keep."""


class MailboxError(ValueError):
    """Not exactly one mailbox. The text says what was seen and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A display name, decoded (empty when there is none), and an address."""

    name: str
    address: Address


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    apart: bool  # blanks or a comment stand before it


@lru_cache(maxsize=1024)
def parse(value: bytes) -> Mailbox:
    """The one mailbox of a From value, as it stands after the colon, folds included.

    Raises MailboxError: none or several mailboxes, a group, a route, a comment that looks like an address,
    unquoted characters that must be quoted, an address that can't be.
    """
    if len(value) > _LENGTH_MAX:
        raise MailboxError(f"the From field has {len(value)} octets; it must hold one mailbox")
    text = value.decode("utf-8", "replace")  # older mailers write names in their own code page
    tokens, comments = _tokens(text)
    _judge(text, tokens)
    if any("@" in comment or "<" in comment for comment in comments):
        raise _wrong(text, "has a comment that looks like an address; leave the comment out")
    if tokens[-1].text == ">":
        opened = next(i for i, token in enumerate(tokens) if token.text == "<")
        name, spec = _phrase(text, tokens[:opened]), tokens[opened + 1 : -1]
    else:
        name, spec = displayname.decode(" ".join(comments)), tokens
    return Mailbox(name=name, address=_address(text, spec))


def _wrong(text: str, why: str) -> MailboxError:
    return MailboxError(f'the From field "{shown(text.strip())}" {why}')


def _tokens(text: str) -> tuple[list[_Token], list[str]]:
    """Everything but blanks and comments, and the comments."""
    tokens: list[_Token] = []
    comments: list[str] = []
    at, apart = 0, True
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(text, f"can't be read from {shown(text[at:], 20)!r} on; quote the display name")
        if found["special"] == "(":
            end = _comment_end(text, at)
            comments.append(_PAIR.sub(r"\1", text[at + 1 : end - 1]))
            at, apart = end, True
            continue
        at = found.end()
        if found["blank"]:
            apart = True
        else:
            tokens.append(_Token(str(found.lastgroup), found[0], apart))
            apart = False
    return tokens, comments


def _comment_end(text: str, start: int) -> int:
    depth, at = 0, start
    while at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 2 if text[at] == "\\" else 1
        if depth == 0:
            return at
    raise _wrong(text, "has a comment without end")


def _judge(text: str, tokens: list[_Token]) -> None:
    specials = [token.text for token in tokens if token.kind == "special"]
    if not tokens:
        raise MailboxError("the From field is empty; it must hold one mailbox")
    if ":" in specials or ";" in specials:
        raise _wrong(text, "holds a group or a route; it must hold one mailbox")
    if "," in specials or specials.count("<") > 1:
        raise _wrong(text, "holds several mailboxes (or an unquoted comma); it must hold one")
    if specials.count("<") != specials.count(">") or ("<" in specials and tokens[-1].text != ">"):
        raise _wrong(text, "has its angle brackets wrong; write: Name <user@domain>")


def _phrase(text: str, tokens: list[_Token]) -> str:
    """A display name. Dots are taken unquoted (RFC 5322 section 4.1, obs-phrase: `John Q. Public`)."""
    said = ""
    for token in tokens:
        if token.kind == "special" and token.text != ".":
            raise _wrong(text, f'has an unquoted "{token.text}" in its display name; quote the name')
        bare = _PAIR.sub(r"\1", token.text[1:-1]) if token.kind == "quoted" else token.text
        said += (" " if token.apart and said else "") + bare
    return displayname.decode(said)


def _address(text: str, tokens: list[_Token]) -> Address:
    if any(token.apart for token in tokens[1:]):
        raise _wrong(text, "has no single address; write: Name <user@domain>")
    try:
        return address.parse("".join(token.text for token in tokens), smtputf8=True)
    except AddressError as error:
        raise _wrong(text, f"holds no usable address: {error.text}") from None
