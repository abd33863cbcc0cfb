from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import mailbox
from relayd.core.address import Address
from relayd.core.mailbox import Mailbox, MailboxError

AB = Address("a", "b.example")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b" a@b.example", ""),
        (b"<a@b.example>", ""),
        (b' "ACME" <a@b.example>', "ACME"),
        (b' "Q. \\"X\\" \\\\" <a@b.example>', 'Q. "X" \\'),
        (b" John Q. Public <a@b.example>", "John Q. Public"),
        (b" a@b.example (J\xc3\xbcrgen \\(x\\))", "Jürgen (x)"),
        (b" (one (two) three) <a@b.example> (four)", ""),
        (b" =?utf-8?q?J=C3=BC?=\r\n =?utf-8?q?rgen?=\r\n\t<a@b.example>", "Jürgen"),
        (b' "billing@b.example" <a@b.example>', "billing@b.example"),
        (b" =?utf-8?q?ceo=40bank?= <a@b.example>", "ceo@bank"),
        (b" M\xfcller <a@b.example>", "M\ufffdller"),
        (b" ACME <a@B.EXAMPLE>", "ACME"),
    ],
)
def test_one_mailbox_is_read_with_its_name(value: bytes, name: str) -> None:
    assert mailbox.parse(value) == Mailbox(name=name, address=AB)


def test_a_domain_in_its_own_script_is_kept_as_the_name_it_is() -> None:
    address = mailbox.parse("x <a@straße.example>".encode()).address
    assert address.domain == "xn--strae-oqa.example"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"", "is empty"),
        (b"  (only a comment)", "is empty"),
        (b"a@b.example, c@d.example", "several mailboxes"),
        (b"<a@b.example> <c@d.example>", "several mailboxes"),
        (b"a@b.example c@d.example", "no single address"),
        (b"Friends: a@b.example;", "group or a route"),
        (b"<@x.example,@y.example:a@b.example>", "group or a route"),
        (b"a@own.example (b@evil.example)", "comment that looks like an address"),
        (b"a@own.example (<evil>)", "comment that looks like an address"),
        (b"a@b.example <c@d.example>", 'unquoted "@"'),
        (b"[x] <c@d.example>", 'unquoted "["'),
        (b"<a@b.example> x", "angle brackets wrong"),
        (b"<a@b.example", "angle brackets wrong"),
        (b"a@b.example>", "angle brackets wrong"),
        (b"a @ b.example", "no single address"),
        (b"<a(x)@b.example>", "no single address"),
        (b"<>", "no usable address"),
        (b"Somebody", "no usable address"),
        (b"<a@[127.0.0.1]>", "no usable address"),
        (b"a..b@b.example", "no usable address"),
        (b'"open <a@b.example>', "can't be read from"),
        (b"x \\y <a@b.example>", "can't be read from"),
        (b"a\x00b <a@b.example>", "can't be read from"),
        (b"a\nb <a@b.example>", "can't be read from"),
        (b"(open a@b.example", "comment without end"),
        (b"(open \\", "comment without end"),
        (b"x" * 3000 + b" <a@b.example>", "3014 octets"),
    ],
)
def test_what_two_readers_could_take_differently_is_refused(value: bytes, why: str) -> None:
    with pytest.raises(MailboxError) as error:
        mailbox.parse(value)
    assert why in str(error.value)
    assert str(error.value).isascii()
    assert len(str(error.value)) < 300


def test_a_refusal_shows_the_value_seen() -> None:
    with pytest.raises(MailboxError, match=r'"a@b\.example, c@d\.example"'):
        mailbox.parse(b" a@b.example, c@d.example ")


def complaint(value: bytes) -> str:
    try:
        mailbox.parse(value)
    except MailboxError as error:
        return str(error)
    return ""


@given(
    st.binary(max_size=200)
    | st.text(max_size=80).map(lambda text: f"{text}@x.example".encode("utf-8", "replace"))
)
def test_any_octets_are_one_mailbox_or_refused(value: bytes) -> None:
    assert complaint(value).isascii()


@given(st.text(alphabet='ab@<>,;:()"\\. \t=?', max_size=40))
def test_any_arrangement_of_specials_is_one_mailbox_or_refused(value: str) -> None:
    try:
        found = mailbox.parse(value.encode())
    except MailboxError:
        return
    assert f"{found.address.local}@" in value.replace(" ", "")
