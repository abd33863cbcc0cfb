"""Confirming an address, with real letters that the test reads as their receiver would."""

from __future__ import annotations

import email
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import policy
from pathlib import Path
from typing import Any

import pytest

from relayd.core import address
from relayd.core.address import Address
from relayd.core.confirmation import DENIED, LIFETIME, PAUSE, QUIET, TRIES, Ending
from relayd.core.event import Event, EventType
from relayd.core.letters.confirmation import BY_MESSAGE
from relayd.core.mail import IfUnproven, Rung
from relayd.core.reasons import Reason
from relayd.core.sender import HOUSE, Sender, Senders
from relayd.core.settings import Settings
from relayd.dressing import Dresser, SigningFailed
from relayd.identity.confirm import AlreadyConfirmed, Confirmations, TooSoon, Tried
from relayd.identity.firstmail import FirstMail
from relayd.identity.questions import LETTERS, QUESTION
from relayd.identity.senders import Problem, SenderMissing, SenderRefused
from relayd.post import Post
from relayd.store.contract import Selection, StoreFull
from relayd.store.memory import MemoryStore
from relayd.vault import Vault

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
URL = "https://confirm.platform.example"
MINUTE = timedelta(minutes=1)
SETTINGS: dict[str, Any] = {
    "hostname": "relay.example.net",
    "platform": {
        "domain": "my.platform.example",
        "name": "Platform",
        "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
    },
}
ACME = Sender(
    id="acme",
    name="ACME BV",
    contact=address.parse("billing@acme.example"),
    confirmed=False,
    default_address=address.parse("acme@my.platform.example"),
    send_as=Rung.OWN,
    if_unproven=IfUnproven.DEFAULT,
    language="en",
    test=False,
)
GLOBEX = replace(ACME, id="globex", name="Globex", language="de")


class Published:
    """Stands for `identity.domains`: our key is published."""

    def known(self, domain: str, *_: object) -> bool:
        return True

    async def proven(self, domain: str, *_: object) -> bool:
        return True

    def selector(self, domain: str) -> str:
        return "r1"


class Store(MemoryStore):
    """The honest one, which can run out of space for facts, or for mail."""

    full_for: str | None = None

    async def remember(self, kind: str, *args: Any, **kwargs: Any) -> None:
        if self.full_for == kind:
            raise StoreFull("no space left")
        await super().remember(kind, *args, **kwargs)

    async def forget(self, kind: str, *args: Any, **kwargs: Any) -> None:
        if self.full_for == kind:
            raise StoreFull("no space left")
        await super().forget(kind, *args, **kwargs)

    async def put(self, *args: Any, **kwargs: Any) -> None:
        if self.full_for == "mail":
            raise StoreFull("no space left")
        await super().put(*args, **kwargs)


@dataclass
class Mail:
    """A letter as its receiver has it."""

    to: str
    text: str

    @property
    def code(self) -> str:
        return re.findall(r"^ {4}(\d{3} \d{3})$", self.text, re.MULTILINE)[0]

    @property
    def token(self) -> str:
        return re.findall(rf"^{URL}/confirm/([a-z2-7]{{32}})$", self.text, re.MULTILINE)[0]


@dataclass(kw_only=True)
class Desk:
    store: Store
    vault: Vault
    senders: Senders = field(default_factory=lambda: Senders([ACME, GLOBEX], unknown=None))
    now: datetime = START
    url: str | None = URL
    refuse: bool = False  # the book takes no confirmation
    confirmations: Confirmations = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        settings = Settings.model_validate(SETTINGS)
        dresser = Dresser(vault=self.vault, settings=settings, domains=Published(), login_refused={})
        post = Post(
            store=self.store,
            dresser=dresser,
            platform="Platform",
            domain="my.platform.example",
            clock=lambda: self.now,
        )
        self.confirmations = Confirmations(
            store=self.store,
            senders=lambda: self.senders,
            post=lambda: post,
            confirm=self.confirm,
            fingerprint=self.vault.fingerprint,
            platform=lambda: "Platform",
            public_url=lambda: self.url,
            clock=lambda: self.now,
        )

    async def confirm(self, id: str, address: Address, *, by: str) -> None:
        """As the book of senders does it."""
        sender = self.senders.get(id)
        if sender is None:
            raise SenderMissing(id)
        if self.refuse or sender.contact != address:
            raise SenderRefused([Problem(sender=id, key="address", seen="another", expected=str(address))])
        event = Event(time=self.now, type=EventType.CONFIRMED, sender=id, detail={"by": by})
        await self.store.remember("confirmed", id, {"address": str(address), "by": by}, [event])
        self.senders.put(replace(sender, confirmed=True))

    async def letters(self) -> list[Mail]:
        """All that were sent, the oldest first."""
        found = []
        for record in reversed(await self.store.find(Selection(sender=HOUSE))):
            body = b"".join([chunk async for chunk in self.store.content(record.message.id)])
            mail = email.message_from_bytes(
                record.message.dressing.header + b"\r\n" + body, policy=policy.default
            )
            plain = mail.get_body(("plain",))
            assert plain is not None
            found.append(Mail(to=mail["To"], text=plain.get_content().replace("\r\n", "\n")))
        return found

    async def events(self, *kinds: EventType) -> list[Event]:
        return [event for event in await self.store.journal(0) if event.type in kinds]

    @property
    def confirmed(self) -> bool:
        sender = self.senders.get("acme")
        assert sender is not None
        return sender.confirmed

    def move(self, **changes: Any) -> None:
        sender = self.senders.get("acme")
        assert sender is not None
        self.senders.put(replace(sender, **changes))


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder: Path = tmp_path_factory.mktemp("vault")
    opened = Vault.open(Settings.model_validate(SETTINGS), folder, empty_store=True)
    yield opened
    opened.close()


@pytest.fixture
async def desk(vault: Vault) -> AsyncIterator[Desk]:
    store = Store(clock=lambda: START)
    yield Desk(store=store, vault=vault)
    await store.close()


# --- asking


async def test_asking_sends_one_letter_in_the_senders_language_and_says_so(desk: Desk) -> None:
    status = await desk.confirmations.ask("globex", by="billing-app")
    (letter,) = await desk.letters()
    assert letter.to == "billing@acme.example"
    assert "Globex versendet E-Mails mit Platform" in " ".join(letter.text.split())
    assert "von der Anwendung billing-app" in letter.text
    assert status.open
    assert status.next_letter_at == START + PAUSE
    (event,) = await desk.events(EventType.CONFIRMATION_SENT)
    assert (event.sender, event.reason) == ("globex", Reason.SENDER_UNCONFIRMED)
    assert event.detail == {
        "address": "billing@acme.example",
        "by": "billing-app",
        "letter": status.question.letter if status.question else "",
    }


async def test_nothing_that_is_kept_gives_token_or_code_away(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    kept = repr(await desk.store.recall(QUESTION)) + repr(await desk.store.journal(0))
    assert letter.token not in kept
    assert letter.code.replace(" ", "") not in kept


async def test_a_mailbox_gets_one_letter_an_hour_whichever_sender_asks(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    desk.move(contact=address.parse("Billing+2@acme.example"))
    for id in ("acme", "globex"):
        with pytest.raises(TooSoon) as soon:
            await desk.confirmations.ask(id, by="operator")
        assert soon.value.at == START + PAUSE
        assert not soon.value.denied
    desk.restart()
    await desk.confirmations.load()
    with pytest.raises(TooSoon):
        await desk.confirmations.ask("globex", by="operator")
    desk.now += PAUSE
    await desk.confirmations.ask("globex", by="operator")
    assert len(await desk.letters()) == 2


async def test_another_address_may_be_asked_at_once(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    desk.move(contact=address.parse("office@acme.example"))
    await desk.confirmations.ask("acme", by="operator")
    assert sorted(letter.to for letter in await desk.letters()) == [
        "billing@acme.example",
        "office@acme.example",
    ]


async def test_who_is_confirmed_or_unknown_is_not_asked(desk: Desk) -> None:
    desk.move(confirmed=True)
    with pytest.raises(AlreadyConfirmed):
        await desk.confirmations.ask("acme", by="operator")
    with pytest.raises(SenderMissing):
        await desk.confirmations.ask("nobody", by="operator")
    assert await desk.letters() == []


async def test_without_a_public_page_the_letter_has_the_code_alone(desk: Desk) -> None:
    desk.url = None
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    assert "http" not in letter.text
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.CONFIRMED


async def test_a_test_senders_letter_goes_to_nobody(desk: Desk) -> None:
    desk.move(test=True)
    await desk.confirmations.ask("acme", by="operator")
    (record,) = await desk.store.find(Selection(sender=HOUSE))
    assert record.message.test
    (event,) = await desk.events(EventType.CONFIRMATION_SENT)
    assert event.test


@pytest.mark.parametrize("full_for", ["mail", QUESTION, LETTERS])
async def test_a_letter_that_can_not_be_kept_was_not_asked_for(desk: Desk, full_for: str) -> None:
    desk.store.full_for = full_for
    with pytest.raises(StoreFull):
        await desk.confirmations.ask("acme", by="operator")
    sender = desk.senders.get("acme")
    assert sender is not None
    assert desk.confirmations.unasked(sender)
    desk.store.full_for = None
    await desk.confirmations.ask("acme", by="operator")
    assert len(await desk.letters()) == 1


async def test_when_the_new_letter_can_not_be_kept_the_old_one_still_counts(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.now += PAUSE
    desk.store.full_for = "mail"
    with pytest.raises(StoreFull):
        await desk.confirmations.ask("acme", by="operator")
    assert await desk.confirmations.confirm_by_link(letter.token) is not None


@pytest.mark.parametrize("crash", ["before the letter was kept", "after"])
async def test_a_crash_while_asking_loses_nothing_and_asks_nobody_twice(desk: Desk, crash: str) -> None:
    class Crash(Exception):
        pass

    post = desk.confirmations._post()
    send = post.send

    async def crashing(*args: Any, **kwargs: Any) -> str:
        if crash == "after":
            await send(*args, **kwargs)
        raise Crash

    post.send = crashing  # type: ignore[method-assign]
    with pytest.raises(Crash):
        await desk.confirmations.ask("acme", by="operator")
    desk.restart()
    await desk.confirmations.load()
    if crash == "after":
        (letter,) = await desk.letters()
        assert await desk.confirmations.confirm_by_link(letter.token) is not None
    else:
        await desk.confirmations.ask("acme", by="operator")
        assert len(await desk.letters()) == 1


async def test_an_older_letter_is_not_taken_for_the_one_that_a_crash_prevented(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    desk.now += PAUSE

    class Crash(Exception):
        pass

    async def crashing(*_: Any, **__: Any) -> str:
        raise Crash

    desk.confirmations._post().send = crashing  # type: ignore[method-assign]
    with pytest.raises(Crash):
        await desk.confirmations.ask("acme", by="operator")
    desk.restart()
    await desk.confirmations.load()
    sender = desk.senders.get("acme")
    assert sender is not None
    assert desk.confirmations.unasked(sender)
    await desk.confirmations.ask("acme", by="operator")
    assert len(await desk.letters()) == 2


# --- the link


async def test_a_link_can_be_looked_at_often_and_confirms_once(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    for _ in range(5):
        found = desk.confirmations.find(letter.token)
        assert found is not None
        assert found[0].id == "acme"
    assert not desk.confirmed
    assert await desk.events(EventType.CONFIRMED) == []
    assert await desk.confirmations.confirm_by_link(letter.token) is not None
    assert desk.confirmed
    assert [event.detail["by"] for event in await desk.events(EventType.CONFIRMED)] == ["link"]
    assert desk.confirmations.find(letter.token) is None
    assert await desk.confirmations.confirm_by_link(letter.token) is None
    assert await desk.confirmations.deny(letter.token) is None
    assert await desk.store.recall(QUESTION) == {}


async def test_a_link_works_after_a_restart(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.restart()
    await desk.confirmations.load()
    assert await desk.confirmations.confirm_by_link(letter.token) is not None


async def test_a_link_that_nobody_was_sent_finds_nothing(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    for token in ("", "a" * 32, "../../etc/passwd", "\0", "é"):
        assert desk.confirmations.find(token) is None
        assert await desk.confirmations.confirm_by_link(token) is None
        assert await desk.confirmations.deny(token) is None


async def test_a_new_letter_makes_the_old_one_worthless(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    desk.now += PAUSE
    await desk.confirmations.ask("acme", by="operator")
    old, new = await desk.letters()
    assert desk.confirmations.find(old.token) is None
    if old.code != new.code:
        assert await desk.confirmations.confirm_by_code("acme", old.code) is Tried.WRONG
    assert desk.confirmations.find(new.token) is not None


@pytest.mark.parametrize("gone", ["another address", "removed", "confirmed"])
async def test_a_link_is_bound_to_sender_and_address(desk: Desk, gone: str) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    if gone == "another address":
        desk.move(contact=address.parse("office@acme.example"))
    elif gone == "removed":
        desk.senders.remove("acme")
    else:
        desk.move(confirmed=True)
    assert desk.confirmations.find(letter.token) is None
    assert await desk.confirmations.confirm_by_link(letter.token) is None
    await desk.confirmations.sweep()
    assert await desk.store.recall(QUESTION) == {}
    assert await desk.events(EventType.CONFIRMATION_EXPIRED) == []


@pytest.mark.parametrize("full_for", [None, QUESTION])
async def test_what_was_withdrawn_counts_no_more_when_the_address_comes_back(
    desk: Desk, full_for: str | None
) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.store.full_for = full_for
    await desk.confirmations.withdraw("acme")
    await desk.confirmations.withdraw("acme")
    assert desk.confirmations.find(letter.token) is None
    assert await desk.confirmations.confirm_by_link(letter.token) is None
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.NOTHING_ASKED
    assert (await desk.store.recall(QUESTION) == {}) is (full_for is None)


async def test_what_is_withdrawn_while_its_letter_is_written_counts_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = desk.confirmations._post()
    send = post.send

    async def slowly(*args: Any, **more: Any) -> str:
        id = await send(*args, **more)
        await desk.confirmations.withdraw("acme")
        return id

    monkeypatch.setattr(post, "send", slowly)
    asked = await desk.confirmations.ask("acme", by="operator")
    assert asked.question is None
    (letter,) = await desk.letters()
    assert desk.confirmations.find(letter.token) is None
    assert await desk.store.recall(QUESTION) == {}


async def test_the_book_has_the_last_word_about_the_address(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.refuse = True
    assert await desk.confirmations.confirm_by_link(letter.token) is None
    assert not desk.confirmed


async def test_a_yes_that_can_not_be_written_down_may_be_said_again(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.store.full_for = "confirmed"
    with pytest.raises(StoreFull):
        await desk.confirmations.confirm_by_link(letter.token)
    desk.store.full_for = None
    assert await desk.confirmations.confirm_by_link(letter.token) is not None


async def test_a_yes_counts_when_the_question_can_not_be_forgotten(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.store.full_for = QUESTION
    assert await desk.confirmations.confirm_by_link(letter.token) is not None
    desk.store.full_for = None
    desk.restart()
    await desk.confirmations.load()
    assert desk.confirmations.find(letter.token) is None
    await desk.confirmations.sweep()
    assert await desk.store.recall(QUESTION) == {}


# --- the code


async def test_the_code_confirms_however_it_is_typed(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    assert await desk.confirmations.confirm_by_code("acme", f" {letter.code} ") is Tried.CONFIRMED
    assert [event.detail["by"] for event in await desk.events(EventType.CONFIRMED)] == ["code"]
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.NOTHING_ASKED


async def test_five_wrong_codes_kill_the_code_across_restarts_and_leave_the_link(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    wrong = "000000" if letter.code != "000 000" else "000001"
    tried = []
    for _ in range(TRIES):
        tried.append(await desk.confirmations.confirm_by_code("acme", wrong))
        desk.restart()
        await desk.confirmations.load()
    assert tried == [Tried.WRONG] * (TRIES - 1) + [Tried.USED_UP]
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.USED_UP
    assert not desk.confirmed
    assert await desk.confirmations.confirm_by_link(letter.token) is not None


async def test_guesses_at_once_are_counted_one_by_one(desk: Desk) -> None:
    import asyncio

    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    wrong = "000000" if letter.code != "000 000" else "000001"
    guesses = [desk.confirmations.confirm_by_code("acme", wrong) for _ in range(50)]
    guesses.append(desk.confirmations.confirm_by_code("acme", letter.code))
    await asyncio.gather(*guesses)
    assert not desk.confirmed
    assert int((await desk.store.recall(QUESTION))["acme"]["tries"]) == TRIES


async def test_a_code_is_bound_to_its_sender_and_its_address(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    assert await desk.confirmations.confirm_by_code("globex", letter.code) is Tried.NOTHING_ASKED
    desk.move(contact=address.parse("office@acme.example"))
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.NOTHING_ASKED
    with pytest.raises(SenderMissing):
        await desk.confirmations.confirm_by_code("nobody", letter.code)


async def test_a_try_that_can_not_be_counted_is_none(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.store.full_for = QUESTION
    with pytest.raises(StoreFull):
        await desk.confirmations.confirm_by_code("acme", letter.code)
    assert not desk.confirmed


async def test_the_book_has_the_last_word_about_a_code_too(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.refuse = True
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.NOTHING_ASKED


# --- how questions end


async def test_after_a_day_link_and_code_are_worth_nothing_and_that_is_said_once(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    desk.now += LIFETIME
    assert desk.confirmations.find(letter.token) is None
    assert await desk.confirmations.confirm_by_link(letter.token) is None
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.NOTHING_ASKED
    for _ in range(3):
        await desk.confirmations.sweep()
        desk.restart()
        await desk.confirmations.load()
    (event,) = await desk.events(EventType.CONFIRMATION_EXPIRED)
    assert (event.sender, event.detail["why"]) == ("acme", "expired")
    sender = desk.senders.get("acme")
    assert sender is not None
    question = desk.confirmations.status(sender).question
    assert question is not None
    assert question.ended is Ending.EXPIRED
    await desk.confirmations.ask("acme", by="operator")
    assert len(await desk.letters()) == 2


async def test_what_is_asked_while_the_old_question_ends_still_stands(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    desk.now += LIFETIME
    remember = desk.store.remember

    async def slowly(kind: str, key: str, value: Any, events: Any = ()) -> None:
        await remember(kind, key, value, events)
        if value.get("ended"):
            await desk.confirmations.ask("acme", by="operator")

    desk.store.remember = slowly  # type: ignore[method-assign]
    await desk.confirmations.sweep()
    _, new = await desk.letters()
    assert desk.confirmations.find(new.token) is not None


async def test_this_was_not_me_ends_the_question_and_keeps_the_mailbox_quiet(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    assert await desk.confirmations.deny(letter.token) is not None
    assert await desk.confirmations.confirm_by_link(letter.token) is None
    assert await desk.confirmations.confirm_by_code("acme", letter.code) is Tried.NOTHING_ASKED
    (event,) = await desk.events(EventType.CONFIRMATION_EXPIRED)
    assert event.detail["why"] == "denied"
    desk.restart()
    await desk.confirmations.load()
    for id, until in (("globex", START + QUIET), ("acme", START + DENIED)):
        with pytest.raises(TooSoon) as soon:
            await desk.confirmations.ask(id, by="operator")
        assert soon.value.denied
        assert soon.value.at == until
    desk.now += QUIET
    await desk.confirmations.sweep()
    with pytest.raises(TooSoon):
        await desk.confirmations.ask("acme", by="operator")
    await desk.confirmations.ask("globex", by="operator")
    desk.now = START + DENIED
    await desk.confirmations.sweep()
    assert await desk.store.recall(LETTERS) == {}
    await desk.confirmations.ask("acme", by="operator")


async def test_who_comes_back_with_an_address_whose_reader_said_no_has_to_wait_as_well(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    await desk.confirmations.deny(letter.token)
    await desk.confirmations.withdraw("acme")  # it was removed, or had another address meanwhile
    desk.now += QUIET
    with pytest.raises(TooSoon) as soon:
        await desk.confirmations.ask("acme", by="operator")
    assert soon.value.denied
    assert soon.value.at == START + DENIED


async def test_the_operator_may_vouch(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    (letter,) = await desk.letters()
    await desk.confirmations.vouch("acme")
    assert desk.confirmed
    assert [event.detail["by"] for event in await desk.events(EventType.CONFIRMED)] == ["vouch"]
    assert desk.confirmations.find(letter.token) is None
    await desk.confirmations.vouch("acme")
    assert len(await desk.events(EventType.CONFIRMED)) == 1
    with pytest.raises(SenderMissing):
        await desk.confirmations.vouch("nobody")


async def test_the_rounds_go_on_when_the_store_can_not(desk: Desk) -> None:
    await desk.confirmations.ask("acme", by="operator")
    desk.now += LIFETIME
    desk.store.full_for = QUESTION
    rounds = 0

    class Stop(Exception):
        pass

    async def pause(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        desk.store.full_for = None
        if rounds == 2:
            raise Stop

    desk.confirmations._pause = pause
    with pytest.raises(Stop):
        await desk.confirmations.run()
    assert len(await desk.events(EventType.CONFIRMATION_EXPIRED)) == 1


# --- the first mail of a sender


@pytest.fixture
def first_mail(desk: Desk) -> FirstMail:
    return reader(desk)


def reader(desk: Desk) -> FirstMail:
    return FirstMail(store=desk.store, senders=lambda: desk.senders, confirmations=desk.confirmations)


async def accepted(desk: Desk, sender: str | None = "acme") -> None:
    await desk.store.note(
        [Event(time=desk.now, type=EventType.ACCEPTED, sender=sender, recipient="b@c.example")]
    )


async def test_the_first_mail_asks_and_the_next_ones_do_not(desk: Desk, first_mail: FirstMail) -> None:
    await first_mail.catch_up()
    assert await desk.letters() == []
    for _ in range(3):
        await accepted(desk)
    await first_mail.catch_up()
    for _ in range(3):
        desk.now += PAUSE
        await accepted(desk)
        await first_mail.catch_up()
    (letter,) = await desk.letters()
    assert "by the first e-mail sent in this name" in letter.text
    (event,) = await desk.events(EventType.CONFIRMATION_SENT)
    assert event.detail["by"] == BY_MESSAGE


async def test_who_let_a_question_run_out_or_said_no_is_not_asked_by_mail_again(
    desk: Desk, first_mail: FirstMail
) -> None:
    await first_mail.catch_up()
    await accepted(desk)
    await first_mail.catch_up()
    desk.now += LIFETIME
    await desk.confirmations.sweep()
    await accepted(desk)
    await first_mail.catch_up()
    assert len(await desk.letters()) == 1


async def test_a_new_address_is_asked_about_with_the_next_mail(desk: Desk, first_mail: FirstMail) -> None:
    await first_mail.catch_up()
    await accepted(desk)
    await first_mail.catch_up()
    desk.move(contact=address.parse("office@acme.example"))
    await first_mail.catch_up()
    assert len(await desk.letters()) == 1
    await accepted(desk)
    await first_mail.catch_up()
    assert sorted(letter.to for letter in await desk.letters()) == [
        "billing@acme.example",
        "office@acme.example",
    ]


async def test_a_first_mail_before_a_crash_is_not_overlooked(desk: Desk, first_mail: FirstMail) -> None:
    await first_mail.catch_up()
    await accepted(desk)
    desk.restart()
    await desk.confirmations.load()
    await reader(desk).catch_up()
    assert len(await desk.letters()) == 1
    await reader(desk).catch_up()
    assert len(await desk.letters()) == 1


async def test_senders_with_one_mailbox_are_asked_one_after_the_other(
    desk: Desk, first_mail: FirstMail
) -> None:
    await first_mail.catch_up()
    await accepted(desk)
    await accepted(desk, "globex")
    await first_mail.catch_up()
    assert len(await desk.letters()) == 1
    desk.now += PAUSE
    await accepted(desk, "globex")
    await first_mail.catch_up()
    assert len(await desk.letters()) == 2


async def test_nobody_is_asked_for_what_is_not_a_senders_mail(desk: Desk, first_mail: FirstMail) -> None:
    await first_mail.catch_up()
    await accepted(desk, None)
    await accepted(desk, HOUSE)
    await accepted(desk, "nobody")
    await desk.store.note([Event(time=START, type=EventType.WARNED, sender="acme")])
    await first_mail.catch_up()
    assert await desk.letters() == []


async def test_mail_of_confirmed_senders_is_passed_over_unread(desk: Desk, first_mail: FirstMail) -> None:
    desk.move(confirmed=True)
    desk.senders.remove("globex")
    await first_mail.catch_up()
    await accepted(desk)
    await first_mail.catch_up()
    desk.move(confirmed=False)
    await first_mail.catch_up()
    assert await desk.letters() == []
    await accepted(desk)
    await first_mail.catch_up()
    assert len(await desk.letters()) == 1


@pytest.mark.parametrize("change", [SenderMissing("acme"), AlreadyConfirmed()])
async def test_a_sender_that_changes_while_its_mail_is_looked_at_is_let_be(
    desk: Desk, first_mail: FirstMail, monkeypatch: pytest.MonkeyPatch, change: Exception
) -> None:
    await first_mail.catch_up()
    await accepted(desk)

    async def changed(*_: Any, **__: Any) -> None:
        raise change

    monkeypatch.setattr(desk.confirmations, "ask", changed)
    await first_mail.catch_up()
    assert await desk.letters() == []


async def test_the_place_in_the_journal_is_kept_now_and_then(
    desk: Desk, first_mail: FirstMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    await first_mail.catch_up()
    monkeypatch.setattr("relayd.identity.firstmail.KEEP_EVERY", 2)
    await accepted(desk, None)
    await first_mail.catch_up()
    assert (await desk.store.recall("cursor"))["first_mail"]["seq"] == "0"
    await accepted(desk, None)
    await first_mail.catch_up()
    assert (await desk.store.recall("cursor"))["first_mail"]["seq"] == "2"


async def test_the_reader_tries_again_when_the_store_could_not(desk: Desk, first_mail: FirstMail) -> None:
    await first_mail.catch_up()
    await accepted(desk)
    desk.store.full_for = "mail"
    waits: list[float] = []

    class Stop(Exception):
        pass

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        desk.store.full_for = None
        if len(waits) == 2:
            raise Stop

    first_mail._pause = pause
    with pytest.raises(Stop):
        await first_mail.run()
    assert len(await desk.letters()) == 1


async def test_a_letter_that_can_not_be_signed_is_asked_for_with_the_next_mail(
    desk: Desk, first_mail: FirstMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    await first_mail.catch_up()
    await accepted(desk)

    async def broken(*_: Any) -> bytes:
        raise SigningFailed("no key")

    with monkeypatch.context() as patch:
        patch.setattr(desk.vault, "sign", broken)
        await first_mail.catch_up()
    assert await desk.letters() == []
    await accepted(desk)
    await first_mail.catch_up()
    assert len(await desk.letters()) == 1
