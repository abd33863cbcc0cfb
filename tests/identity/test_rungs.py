"""A sender whose rung changes is told about it once."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from relayd.core import address
from relayd.core.journal import EventType
from relayd.core.mail import IfUnproven, Proof, Rung
from relayd.core.policy import Plan, Platform, Proven, Refusal, plan
from relayd.core.reasons import Reason
from relayd.core.sender import Sender, Senders
from relayd.identity.rungs import AT_ONCE, PAUSE, Rungs
from relayd.store.contract import StoreFull
from relayd.store.memory import MemoryStore

NOW = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
ACME = Sender(
    id="acme",
    name="ACME",
    contact=address.parse("billing@acme.example"),
    confirmed=True,
    default_address=address.parse("acme@my.platform.example"),
    send_as=Rung.OWN,
    if_unproven=IfUnproven.DEFAULT,
    language="de",
    test=False,
)
PLATFORM = Platform(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    send_unproven=False,
    smarthost=False,
)


class Bench:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.senders = [ACME]
        self.proven = Proven(platform_key=True, own_key=False)
        self.rungs = self.restarted()

    def plan(self, sender: Sender) -> Plan | Refusal:
        return plan(
            sender=sender,
            mail_from=sender.contact,
            header_from=sender.contact,
            proven=self.proven,
            platform=PLATFORM,
        )

    def restarted(self) -> Rungs:
        return Rungs(
            store=self.store,
            senders=lambda: Senders(self.senders, unknown=None),
            plan=self.plan,
            clock=lambda: NOW,
            pause=self.pause,
        )

    async def pause(self, seconds: float) -> None:
        if seconds:
            raise InterruptedError(seconds)

    async def told(self) -> list[tuple[str, str, Rung | None, Proof | None, Reason | None]]:
        await self.rungs.check()
        events = await self.store.journal(0)
        assert {event.type for event in events} <= {EventType.RUNG_CHANGED}
        return [(e.detail["from"], e.detail["to"], e.rung, e.proof, e.reason) for e in events]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_who_stays_on_the_default_address_is_told_nothing(bench: Bench) -> None:
    assert await bench.told() == []
    assert await bench.store.recall("rung") == {}


async def test_each_change_is_told_once_across_restarts(bench: Bench) -> None:
    bench.proven = Proven(platform_key=True, own_key=True)
    up = ("default", "own", Rung.OWN, Proof.DKIM, None)
    assert await bench.told() == [up]
    assert await bench.told() == [up]
    bench.rungs = bench.restarted()
    await bench.rungs.load()
    assert await bench.told() == [up]
    bench.proven = Proven(platform_key=True, own_key=False)
    down = ("own", "default", Rung.DEFAULT, Proof.PLATFORM, Reason.SENDER_UNPROVEN)
    assert await bench.told() == [up, down]
    # another proof of the same rung is no other rung
    bench.proven = Proven(platform_key=True, own_key=True)
    bench.proven = dataclasses.replace(bench.proven, own_key=False, own_spf=True)
    assert (await bench.told())[-1] == ("default", "own", Rung.OWN, Proof.SPF, None)
    bench.proven = Proven(platform_key=True, own_key=True)
    assert len(await bench.told()) == 3


@pytest.mark.parametrize(("wish", "to"), [(IfUnproven.HOLD, "held"), (IfUnproven.REJECT, "refused")])
async def test_mail_that_waits_or_is_refused_is_told_with_the_reason(
    bench: Bench, wish: IfUnproven, to: str
) -> None:
    bench.senders = [dataclasses.replace(ACME, if_unproven=wish)]
    assert await bench.told() == [("default", to, None, None, Reason.SENDER_UNPROVEN)]


async def test_a_sender_that_goes_back_to_default_is_told_and_one_that_goes_is_forgotten(
    bench: Bench,
) -> None:
    bench.proven = Proven(platform_key=True, own_key=True)
    await bench.told()
    bench.senders = [dataclasses.replace(ACME, send_as=Rung.DEFAULT)]
    assert (await bench.told())[-1] == ("own", "default", Rung.DEFAULT, Proof.PLATFORM, None)
    bench.senders = []
    assert len(await bench.told()) == 2
    assert await bench.store.recall("rung") == {}


async def test_many_senders_let_others_have_their_turn(bench: Bench) -> None:
    bench.proven = Proven(platform_key=True, own_key=True)
    bench.senders = [dataclasses.replace(ACME, id=f"s{n}") for n in range(AT_ONCE * 2)]
    assert len(await bench.told()) == AT_ONCE * 2


async def test_the_watch_goes_on_when_the_store_is_full(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*args: object) -> None:
        raise StoreFull("no space left")

    bench.proven = Proven(platform_key=True, own_key=True)
    bench.store.remember = full  # type: ignore[method-assign, assignment]
    with pytest.raises(InterruptedError, match=str(PAUSE)):
        await bench.rungs.watch()
    assert "no space left" in caplog.text
