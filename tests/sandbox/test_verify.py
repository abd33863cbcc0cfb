"""What the sandbox's receivers make of a message: DKIM, SPF and DMARC."""

from __future__ import annotations

import base64
from dataclasses import replace

import dkim
import pytest
from cryptography.hazmat.primitives import serialization

from relayd.sandbox.record import Received
from relayd.sandbox.verify import look_at, spf_result
from relayd.sandbox.zone import Zone

from ..keys import KEY

PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
RECORD = "v=DKIM1; k=rsa; p=" + base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode("ascii")
MAIL = b"From: =?utf-8?q?M=C3=BCller?= <billing@acme.example>\r\nReply-To: a@b.example\r\n\r\nHi\r\n"
PLAIN = Received(
    mail_from="b@bounce.acme.example",
    recipients=("c@d.example",),
    parameters=(),
    content=MAIL,
    tls=None,
    login=None,
    connection=1,
    ip="127.0.0.1",
)


def zone(**more: str) -> Zone:
    made = Zone()
    made.add("r1._domainkey.acme.example", "TXT", RECORD)
    made.add("r1._domainkey.other.example", "CNAME", "r1._domainkey.acme.example")
    made.add("_dmarc.acme.example", "TXT", "v=DMARC1; p=reject" + more.get("dmarc", ""))
    if "spf" in more:
        made.add("bounce.acme.example", "TXT", more["spf"])
    return made


def signed(*domains: bytes) -> Received:
    content = MAIL
    for domain in domains:
        content = dkim.sign(content, b"r1", domain, PEM, canonicalize=(b"relaxed", b"simple")) + content
    return replace(PLAIN, content=content)


def test_fields_are_read_as_people_see_them() -> None:
    seen = look_at(PLAIN, zone())
    assert seen.header_from == "Müller <billing@acme.example>"
    assert seen.reply_to == "a@b.example"
    assert seen.return_path == "b@bounce.acme.example"
    assert seen.signatures == ()
    assert (seen.spf, seen.dmarc, seen.aligned_by) == ("none", "fail", ())


def test_two_signatures_are_both_verified_and_the_aligned_one_passes_dmarc() -> None:
    seen = look_at(signed(b"other.example", b"acme.example"), zone())
    assert seen.signed_by == ("acme.example", "other.example")
    assert (seen.dmarc, seen.aligned_by) == ("pass", ("dkim",))


def test_a_signature_of_another_domain_alone_does_not_pass_dmarc() -> None:
    seen = look_at(signed(b"other.example"), zone())
    assert (seen.signed_by, seen.dmarc) == (("other.example",), "fail")


def test_a_changed_octet_breaks_the_signature() -> None:
    good = signed(b"acme.example")
    seen = look_at(replace(good, content=good.content.replace(b"Hi", b"Ho")), zone())
    assert [signature.valid for signature in seen.signatures] == [False]
    assert (seen.signed_by, seen.dmarc) == ((), "fail")


def test_a_key_that_is_not_published_or_not_a_key_breaks_the_signature() -> None:
    gone = zone()
    gone.remove("r1._domainkey.acme.example")
    assert look_at(signed(b"acme.example"), gone).signed_by == ()
    gone.add("r1._domainkey.acme.example", "TXT", "v=DKIM1; p=?")
    assert look_at(signed(b"acme.example"), gone).signed_by == ()


def test_spf_of_the_return_path_passes_dmarc_when_alignment_is_relaxed() -> None:
    assert look_at(PLAIN, zone(spf="v=spf1 ip4:127.0.0.1 -all")).aligned_by == ("spf",)
    assert look_at(PLAIN, zone(spf="v=spf1 ip4:127.0.0.1 -all", dmarc="; aspf=s")).dmarc == "fail"


def test_strict_alignment_wants_the_very_domain() -> None:
    strict = zone(dmarc="; adkim=s")
    strict.add("r1._domainkey.mail.acme.example", "TXT", RECORD)
    assert look_at(signed(b"mail.acme.example"), strict).dmarc == "fail"
    assert look_at(signed(b"acme.example"), strict).dmarc == "pass"


def test_without_a_published_policy_there_is_no_dmarc_result() -> None:
    empty = Zone()
    assert look_at(PLAIN, empty).dmarc == "none"
    empty.add("_dmarc.acme.example", "TXT", "something else")
    assert look_at(PLAIN, empty).dmarc == "none"


def test_a_message_of_the_null_sender_has_no_spf_result() -> None:
    assert look_at(replace(PLAIN, mail_from=""), zone()).spf == "none"


@pytest.mark.parametrize(
    ("record", "result"),
    [
        ("v=spf1 ip4:127.0.0.0/8 -all", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "fail"),
        ("v=spf1 ip6:::1 ~all", "softfail"),
        ("v=spf1 ?all", "neutral"),
        ("v=spf1", "neutral"),
        ("v=spf1 include:good.example -all", "pass"),
        ("v=spf1 include:bad.example -all", "fail"),
        ("v=spf1 include:missing.example -all", "permerror"),
        ("v=spf1 include:x.example -all", "permerror"),
        ("v=spf1 a -all", "permerror"),
        ("another text", "none"),
    ],
)
def test_spf_comes_to_what_the_record_says(record: str, result: str) -> None:
    made = Zone.of({"good.example": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]}, "x.example": {"TXT": [record]}})
    made.add("bad.example", "TXT", "v=spf1 -all")
    assert spf_result("x.example", "127.0.0.1", made) == result


def test_two_spf_records_are_an_error() -> None:
    made = Zone.of({"x.example": {"TXT": ["v=spf1 +all", "v=spf1 -all"]}})
    assert spf_result("x.example", "127.0.0.1", made) == "permerror"


def test_an_alias_that_points_at_itself_has_no_texts() -> None:
    made = Zone.of({"x.example": {"CNAME": ["x.example"]}})
    assert spf_result("x.example", "127.0.0.1", made) == "none"
