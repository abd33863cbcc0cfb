"""The promises of `relayd.store.contract`, one by one, held against every store."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relayd.core.address import Address
from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event, EventType
from relayd.core.mail import Hop, RefusedRecipient, Route
from relayd.core.reasons import Reason
from relayd.store.contract import (
    CHUNK,
    DressingStays,
    LeaseEnded,
    Selection,
    StoreDamaged,
    StoreError,
    Verb,
)

DAY = timedelta(days=1)


# --- put and lease


async def test_what_was_put_is_leased_at_once_and_whole(desk: Any) -> None:
    message = desk.make.message(
        ["anna@example.com"],
        ref="2026-17",
        meta={"customer": "42"},
        test=True,
        refused=(
            RefusedRecipient(
                address="x@gone.example",
                code=550,
                enhanced="5.1.2",
                reason=Reason.RECIPIENT_DOMAIN,
                text="no",
            ),
        ),
    )
    await desk.store.put(message, b"Hello\r\n", desk.make.accepted(message))
    [parcel] = await desk.lease()
    assert parcel.message == message
    assert parcel.hop == message.recipients[0].hop
    assert parcel.recipients == message.recipients
    assert parcel.first
    assert parcel.progress[0].attempts == 0
    assert await desk.body(message) == b"Hello\r\n"


async def test_a_leased_recipient_is_not_leased_again(desk: Any) -> None:
    await desk.put()
    assert len(await desk.lease()) == 1
    assert await desk.lease() == []


async def test_recipients_with_return_paths_of_their_own_travel_alone(desk: Any) -> None:
    await desk.put("anna@example.com", "bert@example.com")
    assert [len(parcel.recipients) for parcel in await desk.lease()] == [1, 1]


async def test_recipients_that_share_hop_and_return_path_share_a_parcel(desk: Any, addresses: Any) -> None:
    await desk.put("a@one.example", "b@one.example", "c@two.example", return_path="own@acme.example")
    parcels = await desk.lease()
    assert sorted(len(parcel.recipients) for parcel in parcels) == [1, 2]
    assert sorted(addresses(parcels)) == ["a@one.example", "b@one.example", "c@two.example"]


async def test_a_parcel_carries_a_hundred_recipients_at_most(desk: Any, addresses: Any) -> None:
    many = [f"r{n}@one.example" for n in range(230)]
    await desk.put(*many, return_path="own@acme.example")
    parcels = await desk.lease()
    assert sorted(len(parcel.recipients) for parcel in parcels) == [30, 100, 100]
    assert sorted(addresses(parcels)) == sorted(many)


async def test_no_more_is_leased_than_there_is_room_for(desk: Any) -> None:
    for _ in range(5):
        await desk.put("anna@one.example")
        await desk.put("anna@two.example")
    parcels = await desk.lease(total=6, each=4)
    assert len(parcels) == 6
    assert max(Counter(parcel.hop.key for parcel in parcels).values()) <= 4
    assert len(await desk.lease(total=100, each=1)) == 2


async def test_a_closed_hop_is_skipped_and_others_go_on(desk: Any, addresses: Any) -> None:
    await desk.put("anna@dead.example")
    await desk.put("bert@alive.example")
    assert addresses(await desk.lease(closed={"direct:dead.example"})) == ["bert@alive.example"]
    assert addresses(await desk.lease()) == ["anna@dead.example"]


async def test_senders_take_turns_at_a_hop(desk: Any) -> None:
    for _ in range(10):
        await desk.put(sender="bulk")
    await desk.put(sender="acme")
    await desk.put(sender="tiny")
    parcels = await desk.lease(each=3)
    assert sorted(parcel.message.sender for parcel in parcels) == ["acme", "bulk", "tiny"]


async def test_turns_go_on_from_lease_to_lease(desk: Any) -> None:
    for sender in ("bulk", "bulk", "bulk", "acme", "acme", "acme"):
        await desk.put(sender=sender)
    served = [(await desk.lease(total=1))[0].message.sender for _ in range(6)]
    assert Counter(served[:2]) == Counter(served[2:4]) == Counter(served[4:]) == {"bulk": 1, "acme": 1}


async def test_within_a_sender_the_oldest_goes_first(desk: Any) -> None:
    messages = []
    for _ in range(4):
        messages.append(await desk.put())
        desk.clock.forward(seconds=1)
    leased = [(await desk.lease(total=1))[0].message.id for _ in range(4)]
    assert leased == [message.id for message in messages]


async def test_a_retry_that_fell_due_goes_before_what_was_just_put(desk: Any) -> None:
    old = await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=60))
    desk.clock.forward(seconds=90)
    await desk.put()
    assert [p.message.id for p in await desk.lease(total=1)] == [old.id]


async def test_a_message_put_as_held_waits_until_it_is_released(desk: Any) -> None:
    message = await desk.put(held=Reason.SENDER_UNPROVEN)
    assert await desk.lease() == []
    [record] = await desk.store.find(Selection(held=Reason.SENDER_UNPROVEN))
    assert record.message.held is Reason.SENDER_UNPROVEN
    assert await desk.store.act(Verb.RELEASE, Selection(message=message.id), desk.clock()) == 1
    [parcel] = await desk.lease()
    assert parcel.progress[0].released
    assert parcel.message.held is None
    assert parcel.first


async def test_a_second_message_with_the_same_id_is_refused_and_the_first_stays(desk: Any) -> None:
    message = await desk.put()
    with pytest.raises(StoreError):
        await desk.store.put(message, b"Hello\r\n", desk.make.accepted(message))
    assert len(await desk.lease()) == 1
    assert await desk.types() == [EventType.ACCEPTED]


async def test_a_body_of_another_size_than_said_is_refused(desk: Any) -> None:
    message = desk.make.message(body=b"Hello\r\n")
    with pytest.raises(StoreError, match="octets"):
        await desk.store.put(message, b"Hello", [])
    assert await desk.lease() == []


async def test_one_bad_message_among_many_fails_alone(desk: Any) -> None:
    twin = await desk.put()
    good = [desk.make.message() for _ in range(10)]
    results = await asyncio.gather(
        *(desk.store.put(m, b"Hello\r\n", desk.make.accepted(m)) for m in [*good[:5], twin, *good[5:]]),
        return_exceptions=True,
    )
    assert [type(result) for result in results if result is not None] == [StoreError]
    assert (await desk.store.count())[State.QUEUED] == 11
    seqs = [event.seq for event in await desk.store.journal(0)]
    assert seqs == sorted(set(seqs))
    assert len(seqs) == 11


# --- content


@pytest.mark.parametrize("size", [0, 1, 5000, CHUNK, 3 * 1024 * 1024 + 1])
async def test_a_body_comes_back_as_it_was_in_chunks_of_at_most_a_mebibyte(desk: Any, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    message = await desk.put(body=body)
    chunks = [chunk async for chunk in desk.store.content(message.id)]
    assert b"".join(chunks) == body
    assert all(len(chunk) <= 1024 * 1024 for chunk in chunks)


@pytest.mark.parametrize("piece", [1000, 100_000, 1024 * 1024])
async def test_a_body_may_come_piece_by_piece(desk: Any, piece: int) -> None:
    body = bytes(range(250)) * 9000
    receiving = desk.store.receive()
    for start in range(0, len(body), piece):
        await receiving.append(body[start : start + piece])
    message = desk.make.message(body=body)
    await desk.store.put(message, receiving, desk.make.accepted(message))
    [parcel] = await desk.lease()
    assert parcel.message == message
    assert await desk.body(message) == body
    await receiving.discard()
    assert await desk.body(message) == body


async def test_a_discarded_body_can_not_be_put(desk: Any) -> None:
    receiving = desk.store.receive()
    await receiving.append(b"x" * 2 * CHUNK)
    await receiving.discard()
    with pytest.raises(StoreError):
        await desk.store.put(desk.make.message(body=b"x" * 2 * CHUNK), receiving, [])
    with pytest.raises(StoreError):
        await receiving.append(b"x")


async def test_the_content_of_a_message_nobody_knows_is_an_error(desk: Any) -> None:
    with pytest.raises(StoreError):
        await desk.body(desk.make.message())


# --- settle


async def test_a_sent_recipient_is_final_and_its_event_is_in_the_journal(desk: Any) -> None:
    message = await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.sent(parcel))
    assert await desk.lease() == []
    assert await desk.types() == [EventType.ACCEPTED, EventType.DELIVERED]
    [record] = await desk.store.find(Selection(message=message.id))
    [standing] = record.standings
    assert (standing.state, standing.attempts, standing.due_at) == (State.SENT, 1, None)
    assert standing.last is not None
    assert (standing.last.type, standing.last.seq, standing.last.reply) == (
        EventType.DELIVERED,
        2,
        "2.0.0 Ok",
    )


async def test_a_deferred_recipient_is_due_again_after_its_wait(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=120, uncertain=True, warned=True))
    desk.clock.forward(seconds=119)
    assert await desk.lease() == []
    desk.clock.forward(seconds=1)
    [parcel] = await desk.lease()
    assert not parcel.first
    progress = parcel.progress[0]
    assert (progress.attempts, progress.waited, progress.uncertain, progress.warned) == (1, 120.5, 1, True)
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=60))
    desk.clock.forward(seconds=60)
    [parcel] = await desk.lease()
    progress = parcel.progress[0]
    assert (progress.attempts, progress.waited, progress.uncertain, progress.warned) == (2, 181.0, 1, True)


async def test_settling_twice_is_refused_and_writes_nothing(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.sent(parcel))
    with pytest.raises(LeaseEnded):
        await desk.store.settle(parcel, desk.make.deferred(parcel))
    assert len(await desk.types()) == 2
    assert (await desk.store.count())[State.SENT] == 1


async def test_settling_twice_at_the_same_time_settles_once(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    results = await asyncio.gather(
        *(desk.store.settle(parcel, desk.make.sent(parcel)) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(result) for result in results if result is not None) == [LeaseEnded]
    assert len(await desk.types()) == 2


async def test_a_recipient_that_nobody_settled_goes_back_at_once(desk: Any, addresses: Any) -> None:
    await desk.put("a@one.example", "b@one.example", return_path="own@acme.example")
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.sent(parcel)[:1])
    parcels = await desk.lease()
    assert addresses(parcels) == ["b@one.example"]
    assert parcels[0].progress[1].attempts == 0
    assert not parcels[0].first  # its neighbour was attempted


async def test_a_settlement_for_a_stranger_is_refused_and_the_lease_goes_on(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    with pytest.raises(StoreError):
        await desk.store.settle(parcel, [Settlement(recipient=7, state=State.SENT)])
    await desk.store.settle(parcel, desk.make.sent(parcel))


async def test_a_recipient_settled_as_held_says_why(desk: Any) -> None:
    message = await desk.put()
    [parcel] = await desk.lease()
    held = desk.make.event(message, EventType.HELD, reason=Reason.AUTH_WRONG_PASSWORD)
    await desk.store.settle(
        parcel, [Settlement(recipient=0, state=State.HELD, attempted=False, events=(held,))]
    )
    assert await desk.lease() == []
    [record] = await desk.store.find(Selection(held=Reason.AUTH_WRONG_PASSWORD))
    assert record.standings[0].state is State.HELD
    assert record.standings[0].attempts == 0


async def test_a_parcel_that_came_back_without_a_try_leaves_the_message_first(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    back = Settlement(recipient=0, state=State.QUEUED, wait=0, attempted=False)
    await desk.store.settle(parcel, [back])
    [parcel] = await desk.lease()
    assert parcel.first
    assert parcel.progress[0].attempts == 0


# --- dressing anew


async def test_a_message_never_attempted_may_be_dressed_anew(desk: Any) -> None:
    message = await desk.put("a@one.example", "b@two.example")
    [parcel] = await desk.lease(total=1)
    dressing, recipients = desk.make.dressed_anew(message, "acme")
    await desk.store.settle(parcel, [], dressing, recipients)
    assert await desk.lease(closed={"upstream:acme"}) == []
    [parcel] = await desk.lease()
    assert parcel.hop.key == "upstream:acme"
    assert parcel.recipients == recipients
    assert parcel.message.dressing == dressing
    assert parcel.message.recipients == recipients
    assert parcel.message.submission == message.submission
    assert await desk.body(message) == b"Hello\r\n"
    [record] = await desk.store.find(Selection(hop="upstream:acme"))
    assert record.message.dressing == dressing


async def test_dressing_anew_is_refused_while_another_parcel_is_on_its_way(desk: Any) -> None:
    message = await desk.put("a@one.example", "b@two.example")
    one, two = await desk.lease()
    dressing, recipients = desk.make.dressed_anew(message, "acme")
    with pytest.raises(DressingStays):
        await desk.store.settle(one, [], dressing, recipients)
    await desk.store.settle(two, [])
    await desk.store.settle(one, [], dressing, recipients)
    assert [parcel.hop.key for parcel in await desk.lease()] == ["upstream:acme"]


async def test_dressing_anew_is_refused_once_a_recipient_was_attempted(desk: Any) -> None:
    message = await desk.put("a@one.example", "b@two.example")
    one, two = await desk.lease()
    await desk.store.settle(one, desk.make.deferred(one))
    with pytest.raises(DressingStays):
        await desk.store.settle(two, [], *desk.make.dressed_anew(message, "acme"))
    await desk.store.settle(two, desk.make.sent(two))


# --- another hop


def at_the_smarthost(*recipients: Any) -> list[Any]:
    return [replace(recipient, hop=Hop(Route.SMARTHOST, "")) for recipient in recipients]


async def test_a_recipient_takes_another_hop_in_its_dressing_though_it_was_attempted(desk: Any) -> None:
    message = await desk.put("a@one.example", "b@two.example")
    one, two = await desk.lease()
    await desk.store.settle(one, desk.make.deferred(one, wait=0.0))
    [one] = await desk.lease()
    await desk.store.settle(one, [], None, at_the_smarthost(*one.recipients))
    assert await desk.lease(closed={"smarthost:"}) == []
    [moved] = await desk.lease()
    assert moved.hop.key == "smarthost:"
    assert [r.address for r in moved.recipients] == [r.address for r in one.recipients]
    assert moved.message.dressing == message.dressing
    assert moved.progress == one.progress
    assert not moved.first
    await desk.store.settle(two, desk.make.sent(two))
    await desk.store.settle(moved, desk.make.sent(moved))
    [record] = await desk.store.find(Selection())
    assert [s.state for s in record.standings] == [State.SENT, State.SENT]
    assert sorted(s.recipient.hop.key for s in record.standings) == ["direct:two.example", "smarthost:"]


async def test_what_waits_for_a_moved_recipient_happens_to_it(desk: Any) -> None:
    message = await desk.put("a@one.example")
    [parcel] = await desk.lease()
    await desk.store.act(Verb.HOLD, Selection(message=message.id), desk.clock())
    await desk.store.settle(parcel, [], None, at_the_smarthost(*parcel.recipients))
    assert await desk.lease() == []
    await desk.store.act(Verb.RELEASE, Selection(message=message.id), desk.clock())
    assert [parcel.hop.key for parcel in await desk.lease()] == ["smarthost:"]


async def test_only_recipients_of_the_parcel_can_be_moved(desk: Any) -> None:
    await desk.put("a@one.example", "b@two.example")
    one, two = await desk.lease()
    with pytest.raises(StoreError):
        await desk.store.settle(one, [], None, at_the_smarthost(*two.recipients))
    await desk.store.settle(one, desk.make.sent(one))


# --- waiting


async def test_wait_returns_at_once_when_something_can_be_leased(desk: Any) -> None:
    await desk.put()
    await asyncio.wait_for(desk.store.wait(desk.clock(), desk.room), 10)


async def test_wait_wakes_when_something_is_put(desk: Any) -> None:
    waiting = asyncio.ensure_future(desk.store.wait(desk.clock(), desk.room))
    await asyncio.sleep(0)
    assert not waiting.done()
    await desk.put()
    await asyncio.wait_for(waiting, 10)


async def test_wait_wakes_when_something_is_released(desk: Any) -> None:
    await desk.put(held=Reason.SENDER_UNPROVEN)
    waiting = asyncio.ensure_future(desk.store.wait(desk.clock(), desk.room))
    await asyncio.sleep(0)
    assert not waiting.done()
    await desk.store.act(Verb.RELEASE, Selection(), desk.clock())
    await asyncio.wait_for(waiting, 10)


async def test_wait_wakes_when_a_place_may_have_become_free(desk: Any) -> None:
    await desk.put()
    await desk.put()
    [parcel] = await desk.lease(total=1)
    desk.room.total = 0
    waiting = asyncio.ensure_future(desk.store.wait(desk.clock(), desk.room))
    await asyncio.sleep(0)
    assert not waiting.done()
    await desk.store.settle(parcel, desk.make.sent(parcel))
    await asyncio.wait_for(waiting, 10)


async def test_wait_wakes_when_the_next_one_falls_due(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=0.05))
    await asyncio.wait_for(desk.store.wait(desk.clock(), desk.room), 10)


# --- watch


async def test_a_watch_tells_the_outcome_of_every_recipient_in_order(desk: Any) -> None:
    message = desk.make.message(["a@one.example", "b@two.example"])
    async with desk.store.watch(message.id) as watch:
        await desk.store.put(message, b"Hello\r\n", desk.make.accepted(message))
        parcels = {str(p.recipients[0].address): p for p in await desk.lease()}
        second = parcels["b@two.example"]
        await desk.store.settle(second, desk.make.deferred(second))
        waiting = asyncio.ensure_future(watch.settled())
        await asyncio.sleep(0)
        assert not waiting.done()
        first = parcels["a@one.example"]
        await desk.store.settle(first, desk.make.sent(first))
        events = await asyncio.wait_for(waiting, 10)
    assert [(event.recipient, event.type) for event in events] == [
        ("a@one.example", EventType.DELIVERED),
        ("b@two.example", EventType.DEFERRED),
    ]


async def test_a_watch_on_a_held_message_ends_at_once(desk: Any) -> None:
    message = desk.make.message(held=Reason.SENDER_UNPROVEN)
    async with desk.store.watch(message.id) as watch:
        await desk.store.put(message, b"Hello\r\n", desk.make.accepted(message))
        [event] = await asyncio.wait_for(watch.settled(), 10)
    assert (event.type, event.reason) == (EventType.HELD, Reason.SENDER_UNPROVEN)


async def test_a_watch_ends_when_the_message_is_cancelled(desk: Any) -> None:
    message = desk.make.message()
    async with desk.store.watch(message.id) as watch:
        await desk.store.put(message, b"Hello\r\n", desk.make.accepted(message))
        await desk.store.act(Verb.CANCEL, Selection(message=message.id), desk.clock())
        [event] = await asyncio.wait_for(watch.settled(), 10)
    assert event.type is EventType.CANCELLED


# --- journal


async def test_the_journal_is_read_in_commit_order_from_any_place(desk: Any) -> None:
    for _ in range(5):
        await desk.put()
    events = await desk.store.journal(0)
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert await desk.store.journal(2, limit=2) == events[2:4]
    assert await desk.store.journal(5) == []


async def test_every_field_of_an_event_comes_back(desk: Any) -> None:
    event = Event(
        time=desk.clock(),
        type=EventType.DEFERRED,
        message="M",
        ref="R",
        sender="acme",
        recipient="ä@example.com",
        attempt=3,
        next_attempt=desk.clock() + timedelta(minutes=2),
        final=False,
        reason=Reason.RATE_GREYLISTED,
        code=450,
        enhanced="4.2.0",
        reply="später\nnochmal",
        host="mx.example.com",
        ip="::1",
        tls="TLSv1.3",
        bounces="tracked",
        test=True,
        detail={"note": "x"},
    )
    await desk.store.note([event])
    [found] = await desk.store.journal(0)
    assert found.seq == 1
    assert found == type(event)(**{**_fields(event), "seq": 1})


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__slots__}


async def test_the_newest_event_is_known_without_reading(desk: Any) -> None:
    assert desk.store.newest == 0
    await desk.store.note([Event(time=desk.clock(), type=EventType.CONFIRMED)] * 2)
    assert desk.store.newest == 2


async def test_who_waits_for_the_journal_wakes_when_something_is_written(desk: Any) -> None:
    waiting = asyncio.ensure_future(desk.store.wait_journal(0))
    await asyncio.sleep(0)
    assert not waiting.done()
    await desk.put()
    await asyncio.wait_for(waiting, 10)
    await asyncio.wait_for(desk.store.wait_journal(0), 10)


async def test_a_note_about_a_recipient_is_its_newest_event(desk: Any) -> None:
    message = await desk.put()
    await desk.deliver_all()
    await desk.store.note([desk.make.event(message, EventType.BOUNCED, final=True)])
    [record] = await desk.store.find(Selection(message=message.id))
    assert record.standings[0].last is not None
    assert record.standings[0].last.type is EventType.BOUNCED


# --- act


async def test_retry_makes_a_waiting_recipient_due_now(desk: Any) -> None:
    message = await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=3600))
    assert await desk.store.act(Verb.RETRY, Selection(message=message.id), desk.clock()) == 1
    assert len(await desk.lease()) == 1
    assert (await desk.types())[-1] is EventType.RETRIED


async def test_hold_keeps_waiting_recipients_back_with_the_reason(desk: Any) -> None:
    await desk.put(sender="acme")
    await desk.put(sender="other")
    now = desk.clock()
    assert await desk.store.act(Verb.HOLD, Selection(sender="acme"), now, Reason.AUTH_WRONG_PASSWORD) == 1
    assert [parcel.message.sender for parcel in await desk.lease()] == ["other"]
    [event] = await desk.store.journal(2)
    assert (event.type, event.reason, event.sender) == (EventType.HELD, Reason.AUTH_WRONG_PASSWORD, "acme")
    assert await desk.store.act(Verb.RELEASE, Selection(held=Reason.AUTH_WRONG_PASSWORD), now) == 1
    assert [parcel.message.sender for parcel in await desk.lease()] == ["acme"]


async def test_what_was_held_too_long_says_what_it_waited_for(desk: Any) -> None:
    await desk.put()
    now = desk.clock()
    await desk.store.act(Verb.HOLD, Selection(), now, Reason.AUTH_WRONG_PASSWORD)
    assert await desk.store.act(Verb.EXPIRE, Selection(state=State.HELD), now, Reason.EXPIRED) == 1

    [event] = [event for event in await desk.store.journal(0) if event.final]
    assert (event.type, event.reason) == (EventType.EXPIRED, Reason.EXPIRED)
    assert event.detail == {"last_reason": "auth.wrong_password"}


async def test_cancel_is_final_for_queued_and_held(desk: Any) -> None:
    await desk.put()
    await desk.put(held=Reason.SENDER_UNPROVEN)
    assert await desk.store.act(Verb.CANCEL, Selection(), desk.clock()) == 2
    assert await desk.lease() == []
    assert (await desk.store.count())[State.FAILED] == 2
    events = (await desk.store.journal(0))[-2:]
    assert all(e.final and e.type is EventType.CANCELLED and e.reason is Reason.CANCELLED for e in events)


async def test_only_selected_recipients_are_acted_on(desk: Any, addresses: Any) -> None:
    message = await desk.put("a@one.example", "b@two.example", ref="R1")
    await desk.put("c@two.example")
    for selection in (
        Selection(recipient="nobody@one.example"),
        Selection(message=message.id, hop="direct:three.example"),
        Selection(ref="R2"),
        Selection(state=State.HELD),
    ):
        assert await desk.store.act(Verb.HOLD, selection, desk.clock()) == 0
    assert await desk.store.act(Verb.HOLD, Selection(ref="R1", hop="direct:two.example"), desk.clock()) == 1
    assert sorted(addresses(await desk.lease())) == ["a@one.example", "c@two.example"]


async def test_release_and_retry_leave_others_alone(desk: Any) -> None:
    await desk.put()
    assert await desk.store.act(Verb.RELEASE, Selection(), desk.clock()) == 0
    await desk.store.act(Verb.HOLD, Selection(), desk.clock())
    assert await desk.store.act(Verb.RETRY, Selection(), desk.clock()) == 0
    await desk.store.act(Verb.RELEASE, Selection(), desk.clock())
    await desk.deliver_all()
    for verb in Verb:
        assert await desk.store.act(verb, Selection(), desk.clock()) == 0


@pytest.mark.parametrize(
    ("verb", "state", "kind"),
    [(Verb.HOLD, State.HELD, EventType.HELD), (Verb.CANCEL, State.FAILED, EventType.CANCELLED)],
)
async def test_hold_and_cancel_reach_a_leased_recipient_when_it_is_settled(
    desk: Any, verb: Verb, state: State, kind: EventType
) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    assert await desk.store.act(verb, Selection(), desk.clock()) == 1
    assert (await desk.store.count())[State.QUEUED] == 1
    await desk.store.settle(parcel, desk.make.deferred(parcel))
    assert (await desk.store.count())[state] == 1
    assert await desk.types() == [EventType.ACCEPTED, EventType.DEFERRED, kind]


async def test_hold_and_cancel_come_too_late_for_what_was_sent(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.act(Verb.CANCEL, Selection(), desk.clock())
    await desk.store.settle(parcel, desk.make.sent(parcel))
    assert (await desk.store.count())[State.SENT] == 1
    assert await desk.types() == [EventType.ACCEPTED, EventType.DELIVERED]


async def test_release_takes_back_a_hold_on_a_leased_recipient(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.act(Verb.HOLD, Selection(), desk.clock())
    await desk.store.act(Verb.RELEASE, Selection(), desk.clock())
    await desk.store.settle(parcel, desk.make.deferred(parcel))
    assert (await desk.store.count())[State.QUEUED] == 1


async def test_a_released_recipient_is_marked_until_its_next_attempt(desk: Any) -> None:
    await desk.put()
    await desk.store.act(Verb.HOLD, Selection(), desk.clock())
    await desk.store.act(Verb.RELEASE, Selection(), desk.clock())
    [parcel] = await desk.lease()
    assert parcel.progress[0].released
    await desk.store.settle(parcel, [Settlement(recipient=0, state=State.QUEUED, wait=0, attempted=False)])
    [parcel] = await desk.lease()
    assert parcel.progress[0].released
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=0))
    [parcel] = await desk.lease()
    assert not parcel.progress[0].released


# --- find and count


async def test_records_come_newest_first_and_no_more_than_asked_for(desk: Any) -> None:
    messages = [await desk.put() for _ in range(4)]
    await desk.deliver_all()
    messages.append(await desk.put())
    found = await desk.store.find(Selection(), limit=3)
    assert [record.message.id for record in found] == [m.id for m in reversed(messages)][:3]
    assert [r.message.id for r in await desk.store.find(Selection(state=State.QUEUED))] == [messages[-1].id]


async def test_a_record_tells_where_all_recipients_stand(desk: Any) -> None:
    message = await desk.put("a@one.example", "b@two.example")
    [parcel] = await desk.lease(closed={"direct:two.example"})
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=120))
    [record] = await desk.store.find(Selection(recipient="a@one.example"))
    assert record.message == message
    first, second = record.standings
    assert (first.state, first.attempts, first.due_at) == (
        State.QUEUED,
        1,
        desk.clock() + timedelta(seconds=120),
    )
    assert (second.state, second.attempts, second.due_at) == (State.QUEUED, 0, desk.clock())
    assert [s.last.type for s in record.standings if s.last] == [EventType.DEFERRED, EventType.ACCEPTED]


async def test_recipients_are_counted_by_state(desk: Any) -> None:
    assert dict(await desk.store.count()) == dict.fromkeys(State, 0)
    await desk.put("a@one.example", "b@one.example")
    await desk.put(held=Reason.SENDER_UNPROVEN)
    [parcel, _] = await desk.lease()
    await desk.store.settle(parcel, desk.make.sent(parcel))
    counts = {State.QUEUED: 1, State.HELD: 1, State.SENT: 1, State.FAILED: 0}
    assert dict(await desk.store.count()) == counts


# --- facts


async def test_facts_are_remembered_replaced_and_forgotten(desk: Any) -> None:
    await desk.store.remember("proof", "a", {"since": "1", "text": "ä"})
    await desk.store.remember("proof", "b", {"since": "2"}, [Event(time=desk.clock(), type=EventType.PROVEN)])
    await desk.store.remember("proof", "a", {"since": "3"})
    await desk.store.remember("local_part", "a", {"sender": "acme"})
    assert dict(await desk.store.recall("proof")) == {"a": {"since": "3"}, "b": {"since": "2"}}
    await desk.store.forget("proof", "b", [Event(time=desk.clock(), type=EventType.UNPROVEN)])
    await desk.store.forget("proof", "nobody")
    assert dict(await desk.store.recall("proof")) == {"a": {"since": "3"}}
    assert dict(await desk.store.recall("nothing")) == {}
    assert await desk.types() == [EventType.PROVEN, EventType.UNPROVEN]


# --- sweep, backup, close


async def test_content_goes_after_its_time_and_the_rest_stays(desk: Any) -> None:
    old = await desk.put()
    await desk.deliver_all()
    desk.clock.forward(days=5)
    young = await desk.put()
    await desk.deliver_all()
    waiting = await desk.put()
    await desk.store.sweep(desk.clock.forward(days=3), content=7 * DAY, metadata=400 * DAY)
    with pytest.raises(StoreDamaged):
        await desk.body(old)
    assert await desk.body(young) == b"Hello\r\n"
    assert await desk.body(waiting) == b"Hello\r\n"
    [record] = await desk.store.find(Selection(message=old.id))
    assert record.message.submission.header == b""
    assert record.message.dressing.header == b""
    assert record.standings[0].state is State.SENT


async def test_everything_of_a_message_goes_after_its_time(desk: Any) -> None:
    old = await desk.put(ref="old")
    await desk.deliver_all()
    waiting = await desk.put()
    await desk.store.note([Event(time=desk.clock(), type=EventType.PROVEN)])
    desk.clock.forward(days=399)
    young = await desk.put()
    await desk.deliver_all()
    await desk.store.sweep(desk.clock.forward(days=2), content=7 * DAY, metadata=400 * DAY)
    assert await desk.store.find(Selection(message=old.id)) == []
    left = {event.message for event in await desk.store.journal(0)}
    assert left == {waiting.id, young.id}
    assert (await desk.store.count())[State.SENT] == 2


async def test_an_open_message_is_never_swept(desk: Any) -> None:
    await desk.put(held=Reason.SENDER_UNPROVEN)
    await desk.store.sweep(desk.clock.forward(days=1000), content=DAY, metadata=DAY)
    await desk.store.act(Verb.RELEASE, Selection(), desk.clock())
    [parcel] = await desk.lease()
    assert await desk.body(parcel.message) == b"Hello\r\n"


async def test_the_journal_goes_on_counting_after_a_sweep(desk: Any) -> None:
    await desk.put()
    await desk.deliver_all()
    await desk.store.sweep(desk.clock.forward(days=1000), content=DAY, metadata=DAY)
    await desk.put()
    assert (await desk.store.journal(0))[-1].seq == 3


async def test_a_body_on_its_way_in_is_not_swept(desk: Any) -> None:
    receiving = desk.store.receive()
    await receiving.append(b"x" * 3 * CHUNK)
    await desk.store.sweep(desk.clock.forward(days=10), content=DAY, metadata=DAY)
    message = desk.make.message(body=b"x" * 3 * CHUNK)
    await desk.store.put(message, receiving, desk.make.accepted(message))
    assert len(await desk.body(message)) == 3 * CHUNK


async def test_a_backup_never_overwrites(desk: Any, tmp_path: Path) -> None:
    await desk.put()
    await desk.store.backup(tmp_path / "copy.db")
    with pytest.raises(FileExistsError):
        await desk.store.backup(tmp_path / "copy.db")


async def test_a_closed_store_refuses_and_may_be_closed_again(desk: Any) -> None:
    waiting = asyncio.ensure_future(desk.store.wait_journal(0))
    await asyncio.sleep(0)
    await desk.store.close()
    await desk.store.close()
    with pytest.raises(StoreError):
        await asyncio.wait_for(waiting, 10)
    with pytest.raises(StoreError):
        await desk.put()
    with pytest.raises(StoreError):
        await desk.lease()
    with pytest.raises(StoreError):
        await desk.store.journal(0)


# --- time


async def test_a_clock_set_back_delays_nobody_longer_than_planned(desk: Any) -> None:
    await desk.put()
    [parcel] = await desk.lease()
    await desk.store.settle(parcel, desk.make.deferred(parcel, wait=120))
    desk.clock.back(days=-30)
    assert await desk.lease() == []
    desk.clock.forward(seconds=121)
    assert len(await desk.lease()) == 1


async def test_addresses_with_quotes_and_umlauts_come_back(desk: Any) -> None:
    message = desk.make.message(['"a@b"@example.com', "jörg@example.com"])
    await desk.store.put(message, b"Hello\r\n", desk.make.accepted(message))
    parcels = await desk.lease()
    assert {p.recipients[0].address for p in parcels} == {
        Address('"a@b"', "example.com"),
        Address("jörg", "example.com"),
    }


async def test_what_waits_for_too_long_ends_whether_it_is_held_queued_or_in_memory(desk: Any) -> None:
    early = await desk.put("a@one.example", "b@one.example")
    await desk.store.act(Verb.HOLD, Selection(recipient="b@one.example"), desk.clock())
    leased = await desk.put("c@two.example")
    [on_its_way] = await desk.lease(closed={"direct:one.example"})
    desk.clock.forward(hours=1)
    await desk.put("d@one.example")
    over = Selection(unchanged_since=desk.clock() - timedelta(minutes=30))

    assert await desk.store.act(Verb.EXPIRE, over, desk.clock(), Reason.EXPIRED) == 2

    [record] = await desk.store.find(Selection(message=early.id))
    assert [standing.state for standing in record.standings] == [State.FAILED, State.FAILED]
    assert {standing.last.type for standing in record.standings} == {EventType.EXPIRED}
    assert on_its_way.message.id == leased.id
    await desk.store.settle(on_its_way, desk.make.sent(on_its_way))
    [parcel] = await desk.lease()
    assert [str(r.address) for r in parcel.recipients] == ["d@one.example"]


async def test_open_messages_are_found_by_what_is_in_their_dressed_header(desk: Any) -> None:
    await desk.put("a@one.example", "b@one.example")
    await desk.put("c@two.example", held=Reason.SENDER_UNPROVEN)
    await desk.deliver_all()
    await desk.put("d@one.example", "e@one.example")
    assert await desk.store.dressed_with(b"DKIM-Signature: v=1\r\n") == 2  # one held, one queued
    assert await desk.store.dressed_with(b"Dressed: anew") == 0
    await desk.store.act(Verb.CANCEL, Selection(), desk.clock())
    assert await desk.store.dressed_with(b"DKIM-Signature") == 0
