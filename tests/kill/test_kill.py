"""Nothing acknowledged is lost: the daemon is killed while 20 clients send, then the ledgers are compared.

Two ledgers outlive it: what clients got 250 for, and what the receiving server said 250 to, with the time.
The third is the daemon's own status log.

`KILLS` sets the length of the random run (`make kill`).
"""

from __future__ import annotations

import ast
import asyncio
import hashlib
import itertools
import os
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiosmtplib
import pytest

from relayd.crashpoints import STEPS
from relayd.sandbox.receiver import Received, Receiver

pytestmark = pytest.mark.kill

CLIENTS = 20
KILLS = int(os.environ.get("KILLS", "50"))
UNDELIVERED = 300
"""Acknowledged and not yet delivered: beyond it clients wait, so that a run ends soon after its last kill."""
PARALLEL = 20
SIZES = (2_000,) * 14 + (40_000,) * 5 + (400_000,)  # the last one is kept in chunks
DOMAINS = ("one.example", "two.example", "three.example")

T = TypeVar("T")
Pair = tuple[str, str]  # ref, recipient


class Timed(list[T]):
    """A list that remembers when each thing was appended."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    def append(self, thing: T) -> None:
        super().append(thing)
        self.times.append(time.monotonic())


@dataclass(kw_only=True)
class Ledgers:
    received: Timed[Received]
    seed: int
    offered: dict[str, tuple[str, ...]] = field(default_factory=dict)  # ref -> recipients
    promised: set[Pair] = field(default_factory=set)
    kills: list[float] = field(default_factory=list)

    def body(self, ref: str) -> bytes:
        """The same octets whenever it is asked for."""
        dice = random.Random(f"{self.seed} {ref}")
        line = (hashlib.sha256(ref.encode()).hexdigest() + "\r\n").encode()
        return line * (dice.choice(SIZES) // len(line))

    def deliveries(self) -> dict[Pair, list[float]]:
        """When each recipient's copies arrived. What arrives must be what was sent, to whom it was sent."""
        found: dict[Pair, list[float]] = defaultdict(list)
        for mail, at in zip(tuple(self.received), tuple(self.received.times), strict=True):
            header, _, body = mail.content.partition(b"\r\n\r\n")
            named = re.search(rb"^Subject: (\S+)", header, re.MULTILINE)
            assert named, "a message without its subject arrived"
            ref = named[1].decode()
            assert body == self.body(ref), f"{ref} arrived changed: {len(body)} octets"
            for recipient in mail.recipients:
                assert recipient in self.offered.get(ref, ()), f"{ref} went to {recipient}"
                found[ref, recipient].append(at)
        return found

    def open(self) -> int:
        return len(self.promised) - sum(len(mail.recipients) for mail in self.received)


@dataclass(kw_only=True)
class Clients:
    """Twenty apps that send one invoice after the other, whatever happens to the connection."""

    port: int
    ledgers: Ledgers
    _numbers: Any = field(default_factory=itertools.count)
    _stop: bool = False

    async def run(self, number: int) -> None:
        dice = random.Random(f"{self.ledgers.seed} client {number}")
        while not self._stop:
            if self.ledgers.open() > UNDELIVERED:
                await asyncio.sleep(0.05)
                continue
            try:
                await self._session(dice)
            except (OSError, aiosmtplib.SMTPException, TimeoutError):
                await asyncio.sleep(0.02)  # the daemon is down: an app comes again

    async def _session(self, dice: random.Random) -> None:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False, timeout=20)
        async with client:
            for _ in range(dice.randint(1, 5)):
                if self._stop or self.ledgers.open() > UNDELIVERED:
                    return
                await self._send(client, dice)

    async def _send(self, client: aiosmtplib.SMTP, dice: random.Random) -> None:
        ref = f"K{next(self._numbers):06}"
        recipients = tuple(
            f"{ref}.{at}@{dice.choice(DOMAINS)}".lower() for at in range(dice.choice((1, 1, 1, 2, 3)))
        )
        self.ledgers.offered[ref] = recipients
        header = (
            f"From: billing@acme.example\r\nTo: {', '.join(recipients)}\r\n"
            f"Subject: {ref}\r\nX-Relayd-Ref: {ref}\r\n\r\n"
        )
        refused, answer = await client.sendmail(
            "billing@acme.example", recipients, header.encode() + self.ledgers.body(ref)
        )
        assert answer, "a 250 has a text"
        self.ledgers.promised.update((ref, who) for who in recipients if who not in refused)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.run(number)) for number in range(CLIENTS)]
        try:
            yield
        finally:
            self._stop = True
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, BaseException):
                    raise ended


@asynccontextmanager
async def scene(make_world: Callable[..., Any], seed: int) -> AsyncIterator[tuple[Any, Ledgers, Clients]]:
    received: Timed[Received] = Timed()
    receiver = Receiver(name="mx.customer.example", received=received)
    async with make_world(receiver=receiver, delivery={"parallel": PARALLEL}) as world:
        ledgers = Ledgers(received=received, seed=seed)
        yield world, ledgers, Clients(port=world.daemon.port, ledgers=ledgers)


def finals(events: list[dict[str, Any]]) -> dict[Pair, list[str]]:
    found: dict[Pair, list[str]] = defaultdict(list)
    for event in events:
        if event.get("final"):
            found[event["ref"], event["recipient"]].append(event["type"])
    return found


async def settle_up(world: Any, ledgers: Ledgers) -> Counter[str]:
    """Let the daemon finish, and compare. Gives counts to show."""
    daemon = world.daemon
    try:
        await daemon.until(
            lambda: ledgers.promised <= finals(daemon.events()).keys(), "all is settled", patience=120
        )
    except AssertionError as error:
        missing = sorted(ledgers.promised - finals(daemon.events()).keys())
        raise AssertionError(f"{len(missing)} got 250 and no final state: {missing[:5]}") from error
    assert await daemon.stop() == 0
    events, delivered = daemon.events(), ledgers.deliveries()

    ended = finals(events)
    lost = {pair: ended[pair] for pair in ledgers.promised - delivered.keys()}
    assert not lost, f"got 250 and never arrived, though the receiver takes everything: {lost}"
    twice = {pair: types for pair, types in ended.items() if len(types) > 1}
    assert not twice, f"more than one final state: {twice}"

    numbers = [event["seq"] for event in events]
    assert numbers == sorted(set(numbers)), "the status log has every event once, in order"

    duplicates = doubled(delivered, ledgers.kills)
    per_kill = Counter(at for at in duplicates.values())
    # answered and waiting for the commit, and the next ones that took their places
    most = 2 * PARALLEL
    assert all(count <= most for count in per_kill.values()), f"more than was in flight: {per_kill}"
    return Counter(
        kills=len(ledgers.kills),
        messages=len(ledgers.offered),
        promised=len(ledgers.promised),
        delivered=len(delivered),
        duplicates=len(duplicates),
        lost=len(lost),
    )


def doubled(delivered: dict[Pair, list[float]], kills: list[float]) -> dict[tuple[Pair, float], float]:
    """Each copy too many, and the kill that made it: between two copies there must be one. The status log
    has one final state for it (checked above), so the first copy's result was never committed."""
    found = {}
    for pair, times in delivered.items():
        for first, second in itertools.pairwise(times):
            between = [kill for kill in kills if first <= kill <= second]
            assert between, f"{pair} arrived twice, {second - first:.3f} s apart, without a kill in between"
            found[pair, second] = between[0]
    return found


@pytest.mark.timeout(150 + 6 * KILLS)
async def test_killed_at_random_it_loses_nothing(make_world: Callable[..., Any]) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    dice = random.Random(seed)
    async with scene(make_world, seed) as (world, ledgers, clients):
        async with clients.sending():
            for _ in range(KILLS):
                await world.daemon.start()
                await asyncio.sleep(dice.uniform(0.0, 1.0))
                await world.daemon.kill()
                ledgers.kills.append(time.monotonic())
            await world.daemon.start()
        print(f"\nSEED={seed}", dict(await settle_up(world, ledgers)))
        assert ledgers.promised, "clients were never answered: this run shows nothing"


ON_THE_WAY = sorted(
    step
    for step in STEPS
    if step.split(".")[0] in ("intake", "put", "chunk", "dispatch", "courier", "settle")
)


PASSAGES = {"intake": 60, "put": 30, "chunk": 5}
"""At which passage it is killed: late enough that clients were answered before, with 20 of them at once."""


@pytest.mark.parametrize("step", ON_THE_WAY)
async def test_killed_at_a_named_step_it_loses_nothing(make_world: Callable[..., Any], step: str) -> None:
    async with scene(make_world, seed=1) as (world, ledgers, clients):
        passage = PASSAGES.get(step.partition(".")[0], 25)
        await world.daemon.start(RELAYD_CRASH_AT=f"{step}:{passage}")
        async with clients.sending():
            assert await world.daemon.died() == -9, f"it ended by itself:\n{world.daemon.tail()}"
            ledgers.kills.append(time.monotonic())
            await world.daemon.start()
        counts = await settle_up(world, ledgers)
        print(f"\n{step}", dict(counts))
        assert ledgers.promised, "clients were never answered: this run shows nothing"


@pytest.mark.parametrize("step", ["open.before_commit", "open.after_commit"])
async def test_killed_while_it_starts_on_a_full_queue_it_loses_nothing(
    make_world: Callable[..., Any], step: str
) -> None:
    async with scene(make_world, seed=2) as (world, ledgers, clients):
        await world.daemon.start()
        async with clients.sending():
            await world.daemon.until(lambda: len(ledgers.promised) > 100, "a hundred recipients accepted")
            await world.daemon.kill()
            ledgers.kills.append(time.monotonic())
            with pytest.raises(AssertionError, match="relayd ended with -9"):
                await world.daemon.start(RELAYD_CRASH_AT=step)
            await world.daemon.start()
        await settle_up(world, ledgers)


def test_every_step_is_passed_somewhere_and_no_step_is_unknown() -> None:
    """A new `crashpoint("...")` must be listed, and so be killed at above."""
    passed = set()
    for path in (Path(__file__).parent.parent.parent / "relayd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "crashpoint":
                name = node.args[0]
                if isinstance(name, ast.Constant):
                    passed.add(name.value)
                else:  # the store's: the kind of work, then where in the commit
                    passed |= {step for step in STEPS if step.endswith((".before_commit", ".after_commit"))}
    assert passed == STEPS
