"""Letters of relayd's own: in the store like all mail, signed by the platform, answered by no machine."""

from __future__ import annotations

import email
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email import policy
from pathlib import Path
from typing import Any

import dkim
import pytest

from relayd.core import address
from relayd.core.event import EventType
from relayd.core.letters import Letter
from relayd.core.mail import Hop, Proof, Route, Rung
from relayd.core.reasons import Reason
from relayd.core.settings import Settings
from relayd.dressing import Dresser, SigningFailed
from relayd.post import Post, house_sender
from relayd.store.contract import Record, Selection
from relayd.store.memory import MemoryStore
from relayd.vault import Vault

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
TO = address.parse("billing@acme.example")
LETTER = Letter(
    subject="Bitte bestätigen Sie Ihre Adresse billing@acme.example",
    text="Grüße\n\n.\nFrom here on\n" + "x" * 2000 + "\n",
    html='<!DOCTYPE html>\n<html lang="de"><p>Grüße &amp; mehr</p>\n</html>\n',
)
SETTINGS: dict[str, Any] = {
    "hostname": "relay.example.net",
    "platform": {
        "domain": "my.platform.example",
        "name": "Plattform für Rechnungen",
        "return_path": "bounce.my.platform.example",
        "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
    },
}


class Published:
    """Stands for `identity.domains`, which lives a floor above."""

    def __init__(self) -> None:
        self.key = True

    def known(self, domain: str, *_: object) -> bool:
        return self.key

    async def proven(self, domain: str, *_: object) -> bool:
        return self.key

    def selector(self, domain: str) -> str:
        return "r1"


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder: Path = tmp_path_factory.mktemp("vault")
    opened = Vault.open(Settings.model_validate(SETTINGS), folder, empty_store=True)
    yield opened
    opened.close()


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore(clock=lambda: NOW)
    yield store
    await store.close()


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def post(vault: Vault, store: MemoryStore, published: Published) -> Post:
    return post_of("Plattform für Rechnungen", vault, store, published)


def post_of(platform: str, vault: Vault, store: MemoryStore, published: Published) -> Post:
    settings = Settings.model_validate(SETTINGS)
    dresser = Dresser(vault=vault, settings=settings, domains=published, login_refused={})
    return Post(
        store=store, dresser=dresser, platform=platform, domain="my.platform.example", clock=lambda: NOW
    )


async def kept(store: MemoryStore, id: str) -> tuple[Record, bytes]:
    (record,) = await store.find(Selection(message=id))
    body = b"".join([chunk async for chunk in store.content(id)])
    return record, record.message.dressing.header + b"\r\n" + body


async def test_a_letter_is_kept_as_mail_of_the_built_in_sender(post: Post, store: MemoryStore) -> None:
    id = await post.send(LETTER, TO, ref="confirmation:acme", sender="acme")
    record, content = await kept(store, id)
    message = record.message
    assert (message.sender, message.ref, message.meta) == ("relayd", "confirmation:acme", {"about": "acme"})
    assert (message.dressing.rung, message.dressing.proof) == (Rung.DEFAULT, Proof.PLATFORM)
    assert message.recipients[0].hop == Hop(Route.DIRECT, "acme.example")
    assert message.recipients[0].return_path.endswith("@bounce.my.platform.example")
    (event,) = await store.journal(0)
    assert (event.type, event.sender, event.ref) == (EventType.ACCEPTED, "relayd", "confirmation:acme")

    mail = email.message_from_bytes(content, policy=policy.default)
    assert mail["From"] == "Plattform für Rechnungen <no-reply@my.platform.example>"
    assert mail["To"] == "billing@acme.example"
    assert mail["Subject"] == LETTER.subject
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Sun, 22 Nov 2026 08:30:00 +0000"
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().replace("\r\n", "\n") == LETTER.text
    assert html.get_content().replace("\r\n", "\n") == LETTER.html


async def test_it_is_signed_and_fit_for_every_server(post: Post, store: MemoryStore, vault: Vault) -> None:
    record, content = await kept(store, await post.send(LETTER, TO, ref="r"))
    text = vault.ring.keys[0].record.encode()
    assert dkim.verify(content, dnsfunc=lambda name, timeout=5: text)
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert record.message.submission.body_size == len(content.partition(b"\r\n\r\n")[2])
    assert content.count(b"\n") == content.count(b"\r\n")


async def test_while_our_key_is_not_published_it_waits_as_all_mail_does(
    post: Post, store: MemoryStore, published: Published
) -> None:
    published.key = False
    record, _ = await kept(store, await post.send(LETTER, TO, ref="r"))
    assert record.message.held is Reason.SIGNING_FAILED
    assert [event.type for event in await store.journal(0)] == [EventType.ACCEPTED, EventType.HELD]


async def test_a_letter_of_a_test_sender_goes_to_nobody(post: Post, store: MemoryStore) -> None:
    record, _ = await kept(store, await post.send(LETTER, TO, ref="r", sender="acme", test=True))
    assert record.message.test
    assert [event.test for event in await store.journal(0)] == [True]


@pytest.mark.parametrize(
    "name", ["A\r\nBcc: x@example.com", 'Quo"te, (Inc)', "a@b.example", "\u202eX", "é" * 300]
)
async def test_a_name_can_add_no_field(
    name: str, vault: Vault, store: MemoryStore, published: Published
) -> None:
    post = post_of(name, vault, store, published)
    letter = Letter(subject=f"Hello {name}", text=name, html=name)
    _, content = await kept(store, await post.send(letter, TO, ref="r"))
    mail = email.message_from_bytes(content, policy=policy.default)
    assert mail["Bcc"] is None
    assert [found.addr_spec for found in mail["From"].addresses] == ["no-reply@my.platform.example"]
    assert [found.addr_spec for found in mail["To"].addresses] == ["billing@acme.example"]


async def test_what_can_not_be_sent_is_said_and_not_kept(store: MemoryStore) -> None:
    class Refusing:
        async def dress(self, *_: object) -> object:
            from relayd.core.refusal import Refusal

            return Refusal(code=554, enhanced="5.6.0", reason=Reason.MESSAGE_MALFORMED, text="no")

    post = Post(
        store=store,
        dresser=Refusing(),
        platform="P",
        domain="my.platform.example",
        clock=lambda: NOW,  # type: ignore[arg-type]
    )
    with pytest.raises(SigningFailed):
        await post.send(LETTER, TO, ref="r")
    assert await store.journal(0) == []


def test_the_built_in_sender_needs_no_confirmation() -> None:
    sender = house_sender("Platform", "my.platform.example")
    assert sender.confirmed
    assert sender.contact == sender.default_address
