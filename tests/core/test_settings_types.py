"""The kinds of values: what they take, what they become, what they say."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        (types.tcp, "127.0.0.1:8025", "127.0.0.1:8025"),
        (types.tcp, "[::1]:65535", "[::1]:65535"),
        (types.address_and_port, "[::1]:8025", ("::1", 8025)),
        (types.url, "https://relay.example.net/", "https://relay.example.net"),
        (types.url, "https://relay.example.net:8443/mail", "https://relay.example.net:8443/mail"),
        (types.url, "http://localhost:8026", "http://localhost:8026"),
        (types.url, "http://[::1]:8026", "http://[::1]:8026"),
        (types.token, "x" * 20, Secret("x" * 20)),
        (types.line, "Äpfel & Co", "Äpfel & Co"),
    ],
)
def test_good_values(kind: Any, written: Any, value: Any) -> None:
    assert kind(written) == value


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        *((types.tcp, text) for text in ("8025", "127.0.0.1", "localhost:1", "::1:80", "1.2.3:80", "[::1]")),
        *(
            (types.tcp, text)
            for text in ("127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:1\n", "[fe80::1%lo]:1")
        ),
        *((types.url, text) for text in ("relay.example.net", "ftp://a.example", "https://", "https://a b")),
        *(
            (types.url, text)
            for text in ("http://relay.example.net", "http://192.0.2.1", "https://a.example?x")
        ),
        *(
            (types.url, text)
            for text in ("https://u:p@a.example", "https://a.example/#x", "https://a.example/\n")
        ),
        *((types.token, text) for text in ("x" * 19, "x" * 513, "a b" * 10, "ü" * 20, "", 7)),
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


@given(st.text(max_size=60) | st.from_regex(r"\[?[0-9a-f.:]{1,20}\]?:[0-9]{1,6}"))
def test_a_place_that_is_taken_is_an_address_and_a_port(text: str) -> None:
    try:
        address, port = types.address_and_port(text)
    except ValueError:
        return
    assert ip_address(address)
    assert 0 < port < 65536


@given(st.text(max_size=60) | st.from_regex(r"https?://[a-z0-9.:\[\]/?#@%-]{0,40}", fullmatch=True))
def test_an_address_of_pages_that_is_taken_is_safe_to_print_and_to_add_to(text: str) -> None:
    try:
        url = types.url(text)
    except ValueError:
        return
    parts = urlsplit(url)
    assert (
        parts.scheme == "https" or parts.hostname in ("localhost", "::1") or parts.hostname.startswith("127.")
    )
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)
    assert not re.search(r"[\s\"'<>\\]", url)
    assert not url.endswith("/")
