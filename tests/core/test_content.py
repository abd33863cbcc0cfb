from __future__ import annotations

import hashlib
import itertools
import re
import time
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from relayd.core.content import FIELDS_MAX, HEADER_MAX, ContentRefused, Settler
from relayd.core.reasons import Reason

LIMIT = 5000


@dataclass(frozen=True)
class Seen:
    header: bytes
    body: bytes
    size: int
    hash: bytes
    eight_bit: bool
    bare: int


@dataclass(frozen=True)
class Refused:
    code: int
    enhanced: str
    reason: Reason
    text: str


def settle(pieces: list[bytes], limit: int = LIMIT) -> Seen | Refused:
    settler = Settler(limit=limit)
    try:
        body = b"".join([settler.feed(piece) for piece in pieces])
        facts = settler.finish()
    except ContentRefused as no:
        return Refused(no.code, no.enhanced, no.reason, no.text)
    return Seen(facts.header, body, facts.body_size, facts.body_hash, facts.eight_bit, facts.bare_line_feeds)


def naive(data: bytes) -> Seen | None:
    """The same, line by line and without a thought for speed; None when it is refused."""
    lines, bare, line_start = [], 0, True
    for raw in data.split(b"\n")[:-1]:
        smtp_end = raw.endswith(b"\r")
        line = raw.removesuffix(b"\r")
        if line_start and line.startswith(b"."):
            line = line[1:]
        elif line_start and raw == b".":
            line = b""
        line_start = smtp_end
        bare += not smtp_end
        if b"\r" in line or b"\0" in line or len(line) > 998:
            return None
        lines.append(line)
    if sum(len(line) + 2 for line in lines) > LIMIT:
        return None
    split = lines.index(b"") if b"" in lines else len(lines)
    header, body = lines[:split], lines[split + 1 :]
    if header and header[0][:1] in (b" ", b"\t"):
        return None
    for line in header:
        if line[:1] not in (b" ", b"\t") and not re.fullmatch(rb"[!-9;-~]+:.*", line, re.DOTALL):
            return None
    kept = list(body)
    while kept and kept[-1] == b"":
        kept.pop()
    canonical = b"".join(line + b"\r\n" for line in kept) or b"\r\n"
    whole = b"".join(line + b"\r\n" for line in body)
    return Seen(
        b"".join(line + b"\r\n" for line in header),
        whole,
        len(whole),
        hashlib.sha256(canonical).digest(),
        not b"".join(lines).isascii(),
        bare,
    )


token = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b".",
        b"\0",
        b"a",
        b"From: x",
        b" ",
        b"\t",
        b":",
        b"X",
        b"\xe4",
        b"x" * 997,
        b"x" * 500,
    ]
)
anything = st.lists(token, max_size=30).map(b"".join)
mostly_right = st.lists(
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n.", b"\n", b"a:", b"b", b"x" * 90, b"\xc3\xa4", b" "]),
    max_size=40,
).map(lambda parts: b"Subject: x\r\n" + b"".join(parts))


@given(data=st.one_of(anything, mostly_right))
@example(data=b"A: b\r\n\r\nx\n.\r\n..\r\n")
@example(data=b"..:\r\n")
@settings(max_examples=400)
def test_it_settles_as_the_plain_reading_of_the_standards_does(data: bytes) -> None:
    data += b"\r\n"
    seen = settle([data])
    wanted = naive(data)
    assert (seen if isinstance(seen, Seen) else None) == wanted


@given(data=st.one_of(anything, mostly_right), cuts=st.lists(st.integers(0, 3000), max_size=12))
@settings(max_examples=400)
def test_how_it_is_cut_makes_no_difference_not_even_to_a_refusal(data: bytes, cuts: list[int]) -> None:
    data += b"\r\n"
    at = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(at)]
    assert settle(pieces) == settle([data])


@given(data=mostly_right)
def test_octet_by_octet_is_no_different(data: bytes) -> None:
    data += b"\r\n"
    assert settle([data[at : at + 1] for at in range(len(data))]) == settle([data])


@given(data=st.one_of(anything, mostly_right))
def test_what_is_settled_is_settled_for_good(data: bytes) -> None:
    seen = settle([data + b"\r\n"])
    if isinstance(seen, Seen) and seen.header:
        again = settle([seen.header + b"\r\n" + seen.body.replace(b"\r\n.", b"\r\n..")], limit=LIMIT + 10)
        if not seen.body.startswith(b".") and not seen.header.startswith(b"."):
            assert isinstance(again, Seen)
            assert (again.header, again.body, again.hash) == (seen.header, seen.body, seen.hash)
            assert again.bare == 0


def test_empty_bodies_hash_as_one_line_end() -> None:
    for data in (b"A: b\r\n", b"A: b\r\n\r\n", b"A: b\r\n\r\n\r\n\r\n"):
        seen = settle([data])
        assert isinstance(seen, Seen)
        assert seen.hash == hashlib.sha256(b"\r\n").digest()  # RFC 6376 section 3.4.3


REFUSALS = [
    (b"From me Sat Jan 1\r\nA: b\r\n\r\n", "From me Sat Jan 1", "mailbox file"),
    (b"A: b\r\nno field\r\n\r\n", '"no field" as line 2', "Name: value"),
    (b"A: b\r\nX : y\r\n\r\n", '"X : y" as line 2', "Name: value"),
    (b" folded\r\nA: b\r\n\r\n", '" folded" as line 1', "continuation"),
    (b"\xe4: b\r\n\r\n", "as line 1", "Name: value"),
    (b"A: b\r\n\r\na\rb\r\n", "a CR that no LF follows", "base64"),
    (b"A: b\r\n\r\na\0b\r\n", "a NUL octet", "base64"),
    (b"X: y\r\n" * (FIELDS_MAX + 1) + b"\r\n", f"more than {FIELDS_MAX} header fields", "fewer"),
    (b"X: " + b"\r\n y" * 20_000 + b"\r\n\r\n", "a header field of more than 65536", "shorten"),
    ((b"X: " + b"y" * 900 + b"\r\n") * 300, f"a header block of more than {HEADER_MAX}", "shorten"),
]


@pytest.mark.parametrize(("data", "seen", "advice"), REFUSALS, ids=[seen for _, seen, _ in REFUSALS])
def test_a_refusal_says_what_was_seen_and_what_to_change(data: bytes, seen: str, advice: str) -> None:
    no = settle([data], limit=10**7)
    assert isinstance(no, Refused)
    assert (no.code, no.enhanced, no.reason) == (554, "5.6.0", Reason.MESSAGE_MALFORMED)
    assert seen in no.text
    assert advice in no.text.rpartition(": ")[2] or advice in no.text


@pytest.mark.parametrize("before", [0, 1, 7, 5000])
def test_a_line_too_long_is_named_by_its_number(before: int) -> None:
    data = b"A: b\r\n\r\n" + b"y" * 90 + b"\r\n" + (b"x" * 70 + b"\r\n") * before + b"z" * 999 + b"\r\n"
    for pieces in ([data], [data[at : at + 1000] for at in range(0, len(data), 1000)]):
        no = settle(pieces, limit=10**7)
        assert isinstance(no, Refused)
        assert no.text == f"line {before + 4} is longer than 998 octets: use base64 or quoted-printable"
        assert no.reason is Reason.MESSAGE_LINE_TOO_LONG


def test_998_octets_are_a_line_with_or_without_a_stuffed_dot() -> None:
    for line in (b"x" * 998, b".." + b"x" * 997):
        assert isinstance(settle([b"A: b\r\n\r\n" + line + b"\r\n"]), Seen)


def test_the_limit_counts_settled_octets() -> None:
    head = b"A: b\r\n\r\n"
    assert isinstance(settle([head + b"x\r\n"], limit=11), Seen)
    no = settle([head + b"x\n"], limit=10)
    assert isinstance(no, Refused)
    assert (no.code, no.enhanced, no.reason) == (552, "5.3.4", Reason.MESSAGE_TOO_BIG)
    assert "10 octets" in no.text


@pytest.mark.parametrize(
    "block",
    [b"\r\n" * 500_000, b"\n" * 500_000, b" \t" * 499 + b"\r\n", b".\r\n" * 300_000, b"x" * 998 + b"\r\n"],
    ids=["CRLF", "LF", "blanks", "dots", "long"],
)
def test_time_grows_with_size_and_no_faster(block: bytes) -> None:
    def seconds(times: int) -> float:
        pieces = [b"A: b\r\n\r\n", *[block] * (times * 1_000_000 // len(block))]
        start = time.process_time()
        assert isinstance(settle(pieces, limit=10**9), Seen)
        return time.process_time() - start

    assert seconds(8) < 30 * max(min(seconds(1) for _ in range(3)), 0.005)  # 8; were it squared, 64
