from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.public import SPECIAL
from relayd.net.egress import Guard, Ourselves, literal

REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 fe80::1 fe80::1%lo febf::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 100::1 2001:db8::1 3fff::1 5f00::1
100:0:0:1::1 2001:1::1 2001:2::1 2001:3::1 2001:4:112::1 2001:10::1 2001:20::1 2001:30::1 2001:1ff:ffff::1
192.0.0.9 192.0.0.10 192.0.0.170
::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:10.0.0.1 ::127.0.0.1 ::7f00:1
::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 64:ff9b:1:abcd::10.0.0.1
2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe::
2001:0:7f00:1::1 2001:0:808:808::80ff:fffe 2001:0:808:808::f7f7:f7f7
2a00::5efe:127.0.0.1 2a00::200:5efe:10.0.0.1
"""

ALLOWED = """
1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.1.1 172.15.255.255 172.32.0.1
192.167.1.1 198.17.1.1 198.20.0.1 223.255.255.255 2a00:1450::1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::8.8.8.8
2002:808:808::1 2a00::5efe:8.8.8.8 2001:200::1 2001:4860:4860::8888
192.31.196.1 192.52.193.1 192.175.48.1 192.0.1.1 2620:4f:8000::1 64:ff9b:2::1 100:0:0:2::1 101::1
"""


@pytest.mark.parametrize("ip", REFUSED.split())
def test_what_is_not_public_is_refused_with_the_reason(ip: str) -> None:
    refusal = Guard().refusal(ip)
    assert refusal is not None
    assert ip in refusal


@pytest.mark.parametrize("ip", ALLOWED.split())
def test_what_is_public_is_allowed(ip: str) -> None:
    assert Guard().refusal(ip) is None


def test_what_the_operator_names_is_allowed_and_nothing_beside_it() -> None:
    guard = Guard(["10.1.0.0/16", "fd00::/8"])
    assert guard.refusal("10.1.2.3") is None
    assert guard.refusal("::ffff:10.1.2.3") is None
    assert guard.refusal("fd00::1") is None
    assert guard.refusal("10.2.0.1") is not None
    assert guard.refusal("fc00::1") is not None
    assert guard.refusal("2002:a01:203::") is not None


def test_the_reason_names_the_address_hidden_inside() -> None:
    assert "reached through 127.0.0.1" in (Guard().refusal("2002:7f00:1::") or "")


def test_an_allowed_network_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="host bits"):
        Guard(["10.0.0.1/8"])


@given(st.ip_addresses())
def test_whatever_python_knows_as_not_global_is_refused(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    refusal = Guard().refusal(str(address))
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert refusal is not None
    if address.version == 4 and not address.is_global:
        assert refusal is not None


@given(st.sampled_from([network for network, _ in SPECIAL]), st.data())
def test_every_address_of_a_blocked_network_is_refused(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, network.num_addresses - 1))
    assert Guard().refusal(str(network[at])) is not None


@given(st.ip_addresses(v=4))
def test_an_address_wrapped_in_ipv6_is_judged_like_itself(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    guard = Guard()
    for wrapped in (
        ipaddress.IPv6Address(0xFFFF << 32 | number),
        ipaddress.IPv6Address((0x0064FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | number << 80),
    ):
        assert (guard.refusal(str(wrapped)) is None) == (guard.refusal(str(address)) is None)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("127.1", None),
        ("0177.0.0.1", None),
        ("mx.example", None),
        ("", None),
    ],
)
def test_an_address_is_known_in_its_one_form(host: str, expected: str | None) -> None:
    assert literal(host) == expected


# --- ourselves ---


def test_a_listener_is_ours_at_its_address_and_port_only() -> None:
    ourselves = Ourselves([("127.0.0.1", 2525)])
    assert ourselves.at("127.0.0.1", 2525)
    assert not ourselves.at("127.0.0.1", 25)
    assert not ourselves.at("192.0.2.1", 2525)


def test_a_listener_on_all_addresses_is_ours_wherever_this_machine_is() -> None:
    ourselves = Ourselves([("0.0.0.0", 25), ("::", 25)])
    assert ourselves.at("127.0.0.1", 25)
    assert ourselves.at("127.8.8.8", 25)
    assert ourselves.at("::1", 25)
    assert not ourselves.at("192.0.2.1", 25)
    assert not ourselves.at("2001:db8::1", 25)


def test_without_listeners_nothing_is_ours() -> None:
    assert not Ourselves().at("127.0.0.1", 25)
