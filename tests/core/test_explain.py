"""`explain` reads what people paste, and says what the status log would say."""

import pytest

from relayd.core.explain import explain


def test_a_pasted_bounce_is_explained_with_cause_actor_and_remedy() -> None:
    found = explain("host mx.example.org said: 550 5.1.1 no such user (in reply to RCPT TO command)")

    assert (found["fate"], found["scope"], found["role"]) == ("failed", "recipient", "mx")
    assert (found["code"], found["enhanced"], found["reply"]) == (550, "5.1.1", "no such user")
    assert (found["host"], found["stage"], found["provider"]) == ("mx.example.org", "rcpt", None)
    assert (found["reason"], found["actor"], found["link"]) == ("recipient.unknown", "sender", None)
    assert set(found["text"]) == set(found["remedy"]) == {"de", "en", "fr", "nl"}


def test_an_answer_to_a_login_comes_from_an_upstream() -> None:
    found = explain("534-5.7.9 Application-specific password required.\n534 5.7.9 gsmtp")

    assert (found["role"], found["provider"]) == ("upstream", "google")
    assert found["reason"] == "auth.app_password_needed"
    assert found["link"] == "https://support.google.com/accounts/answer/185833"


def test_who_said_it_can_be_given() -> None:
    text = "554 5.7.1 Relay access denied"

    assert explain(text, role="mx")["reason"] == "recipient.domain"
    assert explain(text, role="upstream")["reason"] == "upstream.relay_denied"
    assert explain("550 no", host="mx00.gmx.net", stage="banner")["provider"] == "united_internet"


def test_a_yes_has_no_cause() -> None:
    found = explain("250 2.0.0 OK")

    assert found["fate"] == "sent"
    assert "reason" not in found


@pytest.mark.parametrize(
    ("text", "names", "sentence"),
    [
        ("hello", {}, "no reply code"),
        ("550 x", {"role": "boss"}, 'role is "boss": expected mx or upstream'),
        ("550 x", {"stage": "quit"}, 'stage is "quit": expected one of dns, connect'),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text: str, names: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        explain(text, **names)  # type: ignore[arg-type]
