"""Writing header fields: the only way in which relayd makes one."""

from __future__ import annotations

import re
from datetime import datetime

_FOLD_AT = 76
"""Octets of a line we write: RFC 2047 section 2 says 76 where there are encoded words."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date(at: datetime) -> bytes:
    """A point in UTC as RFC 5322 section 3.3 writes it; in English whatever the locale."""
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    text = f"{day}, {at.day:02} {month} {at.year:04} {at.hour:02}:{at.minute:02}:{at.second:02} +0000"
    return text.encode("ascii")


_WRITABLE = re.compile(rb"[ -~]+")


def write(name: str, *parts: bytes) -> bytes:
    """One field, folded between parts.

    Raises ValueError for a part that could end the line or is empty (names and addresses are cleaned before
    they come here: this is the wall behind).
    """
    line = name.encode("ascii") + b":"
    lines = []
    for part in parts:
        if _WRITABLE.fullmatch(part) is None:
            raise ValueError(f"{name} can't hold {part[:80]!r}")
        if len(line) + 1 + len(part) > _FOLD_AT and not line.endswith(b":"):
            lines.append(line)
            line = b""
        line += b" " + part
    return b"\r\n".join((*lines, line))
