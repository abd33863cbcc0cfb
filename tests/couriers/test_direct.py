"""Delivering to the recipient's mail exchangers, against real receivers on loopback."""

from __future__ import annotations

import asyncio

import pytest

from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Fault, FaultKind, Reply, Stage
from relayd.core.verdict import Fate
from relayd.net.egress import Guard, Ourselves
from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Offers, Receiver
from relayd.sandbox.script import CLOSE, GOING_DOWN, LATE, USUAL, Action, At, End, say
from relayd.sandbox.zone import DnsFault
from relayd.store.contract import StoreDamaged

from .conftest import World, letter


async def test_a_message_arrives_as_it_was_dressed(world: World) -> None:
    mail = letter("bob@customer.example")
    async with Receiver(certificate=world.authority.issue("mx.customer.example")) as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert isinstance(attempt.evidence, Reply)
    assert attempt.evidence.stage is Stage.END
    assert (attempt.host, attempt.ip) == ("mx.customer.example", "127.0.0.1")
    assert attempt.notes == ()
    (received,) = receiver.received
    assert received.content == mail.content
    assert received.mail_from == "bounce@my.platform.example"
    assert received.recipients == ("bob@customer.example",)
    assert received.parameters == (f"SIZE={len(mail.content)}",)


async def test_the_name_we_greet_with_is_our_hostname(world: World) -> None:
    mail = letter()
    async with Receiver() as receiver:
        await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert receiver.lines[0].text == "EHLO relay.my.platform.example"


# --- hosts ---


async def test_the_next_exchanger_is_tried_when_the_best_refuses_connections(world: World) -> None:
    world.zone.set("customer.example", "MX", "20 mx2.customer.example", "10 mx.customer.example")
    world.zone.set("mx2.customer.example", "A", "127.0.0.2")
    mail = letter()
    async with Receiver(host="127.0.0.2") as second:
        (attempt,) = await world.direct(second.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert attempt.host == "mx2.customer.example"


@pytest.mark.parametrize(
    ("at", "action"),
    [
        (At.BANNER, say("421 4.3.2 busy")),
        (At.EHLO, GOING_DOWN),
        (At.MAIL, GOING_DOWN),
        (At.RCPT, GOING_DOWN),
        (At.DATA, CLOSE),
    ],
)
async def test_the_next_exchanger_is_tried_when_the_best_goes_away(
    world: World, at: At, action: Action
) -> None:
    world.zone.set("customer.example", "MX", "10 mx.customer.example", "20 mx2.customer.example")
    world.zone.set("mx2.customer.example", "A", "127.0.0.2")
    mail = letter()
    async with Receiver() as first, Receiver(host="127.0.0.2", port=first.port):
        first.tell(at, action)
        (attempt,) = await world.direct(first.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert attempt.ip == "127.0.0.2"


async def test_after_the_final_dot_no_other_exchanger_is_tried(world: World) -> None:
    world.zone.set("customer.example", "MX", "10 mx.customer.example", "20 mx2.customer.example")
    world.zone.set("mx2.customer.example", "A", "127.0.0.2")
    mail = letter()
    async with Receiver() as first, Receiver(host="127.0.0.2", port=first.port) as second:
        first.tell(At.END, CLOSE)
        (attempt,) = await world.direct(first.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.UNCERTAIN
    assert second.connections == 0


async def test_an_unknown_recipient_is_not_asked_of_a_second_exchanger(world: World) -> None:
    world.zone.set("customer.example", "MX", "10 mx.customer.example", "20 mx2.customer.example")
    world.zone.set("mx2.customer.example", "A", "127.0.0.2")
    mail = letter()
    async with Receiver() as first, Receiver(host="127.0.0.2", port=first.port) as second:
        first.tell_recipient("bob@customer.example", "550 5.1.1 no such user")
        (attempt,) = await world.direct(first.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.FAILED
    assert attempt.verdict.reason is Reason.RECIPIENT_UNKNOWN
    assert second.connections == 0


async def test_a_domain_without_mx_is_its_own_exchanger(world: World) -> None:
    world.zone.set("plain.example", "A", "127.0.0.1")
    mail = letter("bob@plain.example")
    async with Receiver() as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert attempt.host == "plain.example"


async def test_ipv4_is_tried_when_ipv6_is_dead(world: World) -> None:
    world.zone.set("mx.customer.example", "AAAA", "::1")
    mail = letter()
    async with Receiver() as receiver:  # listens on 127.0.0.1 only
        courier = world.direct(
            receiver.port, families=("ipv6", "ipv4"), guard=Guard(["127.0.0.0/8", "::1/128"])
        )
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert attempt.ip == "127.0.0.1"


@pytest.mark.parametrize(
    ("records", "kind", "fate"),
    [
        ({}, FaultKind.NO_DOMAIN, Fate.FAILED),
        ({"MX": ["0 ."]}, FaultKind.NULL_MX, Fate.FAILED),
        ({"TXT": ["only text"]}, FaultKind.NO_DOMAIN, Fate.FAILED),
        ({"MX": ["10 nowhere.example"]}, FaultKind.NO_DOMAIN, Fate.FAILED),
        ({"MX": ["10 127.0.0.1"]}, FaultKind.NO_DOMAIN, Fate.FAILED),
        ({"MX": ["10 relay.my.platform.example"]}, FaultKind.LOOP, Fate.FAILED),
    ],
)
async def test_a_domain_that_takes_no_mail_is_named_as_the_cause(
    world: World, records: dict[str, list[str]], kind: FaultKind, fate: Fate
) -> None:
    for type_, values in records.items():
        world.zone.set("odd.example", type_, *values)
    mail = letter("bob@odd.example")
    courier = world.direct(1, own_names=["relay.my.platform.example"])
    (attempt,) = await courier.deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert (attempt.evidence.kind, attempt.verdict.fate) == (kind, fate)


async def test_a_missing_domain_is_asked_for_twice(world: World) -> None:
    mail = letter("bob@odd.example")
    await world.direct(1).deliver(mail.parcel, mail.body)
    assert world.names.asked("odd.example", "MX") == 2


@pytest.mark.parametrize("fault", [DnsFault.SERVFAIL, DnsFault.REFUSED])
@pytest.mark.parametrize("name", ["customer.example", "mx.customer.example"])
async def test_trouble_in_dns_never_ends_a_delivery(world: World, fault: DnsFault, name: str) -> None:
    world.zone.fault(name, fault)
    mail = letter()
    (attempt,) = await world.direct(1).deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.DNS
    assert attempt.verdict.fate is Fate.DEFERRED


# --- the egress guard ---


async def test_an_exchanger_in_a_private_network_is_never_connected_to(world: World) -> None:
    mail = letter()
    async with Receiver() as receiver:
        (attempt,) = await world.direct(receiver.port, guard=Guard()).deliver(mail.parcel, mail.body)
    assert receiver.connections == 0
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.FORBIDDEN
    assert "127.0.0.1" in attempt.evidence.text


async def test_our_own_listener_is_not_an_exchanger(world: World) -> None:
    mail = letter()
    async with Receiver() as receiver:
        courier = world.direct(receiver.port, ourselves=Ourselves(listeners=[("0.0.0.0", receiver.port)]))
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
    assert receiver.connections == 0
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.LOOP


async def test_the_address_that_was_judged_is_the_one_connected_to(world: World) -> None:
    world.zone.turns("mx.customer.example", "A", ["127.0.0.1"], ["10.0.0.1"])
    mail = letter()
    async with Receiver() as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert world.names.asked("mx.customer.example", "A") == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("A", "169.254.169.254"),
        ("AAAA", "::ffff:169.254.169.254"),
        ("AAAA", "64:ff9b::7f00:1"),
        ("CNAME", "metadata.google.internal"),
    ],
)
async def test_no_way_through_dns_leads_into_the_inside(world: World, kind: str, value: str) -> None:
    world.zone.set("metadata.google.internal", "A", "169.254.169.254")
    world.zone.set("mx.inside.example", kind, value)
    world.zone.set("inside.example", "MX", "10 mx.inside.example")
    mail = letter("bob@inside.example")
    courier = world.direct(25, guard=Guard(), families=("ipv6", "ipv4"))
    (attempt,) = await courier.deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.FORBIDDEN


# --- recipients ---


@pytest.mark.parametrize("pipelining", [True, False])
async def test_recipients_are_decided_one_by_one(world: World, pipelining: bool) -> None:
    mail = letter("bob@customer.example", "eve@customer.example", "joe@customer.example")
    async with Receiver(offers=Offers(pipelining=pipelining)) as receiver:
        receiver.tell_recipient("bob@customer.example", "550 5.1.1 unknown")
        receiver.tell_recipient("joe@customer.example", "450 4.2.0 greylisted, try later")
        attempts = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert [attempt.verdict.fate for attempt in attempts] == [Fate.FAILED, Fate.SENT, Fate.DEFERRED]
    assert receiver.received[0].recipients == ("eve@customer.example",)


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_connection_is_good_for_the_next_after_all_recipients_were_refused(
    world: World, pipelining: bool
) -> None:
    mail, next_mail = letter("bob@customer.example"), letter("eve@customer.example")
    async with Receiver(offers=Offers(pipelining=pipelining)) as receiver:
        receiver.tell_recipient("bob@customer.example", "550 5.1.1 unknown")
        courier = world.direct(receiver.port)
        (refused,) = await courier.deliver(mail.parcel, mail.body)
        (sent,) = await courier.deliver(next_mail.parcel, next_mail.body)
    assert refused.evidence.stage is Stage.RCPT
    assert sent.verdict.fate is Fate.SENT
    assert receiver.connections == 1
    assert mail.read == 0


async def test_a_server_that_waits_for_data_for_nobody_gets_a_lone_dot(world: World) -> None:
    mail, next_mail = letter("bob@customer.example"), letter("eve@customer.example")
    async with Receiver() as receiver:
        receiver.tell_recipient("bob@customer.example", "550 5.1.1 unknown")
        receiver.tell(At.DATA, USUAL)
        courier = world.direct(receiver.port)
        (refused,) = await courier.deliver(mail.parcel, mail.body)
        (sent,) = await courier.deliver(next_mail.parcel, next_mail.body)
    assert refused.verdict.fate is Fate.FAILED
    assert sent.verdict.fate is Fate.SENT


@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_server_that_closes_among_the_recipients_puts_the_undecided_off(
    world: World, pipelining: bool
) -> None:
    mail = letter(*(f"{name}@customer.example" for name in ("ann", "bob", "eve", "joe")))
    async with Receiver(offers=Offers(pipelining=pipelining)) as receiver:
        receiver.tell_recipient("ann@customer.example", "550 5.1.1 unknown")
        receiver.tell_recipient("eve@customer.example", "421 4.3.2 going down")
        ann, *others = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert ann.verdict.fate is Fate.FAILED
    for attempt in others:  # bob too: he was accepted, and then there was no transaction any more
        assert isinstance(attempt.evidence, Reply)
        assert attempt.evidence.code == 421
        assert attempt.verdict.fate is Fate.DEFERRED
    assert receiver.uploads == []


async def test_a_refused_sender_is_one_answer_for_all_recipients(world: World) -> None:
    mail = letter("bob@customer.example", "eve@customer.example")
    async with Receiver() as receiver:
        receiver.tell(At.MAIL, say("550 5.7.1 we don't like you"))
        attempts = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert [attempt.evidence.stage for attempt in attempts] == [Stage.MAIL, Stage.MAIL]


# --- what a server can't do ---


async def test_the_size_is_checked_before_anything_is_sent(world: World) -> None:
    mail = letter(body=b"x" * 70 + b"\r\n")
    async with Receiver(offers=Offers(size=50)) as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.TOO_BIG
    assert attempt.verdict.reason is Reason.MESSAGE_TOO_BIG
    assert all(not line.text.startswith("MAIL") for line in receiver.lines)


async def test_eight_bit_content_says_so_where_it_may_and_goes_out_unchanged_everywhere(
    world: World,
) -> None:
    mail = letter(body="Grüße\r\n".encode(), eight_bit=True)
    async with Receiver() as able:
        (attempt,) = await world.direct(able.port).deliver(mail.parcel, mail.body)
    assert "BODY=8BITMIME" in able.received[0].parameters
    assert attempt.notes == ()
    async with Receiver(offers=Offers(eight_bit=False)) as unable:
        (attempt,) = await world.direct(unable.port).deliver(mail.parcel, mail.body)
    assert all(not text.startswith("BODY") for text in unable.received[0].parameters)
    assert unable.received[0].content == mail.content
    assert "8BITMIME" in attempt.notes[0]


async def test_addresses_in_utf8_fail_alone_where_the_server_has_no_smtputf8(world: World) -> None:
    mail = letter(
        "bob@customer.example", "jürgen@customer.example", hop=Hop(Route.DIRECT, "customer.example")
    )
    async with Receiver(offers=Offers(smtputf8=False)) as unable:
        bob, juergen = await world.direct(unable.port).deliver(mail.parcel, mail.body)
    assert bob.verdict.fate is Fate.SENT
    assert juergen.verdict.reason is Reason.MESSAGE_SMTPUTF8
    assert juergen.verdict.fate is Fate.FAILED
    async with Receiver() as able:
        attempts = await world.direct(able.port).deliver(mail.parcel, mail.body)
    assert [attempt.verdict.fate for attempt in attempts] == [Fate.SENT, Fate.SENT]
    assert "SMTPUTF8" in able.received[0].parameters


# --- TLS ---


async def test_a_valid_certificate_is_recorded_as_valid(world: World) -> None:
    mail = letter()
    async with Receiver(certificate=world.authority.issue("mx.customer.example")) as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert attempt.tls is not None
    assert attempt.tls.valid
    assert attempt.tls.version == "TLSv1.3"
    assert receiver.received[0].tls == "TLSv1.3"


@pytest.mark.parametrize("flaw", ["wrong name", "expired", "unknown authority"])
async def test_a_bad_certificate_is_taken_and_recorded_as_not_valid(world: World, flaw: str) -> None:
    certificate = {
        "wrong name": lambda: world.authority.issue("other.example"),
        "expired": lambda: world.authority.issue("mx.customer.example", expired=True),
        "unknown authority": lambda: Authority("nobody knows").issue("mx.customer.example"),
    }[flaw]()
    mail = letter()
    async with Receiver(certificate=certificate) as receiver:
        (attempt,) = await world.direct(receiver.port, require_tls=True).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert attempt.tls is not None
    assert not attempt.tls.valid


async def test_where_tls_is_required_clear_text_is_never_sent(world: World) -> None:
    mail = letter()
    async with Receiver() as receiver:
        (attempt,) = await world.direct(receiver.port, require_tls=True).deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.TLS_REQUIRED
    assert attempt.verdict.reason is Reason.POLICY_TLS_REQUIRED
    assert receiver.uploads == []


# --- connections ---


async def test_the_next_message_goes_over_the_same_connection(world: World) -> None:
    async with Receiver() as receiver:
        courier = world.direct(receiver.port)
        for name in ("bob", "eve", "joe"):
            mail = letter(f"{name}@customer.example")
            (attempt,) = await courier.deliver(mail.parcel, mail.body)
            assert attempt.verdict.fate is Fate.SENT
        await courier.close()
        await receiver.idle()
    assert receiver.connections == 1
    assert receiver.lines[-1].text == "QUIT"


@pytest.mark.parametrize("how", [CLOSE, GOING_DOWN, Action(end=End.RESET)])
async def test_an_idle_connection_that_the_server_closed_costs_no_attempt(world: World, how: Action) -> None:
    mail = letter()
    async with Receiver() as receiver:
        receiver.tell(At.MAIL, USUAL, how, USUAL)
        courier = world.direct(receiver.port)
        await courier.deliver(mail.parcel, mail.body)
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert receiver.connections == 2
    assert len(receiver.received) == 2


async def test_a_kept_connection_lost_after_data_began_is_not_tried_again_at_once(world: World) -> None:
    mail = letter()
    async with Receiver() as receiver:
        receiver.tell(At.END, USUAL, CLOSE, USUAL)
        courier = world.direct(receiver.port)
        await courier.deliver(mail.parcel, mail.body)
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.UNCERTAIN
    assert receiver.connections == 1


async def test_a_connection_with_an_answer_too_many_is_not_used_again(world: World) -> None:
    mail = letter()
    async with Receiver() as receiver:
        receiver.tell(At.END, Action(raw=b"250 2.0.0 OK\r\n250 2.0.0 OK\r\n"), USUAL)
        courier = world.direct(receiver.port)
        await courier.deliver(mail.parcel, mail.body)
        await courier.deliver(mail.parcel, mail.body)
    assert receiver.connections == 2


# --- the body ---


async def test_a_large_body_is_streamed_and_arrives_unchanged(world: World) -> None:
    line = b".line with a dot in front" + b"x" * 40 + b"\r\n"
    whole = line * 40_000
    mail = letter(body=[whole[start : start + 100_001] for start in range(0, len(whole), 100_001)])
    async with Receiver() as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert attempt.verdict.fate is Fate.SENT
    assert receiver.received[0].content == mail.content


@pytest.mark.parametrize("large", [True, False])
async def test_a_body_that_can_not_be_read_breaks_off_before_the_dot(world: World, large: bool) -> None:
    mail = letter(body=[b"x" * 998 + b"\r\n"] * (400 if large else 1))

    async def damaged():  # type: ignore[no-untyped-def]
        yield b"half of it\r\n"
        raise StoreDamaged("a chunk is missing")

    async with Receiver() as receiver:
        courier = world.direct(receiver.port)
        with pytest.raises(StoreDamaged):
            await courier.deliver(mail.parcel, damaged)
        await receiver.idle()
    assert receiver.uploads == []


async def test_an_address_that_says_more_than_an_address_is_never_written(world: World) -> None:
    mail = letter("bob@customer.example", return_path="a@b.example> SIZE=1\r\nRCPT TO:<eve@x.example")
    async with Receiver() as receiver:
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert attempt.evidence.kind is FaultKind.INTERNAL
    assert [line.text for line in receiver.lines if "RCPT" in line.text] == []


async def test_only_so_many_large_bodies_are_on_their_way_at_once(world: World) -> None:
    mail = letter(body=[b"x" * 998 + b"\r\n"] * 400)
    handover = world.handover(uploads=2)
    async with Receiver() as receiver:
        receiver.tell(At.DATA, LATE)
        courier = world.direct(receiver.port, handover=handover)
        tasks = [asyncio.create_task(courier.deliver(mail.parcel, mail.body)) for _ in range(5)]
        await receiver.reached(At.DATA, 2)
        small = letter("eve@customer.example")
        small_task = asyncio.create_task(courier.deliver(small.parcel, small.body))
        await receiver.reached(At.DATA, 3)  # the small one needs no place
        assert sum(line.text == "DATA" for line in receiver.lines) == 3
        receiver.release()
        results = await asyncio.gather(*tasks, small_task)
    assert [attempt.verdict.fate for (attempt,) in results] == [Fate.SENT] * 6


# --- a resolver that lost its way ---


@pytest.mark.parametrize(
    ("ours", "fate"), [({"MX": "10 mx.my.platform.example"}, Fate.FAILED), ({}, Fate.DEFERRED)]
)
@pytest.mark.parametrize("records", [{}, {"MX": "10 nowhere.example"}], ids=["no domain", "no address"])
async def test_dns_that_denies_our_own_domain_too_ends_no_delivery(
    world: World, ours: dict[str, str], fate: Fate, records: dict[str, str]
) -> None:
    for name, found in (("my.platform.example", ours), ("gone.example", records)):
        for kind, value in found.items():
            world.zone.set(name, kind, value)
    mail = letter("bob@gone.example")
    courier = world.direct(1, anchor="my.platform.example")

    (attempt,) = await courier.deliver(mail.parcel, mail.body)

    assert attempt.verdict.fate is fate
    assert attempt.verdict.reason is (Reason.RECIPIENT_DOMAIN if fate is Fate.FAILED else Reason.NETWORK_DNS)


async def test_a_host_in_a_family_that_we_do_not_use_is_there_all_the_same(world: World) -> None:
    world.zone.set("six.example", "AAAA", "2001:db8::25")
    mail = letter("bob@six.example")

    (attempt,) = await world.direct(1, families=("ipv4",)).deliver(mail.parcel, mail.body)

    assert attempt.verdict.fate is Fate.DEFERRED
    assert "ipv6" in attempt.evidence.text
