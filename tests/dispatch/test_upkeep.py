"""Now and then: holds end, refused logins hold, port 25 is tried again, what is over is cleared."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from relayd.core.delivery import State
from relayd.core.fate import Fate, Scope, Verdict
from relayd.core.hops import PROBE_EVERY, Hops
from relayd.core.mail import Route
from relayd.core.reasons import Reason
from relayd.core.settings import Delivery, Retention
from relayd.store.contract import Selection, StoreFull, Verb
from relayd.store.memory import MemoryStore
from relayd.upkeep import Upkeep

from .house import BODY, NOON, message

SILENT = Verdict(fate=Fate.DEFERRED, reason=Reason.NETWORK_TIMEOUT, scope=Scope.HOST)
ANSWERED = Verdict(fate=Fate.SENT, reason=None, scope=Scope.MESSAGE)


class Keeper:
    """Upkeep over a store in memory, with a clock that moves when told."""

    def __init__(self) -> None:
        self.now: datetime = NOON
        self.seconds = 0.0
        self.store = MemoryStore(clock=lambda: self.now)
        self.hops = Hops(total=10, per_hop=5)
        self.refused: dict[str, Reason] = {}
        settings: Any = SimpleNamespace(delivery=Delivery(), retention=Retention())
        self.upkeep = Upkeep(
            store=self.store,
            hops=self.hops,
            settings=lambda: settings,
            refused=lambda: self.refused,
            clock=lambda: self.now,
            monotonic=lambda: self.seconds,
        )

    async def put(self, number: int, route: Route = Route.DIRECT, held: Reason | None = None) -> None:
        await self.store.put(message(number, route=route, held=held), BODY, [])

    def unanswered(self, *domains: str) -> None:
        for domain in domains:
            self.hops.started(f"direct:{domain}")
            self.hops.ended(f"direct:{domain}", [SILENT], self.seconds)

    async def held(self) -> int:
        return (await self.store.count()).get(State.HELD, 0)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


async def test_a_hold_ends_at_its_limit_and_not_before(keeper: Keeper) -> None:
    await keeper.put(1)
    await keeper.store.act(Verb.HOLD, Selection(), keeper.now)

    keeper.now += timedelta(days=14, seconds=-1)
    await keeper.upkeep.turn()
    assert await keeper.held() == 1

    keeper.now += timedelta(seconds=1)
    await keeper.upkeep.turn()

    [event] = [e for e in await keeper.store.journal(0) if e.final]
    assert (event.type.value, event.reason) == ("expired", Reason.EXPIRED)


async def test_mail_that_came_in_while_a_login_was_being_refused_is_held_too(
    keeper: Keeper,
) -> None:
    await keeper.put(1, Route.SMARTHOST)
    await keeper.put(2)
    keeper.refused["smarthost:"] = Reason.AUTH_WRONG_PASSWORD

    await keeper.upkeep.turn()

    [record] = await keeper.store.find(Selection(state=State.HELD))
    assert record.standings[0].held is Reason.AUTH_WRONG_PASSWORD
    assert await keeper.held() == 1


async def test_a_closed_port_is_said_loudly_once_and_one_message_tries_it_now_and_then(
    keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1, 4):
        await keeper.put(number, held=Reason.NETWORK_PORT_BLOCKED)
    keeper.unanswered("one.example", "two.example", "three.example")

    await keeper.upkeep.turn()
    await keeper.upkeep.turn()
    assert await keeper.held() == 2
    assert [r.getMessage() for r in caplog.records if "smarthost" in r.getMessage()] != []
    assert len([r for r in caplog.records if r.levelname == "CRITICAL"]) == 1

    keeper.seconds += PROBE_EVERY
    await keeper.upkeep.turn()
    assert await keeper.held() == 1


async def test_when_the_port_opens_everything_held_for_it_may_go(keeper: Keeper) -> None:
    keeper.unanswered("one.example", "two.example", "three.example")
    await keeper.put(1, held=Reason.NETWORK_PORT_BLOCKED)
    await keeper.put(2, held=Reason.NETWORK_PORT_BLOCKED)
    await keeper.put(3, held=Reason.SENDER_UNPROVEN)
    await keeper.upkeep.turn()

    keeper.hops.started("direct:four.example")
    keeper.hops.ended("direct:four.example", [ANSWERED], keeper.seconds)
    await keeper.upkeep.turn()

    [left] = await keeper.store.find(Selection(state=State.HELD))
    assert left.standings[0].held is Reason.SENDER_UNPROVEN


async def test_a_store_that_is_full_stops_no_upkeep(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []

    async def turn() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise StoreFull("no space left")
        raise KeyboardInterrupt  # the way out of the endless loop

    async def at_once(seconds: float) -> None: ...

    monkeypatch.setattr(keeper.upkeep, "turn", turn)
    monkeypatch.setattr(keeper.upkeep, "_pause", at_once)

    with pytest.raises(KeyboardInterrupt):
        await keeper.upkeep.run()

    assert len(turns) == 2


async def test_a_port_that_closed_and_opened_between_two_turns_leaves_nothing_held(keeper: Keeper) -> None:
    await keeper.put(1, held=Reason.NETWORK_PORT_BLOCKED)

    await keeper.upkeep.turn()

    assert await keeper.held() == 0


async def test_logins_that_change_while_their_mail_is_being_held_disturb_nothing(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another login is refused meanwhile, and a person lets the next one in the list try again."""
    await keeper.put(1, Route.SMARTHOST)
    await keeper.put(2, Route.UPSTREAM)
    keeper.refused.update(
        {"smarthost:": Reason.AUTH_WRONG_PASSWORD, "upstream:acme": Reason.AUTH_WRONG_PASSWORD}
    )
    act = keeper.store.act

    async def meanwhile(verb: Verb, selection: Selection, *more: Any) -> int:
        if verb is Verb.HOLD:
            keeper.refused["upstream:other"] = Reason.AUTH_MECHANISM
            keeper.refused.pop("upstream:acme", None)
        return await act(verb, selection, *more)

    monkeypatch.setattr(keeper.store, "act", meanwhile)

    await keeper.upkeep.turn()

    assert await keeper.held() == 1


async def test_mail_that_never_had_its_turn_at_a_dead_hop_ends_when_its_time_is_over(keeper: Keeper) -> None:
    await keeper.put(1)
    await keeper.put(2, Route.SMARTHOST)
    for record in await keeper.store.find(Selection()):
        await keeper.store.act(Verb.RETRY, Selection(message=record.message.id), keeper.now)
    keeper.unanswered("example.com")

    keeper.now += timedelta(hours=72)
    keeper.seconds += 72 * 3600 - 1
    await keeper.upkeep.turn()
    assert (await keeper.store.count())[State.QUEUED] == 2

    keeper.seconds += 1
    await keeper.upkeep.turn()

    [event] = [e for e in await keeper.store.journal(0) if e.final]
    assert (event.type.value, event.recipient, event.reason) == (
        "expired",
        "anna@example.com",
        Reason.EXPIRED,
    )
    assert (await keeper.store.count())[State.QUEUED] == 1
