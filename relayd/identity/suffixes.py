"""The door to the public suffix list: which part of a name somebody registered."""

from __future__ import annotations

import functools

import publicsuffixlist


def base_domain(host: str) -> str | None:
    """The part of a name that somebody registered: `example.co.uk` of `mx.example.co.uk`."""
    base = public_suffixes().privatesuffix(host)
    return base if isinstance(base, str) else None


@functools.cache
def public_suffixes() -> publicsuffixlist.PublicSuffixList:
    """Read with the first question, which takes 40 ms."""
    return publicsuffixlist.PublicSuffixList()
