"""Key look-ups against a real name server, with the real resolver, and time that only tests move."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from relayd.core import address, journal
from relayd.core.journal import Event, EventType
from relayd.core.keyproof import DOUBT
from relayd.core.mail import (
    Dressing,
    Hop,
    IfUnproven,
    Message,
    Proof,
    Recipient,
    Route,
    Rung,
    Submission,
)
from relayd.core.reasons import Reason
from relayd.core.records.dkimkey import OurKey
from relayd.core.sender import Sender, Senders
from relayd.identity.domains import GRACE, Domains
from relayd.identity.returnpaths import Egress, return_path_problem
from relayd.net.dns import Resolver
from relayd.sandbox.zone import DnsFault, NameServer, Zone
from relayd.store.contract import Selection, StoreDamaged, StoreFull
from relayd.store.memory import MemoryStore

START = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
KEY = bytes(range(256))
R1 = OurKey(selector="r1", public_key=KEY)
NAME, TEXT = R1.name("acme.example"), R1.record
PLATFORM_NAME = "r1._domainkey.my.platform.example"
NOWHERE = Egress(addresses=(), hostname="relay.my.platform.example")
ACME = Sender(
    id="acme",
    name="ACME",
    contact=address.parse("billing@acme.example"),
    confirmed=True,
    default_address=address.parse("acme@my.platform.example"),
    send_as=Rung.OWN,
    if_unproven=IfUnproven.HOLD,
    language="de",
    test=False,
)


class Store(MemoryStore):
    """The honest one, which can run out of space or be unreadable."""

    full = False
    damaged = False

    async def recall(self, kind: str) -> Mapping[str, Mapping[str, str]]:
        if self.damaged:
            raise StoreDamaged("not a database")
        return await super().recall(kind)

    async def remember(self, *args, **kwargs) -> None:
        if self.full:
            raise StoreFull("no space left")
        await super().remember(*args, **kwargs)


@dataclass(kw_only=True)
class Bench:
    zone: Zone
    names: NameServer
    resolver: Resolver
    store: Store
    domains: Domains
    senders: list[Sender]
    egress: Egress = NOWHERE
    seconds: float = 0.0

    def monotonic(self) -> float:
        self.seconds += 1e-9  # no two readings of a clock are the same
        return self.seconds

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def restarted(self, *keys: OurKey, resolver: object = None) -> Domains:
        return Domains(
            resolver=resolver or self.resolver,  # type: ignore[arg-type]
            store=self.store,
            platform="my.platform.example",
            return_path="bounce.my.platform.example",
            include="my.platform.example",
            egress=self.egress,
            keys=lambda: keys or (R1,),
            senders=lambda: Senders(self.senders, unknown=None),
            clock=self.clock,
            monotonic=self.monotonic,
        )

    async def events(self) -> list[Event]:
        return await self.store.journal(0)

    async def kinds(self) -> list[tuple[EventType, str | None]]:
        return [(event.type, event.sender) for event in await self.events()]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    zone = Zone()
    zone.add(NAME, "TXT", TEXT)
    zone.add(PLATFORM_NAME, "TXT", TEXT)
    async with NameServer(zone) as names:
        resolver = Resolver([names.address], lifetime=1.0, patience=1.0)
        made = Bench(
            zone=zone,
            names=names,
            resolver=resolver,
            store=Store(),
            domains=None,  # type: ignore[arg-type]
            senders=[ACME],
        )
        made.domains = made.restarted()
        yield made
        await made.domains.close()
        await resolver.close()


async def test_a_published_key_is_seen_once_and_then_known(bench: Bench) -> None:
    assert bench.domains.known("acme.example") is None
    assert await bench.domains.proven("acme.example")
    assert bench.domains.known("acme.example") is True
    assert await bench.domains.proven("acme.example")
    assert bench.names.asked(NAME, "TXT") == 1
    (event,) = await bench.events()
    assert (event.type, event.sender, event.proof) == (EventType.PROVEN, "acme", Proof.DKIM)
    assert event.detail == {"domain": "acme.example", "record": NAME, "text": "Our key is published."}


async def test_a_key_behind_a_cname_is_as_good(bench: Bench) -> None:
    bench.zone.remove(NAME)
    bench.zone.add(NAME, "CNAME", PLATFORM_NAME)
    assert await bench.domains.proven("acme.example")


async def test_what_is_known_lasts_as_long_as_its_ttl_and_a_grace(bench: Bench) -> None:
    await bench.domains.proven("acme.example")
    bench.seconds = 60 + GRACE - 1
    assert bench.domains.known("acme.example") is True
    bench.seconds = 60 + GRACE
    assert bench.domains.known("acme.example") is None


async def test_many_who_ask_at_once_share_one_look(bench: Bench) -> None:
    assert all(await asyncio.gather(*(bench.domains.proven("acme.example") for _ in range(50))))
    assert bench.names.asked(NAME, "TXT") == 1


async def test_who_stops_waiting_does_not_stop_the_look(bench: Bench) -> None:
    first, second = (asyncio.create_task(bench.domains.proven("acme.example")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second


async def test_closing_ends_the_looks_under_way(bench: Bench, skip_waits: Callable[[], None]) -> None:
    skip_waits()
    bench.zone.fault("*", DnsFault.SILENCE)
    task = asyncio.create_task(bench.domains.look("acme.example"))
    for _ in range(3):  # it goes through a gather
        await asyncio.sleep(0)
    [look] = bench.domains._under_way.values()
    await bench.domains.close()
    assert look.cancelled()
    assert not (await task)[0].proof.proven  # whoever asked is told what a look of its own found


@pytest.mark.parametrize("published", [None, "v=spf1 -all", "v=DKIM1; p=AAAA"])
async def test_what_is_not_our_key_proves_nothing_and_says_why(bench: Bench, published: str | None) -> None:
    bench.zone.remove(NAME)
    if published:
        bench.zone.add(NAME, "TXT", published)
    assert not await bench.domains.proven("acme.example")
    (event,) = await bench.events()
    assert (event.type, event.reason) == (EventType.UNPROVEN, Reason.SENDER_UNPROVEN)
    assert event.detail["text"]


async def test_the_platforms_own_key_is_the_platforms_matter(bench: Bench) -> None:
    """No customer can publish it, so nobody is told to ask a customer's IT."""
    bench.zone.remove(PLATFORM_NAME)
    assert not await bench.domains.proven("my.platform.example")
    (event,) = await bench.events()
    line = journal.as_dict(event)
    assert (line["type"], line["reason"], line["actor"]) == ("unproven", "signing.failed", "platform")
    assert "sender" not in line
    assert PLATFORM_NAME in str(line["text"])


async def test_a_proof_is_lost_after_two_clear_answers_minutes_apart(bench: Bench) -> None:
    await bench.domains.look("acme.example")
    bench.zone.remove(NAME)
    bench.seconds = 100
    assert (await bench.domains.look("acme.example"))[0].proof.proven
    bench.seconds = 100 + DOUBT - 1
    assert (await bench.domains.look("acme.example"))[0].proof.proven
    bench.seconds = 100 + DOUBT
    assert not (await bench.domains.look("acme.example"))[0].proof.proven
    assert await bench.kinds() == [(EventType.PROVEN, "acme"), (EventType.UNPROVEN, "acme")]
    assert bench.names.asked(NAME, "TXT") >= 4  # never from a cache


async def test_a_proof_that_comes_back_in_time_was_never_lost(bench: Bench) -> None:
    await bench.domains.look("acme.example")
    bench.zone.remove(NAME)
    await bench.domains.look("acme.example")
    bench.zone.add(NAME, "TXT", TEXT)
    bench.seconds = DOUBT + 1
    assert (await bench.domains.look("acme.example"))[0].proof.proven
    assert await bench.kinds() == [(EventType.PROVEN, "acme")]


@pytest.mark.parametrize("fault", [DnsFault.SERVFAIL, DnsFault.REFUSED, DnsFault.GARBAGE])
async def test_trouble_in_dns_keeps_the_last_known_proof(
    bench: Bench, fault: DnsFault, skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    await bench.domains.proven("acme.example")
    bench.zone.fault("*", fault)
    bench.seconds = 10_000
    assert await bench.domains.proven("acme.example")
    again = bench.restarted()
    assert await again.proven("acme.example")
    assert await bench.kinds() == [(EventType.PROVEN, "acme")]


async def test_trouble_in_dns_proves_nothing_that_was_not_known(bench: Bench) -> None:
    bench.zone.fault("*", DnsFault.SERVFAIL)
    assert not await bench.domains.proven("acme.example")
    assert await bench.events() == []


async def test_what_was_proven_for_another_key_counts_nothing(bench: Bench) -> None:
    await bench.domains.proven("acme.example")
    bench.zone.fault("*", DnsFault.SERVFAIL)
    other = bench.restarted(OurKey(selector="r1", public_key=KEY[:-1]))
    assert not await other.proven("acme.example")


async def test_a_restart_tells_nothing_twice(bench: Bench) -> None:
    await bench.domains.proven("acme.example")
    again = bench.restarted()
    await again.proven("acme.example")
    assert await bench.kinds() == [(EventType.PROVEN, "acme")]


async def test_every_sender_of_a_domain_that_wants_it_is_told(bench: Bench) -> None:
    bench.senders += [
        dataclasses.replace(ACME, id="two", send_as=Rung.UPSTREAM),
        dataclasses.replace(ACME, id="three", send_as=Rung.DEFAULT),
    ]
    await bench.domains.proven("acme.example")
    assert await bench.kinds() == [(EventType.PROVEN, "acme"), (EventType.PROVEN, "two")]


async def test_the_platforms_own_key_is_told_without_a_sender(bench: Bench) -> None:
    await bench.domains.proven("my.platform.example")
    (event,) = await bench.events()
    assert (event.sender, event.proof) == (None, Proof.PLATFORM)


async def test_a_store_that_can_not_write_does_not_undo_what_dns_says(bench: Bench) -> None:
    bench.store.full = True
    assert await bench.domains.proven("acme.example")
    bench.store.full = False
    await bench.domains.look("acme.example")
    assert await bench.kinds() == [(EventType.PROVEN, "acme")]


async def test_a_store_that_can_not_be_read_does_not_stop_the_look(bench: Bench) -> None:
    bench.store.damaged = True
    assert await bench.domains.proven("acme.example")


# --- letting go what waited ---


def waiting(id: str, held: Reason, sender: str = "acme") -> Message:
    to = address.parse("b@example.com")
    submission = Submission(
        login=None,
        may_be=None,
        mail_from=None,
        recipients=(to,),
        header=b"From: billing@acme.example\r\n",
        body_size=0,
        body_hash=b"",
        eight_bit=False,
        smtputf8=False,
        received_at=START,
    )
    dressing = Dressing(rung=Rung.OWN, proof=None, reason=held, header_from=None, header=submission.header)
    hop = Hop(Route.DIRECT, "example.com")
    return Message(
        id=id,
        sender=sender,
        ref=None,
        submission=submission,
        dressing=dressing,
        recipients=(Recipient(index=0, address=to, hop=hop, return_path=""),),
        held=held,
    )


async def put(store: Store, *messages: Message) -> None:
    for message in messages:
        await store.put(message, b"", [])


async def released(store: Store) -> list[str | None]:
    return [event.message for event in await store.journal(0) if event.type is EventType.RELEASED]


async def test_a_proof_that_comes_lets_go_what_waited_for_it(bench: Bench) -> None:
    await put(
        bench.store,
        waiting("A" * 26, Reason.SENDER_UNPROVEN),
        waiting("B" * 26, Reason.SENDER_UNPROVEN, sender="globex"),
        waiting("C" * 26, Reason.AUTH_WRONG_PASSWORD),
        waiting("D" * 26, Reason.SIGNING_FAILED),
    )
    await bench.domains.look("acme.example")
    assert await released(bench.store) == ["A" * 26]
    await bench.domains.look("my.platform.example")
    assert await released(bench.store) == ["A" * 26, "D" * 26]


async def test_mail_that_was_put_while_the_proof_came_is_let_go_too(bench: Bench) -> None:
    await bench.domains.look("acme.example")
    await put(bench.store, waiting("A" * 26, Reason.SENDER_UNPROVEN))
    await bench.domains.look("acme.example")
    assert await released(bench.store) == ["A" * 26]
    # and then it is an operator's hold, or a fault, that keeps mail: no look lets it go
    await put(bench.store, waiting("B" * 26, Reason.SENDER_UNPROVEN))
    await bench.domains.look("acme.example")
    assert await released(bench.store) == ["A" * 26]


async def test_without_a_proof_nothing_is_let_go(bench: Bench) -> None:
    bench.zone.remove(NAME)
    await put(bench.store, waiting("A" * 26, Reason.SENDER_UNPROVEN))
    await bench.domains.look("acme.example")
    assert await released(bench.store) == []
    assert len(await bench.store.find(Selection(held=Reason.SENDER_UNPROVEN))) == 1


# --- the watch ---


async def watched(bench: Bench, turns: int) -> list[float]:
    """Let the watch take so many turns; gives its pauses, each of which moves the clock."""
    pauses: list[float] = []
    domains = bench.restarted()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        bench.seconds += seconds
        if len(pauses) == turns:
            raise asyncio.CancelledError

    domains._pause = pause
    bench.domains = domains
    with pytest.raises(asyncio.CancelledError):
        await domains.watch()
    return pauses


async def test_the_watch_looks_when_a_ttl_is_over_so_that_mail_never_waits(bench: Bench) -> None:
    assert await watched(bench, 5) == pytest.approx([30, 30, 30, 30, 30], abs=1e-3)
    assert bench.names.asked(NAME, "TXT") == 3  # at 0, 60 and 120 seconds
    assert bench.names.asked(PLATFORM_NAME, "TXT") == 3
    assert bench.domains.known("acme.example") is True


async def test_the_watch_leaves_alone_who_wants_the_default_address_or_has_not_agreed(bench: Bench) -> None:
    bench.senders = [
        dataclasses.replace(ACME, send_as=Rung.DEFAULT),
        dataclasses.replace(ACME, id="b", confirmed=False),
    ]
    await watched(bench, 1)
    assert bench.names.asked(NAME, "TXT") == 0
    assert bench.names.asked(PLATFORM_NAME, "TXT") == 1


async def test_the_watch_sees_a_proof_go_while_no_mail_does(bench: Bench) -> None:
    await bench.domains.look("acme.example")
    bench.zone.remove(NAME)
    await bench.domains.look("acme.example")
    bench.seconds = DOUBT + 1
    await bench.domains.look("acme.example")
    bench.zone.add(NAME, "TXT", TEXT)
    await watched(bench, 3)
    kinds = [kind for kind, sender in await bench.kinds() if sender == "acme"]
    assert kinds == [EventType.PROVEN, EventType.UNPROVEN, EventType.PROVEN]


async def test_a_fault_with_one_domain_does_not_blind_the_watch_for_others(bench: Bench) -> None:
    bench.senders = [
        dataclasses.replace(ACME, id="b", contact=dataclasses.replace(ACME.contact, domain="\0"))
    ]
    bench.senders.append(ACME)

    async def raising(name: str, *, fresh: bool = False) -> object:
        if "\0" in name:
            raise RuntimeError("a fault")
        return await Resolver.txt(bench.resolver, name, fresh=fresh)

    bench.resolver.txt = raising  # type: ignore[method-assign, assignment]
    await watched(bench, 2)
    assert bench.domains.known("acme.example") is True


async def test_what_to_publish_is_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.zone.remove(PLATFORM_NAME)
    await bench.domains.look("my.platform.example")
    assert PLATFORM_NAME in caplog.text
    assert TEXT in caplog.text


# --- the return path ---


@pytest.mark.parametrize(
    ("zone", "problem"),
    [
        ('b.example MX 10 mx.b.example\nb.example TXT "v=spf1 -all"', None),
        ('b.example A 192.0.2.1\nb.example TXT "v=spf1 -all"', None),
        ('b.example AAAA 2001:db8::1\nb.example TXT "V=SPF1"\nb.example TXT "other"', None),
        ("b.example MX 10 mx.b.example", "no SPF record"),
        ('b.example MX 10 mx.b.example\nb.example TXT "v=spf10 -all"', "no SPF record"),
        ('b.example TXT "v=spf1 -all"', "no MX and no address record"),
        ("a.example A 192.0.2.1", "no MX and no address record.*no SPF record"),
        ('b.example MX 0 .\nb.example A 192.0.2.1\nb.example TXT "v=spf1 -all"', "a null MX"),
        (
            'b.example A 192.0.2.1\nb.example TXT "v=spf1 -all"\nb.example TXT "v=spf1 ~all"',
            "2 SPF records",
        ),
    ],
)
async def test_a_return_path_that_bounces_do_not_find_is_said(zone: str, problem: str | None) -> None:
    async with NameServer(Zone(zone)) as names:
        resolver = Resolver([names.address], lifetime=1.0, patience=1.0)
        found = await return_path_problem(resolver, "b.example")
        await resolver.close()
    if problem is None:
        assert found is None
    else:
        assert found is not None
        assert found.startswith("the return path b.example has ")
        assert re.search(problem, found)


async def test_trouble_in_dns_says_nothing_about_the_return_path() -> None:
    zone = Zone()
    zone.fault("*", DnsFault.SERVFAIL)
    async with NameServer(zone) as names:
        resolver = Resolver([names.address], lifetime=1.0, patience=1.0)
        assert await return_path_problem(resolver, "b.example") is None
        await resolver.close()


async def test_a_reload_in_the_middle_of_a_look_does_not_cost_whoever_waits_for_it(bench: Bench) -> None:
    class Slow:
        """Answers nothing to the first question, and the truth to the second."""

        def __init__(self) -> None:
            self.asked = asyncio.Event()

        async def txt(self, name: str, *, fresh: bool = False) -> object:
            if not self.asked.is_set():
                self.asked.set()
                await asyncio.Event().wait()
            return await bench.resolver.txt(name, fresh=fresh)

    slow = Slow()
    bench.domains = bench.restarted(resolver=slow)
    waiting = asyncio.create_task(bench.domains.proven("acme.example"))
    await slow.asked.wait()

    await bench.domains.close()

    assert await waiting is True


async def test_a_look_that_is_asked_for_begins_now(bench: Bench) -> None:
    """What is published just before must be seen, though a look from before that is still under way."""
    asked, answer = asyncio.Event(), asyncio.Event()

    class Slow:
        async def txt(self, name: str, *, fresh: bool = False) -> object:
            found = await bench.resolver.txt(name, fresh=fresh)
            asked.set()
            await answer.wait()
            return found

    bench.zone.remove(NAME, "TXT")
    bench.domains = bench.restarted(resolver=Slow())
    before = asyncio.create_task(bench.domains.proven("acme.example"))
    await asked.wait()
    bench.zone.add(NAME, "TXT", TEXT)
    looking = asyncio.create_task(bench.domains.look("acme.example"))
    await asyncio.sleep(0)
    answer.set()

    assert await before is False
    assert (await looking)[0].proof.proven


async def test_who_asks_and_is_cancelled_is_cancelled(bench: Bench) -> None:
    asked = asyncio.Event()

    class Silent:
        async def txt(self, name: str, *, fresh: bool = False) -> object:
            asked.set()
            return await asyncio.Event().wait()

    bench.domains = bench.restarted(resolver=Silent())
    waiting = asyncio.create_task(bench.domains.proven("acme.example"))
    await asked.wait()
    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting
    await bench.domains.close()


async def test_a_signature_of_a_key_that_was_taken_away_for_another_is_found(bench: Bench) -> None:
    r2 = OurKey(selector="r2", public_key=KEY[:-1])
    domains = bench.restarted(r2, R1)
    header = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=acme.example;\r\n\ts=r1; t=1;\r\n"
    assert not domains.withdrawn("acme.example", header), "nothing is known of any key yet"
    bench.zone.add(r2.name("acme.example"), "TXT", r2.record)
    await domains.look("acme.example")
    assert not domains.withdrawn("acme.example", header)

    bench.zone.set(NAME, "TXT")
    await domains.look("acme.example")
    assert not domains.withdrawn("acme.example", header), "one clear answer is not enough"
    bench.seconds += DOUBT
    await domains.look("acme.example")
    assert domains.withdrawn("acme.example", header)
    assert not domains.withdrawn("acme.example", header.replace(b"r1", b"r2"))
    assert not domains.withdrawn("acme.example", header.replace(b"acme", b"globex"))
    assert not bench.restarted(r2).withdrawn("acme.example", header)
    await domains.close()
