"""From what is written about a sender to the sender as it stands."""

from __future__ import annotations

from typing import Any

import pytest

from relayd.core import settings_senders
from relayd.core.address import Address
from relayd.core.mail import IfUnproven, Rung
from relayd.core.sender import Secret, Sender, Tls, Upstream
from relayd.core.settings import SenderSettings, Smarthost

CONTACT, DEFAULT = Address("billing", "acme.example"), Address("acme", "my.platform.example")
SERVER = {"host": "smtp.acme.example", "username": "me", "password": "canary-1", "ca_file": "/ca.pem"}


def made(values: dict[str, Any], **more: Any) -> Sender:
    settings = SenderSettings.model_validate({"name": "ACME", "address": str(CONTACT), **values})
    return settings_senders.sender("acme", settings, default_address=DEFAULT, **{"confirmed": False, **more})


def test_what_is_written_is_what_stands() -> None:
    values = {"send_as": "own", "if_unproven": "hold", "language": "nl", "test": True, "confirmed": True}
    assert made(values) == Sender(
        id="acme",
        name="ACME",
        contact=CONTACT,
        confirmed=True,
        default_address=DEFAULT,
        send_as=Rung.OWN,
        if_unproven=IfUnproven.HOLD,
        language="nl",
        test=True,
    )


@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("by_fact", [True, False])
def test_either_the_operator_or_the_owner_confirms(written: bool, by_fact: bool) -> None:
    assert made({"confirmed": written}, confirmed=by_fact).confirmed is (written or by_fact)


def test_the_password_of_the_config_stands_and_a_sealed_one_comes_beside_it() -> None:
    plain = {key: value for key, value in SERVER.items() if key != "password"}
    whole = Upstream(
        host="smtp.acme.example",
        port=587,
        tls=Tls.STARTTLS,
        username="me",
        password=Secret("canary-1"),
        ca_file="/ca.pem",
    )
    assert made({"upstream": SERVER}).upstream == whole
    assert made({"upstream": plain}, password=Secret("canary-1")).upstream == whole
    sealed = made({"upstream": plain}, sealed=True).upstream
    assert sealed is not None
    assert (sealed.password, sealed.sealed) == (None, True)
    assert made({}, sealed=True).upstream is None


@pytest.mark.parametrize(
    ("username", "account"), [(None, str(CONTACT)), ("shared@acme.example", "shared@acme.example")]
)
def test_who_signs_in_at_a_provider_is_the_contact_address_unless_another_is_named(
    username: str | None, account: str
) -> None:
    upstream = made(
        {"upstream": {"host": "smtp.office365.com", "oauth": "microsoft", "username": username}}
    ).upstream
    assert upstream is not None
    assert (upstream.oauth, upstream.username) == ("microsoft", account)


def test_a_smarthost_is_a_server_too_and_none_is_none() -> None:
    smarthost = settings_senders.upstream(
        Smarthost.model_validate({"host": "out.example.net", "port": 465, "tls": "implicit"})
    )
    assert smarthost == Upstream(host="out.example.net", port=465, tls=Tls.IMPLICIT)
    assert settings_senders.upstream(None) is None
