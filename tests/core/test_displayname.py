from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relayd.core import displayname, mailbox

names = st.text(max_size=300)


def written(name: str) -> bytes:
    """A From field as it is written, folded before each word."""
    return b"\r\n ".join((b"From:", *displayname.words(name), b"<a@b.example>"))


@given(names)
@example("=?utf-8?q?a=0D=0ABcc:x?=")
@example('"Ann" \\ Bo')
@example("Ä" * 290)
@example("\u2028Bcc: x@y")
@example("日本語" * 60)
def test_a_name_comes_back_as_it_was(name: str) -> None:
    assert mailbox.parse(written(name).partition(b":")[2]).name == displayname.clean(name)


@given(names)
@example("Müller\r\nBcc: evil@x\r\n\r\nbody")
@example("a\x00b\x85c\u2029d\re\nf")
def test_no_name_ends_a_line_or_makes_one_too_long(name: str) -> None:
    for word in displayname.words(name):
        assert re.fullmatch(rb"[ -~]{1,75}", word)
    for line in written(name).split(b"\r\n")[1:]:
        assert len(line) <= 76


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc", "Cn", "Cf"]), max_size=120))
def test_another_parser_reads_the_same_name(name: str) -> None:
    field = message_from_bytes(written(name) + b"\r\n\r\n")["From"]
    phrase, _ = parseaddr(field.replace("\r\n", ""))
    assert str(make_header(decode_header(phrase))) == displayname.clean(name)


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("  ACME \t BV ", "ACME BV"),
        ("ACME\r\nBcc: x", "ACME Bcc: x"),
        ("a\u2028b\u2029c\x85d\x00e", "a b c d e"),
        ("\u202eexe.gpj\u2066", "exe.gpj"),
        ("\ud800x", "x"),
        ("\r\n", ""),
        ("مؤسسة", "مؤسسة"),
    ],
)
def test_a_name_is_cleaned_of_what_ends_or_turns_a_line(name: str, clean: str) -> None:
    assert displayname.clean(name) == clean


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("billing@acme.example", "billing at acme.example"),
        ("a ＠ b﹫c", "a at b at c"),
        ("ACME BV", "ACME BV"),
        ("@", "at"),
    ],
)
def test_a_name_loses_what_makes_it_look_like_an_address(name: str, without: str) -> None:
    assert displayname.without_at(name) == without


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ACME BV", (b'"ACME BV"',)),
        ('Joe "the" \\', (b'"Joe \\"the\\" \\\\"',)),
        ("", ()),
        ("Müller", (b"=?utf-8?q?M=C3=BCller?=",)),
    ],
)
def test_names_are_quoted_when_ascii_and_encoded_when_not(name: str, words: tuple[bytes, ...]) -> None:
    assert displayname.words(name) == words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain", "plain"),
        ("=?utf-8?q?J=C3=BCrgen_M?=", "Jürgen M"),
        ("=?UTF-8?B?SsO8cmdlbg==?=", "Jürgen"),
        ("=?UTF-8?B?SsO8cmdlbg?=", "Jürgen"),  # padding left out
        ("=?utf-8*de?q?J=C3=BCrgen?=", "Jürgen"),  # RFC 2231 section 5
        ("=?iso-8859-1?q?J=FCrgen?=", "Jürgen"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?J=C3?=\r\n =?utf-8?q?=BCrgen?=", "Jürgen"),  # a character split between two words
        ("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        ("=?utf-8?q?=C3=A4?= =?iso-8859-1?q?=E4?=", "ää"),
        ("=?nope?q?a?= b", "=?nope?q?a?= b"),
        ("=?utf-8?b?!!?=", "=?utf-8?b?!!?="),
        ("=?utf-8?q?é?=", "=?utf-8?q?é?="),
        ("=?idna?q?xn--?=", "=?idna?q?xn--?="),  # a codec that knows no "replace"
        ("=?utf-8?q?=FF?=", "\ufffd"),
        ("=?utf-8?q?a=0D=0ABcc:x?=", "a Bcc:x"),
        ("C:\\u0041 =?utf-8?q?x?= =?", "C:\\u0041 x =?"),
    ],
)
def test_written_values_are_read_as_people_read_them(text: str, said: str) -> None:
    assert displayname.decode(text) == said


@given(st.text(alphabet="=?utf-8bqQ_ A\r\n", max_size=200))
def test_nothing_that_looks_encoded_makes_decode_stumble(text: str) -> None:
    displayname.decode(text)


def test_decoding_is_linear_in_what_it_is_given() -> None:
    displayname.decode("=?a?q?" * 20_000)  # quadratic, this would take minutes
    displayname.decode("=?" * 50_000)
