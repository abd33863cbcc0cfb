"""Display names: what people read beside an address, and its two written forms (RFC 5322, RFC 2047)."""

from __future__ import annotations

import base64
import binascii
import re
from email.header import Header
from functools import lru_cache

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f\u2028\u2029"  # line breaks and controls, in all their forms
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of what is read
    "\ud800-\udfff"  # lone surrogates: no text at all
    "]"
)
_AT = re.compile(r"\s*[@\ufe6b\uff20]\s*")
_ENCODED = re.compile(
    r"=\?(?P<charset>[^?*\s]{1,40})(?:\*[^?\s]{0,20})?\?(?P<way>[bBqQ])\?(?P<octets>[^?\s]*)\?="
)

_QUOTED_MAX = 60
"""Longest name written as one quoted string, so that a line with field name and name stays under 78."""


def clean(name: str) -> str:
    """A name without anything that could end a line, hide or turn text; runs of blanks become one."""
    return " ".join(_UNSAFE.sub(" ", name).split())


def without_at(name: str) -> str:
    """A name that can't be mistaken for an address: filters (and people) distrust a name with an `@` that
    isn't the address beside it."""
    return clean(_AT.sub(" at ", name))


@lru_cache(maxsize=1024)
def words(name: str, field: str = "From") -> tuple[bytes, ...]:
    """A name as it stands before an address: one quoted string, or RFC 2047 encoded words that fit lines of
    76 octets when the first one follows `field: `. Empty for a name that has nothing to show.
    """
    name = clean(name)
    if not name:
        return ()
    if name.isascii() and "=?" not in name and len(name) <= _QUOTED_MAX:
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        return (b'"%b"' % escaped.encode("ascii"),)
    header = Header(name, "utf-8", maxlinelen=76, header_name=field)
    return tuple(word.encode("ascii") for word in header.encode(splitchars="", linesep="\n").split())


def decode(text: str) -> str:
    """A written value as people read it: encoded words decoded (RFC 2047), cleaned. What can't be decoded
    stays as it is written."""
    if "=?" not in text:
        return clean(text)
    said: list[str] = []
    run: list[re.Match[str]] = []  # neighbours of one charset, separated by blanks alone
    end = 0
    for word in _ENCODED.finditer(text):
        between = text[end : word.start()]
        together = bool(run) and not between.strip()
        if not together or word["charset"].lower() != run[0]["charset"].lower():
            said.append(_decode_run(run))
            run = []
        said.append("" if together else between)
        run.append(word)
        end = word.end()
    return clean("".join((*said, _decode_run(run), text[end:])))


def _decode_run(run: list[re.Match[str]]) -> str:
    """Decoded together, since some mailers split a character between two words."""
    if not run:
        return ""
    try:
        octets = b"".join(_octets(word["way"], word["octets"]) for word in run)
        return octets.decode(run[0]["charset"], "replace")
    except (LookupError, ValueError):  # no such charset; not base64; not ASCII
        return " ".join(word[0] for word in run)


def _octets(way: str, text: str) -> bytes:
    if way in "qQ":
        return binascii.a2b_qp(text, header=True)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
