"""Where our mail comes from, as recipients see it."""

from __future__ import annotations

import ipaddress

import pytest

from relayd.net import egress

BOTH = ("ipv6", "ipv4")
NAMED = ("192.0.2.25", "2001:db8::25")
PUBLIC = {"ipv4": "9.9.9.9", "ipv6": "2620:fe::9"}


@pytest.mark.parametrize(
    ("named", "families", "smarthost", "here", "seen"),
    [
        # what the operator says counts, as far as mail leaves that way
        (NAMED, BOTH, False, PUBLIC, NAMED),
        (NAMED, ("ipv4",), False, PUBLIC, ("192.0.2.25",)),
        (("10.0.0.1",), ("ipv4",), False, PUBLIC, ("10.0.0.1",)),
        # a smarthost has addresses of its own, over whatever we reach it
        (NAMED, ("ipv4",), True, PUBLIC, NAMED),
        ((), BOTH, True, PUBLIC, ()),
        # found out
        ((), BOTH, False, PUBLIC, ("2620:fe::9", "9.9.9.9")),
        ((), ("ipv4",), False, PUBLIC, ("9.9.9.9",)),
        ((), BOTH, False, {"ipv4": "9.9.9.9"}, ("9.9.9.9",)),  # no route over IPv6: no mail either
        ((), BOTH, False, {}, ()),
        # a NAT: one family that nobody knows is enough
        ((), BOTH, False, {**PUBLIC, "ipv4": "192.168.1.5"}, ()),
        ((), ("ipv6",), False, {**PUBLIC, "ipv4": "192.168.1.5"}, ("2620:fe::9",)),
        ((), ("ipv4",), False, {"ipv4": "100.64.0.7"}, ()),
    ],
)
def test_the_addresses_that_recipients_see(
    monkeypatch: pytest.MonkeyPatch,
    named: tuple[str, ...],
    families: tuple[str, ...],
    smarthost: bool,
    here: dict[str, str],
    seen: tuple[str, ...],
) -> None:
    monkeypatch.setattr(egress, "source", here.get)
    assert egress.seen_as(named, families, smarthost=smarthost) == seen


@pytest.mark.parametrize(("family", "version"), [("ipv4", 4), ("ipv6", 6)])
def test_the_kernel_says_which_address_of_this_host_a_route_uses(family: str, version: int) -> None:
    found = egress.source(family)
    assert found is None or ipaddress.ip_address(found).version == version


def test_a_host_without_the_route_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(egress.FAR_AWAY, "ipv4", "255.255.255.255")  # refused without asking for broadcasts
    assert egress.source("ipv4") is None
