"""DKIM signatures (RFC 6376) without the key: which fields are signed, what is hashed, how it is written."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import lru_cache

from dkim.canonicalization import Relaxed

from relayd.core.headers import HeaderBlock

SIGNED = (
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
"""Each is named once more than it occurs: a second Subject or From put on top later, which many readers
would show, then breaks the signature (RFC 6376 section 8.15). The two List fields are what RFC 8058
section 4 asks to be signed."""

_LINE = 76
_UNEVEN = re.compile(rb"[\t\r\n]|  ")
_KEYS = tuple((name.lower(), name.lower().encode("ascii")) for name in SIGNED)


def signed_part(block: HeaderBlock) -> tuple[str, bytes]:
    """The value of h=, and the canonical octets of the fields it names (relaxed, section 3.4.2), instances
    of one name from the bottom up (section 5.4.2)."""
    counts: list[int] = []
    lines: list[bytes] = []
    for name, key in _KEYS:
        places = block.index.get(name, ())
        counts.append(len(places))
        lines += [_line(key, block.fields[at][1].partition(b":")[2]) for at in reversed(places)]
    return _h(tuple(counts)), b"".join(lines)


def _line(key: bytes, value: bytes) -> bytes:
    """One field in its canonical form. Most have nothing to relax but their ends, which saves two regular
    expressions for each of them."""
    if _UNEVEN.search(value) is None:
        return key + b":" + value.strip(b" ") + b"\r\n"
    return _relaxed(key, value)


def _relaxed(name: bytes, value: bytes) -> bytes:
    ((name, value),) = Relaxed.canonicalize_headers([(name, value)])
    return name + b":" + value


@lru_cache(maxsize=256)
def _h(counts: tuple[int, ...]) -> str:
    """The names, folded: a line that is too long is what relays refold, and then the signature is gone."""
    names = [name for name, count in zip(SIGNED, counts, strict=True) for _ in range(count + 1)]
    return _folded("h=", [f"{name}:" for name in names[:-1]] + [f"{names[-1]};"])


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A signature field up to and including `b=`, as it is written and as it is hashed."""

    written: bytes
    hashed: bytes


def unsigned(*, domain: str, selector: str, h: str, body_hash: bytes, timestamp: int) -> Unsigned:
    """A DKIM-Signature field that waits for its signature. `timestamp` is in seconds since 1970.

    No `l=`: what follows the counted octets would be anybody's. No `x=`: a receiver that takes long to look
    would call a good signature bad.
    """
    template = _template(domain, selector, h)
    changing = b"%d" % timestamp, base64.b64encode(body_hash)
    return Unsigned(template.written % changing, template.hashed % changing)


def mark(selector: str) -> bytes:
    """Octets that every field of ours has that was signed under this selector."""
    return f"\ts={selector}; t=".encode("ascii")


def signed_by(header: bytes, domain: str, selector: str) -> bool:
    """Whether a dressed header block has a field of ours for this domain, under this selector."""
    return f" d={domain};\r\n".encode("ascii") + mark(selector) in header


@lru_cache(maxsize=1024)
def _template(domain: str, selector: str, h: str) -> Unsigned:
    """The part that messages share, with places for t= and bh=. Neither holds blanks, so that putting them
    in after canonicalising gives the same octets."""
    written = (
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d={domain};\r\n"
        f"\ts={selector}; t=%b;\r\n\t{h}\r\n\tbh=%b;\r\n\tb="
    ).encode("ascii")
    name, _, value = written.partition(b":")
    # section 3.7: hashed last, its b= empty, without a line end
    return Unsigned(written, _relaxed(name, value).removesuffix(b"\r\n"))


def signature_field(field: Unsigned, signature: bytes) -> bytes:
    """The complete field with its CRLF. b= is folded: blanks within it mean nothing (section 3.5)."""
    text = base64.b64encode(signature)
    lines = [text[at : at + 72] for at in range(0, len(text), 72)]
    return field.written + b"\r\n\t ".join(lines) + b"\r\n"


def _folded(tag: str, names: list[str]) -> str:
    lines, line = [], tag
    for name in names:
        if len(line) + len(name) > _LINE - 1:
            lines.append(line)
            line = "  "
        line += name
    return "\r\n\t".join((*lines, line))
