from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.dialogue import (
    Envelope,
    Offers,
    Stuffer,
    complete,
    envelope,
    heard,
    nothing,
    reply,
)
from relayd.core.reply import CAP, Fault, FaultKind, Reply, Stage, clean

ALL = Offers(pipelining=True, takes_size=True, size=1000, eight_bit=True, smtputf8=True)


def lines(
    *recipients: str,
    return_path: str = "bounce@platform.example",
    size: int = 500,
    eight_bit: bool = False,
    utf8_header: bool = False,
    offers: Offers = ALL,
) -> Envelope:
    return envelope(
        return_path=return_path,
        recipients=recipients or ("bob@example.com",),
        size=size,
        eight_bit=eight_bit,
        utf8_header=utf8_header,
        offers=offers,
        host="mx.example",
    )


# --- what a server offers ---


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ({}, Offers()),
        ({"size": "1000"}, Offers(takes_size=True, size=1000)),
        ({"size": "0"}, Offers(takes_size=True)),
        ({"size": ""}, Offers(takes_size=True)),
        ({"size": "many"}, Offers(takes_size=True)),
        ({"size": "9" * 40}, Offers(takes_size=True)),
        (
            {"pipelining": "", "8bitmime": "", "smtputf8": "", "starttls": ""},
            Offers(pipelining=True, eight_bit=True, smtputf8=True, starttls=True),
        ),
    ],
)
def test_what_a_server_offers_is_read_from_its_keywords(extensions: dict[str, str], expected: Offers) -> None:
    assert Offers.read(extensions) == expected


def test_mechanisms_are_named_once_and_in_upper_case() -> None:
    assert Offers.read({"auth": "x"}, ["plain", "LOGIN", "PLAIN"]).auth == ("PLAIN", "LOGIN")


# --- the envelope ---


def test_an_envelope_names_size_and_recipients() -> None:
    made = lines("bob@example.com", "eve@example.com")
    assert made.mail == b"MAIL FROM:<bounce@platform.example> SIZE=500\r\n"
    assert made.rcpts == (b"RCPT TO:<bob@example.com>\r\n", b"RCPT TO:<eve@example.com>\r\n")
    assert made.recipients == (0, 1)


def test_a_server_without_extensions_gets_none() -> None:
    made = lines(offers=Offers(), eight_bit=True)
    assert made.mail == b"MAIL FROM:<bounce@platform.example>\r\n"
    assert len(made.notes) == 1


def test_eight_bit_content_is_announced_where_it_may_be() -> None:
    assert lines(eight_bit=True).mail.endswith(b" SIZE=500 BODY=8BITMIME\r\n")
    assert lines(eight_bit=True).notes == ()


def test_the_null_return_path_is_written_as_such() -> None:
    assert lines(return_path="").mail.startswith(b"MAIL FROM:<> ")


def test_what_is_too_big_is_not_asked() -> None:
    made = lines("bob@example.com", "eve@example.com", size=1001)
    assert made.recipients == ()
    assert {fault.kind for fault in made.refused.values()} == {FaultKind.TOO_BIG}
    assert lines(size=1000).refused == {}


def test_utf8_is_announced_where_anything_needs_it() -> None:
    assert b"SMTPUTF8" in lines("jürgen@example.com").mail
    assert b"SMTPUTF8" in lines(utf8_header=True).mail
    assert b"SMTPUTF8" in lines(return_path="jürgen@example.com").mail
    assert b"SMTPUTF8" not in lines().mail
    assert lines("jürgen@example.com").rcpts == ("RCPT TO:<jürgen@example.com>\r\n".encode(),)


def test_without_smtputf8_utf8_addresses_fail_alone_and_a_utf8_return_path_for_all() -> None:
    made = lines("jürgen@example.com", "bob@example.com", offers=Offers())
    assert made.recipients == (1,)
    assert made.refused[0].kind is FaultKind.SMTPUTF8
    assert "jürgen@example.com" in made.refused[0].text
    made = lines("bob@example.com", return_path="jürgen@example.com", offers=Offers())
    assert made.recipients == ()
    assert "jürgen@example.com" in made.refused[0].text


def test_a_quoted_local_part_is_written_with_its_quotes() -> None:
    assert lines('"a> SIZE=1 \\" b"@example.com').rcpts == (b'RCPT TO:<"a> SIZE=1 \\" b"@example.com>\r\n',)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nRCPT TO:<x@y>",
        "a@b.example> SIZE=1",
        "a b@c.example",
        '"a\r\n"@b.example',
        "a@b\x00.example",
        "a@b\x7f.example",
        "a@b@c.example",
        "@b.example",
        "a@",
        "<a@b.example>",
        "a",
    ],
)
def test_what_says_more_than_an_address_is_never_written(address: str) -> None:
    with pytest.raises(ValueError, match="not a mailbox"):
        lines(address)
    with pytest.raises(ValueError, match="not a mailbox"):
        lines(return_path=address)


def test_an_envelope_of_nothing_has_a_fault_for_everybody() -> None:
    made = nothing(2, "mx.example")
    assert [made.refused[index].kind for index in (0, 1)] == [FaultKind.INTERNAL] * 2


# --- replies ---


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"250 OK\r\n", True),
        (b"250\r\n", True),
        (b"250-more\r\n", False),
        (b"250 bare line end\n", True),
        (b"150 class\r\n", None),
        (b"600 class\r\n", None),
        (b"2x0 OK\r\n", None),
        (b"250_OK\r\n", None),
        (b"2500\r\n", None),
        (b"\r\n", None),
    ],
)
def test_a_line_ends_a_reply_goes_on_or_is_none(line: bytes, expected: bool | None) -> None:
    assert complete(line) is expected


def said(raw: bytes) -> Reply:
    result = reply(raw, stage=Stage.RCPT, host="mx.example")
    assert isinstance(result, Reply)
    return result


def test_the_enhanced_code_has_its_own_field_and_lines_are_kept() -> None:
    result = said(
        b"550-5.1.1 The account does not exist.\r\n550-5.1.1 Check it, please.\r\n550 5.1.1 -- x\r\n"
    )
    assert (result.code, result.enhanced) == (550, "5.1.1")
    assert result.text == "The account does not exist.\nCheck it, please.\n-- x"


@pytest.mark.parametrize(
    ("raw", "enhanced", "text"),
    [
        (b"550 no such user\r\n", None, "no such user"),
        (b"550 5.1.1\r\n", "5.1.1", ""),
        (b"550\r\n", None, ""),
        (b"550 5.1.1x\r\n", None, "5.1.1x"),
        (b"550 9.1.1 x\r\n", None, "9.1.1 x"),
        (b"550 5.1.1\tx\ty\r\n", "5.1.1", "x y"),
        (b"550 \xff\xfe caf\xe9\r\n", None, "\ufffd\ufffd caf\ufffd"),
        (b"550 red \x1b[31m \x07 end\r\n", None, "red end"),
        ("550 a\u202eb\u200bc\u2028d\r\n".encode(), None, "abc d"),
    ],
)
def test_a_reply_is_cleaned(raw: bytes, enhanced: str | None, text: str) -> None:
    result = said(raw)
    assert (result.enhanced, result.text) == (enhanced, text)


@pytest.mark.parametrize("raw", [b"hello\r\n", b"250-a\r\nb\r\n", b"\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_what_is_not_smtp_is_a_fault_that_shows_nothing_of_it(raw: bytes) -> None:
    result = reply(raw, stage=Stage.BANNER, host="mx.example")
    assert isinstance(result, Fault)
    assert result.kind is FaultKind.PROTOCOL
    assert "SSH" not in result.text


def test_a_code_that_is_none_is_a_fault() -> None:
    assert isinstance(heard(-1, "Malformed", Stage.BANNER, "mx.example"), Fault)


@given(st.text())
def test_clean_text_is_printable_and_capped(text: str) -> None:
    result = clean(text)
    assert len(result) <= CAP
    assert all(character.isprintable() or character == "\n" or character.isspace() for character in result)
    assert not any(character in result for character in "\x00\x1b\r\x7f\u2028\u202e")


def test_a_long_text_shows_that_it_was_cut() -> None:
    assert "x…x" in clean("x" * 600)
    assert clean("x" * CAP) == "x" * CAP


@given(st.binary(max_size=300))
def test_no_octets_can_break_the_reader_of_replies(raw: bytes) -> None:
    result = reply(raw, stage=Stage.END, host="mx.example")
    assert isinstance(result, Reply | Fault)


# --- dots ---


def unstuffed(data: bytes) -> bytes:
    """As a receiver undoes it (RFC 5321 section 4.5.2)."""
    assert data.endswith(b"\r\n.\r\n")
    lines = data[: -len(b".\r\n")].split(b"\r\n")
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


settled = st.lists(
    st.lists(st.sampled_from([b".", b"a", b"..", b" "]), max_size=4).map(b"".join), max_size=12
).map(lambda rows: b"".join(row + b"\r\n" for row in rows))


@given(settled, st.lists(st.integers(0, 60), max_size=12))
def test_dots_are_doubled_whatever_way_the_octets_are_cut(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    stuffer = Stuffer()
    sent = stuffer.stuff(b"A: b\r\n\r\n")
    sent += b"".join(stuffer.stuff(body[start:end]) for start, end in itertools.pairwise(edges))
    sent += stuffer.end()
    assert unstuffed(sent) == b"A: b\r\n\r\n" + body
    assert sent.count(b"\r\n.\r\n") == 1


@given(settled)
def test_every_octet_by_itself_is_stuffed_like_the_whole(body: bytes) -> None:
    whole, single = Stuffer(), Stuffer()
    assert b"".join(single.stuff(body[at : at + 1]) for at in range(len(body))) == whole.stuff(body)
    assert single.end() == whole.end()


def test_a_last_line_without_an_end_gets_one() -> None:
    stuffer = Stuffer()
    assert stuffer.stuff(b"a") + stuffer.end() == b"a\r\n.\r\n"
    assert stuffer.stuff(b"") == b""
