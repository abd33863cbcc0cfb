"""Records as a zone file has them (RFC 1035 section 5.1), ready to paste."""

from __future__ import annotations

STRING = 255
"""Octets of one string in a TXT record (RFC 1035 section 3.3)."""


def strings(text: str) -> list[str]:
    """A text in the pieces that a record holds."""
    return [text[start : start + STRING] for start in range(0, max(len(text), 1), STRING)]


def line(name: str, kind: str, value: str) -> str:
    """One record with an absolute name: `acme.example. IN MX 10 mx.acme.example.`"""
    if kind != "TXT":
        return f"{name}. IN {kind} {value}."
    escaped = (piece.replace("\\", "\\\\").replace('"', '\\"') for piece in strings(value))
    quoted = " ".join(f'"{piece}"' for piece in escaped)
    return f"{name}. IN TXT ( {quoted} )"
