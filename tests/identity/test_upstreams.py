"""Customers' servers by themselves: what a probe shows takes effect, and nothing goes before it passed."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from relayd.core.address import Address
from relayd.core.findings import Kind
from relayd.core.hops import Hops
from relayd.core.journal import EventType
from relayd.core.mail import Hop, IfUnproven, Route, Rung
from relayd.core.probe import Step
from relayd.core.reasons import Reason
from relayd.core.sender import Secret, Sender, Tls, Upstream
from relayd.couriers.handover import Turns
from relayd.identity.credentials import Credentials
from relayd.identity.lookout import Lookout
from relayd.identity.probe import Prober, Turn
from relayd.identity.upstreams import NoSender, NoUpstream, Result, TooManyTries, Upstreams
from relayd.net.dns import Resolver
from relayd.net.egress import Guard, Ourselves
from relayd.net.smtp import Deadlines
from relayd.net.tls import Contexts
from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver
from relayd.sandbox.script import USUAL, At, say
from relayd.sandbox.zone import NameServer, Zone
from relayd.store.memory import MemoryStore

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ACME = Hop(Route.UPSTREAM, "acme")
OWN = Address("billing", "acme.example")
PASSWORD, WRONG = "canary-right-51c2", "canary-wrong-88aa"
PLATFORM = "canary-platform-0f0f"
ZONE = """
acme.example            MX   10 smtp.acme.example
smtp.acme.example       A    127.0.0.1
"""


class House:
    """The parts around one sender whose server is `server`."""

    def __init__(self, names: NameServer, contexts: Contexts, server: Receiver) -> None:
        self.zone, self.server = names.zone, server
        self.store = MemoryStore(clock=lambda: NOW)
        self.hops = Hops(total=10, per_hop=5)
        self.resolver = Resolver([names.address])
        self.contexts = contexts
        self.sender: Sender | None = Sender(
            id="acme",
            name="ACME",
            contact=OWN,
            confirmed=False,
            default_address=Address("acme", "my.platform.example"),
            send_as=Rung.UPSTREAM,
            if_unproven=IfUnproven.DEFAULT,
            language="en",
            test=False,
            upstream=self.login(),
        )
        self.confirmed: list[tuple[str, Address]] = []
        self.forgot: list[Hop] = []
        self.turns: dict[Upstream | None, Turns] = {}
        self.waits: list[float] = []
        self.monotonic = 0.0
        self.steps: list[Step] = []
        self.credentials = self.restarted()
        self.upstreams = self.made()

    def login(self, password: str = PASSWORD, **changes: Any) -> Upstream:
        usual = Upstream(
            host="smtp.acme.example",
            port=self.server.port,
            tls=Tls.STARTTLS,
            username="billing@acme.example",
            password=Secret(password),
        )
        return dataclasses.replace(usual, **changes)

    def use(self, upstream: Upstream | None, **changes: Any) -> None:
        assert self.sender is not None
        self.sender = dataclasses.replace(self.sender, upstream=upstream, **changes)

    def restarted(self) -> Credentials:
        return Credentials(
            store=self.store,
            upstream=lambda hop: self.sender.upstream if self.sender else None,
            fingerprint=lambda text: f"#{hash(text)}",
            matches=lambda text, fingerprint: f"#{hash(text)}" == fingerprint,
        )

    def made(self) -> Upstreams:
        prober = Prober(
            resolver=self.resolver,
            guard=Guard(["127.0.0.0/8"]),
            ourselves=Ourselves(),
            contexts=self.contexts,
            hostname="relay.my.platform.example",
            platform="Platform",
            families=("ipv4",),
            deadlines=Deadlines(connect=5, banner=5, ehlo=5, tls=5, auth=5, mail=5, rcpt=5, data=5, end=5),
            lookout=Lookout(
                resolver=self.resolver,
                guard=Guard(["127.0.0.0/8"]),
                families=("ipv4",),
                port_blocked=lambda: False,
                elsewhere={},
            ),
        )
        return Upstreams(
            store=self.store,
            credentials=self.credentials,
            hops=lambda: self.hops,
            prober=lambda: prober,
            sender=lambda id: self.sender if id == "acme" else None,
            logins=lambda: [("app", Secret(PLATFORM))],
            turn=self._turn,
            forget=self._forget,
            confirm=self._confirm,
            fingerprint=lambda text: f"#{hash(text)}",
            clock=lambda: NOW,
            monotonic=lambda: self.monotonic,
            pause=self._pause,
        )

    def _forget(self, hop: Hop) -> None:
        self.forgot.append(hop)
        self.turns.clear()

    def _turn(self, hop: Hop) -> Turn:
        assert self.sender is not None
        return self.turns.setdefault(self.sender.upstream, Turns()).take

    async def _confirm(self, id: str, address: Address) -> None:
        self.confirmed.append((id, address))

    async def _pause(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def probe(self, **options: Any) -> Result:
        async with asyncio.timeout(15):
            return await self.upstreams.probe("acme", self.steps.append, **options)

    async def events(self) -> list[EventType]:
        return [event.type for event in await self.store.journal(0)]

    async def by_itself(self, true: Any) -> None:
        """Let it work by itself until this is true."""
        task = asyncio.create_task(self.upstreams.run())
        try:
            async with asyncio.timeout(15):
                while not true():
                    await asyncio.sleep(0)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def contexts(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(str(authority.write(tmp_path_factory.mktemp("ca") / "ca.pem")))


@pytest.fixture
async def house(authority: Authority, contexts: Contexts) -> AsyncIterator[House]:
    certificate = authority.issue("smtp.acme.example")
    users = {"billing@acme.example": PASSWORD}
    async with NameServer(Zone(ZONE)) as names, Receiver(certificate=certificate, users=users) as server:
        house = House(names, contexts, server)
        yield house
        await house.resolver.close()


async def test_a_refused_login_is_remembered_and_told_once_and_never_tried_again(house: House) -> None:
    house.use(house.login(WRONG))
    first = await house.probe()
    second = await house.probe()

    assert (first.refusal, second.refusal) == (Reason.AUTH_WRONG_PASSWORD, Reason.AUTH_WRONG_PASSWORD)
    assert second.finding is not None
    assert second.finding.kind is Kind.LOGIN_REFUSED_BEFORE
    assert house.server.logins == [("billing@acme.example", False)]
    assert house.hops.closed(ACME.key) is Reason.AUTH_WRONG_PASSWORD
    assert house.credentials.of_senders == {"acme": Reason.AUTH_WRONG_PASSWORD}
    assert await house.events() == [EventType.UPSTREAM_FAILED]
    assert WRONG not in repr(await house.store.recall("credentials")) + repr(await house.store.journal(0))


async def test_neither_after_a_restart(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()

    house.credentials = house.restarted()
    house.upstreams = house.made()
    assert await house.credentials.load() == {}
    await house.probe()
    assert len(house.server.logins) == 1


async def test_who_insists_gets_another_try(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()
    await house.probe(again=True)
    assert len(house.server.logins) == 2
    assert await house.events() == [EventType.UPSTREAM_FAILED]


async def test_the_courier_and_the_probe_take_turns_with_one_password(house: House) -> None:
    house.use(house.login(WRONG))
    await asyncio.gather(*(house.probe() for _ in range(5)))
    assert len(house.server.logins) == 1


async def test_new_settings_that_pass_let_everything_go_again(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()
    house.use(house.login())
    result = await house.probe()

    assert result.passed
    assert house.hops.closed(ACME.key) is None
    assert (house.credentials.refused, house.credentials.of_senders) == ({}, {})
    assert await house.events() == [EventType.UPSTREAM_FAILED, EventType.UPSTREAM_OK]
    assert await house.store.recall("credentials") == {}


async def test_new_settings_that_fail_too_let_nothing_go_and_say_why(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()
    house.use(house.login("canary-other"))
    house.server.tell(At.AUTH, say("534 5.7.9 Application-specific password required"))
    result = await house.probe()

    assert result.refusal is Reason.AUTH_APP_PASSWORD_NEEDED
    assert house.hops.closed(ACME.key) is Reason.AUTH_APP_PASSWORD_NEEDED
    assert [event.reason for event in await house.store.journal(0)] == [
        Reason.AUTH_WRONG_PASSWORD,
        Reason.AUTH_APP_PASSWORD_NEEDED,
    ]


async def test_a_server_that_is_down_decides_nothing(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()
    house.use(house.login())
    await house.server.stop_listening()
    result = await house.probe()

    assert (result.passed, result.refusal) == (False, None)
    assert house.hops.closed(ACME.key) is Reason.AUTH_WRONG_PASSWORD
    assert await house.events() == [EventType.UPSTREAM_FAILED]


async def test_the_platforms_own_password_is_refused_without_being_shown(house: House) -> None:
    house.use(house.login(PLATFORM))
    result = await house.probe()
    assert result.finding is not None
    assert result.finding.kind is Kind.PASSWORD_OF_PLATFORM
    assert house.server.logins == []
    assert house.hops.closed(ACME.key) is Reason.AUTH_WRONG_PASSWORD


# --- typed, not saved ---


async def test_what_was_typed_changes_nothing_but_is_not_tried_twice(house: House) -> None:
    typed = house.login(WRONG)
    first = await house.probe(typed=typed)
    second = await house.probe(typed=typed)
    assert (first.passed, second.passed) == (False, False)
    assert len(house.server.logins) == 1
    assert house.credentials.refused == {}
    assert await house.events() == []

    house.server.tell(At.BANNER, say("421 4.3.2 closing"))
    assert not (await house.probe(typed=typed)).passed  # which told nothing new
    house.server.tell(At.BANNER)
    house.use(typed)  # and saved all the same
    assert (await house.probe()).refusal is Reason.AUTH_WRONG_PASSWORD
    assert len(house.server.logins) == 1
    assert await house.events() == [EventType.UPSTREAM_FAILED]


async def test_what_was_typed_and_works_confirms_nothing_before_it_is_saved(house: House) -> None:
    house.use(house.login(WRONG))
    result = await house.probe(typed=house.login())
    assert result.passed
    assert house.confirmed == []


async def test_settings_that_changed_meanwhile_are_not_judged_by_the_old_ones(house: House) -> None:
    house.use(house.login(WRONG))
    house.server.tell(At.AUTH, dataclasses.replace(say("535 5.7.8 no"), hang=True))
    probing = asyncio.create_task(house.probe())
    await house.server.reached(At.AUTH)
    house.use(house.login())
    house.server.release()
    assert (await probing).refusal is Reason.AUTH_WRONG_PASSWORD
    assert house.credentials.refused == {}
    assert house.hops.closed(ACME.key) is None


# --- who owns the address ---


async def test_a_login_at_the_domains_own_server_confirms_the_address(house: House) -> None:
    result = await house.probe()
    assert result.confirmed
    assert house.confirmed == [("acme", OWN)]


async def test_a_login_at_anybodys_server_confirms_nothing(house: House) -> None:
    house.zone.set("acme.example", "MX", "10 mx.of.the.victim.example")
    result = await house.probe()
    assert (result.passed, result.confirmed) == (True, False)
    assert house.confirmed == []


async def test_a_confirmed_address_stays_as_it_was_confirmed(house: House) -> None:
    house.use(house.login(), confirmed=True)
    result = await house.probe()
    assert (result.passed, result.confirmed) == (True, False)


# --- by itself ---


async def test_a_change_is_probed_by_itself(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()
    house.use(house.login())
    house.upstreams.changed("acme")
    await house.by_itself(lambda: not house.credentials.refused)
    assert house.server.logins == [("billing@acme.example", False), ("billing@acme.example", True)]


async def test_while_mail_waits_a_server_that_is_down_is_asked_again_and_again(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()
    house.use(house.login())
    house.server.tell(At.BANNER, *[say("421 4.3.2 down")] * 3, say("220 up"))
    house.upstreams.changed("acme")
    await house.by_itself(lambda: not house.credentials.refused)
    assert house.waits == [60.0, 300.0, 900.0]
    # Said once, and that it works in the end.
    assert await house.events() == [
        EventType.UPSTREAM_FAILED,
        EventType.UPSTREAM_FAILED,
        EventType.UPSTREAM_OK,
    ]


async def test_that_changed_settings_work_is_said(house: House) -> None:
    house.upstreams.changed("acme")
    await house.by_itself(lambda: house.store.newest)
    assert await house.events() == [EventType.UPSTREAM_OK]
    await house.probe()
    assert await house.events() == [EventType.UPSTREAM_OK], "who asks has the answer"


async def test_a_locked_account_is_left_in_peace_for_an_hour(house: House) -> None:
    house.use(house.login(WRONG))
    await house.probe()
    house.use(house.login())
    locked = say("454 4.7.0 Too many login attempts, please try again later")
    house.server.tell(At.AUTH, locked, USUAL)
    house.upstreams.changed("acme")
    await house.by_itself(lambda: not house.credentials.refused)
    assert house.waits == [3600.0]


async def test_mail_keeps_away_from_an_account_that_a_probe_found_locked(house: House) -> None:
    house.server.tell(At.AUTH, say("454 4.7.0 Too many login attempts, please try again later"))
    await house.probe()
    assert house.hops.free(ACME.key) == 0
    assert house.hops.paused == [ACME.key]


async def test_guessing_comes_to_an_end(house: House) -> None:
    for guess in range(10):
        await house.probe(typed=house.login(f"guess {guess}"))
    with pytest.raises(TooManyTries):
        await house.probe(typed=house.login("guess 11"))
    house.monotonic += 3601
    assert (await house.probe(typed=house.login())).passed


async def test_where_nothing_waits_a_change_is_probed_once(house: House) -> None:
    await house.server.stop_listening()
    house.upstreams.changed("acme")
    await house.by_itself(lambda: house.store.newest)
    assert await house.events() == [EventType.UPSTREAM_FAILED]
    assert house.waits == []


async def test_a_test_sender_s_server_is_left_alone(house: House) -> None:
    house.use(house.login(), test=True)
    house.upstreams.changed("acme")
    house.upstreams.changed("nobody")
    await house.by_itself(lambda: house.upstreams._changes.empty())
    assert house.server.connections == 0


async def test_there_must_be_a_sender_and_a_server(house: House) -> None:
    with pytest.raises(NoSender):
        await house.upstreams.probe("nobody", house.steps.append)
    house.use(None)
    with pytest.raises(NoUpstream):
        await house.probe()


# --- what a person saw ---


async def test_what_a_test_mail_arrived_with_is_kept_in_mind_for_this_account(house: House) -> None:
    assert not await house.upstreams.saw("acme", "Me@Gmail.com")
    result = await house.probe()
    assert result.passed
    found = [step.finding.kind for step in house.steps if step.finding]
    assert found == [Kind.FROM_REWRITTEN]

    house.steps.clear()
    assert await house.upstreams.saw("acme", " Billing@ACME.example ")
    await house.probe()
    assert not [step for step in house.steps if step.finding]


async def test_another_account_is_another_matter(house: House) -> None:
    await house.upstreams.saw("acme", "me@gmail.com")
    house.use(house.login(username="office@acme.example"))
    await house.probe()
    found = [step.finding.kind for step in house.steps if step.finding]
    assert Kind.FROM_REWRITTEN not in found
