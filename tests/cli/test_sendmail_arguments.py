"""sendmail's arguments and stdin, read as sendmail(8) reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from relayd.cli import sendmail
from relayd.cli.root import relayd
from relayd.cli.sendmail import Arguments, UsageError, parse
from relayd.cli.submit import Away, Refused, Submitted


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("anna@example.com", {"recipients": ["anna@example.com"]}),
        ("-t -i", {"read_recipients": True, "dot_ends": False}),
        ("-ti", {"read_recipients": True, "dot_ends": False}),
        ("-t -oi", {"read_recipients": True, "dot_ends": False}),
        ("-oi -oem a@b.example", {"dot_ends": False, "recipients": ["a@b.example"]}),
        ("-f me@example.com x", {"mail_from": "me@example.com", "recipients": ["x"]}),
        ("-fme@example.com x", {"mail_from": "me@example.com", "recipients": ["x"]}),
        ("-f <> x", {"mail_from": "", "recipients": ["x"]}),
        ("-r me@example.com x", {"mail_from": "me@example.com", "recipients": ["x"]}),
        ("-tf me@example.com", {"mail_from": "me@example.com", "read_recipients": True}),
        ("-F Full -t", {"full_name": "Full", "read_recipients": True}),
        ("-bs", {"mode": "s"}),
        ("-b m x", {"mode": "m", "recipients": ["x"]}),
        ("-N never -R hdrs -V id x", {"recipients": ["x"]}),
        ("-B8BITMIME -q -v x", {"recipients": ["x"]}),
        ("-- -t -f", {"recipients": ["-t", "-f"]}),
        ("-c /etc/x.yaml x", {"config": Path("/etc/x.yaml"), "recipients": ["x"]}),
        ("-C/etc/x.yaml", {"config": Path("/etc/x.yaml")}),
        ("", {}),
    ],
)
def test_arguments(line: str, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RELAYD_CONFIG", raising=False)

    assert parse(line.split()) == Arguments(**expected)


@pytest.mark.parametrize("line", ["-f", "-Z", "-t -F"])
def test_arguments_that_can_not_be_understood(line: str) -> None:
    with pytest.raises(UsageError):
        parse(line.split())


@given(st.lists(st.text("-tifFbo@ab", max_size=5), max_size=5))
def test_any_arguments_are_read_or_refused(arguments: list[str]) -> None:
    try:
        parse(arguments)
    except UsageError:
        pass


@pytest.fixture
def handed_in(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    def submit(places: Any, **message: Any) -> Submitted:
        seen.update(message)
        if "error" in seen:
            raise seen["error"]
        return Submitted(answer="250 ok", refused=seen.get("refused", {}))

    monkeypatch.setattr(sendmail, "submit", submit)
    return seen


def run(*words: str, stdin: bytes) -> Any:
    return CliRunner().invoke(relayd, ["sendmail", *words], input=stdin)


LETTER = (
    b"From: Anna <anna@acme.example>\nTo: B <b@example.com>,\n c@example.com\n"
    b"Bcc: =?utf-8?q?D=2C?= <d@example.com>\n\nhi\n.\nend\n"
)


def test_one_argument_may_hold_several_recipients(handed_in: dict[str, Any]) -> None:
    assert run("B <b@example.com>, c@example.com", "d@example.com", stdin=LETTER).exit_code == 0
    assert handed_in["recipients"] == ["b@example.com", "c@example.com", "d@example.com"]


def test_recipients_come_from_header_and_arguments_once_each(handed_in: dict[str, Any]) -> None:
    assert run("-t", "-i", "b@example.com", stdin=LETTER).exit_code == 0
    assert handed_in["recipients"] == ["b@example.com", "c@example.com", "d@example.com"]
    assert handed_in["mail_from"] == "anna@acme.example"
    assert handed_in["content"] == LETTER


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("b@example.com,", ["b@example.com"]),
        ("b@example.com,, c@example.com", ["b@example.com", "c@example.com"]),
        ("b@example.com; c@example.com", ["b@example.com", "c@example.com"]),
        ("b@example.com (Berta, GmbH)", ["b@example.com"]),
        ("(a (b, c) d) b@example.com", ["b@example.com"]),
        ('"Berta, (GmbH) <x@example.com>" <b@example.com>', ["b@example.com"]),
        ("Berta [NL] <b@example.com>", ["b@example.com"]),
        ("Berta <b@example.com", ["Berta <b@example.com"]),
        ("Berta :-( <b@example.com>, c@example.com", ["b@example.com", "c@example.com"]),
        ("Customers: b@example.com, C <c@example.com>;", ["b@example.com", "c@example.com"]),
        ("undisclosed-recipients:;", []),
        ("user@[192.0.2.1], user@[IPv6:2001:db8::1]", ["user@[192.0.2.1]", "user@[IPv6:2001:db8::1]"]),
        ('"b,c"@example.com, <"d>e"@example.com>', ['"b,c"@example.com', '"d>e"@example.com']),
        ("Muster, GmbH <b@example.com>", ["Muster", "b@example.com"]),
        ("b@example.com <c@example.com>", ["c@example.com"]),
        ("b@example.com c@example.com", ["b@example.com c@example.com"]),
        ("=?utf-8?q?B=C3=A4r=2C?=\n <b@example.com>,\n c@example.com", ["b@example.com", "c@example.com"]),
        ("root", ["root"]),
        (" , <>", []),
    ],
)
def test_addresses_are_read_from_lists_as_people_write_them(written: str, meant: list[str]) -> None:
    """What is no address is among them: the daemon's refusal says more than silence."""
    assert sendmail.addresses(written) == meant


def test_an_odd_field_takes_no_recipient_from_the_others(handed_in: dict[str, Any]) -> None:
    letter = b"To: undisclosed-recipients:;\nCc: b@example.com (B, Ltd)\nBcc: c@example.com\n\nhi\n"

    assert run("-t", "d@example.com", stdin=letter).exit_code == 0
    assert handed_in["recipients"] == ["d@example.com", "b@example.com", "c@example.com"]


@given(st.text('ab@.,;:"\\\\()<>[] \n', max_size=30))
def test_no_list_is_too_odd_to_be_read_and_no_address_holds_a_line_break(text: str) -> None:
    assert all(address == " ".join(address.split()) for address in sendmail.addresses(text))


def test_a_list_without_end_is_read_at_once() -> None:
    for odd in ('<"a"' * 5000, "(" * 20_000, '"a' * 5000, '"' * 9999, "<" * 20_000):
        assert sendmail.addresses(odd)


def test_an_odd_name_in_from_hides_no_address(handed_in: dict[str, Any]) -> None:
    run("x@example.com", stdin=b"From: Anna [Acme] <anna@acme.example>\n\nhi\n")

    assert handed_in["mail_from"] == "anna@acme.example"


def test_a_lone_dot_ends_the_message_unless_told_otherwise(handed_in: dict[str, Any]) -> None:
    run("x@example.com", stdin=LETTER)
    assert handed_in["content"] == LETTER.partition(b".\nend")[0]
    run("-i", "x@example.com", stdin=LETTER)
    assert handed_in["content"] == LETTER


def test_a_message_without_from_gets_one(handed_in: dict[str, Any]) -> None:
    run("-f", "me@acme.example", "-F", "Mé", "x@example.com", stdin=b"Subject: s\n\nhi\n")

    assert handed_in["content"].startswith(b"From: =?utf-8?")
    assert b"<me@acme.example>\nSubject: s\n" in handed_in["content"]


def test_the_null_sender_stays_null(handed_in: dict[str, Any]) -> None:
    run("-f", "<>", "x@example.com", stdin=LETTER)

    assert handed_in["mail_from"] == ""


def test_mbox_lines_are_left_out(handed_in: dict[str, Any]) -> None:
    run("x@example.com", stdin=b"From root Tue Jan  1 00:00:00 2030\n" + LETTER)

    assert handed_in["content"].startswith(b"From: Anna")


@pytest.mark.parametrize(
    ("error", "recipients", "code"),
    [
        (Away("connection refused"), 1, 75),
        (Refused(451, "4.3.0 later"), 1, 75),
        (Refused(550, "5.1.1 recipient.unknown", recipients=True), 1, 67),
        (Refused(550, "5.1.1 recipient.unknown", recipients=True), 2, 67),
        (Refused(550, "5.1.8 no such sender"), 1, 65),
        (Refused(554, "5.6.0 message.malformed"), 2, 65),
    ],
)
def test_exit_codes_tell_callers_whether_to_try_again(
    handed_in: dict[str, Any], error: Exception, recipients: int, code: int
) -> None:
    handed_in["error"] = error

    result = run(*(f"x{number}@example.com" for number in range(recipients)), stdin=LETTER)

    assert result.exit_code == code


def test_some_refused_recipients_are_said_and_no_failure(handed_in: dict[str, Any]) -> None:
    """Who tries again would send it twice to the others."""
    handed_in["refused"] = {"x@example.com": "550 5.1.1 no"}

    result = run("x@example.com", "y@example.com", stdin=LETTER)

    assert result.exit_code == 0
    assert "x@example.com: 550 5.1.1 no" in result.output


@pytest.mark.parametrize(("words", "code"), [([], 64), (["-bp"], 64), (["-bi"], 0), (["-Z"], 64)])
def test_what_is_not_a_message(words: list[str], code: int, handed_in: dict[str, Any]) -> None:
    assert run(*words, stdin=LETTER).exit_code == code


def test_without_a_listener_it_exits_with_75(tmp_path: Path) -> None:
    path = tmp_path / "relayd.yaml"
    path.write_text(f"state_dir: {tmp_path}\nlisten:\n  - {{path: smtp.sock}}\n")

    for words in (["x@example.com"], ["-bs"]):
        result = run("-c", str(path), *words, stdin=LETTER)
        assert result.exit_code == 75
        assert "the daemon isn't there" in result.output
