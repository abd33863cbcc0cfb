"""The egress guard: which addresses we never connect to, though a customer or DNS names them.

Anybody can point the MX of a domain, or the host of an upstream, into our own network. So each address is
judged after it was resolved, and the connection is made to exactly the address that was judged.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Sequence

from relayd.core import public

V4 = ipaddress.IPv4Address
V6 = ipaddress.IPv6Address


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
        why = public.why_not(address)
        return None if why is None else f"{ip} is not a public address ({why})"

    def allows(self, ip: str) -> bool:
        """Whether the operator named this address expressly."""
        address: V4 | V6 = ipaddress.ip_address(ip)
        if isinstance(address, V6) and address.ipv4_mapped:
            address = address.ipv4_mapped
        return any(address.version == net.version and address in net for net in self._allow)


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
    return tuple(found) if all(public.why_not(ipaddress.ip_address(ip)) is None for ip in found) else ()


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
