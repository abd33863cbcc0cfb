"""What DNS said, as values. Trouble is never proof that something is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[T]):
    records: tuple[T, ...]
    ttl: int  # seconds, the smallest of the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A clear no. `domain` is False for NXDOMAIN (nothing of that name exists), True for NODATA."""

    domain: bool
    ttl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """No usable answer: SERVFAIL, REFUSED, timeout, malformed. Always transient."""

    text: str


@dataclass(frozen=True, slots=True, order=True)
class Mx:
    preference: int
    host: str  # lower-case A-labels, no trailing dot; "" is the null MX (RFC 7505)


@dataclass(frozen=True, slots=True, kw_only=True)
class Srv:
    """Where a service is (RFC 2782)."""

    priority: int  # the lowest first
    weight: int
    port: int
    host: str  # as in `Mx`; "" says that there is no such service


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Generic[T]):
    """What the nameservers of a zone themselves say: what is true now, not what a cache still holds."""

    answer: Found[T] | Missing
    servers: tuple[str, ...]  # that said so
    others: tuple[
        str, ...
    ] = ()  # that said something else: they haven't heard of a change yet, or never will
