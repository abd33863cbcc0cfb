"""Both stores are driven with the same random history and must tell the same story at every step."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relayd.core.delivery import Settlement, State
from relayd.core.journal import EventType
from relayd.core.mail import Parcel
from relayd.core.reasons import Reason
from relayd.store.contract import CHUNK, DressingStays, Selection, Verb
from relayd.store.memory import MemoryStore
from relayd.store.sqlite import SqliteStore

HOPS = ["one.example", "two.example", "three.example"]
SENDERS = ["acme", "bulk"]


@pytest.fixture
def tools(make: Any, clock: Any, room: Any) -> Any:
    return type(make), type(clock), type(room)


def parcel_key(parcel: Parcel) -> tuple[str, tuple[int, ...]]:
    return parcel.message.id, tuple(recipient.index for recipient in parcel.recipients)


def test_the_stores_tell_the_same_story(tools: Any) -> None:
    maker, clock_type, room_type = tools

    class Stores(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            self.folder = tempfile.TemporaryDirectory()
            self.clock = clock_type()
            self.make = maker(self.clock)
            self.memory = MemoryStore(clock=self.clock)
            self.sqlite = self.run(self.open())
            self.messages: list[Any] = []
            self.leased: dict[tuple[str, tuple[int, ...]], tuple[Parcel, Parcel]] = {}

        def run(self, coroutine: Any) -> Any:
            return self.runner.run(coroutine)

        async def open(self) -> SqliteStore:
            # room for two or three messages in memory: hot, evicted and cold ones at the same time
            return await SqliteStore.open(Path(self.folder.name), clock=self.clock, hot=400)

        def teardown(self) -> None:
            self.run(self.sqlite.close())
            self.runner.close()
            self.folder.cleanup()

        def both(self, call: Any) -> tuple[Any, Any]:
            return self.run(call(self.memory)), self.run(call(self.sqlite))

        @rule(
            to=st.lists(st.sampled_from(HOPS), min_size=1, max_size=4),
            sender=st.sampled_from(SENDERS),
            own=st.booleans(),
            held=st.sampled_from([None, None, None, Reason.SENDER_UNPROVEN]),
            large=st.sampled_from([False, False, False, True]),
        )
        def put(self, to: list[str], sender: str, own: bool, held: Reason | None, large: bool) -> None:
            body = b"x" * (2 * CHUNK if large else 30)
            message = self.make.message(
                [f"r{index}@{hop}" for index, hop in enumerate(to)],
                sender=sender,
                body=body,
                return_path="own@acme.example" if own else None,
                held=held,
            )

            async def call(store: Any) -> None:
                if large:
                    receiving = store.receive()
                    await receiving.append(body)
                await store.put(message, receiving if large else body, self.make.accepted(message))

            self.both(call)
            self.messages.append(message)
            self.clock.forward(seconds=1)

        @rule(closed=st.sets(st.sampled_from(HOPS)))
        def lease(self, closed: set[str]) -> None:
            room = room_type(total=1000, each=1000, closed={f"direct:{hop}" for hop in closed})
            model, real = self.both(lambda store: store.lease(self.clock(), room))
            theirs = {parcel_key(parcel): parcel for parcel in real}
            assert sorted(map(parcel_key, model)) == sorted(theirs)
            for parcel in model:
                other = theirs[parcel_key(parcel)]
                assert replace(parcel, lease=0) == replace(other, lease=0)
                self.leased[parcel_key(parcel)] = parcel, other

        @precondition(lambda self: self.leased)
        @rule(data=st.data(), wait=st.sampled_from([0.0, 60.0, 7200.0]), how=st.sampled_from("sdhfn"))
        def settle(self, data: Any, wait: float, how: str) -> None:
            key = data.draw(st.sampled_from(sorted(self.leased)))
            model, real = self.leased.pop(key)
            if how == "s":
                settlements = self.make.sent(model)
            elif how == "d":
                settlements = self.make.deferred(model, wait=wait)
            elif how == "n":
                settlements = []
            else:
                state, kind = {"h": (State.HELD, EventType.HELD), "f": (State.FAILED, EventType.FAILED)}[how]
                settlements = [
                    Settlement(
                        recipient=r.index,
                        state=state,
                        attempted=state is State.FAILED,
                        events=(self.make.event(model.message, kind, r.index, reason=Reason.SERVER_ERROR),),
                    )
                    for r in model.recipients
                ]
            self.run(self.memory.settle(model, settlements))
            self.run(self.sqlite.settle(real, settlements))

        @precondition(lambda self: self.leased)
        @rule(data=st.data())
        def dress_anew(self, data: Any) -> None:
            key = data.draw(st.sampled_from(sorted(self.leased)))
            model, real = self.leased[key]
            anew = self.make.dressed_anew(model.message, "acme")
            refused = 0
            for store, parcel in ((self.memory, model), (self.sqlite, real)):
                try:
                    self.run(store.settle(parcel, [], *anew))
                except DressingStays:
                    refused += 1
            assert refused in (0, 2)
            if not refused:
                del self.leased[key]

        @rule(
            verb=st.sampled_from(Verb),
            sender=st.sampled_from([None, *SENDERS]),
            hop=st.sampled_from([None, *HOPS]),
            state=st.sampled_from([None, None, State.QUEUED, State.HELD]),
            data=st.data(),
        )
        def act(
            self, verb: Verb, sender: str | None, hop: str | None, state: State | None, data: Any
        ) -> None:
            message = data.draw(st.sampled_from([None, *(m.id for m in self.messages[-3:])]))
            selection = Selection(message=message, sender=sender, hop=hop and f"direct:{hop}", state=state)
            one, two = self.both(lambda store: store.act(verb, selection, self.clock()))
            assert one == two

        @rule(seconds=st.sampled_from([1, 61, 7300, -1, -4000]))
        def time_passes(self, seconds: int) -> None:
            self.clock.forward(seconds=seconds)

        @rule(days=st.sampled_from([0, 8, 401]))
        def sweep(self, days: int) -> None:
            self.clock.forward(days=days)
            week, year = timedelta(days=7), timedelta(days=400)
            self.both(lambda store: store.sweep(self.clock(), week, year))

        @rule()
        def restart(self) -> None:
            """The model has no restarts: what is leased comes back from both first."""
            for model, real in self.leased.values():
                self.run(self.memory.settle(model, []))
                self.run(self.sqlite.settle(real, []))
            self.leased.clear()
            self.run(self.sqlite.close())
            self.sqlite = self.run(self.open())

        @invariant()
        def same_story(self) -> None:
            one, two = self.both(lambda store: store.count())
            assert dict(one) == dict(two)
            one, two = self.both(lambda store: store.journal(0, 100_000))
            assert one == two
            one, two = self.both(lambda store: store.find(Selection()))
            assert [_without_due(record) for record in one] == [_without_due(record) for record in two]
            one, two = self.both(lambda store: store.find(Selection(state=State.HELD)))
            assert [record.message.id for record in one] == [record.message.id for record in two]

    Stores.TestCase.settings = settings(
        max_examples=12,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
    Stores.TestCase().runTest()  # type: ignore[attr-defined]


def _without_due(record: Any) -> Any:
    """Due times may differ where a clock went back: who is due is compared by leasing."""
    return replace(record, standings=tuple(replace(s, due_at=None) for s in record.standings))
