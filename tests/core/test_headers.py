from __future__ import annotations

import dataclasses
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import headers
from relayd.core.address import Address
from relayd.core.headers import AppHeaders, Facts, HeaderRefused
from relayd.core.mail import IfUnproven, Proof, Route, Rung
from relayd.core.policy import Plan, Tokened
from relayd.core.reasons import Reason
from relayd.core.refusal import Refusal
from relayd.core.sender import Sender

NOW = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
ID = "2AL25JHWW2S54GLNAKUNGHTSB6"
FACTS = Facts(hostname="relay.example.net", message_id=ID, received_at=NOW, smtputf8=False)
ACME = Sender(
    id="acme",
    name="ACME BV",
    contact=Address("billing", "acme.example"),
    confirmed=True,
    default_address=Address("acme", "my.platform.example"),
    send_as=Rung.DEFAULT,
    if_unproven=IfUnproven.DEFAULT,
    language="de",
    test=False,
)
DEFAULT = Plan(
    rung=Rung.DEFAULT,
    proof=Proof.PLATFORM,
    reason=None,
    header_from=ACME.default_address,
    signs=("my.platform.example",),
    return_path=Tokened(domain="bounce.my.platform.example"),
    route=Route.DIRECT,
)
OWN = Plan(
    rung=Rung.OWN,
    proof=Proof.DKIM,
    reason=None,
    header_from=ACME.contact,
    signs=("acme.example", "my.platform.example"),
    return_path=Tokened(domain="bounce.my.platform.example"),
    route=Route.DIRECT,
)
RECEIVED = (
    b"Received: by relay.example.net with ESMTP id "
    + ID.encode()
    + b";\r\n Sun, 22 Nov 2026 05:11:49 +0000\r\n"
)


def read(header: bytes) -> None:
    block = headers.parse(header)
    headers.check(block)
    headers.sender_of(block)
    headers.app_headers(block)


def refused(header: bytes) -> Refusal:
    with pytest.raises(HeaderRefused) as caught:
        read(header)
    assert caught.value.refusal.text.isascii()
    assert caught.value.refusal.code == 554
    return caught.value.refusal


def dressed(header: bytes, plan: Plan = OWN, sender: Sender = ACME) -> bytes:
    return headers.dress(headers.parse(header), plan, sender, FACTS)


# --- reading ---

field_names = st.from_regex(r"[!-9;-~]{1,30}", fullmatch=True)
field_lines = st.binary(max_size=60).map(lambda raw: re.sub(rb"[\r\n\x00\x0b\x0c]", b"", raw))
raw_fields = st.builds(
    lambda name, lines: name.encode() + b":" + b"\r\n ".join(lines) + b"\r\n",
    field_names,
    st.lists(field_lines, min_size=1, max_size=3),
)
blocks = st.lists(raw_fields, min_size=1, max_size=12).map(b"".join)


@given(blocks)
def test_a_block_is_kept_byte_for_byte(header: bytes) -> None:
    assert bytes(headers.parse(header)) == header


@given(st.binary(max_size=300))
def test_any_octets_are_a_header_block_or_refused(header: bytes) -> None:
    try:
        block = headers.parse(header)
    except HeaderRefused as error:
        text = error.refusal.text
    else:
        text = ""
        assert bytes(block) == header
    assert text.isascii()


def test_fields_are_found_whatever_the_case_of_their_names() -> None:
    block = headers.parse(b"SUBJECT: a\r\nReceived: 1\r\nreceived : 2\r\n more\r\n")
    assert block.get("Subject") == b" a"
    assert block.all("ReceiveD") == (b" 1", b" 2\r\n more")
    assert block.get("To") is None
    assert block.all("To") == ()


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", "does not end with CRLF"),
        (b"Subject: a", "does not end with CRLF"),
        (b"Subject: a\nTo: b\r\n", "does not end with CRLF"),
        (b"Subject: a\rTo: b\r\n", "does not end with CRLF"),
        (b"Subject: a\x00\r\n", "NUL"),
        (b"Subject: \x0b\r\n", "vertical tab"),
        (b"Subject: a\x0c\r\n", "form feed"),
        (b" Subject: a\r\n", "is no field"),
        (b"Subject\r\n", "is no field"),
        (b": a\r\n", "is no field"),
        (b"Sub ject: a\r\n", "is no field"),
        (b"Subj\xe9ct: a\r\n", "is no field"),
        (b"\r\n", "is no field"),
        (b"X" * 200 + b": a\r\n", "is no field"),
        (b"From a@b.example Mon Jan  1 00:00:00 2026\r\nSubject: a\r\n", "mailbox separator"),
        (b"X: a\r\n" * 1001, "1001 fields"),
        (b"X: " + b"a" * 70_000 + b"\r\n", "70003 octets"),
    ],
)
def test_what_is_no_header_block_is_refused(header: bytes, why: str) -> None:
    refusal = refused(header)
    assert (refusal.enhanced, refusal.reason) == ("5.6.0", Reason.MESSAGE_MALFORMED)
    assert why in refusal.text


def test_a_large_block_is_read_in_linear_time() -> None:
    before = time.process_time()
    headers.parse(b"X: a\r\n" + b" b\r\n" * 10_000 + b"Y: c\r\n" * 900)
    assert time.process_time() - before < 1


# --- what no dressing makes right ---


@pytest.mark.parametrize("name", headers.SINGLE)
def test_a_field_that_may_stand_once_is_refused_twice(name: str) -> None:
    line = f"{name}: a@b.example\r\n"
    others = "" if name == "from" else "From: a@b.example\r\n"
    refusal = refused(f"{others}{line}X: y\r\n{line.upper()}".encode())
    assert (refusal.enhanced, refusal.reason) == ("5.6.0", Reason.MESSAGE_MALFORMED)
    assert name in refusal.text.lower()
    assert "2" in refusal.text


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"To: a@b.example\r\n", "no From field"),
        (b"From: a@b.example, c@d.example\r\n", "a@b.example, c@d.example"),
        (b"From: a@b.example\r\nResent-From: a@b.example\r\n", "Resent-From"),
        (b"From: a@b.example\r\nRESENT-TO: a@b.example\r\n", "sent on"),
    ],
)
def test_a_message_whose_author_is_in_doubt_is_refused(header: bytes, why: str) -> None:
    refusal = refused(header)
    assert (refusal.enhanced, refusal.reason) == ("5.6.0", Reason.MESSAGE_MALFORMED)
    assert why in refusal.text


def test_a_message_that_goes_in_circles_is_refused() -> None:
    header = b"From: a@b.example\r\n" + b"Received: by x\r\n" * 29
    headers.check(headers.parse(header))
    refusal = refused(header + b"Received: by x\r\n")
    assert (refusal.enhanced, refusal.reason) == ("5.4.6", Reason.MESSAGE_LOOP)


def test_two_from_fields_are_told_from_none() -> None:
    with pytest.raises(HeaderRefused, match="2 From fields"):
        headers.sender_of(headers.parse(b"From: a@b.example\r\nFrom: a@b.example\r\n"))


# --- what the app tells us ---


def test_an_app_that_tells_nothing_has_no_headers() -> None:
    assert headers.app_headers(headers.parse(b"From: a@b.example\r\n")) == AppHeaders()


def test_app_headers_are_read_whatever_their_case_and_encoding() -> None:
    block = headers.parse(
        b"X-Relayd-Sender: acme\r\n"
        b"x-relayd-ref: =?utf-8?q?Gr=C3=BCn_?=\r\n =?utf-8?q?2026-1?=\r\n"
        b"X-RELAYD-META-Invoice: 42\r\n"
        b"X-Relayd-Meta-Empty:\r\n"
        b"X-Relayd-Meta-Raw: Gr\xc3\xbcn\r\n"
        b"X-Relayd-Answer-Within: 5s\r\n"
    )
    assert headers.app_headers(block) == AppHeaders(
        sender="acme",
        ref="Grün 2026-1",
        meta={"invoice": "42", "empty": "", "raw": "Grün"},
        answer_within=timedelta(seconds=5),
    )


def test_an_empty_app_header_tells_nothing() -> None:
    block = headers.parse(b"X-Relayd-Ref:  \r\nX-Relayd-Answer-Within: \r\n")
    assert headers.app_headers(block) == AppHeaders()


@pytest.mark.parametrize("name", ["X-Relayd-Key", "X-Relayd-Force"])
def test_what_is_promised_and_not_built_is_refused_not_ignored(name: str) -> None:
    """An app that sends a key counts on it that nothing is sent twice."""
    with pytest.raises(headers.HeaderRefused) as no:
        headers.app_headers(headers.parse(name.encode() + b": 1\r\n"))

    assert no.value.refusal.code == 554
    assert f"{name} is not built yet" in no.value.refusal.text


@pytest.mark.parametrize(
    ("field", "why"),
    [
        (b"X-Relayd-Ref: a\r\nX-Relayd-Ref: b\r\n", "2 X-Relayd-Ref fields"),
        (b"X-Relayd-Answer-Within: 5\r\n", '"5"; write a duration with its unit'),
        (b"X-Relayd-Ref: " + b"a" * 201 + b"\r\n", "201 characters; at most 200"),
        (b"X-Relayd-Ref: " + b"a" * 2000 + b"\r\n", "2001 octets"),
        (b"".join(b"X-Relayd-Meta-%d: a\r\n" % i for i in range(51)), "51 X-Relayd-Meta fields"),
    ],
)
def test_an_app_header_that_can_not_be_understood_is_refused(field: bytes, why: str) -> None:
    refusal = refused(b"From: a@b.example\r\n" + field)
    assert (refusal.enhanced, refusal.reason) == ("5.6.0", Reason.MESSAGE_MALFORMED)
    assert why in refusal.text


# --- dressing ---

PLAIN = b"From: ACME <billing@acme.example>\r\nTo: b@c.example\r\nDate: x\r\nMessage-ID: <1@acme.example>\r\n"


def test_on_the_own_address_the_apps_fields_leave_as_they_came() -> None:
    folded = (
        PLAIN
        + b"SUBJECT :  a\r\n\tb  \r\nReply-To: x@y.example\r\nDisposition-Notification-To: z@y.example\r\n"
    )
    assert dressed(folded) == RECEIVED + folded


def test_on_the_default_address_from_names_the_sender_and_replies_go_to_the_contact_address() -> None:
    assert dressed(PLAIN + b"Subject: a\r\n", DEFAULT) == (
        RECEIVED + b'From: "ACME BV" <acme@my.platform.example>\r\n'
        b"Reply-To: billing@acme.example\r\n"
        b"To: b@c.example\r\nDate: x\r\nMessage-ID: <1@acme.example>\r\nSubject: a\r\n"
    )


def test_on_the_default_address_a_reply_to_of_the_app_stays() -> None:
    out = dressed(PLAIN + b"Reply-to:  desk@acme.example\r\n", DEFAULT)
    assert out.count(b"eply-") == 1
    assert b"Reply-to:  desk@acme.example\r\n" in out


def test_on_the_default_address_an_empty_reply_to_is_filled() -> None:
    out = dressed(PLAIN + b"Reply-To:\r\n", DEFAULT)
    assert out.endswith(b"Reply-To: billing@acme.example\r\n")
    assert out.count(b"Reply-To") == 1


def test_on_the_default_address_receipts_go_to_the_contact_address() -> None:
    out = dressed(
        PLAIN + b"disposition-notification-to: a@x.example\r\nReturn-Receipt-To: a@x.example\r\n"
        b"Return-Receipt-To: b@x.example\r\n",
        DEFAULT,
    )
    assert out.endswith(
        b"Disposition-Notification-To: billing@acme.example\r\nReturn-Receipt-To: billing@acme.example\r\n"
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("billing@acme.example", b'From: "billing at acme.example" <acme@my.platform.example>'),
        ("Müller & Söhne", b"From: =?utf-8?b?TcO8bGxlciAmIFPDtmhuZQ==?= <acme@my.platform.example>"),
        ("", b"From: <acme@my.platform.example>"),
        ("A\r\nBcc: evil@x.example", b'From: "A Bcc: evil at x.example" <acme@my.platform.example>'),
    ],
)
def test_the_senders_name_is_written_so_that_it_is_nothing_but_a_name(name: str, line: bytes) -> None:
    out = dressed(PLAIN, DEFAULT, dataclasses.replace(ACME, name=name))
    assert out.split(b"\r\n")[2] == line


@pytest.mark.parametrize(
    "field",
    [
        b"Bcc: hidden@x.example",
        b"BCC:\r\n hidden@x.example",
        b"Return-Path: <x@y.example>",
        b"Sender: x@y.example",
        b"X-Relayd-Ref: 1",
        b"x-relayd-anything: 1",
        b"DKIM-Signature: v=1",
        b"ARC-Seal: i=1",
        b"ARC-Message-Signature: i=1",
        b"Authentication-Results: x; dkim=pass",
        b"Received-SPF: pass",
        b"Errors-To: x@y.example",
    ],
)
@pytest.mark.parametrize("plan", [OWN, DEFAULT], ids=["own", "default"])
def test_what_must_not_leave_is_removed(field: bytes, plan: Plan) -> None:
    assert dressed(field + b"\r\n" + PLAIN + field + b"\r\n", plan) == dressed(PLAIN, plan)


@pytest.mark.parametrize(
    ("plan", "domain"), [(OWN, b"acme.example"), (DEFAULT, b"my.platform.example")], ids=["own", "default"]
)
def test_a_missing_date_and_message_id_are_added_in_the_domain_that_sends(plan: Plan, domain: bytes) -> None:
    out = dressed(b"From: billing@acme.example\r\n", plan)
    assert out.endswith(
        b"Date: Sun, 22 Nov 2026 05:11:49 +0000\r\nMessage-ID: <" + ID.encode() + b"@" + domain + b">\r\n"
    )


def test_received_names_us_and_nobody_else() -> None:
    assert dressed(PLAIN).startswith(RECEIVED)
    block = headers.parse(PLAIN)
    facts = Facts(hostname="relay.example.net", message_id=ID, received_at=NOW, smtputf8=True)
    assert b"with UTF8SMTP id" in headers.dress(block, OWN, ACME, facts)


@given(fields=st.lists(raw_fields, max_size=12), at=st.integers(0, 12))
def test_nothing_changes_but_what_was_meant(fields: list[bytes], at: int) -> None:
    theirs = [
        raw
        for raw in fields
        if raw.partition(b":")[0].decode().lower()
        not in {*headers.SINGLE, *headers.REMOVED, *headers.RECEIPTS, "received"}
    ]
    theirs.insert(at, b"From: a@b.example\r\n")
    whole = [*theirs, b"Date: x\r\n", b"Message-ID: y\r\n"]
    assert dressed(b"".join(whole)) == RECEIVED + b"".join(
        raw for raw in whole if not raw.lower().startswith((b"x-relayd-", b"arc-"))
    )
    default = b'From: "ACME BV" <acme@my.platform.example>\r\nReply-To: billing@acme.example\r\n'
    assert dressed(b"".join(whole), DEFAULT) == RECEIVED + b"".join(
        default if raw == b"From: a@b.example\r\n" else raw
        for raw in whole
        if not raw.lower().startswith((b"x-relayd-", b"arc-"))
    )
