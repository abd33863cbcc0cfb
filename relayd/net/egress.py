"""The egress guard: which addresses we never connect to, though a customer or DNS names them.

Anybody can point the MX of a domain, or the host of an upstream, into our own network. So each address is
judged after it was resolved, and the connection is made to exactly the address that was judged.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Sequence

V4 = ipaddress.IPv4Address
V6 = ipaddress.IPv6Address

# From IANA's special-purpose registries (RFC 6890 and what followed), and what the cloud hides there.
BLOCKED = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "Azure's host"),  # public in form; answers every machine there
        ("169.254.0.0/16", "link-local"),  # 169.254.169.254 hands out cloud credentials
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard"),
        ("2001:2::/48", "benchmarks"),
        ("2001:10::/28", "ORCHID"),
        ("2001:20::/28", "ORCHID"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)

_ISATAP = (0x00005EFE, 0x02005EFE)


class Guard:
    """Judges addresses. `allow` holds CIDRs that may be reached though they are blocked."""

    def __init__(self, allow: Sequence[str] = ()) -> None:
        self._allow = tuple(ipaddress.ip_network(text) for text in allow)

    def refusal(self, ip: str) -> str | None:
        """Why this address must not be connected to; None when it may."""
        if "%" in ip:
            return f"{ip} is an address with a zone"
        address = ipaddress.ip_address(ip)
        if self.allows(ip):
            return None
        for candidate in (address, *_embedded(address)):
            for network, why in BLOCKED:
                if candidate.version == network.version and candidate in network:
                    through = "" if candidate == address else f", reached through {candidate}"
                    return f"{ip} is not a public address ({why}{through})"
        return None

    def allows(self, ip: str) -> bool:
        """Whether the operator named this address expressly."""
        address: V4 | V6 = ipaddress.ip_address(ip)
        if isinstance(address, V6) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address.version == net.version and address in net for net in self._allow)


def _embedded(address: V4 | V6) -> list[V4]:
    """IPv4 addresses that packets to this IPv6 address may end at."""
    if isinstance(address, V4):
        return []
    number, found = int(address), []
    low = V4(number & 0xFFFFFFFF)
    if address.ipv4_mapped:
        found.append(address.ipv4_mapped)
    if address.sixtofour:
        found.append(address.sixtofour)
    if address.teredo:
        found.extend(address.teredo)
    # IPv4-compatible (RFC 4291 section 2.5.5.1), IPv4-translated (RFC 2765 section 2.1), NAT64 (RFC 6052)
    if number >> 32 in (0, 0xFFFF << 16, 0x0064FF9B << 64):
        found.append(low)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(low)
    return found


def literal(host: str) -> str | None:
    """The address that a host is, in its one form; None for a name."""
    try:
        return str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
    except ValueError:
        return None


FAR_AWAY = {"ipv4": "198.41.0.4", "ipv6": "2001:503:ba3e::2:30"}
"""Some address that is reached by the default route: a.root-servers.net. Nothing is sent there."""


def source(family: str) -> str | None:
    """The address that our connections of this family come from; None on a host without such a route. Behind
    a NAT it is a private one, and the world sees another. Connecting a datagram socket asks the kernel for
    its route and sends nothing."""
    number = socket.AF_INET6 if family == "ipv6" else socket.AF_INET
    try:
        with socket.socket(number, socket.SOCK_DGRAM) as probe:
            probe.connect((FAR_AWAY[family], 53))
            return str(ipaddress.ip_address(probe.getsockname()[0]))
    except (OSError, ValueError):
        return None


def seen_as(named: Sequence[str], families: Sequence[str], *, smarthost: bool) -> tuple[str, ...]:
    """The addresses that recipients see mail come from when it leaves over these families: those that the
    operator named, else those of this host. None are known of a smarthost, and of this host behind a NAT."""
    if smarthost:
        return tuple(named)
    if named:
        return tuple(ip for ip in named if ("ipv6" if ":" in ip else "ipv4") in families)
    found = [ip for ip in map(source, families) if ip is not None]
    # One that isn't public is what a NAT hides: what the world sees in its place, nobody here knows.
    return tuple(found) if all(ipaddress.ip_address(ip).is_global for ip in found) else ()


class Ourselves:
    """Our own listeners, addresses and ports: what we would meet if we delivered to ourselves. An
    unspecified address means all of this machine. Another mail server here may well be the right one."""

    def __init__(self, listeners: Collection[tuple[str, int]] = ()) -> None:
        self._listeners = {(ipaddress.ip_address(address), port) for address, port in listeners}

    def at(self, ip: str, port: int) -> bool:
        address = ipaddress.ip_address(ip)
        return any(
            port == listening and (address == own or (own.is_unspecified and _on_this_machine(address)))
            for own, listening in self._listeners
        )


def _on_this_machine(address: V4 | V6) -> bool:
    """An address that can be bound is one of ours; there is no other way to ask that needs no privilege
    and no list that goes stale."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True
