"""Public addresses, the same with every Python."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest

import relayd
from relayd.core import public


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("8.8.8.8", None),
        ("2001:4860:4860::8888", None),
        ("::ffff:8.8.8.8", None),
        ("2002:808:808::1", None),  # Debian's Python has all of 2002::/16 as private, others have none
        ("192.0.0.9", "protocol assignments"),  # global with some Pythons
        ("2001:20::1", "protocol assignments"),
        ("64:ff9b:1::1", "local NAT64"),
        ("fec0::1", "site-local"),  # global with all of them, as is what follows
        ("224.0.0.1", "multicast"),
        ("168.63.129.16", "Azure's host"),
        ("64:ff9b::10.0.0.1", "private, reached through 10.0.0.1"),
        ("100.64.0.1", "carrier-grade NAT"),
    ],
)
def test_an_address_is_public_or_has_a_reason_why_not(text: str, why: str | None) -> None:
    assert public.why_not(ipaddress.ip_address(text)) == why


def test_nobody_asks_python_what_is_public() -> None:
    asked = re.compile(r"\.is_(global|private|reserved)\b")
    sources = Path(relayd.__file__).parent.rglob("*.py")
    assert [source.name for source in sources if asked.search(source.read_text("utf-8"))] == []
