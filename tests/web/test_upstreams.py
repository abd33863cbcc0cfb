"""Finding the server of an address, as the API tells it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from relayd.core import mailproviders
from relayd.core.address import Address
from relayd.core.discovery import Candidate, Discovery, Note, Seen, Source
from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders import TABLE
from relayd.core.phrases import LANGUAGES
from relayd.core.phrases.discovery import note
from relayd.web.api import create_app
from relayd.web.upstreams import as_dict

BILLING = Address("billing", "tenant.example")
MICROSOFT = mailproviders.get("microsoft-365")


def discovery(**changes: Any) -> Discovery:
    assert MICROSOFT is not None
    only = Candidate(
        server=MICROSOFT.servers[0],
        source=Source.MX,
        derived=True,
        username=str(BILLING),
        mechanisms=MICROSOFT.mechanisms,
    )
    found = {
        "address": BILLING,
        "provider": MICROSOFT,
        "exchangers": ("tenant-example.mail.protection.outlook.com",),
        "candidates": (only,),
    }
    return Discovery(**{**found, **changes})


class Desk:
    """What the daemon is to these routes."""

    def __init__(self) -> None:
        self.found = discovery()
        self.asked: list[tuple[Address, str | None, bool]] = []

    async def discover(self, address: Address, *, host: str | None, look: bool) -> Discovery:
        self.asked.append((address, host, look))
        return self.found


async def ask(desk: Desk, body: Any, query: str = "") -> tuple[int, Any]:
    app = create_app(desk)  # type: ignore[arg-type]  # the other nouns are not asked
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost", trust_env=False
    ) as client:
        answer = await client.post(f"/api/v1/upstreams/discover{query}", json=body)
    return answer.status_code, answer.json()


async def test_the_card_of_a_provider_is_told_in_one_language() -> None:
    status, found = await ask(Desk(), {"address": str(BILLING), "lang": "de"})

    assert status == 200
    (server,) = found["candidates"]
    assert (server["host"], server["port"], server["tls"]) == ("smtp.office365.com", 587, "starttls")
    assert (server["source"], server["confidence"], server["derived"]) == ("mx", "certain", True)
    assert server["username"] == "billing@tenant.example"
    assert found["mx"] == ["tenant-example.mail.protection.outlook.com"]
    provider = found["provider"]
    assert provider["name"] == "Microsoft 365"
    assert provider["oauth"] == "microsoft"
    assert provider["limits"] == {"messages_per_minute": 30, "recipients_per_day": 10_000}
    assert provider["from"]["rule"] == "alias_allowed"
    assert provider["username"]["text"] == "die ganze E-Mail-Adresse"
    (step,) = provider["steps"]
    assert step["step"] == "smtp_auth_admin"
    assert step["text"].startswith("Ein Administrator")
    assert step["link"] == "https://aka.ms/smtp_auth_disabled"


async def test_the_language_may_stand_in_the_query_as_everywhere() -> None:
    _, found = await ask(Desk(), {"address": str(BILLING)}, "?lang=nl")
    assert found["provider"]["username"]["text"] == "het hele e-mailadres"


async def test_without_a_language_there_are_all_of_them() -> None:
    _, found = await ask(Desk(), {"address": str(BILLING)})
    assert set(found["provider"]["steps"][0]["text"]) == set(LANGUAGES)
    assert set(found["provider"]["from"]["text"]) == set(LANGUAGES)


async def test_a_wrong_host_is_told_with_the_right_one() -> None:
    desk = Desk()
    places = {"host": "mx.example", "right": "smtp.office365.com 587 starttls"}
    desk.found = discovery(finding=Finding(kind=Kind.SERVER_IS_MX, places=places))

    _, found = await ask(desk, {"address": str(BILLING), "host": "mx.example", "look": True, "lang": "en"})

    assert desk.asked == [(BILLING, "mx.example", True)]
    assert found["finding"]["finding"] == "server.is_mx"
    assert "smtp.office365.com" in found["finding"]["remedy"]


async def test_what_was_seen_and_what_else_is_to_be_said_is_told() -> None:
    desk = Desk()
    seen = Seen(answers=False, text="the connection was refused")
    guess = Candidate(
        server=MICROSOFT.servers[0],  # type: ignore[union-attr]
        source=Source.GUESS,
        derived=False,
        username=None,
        seen=seen,
    )
    desk.found = discovery(provider=None, candidates=(guess,), notes=((Note.ONLY_GUESSES, "tenant.example"),))

    _, found = await ask(desk, {"address": str(BILLING), "lang": "nl"})

    assert found["provider"] is None
    assert found["candidates"][0]["seen"] == {
        "answers": False,
        "text": "the connection was refused",
        "mechanisms": [],
    }
    assert found["notes"][0]["note"] == "only_guesses"
    assert "tenant.example" in found["notes"][0]["text"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"address": 1},
        {"address": "nobody"},
        {"address": "a@127.0.0.1"},
        {"address": "a@[127.0.0.1]"},
        {"address": "a@acme.example", "host": ""},
        {"address": "a@acme.example", "host": 5},
        {"address": "a@acme.example", "host": "x" * 300},
        {"address": "a@acme.example", "look": "yes"},
        {"address": "a@acme.example", "lang": "tlh"},
        {"address": "a@acme.example", "lang": 1},
        {"address": "a@acme.example", "password": "x"},
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_with_what_to_send(body: Any) -> None:
    desk = Desk()
    status, found = await ask(desk, body)

    assert status == 400
    assert found["error"]
    assert found["remedy"]
    assert desk.asked == []


def test_every_provider_of_the_table_can_be_told(subtests: pytest.Subtests) -> None:
    for row in TABLE:
        with subtests.test(row.id):
            for language in (*LANGUAGES, None):
                told = as_dict(discovery(provider=row), language)
                assert told["provider"]["id"] == row.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_note_is_a_sentence_in_each_language(language: str) -> None:
    for kind in Note:
        text = note(kind, "{name}x", language)
        assert text.endswith(".")
        assert "{name}x" in text or kind is Note.NOTHING_FOUND
