"""Customers hear by mail that their server refuses our login: those who confirmed, once a day at most."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from relayd.core.address import Address
from relayd.core.event import Event, EventType
from relayd.core.letters import Letter
from relayd.core.mail import IfUnproven, Rung
from relayd.core.reasons import Reason
from relayd.core.sender import Sender, Tls, Upstream
from relayd.identity.failedlogins import FailedLogins
from relayd.store.contract import StoreFull
from relayd.store.memory import MemoryStore

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
OWN = Address("billing", "acme.example")
ACME = Sender(
    id="acme",
    name="ACME BV",
    contact=OWN,
    confirmed=True,
    default_address=Address("acme", "my.platform.example"),
    send_as=Rung.UPSTREAM,
    if_unproven=IfUnproven.DEFAULT,
    language="nl",
    test=False,
    upstream=Upstream(host="smtp.acme.example", port=587, tls=Tls.STARTTLS),
)


class Bench:
    def __init__(self) -> None:
        self.now = NOW
        self.store = MemoryStore(clock=lambda: self.now)
        self.sender: Sender | None = ACME
        self.refused = {"acme": Reason.AUTH_WRONG_PASSWORD}
        self.sent: list[tuple[Letter, Address]] = []
        self.faults: list[Exception] = []
        self.reader = self.restarted()

    def restarted(self) -> FailedLogins:
        post: Any = SimpleNamespace(send=self._send)
        return FailedLogins(
            store=self.store,
            sender=lambda id: self.sender if id == "acme" else None,
            refused=lambda: self.refused,
            post=lambda: post,
            platform=lambda: "Platform",
            clock=lambda: self.now,
        )

    async def _send(self, letter: Letter, to: Address, *, ref: str, sender: str) -> str:
        if self.faults:
            raise self.faults.pop()
        self.sent.append((letter, to))
        return "A" * 26

    async def fails(self, reason: Reason = Reason.AUTH_WRONG_PASSWORD, **fields: Any) -> None:
        event = Event(
            time=self.now,
            type=EventType.UPSTREAM_FAILED,
            sender="acme",
            reason=reason,
            code=535,
            enhanced="5.7.8",
            reply="authentication failed",
        )
        await self.store.note([dataclasses.replace(event, **fields)])


@pytest.fixture
async def bench() -> Bench:
    bench = Bench()
    await bench.reader.catch_up()
    return bench


async def test_the_letter_goes_to_the_confirmed_address_in_its_language(bench: Bench) -> None:
    await bench.fails()
    await bench.reader.catch_up()
    [(letter, to)] = bench.sent
    assert to == OWN
    assert letter.subject == "Platform: uw mailserver aanvaardt onze aanmelding niet meer"
    assert "535 5.7.8 authentication failed" in letter.text


async def test_one_a_day_however_often_it_fails(bench: Bench) -> None:
    for _ in range(3):
        await bench.fails()
        await bench.reader.catch_up()
    bench.now += timedelta(hours=23)
    await bench.fails()
    await bench.reader.catch_up()
    assert len(bench.sent) == 1
    bench.now += timedelta(hours=2)
    await bench.fails()
    await bench.reader.catch_up()
    assert len(bench.sent) == 2


async def test_a_restart_writes_no_letter_twice_and_overlooks_none(bench: Bench) -> None:
    await bench.fails()
    await bench.reader.catch_up()
    await bench.restarted().catch_up()
    assert len(bench.sent) == 1
    bench.now += timedelta(days=2)
    await bench.fails()  # while nobody looked
    await bench.restarted().catch_up()
    assert len(bench.sent) == 2


async def test_what_failed_before_anybody_looked_is_let_be() -> None:
    bench = Bench()
    await bench.fails()
    await bench.reader.catch_up()
    assert bench.sent == []


@pytest.mark.parametrize(
    "sender",
    [
        None,
        dataclasses.replace(ACME, confirmed=False),
        dataclasses.replace(ACME, test=True),
        dataclasses.replace(ACME, upstream=None),
    ],
)
async def test_nobody_is_written_to_who_did_not_agree_or_is_not_there(
    bench: Bench, sender: Sender | None
) -> None:
    bench.sender = sender
    await bench.fails()
    await bench.reader.catch_up()
    assert bench.sent == []


async def test_what_passes_by_itself_or_works_again_needs_no_letter(bench: Bench) -> None:
    await bench.fails(Reason.NETWORK_TIMEOUT)
    await bench.fails(sender=None)
    await bench.fails(type=EventType.UPSTREAM_OK)
    await bench.reader.catch_up()
    bench.refused.clear()
    await bench.fails()
    await bench.reader.catch_up()
    assert bench.sent == []


async def test_a_letter_that_could_not_be_kept_is_tried_again(bench: Bench) -> None:
    bench.faults.append(StoreFull("no space left"))
    await bench.fails()
    with pytest.raises(StoreFull):
        await bench.reader.catch_up()
    await bench.reader.catch_up()
    assert len(bench.sent) == 1
