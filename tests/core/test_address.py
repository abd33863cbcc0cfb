from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.address import Address, AddressError, parse, parse_domain, shown

LABEL = "a" * 60

GOOD = [
    ("a@b.example", "a@b.example"),
    ("First.Last+tag@EXAMPLE.com", "First.Last+tag@example.com"),
    ("!#$%&'*+/=?^_`{|}~-@b.example", "!#$%&'*+/=?^_`{|}~-@b.example"),
    ('"a b"@b.example', '"a b"@b.example'),
    ('"plain"@b.example', "plain@b.example"),
    ('"a.b"@b.example', "a.b@b.example"),
    ('"a..b"@b.example', '"a..b"@b.example'),
    ('"a\\"b\\\\c"@b.example', '"a\\"b\\\\c"@b.example'),
    ('"\\a"@b.example', "a@b.example"),
    ('"a@b"@c.example', '"a@b"@c.example'),
    ('""@b.example', '""@b.example'),
    ("user%host@b.example", "user%host@b.example"),
    ("a@straße.example", "a@xn--strae-oqa.example"),
    ("a@STRASSE.example", "a@strasse.example"),
    ("a@faß.example", "a@xn--fa-hia.example"),
    ("a@例え。テスト", "a@xn--r8jz45g.xn--zckzah"),
    ("a@ｅｘａｍｐｌｅ.com", "a@example.com"),
    ("a@xn--strae-oqa.example", "a@xn--strae-oqa.example"),
    ("a@XN--STRAE-OQA.example", "a@xn--strae-oqa.example"),
    ("a@3com.example", "a@3com.example"),
    ("a@r3---sn.example", "a@r3---sn.example"),
    ("a" * 64 + "@b.example", "a" * 64 + "@b.example"),
    ("a@" + "b" * 63 + ".example", "a@" + "b" * 63 + ".example"),
]


@pytest.mark.parametrize(("text", "wanted"), GOOD)
def test_an_address_has_one_form(text: str, wanted: str) -> None:
    assert str(parse(text)) == wanted
    assert str(parse(text, smtputf8=True)) == wanted
    assert parse(text).ascii


BAD = [
    ("", "5.1.3", "is empty"),
    ("root", "5.1.3", 'no "@"'),
    ("@b.example", "5.1.3", "source route or no local part"),
    ("@a.example:b@c.example", "5.1.3", "source route"),
    ("a@", "5.1.2", "no domain"),
    (" @b.example", "5.1.3", 'holds " "'),
    ("a b@c.example", "5.1.3", 'holds " "'),
    ("a(c)@b.example", "5.1.3", 'holds "("'),
    ("a@b@c.example", "5.1.3", 'holds "@"'),
    (".a@b.example", "5.1.3", "dot at an end"),
    ("a.@b.example", "5.1.3", "dot at an end"),
    ("a..b@c.example", "5.1.3", "two in a row"),
    ('"a@b.example', "5.1.3", "outside quotes"),
    ('"a"b@c.example', "5.1.3", "outside quotes"),
    ('"a\\"@b.example', "5.1.3", "outside quotes"),
    ("a\n@b.example", "5.1.3", "U+000A"),
    ("a@b.example\n", "5.1.3", "U+000A"),
    ("a\x7f@b.example", "5.1.3", "U+007F"),
    ("a\u0085@b.example", "5.1.3", "U+0085"),
    ("a\u2028@b.example", "5.1.3", "U+2028"),
    ("a\u202e@b.example", "5.1.3", "U+202E"),
    ("a\u00a0@b.example", "5.1.3", "U+00A0"),
    ("a\udc80@b.example", "5.1.3", "U+DC80"),
    ("a@[127.0.0.1]", "5.1.2", "IP address"),
    ("a@[IPv6:::1]", "5.1.2", "IP address"),
    ("a@127.0.0.1", "5.1.2", "ends with a number"),
    ("a@b.example:25", "5.1.3", "port"),
    ("a@localhost", "5.1.2", "no dot"),
    ("a@b.example.", "5.1.3", "ends with a dot"),
    ("a@bücher.example.", "5.1.3", "ends with a dot"),
    ("a@.", "5.1.3", "ends with a dot"),
    ("a@b..example", "5.1.2", "not a domain name"),
    ("a@-b.example", "5.1.2", "not a domain name"),
    ("a@b-.example", "5.1.2", "not a domain name"),
    ("a@b_c.example", "5.1.2", "not a domain name"),
    ("a@" + "b" * 64 + ".example", "5.1.2", "not a domain name"),
    ("a@" + ".".join([LABEL] * 5), "5.1.2", "longer than 253"),
    ("a" * 60 + "@" + ".".join([LABEL] * 4), "5.1.3", "longer than 254"),
    ("a" * 65 + "@b.example", "5.1.3", "longer than 64"),
    ("ü" * 33 + "@b.example", "5.6.7", "not ASCII"),
    ("ü@b.example", "5.6.7", "SMTPUTF8"),
    ("a@xn--zz--.example", "5.1.2", "not a domain name"),
    ("a@xn--a.example", "5.1.2", "not valid IDNA"),
    ("a@☃.example", "5.1.2", "IDNA 2008"),
    ("a@" + "ü" * 64 + ".example", "5.1.2", "IDNA 2008"),
    ("x" * 2000, "5.1.3", "longer than 254"),
]


@pytest.mark.parametrize(("text", "enhanced", "why"), BAD)
def test_what_is_refused_says_why(text: str, enhanced: str, why: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse(text)
    assert caught.value.enhanced == enhanced
    assert why in caught.value.text
    assert caught.value.text.isascii()
    assert len(caught.value.text) < 350


def test_with_smtputf8_a_local_part_may_be_in_any_script_in_one_normal_form() -> None:
    composed = parse("m\u00fcller@b.example", smtputf8=True)
    assert composed == parse("mu\u0308ller@b.example", smtputf8=True) == Address("m\u00fcller", "b.example")
    assert not composed.ascii
    assert str(parse('"ü ü"@b.example', smtputf8=True)) == '"ü ü"@b.example'
    with pytest.raises(AddressError, match="longer than 64 octets"):
        parse("ü" * 33 + "@b.example", smtputf8=True)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("Example.COM", "example.com"), ("straße.example", "xn--strae-oqa.example")],
)
def test_a_domain_alone(text: str, wanted: str) -> None:
    assert parse_domain(text) == wanted


def test_what_is_no_domain_alone() -> None:
    for text in ("", "localhost", "a b.example", "1.2.3.4", "x.example."):
        with pytest.raises(AddressError):
            parse_domain(text)


@given(st.text(max_size=300))
def test_parsing_again_changes_nothing_and_never_does_anything_but_refuse(text: str) -> None:
    try:
        address = parse(text, smtputf8=True)
    except AddressError:
        return
    assert parse(str(address), smtputf8=True) == address
    assert "\r" not in str(address)
    assert "\n" not in str(address)
    assert address.domain.isascii()


@given(
    local=st.text(alphabet='ab."\\ @<>,:;()[]\u00fc', max_size=12),
    domain=st.text(alphabet="ab.-_1\u00df:[]", max_size=12),
)
def test_the_last_at_sign_parts_local_part_and_domain(local: str, domain: str) -> None:
    try:
        address = parse(f"{local}@{domain}", smtputf8=True)
    except AddressError:
        return
    assert "@" not in address.domain
    assert address.local.startswith('"') or not set(address.local) & set('"\\ @<>,:;()[]')


@given(st.text(max_size=200))
def test_what_is_shown_is_short_printable_ascii(text: str) -> None:
    seen = shown(text, 40)
    assert len(seen) <= 40
    assert seen.isascii()
    assert seen == "" or seen.isprintable()


@pytest.mark.parametrize(
    "text",
    ["a" * 900 + "@b.example", '"' + "\\" * 900 + '"@b.example', "a." * 450, "a@" + "b." * 450, "ü" * 900],
)
def test_no_address_takes_long_to_refuse(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(AddressError):
        parse(text, smtputf8=True)
    assert time.perf_counter() - start < 0.2
