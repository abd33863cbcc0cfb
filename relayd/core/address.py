"""E-mail addresses: one strict parser, one form.

The domain is kept as lower-case A-labels (IDNA 2008, UTS 46 non-transitional) from the moment it is
read, so that two spellings of a domain are one value and no library converts it again its own way.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox as RFC 5321 writes it. `local` keeps its case and, where needed, its quotes."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def ascii(self) -> bool:
        """False when only a server with SMTPUTF8 (RFC 6531) can take it."""
        return self.local.isascii()
