"""What is said in SMTP to log in with a token."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import bearer
from relayd.core.bearer import OAUTHBEARER, XOAUTH2
from relayd.core.sender import Secret

TOKEN = Secret("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")


def decoded(mechanism: str, username: str = "billing@acme.example") -> bytes:
    first = bearer.first_response(
        mechanism, username=username, token=TOKEN, host="smtp.acme.example", port=587
    )
    return base64.b64decode(first)


def test_xoauth2_is_as_microsoft_and_google_document_it() -> None:
    said = b"user=billing@acme.example\x01auth=Bearer " + TOKEN.value.encode() + b"\x01\x01"
    assert decoded(XOAUTH2) == said


def test_oauthbearer_is_as_rfc_7628_section_4_1_has_it() -> None:
    said = (
        b"n,a=billing@acme.example,\x01host=smtp.acme.example\x01port=587\x01auth=Bearer "
        + TOKEN.value.encode()
        + b"\x01\x01"
    )
    assert decoded(OAUTHBEARER) == said


def test_a_name_with_signs_of_its_own_stays_a_name() -> None:
    assert decoded(OAUTHBEARER, "a,b=c@acme.example").startswith(b"n,a=a=2Cb=3Dc@acme.example,\x01")


@pytest.mark.parametrize("mechanism", bearer.MECHANISMS)
@pytest.mark.parametrize(
    ("username", "token"), [("a\x01auth=Bearer x", "t"), ("a\r\nQUIT", "t"), ("a", "t\x01"), ("a", "t\n")]
)
def test_nothing_can_be_said_beside_a_name_and_a_token(mechanism: str, username: str, token: str) -> None:
    with pytest.raises(ValueError, match="control"):
        bearer.first_response(mechanism, username=username, token=Secret(token), host="h", port=1)


def test_the_answer_to_a_challenge_is_a_formality() -> None:
    assert base64.b64decode(bearer.last_response(OAUTHBEARER)) == b"\x01"
    assert bearer.last_response(XOAUTH2) == ""


@pytest.mark.parametrize(
    ("challenge", "why"),
    [
        ({"status": "invalid_token", "schemes": "bearer"}, "invalid_token"),
        ({"status": "400", "schemes": "Bearer", "scope": "https://mail.google.com/"}, "400"),
        ({"status": "\x1b[31mred\r\n"}, "red"),
        ({"status": "x" * 99}, "x" * 40),
        ({"status": ""}, None),
        ({"status": 401}, None),
        (["status"], None),
        ("status", None),
    ],
)
def test_why_a_token_was_not_taken(challenge: object, why: str | None) -> None:
    assert bearer.complaint(base64.b64encode(json.dumps(challenge).encode()).decode()) == why


@given(st.text(max_size=200))
def test_whatever_a_challenge_is_it_harms_nobody(challenge: str) -> None:
    found = bearer.complaint(challenge)
    assert found is None or found.isprintable()
    assert bearer.complaint("A" * 5000) is None
