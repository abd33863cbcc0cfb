"""A change of the key from its beginning to its end, with real DNS and a real key file."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relayd import dkimkeys
from relayd.core import address, dkim
from relayd.core.mail import IfUnproven, Rung
from relayd.core.sender import Sender, Senders
from relayd.dkimkeys import KeyRing, new_key
from relayd.identity.domains import Domains
from relayd.identity.returnpaths import Egress
from relayd.identity.rotation import MARGIN, PAUSE, Rotation, UnderWay
from relayd.keyfiles import VaultError
from relayd.net.dns import Resolver
from relayd.sandbox.zone import NameServer, Zone
from relayd.store.contract import StoreError
from relayd.store.memory import MemoryStore

START = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
PLATFORM = "my.platform.example"


def sender(id: str, domain: str) -> Sender:
    return Sender(
        id=id,
        name=id,
        contact=address.parse(f"billing@{domain}"),
        confirmed=True,
        default_address=address.parse(f"{id}@{PLATFORM}"),
        send_as=Rung.OWN,
        if_unproven=IfUnproven.HOLD,
        language="en",
        test=False,
    )


SENDERS = Senders([sender("acme", "acme.example"), sender("globex", "globex.example")], unknown=None)


SENDERS = Senders([sender("acme", "acme.example"), sender("globex", "globex.example")], unknown=None)


class Store(MemoryStore):
    on_their_way = 0

    async def dressed_with(self, octets: bytes) -> int:
        assert octets in (dkim.mark("r1"), dkim.mark("r2"))
        return self.on_their_way


@dataclass(kw_only=True)
class Bench:
    folder: Path
    zone: Zone
    store: Store
    resolver: Resolver
    ring: KeyRing
    domains: Domains
    rotation: Rotation
    seconds: float = 0.0

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        self.seconds += 1e-9
        return self.seconds

    def start(self) -> None:
        """As when the daemon starts."""
        self.ring = KeyRing.open("r1", self.folder / "r1.pem", make=False)
        self.domains = Domains(
            resolver=self.resolver,
            store=self.store,
            platform=PLATFORM,
            keys=lambda: self.ring.keys,
            senders=lambda: SENDERS,
            clock=self.clock,
            monotonic=self.monotonic,
            return_path=f"bounce.{PLATFORM}",
            include=PLATFORM,
            egress=Egress(addresses=("192.0.2.1",), hostname="relay.example"),
        )
        self.rotation = Rotation(
            ring=self.ring,
            store=self.store,
            domains=lambda: self.domains,
            platform=PLATFORM,
            clock=self.clock,
        )

    async def look(self) -> list[str]:
        """Look at all domains anew; gives the selector of each."""
        self.seconds += 10
        for domain in self.domains.wanted():
            await self.domains.look(domain)
        return [self.domains.selector(domain) for domain in self.domains.wanted()]

    def publish(self, selector: str, domain: str) -> None:
        [key] = [key for key in self.ring.keys if key.selector == selector]
        self.zone.set(key.name(domain), "TXT", key.record)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Acme has CNAMEs, Globex our key as TXT."""
    (tmp_path / "r1.pem").write_bytes(PEM)
    zone = Zone()
    for selector in ("r1", "r2"):
        zone.add(f"{selector}._domainkey.acme.example", "CNAME", f"{selector}._domainkey.{PLATFORM}")
    async with NameServer(zone) as names:
        resolver = Resolver([names.address], lifetime=1.0, patience=1.0)
        nothing: Any = None
        made = Bench(
            folder=tmp_path,
            zone=zone,
            store=Store(),
            resolver=resolver,
            ring=nothing,
            domains=nothing,
            rotation=nothing,
        )
        made.start()
        made.publish("r1", PLATFORM)
        made.publish("r1", "globex.example")
        await made.rotation.load()
        await made.look()
        yield made
        await made.domains.close()
        await resolver.close()


PEM = new_key()

_new_key = cache(lambda number: new_key())  # the first, the second, ... of each test


@pytest.fixture(autouse=True)
def _keys_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """To make a key takes long."""
    numbers = itertools.count()
    monkeypatch.setattr(dkimkeys, "new_key", lambda: _new_key(next(numbers)))


async def test_nothing_is_under_way_at_first(bench: Bench) -> None:
    standing = await bench.rotation.standing()
    assert (standing.selector, standing.since, len(standing.keys)) == ("r1", None, 1)
    await bench.rotation.settle()
    assert (bench.folder / "r1.pem").exists()


async def test_a_key_is_changed_without_a_moment_in_which_nothing_is_proven(bench: Bench) -> None:
    standing = await bench.rotation.begin()
    assert [key.selector for key in standing.keys] == ["r2", "r1"]
    assert standing.since == bench.clock()
    assert (bench.folder / "r2.pem").stat().st_mode & 0o777 == 0o600
    # pending: the new key is not in DNS, everybody goes on with the old one
    assert await bench.look() == ["r1", "r1", "r1"]
    # the platform publishes, and whoever has a CNAME follows without doing anything
    bench.publish("r2", PLATFORM)
    assert await bench.look() == ["r2", "r2", "r1"]
    assert bench.domains.known("globex.example") is True
    assert (await bench.rotation.standing()).waiting_for == ("globex.example",)
    await bench.rotation.settle()
    # Globex publishes the new key
    bench.publish("r2", "globex.example")
    assert await bench.look() == ["r2", "r2", "r2"]
    # no event in all this: nothing was ever unproven
    kinds = [(event.type.value, event.sender) for event in await bench.store.journal(0)]
    assert kinds == [("proven", None), ("proven", "acme"), ("proven", "globex")]


async def through(bench: Bench) -> None:
    await bench.rotation.begin()
    bench.publish("r2", PLATFORM)
    bench.publish("r2", "globex.example")
    await bench.look()


async def test_the_old_key_stays_until_its_last_message_is_final(bench: Bench) -> None:
    await through(bench)
    bench.store.on_their_way = 3
    for _ in range(3):
        await bench.rotation.settle()
        bench.seconds += MARGIN.total_seconds()
    assert (await bench.rotation.standing()).on_their_way == 3
    assert (bench.folder / "r1.pem").exists()
    bench.store.on_their_way = 0
    await bench.rotation.settle()
    assert (await bench.rotation.standing()).unneeded_since == bench.clock()
    bench.seconds += MARGIN.total_seconds()
    await bench.rotation.settle()
    standing = await bench.rotation.standing()
    assert ([key.selector for key in standing.keys], standing.since) == (["r2"], None)
    assert not (bench.folder / "r1.pem").exists()


async def test_an_old_key_that_is_needed_again_stays(bench: Bench) -> None:
    await through(bench)
    await bench.rotation.settle()
    bench.store.on_their_way = 1
    bench.seconds += MARGIN.total_seconds()
    await bench.rotation.settle()
    bench.store.on_their_way = 0
    await bench.rotation.settle()
    assert (bench.folder / "r1.pem").exists()


async def test_a_domain_that_shows_neither_key_holds_nothing_up(bench: Bench) -> None:
    await bench.rotation.begin()
    bench.publish("r2", PLATFORM)
    bench.zone.remove("r1._domainkey.globex.example")
    for _ in range(30):  # the proof is lost only after minutes
        selectors = await bench.look()
    assert selectors == ["r2", "r2", "r1"]
    assert (await bench.rotation.standing()).waiting_for == ()


async def test_what_is_under_way_survives_a_restart(bench: Bench) -> None:
    await through(bench)
    bench.start()
    await bench.rotation.load()
    await bench.look()
    standing = await bench.rotation.standing()
    assert ([key.selector for key in standing.keys], standing.waiting_for) == (["r2", "r1"], ())
    with pytest.raises(UnderWay):
        await bench.rotation.begin()


async def test_the_next_change_goes_back_to_the_first_selector(bench: Bench) -> None:
    await through(bench)
    await bench.rotation.settle()
    bench.seconds += MARGIN.total_seconds()
    await bench.rotation.settle()
    bench.start()
    await bench.rotation.load()
    assert [key.selector for key in bench.ring.keys] == ["r2"]
    standing = await bench.rotation.begin()
    assert [key.selector for key in standing.keys] == ["r1", "r2"]
    bench.start()
    await bench.rotation.load()
    assert [key.selector for key in bench.ring.keys] == ["r1", "r2"]


async def test_what_was_seen_of_an_old_key_is_no_proof_of_a_new_one_with_its_selector(bench: Bench) -> None:
    await through(bench)
    await bench.rotation.settle()
    bench.seconds += MARGIN.total_seconds()
    await bench.rotation.settle()
    await bench.rotation.begin()
    assert {bench.domains.selector(domain) for domain in bench.domains.wanted()} == {"r2"}  # at once
    assert await bench.look() == ["r2", "r2", "r2"]
    bench.publish("r1", PLATFORM)
    assert await bench.look() == ["r1", "r1", "r2"]


async def test_a_second_key_file_that_nobody_spoke_of_begins_a_change(bench: Bench) -> None:
    (bench.folder / "r2.pem").write_bytes(new_key())
    bench.start()
    await bench.rotation.load()
    assert [key.selector for key in bench.ring.keys] == ["r2", "r1"]
    assert (await bench.rotation.standing()).since == bench.clock()


async def test_a_crash_between_the_key_and_the_fact_leaves_one_key(bench: Bench) -> None:
    await through(bench)
    (bench.folder / "r1.pem").unlink()  # dropped, and then the power failed
    bench.start()
    await bench.rotation.load()
    standing = await bench.rotation.standing()
    assert [key.selector for key in standing.keys] == ["r2"]
    assert standing.since is None


async def test_a_store_that_fails_begins_no_change(bench: Bench) -> None:
    """A key that nobody remembers as the new one would be taken for the old one after a restart."""
    bench.store.remember = _fails  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await bench.rotation.begin()
    assert [key.selector for key in bench.ring.keys] == ["r1"]
    assert not (bench.folder / "r2.pem").exists()


async def test_a_key_that_cannot_be_made_begins_no_change(bench: Bench) -> None:
    (bench.folder / "r2.pem").symlink_to(bench.folder / "nowhere" / "r2.pem")
    with pytest.raises(VaultError):
        await bench.rotation.begin()
    assert (await bench.rotation.standing()).since is None
    bench.start()
    await bench.rotation.load()
    assert (await bench.rotation.standing()).lost is None


async def test_that_the_file_of_a_new_key_is_gone_is_said(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.rotation.begin()
    (bench.folder / "r2.pem").unlink()
    bench.start()
    await bench.rotation.load()
    standing = await bench.rotation.standing()
    assert ([key.selector for key in standing.keys], standing.lost) == (["r1"], "r2")
    assert "r2" in caplog.text
    await bench.rotation.begin()
    assert (await bench.rotation.standing()).lost is None


async def test_a_key_file_called_like_the_other_key_leaves_no_place_for_it(tmp_path: Path) -> None:
    (tmp_path / "r2.pem").write_bytes(PEM)
    ring = KeyRing.open("r1", tmp_path / "r2.pem", make=False)
    assert [key.selector for key in ring.keys] == ["r1"]
    with pytest.raises(VaultError, match="called like key_file"):
        ring.make()
    with pytest.raises(ValueError, match="only key"):
        ring.drop("r1")


async def test_the_watch_goes_on_when_the_store_fails(bench: Bench) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise InterruptedError

    broken = dataclasses.replace(bench)
    broken.rotation._pause = pause
    broken.rotation._ring = SimpleNamespace(keys=bench.ring.keys * 2)  # type: ignore[assignment]
    bench.store.dressed_with = _fails  # type: ignore[method-assign]
    with pytest.raises(InterruptedError):
        await broken.rotation.watch()
    assert pauses == [PAUSE, PAUSE]


async def _fails(*_: object) -> int:
    raise StoreError("gone")
