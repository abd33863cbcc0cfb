from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.records import dkimkey
from relayd.core.records.dkimkey import KeyState

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
        (f"v=DKIM1; k=rsa; p={OTHER}", KeyState.OTHER),
        (f"v=DKIM1; k=rsa; p={P[:100]}", KeyState.OTHER),
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
    assert verdict.text.endswith(".")


@pytest.mark.parametrize("records", [[], [f"p={P}", "v=spf1 -all"], [f"p={P}", f"p={P}"]])
def test_of_several_records_nobody_knows_which_one_counts(records: list[str]) -> None:
    verdict = dkimkey.judge(records, KEY)
    assert verdict.state is KeyState.SEVERAL
    assert str(len(records)) in verdict.text


@given(st.text(max_size=200))
def test_no_text_makes_the_judge_stumble_or_proves_anything(text: str) -> None:
    assert not dkimkey.judge([text], KEY).good


@given(st.sampled_from([";", "=", "v=DKIM1", "p=", P, "k=rsa", " ", "t=y", "\\"]).flatmap(st.just), st.data())
def test_a_record_is_good_only_when_it_holds_our_key_whole(first: str, data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.sampled_from([";", "=", "v=DKIM1;", "p=", P, "k=rsa;", " "]), max_size=8))
    record = first + "".join(pieces)
    if dkimkey.judge([record], KEY).good:
        assert f"p={P}" in record.replace(" ", "")
