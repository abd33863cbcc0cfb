from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import commands
from relayd.core.address import Address
from relayd.core.commands import CommandError, Credentials, MailFrom

LIMIT = 1000


def mail(argument: bytes, *, extended: bool = True) -> MailFrom:
    return commands.parse_mail(argument, extended=extended, limit=LIMIT)


def rcpt(argument: bytes, *, smtputf8: bool = False) -> Address:
    return commands.parse_rcpt(argument, extended=True, smtputf8=smtputf8)


ACME = Address("billing", "acme.example")


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        (b"FROM:<billing@acme.example>", (ACME, None, False)),
        (b"from:<billing@acme.example>", (ACME, None, False)),
        (b"FROM: <billing@acme.example>", (ACME, None, False)),
        (b"FROM:<>", (None, None, False)),
        (b"FROM:<> SIZE=10", (None, 10, False)),
        (b"FROM:<billing@acme.example> SIZE=1000 body=8bitmime", (ACME, 1000, False)),
        (b"FROM:<billing@acme.example>  BODY=7BIT  SMTPUTF8", (ACME, None, True)),
        ("FROM:<ü@acme.example> SMTPUTF8".encode(), (Address("ü", "acme.example"), None, True)),
        (b"FROM:<billing@acme.example> AUTH=a+2Bb", (ACME, None, False)),
        (b'FROM:<"a>b"@acme.example>', (Address('"a>b"', "acme.example"), None, False)),
        (b'FROM:<"a b"@acme.example>', (Address('"a b"', "acme.example"), None, False)),
    ],
)
def test_mail(argument: bytes, wanted: Any) -> None:
    seen = mail(argument)
    assert (seen.address, seen.size, seen.smtputf8) == wanted


@pytest.mark.parametrize(
    ("argument", "code", "enhanced"),
    [
        (b"", 501, "5.5.4"),
        (b"FROM:", 501, "5.5.4"),
        (b"FROM:billing@acme.example", 501, "5.5.4"),
        (b"TO:<billing@acme.example>", 501, "5.5.4"),
        (b"FROM <billing@acme.example>", 501, "5.5.4"),
        (b"FROM:<billing@acme.example>SIZE=1", 501, "5.5.4"),
        (b"FROM:<billing@acme.example", 501, "5.5.4"),
        (b"FROM:<<billing@acme.example>>", 501, "5.5.4"),
        (b"FROM:<\xff@acme.example>", 501, "5.5.4"),
        (b"FROM:<\xff@acme.example> SMTPUTF8", 501, "5.5.4"),
        (b"FROM:<root>", 501, "5.1.7"),
        (b"FROM:<a@localhost>", 550, "5.1.8"),
        ("FROM:<ü@acme.example>".encode(), 553, "5.6.7"),
        (b"FROM:<> SIZE=", 501, "5.5.4"),
        (b"FROM:<> SIZE", 501, "5.5.4"),
        (b"FROM:<> SIZE=-1", 501, "5.5.4"),
        (b"FROM:<> SIZE=1001", 552, "5.3.4"),
        (b"FROM:<> SIZE=" + b"9" * 21, 501, "5.5.4"),
        (b"FROM:<> BODY", 501, "5.5.4"),
        (b"FROM:<> BODY=9BIT", 501, "5.5.4"),
        (b"FROM:<> SMTPUTF8=yes", 501, "5.5.4"),
        (b"FROM:<> AUTH", 501, "5.5.4"),
        (b"FROM:<> AUTH=+0A", 501, "5.5.4"),
        (b"FROM:<> SIZE=1 size=2", 501, "5.5.4"),
        (b"FROM:<> RET=FULL", 555, "5.5.4"),
        (b"FROM:<> -X=1", 501, "5.5.4"),
        (b"FROM:<> X==", 501, "5.5.4"),
    ],
)
def test_mail_refused(argument: bytes, code: int, enhanced: str) -> None:
    with pytest.raises(CommandError) as caught:
        mail(argument)
    assert (caught.value.answer.code, caught.value.answer.enhanced) == (code, enhanced)


def test_without_ehlo_there_are_no_parameters() -> None:
    assert mail(b"FROM:<>", extended=False).address is None
    with pytest.raises(CommandError, match="needs EHLO"):
        mail(b"FROM:<> SIZE=1", extended=False)


def test_rcpt() -> None:
    assert rcpt(b"TO:<billing@acme.example>") == ACME
    assert rcpt("TO:<ü@acme.example>".encode(), smtputf8=True) == Address("ü", "acme.example")
    for argument in (b"TO:<a@b.example> NOTIFY=NEVER", b"FROM:<a@b.example>", b"TO:a@b.example"):
        with pytest.raises(CommandError) as caught:
            rcpt(argument)
        assert caught.value.written == ""


def test_a_recipient_that_does_not_parse_is_handed_on_as_it_was_written() -> None:
    with pytest.raises(CommandError) as caught:
        rcpt(b"TO:<root>")
    assert caught.value.written == "root"


@pytest.mark.parametrize("name", ["client.example", "localhost", "a_b", "[127.0.0.1]", "[IPv6:::1]", "x"])
def test_hello(name: str) -> None:
    assert commands.parse_hello(name.encode()) == name


@pytest.mark.parametrize("name", [b"", b"two names", b"a@b", b"-x", b"x" * 300, b"\xe4", b"[<script>]"])
def test_hello_refused(name: bytes) -> None:
    with pytest.raises(CommandError, match="no host name"):
        commands.parse_hello(name)


def test_base64() -> None:
    assert commands.decode_base64(b"YXBw") == b"app"
    assert commands.decode_base64(b"=") == b""
    assert commands.decode_base64(b"") == b""
    for wrong in (b"*", b"YXB", b"YX Bw", b"\xff"):
        with pytest.raises(CommandError):
            commands.decode_base64(wrong)


def test_plain() -> None:
    assert commands.plain_credentials(b"\0app\0pass") == Credentials(username="app", password="pass")
    assert commands.plain_credentials(b"app\0app\0pass").username == "app"
    for wrong in (b"", b"app\0pass", b"\0\0pass", b"\0a\0b\0c", b"\0\xff\0pass", b"other\0app\0pass"):
        with pytest.raises(CommandError) as caught:
            commands.plain_credentials(wrong)
        assert "pass" not in caught.value.answer.text.replace("password", "")


def test_credentials_show_nothing_of_themselves() -> None:
    assert "canary" not in repr(Credentials(username="canary-user", password="canary-pass"))


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(octets: bytes) -> None:
    for read in (
        mail,
        rcpt,
        commands.parse_hello,
        commands.decode_base64,
        commands.plain_credentials,
        lambda argument: mail(b"FROM:<" + argument),
        lambda argument: rcpt(b"TO:<" + argument + b">", smtputf8=True),
        lambda argument: mail(b"FROM:<> " + argument),
    ):
        with contextlib.suppress(CommandError):
            read(octets)


@given(st.binary(min_size=1, max_size=60), st.binary(min_size=1, max_size=60))
def test_plain_gives_back_what_was_put_in(username: bytes, password: bytes) -> None:
    try:
        wanted = (username.decode(), password.decode())
    except UnicodeDecodeError:
        return
    if "\0" not in wanted[0] + wanted[1]:
        wire = base64.b64encode(b"\0" + username + b"\0" + password)
        seen = commands.plain_credentials(commands.decode_base64(wire))
        assert (seen.username, seen.password) == wanted
