"""Senders that are added while the daemon runs: at work at once, after a kill too, with sealed passwords."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver

Invoice = Callable[..., EmailMessage]
INITECH = {"name": "Initech AG", "address": "rechnung@initech.example"}
CANARY = "canary-5e41"


async def api(daemon: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Ask the daemon as the commands do."""
    transport = httpx.AsyncHTTPTransport(uds=str(daemon.folder / "state" / "api.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30) as client:
        answer = await client.request(method, "/api/v1" + path, json=body)
        return answer.status_code, answer.json()


async def hand_in(daemon: Any, mail: EmailMessage) -> str | None:
    """Send as an app does; the answer when it is refused."""

    def send() -> str | None:
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as smtp:
            try:
                smtp.send_message(mail)
            except smtplib.SMTPResponseException as error:
                return f"{error.smtp_code} {error.smtp_error!r}"
            return None

    return await asyncio.to_thread(send)


def invoice_of(invoice: Invoice, ref: str) -> EmailMessage:
    return invoice("kunde@customer.example", ref=ref, sender="rechnung@initech.example")


def said(daemon: Any, kind: str, **fields: str) -> list[dict[str, Any]]:
    return [
        event
        for event in daemon.events()
        if event["type"] == kind and all(event.get(name) == value for name, value in fields.items())
    ]


async def hang_up(daemon: Any, word: str) -> None:
    before = daemon.tail(10**6).count(word)
    daemon.process.send_signal(1)
    await daemon.until(lambda: daemon.tail(10**6).count(word) > before, word)


async def test_a_sender_added_at_run_time_sends_at_once_and_after_a_kill(
    world: Any, invoice: Invoice
) -> None:
    daemon = world.daemon
    refused = await hand_in(daemon, invoice_of(invoice, "0"))
    assert refused is not None
    assert "sender.unknown" in refused

    assert (await api(daemon, "PUT", "/senders/initech", INITECH))[0] in (200, 201)
    assert await hand_in(daemon, invoice_of(invoice, "1")) is None
    (got,) = await world.receiver.wait_for(1)
    assert b"<initech-ag@my.platform.example>" in got.content
    assert world.verified(got.content) == ["my.platform.example"]

    await daemon.kill()
    await daemon.start()
    assert await hand_in(daemon, invoice_of(invoice, "2")) is None
    await world.receiver.wait_for(2)
    (event,) = said(daemon, "sender_changed", sender="initech")
    assert event["detail"]["change"] == "added"


@pytest.mark.parametrize(("step", "kept"), [("before_commit", False), ("after_commit", True)])
async def test_killed_while_a_sender_is_kept_it_is_there_whole_or_not_at_all(
    make_world: Any, invoice: Invoice, step: str, kept: bool
) -> None:
    async with make_world() as world:
        daemon = world.daemon
        await daemon.start()  # gives the config's senders their default addresses
        assert await daemon.stop() == 0
        await daemon.start(RELAYD_CRASH_AT=f"senders.{step}")
        with pytest.raises(httpx.HTTPError):
            await api(daemon, "PUT", "/senders/initech", INITECH)
        assert await daemon.died() == -9

        await daemon.start()
        status, shown = await api(daemon, "GET", "/senders/initech")
        assert status == (200 if kept else 404)
        await daemon.until(lambda: len(said(daemon, "sender_changed")) == kept, "the event with it")
        again, answer = await api(daemon, "PUT", "/senders/initech", INITECH)
        assert again == (200 if kept else 201)
        assert answer["default_address"] == "initech-ag@my.platform.example"
        assert not kept or shown["default_address"] == answer["default_address"]


async def test_a_removed_sender_has_its_mail_held_until_it_is_there_again(
    world: Any, invoice: Invoice
) -> None:
    daemon = world.daemon
    await api(daemon, "PUT", "/senders/initech", INITECH)
    await world.receiver.stop_listening()
    await hand_in(daemon, invoice_of(invoice, "1"))
    await daemon.until(lambda: bool(said(daemon, "deferred", sender="initech")), "it waits in the queue")

    assert (await api(daemon, "DELETE", "/senders/initech"))[0] in (200, 204)
    await daemon.until(lambda: bool(said(daemon, "held", reason="sender.unknown")), "held at once")
    other = {"name": "Initech AG", "address": "other@globex.example"}
    status, answer = await api(daemon, "PUT", "/senders/second", other)
    assert status in (200, 201)
    assert answer["default_address"] == "initech-ag-2@my.platform.example", "the first is never given on"

    await api(daemon, "PUT", "/senders/initech", INITECH)
    await daemon.until(lambda: bool(said(daemon, "released", sender="initech")), "released")


async def test_the_same_id_in_config_and_store_is_refused_at_reload_and_at_the_start(world: Any) -> None:
    daemon = world.daemon
    await api(daemon, "PUT", "/senders/initech", INITECH)
    config = yaml.safe_load(daemon.config.read_text())
    config["senders"]["initech"] = INITECH
    daemon.config.write_text(yaml.safe_dump(config))

    await hang_up(daemon, "config not taken")
    wanted = "senders.initech: a sender with this id was added at run time; give this one another id"
    assert wanted in daemon.tail()
    assert (await api(daemon, "GET", "/senders/initech"))[1]["origin"] == "store"

    assert await daemon.stop() == 0
    with pytest.raises(AssertionError, match="relayd ended with 78"):
        await daemon.start()
    assert daemon.tail().count(wanted) == 2


@asynccontextmanager
async def own_server(make_world: Any, folder: Path) -> AsyncIterator[tuple[Any, Receiver]]:
    """A world with a customer's server, and a stored sender that sends through it."""
    authority = Authority()
    (folder / "ca.pem").write_bytes(authority.pem)
    server = Receiver(
        name="smtp.initech.example",
        certificate=authority.issue("smtp.initech.example"),
        users={"rechnung@initech.example": CANARY},
        require_login=True,
    )
    async with server, make_world(tls={"ca_file": str(folder / "ca.pem")}) as world:
        world.zone.add("smtp.initech.example", "A", "127.0.0.1")
        await world.daemon.start()
        login = {"host": "smtp.initech.example", "port": server.port, "password": CANARY}
        upstream = {**login, "username": "rechnung@initech.example"}
        values = {**INITECH, "confirmed": True, "send_as": "upstream", "upstream": upstream}
        status, answer = await api(world.daemon, "PUT", "/senders/initech", values)
        assert status in (200, 201), answer
        yield world, server


async def test_without_the_master_key_only_sealed_passwords_wait_and_all_flows_when_it_is_back(
    make_world: Any, tmp_path: Path, invoice: Invoice
) -> None:
    async with own_server(make_world, tmp_path) as (world, server):
        daemon = world.daemon
        await hand_in(daemon, invoice_of(invoice, "1"))
        await server.wait_for(1)
        assert await daemon.stop() == 0
        master = daemon.folder / "state" / "master.key"
        key = master.read_bytes()
        master.unlink()

        await daemon.start()
        assert "the key is missing" in daemon.tail(), "said loudly"
        assert not master.exists(), "none is made in its place"
        assert await hand_in(daemon, invoice("kunde@customer.example")) is None
        await world.receiver.wait_for(1)
        assert await hand_in(daemon, invoice_of(invoice, "2")) is None
        await daemon.until(lambda: bool(said(daemon, "held", reason="upstream.sealed")), "held")
        notes = (await api(daemon, "GET", "/status"))[1]["notes"]
        assert any("restore it from a backup" in note for note in notes)
        tried = len(server.logins)
        for more in ([], ["--again"]):
            code, out, _ = await daemon.command("upstream", "probe", "initech", "--json", *more)
            assert (code, "upstream.sealed" in out) == (65, True), out
        assert len(server.logins) == tried, "and never with an empty password"
        await daemon.kill()
        await daemon.start()

        master.touch(mode=0o600)
        master.write_bytes(key)
        await hang_up(daemon, "config read again")
        got = await server.wait_for(2)
        assert len(got) == 2
        assert server.logins == [("rechnung@initech.example", True)] * len(server.logins)
        assert not any("backup" in note for note in (await api(daemon, "GET", "/status"))[1]["notes"])

        (folder := daemon.folder / "copy").mkdir()
        assert (await api(daemon, "POST", "/backup", {"to": str(folder / "relayd.db")}))[0] == 200
        assert await daemon.stop() == 0
        for path in [*daemon.folder.rglob("*.db*"), daemon.status_log, daemon.log]:
            assert CANARY.encode() not in path.read_bytes(), path


async def test_a_restored_backup_brings_senders_and_their_passwords_back(
    make_world: Any, tmp_path: Path, invoice: Invoice
) -> None:
    async with own_server(make_world, tmp_path) as (world, server):
        daemon, state = world.daemon, world.daemon.folder / "state"
        copy = daemon.folder / "copy.db"
        assert (await api(daemon, "POST", "/backup", {"to": str(copy)}))[0] == 200
        await api(daemon, "DELETE", "/senders/initech")
        assert await daemon.stop() == 0
        for path in state.glob("relayd.db*"):
            path.unlink()
        copy.rename(state / "relayd.db")

        await daemon.start()
        await hand_in(daemon, invoice_of(invoice, "1"))
        (got,) = await server.wait_for(1)
        assert got.mail_from == "rechnung@initech.example"
