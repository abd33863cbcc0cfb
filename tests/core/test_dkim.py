from __future__ import annotations

import hashlib
import re
import time

import dkim as dkimpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import dkim, headers

HASH = hashlib.sha256(b"").digest()
HEADER = b"Subject: a\r\nFROM :  x@y.example\r\nTo:a\r\n\t b\tc  \r\nReceived: 1\r\nX-Other: 1\r\nDate: d\r\n"


def test_every_name_is_listed_once_more_than_it_occurs() -> None:
    h, _ = dkim.signed_part(headers.parse(HEADER))
    names = re.sub(r"\s", "", h).removeprefix("h=").removesuffix(";").split(":")
    assert {name: names.count(name) for name in names} == {
        "From": 2,
        "To": 2,
        "Cc": 1,
        "Subject": 2,
        "Date": 2,
        "Message-ID": 1,
        "Reply-To": 1,
        "MIME-Version": 1,
        "Content-Type": 1,
        "Content-Transfer-Encoding": 1,
        "List-Unsubscribe": 1,
        "List-Unsubscribe-Post": 1,
    }


def test_fields_are_hashed_relaxed_in_the_order_of_h() -> None:
    _, canonical = dkim.signed_part(headers.parse(HEADER))
    assert canonical == b"from:x@y.example\r\nto:a b c\r\nsubject:a\r\ndate:d\r\n"


def test_instances_of_one_name_are_hashed_from_the_bottom_up() -> None:
    h, canonical = dkim.signed_part(headers.parse(b"To: 1\r\nFrom: x\r\nTo: 2\r\n"))
    assert canonical == b"from:x\r\nto:2\r\nto:1\r\n"
    assert h.count("To:") == 3 + 1  # and Reply-To


def field(domain: str = "acme.example", signature: bytes = b"s" * 256) -> bytes:
    h, _ = dkim.signed_part(headers.parse(HEADER))
    unsigned = dkim.unsigned(domain=domain, selector="r1", h=h, body_hash=HASH, timestamp=1795325541)
    return dkim.signature_field(unsigned, signature)


def test_a_signature_field_says_what_it_must_and_nothing_that_weakens_it() -> None:
    tags = dkimpy.util.parse_tag_value(field().partition(b":")[2].strip())
    assert tags[b"v"] == b"1"
    assert tags[b"a"] == b"rsa-sha256"
    assert tags[b"c"] == b"relaxed/simple"
    assert tags[b"d"] == b"acme.example"
    assert tags[b"s"] == b"r1"
    assert tags[b"t"] == b"1795325541"
    assert set(tags) == {b"v", b"a", b"c", b"d", b"s", b"t", b"h", b"bh", b"b"}


@pytest.mark.parametrize("octets", [128, 256, 512])
def test_no_line_of_a_signature_field_needs_refolding(octets: int) -> None:
    raw = field(signature=b"s" * octets)
    assert raw.endswith(b"\r\n")
    assert all(len(line) <= 78 for line in raw.split(b"\r\n"))
    assert len(headers.parse(raw).fields) == 1


def test_a_percent_sign_in_a_name_is_only_a_percent_sign() -> None:
    with pytest.raises((ValueError, TypeError)):
        field(domain="100%b.example")  # no domain; it must not shift what is put in


names = st.sampled_from([*dkim.SIGNED, "X-Other", "received"])
values = st.binary(max_size=40).map(lambda raw: re.sub(rb"[\r\n\x00\x0b\x0c]", b"", raw))
fields = st.lists(st.tuples(names, st.lists(values, min_size=1, max_size=3)), min_size=1, max_size=15)


@given(fields, st.integers(0, 2**33))
def test_what_is_hashed_is_what_dkimpy_hashes(made_of: list[tuple[str, list[bytes]]], timestamp: int) -> None:
    raw = b"".join(name.encode() + b":" + b"\r\n\t".join(lines) + b"\r\n" for name, lines in made_of)
    block = headers.parse(raw)
    h, canonical = dkim.signed_part(block)
    unsigned = dkim.unsigned(domain="acme.example", selector="r1", h=h, body_hash=HASH, timestamp=timestamp)
    hashed: list[bytes] = []
    name, _, value = unsigned.written.partition(b":")
    tags = dkimpy.util.parse_tag_value(value.strip())
    relaxed = dkimpy.CanonicalizationPolicy.from_c_value(b"relaxed/simple")
    dkimpy.hash_headers(
        type("Sink", (), {"update": staticmethod(hashed.append)}),
        relaxed,
        relaxed.canonicalize_headers(
            [[name.encode(), b"\r\n\t".join(lines) + b"\r\n"] for name, lines in made_of]
        ),
        [name.lower() for name in re.sub(rb"\s", b"", tags[b"h"]).split(b":")],
        (name, value),
        tags,
    )
    assert b"".join(hashed).rstrip(b"\r\n") == canonical + unsigned.hashed


def test_hashing_is_linear_in_the_length_of_a_field() -> None:
    blanks = headers.parse(
        b"From: a@b.example\r\nSubject: " + b" \t" * 30_000 + b"x\r\nTo:" + b"\r\n " * 20_000 + b"\r\n"
    )
    before = time.process_time()
    dkim.signed_part(blanks)
    assert time.process_time() - before < 1  # quadratic, it would take minutes
