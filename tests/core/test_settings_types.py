"""The kinds of values: what they take, what they become, what they say."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from relayd.core import settings_types as types
from relayd.core.address import Address
from relayd.core.sender import Secret
from relayd.core.settings import Delivery, Http, SenderSettings


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (types.duration, "500ms", timedelta(milliseconds=500)),
        (types.duration, "14d", timedelta(days=14)),
        (types.duration, timedelta(1), timedelta(1)),
        (types.size, "1GiB", 1 << 30),
        (types.size, 1000, 1000),
        (types.secret, "x", Secret("x")),
        (types.secret, Secret("x"), Secret("x")),
        (types.domain, "Relay.Example.NET", "relay.example.net"),
        (types.domain, "bücher.example", "xn--bcher-kva.example"),
        (types.host, "localhost", "localhost"),
        (types.host, "::1", "::1"),
        (types.host, "SMTP.acme.example", "smtp.acme.example"),
        (types.ip, "0:0::1", "::1"),
        (types.mailbox, "a@b.example", Address("a", "b.example")),
        (types.mailbox, Address("a", "b.example"), Address("a", "b.example")),
        (types.network, "10.0.0.0/8", ip_network("10.0.0.0/8")),
        (types.network, "::1", ip_network("::1/128")),
        (types.network, ip_network("::/0"), ip_network("::/0")),
        (types.nameserver, "[::1]:53", "[::1]:53"),
        (types.nameserver, "::1", "::1"),
        (types.nameserver, "192.0.2.1:5353", "192.0.2.1:5353"),
        (types.selector, "r1.2030", "r1.2030"),
        (types.line, "Äpfel & Co", "Äpfel & Co"),
    ],
)
def test_good_values(kind: Any, written: Any, value: Any) -> None:
    assert kind(written) == value


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (types.duration, 10),
        (types.duration, "10"),
        (types.duration, "1 h"),
        (types.duration, "\u0661s"),
        (types.duration, "4000d"),
        (types.size, 0),
        (types.size, True),
        (types.size, "35MB"),
        (types.secret, ""),
        (types.secret, 7),
        (types.secret, "a\nb"),
        (types.domain, "localhost"),
        (types.domain, "192.0.2.1"),
        (types.domain, "a.example."),
        (types.domain, "a..example"),
        (types.domain, ""),
        (types.host, "smtp acme"),
        (types.host, "fe80::1%eth0"),
        (types.ip, "localhost"),
        (types.mailbox, 7),
        (types.mailbox, "a"),
        (types.network, 7),
        (types.network, "10.0.0.1/8"),
        (types.network, "x"),
        (types.nameserver, "ns.example:53"),
        (types.nameserver, "192.0.2.1:0"),
        (types.nameserver, "192.0.2.1:65536"),
        (types.selector, "R1"),
        (types.selector, "a..b"),
        (types.line, " "),
        (types.line, "a\u2028b"),
        (types.line, "x" * 201),
    ],
)
def test_bad_values(kind: Any, written: Any) -> None:
    with pytest.raises(ValueError, match=r"^an? |^the "):
        kind(written)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(hours=72), "3d"),
        (timedelta(seconds=90), "90s"),
        (timedelta(milliseconds=1500), "1500ms"),
    ],
)
def test_durations_are_written_briefly(value: timedelta, text: str) -> None:
    assert types.brief(value) == text


def test_odd_sizes_are_written_in_octets() -> None:
    assert types.brief_size(1001) == "1001"


def test_settings_made_in_code_keep_their_paths_and_hide_their_secrets() -> None:
    """Without the loader nobody says where relative paths start."""
    sender = SenderSettings(
        name="A",
        address="a@b.example",
        upstream={"host": "smtp.b.example", "username": "a", "password": "canary"},
    )

    assert Http().socket == "api.sock"
    assert "canary" not in repr(sender) + sender.model_dump_json()
    assert Delivery().model_dump(mode="json")["retry_after"][0] == "2m"
