"""What follows from a change of a sender: mail that waited for it goes, what nobody may send waits."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relayd.app import Daemon
from relayd.core.address import Address
from relayd.core.delivery import State
from relayd.core.journal import Event, EventType
from relayd.core.mail import Dressing, Hop, Message, Recipient, Route, Rung, Submission
from relayd.core.reasons import Reason
from relayd.core.settings import Settings
from relayd.dkimkeys import KeyRing
from relayd.sandbox.zone import NameServer, Zone
from relayd.store.contract import Selection, StoreFull, Verb
from relayd.store.memory import MemoryStore
from relayd.vault import Vault

from ..keys import KEY

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEYS = KeyRing({"r1": KEY})
ACME: dict[str, Any] = {"name": "ACME BV", "address": "billing@acme.example"}
LOGIN = {"host": "smtp.acme.example", "username": "billing@acme.example", "password": "canary-1"}
UPSTREAM = {**ACME, "confirmed": True, "send_as": "upstream", "upstream": LOGIN}
NUMBERS = itertools.count(1)


class Store(MemoryStore):
    """Counts what is asked to act."""

    acts = 0

    async def act(self, verb: Verb, selection: Selection, now: datetime, reason: Reason | None = None) -> int:
        self.acts += 1
        return await super().act(verb, selection, now, reason)


class Bench:
    """The daemon's parts put together as it does, without its doors open."""

    def __init__(self, folder: Path, nameserver: str) -> None:
        self.folder = folder
        self.nameserver = nameserver
        self.store = Store(clock=lambda: NOW)
        self.master = folder / "master.key"
        self.master.write_bytes(base64.b64encode(b"k" * 32))

    async def start(self) -> Daemon:
        settings = Settings.model_validate_json(
            json.dumps(
                {
                    "hostname": "relay.example.net",
                    "state_dir": str(self.folder),
                    "platform": {
                        "domain": "my.platform.example",
                        "name": "Platform",
                        "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
                    },
                    "senders": {"fixed": {"name": "Fixed", "address": "office@fixed.example"}},
                    "dns": {"nameservers": [self.nameserver]},
                    "allow_private": {"upstreams": ["127.0.0.0/8"]},
                    "oauth": {"microsoft": {"client_id": "relayd"}},
                }
            )
        )
        vault = Vault(ring=KEYS, master=self.master)
        self.daemon = Daemon(settings, self.folder / "relayd.yaml", self.store, vault)
        await self.daemon._build(settings)
        await self.daemon.customers.resume()
        self.customers = self.daemon.customers
        return self.daemon

    async def mail(self, sender: str, held: Reason | None = None, rung: Rung = Rung.DEFAULT) -> str:
        """A message in the store: held for a reason, or waiting in the queue."""
        id = f"{next(NUMBERS):0>26}".replace("0", "A")
        to = Address("kunde", "customer.example")
        hop = Hop(Route.UPSTREAM, sender) if rung is Rung.UPSTREAM else Hop(Route.DIRECT, to.domain)
        header_from = Address("billing", "acme.example")
        message = Message(
            id=id,
            sender=sender,
            ref=None,
            submission=Submission(
                login=None,
                may_be=None,
                mail_from=header_from,
                recipients=(to,),
                header=b"From: billing@acme.example\r\n",
                body_size=0,
                body_hash=hashlib.sha256(b"").digest(),
                eight_bit=False,
                smtputf8=False,
                received_at=NOW,
            ),
            dressing=Dressing(rung=rung, proof=None, reason=None, header_from=header_from, header=b""),
            recipients=(Recipient(index=0, address=to, hop=hop, return_path=""),),
            held=held,
        )
        kind = EventType.ACCEPTED if held is None else EventType.HELD
        said = Event(time=NOW, type=kind, message=id, sender=sender, recipient=str(to), reason=held)
        await self.store.put(message, b"", [said])
        return id

    async def state(self, message: str) -> tuple[State, Reason | None]:
        ((record),) = await self.store.find(Selection(message=message))
        return record.standings[0].state, record.standings[0].held


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with NameServer(Zone()) as names:
        bench = Bench(tmp_path, names.address)
        await bench.start()
        yield bench
        running = list(bench.daemon._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await bench.daemon.parts.domains.close()


QUEUED = (State.QUEUED, None)


@pytest.mark.parametrize("how", ["another address", "removed"])
async def test_what_was_asked_is_over_when_sender_and_address_come_back(bench: Bench, how: str) -> None:
    await bench.customers.put_sender("acme", ACME, by="test")
    asked = await bench.customers.confirmations.ask("acme", by="test")
    assert asked.open
    if how == "removed":
        await bench.customers.remove_sender("acme", by="test")
    else:
        await bench.customers.set_sender("acme", {"address": "new@acme.example"}, by="test")
    back = await bench.customers.put_sender("acme", {**ACME, "name": "Somebody Else"}, by="test")
    assert bench.customers.confirmations.status(back.entry.sender).question is None


async def test_mail_of_a_sender_that_was_gone_goes_when_it_is_there_again(bench: Bench) -> None:
    mine = await bench.mail("acme", Reason.SENDER_UNKNOWN)
    others = await bench.mail("globex", Reason.SENDER_UNKNOWN)
    await bench.customers.put_sender("acme", ACME, by="test")
    assert await bench.state(mine) == QUEUED
    assert await bench.state(others) == (State.HELD, Reason.SENDER_UNKNOWN)


async def test_mail_of_a_removed_sender_waits(bench: Bench) -> None:
    await bench.customers.put_sender("acme", ACME, by="test")
    mine, others = await bench.mail("acme"), await bench.mail("fixed")
    removed = await bench.customers.remove_sender("acme", by="test")
    assert removed.sender.id == "acme"
    assert await bench.state(mine) == (State.HELD, Reason.SENDER_UNKNOWN)
    assert await bench.state(others) == QUEUED
    assert bench.customers.sender_ids() == ["fixed"]
    assert bench.customers.entry("acme") is None


@pytest.mark.parametrize("reason", [Reason.SENDER_UNPROVEN, Reason.POLICY_FROM_MISMATCH])
@pytest.mark.parametrize(
    "changes", [{"address": "new@acme.example"}, {"send_as": "own"}, {"confirmed": True}]
)
async def test_a_change_of_who_sends_lets_mail_be_planned_anew(
    bench: Bench, reason: Reason, changes: dict[str, Any]
) -> None:
    await bench.customers.put_sender("acme", ACME, by="test")
    mine = await bench.mail("acme", reason)
    await bench.customers.set_sender("acme", {"language": "de"}, by="test")
    assert await bench.state(mine) == (State.HELD, reason), "that changes nothing for it"
    await bench.customers.set_sender("acme", changes, by="test")
    assert await bench.state(mine) == QUEUED


async def test_what_a_person_holds_stays_held(bench: Bench) -> None:
    await bench.customers.put_sender("acme", ACME, by="test")
    mine = await bench.mail("acme")
    await bench.store.act(Verb.HOLD, Selection(message=mine), NOW)
    await bench.customers.set_sender("acme", {"address": "new@acme.example"}, by="test")
    assert await bench.state(mine) == (State.HELD, None)


async def test_confirming_lets_mail_that_wants_the_own_address_be_planned_anew(bench: Bench) -> None:
    mine = await bench.mail("fixed", Reason.SENDER_UNPROVEN)
    entry = await bench.customers.confirm_sender("fixed", Address("office", "fixed.example"), by="code")
    assert entry.confirmed_by == "code"
    assert bench.daemon.parts.senders.get("fixed") == entry.sender
    assert await bench.state(mine) == QUEUED


async def test_many_are_put_and_followed_up_together(bench: Bench) -> None:
    waiting = [await bench.mail(f"s{n}", Reason.SENDER_UNKNOWN) for n in (3, 77)]
    bench.store.acts = 0
    many = {f"s{n}": {"name": f"S{n}", "address": f"x@s{n}.example"} for n in range(200)}
    changes = await bench.customers.put_senders(many, by="import")
    assert sum(change.created for change in changes) == 200
    assert [await bench.state(message) for message in waiting] == [QUEUED, QUEUED]
    assert bench.store.acts == 2, "only where something is held"
    again = await bench.customers.put_senders(many, by="import")
    assert not any(change.keys for change in again)
    assert bench.store.acts == 2


async def test_a_start_acts_only_on_what_is_held_however_many_senders_there_are(bench: Bench) -> None:
    many = {
        f"s{n}": {"name": f"S{n}", "address": f"x@s{n}.example", "send_as": "upstream", "upstream": LOGIN}
        for n in range(300)
    }
    await bench.customers.put_senders(many, by="import")
    known = await bench.mail("s7", Reason.SENDER_UNKNOWN)
    unproven = await bench.mail("s8", Reason.SENDER_UNPROVEN)
    gone = await bench.mail("gone", Reason.SENDER_UNKNOWN)
    port = await bench.mail("s9", Reason.NETWORK_PORT_BLOCKED)
    signing = await bench.mail("s10", Reason.SIGNING_FAILED)
    bench.store.acts = 0
    await bench.start()
    assert bench.store.acts == 3
    for message in (known, unproven, port):
        assert await bench.state(message) == QUEUED
    assert await bench.state(gone) == (State.HELD, Reason.SENDER_UNKNOWN)
    assert await bench.state(signing) == (State.HELD, Reason.SIGNING_FAILED)


async def test_what_waits_for_the_master_key_goes_when_it_is_back(bench: Bench) -> None:
    await bench.customers.put_sender("acme", UPSTREAM, by="test")
    content = bench.master.read_bytes()
    bench.master.unlink()
    daemon = await bench.start()
    mine = await bench.mail("acme", Reason.UPSTREAM_SEALED, Rung.UPSTREAM)
    assert daemon.service().notes[0].startswith(f"{bench.master}: the key is missing.")
    await bench.customers.resume()
    assert await bench.state(mine) == (State.HELD, Reason.UPSTREAM_SEALED), "not before"
    bench.master.write_bytes(content)
    daemon = await bench.start()
    assert await bench.state(mine) == QUEUED
    assert daemon.service().notes == []


async def test_with_another_master_key_the_operator_hears_whose_passwords_wait(bench: Bench) -> None:
    for n in range(7):
        await bench.customers.put_sender(f"s{n}", UPSTREAM, by="test")
    bench.master.write_bytes(base64.b64encode(b"o" * 32))
    daemon = await bench.start()
    (note,) = daemon.service().notes
    assert note.startswith("the passwords of 7 senders (s0, s1, s2, s3, s4, ...) are sealed with another")
    mine = await bench.mail("s1", Reason.UPSTREAM_SEALED, Rung.UPSTREAM)
    await bench.customers.set_sender("s1", {"upstream": {"password": "canary-2"}}, by="test")
    assert await bench.state(mine) == QUEUED
    assert "of 6 senders" in daemon.service().notes[0]


async def test_who_signed_in_waits_for_the_master_key_after_other_settings_too(bench: Bench) -> None:
    signed_in = {"host": "smtp.acme.example", "username": "billing@acme.example", "oauth": "microsoft"}
    await bench.customers.put_sender("acme", {**UPSTREAM, "upstream": signed_in}, by="test")
    fact = {"provider": "microsoft", "username": "billing@acme.example", "sealed": "of a key that is gone"}
    await bench.store.remember("oauth", "acme", {**fact, "since": NOW.isoformat(), "used": NOW.isoformat()})
    await bench.customers.accounts.oauth.load()
    await bench.customers.resume()
    mine = await bench.mail("acme", Reason.UPSTREAM_SEALED, Rung.UPSTREAM)

    for change in ({"name": "ACME NV"}, {"upstream": {"port": 2525}}):
        await bench.customers.set_sender("acme", change, by="test")
        now = bench.daemon.parts.senders.get("acme")
        assert now is not None
        assert now.upstream is not None
        assert now.upstream.sealed
    await bench.customers.resume()
    assert await bench.state(mine) == (State.HELD, Reason.UPSTREAM_SEALED)


async def test_a_refused_login_is_forgotten_with_the_server(bench: Bench) -> None:
    daemon, hop = bench.daemon, Hop(Route.UPSTREAM, "acme")
    await bench.customers.put_sender("acme", UPSTREAM, by="test")
    await daemon.credentials.learn(hop, Reason.AUTH_WRONG_PASSWORD, NOW)
    daemon.hops.close(hop.key, Reason.AUTH_WRONG_PASSWORD)
    mine = await bench.mail("acme", Reason.AUTH_WRONG_PASSWORD, Rung.UPSTREAM)
    await bench.customers.set_sender("acme", {"upstream": None, "send_as": None}, by="test")
    assert daemon.credentials.refused == {}
    assert daemon.hops.closed(hop.key) is None
    assert await bench.state(mine) == QUEUED


async def test_a_store_that_fails_afterwards_takes_no_change_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StoreFull("no space left")

    mine = await bench.mail("acme", Reason.SENDER_UNKNOWN)
    monkeypatch.setattr(bench.store, "act", full)
    with caplog.at_level(logging.ERROR):
        changed = await bench.customers.put_sender("acme", ACME, by="test")
        await bench.customers.remove_sender("acme", by="test")
    assert changed.created
    assert bench.customers.entry("acme") is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    monkeypatch.undo()
    assert await bench.state(mine) == (State.HELD, Reason.SENDER_UNKNOWN)
