"""Which addresses are public: those that the whole world reaches, and where it reaches the same machine.

Python's `is_global` and `is_private` say something else with each of its versions (CVE-2024-4032), and what a
guard stands on must not change with the Python that an operator happens to have.
"""

from __future__ import annotations

import ipaddress

V4 = ipaddress.IPv4Address
V6 = ipaddress.IPv6Address

# From IANA's special-purpose registries (RFC 6890 and what followed), and what the cloud hides there.
SPECIAL = tuple(
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
        ("100:0:0:1::/64", "dummy"),
        ("2001::/23", "protocol assignments"),  # Teredo among them
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


def why_not(address: V4 | V6) -> str | None:
    """Why an address is not public; None for one that is."""
    for candidate in (address, *_embedded(address)):
        for network, why in SPECIAL:
            if candidate.version == network.version and candidate in network:
                return why if candidate == address else f"{why}, reached through {candidate}"
    return None


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
    # IPv4-compatible (RFC 4291 section 2.5.5.1), IPv4-translated (RFC 2765 section 2.1), NAT64 (RFC 6052)
    if number >> 32 in (0, 0xFFFF << 16, 0x0064FF9B << 64):
        found.append(low)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(low)
    return found
