from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.phrases.domain import say
from relayd.core.records import dkimkey
from relayd.core.records.dkimkey import KeyState, OurKey, other_selector, rsa_bits
from relayd.core.records.domainnotes import Code, Note

KEY = bytes(range(256)) + b"\x00key"
P = base64.b64encode(KEY).decode()
OTHER = base64.b64encode(KEY[:-1]).decode()


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (f"v=DKIM1; k=rsa; p={P}", KeyState.OURS),
        (f"v=DKIM1;k=rsa;p={P};", KeyState.OURS),
        (f"p={P}", KeyState.OURS),
        (f"  v = DKIM1 ;\t p = {P[:80]} {P[80:]}\r\n ; n=a note; x-new=1", KeyState.OURS),
        (f"v=DKIM1; h=sha1 : sha256; s=email; t=s; p={P}", KeyState.OURS),
        (f"v=DKIM1; s=*; t=; p={P}", KeyState.OURS),
        (f" v=DKIM1 ; k = rsa ; p= {P[:90]} {P[90:]} ; ", KeyState.OURS),
        (f"v=DKIM1; n=Grö\xdfe; p={P}", KeyState.OURS),
        (f"v=DKIM1; k=rsa; p={OTHER}", KeyState.OTHER),
        (f"v=DKIM1; k=rsa; p={P[:100]}", KeyState.OTHER),
        (f"v=DKIM1; k=rsa; p={P[:80]}\xa0{P[80:]}", KeyState.BROKEN),
        ("v=DKIM1; k=rsa; p=", KeyState.REVOKED),
        ("v=DKIM1; p= ", KeyState.REVOKED),
        (f"v=DKIM1; t=y; p={P}", KeyState.TESTING),
        (f"v=DKIM1; t=s:y; p={P}", KeyState.TESTING),
        (f"v=DKIM1; k=ed25519; p={P}", KeyState.UNFIT),
        (f"v=DKIM1; h=sha1; p={P}", KeyState.UNFIT),
        (f"v=DKIM1; s=tlsrpt; p={P}", KeyState.UNFIT),
        (f"v=DKIM2; p={P}", KeyState.BROKEN),
        (f"k=rsa; v=DKIM1; p={P}", KeyState.BROKEN),
        (f"v=DKIM1\\; k=rsa\\; p={P}", KeyState.BROKEN),
        (f'"v=DKIM1; p={P}"', KeyState.BROKEN),
        (f"v=DKIM1; p={P}; p={P}", KeyState.BROKEN),
        (f"v=DKIM1; p={P[:101]}", KeyState.BROKEN),
        (f"v=DKIM1; p={P}…", KeyState.BROKEN),
        ("v=DKIM1; k=rsa", KeyState.BROKEN),
        ("v=spf1 -all", KeyState.BROKEN),
        ("hello", KeyState.BROKEN),
        ("=x; p=", KeyState.BROKEN),
        ("v=DKIM1;;p=", KeyState.BROKEN),
        ("", KeyState.BROKEN),
        (" ", KeyState.BROKEN),
    ],
)
def test_what_is_published(record: str, state: KeyState) -> None:
    verdict = dkimkey.judge([record], KEY)
    assert verdict.state is state
    assert verdict.good == (state is KeyState.OURS)
    assert say(verdict.note, "en").endswith(".")


@pytest.mark.parametrize("records", [[], [f"p={P}", "v=spf1 -all"], [f"p={P}", f"p={P}"]])
def test_of_several_records_nobody_knows_which_one_counts(records: list[str]) -> None:
    verdict = dkimkey.judge(records, KEY)
    assert verdict.state is KeyState.SEVERAL
    assert verdict.note == Note(Code.KEY_SEVERAL, {"count": str(len(records))})


@given(st.text(max_size=200))
def test_no_text_makes_the_judge_stumble_or_proves_anything(text: str) -> None:
    assert not dkimkey.judge([text], KEY).good


@given(st.sampled_from([";", "=", "v=DKIM1", "p=", P, "k=rsa", " ", "t=y", "\\"]).flatmap(st.just), st.data())
def test_a_record_is_good_only_when_it_holds_our_key_whole(first: str, data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.sampled_from([";", "=", "v=DKIM1;", "p=", P, "k=rsa;", " "]), max_size=8))
    record = first + "".join(pieces)
    if dkimkey.judge([record], KEY).good:
        assert f"p={P}" in record.replace(" ", "")


SMALL, LARGE = (
    rsa.generate_private_key(65537, bits)
    .public_key()
    .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for bits in (1024, 2048)
)
WEAK_PKCS1 = bytes.fromhex("3046024100") + b"\xc1" * 64 + bytes.fromhex("0203010001")  # 512 bits, no wrapping


def note(record: str, key: bytes = KEY) -> Note:
    return dkimkey.judge([record], key).note


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (f"v=DKIM1; p={P[:80]}", Note(Code.KEY_CUT_OFF)),
        (f"v=DKIM1; p={OTHER}", Note(Code.KEY_CUT_OFF)),
        (f"v=DKIM1; p={base64.b64encode(LARGE).decode()}", Note(Code.KEY_OTHER)),
        (f"v=DKIM1; p={base64.b64encode(WEAK_PKCS1).decode()}", Note(Code.KEY_OTHER_WEAK, {"bits": "512"})),
        ("v=DKIM1; k=ed25519; p=" + "A" * 43 + "=", Note(Code.KEY_TYPE, {"type": "ed25519"})),
        (f"v=DKIM1; p={P[:9]}\xc2\xa0{P[9:]}", Note(Code.KEY_INVISIBLE, {"what": "a no-break space"})),
        (f"v=DKIM1; p={P[:9]}\xe2\x80\x8b{P[9:]}", Note(Code.KEY_INVISIBLE, {"what": "a zero-width space"})),
        (f"\xef\xbb\xbfv=DKIM1; k=rsa p={P}", Note(Code.KEY_INVISIBLE, {"what": "a BOM"})),
        (f"v=DKIM1; p={P[:9]}\x0b{P[9:]}", Note(Code.KEY_INVISIBLE, {"what": "octet 11"})),
        (f"v=DKIM1; p={P}; p=", Note(Code.KEY_TWICE, {"tag": "p"})),
        (f"V=DKIM1; K=RSA; P={P}", Note(Code.KEY_CAPITALS)),
        ("v=DKIM1; k=rsa", Note(Code.KEY_NO_P)),
    ],
)
def test_what_is_wrong_is_named(record: str, said: Note) -> None:
    assert note(record) == said


def test_a_key_of_ours_that_is_weak_counts_and_is_named() -> None:
    for key, code in ((SMALL, Code.KEY_WEAK), (LARGE, Code.KEY_OK)):
        verdict = dkimkey.judge([OurKey(selector="r1", public_key=key).record], key)
        assert verdict.good
        assert verdict.note.code is code
    assert (rsa_bits(SMALL), rsa_bits(LARGE)) == (1024, 2048)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda octets: SMALL[:30] + octets))
def test_octets_that_are_no_key_have_no_length(octets: bytes) -> None:
    bits = rsa_bits(octets)
    assert bits is None or bits <= 8 * len(octets)


@pytest.mark.parametrize(
    ("selector", "other"),
    [("r1", "r2"), ("r2", "r1"), ("1", "2"), ("mail", "mail2"), ("k" * 63, "k" * 62 + "2")],
)
def test_every_selector_has_another_one(selector: str, other: str) -> None:
    assert other_selector(selector) == other
    assert len(other) <= 63


@given(st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True))
def test_the_other_selector_is_another_one(selector: str) -> None:
    assert other_selector(selector) != selector
