"""The book of senders: config and store in one, changed at run time and never half."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relayd.core.address import Address, parse
from relayd.core.journal import Event, EventType, as_dict
from relayd.core.mail import Rung
from relayd.core.sender import Secret
from relayd.core.settings import Settings
from relayd.dkimkeys import KeyRing
from relayd.identity import failedlogins, oauth, questions, upstreams
from relayd.identity.senders import (
    Book,
    Changed,
    Origin,
    SenderMissing,
    SenderReadOnly,
    SenderRefused,
    SendersError,
)
from relayd.store.contract import Fact, StoredSender, StoreError, StoreFull
from relayd.store.memory import MemoryStore
from relayd.vault import Vault

from ..keys import KEY

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ACME: dict[str, Any] = {"name": "ACME BV", "address": "billing@acme.example"}
LOGIN = {"host": "smtp.acme.example", "username": "billing@acme.example", "password": "canary-1"}
UPSTREAM = {**ACME, "confirmed": True, "send_as": "upstream", "upstream": LOGIN}


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = MemoryStore(clock=lambda: NOW)
        self.master = folder / "master.key"
        self.master.write_bytes(base64.b64encode(b"k" * 32))
        self.vault = Vault(ring=KeyRing({"r1": KEY}), master=self.master)
        self.book = self.fresh()

    def fresh(self) -> Book:
        return Book(store=self.store, vault=self.vault, clock=lambda: NOW)

    def settings(self, **changes: Any) -> Settings:
        return Settings.model_validate_json(
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
                    **changes,
                }
            )
        )

    async def open(self, **changes: Any) -> Book:
        """As after a restart: read again from config and store."""
        self.vault = Vault(ring=KeyRing({"r1": KEY}), master=self.master)
        self.book = self.fresh()
        self.book.open(await self.book.read(self.settings(**changes)))
        return self.book

    async def put(self, id: str = "acme", **values: Any) -> Changed:
        return await self.book.put(id, values or ACME, by="test")

    async def refused(self, id: str = "acme", **values: Any) -> list[str]:
        """Sentences; and nothing may have changed."""
        before = await self.store.senders(), await self.store.recall("local_part"), await self.said()
        with pytest.raises(SenderRefused) as found:
            await self.book.put(id, values, by="test")
        after = await self.store.senders(), await self.store.recall("local_part"), await self.said()
        assert before == after
        return [f"{p.key}: found {p.seen}; expected {p.expected}" for p in found.value.problems]

    async def events(self) -> list[Event]:
        return await self.store.journal(0)

    async def said(self) -> list[tuple[Any, ...]]:
        return [(e.type.value, e.sender, dict(e.detail)) for e in await self.events()]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path)
    await bench.open()
    yield bench
    bench.vault.close()


# --- adding


async def test_a_sender_that_is_added_is_found_at_once_and_after_a_restart(bench: Bench) -> None:
    changed = await bench.put(**ACME, language="de")
    assert changed.created
    assert changed.keys == ("address", "language", "name")
    for book in (bench.book, await bench.open()):
        sender = book.get("acme")
        assert sender is not None
        assert (sender.name, sender.contact, sender.language) == (
            "ACME BV",
            Address("billing", "acme.example"),
            "de",
        )
        assert str(sender.default_address) == "acme-bv@my.platform.example"
        assert not sender.confirmed
        entry = book.entry("acme")
        assert entry is not None
        assert (entry.origin, entry.confirmed_by, entry.secrets) == (Origin.STORE, None, ())
        assert entry.settings.language == "de"
        assert book.ids() == ["acme", "fixed"]
    assert await bench.said() == [
        ("sender_changed", "acme", {"change": "added", "keys": "address, language, name", "by": "test"})
    ]


async def test_the_same_again_changes_nothing_and_says_nothing(bench: Bench) -> None:
    await bench.put(**UPSTREAM)
    before = await bench.store.senders()
    again = await bench.put(**UPSTREAM)
    assert (again.created, again.keys) == (False, ())
    assert await bench.store.senders() == before, "not even sealed anew"
    assert len(await bench.events()) == 1


async def test_what_is_put_takes_the_place_of_all_there_was(bench: Bench) -> None:
    await bench.put(**ACME, language="de", test=True)
    changed = await bench.put(name="ACME Ltd", address="billing@acme.example")
    assert changed.keys == ("language", "name", "test")
    assert changed.entry.settings.language == "en"
    assert str(changed.entry.sender.default_address) == "acme-bv@my.platform.example", "fixed once assigned"


async def test_all_problems_are_told_at_once_each_with_what_was_seen_and_expected(bench: Bench) -> None:
    assert await bench.refused(
        address="no address", send_as="mine", nmae="x", upstream={"port": 0, "tlss": "starttls"}
    ) == [
        "name: found nothing; expected a text that is not empty, on one line",
        "address: found no address; expected an e-mail address, such as billing@acme.example "
        '("no address" has no "@": write local-part@domain)',
        "send_as: found mine; expected default, own or upstream",
        "upstream.host: found nothing; expected a host name such as smtp.example.net, or an IP address",
        "upstream.port: found 0; expected a whole number from 1 to 65535",
        "upstream.tlss: found an unknown key; expected host, port, tls, username, password, mechanism, "
        "ca_file or oauth (did you mean tls?)",
        "nmae: found an unknown key; expected name, address, confirmed, local_part, send_as, if_unproven, "
        "language, test or upstream (did you mean name?)",
    ]


async def test_the_checks_of_the_config_hold_at_run_time_too(bench: Bench) -> None:
    assert await bench.refused(**ACME, send_as="upstream") == [
        "send_as: found upstream; expected an upstream section beside send_as: upstream"
    ]
    assert await bench.refused(name="x", address="x@my.platform.example") == [
        "address: found x@my.platform.example; expected the sender's own address; replies to one in the "
        "platform's domain reach nobody"
    ]
    assert await bench.refused(**ACME, upstream={**LOGIN, "host": "10.0.0.1"}) == [
        "upstream.host: found 10.0.0.1; expected a public server, or 10.0.0.1/32 in allow_private.upstreams"
    ]
    (clear,) = await bench.refused(**ACME, upstream={**LOGIN, "tls": "none"})
    assert "no login ever goes out in clear" in clear
    (itself,) = await bench.refused(
        **ACME, upstream={"host": "relay.example.net", "port": 2525, "tls": "implicit"}
    )
    assert "listens there itself" in itself


@pytest.mark.parametrize("id", ["", "Acme", "a b", "relayd", "all", "reject", "a" * 64, "acme\n", "../x"])
async def test_an_id_that_can_not_be_had_is_refused(bench: Bench, id: str) -> None:
    (problem,) = await bench.refused(id, **ACME)
    assert problem.startswith(": found ")


@pytest.mark.parametrize(
    "values",
    [
        {"name": "\x1b[31mred"},
        {"name": "a\r\nBcc: x@x.example"},
        {"name": ["a"]},
        {"name": "\ud800"},
        {"address": "a@b.example\r\nX: y"},
        {"confirmed": "yes"},
        {"upstream": "smtp.acme.example"},
        {"upstream": {**LOGIN, "password": ["canary-2"]}},
        {"upstream": {**LOGIN, "password": "canary-3\r\nQUIT"}},
        {"upstream": {**LOGIN, "password_file": "/etc/shadow"}},
        {"upstream": {**LOGIN, "password": "", "username": "me"}},
        {"\x1b[31m": 1},
        {"a.b": 1},
        pytest.param({"name": object()}, id="an object"),  # its repr is another one in each xdist worker
    ],
    ids=str,
)
async def test_hostile_values_are_refused_in_printable_words_without_secrets(
    bench: Bench, values: dict[str, Any]
) -> None:
    told = await bench.refused(**{**ACME, **values})
    assert told
    assert all(text.isprintable() for text in told)
    assert "canary" not in "".join(told)


async def test_a_section_that_is_nested_too_deep_is_refused(bench: Bench) -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"a": deep}
    assert await bench.refused(**ACME, upstream=deep)


async def test_a_file_elsewhere_on_the_machine_can_not_be_named(bench: Bench, tmp_path: Path) -> None:
    for path in ("/etc/passwd", "../x.pem", "/nowhere/x.pem"):
        (problem,) = await bench.refused(**ACME, upstream={**LOGIN, "ca_file": path})
        assert f"a file in {tmp_path}; only the config file may name others" in problem
    (missing,) = await bench.refused(**ACME, upstream={**LOGIN, "ca_file": "roots.pem"})
    assert missing.endswith("expected a PEM file with certificates")


async def test_an_address_that_another_sender_has_is_warned_about(bench: Bench) -> None:
    changed = await bench.put(name="Other", address="office@fixed.example")
    (warning,) = changed.warnings
    assert (warning.key, warning.seen) == ("address", "office@fixed.example")
    assert "fixed has this one too" in warning.expected


# --- default addresses


async def test_default_addresses_are_unique_and_never_given_on(bench: Bench) -> None:
    first = await bench.put("a", name="ACME", address="a@a.example")
    second = await bench.put("b", name="ACME", address="b@b.example")
    assert [str(c.entry.sender.default_address.local) for c in (first, second)] == ["acme", "acme-2"]
    await bench.book.remove("a", by="test")
    third = await bench.put("c", name="ACME", address="c@c.example")
    assert third.entry.sender.default_address.local == "acme-3"
    assert await bench.refused("d", name="D", address="d@d.example", local_part="acme") == [
        'local_part: found acme; expected another local part: "acme" belongs (or belonged) to sender a; an '
        "address is never given on"
    ]
    back = await bench.put("a", name="Whatever", address="a@a.example")
    assert back.entry.sender.default_address.local == "acme", "its own it may have again"


async def test_a_reserved_local_part_is_refused(bench: Bench) -> None:
    (problem,) = await bench.refused(**ACME, local_part="postmaster")
    assert "reserved" in problem


async def test_the_default_addresses_of_many_are_given_in_their_transaction(bench: Bench) -> None:
    many = {f"s{n}": {"name": "Same", "address": f"x@s{n}.example"} for n in range(1200)}
    changes = await bench.book.put_many(many, by="import")
    assert [c.entry.sender.default_address.local for c in changes[:3]] == ["same", "same-2", "same-3"]
    again = await bench.open()
    assert [again.get(f"s{n}") for n in range(1200)] == [c.entry.sender for c in changes]


# --- many


async def test_many_are_taken_all_or_none_with_the_problems_of_all(bench: Bench) -> None:
    with pytest.raises(SenderRefused) as found:
        await bench.book.put_many(
            {"a": ACME, "b": {"name": "B"}, "c": {**ACME, "test": 1}, "d": ACME}, by="import"
        )
    assert [str(p) for p in found.value.problems] == [
        "senders.b.address: found nothing; expected an e-mail address, such as billing@acme.example",
        "senders.c.test: found 1; expected true or false",
    ]
    assert bench.book.ids() == ["fixed"]
    assert await bench.events() == []


async def test_two_of_many_can_not_write_the_same_local_part(bench: Bench) -> None:
    with pytest.raises(SenderRefused, match=r"senders\.b\.local_part: .* sender a"):
        await bench.book.put_many(
            {"a": {**ACME, "local_part": "x"}, "b": {**ACME, "local_part": "x"}}, by="import"
        )


async def test_what_is_changed_at_the_same_time_comes_one_after_the_other(bench: Bench) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(20):
            group.create_task(bench.put(f"s{n}", name="Same", address=f"x@s{n}.example"))
    senders = [bench.book.get(f"s{n}") for n in range(20)]
    assert len({str(sender.default_address) for sender in senders if sender}) == 20


# --- changing


async def test_only_what_is_named_changes_in_sections_too(bench: Bench) -> None:
    await bench.put(**UPSTREAM, language="nl")
    changed = await bench.book.set("acme", {"upstream": {"port": 465, "tls": "implicit"}}, by="cli")
    assert changed.keys == ("upstream.port", "upstream.tls")
    upstream = changed.entry.sender.upstream
    assert upstream is not None
    assert (upstream.port, upstream.host, upstream.password) == (465, LOGIN["host"], Secret("canary-1"))
    assert changed.entry.sender.language == "nl"
    assert (await bench.said())[-1] == (
        "sender_changed",
        "acme",
        {"change": "changed", "keys": "upstream.port, upstream.tls", "by": "cli"},
    )


async def test_none_takes_a_setting_back_to_its_default(bench: Bench) -> None:
    await bench.put(**UPSTREAM, language="nl")
    changed = await bench.book.set("acme", {"language": None, "send_as": None, "upstream": None}, by="cli")
    assert changed.keys == ("language", "send_as", "upstream")
    assert changed.entry.sender.upstream is None
    assert changed.entry.secrets == ()
    with pytest.raises(SenderRefused, match=r"senders\.acme\.name: found nothing"):
        await bench.book.set("acme", {"name": None}, by="cli")


async def test_who_is_not_there_can_not_be_changed(bench: Bench) -> None:
    with pytest.raises(SenderMissing):
        await bench.book.set("nobody", {"name": "x"}, by="cli")
    with pytest.raises(SenderMissing):
        await bench.book.remove("nobody", by="cli")
    with pytest.raises(SenderMissing):
        await bench.book.confirm("nobody", Address("a", "b.example"), by="code")
    assert bench.book.entry("nobody") is None


async def test_senders_of_the_config_are_read_only(bench: Bench) -> None:
    for change in (
        bench.book.put("fixed", ACME, by="cli"),
        bench.book.put_many({"acme": ACME, "fixed": ACME}, by="cli"),
        bench.book.set("fixed", {"name": "x"}, by="cli"),
        bench.book.remove("fixed", by="cli"),
    ):
        with pytest.raises(SenderReadOnly):
            await change
    assert bench.book.ids() == ["fixed"]


async def test_a_removed_sender_is_gone_and_so_is_what_it_had_confirmed(bench: Bench) -> None:
    await bench.put(**UPSTREAM)
    kinds = [questions.QUESTION, failedlogins.LETTERS, oauth.KIND, upstreams.SEEN]
    for kind in kinds:
        await bench.store.remember(kind, "acme", {"x": "y"})
        await bench.store.remember(kind, "fixed", {"x": "y"})
    removed = await bench.book.remove("acme", by="cli")
    assert removed.sender.id == "acme"
    for book in (bench.book, await bench.open()):
        assert book.get("acme") is None
        assert book.ids() == ["fixed"]
    for kind in kinds:
        assert list(await bench.store.recall(kind)) == ["fixed"]
    assert (await bench.said())[-1] == ("sender_changed", "acme", {"change": "removed", "by": "cli"})


async def test_a_change_the_store_can_not_keep_changes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.put(**ACME)

    async def full(*_: object, **__: object) -> None:
        raise StoreFull("no space left")

    for name in ("put_senders", "remove_sender", "remember"):
        monkeypatch.setattr(bench.store, name, full)
    with pytest.raises(StoreError):
        await bench.put("globex", name="Globex", address="o@globex.example")
    with pytest.raises(StoreError):
        await bench.book.set("acme", {"name": "Other"}, by="cli")
    with pytest.raises(StoreError):
        await bench.book.remove("acme", by="cli")
    with pytest.raises(StoreError):
        await bench.book.confirm("acme", Address("billing", "acme.example"), by="code")
    entry = bench.book.entry("acme")
    assert entry is not None
    assert (entry.sender.name, entry.sender.confirmed) == ("ACME BV", False)
    assert bench.book.ids() == ["acme", "fixed"]
    monkeypatch.undo()
    other = await bench.put("globex", name="ACME BV", address="o@globex.example")
    assert other.entry.sender.default_address.local == "acme-bv-2"


# --- confirming


@pytest.mark.parametrize("id", ["acme", "fixed"])
async def test_an_address_is_confirmed_by_its_owner_for_good(bench: Bench, id: str) -> None:
    await bench.put(**ACME)
    contact = bench.book.get(id).contact  # type: ignore[union-attr]
    entry = await bench.book.confirm(id, contact, by="code")
    assert entry.sender.confirmed
    for book in (bench.book, await bench.open()):
        entry = book.entry(id)  # type: ignore[assignment]
        assert entry.sender.confirmed
        assert entry.confirmed_by == "code"
    assert (await bench.said())[-1] == ("confirmed", id, {"address": str(contact), "by": "code"})
    await bench.book.confirm(id, contact, by="link")
    assert len([e for e in await bench.events() if e.type is EventType.CONFIRMED]) == 1


async def test_only_the_contact_address_of_now_can_be_confirmed(bench: Bench) -> None:
    await bench.put(**ACME)
    await bench.book.set("acme", {"address": "new@acme.example"}, by="cli")
    with pytest.raises(SenderRefused, match=r"expected the contact address, which is new@acme\.example"):
        await bench.book.confirm("acme", Address("billing", "acme.example"), by="link")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("billing@STRASSE.example", False),
        ("billing@straße.example", True),
        ("billing@xn--strae-oqa.EXAMPLE", True),
        ("Billing@straße.example", False),
    ],
)
async def test_addresses_are_one_when_their_domains_are_and_their_local_parts_to_the_letter(
    bench: Bench, other: str, same: bool
) -> None:
    await bench.put(name="Straße", address="billing@straße.example")
    contact = bench.book.get("acme").contact  # type: ignore[union-attr]
    assert str(contact) == "billing@xn--strae-oqa.example"
    if same:
        assert (await bench.book.confirm("acme", parse(other), by="link")).sender.confirmed
    else:
        with pytest.raises(SenderRefused):
            await bench.book.confirm("acme", parse(other), by="link")


async def test_an_address_that_comes_back_has_to_be_confirmed_again(bench: Bench) -> None:
    """Between the two it was somebody else's, for all we know."""
    await bench.put(**ACME)
    await bench.book.confirm("acme", Address("billing", "acme.example"), by="link")
    await bench.book.set("acme", {"address": "new@acme.example"}, by="cli")
    await bench.book.set("acme", {"address": "billing@acme.example"}, by="cli")
    for book in (bench.book, await bench.open()):
        entry = book.entry("acme")
        assert entry is not None
        assert (entry.sender.confirmed, entry.confirmed_by) == (False, None)


@pytest.mark.parametrize("by", ["code", "vouch"])
async def test_the_operator_takes_a_confirmation_back(bench: Bench, by: str) -> None:
    await bench.put(**ACME)
    await bench.book.confirm("acme", parse("billing@acme.example"), by=by)
    assert (await bench.put(**ACME, confirmed=False)).keys == (), (
        "the settings as they were say nothing of it"
    )
    back = await bench.book.set("acme", {"confirmed": False}, by="cli")
    assert back.keys == ("confirmed",)
    assert (await bench.said())[-1][0] == "sender_changed"
    again = await bench.book.set("acme", {"confirmed": False}, by="cli")
    assert again.keys == ()
    await bench.open()
    for entry in (back.entry, bench.book.entry("acme")):
        assert entry is not None
        assert (entry.sender.confirmed, entry.confirmed_by) == (False, None)


async def test_an_address_that_comes_back_in_the_config_has_to_be_confirmed_again(bench: Bench) -> None:
    await bench.book.confirm("fixed", Address("office", "fixed.example"), by="link")
    confirmed = []
    for address in ("office@fixed.example", "new@fixed.example", "office@fixed.example"):
        book = await bench.open(senders={"fixed": {"name": "Fixed", "address": address}})
        await book.forget_elsewhere()
        confirmed.append(book.entry("fixed").confirmed_by)  # type: ignore[union-attr]
    assert confirmed == ["link", None, None]


async def test_another_address_is_not_confirmed(bench: Bench) -> None:
    await bench.put(**ACME, confirmed=True)
    await bench.book.set("acme", {"name": "Renamed"}, by="cli")
    entry = bench.book.entry("acme")
    assert entry is not None
    assert (entry.sender.confirmed, entry.confirmed_by) == (True, "vouch")
    changed = await bench.book.set("acme", {"address": "new@acme.example"}, by="cli")
    assert changed.keys == ("address", "confirmed")
    assert not changed.entry.sender.confirmed
    await bench.book.confirm("acme", Address("new", "acme.example"), by="link")
    changed = await bench.book.set("acme", {"address": "newest@acme.example"}, by="cli")
    assert not changed.entry.sender.confirmed
    assert changed.entry.confirmed_by is None
    vouched = await bench.book.set("acme", {"address": "x@acme.example", "confirmed": True}, by="cli")
    assert vouched.entry.sender.confirmed


async def test_a_voucher_that_is_not_named_stays_as_long_as_the_address_does(bench: Bench) -> None:
    await bench.put(**ACME, confirmed=True)
    assert (await bench.put(**ACME)).keys == (), "as an import does that knows nothing of vouchers"
    assert (await bench.put(**{**ACME, "name": "Renamed"})).entry.confirmed_by == "vouch"
    assert not (await bench.put(**{**ACME, "address": "new@acme.example"})).entry.sender.confirmed
    await bench.put(**ACME, confirmed=True)
    assert not (await bench.put(**ACME, confirmed=False)).entry.sender.confirmed


async def test_the_same_address_in_another_spelling_stays_confirmed(bench: Bench) -> None:
    await bench.put(**ACME, confirmed=True)
    changed = await bench.book.set("acme", {"address": "billing@ACME.example"}, by="cli")
    assert changed.keys == ()
    assert changed.entry.sender.confirmed


async def test_who_gets_the_id_of_a_removed_sender_is_not_confirmed(bench: Bench) -> None:
    await bench.put(**ACME)
    await bench.book.confirm("acme", Address("billing", "acme.example"), by="link")
    await bench.book.remove("acme", by="cli")
    assert not (await bench.put(**ACME)).entry.sender.confirmed


# --- passwords


async def test_a_password_is_sealed_at_rest_and_nowhere_to_be_read(bench: Bench) -> None:
    changed = await bench.put(**UPSTREAM)
    assert changed.entry.secrets == ("upstream.password",)
    (row,) = await bench.store.senders()
    shown = [row, changed, bench.book.entry("acme"), await bench.said()]
    shown += [as_dict(event) for event in await bench.events()]
    shown.append(changed.entry.settings.model_dump())
    assert "canary" not in repr(shown)
    upstream = (await bench.open()).get("acme").upstream  # type: ignore[union-attr]
    assert upstream is not None
    assert upstream.password == Secret("canary-1")


async def test_a_password_stays_with_its_server_and_user_and_goes_to_no_other(bench: Bench) -> None:
    await bench.put(**UPSTREAM)
    same = {key: value for key, value in LOGIN.items() if key != "password"}
    kept = await bench.put(**{**UPSTREAM, "upstream": {**same, "port": 465, "tls": "implicit"}})
    assert kept.entry.sender.upstream.password == Secret("canary-1")  # type: ignore[union-attr]
    wanted = "upstream.password: found nothing; expected the password beside username, and again when host "
    for other in ({"host": "evil.example"}, {"username": "other"}):
        assert await bench.refused(**{**UPSTREAM, "upstream": {**same, **other}}) == [
            wanted + "or username change"
        ]
        with pytest.raises(SenderRefused, match=r"expected the password beside username"):
            await bench.book.set("acme", {"upstream": other}, by="cli")
    none = {"password": None, "username": None}
    changed = await bench.book.set("acme", {"upstream": none}, by="cli")
    assert changed.keys == ("upstream.password", "upstream.username")
    assert changed.entry.secrets == ()


async def test_another_password_is_a_change_that_is_named_but_not_told(bench: Bench) -> None:
    await bench.put(**UPSTREAM)
    changed = await bench.book.set("acme", {"upstream": {"password": "canary-2"}}, by="cli")
    assert changed.keys == ("upstream.password",)
    assert changed.entry.sender.upstream.password == Secret("canary-2")  # type: ignore[union-attr]
    assert (await bench.said())[-1][2]["keys"] == "upstream.password"


async def test_a_sealed_password_of_another_sender_does_not_open(bench: Bench) -> None:
    await bench.put(**UPSTREAM)
    (row,) = await bench.store.senders()
    stolen = StoredSender(id="thief", settings=row.settings, sealed=row.sealed)
    await bench.store.put_senders([stolen])
    book = await bench.open()
    assert book.unreadable == ["thief"]
    assert book.get("thief").upstream.password is None  # type: ignore[union-attr]


async def test_without_the_master_key_senders_stay_and_their_passwords_wait(bench: Bench) -> None:
    await bench.put(**UPSTREAM)
    await bench.put("plain", name="Plain", address="a@plain.example")
    content = bench.master.read_bytes()
    bench.master.unlink()
    book = await bench.open()
    entry = book.entry("acme")
    assert entry is not None
    assert (entry.unreadable, entry.secrets) == (True, ("upstream.password",))
    assert entry.sender.upstream is not None
    assert (entry.sender.upstream.sealed, entry.sender.upstream.password) == (True, None)
    assert book.unreadable == ["acme"]
    # everything else can be changed, a password can't be stored
    changed = await book.set(
        "acme", {"name": "Renamed", "upstream": {"port": 465, "tls": "implicit"}}, by="x"
    )
    assert changed.entry.unreadable
    await bench.put("more", name="More", address="a@more.example")
    (problem,) = await bench.refused(**{**UPSTREAM, "upstream": {**LOGIN, "password": "canary-2"}})
    assert problem.startswith("upstream.password: found ***; expected the master key to seal it with. ")
    assert "restore it from a backup" in problem
    # the key is back
    bench.master.write_bytes(content)
    book = await bench.open()
    assert book.unreadable == []
    assert book.get("acme").upstream.password == Secret("canary-1")  # type: ignore[union-attr]


async def test_with_another_master_key_passwords_can_be_entered_again(bench: Bench) -> None:
    await bench.put(**UPSTREAM)
    bench.master.write_bytes(base64.b64encode(b"o" * 32))
    book = await bench.open()
    assert book.unreadable == ["acme"]
    changed = await book.put("acme", UPSTREAM, by="cli")
    assert changed.keys == ("upstream.password",)
    assert book.unreadable == []


async def test_who_logs_in_with_a_token_keeps_no_password(bench: Bench) -> None:
    await bench.open(oauth={"microsoft": {"client_id": "x", "client_secret": "y"}})
    await bench.put(**UPSTREAM)
    changed = await bench.book.set("acme", {"upstream": {"oauth": "microsoft"}}, by="cli")
    assert changed.keys == ("upstream.oauth", "upstream.password")
    assert changed.entry.sender.upstream.password is None  # type: ignore[union-attr]


# --- config and store together


async def test_an_id_in_config_and_store_is_an_error_that_says_what_to_do(bench: Bench) -> None:
    await bench.put(**ACME)
    with pytest.raises(SendersError, match=r"senders\.acme: .* another id, or .*: relayd sender remove acme"):
        await bench.open(senders={"acme": ACME})


async def test_a_stored_sender_that_can_not_be_read_is_named(bench: Bench) -> None:
    await bench.store.put_senders([StoredSender(id="future", settings={"name": "x", "colour": "blue"})])
    with pytest.raises(SendersError, match=r"sender future in the store can't be read \(2 problems\)"):
        await bench.open()


async def test_the_config_gets_no_local_part_that_a_stored_sender_has(bench: Bench) -> None:
    await bench.put(**ACME)
    book = await bench.open(senders={"bolt": {"name": "ACME BV", "address": "a@bolt.example"}})
    assert [
        str(sender.default_address.local) for sender in (book.get("acme"), book.get("bolt")) if sender
    ] == [
        "acme-bv",
        "acme-bv-2",
    ]
    with pytest.raises(
        SendersError, match=r"senders\.cord\.local_part: .* belongs \(or belonged\) to sender"
    ):
        await bench.open(senders={"cord": {**ACME, "local_part": "acme-bv"}})


async def test_nothing_follows_from_reading_until_it_is_opened(bench: Bench) -> None:
    await bench.put(**ACME)
    read = await bench.book.read(bench.settings(senders={}))
    assert bench.book.ids() == ["acme", "fixed"]
    bench.book.open(read)
    assert bench.book.ids() == ["acme"]


async def test_whoever_takes_unknown_mail_may_be_in_the_store(bench: Bench) -> None:
    await bench.open(unknown_sender="acme")
    await bench.put(**ACME)
    shelf = await bench.book.read(bench.settings(unknown_sender="acme"))
    nobody = Address("x", "nobody.example")
    assert shelf.senders.find(None, None, nobody, nobody) == bench.book.get("acme")


async def test_the_registry_that_everybody_holds_follows_each_change(bench: Bench) -> None:
    shelf = await bench.book.read(bench.settings())
    bench.book.open(shelf)
    senders = shelf.senders
    await bench.put(**UPSTREAM)
    assert senders.get("acme").send_as is Rung.UPSTREAM  # type: ignore[union-attr]
    await bench.book.set("acme", {"send_as": "own"}, by="cli")
    assert senders.get("acme").send_as is Rung.OWN  # type: ignore[union-attr]
    await bench.book.remove("acme", by="cli")
    assert senders.get("acme") is None


async def test_default_addresses_given_before_senders_were_stored_are_kept(bench: Bench) -> None:
    await bench.store.put_senders([], [Fact(kind="local_part", key="old-name", value={"sender": "fixed"})])
    book = await bench.open(senders={"fixed": {"name": "New", "address": "office@fixed.example"}})
    assert book.get("fixed").default_address.local == "fixed"  # type: ignore[union-attr]
