"""What dnspython hands out, as our values; shared by the resolver and by who asks authoritatively."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable
from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.nameserver

from relayd.core.records.answers import Mx, Srv

MX_LIMIT = 10
ADDRESS_LIMIT = 5
"""Of one host. Postfix tries 5 addresses of a domain (smtp_mx_address_limit); nobody honest needs more."""
KEPT = 64
"""Records of one answer that are remembered: SPF compares with all addresses of a host, and minds an eleventh
MX. It is the strangers' domain that says how many there are, and they lie in the cache."""
LONGEST_TTL = 86_400
LONGEST_NO = 900
"""Seconds a clear no is kept at most. RFC 2308 allows three hours; a customer who has just published a
record should not wait for that."""
PAYLOAD = 1232
"""Octets of an UDP answer that passes without fragments (DNS flag day 2020)."""


def nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    """`host` or `host:port`, IPv6 in brackets when a port follows. Raises ValueError for anything else."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    return dns.nameserver.Do53Nameserver(str(ipaddress.ip_address(host)), int(port))


def question(name: str) -> dns.name.Name:
    """Raises UnicodeEncodeError for what isn't A-labels, DNSException for what can be no name."""
    return dns.name.Name([label.encode("ascii") for label in name.split(".")] + [b""])


def ttl(response: dns.message.Message, longest: int) -> int:
    """Of an answer the smallest TTL on the way, of a no the SOA's (RFC 2308 section 5)."""
    try:
        return int(min(response.resolve_chaining().minimum_ttl, longest))  # type: ignore[attr-defined]
    except dns.exception.DNSException:
        return 0


def mx(records: Iterable[Any]) -> tuple[Mx, ...]:
    found = sorted(Mx(record.preference, text(record.exchange)) for record in records)
    return tuple(found[:KEPT])


def srv(records: Iterable[Any]) -> tuple[Srv, ...]:
    """Best first. Among equals the heaviest comes first: their order is for people to read, and no load is
    shared by it."""
    found = (
        Srv(priority=record.priority, weight=record.weight, port=record.port, host=text(record.target))
        for record in itertools.islice(records, KEPT)
    )
    return tuple(sorted(found, key=lambda one: (one.priority, -one.weight, one.host, one.port)))[:MX_LIMIT]


def addresses(records: Iterable[Any]) -> tuple[str, ...]:
    return tuple(record.address for record in itertools.islice(records, KEPT))


def txt(records: Iterable[Any]) -> tuple[str, ...]:
    return tuple(b"".join(record.strings).decode("latin-1") for record in records)


def targets(records: Iterable[Any]) -> tuple[str, ...]:
    """Of PTR, NS and CNAME."""
    return tuple(text(record.target) for record in itertools.islice(records, MX_LIMIT))


def text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""
