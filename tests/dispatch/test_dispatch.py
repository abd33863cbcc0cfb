"""Lease, deliver, settle: what becomes of a parcel, whatever courier, proof and store do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from relayd import dispatch
from relayd.core.delivery import Attempt, State
from relayd.core.journal import EventType
from relayd.core.mail import Hop, Parcel, Proof, Route, Rung
from relayd.core.policy import Refusal
from relayd.core.reasons import Reason
from relayd.core.verdict import Fate, Scope, Verdict
from relayd.dressing import Dressed, SigningFailed
from relayd.store.contract import Body, DressingStays, Selection, StoreDamaged, StoreError, StoreFull, Verb

from .house import BODY, DRESSING, GREYLISTED, NOON, SENT, UNKNOWN_USER, WRONG_PASSWORD, House, message


@pytest.fixture
def house() -> House:
    return House()


async def test_what_the_server_took_is_sent_and_never_leased_again(house: House) -> None:
    await house.deliver(message(1), until=EventType.DELIVERED)

    assert await house.states() == [State.SENT]
    assert house.courier.bodies == [BODY]
    assert await house.store.lease(NOON, house.hops) == []


async def test_every_recipient_gets_its_own_end(house: House) -> None:
    house.courier.verdicts = [SENT, UNKNOWN_USER, GREYLISTED]

    async with house.open():
        await house.put(message(1, "a@one.example", "b@two.example", "c@three.example"))
        await house.until(EventType.DELIVERED, EventType.FAILED, EventType.DEFERRED, count=3)

    assert sorted(await house.states()) == [State.FAILED, State.QUEUED, State.SENT]


async def test_a_test_sender_s_mail_reaches_nobody_and_is_reported_as_if(house: House) -> None:
    await house.deliver(message(1, test=True), until=EventType.DELIVERED)

    assert house.courier.parcels == []
    assert (await house.last(EventType.DELIVERED)).test


async def test_a_courier_s_fault_is_uncertain_once_and_then_held_for_a_person(house: House) -> None:
    house.courier.verdicts = [RuntimeError("a bug after the final dot")]
    await house.deliver(message(1), until=EventType.UNCERTAIN)
    house.courier.verdicts = [RuntimeError("again")]

    async with house.open():
        await house.store.act(Verb.RETRY, Selection(), NOON)
        await house.until(EventType.HELD)

    assert await house.states() == [State.HELD]
    assert len(house.courier.parcels) == 2


async def test_a_recipient_that_the_courier_forgets_is_not_lost(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.courier.verdicts = [None]

    await house.deliver(message(1), until=EventType.UNCERTAIN)

    assert await house.states() == [State.QUEUED]
    assert "lost recipients [0]" in caplog.text


async def test_a_damaged_body_holds_this_message_only(house: House) -> None:
    house.courier.verdicts = [StoreDamaged("relayd.db: part 2 is damaged")]

    await house.deliver(message(1), message(2), until=EventType.DELIVERED)

    assert sorted(await house.states()) == [State.HELD, State.SENT]
    assert (await house.last(EventType.HELD)).reason is Reason.SERVER_ERROR


async def test_a_result_the_store_can_t_take_is_written_later_and_nothing_is_sent_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, seen = house.store.settle, []

    async def full_at_first(*args: Any, **more: Any) -> None:
        seen.append(house.dispatcher.stuck)
        if len(seen) < 3:
            raise StoreFull("no space left")
        await settle(*args, **more)

    monkeypatch.setattr(house.store, "settle", full_at_first)

    await house.deliver(message(1), until=EventType.DELIVERED)

    assert seen == [False, True, True]
    assert len(house.courier.parcels) == 1
    assert not house.dispatcher.stuck


async def test_mail_of_a_sender_that_was_removed_is_held(house: House) -> None:
    del house.senders["acme"]

    await house.deliver(message(1), until=EventType.HELD)

    assert (await house.last(EventType.HELD)).reason is Reason.SENDER_UNKNOWN
    assert house.courier.parcels == []


async def test_a_message_whose_proof_is_gone_is_dressed_anew_before_its_first_attempt(house: House) -> None:
    anew = replace(DRESSING, reason=Reason.SENDER_UNPROVEN, header=b"From: anew@my.platform.example\r\n")
    one = replace(message(1), dressing=replace(DRESSING, rung=Rung.OWN, proof=Proof.DKIM))
    house.dresser.standing = False
    house.dresser.anew = Dressed(dressing=anew, recipients=one.recipients, held=None)

    await house.deliver(one, until=EventType.DELIVERED)

    assert [parcel.message.dressing.header for parcel in house.courier.parcels] == [anew.header]
    assert (await house.last(EventType.RUNG_CHANGED)).reason is Reason.SENDER_UNPROVEN


async def test_a_message_signed_with_a_key_that_was_taken_away_is_signed_anew_and_nothing_is_said(
    house: House,
) -> None:
    anew = replace(DRESSING, header=b"DKIM-Signature: with the new key\r\n")
    one = message(1)
    house.dresser.old_key = True
    house.dresser.anew = Dressed(dressing=anew, recipients=one.recipients, held=None)

    await house.deliver(one, until=EventType.DELIVERED)

    assert [parcel.message.dressing for parcel in house.courier.parcels] == [anew]
    assert EventType.RUNG_CHANGED not in {event.type for event in await house.store.journal(0)}


async def test_what_was_tried_with_a_key_that_was_taken_away_since_goes_on_as_it_is(house: House) -> None:
    house.courier.verdicts = [GREYLISTED]
    await house.deliver(message(1), until=EventType.DEFERRED)
    house.dresser.old_key = True

    async with house.open():
        await house.store.act(Verb.RETRY, Selection(), NOON)
        await house.until(EventType.DELIVERED)

    assert {parcel.message.dressing for parcel in house.courier.parcels} == {DRESSING}


@pytest.mark.parametrize(
    ("anew", "state", "kind", "reason"),
    [
        (
            Refusal(code=550, enhanced="5.7.1", reason=Reason.SENDER_UNPROVEN, text="not proven"),
            State.FAILED,
            EventType.FAILED,
            Reason.SENDER_UNPROVEN,
        ),
        (
            Refusal(code=550, enhanced="5.7.1", reason=Reason.POLICY_FROM_MISMATCH, text="another address"),
            State.HELD,
            EventType.HELD,
            Reason.POLICY_FROM_MISMATCH,
        ),
        (
            Dressed(dressing=DRESSING, recipients=(), held=Reason.SENDER_UNPROVEN),
            State.HELD,
            EventType.HELD,
            Reason.SENDER_UNPROVEN,
        ),
        (SigningFailed("no key"), State.HELD, EventType.HELD, Reason.SIGNING_FAILED),
    ],
    ids=["rejected", "the sender has another address now", "held", "signing fails"],
)
async def test_what_can_t_be_dressed_anew_leaves_unsent(
    house: House, anew: Any, state: State, kind: EventType, reason: Reason
) -> None:
    house.dresser.standing = False
    house.dresser.anew = anew

    await house.deliver(message(1), until=kind)

    assert await house.states() == [state]
    assert (await house.last(kind)).reason is reason
    assert house.courier.parcels == []


async def test_once_a_recipient_is_on_the_road_the_dressing_stays_and_the_rest_is_held(house: House) -> None:
    def gone(parcel: Parcel) -> None:
        house.dresser.standing = False

    house.courier.arrived = gone
    house.dresser.anew = AssertionError("must not be dressed anew")  # type: ignore[assignment]
    on_the_road = asyncio.Event()
    deliver = house.courier.deliver

    async def slowly(parcel: Parcel, body: Body) -> Sequence[Attempt]:
        attempts = await deliver(parcel, body)
        await on_the_road.wait()
        return attempts

    house.courier.deliver = slowly  # type: ignore[method-assign]
    async with house.open():
        await house.put(message(1, "a@one.example", "b@two.example"))
        await house.until(EventType.HELD)
        on_the_road.set()
        await house.until(EventType.DELIVERED)

    assert sorted(await house.states()) == [State.HELD, State.SENT]


async def test_a_message_that_comes_too_late_to_be_dressed_anew_looks_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sibling was leased between our look and the settling, so the store keeps the dressing."""
    one = message(1)
    anew = replace(DRESSING, header=b"From: anew@my.platform.example\r\n")
    house.dresser.standing = False
    house.dresser.anew = Dressed(dressing=anew, recipients=one.recipients, held=None)
    settle, refused, back = house.store.settle, [], asyncio.Event()

    async def a_sibling_is_on_the_road(parcel: Any, settlements: Any, dressing: Any, recipients: Any) -> None:
        if dressing is not None and not refused:
            refused.append(parcel)
            house.dresser.standing = False
            raise DressingStays("a recipient is on its way")
        await settle(parcel, settlements, dressing, recipients)
        back.set()

    monkeypatch.setattr(house.store, "settle", a_sibling_is_on_the_road)

    async with house.open():
        await house.put(one)
        await back.wait()
        assert await house.states() == [State.QUEUED]
        await house.store.act(Verb.RETRY, Selection(), NOON)
        await house.until(EventType.DELIVERED)

    assert [parcel.message.dressing for parcel in house.courier.parcels] == [anew]
    assert not house.dispatcher.stuck


async def test_all_recipients_of_a_message_leave_in_its_new_dressing(house: House) -> None:
    """Leased together, none attempted: one parcel dresses the message, the others wait for it."""
    one = message(1, "a@one.example", "b@two.example", "c@three.example")
    one = replace(one, dressing=replace(DRESSING, rung=Rung.OWN, proof=Proof.DKIM))
    anew = replace(DRESSING, header=b"From: anew@my.platform.example\r\n")
    house.dresser.standing = False
    house.dresser.anew = Dressed(dressing=anew, recipients=one.recipients, held=None)
    dress, begun, go_on = house.dresser.dress, asyncio.Event(), asyncio.Event()

    async def signing(*args: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await dress(*args)

    house.dresser.dress = signing  # type: ignore[method-assign]
    async with house.open():
        await house.put(one)
        await begun.wait()
        while house.hops.total < 9:  # the others are back in the queue
            await asyncio.sleep(0)
        go_on.set()
        await house.until(EventType.RUNG_CHANGED)
        await house.until(EventType.DELIVERED)
        await house.store.act(Verb.RETRY, Selection(), NOON)
        await house.until(EventType.DELIVERED, count=3)

    assert await house.states() == [State.SENT] * 3
    assert {parcel.message.dressing for parcel in house.courier.parcels} == {anew}
    assert len(house.courier.parcels) == 3


async def test_mail_takes_the_way_that_the_settings_name_now_though_it_was_attempted(house: House) -> None:
    house.courier.verdicts = [GREYLISTED]
    await house.deliver(message(1), until=EventType.DEFERRED)
    house.dresser.hop = Hop(Route.SMARTHOST, "")

    async with house.open():
        await house.store.act(Verb.RETRY, Selection(), NOON)
        await house.until(EventType.RELAYED)

    assert [p.hop.key for p in house.courier.parcels] == ["direct:example.com", "smarthost:"]
    assert {p.message.dressing for p in house.courier.parcels} == {DRESSING}


async def test_mail_held_for_port_25_leaves_by_a_smarthost_that_came_since(house: House) -> None:
    for number in range(3):
        house.hops.started(f"direct:dead{number}.example")
        silent = Verdict(fate=Fate.DEFERRED, reason=Reason.NETWORK_TIMEOUT, scope=Scope.HOST)
        house.hops.ended(f"direct:dead{number}.example", [silent], 0.0)
    assert house.hops.probe(0.0)  # the one that may try; all others are held
    await house.deliver(message(1), until=EventType.HELD)
    house.dresser.hop = Hop(Route.SMARTHOST, "")

    async with house.open():
        await house.store.act(Verb.RELEASE, Selection(held=Reason.NETWORK_PORT_BLOCKED), NOON)
        await house.until(EventType.RELAYED)

    assert [p.hop.key for p in house.courier.parcels] == ["smarthost:"]


async def test_a_body_that_can_t_be_read_now_is_tried_later_and_was_not_sent(house: House) -> None:
    house.courier.verdicts = [StoreError("relayd.db: the disk failed")]

    await house.deliver(message(1), until=EventType.DEFERRED)

    assert (await house.last(EventType.DEFERRED)).reason is Reason.SERVER_ERROR


async def test_a_fault_before_the_courier_has_it_is_not_said_to_have_arrived(house: House) -> None:
    house.dresser.standing = False
    house.dresser.anew = AssertionError("a bug")  # type: ignore[assignment]

    await house.deliver(message(1), until=EventType.DEFERRED)

    assert house.courier.parcels == []


async def test_a_disk_that_stalls_stops_new_deliveries(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "UNWRITTEN", 3)
    settle, stalled, goes_on = house.store.settle, [], asyncio.Event()

    async def stalls(*args: Any) -> None:
        stalled.append(args)
        await goes_on.wait()
        await settle(*args)

    monkeypatch.setattr(house.store, "settle", stalls)

    async with house.open():
        await house.put(*(message(number) for number in range(1, 4)))
        while len(stalled) < 3:
            await asyncio.sleep(0)
        await house.put(*(message(number) for number in range(4, 8)))
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(stalled) == len(house.courier.parcels) == 3
        goes_on.set()
        await house.until(EventType.DELIVERED, count=7)

    assert len(house.courier.parcels) == 7


async def test_a_parcel_on_its_way_when_a_login_is_refused_is_held_without_a_try(house: House) -> None:
    stands, gone_on = house.dresser.stands, asyncio.Event()

    async def slowly(*args: Any) -> bool:
        house.hops.close("upstream:acme", Reason.AUTH_WRONG_PASSWORD)
        gone_on.set()
        return await stands(*args)

    house.dresser.stands = slowly  # type: ignore[method-assign]
    async with house.open():
        await house.put(message(1, route=Route.UPSTREAM))
        await gone_on.wait()
        await house.until(EventType.HELD)

    assert house.courier.parcels == []


async def test_a_login_that_was_changed_while_the_old_one_was_refused_is_tried(house: House) -> None:
    house.courier.verdicts = [WRONG_PASSWORD]

    def changed(parcel: Parcel) -> None:
        house.logins.password = "second"

    house.courier.arrived = changed
    await house.deliver(message(1, route=Route.UPSTREAM), until=EventType.RELAYED)

    assert house.logins.refused == []
    assert house.hops.closed("upstream:acme") is None
    assert len(house.courier.parcels) == 2


async def test_a_refused_login_is_written_down_before_its_result(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.courier.verdicts = [WRONG_PASSWORD]
    order: list[str] = []
    settle, refuse = house.store.settle, house.logins.refuse

    async def settled(*args: Any) -> None:
        order.append("result")
        await settle(*args)

    async def refused(*args: Any) -> None:
        order.append("login")
        await refuse(*args)
        raise StoreFull("no space left")

    monkeypatch.setattr(house.store, "settle", settled)
    monkeypatch.setattr(house.logins, "refuse", refused)

    await house.deliver(message(1, route=Route.UPSTREAM), until=EventType.HELD)

    assert order == ["login", "result"]


@pytest.mark.parametrize(
    ("rung", "reason"), [(Rung.OWN, Reason.SENDER_UNPROVEN), (Rung.DEFAULT, Reason.SIGNING_FAILED)]
)
async def test_a_retry_whose_proof_is_gone_waits_in_its_old_dressing(
    house: House, rung: Rung, reason: Reason
) -> None:
    house.courier.verdicts = [GREYLISTED]
    one = message(1)
    await house.deliver(replace(one, dressing=replace(one.dressing, rung=rung)), until=EventType.DEFERRED)
    house.dresser.standing = False

    async with house.open():
        await house.store.act(Verb.RETRY, Selection(), NOON)
        await house.until(EventType.HELD)

    assert (await house.last(EventType.HELD)).reason is reason
    assert len(house.courier.parcels) == 1


async def test_a_refused_login_holds_what_waits_for_that_hop_after_one_try(house: House) -> None:
    house.courier.verdicts = [WRONG_PASSWORD]
    house.hops.resize(total=1, per_hop=1)

    async with house.open():
        await house.put(message(1, route=Route.UPSTREAM), message(2, route=Route.UPSTREAM), message(3))
        await house.until(EventType.HELD, count=2)
        await house.until(EventType.DELIVERED)

    assert house.logins.refused == [("upstream:acme", Reason.AUTH_WRONG_PASSWORD)]
    assert house.hops.closed("upstream:acme") is Reason.AUTH_WRONG_PASSWORD
    assert [parcel.hop.key for parcel in house.courier.parcels] == ["upstream:acme", "direct:example.com"]
    assert sorted(await house.states()) == [State.HELD, State.HELD, State.SENT]


@pytest.mark.parametrize("full", [False, True])
async def test_a_login_that_another_sender_was_refused_with_is_not_tried(
    house: House, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    async def nothing_fits(*args: Any) -> None:
        raise StoreFull("no space left")

    house.logins.elsewhere = Reason.AUTH_WRONG_PASSWORD
    if full:
        monkeypatch.setattr(house.logins, "learn", nothing_fits)

    async with house.open():
        await house.put(message(1, route=Route.UPSTREAM), message(2, route=Route.UPSTREAM))
        await house.until(EventType.HELD, count=1 if full else 2)

    assert house.courier.parcels == []
    assert house.hops.closed("upstream:acme") is Reason.AUTH_WRONG_PASSWORD
    assert (await house.last(EventType.HELD)).reason is Reason.AUTH_WRONG_PASSWORD


async def test_drain_waits_for_what_is_on_the_road_and_leaves_the_rest_for_the_next_start(
    house: House,
) -> None:
    never = asyncio.Event()
    on_the_road = asyncio.Event()

    async def stuck(parcel: Parcel, body: Body) -> Sequence[Attempt]:
        on_the_road.set()
        await never.wait()
        return []

    house.courier.deliver = stuck  # type: ignore[method-assign]
    await house.put(message(1))
    task = asyncio.create_task(house.dispatcher.run())
    await on_the_road.wait()
    task.cancel()

    left = await house.dispatcher.drain(0)

    assert left == 1
    assert await house.states() == [State.QUEUED]
