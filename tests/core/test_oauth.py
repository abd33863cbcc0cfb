"""What providers answer, and how long a token is good."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import oauth, probe
from relayd.core.address import Address
from relayd.core.oauth import Access, DeviceCode, Grant, Problem, Provider, Trouble, TroubleKind
from relayd.core.phrases import LANGUAGES, signin
from relayd.core.probe import Known, Question
from relayd.core.reply import Fault, FaultKind
from relayd.core.sender import Secret, Tls, Upstream
from relayd.core.settings import OAuth

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SETTINGS = OAuth.model_validate(
    {
        "microsoft": {"client_id": "ours", "client_secret": "canary-secret", "tenant": "acme.example"},
        "google": {"client_id": "ours", "client_secret": "canary-secret"},
    }
)
KNOWN = oauth.providers(SETTINGS)
MICROSOFT, GOOGLE = KNOWN["microsoft"], KNOWN["google"]


def id_token(**claims: Any) -> str:
    usual = {"iss": "https://login.microsoftonline.com/9188040d/v2.0", "aud": "ours"}
    body = base64.urlsafe_b64encode(json.dumps({**usual, **claims}).encode()).rstrip(b"=").decode()
    return f"e30.{body}.c2ln"


def grant(provider: Provider = MICROSOFT, /, **answer: Any) -> Grant | Trouble | Fault:
    usual = {"access_token": "canary-access", "token_type": "Bearer", "expires_in": 3599}
    body = {key: value for key, value in {**usual, **answer}.items() if value is not None}
    return oauth.read_grant(200, json.dumps(body).encode(), provider)


def given_(provider: Provider = MICROSOFT, /, **answer: Any) -> Grant:
    found = grant(provider, **answer)
    assert isinstance(found, Grant), found
    return found


# --- providers ---


def test_the_endpoints_are_the_documented_ones() -> None:
    assert MICROSOFT.authorize_url == "https://login.microsoftonline.com/acme.example/oauth2/v2.0/authorize"
    assert MICROSOFT.token_url == "https://login.microsoftonline.com/acme.example/oauth2/v2.0/token"
    assert MICROSOFT.device_url == "https://login.microsoftonline.com/acme.example/oauth2/v2.0/devicecode"
    assert "https://outlook.office.com/SMTP.Send offline_access" in MICROSOFT.scope
    assert GOOGLE.token_url == "https://oauth2.googleapis.com/token"
    assert GOOGLE.scope.startswith("https://mail.google.com/ ")
    assert GOOGLE.device_url is None
    assert (MICROSOFT.host, MICROSOFT.issuer) == ("login.microsoftonline.com",) * 2
    assert (GOOGLE.host, GOOGLE.issuer) == ("oauth2.googleapis.com", "accounts.google.com")
    assert oauth.providers(OAuth()) == {}


def test_a_national_cloud_has_other_endpoints() -> None:
    settings = {
        "client_id": "x",
        "authorize_url": "https://login.example.us/authorize",
        "token_url": "https://login.example.us/token",
        "device_url": "https://login.example.us/device",
        "scope": "https://outlook.example.us/SMTP.Send",
    }
    for name in ("microsoft", "google"):
        provider = oauth.providers(OAuth.model_validate({name: settings}))[name]
        assert {provider.host, provider.issuer} == {"login.example.us"}
        assert provider.needed == "https://outlook.example.us/SMTP.Send"
        assert provider.device_url == "https://login.example.us/device"


def test_no_secret_is_shown() -> None:
    shown = repr(KNOWN) + repr(SETTINGS) + repr(given_(refresh_token="canary-refresh"))
    assert "canary" not in shown


# --- grants ---


def test_a_grant_is_what_the_provider_said() -> None:
    found = given_(refresh_token="r", scope="openid https://outlook.office.com/smtp.send")
    assert (found.access.value, found.refresh, found.lives) == ("canary-access", Secret("r"), 3599.0)
    assert found.mail
    assert (found.account, found.nonce) == (None, None)


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (None, oauth.LIFE_DEFAULT),
        ("3600", 3600.0),
        (3600.5, 3600.5),
        (0, 0.0),
        (-5, 0.0),
        (10**12, oauth.LIFE_MAX),
        (True, oauth.LIFE_DEFAULT),
        ("soon", oauth.LIFE_DEFAULT),
        ("1e9", oauth.LIFE_DEFAULT),
        ([1], oauth.LIFE_DEFAULT),
    ],
)
def test_a_life_is_a_sensible_number_of_seconds(expires_in: object, seconds: float) -> None:
    assert given_(expires_in=expires_in).lives == seconds


def test_a_life_that_is_no_number_at_all_is_the_usual_one() -> None:
    body = b'{"access_token": "a", "expires_in": NaN}'
    found = oauth.read_grant(200, body, MICROSOFT)
    assert isinstance(found, Grant)
    assert found.lives == oauth.LIFE_DEFAULT


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "a b"},
        {"access_token": "a\x01"},
        {"access_token": "é"},
        {"access_token": "a" * (oauth.TOKEN_MAX + 1)},
        {"token_type": "mac"},
        {"token_type": 7},
        {"refresh_token": ""},
        {"refresh_token": ["a"]},
    ],
)
def test_a_token_that_could_say_more_than_a_token_is_none(answer: dict[str, Any]) -> None:
    found = grant(**answer)
    assert isinstance(found, Fault)
    assert found.kind is FaultKind.UNREACHABLE


@pytest.mark.parametrize(
    ("provider", "claims", "account"),
    [
        (MICROSOFT, {"preferred_username": "a@acme.example"}, "a@acme.example"),
        (MICROSOFT, {"upn": "u@acme.example", "preferred_username": "a@acme.example"}, "u@acme.example"),
        (MICROSOFT, {"email": "a@acme.example"}, None),
        (MICROSOFT, {"preferred_username": 7}, None),
        (GOOGLE, {"iss": "accounts.google.com", "email": "a@gmail.com"}, "a@gmail.com"),
        (GOOGLE, {"iss": "https://accounts.google.com", "email": "a@gmail.com"}, "a@gmail.com"),
        (GOOGLE, {"iss": "accounts.google.com", "email": "a@b.example", "email_verified": False}, None),
    ],
)
def test_who_signed_in(provider: Provider, claims: dict[str, Any], account: str | None) -> None:
    assert given_(provider, id_token=id_token(**claims)).account == account


@pytest.mark.parametrize(
    "token", [7, "", "a.b", "a.b.c", "a.W10.c", "a." + "A" * 50_000 + ".c", "a.e30=.c.d"]
)
def test_an_id_token_that_can_not_be_read_says_nothing(token: object) -> None:
    assert given_(id_token=token).account is None


@pytest.mark.parametrize(
    "claims",
    [{"iss": "https://evil.example"}, {"iss": 7}, {"iss": "https://[evil"}, {"aud": "x"}, {"aud": None}],
)
def test_an_id_token_for_somebody_else_spoils_the_answer(claims: dict[str, Any]) -> None:
    found = grant(id_token=id_token(**claims))
    assert isinstance(found, Trouble)
    assert found.kind is TroubleKind.OURS


def test_one_audience_among_several_is_enough() -> None:
    assert isinstance(grant(id_token=id_token(aud=["others", "ours"])), Grant)


def test_mail_that_was_not_allowed_shows() -> None:
    assert not given_(scope="openid email").mail
    assert given_(scope=None).mail


@given(st.binary(max_size=300), st.sampled_from([200, 301, 400, 404, 429, 500, 599]))
def test_whatever_is_answered_something_is_made_of_it(body: bytes, status: int) -> None:
    for read in (oauth.read_grant, oauth.read_device):
        assert isinstance(read(status, body, MICROSOFT), Grant | Trouble | Fault | DeviceCode)


@given(
    st.dictionaries(
        st.sampled_from(
            ["access_token", "refresh_token", "token_type", "expires_in", "id_token", "scope", "error"]
        ),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.text()),
    )
)
def test_whatever_stands_in_the_answer_tokens_are_tokens(answer: dict[str, Any]) -> None:
    found = oauth.read_grant(200, json.dumps(answer).encode(), MICROSOFT)
    if isinstance(found, Grant):
        assert found.access.value.isascii()
        assert found.access.value.isprintable()
        assert 0 <= found.lives <= oauth.LIFE_MAX


@pytest.mark.parametrize("status", [201, 302, 404])
def test_json_with_another_status_is_no_grant(status: int) -> None:
    assert isinstance(oauth.read_grant(status, b'{"access_token": "a"}', MICROSOFT), Fault)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("invalid_grant", TroubleKind.WITHDRAWN),
        ("authorization_pending", TroubleKind.PENDING),
        ("slow_down", TroubleKind.SLOW_DOWN),
        ("expired_token", TroubleKind.EXPIRED),
        ("access_denied", TroubleKind.DENIED),
        ("invalid_client", TroubleKind.OURS),
        ("never_heard", TroubleKind.PASSING),
        (7, TroubleKind.PASSING),
        (None, TroubleKind.PASSING),
    ],
)
def test_what_an_error_means(code: object, kind: TroubleKind) -> None:
    found = oauth.trouble(code, "AADSTS50173: \x1b[2J<b>the grant was revoked</b>")
    assert found.kind is kind
    assert "\x1b" not in found.text
    assert oauth.trouble(None).text == "no reason given"


# --- device codes ---


def device(**answer: Any) -> DeviceCode | Trouble | Fault:
    usual = {
        "device_code": "d",
        "user_code": "AB-CD",
        "verification_uri": "https://microsoft.com/devicelogin",
        "expires_in": 900,
        "interval": 5,
    }
    return oauth.read_device(200, json.dumps({**usual, **answer}).encode(), MICROSOFT)


def test_a_device_code_is_for_people() -> None:
    found = device()
    assert isinstance(found, DeviceCode)
    assert (found.user_code, found.lives, found.interval) == ("AB-CD", 900.0, 5.0)
    assert "code=Secret(***)" in repr(found)


@pytest.mark.parametrize(("interval", "seconds"), [(0, 1.0), (10**6, 60.0), ("x", 5.0)])
def test_nobody_is_asked_too_often_or_never(interval: object, seconds: float) -> None:
    found = device(interval=interval)
    assert isinstance(found, DeviceCode)
    assert found.interval == seconds


@pytest.mark.parametrize(
    "answer",
    [
        {"device_code": "a b"},
        {"user_code": ""},
        {"user_code": 7},
        {"user_code": "A\nB"},
        {"user_code": "A" * 41},
        {"verification_uri": 7},
        {"verification_uri": "javascript:alert(1)"},
        {"verification_uri": "http://microsoft.com/"},
        {"verification_uri": "https://"},
        {"verification_uri": "https://[bad"},
        {"verification_uri": "https://x.example/ y"},
    ],
)
def test_a_device_code_that_can_not_be_shown_is_none(answer: dict[str, Any]) -> None:
    assert isinstance(device(**answer), Fault)


def test_plain_http_is_fine_where_the_operator_has_it() -> None:
    here = replace(MICROSOFT, authorize_url="http://127.0.0.1:8080/authorize")
    body = {"device_code": "d", "user_code": "A", "verification_uri": "http://127.0.0.1:8080/enter"}
    assert isinstance(oauth.read_device(200, json.dumps(body).encode(), here), DeviceCode)


# --- time ---


def test_a_token_ages_and_is_spent() -> None:
    access = Access(token=Secret("a"), since=NOW, lives=3600.0)
    assert not access.ageing(NOW + timedelta(seconds=2879), 0.0)
    assert access.ageing(NOW + timedelta(seconds=2880), 0.0)
    assert access.ageing(NOW + timedelta(seconds=2520), 1.0)
    assert not access.spent(NOW + timedelta(seconds=3539))
    assert access.spent(NOW + timedelta(seconds=3540))
    assert not access.spent(NOW - timedelta(days=1))  # a clock that went back
    brief = Access(token=Secret("a"), since=NOW, lives=1.0)
    assert not brief.spent(NOW + timedelta(seconds=0.9))
    assert brief.spent(NOW + timedelta(seconds=0.96))


def test_accounts_are_compared_as_people_write_them() -> None:
    assert oauth.same_account("Billing@ACME.example ", "billing@acme.example")
    assert not oauth.same_account("billing@acme.example", "billing@acme.example.evil.example")


def test_signing_in_proves_no_address() -> None:
    """The link may have been sent by anybody, to the owner of the address."""
    contact = Address("billing", "acme.example")
    password = Upstream(
        host="smtp.acme.example", port=587, tls=Tls.STARTTLS, username=str(contact), password=Secret("x")
    )
    known = Known(derived=(password.host,))
    token = replace(password, password=None, oauth="microsoft")
    assert probe.proves(Question(sender="acme", contact=contact, upstream=password), known)
    assert not probe.proves(Question(sender="acme", contact=contact, upstream=token), known)


# --- words ---


def test_every_ending_has_its_words(subtests: pytest.Subtests) -> None:
    for problem, language in product((None, *Problem), LANGUAGES):
        with subtests.test(str(problem), language=language):
            text, remedy = signin.said(
                problem, language, provider="google", username="{account}", account="<b>evil</b>"
            )
            assert text
            assert remedy
            assert "{provider}" not in text + remedy
            assert signin.title(problem, language)
            if problem is Problem.OTHER_ACCOUNT:
                assert "<b>evil</b>" in text
                assert "{account}" in text
