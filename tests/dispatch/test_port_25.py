"""When nothing gets out to port 25: direct mail is held with the reason, and a probe sees it open."""

from __future__ import annotations

import pytest

from relayd.core.delivery import State
from relayd.core.hops import PROBE_EVERY
from relayd.core.journal import EventType
from relayd.core.mail import Route
from relayd.core.reasons import Reason
from relayd.core.verdict import Fate, Scope, Verdict

from .house import House, message

TIMEOUT = Verdict(fate=Fate.DEFERRED, reason=Reason.NETWORK_TIMEOUT, scope=Scope.HOST)


@pytest.fixture
def house() -> House:
    """A house that three unrelated domains did not answer."""
    house = House()
    for domain in ("one.example", "two.example", "three.example"):
        house.hops.started(f"direct:{domain}")
        house.hops.ended(f"direct:{domain}", [TIMEOUT], 0.0)
    house.hops.reopen(1e6)
    assert house.hops.port_blocked
    return house


async def test_a_probe_that_does_not_get_out_is_held_and_the_next_message_is_not_even_tried(
    house: House,
) -> None:
    house.courier.verdicts = [TIMEOUT]

    await house.deliver(message(1), message(2, "ben@five.example"), until=EventType.HELD, count=2)

    assert len(house.courier.parcels) == 1
    assert await house.states() == [State.HELD, State.HELD]
    held = await house.last(EventType.HELD)
    assert (held.reason, held.attempt) == (Reason.NETWORK_PORT_BLOCKED, None)


async def test_a_probe_that_arrives_opens_the_port_for_all(house: House) -> None:
    await house.deliver(message(1), until=EventType.DELIVERED)
    assert not house.hops.port_blocked

    await house.deliver(message(2, "ben@five.example"), until=EventType.DELIVERED, count=2)

    assert await house.states() == [State.SENT, State.SENT]


async def test_a_closed_port_25_holds_no_mail_that_goes_another_way(house: House) -> None:
    assert house.hops.probe(0.0)  # somebody else's turn
    assert not house.hops.probe(PROBE_EVERY - 1)

    await house.deliver(
        message(1, route=Route.SMARTHOST), message(2, route=Route.UPSTREAM), until=EventType.RELAYED, count=2
    )

    assert house.hops.port_blocked


async def test_a_test_sender_s_mail_is_not_held_and_proves_nothing(house: House) -> None:
    assert house.hops.probe(0.0)

    await house.deliver(message(1, test=True), until=EventType.DELIVERED)

    assert house.hops.port_blocked
