"""What is kept, what the journal says of it, and what the app is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from relayd.core.delivery import Settlement, State
from relayd.core.journal import Event, EventType
from relayd.core.reasons import Reason
from relayd.core.records.answers import Found, Missing, Mx
from relayd.core.refusal import Refusal
from relayd.store.contract import StoreError
from relayd.store.memory import MemoryStore

HEADER = b"From: billing@acme.example\r\nSubject: x\r\nX-Relayd-Ref: inv-1\r\nX-Relayd-Meta-Run: 7\r\n\r\n"
END = b"\r\n.\r\n"
NULL_MX = Found(records=(Mx(0, ""),), ttl=60)
NXDOMAIN = Missing(domain=False, ttl=60)


class Everything:
    total = 1000

    def free(self, hop: str) -> int:
        return 1000


async def deliver(store: MemoryStore, outcome: Callable[[str], EventType | None]) -> None:
    """Play dispatch: settle each recipient as told; None leaves it under way."""
    await store.wait(datetime.now(UTC), Everything())
    for parcel in await store.lease(datetime.now(UTC), Everything()):
        settlements = []
        for recipient in parcel.recipients:
            type = outcome(str(recipient.address))
            if type is None:
                continue
            final = type in (EventType.DELIVERED, EventType.FAILED)
            event = Event(
                time=datetime.now(UTC),
                type=type,
                message=parcel.message.id,
                recipient=str(recipient.address),
                final=final,
                reason=None if type is EventType.DELIVERED else Reason.RECIPIENT_UNKNOWN,
                code=550 if type is EventType.FAILED else None,
                enhanced="5.1.1" if type is EventType.FAILED else None,
                reply="no such user\nhere\x1b[31m" if type is EventType.FAILED else None,
            )
            state = {EventType.DELIVERED: State.SENT, EventType.FAILED: State.FAILED}.get(type, State.QUEUED)
            wait = None if final else 60.0
            settlements.append(Settlement(recipient=recipient.index, state=state, wait=wait, events=(event,)))
        if settlements:
            await store.settle(parcel, settlements)


async def send(world: Any, to: tuple[str, ...] = ("a@b.example",), header: bytes = HEADER) -> str:
    client = await world.hello()
    await client.say("MAIL FROM:<billing@acme.example>")
    for one in to:
        await client.say(f"RCPT TO:<{one}>")
    await client.say("DATA")
    await client.send(header + b"x" + END)
    reply: str = await client.reply()
    return reply


async def told(world: Any) -> list[tuple[str, str | None, Any]]:
    return [(event.type.value, event.recipient, event.reason) for event in await world.events()]


class TestTheJournal:
    async def test_each_recipient_is_accepted_with_ref_rung_and_proof(self, world: Any) -> None:
        reply = await send(world, ("a@b.example", "c@d.example"))
        (message,) = await world.messages()
        assert reply == f"250 2.0.0 queued id={message.id}"
        events = await world.events()
        assert [(e.type, e.recipient) for e in events] == [
            (EventType.ACCEPTED, "a@b.example"),
            (EventType.ACCEPTED, "c@d.example"),
        ]
        assert {(e.message, e.ref, e.sender, e.rung, e.proof) for e in events} == {
            (message.id, "inv-1", "acme", "default", "platform")
        }
        assert message.meta == {"run": "7"}

    async def test_recipients_refused_at_rcpt_join_the_message_that_follows(self, world: Any) -> None:
        world.resolver.answers["null.example"] = [NULL_MX]
        await send(world, ("a@b.example", "root", "c@null.example"))
        (message,) = await world.messages()
        refused = [event for event in await world.events() if event.type is EventType.REFUSED]
        assert [(e.recipient, e.reason, e.code, e.final) for e in refused] == [
            ("root", Reason.RECIPIENT_UNKNOWN, 501, True),
            ("c@null.example", Reason.RECIPIENT_DOMAIN, 556, True),
        ]
        assert {(e.message, e.ref) for e in refused} == {(message.id, "inv-1")}
        assert [one.address for one in message.submission.refused] == ["root", "c@null.example"]

    @pytest.mark.parametrize("end", ["RSET", "QUIT", "EHLO client.example", "MAIL again", "gone"])
    async def test_they_are_written_down_when_no_message_follows(self, world: Any, end: str) -> None:
        client = await world.hello()
        await client.say("MAIL FROM:<billing@acme.example>")
        await client.say("RCPT TO:<root>")
        if end == "gone":
            client.writer.transport.abort()
            await world.server.gate.empty.wait()
        elif end == "MAIL again":
            await client.say("RSET")
            await client.say("MAIL FROM:<billing@acme.example>")
        else:
            await client.say(end)
            await client.turns()
        (event,) = await world.events()
        assert (event.type, event.recipient, event.message, event.sender) == (
            EventType.REFUSED,
            "root",
            None,
            "acme",
        )

    async def test_a_refused_message_is_in_the_journal_with_its_ref(self, make_world: Any) -> None:
        class No:
            async def dress(self, *_: Any) -> Refusal:
                return Refusal(
                    code=550, enhanced="5.7.1", reason=Reason.POLICY_FROM_MISMATCH, text="not yours: ask"
                )

        world = await make_world(dresser=No())
        reply = await send(world, ("a@b.example", "root"))
        assert reply == "550 5.7.1 policy.from_mismatch: not yours: ask"
        assert await told(world) == [
            ("refused", "a@b.example", Reason.POLICY_FROM_MISMATCH),
            ("refused", "root", Reason.RECIPIENT_UNKNOWN),
        ]
        assert {(e.ref, e.sender, e.message) for e in await world.events()} == {("inv-1", "acme", None)}

    async def test_a_message_that_waits_is_accepted_and_held(self, make_world: Any) -> None:
        world = await make_world()
        real = world.acceptor.dresser

        class Held:
            async def dress(self, *args: Any) -> Any:
                import dataclasses

                return dataclasses.replace(await real.dress(*args), held=Reason.SENDER_UNPROVEN)

        world.acceptor.dresser = Held()
        world.acceptor.answer_within = world.acceptor.answer_within.__class__(seconds=30)
        reply = await send(world)
        (message,) = await world.messages()
        assert reply == f"250 2.0.0 queued id={message.id}: held sender.unproven"
        assert await told(world) == [
            ("accepted", "a@b.example", None),
            ("held", "a@b.example", Reason.SENDER_UNPROVEN),
        ]

    async def test_a_journal_that_can_not_be_written_does_not_change_the_answer(
        self, make_world: Any
    ) -> None:
        class Deaf(MemoryStore):
            async def note(self, events: Any) -> None:
                raise StoreError("no")

        world = await make_world(store=Deaf())
        client = await world.hello()
        await client.say("MAIL FROM:<billing@acme.example>")
        assert (await client.say("RCPT TO:<root>")).startswith("501")
        assert (await client.say("RSET")).startswith("250")


class TestRecipientsThatCanNotExist:
    async def test_with_a_known_sender_at_rcpt(self, world: Any) -> None:
        world.resolver.answers["no.example"] = [NXDOMAIN]
        client = await world.hello()
        await client.say("MAIL FROM:<billing@acme.example>")
        reply = await client.say("RCPT TO:<a@no.example>")
        assert reply == "550 5.1.2 recipient.domain: the domain no.example does not exist: check its spelling"

    async def test_with_a_sender_known_from_the_header_after_data(self, world: Any) -> None:
        world.resolver.answers["no.example"] = [NXDOMAIN]
        client = await world.hello()
        await client.say("MAIL FROM:<bounces@app.example>")
        for to in ("a@no.example", "b@b.example"):
            assert (await client.say(f"RCPT TO:<{to}>")).startswith("250")
        await client.say("DATA")
        await client.send(HEADER + b"x" + END)
        assert (await client.reply()).startswith("250 2.0.0 queued id=")
        (message,) = await world.messages()
        assert [str(one.address) for one in message.recipients] == ["b@b.example"]
        assert ("refused", "a@no.example", Reason.RECIPIENT_DOMAIN) in await told(world)

    async def test_with_no_recipient_left_the_message_is_refused(self, world: Any) -> None:
        world.resolver.answers["no.example"] = [NXDOMAIN]
        client = await world.hello()
        await client.begin(sender="bounces@app.example", to="a@no.example")
        await client.send(HEADER + b"x" + END)
        assert (await client.reply()).startswith("550 5.1.2 recipient.domain: ")
        assert await world.messages() == []
        assert await told(world) == [("refused", "a@no.example", Reason.RECIPIENT_DOMAIN)]

    async def test_a_test_sender_asks_nobody(self, world: Any) -> None:
        client = await world.hello()
        await client.say("MAIL FROM:<billing@tester.example>")
        assert (await client.say("RCPT TO:<a@no.example>")).startswith("250")
        assert world.resolver.asked == []


class TestAnswerWithin:
    async def test_delivered_at_once(self, make_world: Any) -> None:
        world = await make_world(answer_within=30)
        delivery = asyncio.create_task(deliver(world.store, lambda _: EventType.DELIVERED))
        reply = await send(world)
        (message,) = await world.messages()
        assert reply == f"250 2.0.0 delivered id={message.id}"
        await delivery

    async def test_refused_by_the_recipients_server(self, make_world: Any) -> None:
        world = await make_world(answer_within=30)
        delivery = asyncio.create_task(deliver(world.store, lambda _: EventType.FAILED))
        reply = await send(world)
        (message,) = await world.messages()
        assert reply == (
            f"550 5.1.1 recipient.unknown id={message.id}: about recipient.unknown; "
            "no such user here\\u001b[31m"
        )
        await delivery

    async def test_what_may_still_be_delivered_is_never_rejected(self, make_world: Any) -> None:
        world = await make_world(answer_within=30)
        delivery = asyncio.create_task(deliver(world.store, lambda _: EventType.DEFERRED))
        assert (await send(world)).startswith("250 2.0.0 queued id=")
        await delivery

    async def test_some_delivered_and_some_not(self, make_world: Any) -> None:
        world = await make_world(answer_within=30)
        fates = {"a@b.example": EventType.DELIVERED, "c@d.example": EventType.FAILED}
        delivery = asyncio.create_task(deliver(world.store, lambda address: fates[address]))
        reply = await send(world, ("a@b.example", "c@d.example"))
        (message,) = await world.messages()
        assert reply.startswith(f"250 2.0.0 partial id={message.id}: 1 delivered, 1 failed; c@d.example: ")
        await delivery

    async def test_with_lmtp_each_recipient_has_its_own_answer(self, make_world: Any) -> None:
        world = await make_world(
            answer_within=30, listen=[{"address": "127.0.0.1", "port": 0, "protocol": "lmtp"}]
        )
        fates = {"a@b.example": EventType.DELIVERED, "c@d.example": EventType.FAILED}
        delivery = asyncio.create_task(deliver(world.store, lambda address: fates[address]))
        client = await (await world.connect()).hello("LHLO")
        await client.say("MAIL FROM:<billing@acme.example>")
        for to in ("c@d.example", "a@b.example", "c@d.example"):
            await client.say(f"RCPT TO:<{to}>")
        await client.say("DATA")
        await client.send(HEADER + b"x" + END)
        codes = [(await client.reply())[:3] for _ in range(3)]
        assert codes == ["550", "250", "550"]
        await delivery

    async def test_time_over_is_queued(self, make_world: Any) -> None:
        world = await make_world(answer_within=0.05)
        assert (await send(world)).startswith("250 2.0.0 queued id=")

    async def test_the_header_says_how_long_and_never_leaves(self, make_world: Any) -> None:
        world = await make_world(answer_within=60)
        header = b"X-Relayd-Answer-Within: 0s\r\n" + HEADER
        assert (await send(world, header=header)).startswith("250 2.0.0 queued id=")
        (message,) = await world.messages()
        assert b"X-Relayd" not in message.dressing.header

    async def test_a_watch_that_breaks_after_the_commit_is_no_refusal(self, make_world: Any) -> None:
        class Blind(MemoryStore):
            def watch(self, message: str) -> Any:
                class Watch:
                    async def __aenter__(self) -> Any:
                        return self

                    async def __aexit__(self, *_: Any) -> None: ...

                    async def settled(self) -> Any:
                        raise StoreError("lost sight")

                return Watch()

        world = await make_world(store=Blind(), answer_within=10)
        assert (await send(world)).startswith("250 2.0.0 queued id=")


async def test_a_large_body_streams_and_arrives_whole(world: Any) -> None:
    lines = b"".join(b"%07d %s\r\n" % (n, b"." * (n % 70)) for n in range(60_000))
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + lines.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    assert (await client.reply()).startswith("250")
    (message,) = await world.messages()
    assert await world.body(message) == lines
    assert message.submission.body_size == len(lines)
