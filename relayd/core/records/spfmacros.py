"""Macros of SPF (RFC 7208 section 7): a record can ask for names made of who connects and who sends."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from relayd.core.records.spfterms import tokens

_NAME_MAX = 253  # characters of a name (section 7.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who connects, and what it says. `sender` is MAIL FROM; empty for <>, and then the HELO name counts
    (section 2.4). `receiver` and `now` (seconds since 1970) are only ever shown, in explanations."""

    ip: str
    sender: str
    helo: str
    receiver: str = "unknown"
    now: int = 0

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """An IPv4 address that was written as an IPv6 one is an IPv4 address (section 5)."""
        address = ipaddress.ip_address(self.ip)
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return mapped or address

    @property
    def mailbox(self) -> tuple[str, str]:
        """Local part and domain; a sender without local part is postmaster (section 4.3)."""
        local, _, domain = (self.sender or self.helo).rpartition("@")
        return local or "postmaster", domain


def values(client: Client, domain: str) -> Mapping[str, str]:
    """What the letters stand for while the record of `domain` is looked at; %{p} takes a look-up of its own
    and is put in by whoever made it."""
    address = client.address
    local, author = client.mailbox
    v4 = isinstance(address, ipaddress.IPv4Address)
    return {
        "s": f"{local}@{author}",
        "l": local,
        "o": author,
        "d": domain,
        "i": str(address) if v4 else ".".join(address.exploded.replace(":", "").upper()),
        "v": "in-addr" if v4 else "ip6",
        "h": client.helo,
        "c": str(address),
        "r": client.receiver,
        "t": str(client.now),
    }


def needs_name(text: str) -> bool:
    """Whether the string asks for the name of the connecting address, %{p}."""
    return "%{p" in text.lower()


def needs_local_part(text: str) -> bool:
    """Whether the string asks for the local part of the sender, %{l} or %{s}."""
    return "%{l" in text.lower() or "%{s" in text.lower()


def expand(text: str, letters: Mapping[str, str], *, explaining: bool = False) -> str | None:
    """The string with its macros filled in; None when it isn't a macro-string."""
    parts = tokens(text, explaining=explaining)
    if parts is None:
        return None
    written, at = [], 0
    for part in parts:
        written.append(text[at : part.start()])  # the blanks of an explanation
        written.append(_part(part, letters))
        at = part.end()
    return "".join([*written, text[at:]])


def name(text: str, letters: Mapping[str, str]) -> str | None:
    """The domain that a domain-spec comes to, without its final dot, cut from the left to what DNS takes.
    None when it is none: characters that are not ASCII (RFC 8616 section 4)."""
    expanded = expand(text, letters)
    if expanded is None or not expanded.isascii():
        return None
    expanded = expanded.removesuffix(".")
    if len(expanded) <= _NAME_MAX:
        return expanded
    return expanded[-_NAME_MAX - 1 :].partition(".")[2]


def _part(part: re.Match[str], letters: Mapping[str, str]) -> str:
    if part[5]:
        return {"%": "%", "_": " ", "-": "%20"}[part[5]]
    if part[6]:
        return part[6]
    value = letters[part[1].lower()]
    if part[2] or part[3] or part[4]:
        pieces = re.split(f"[{re.escape(part[4] or '.')}]", value)
        if part[3]:
            pieces.reverse()
        if part[2]:
            # more digits than any name has labels: all of them
            pieces = pieces[-int(part[2].lstrip("0")[:4]) :]
        value = ".".join(pieces)
    return quote(value, safe="-._~") if part[1].isupper() else value
