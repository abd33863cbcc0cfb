"""A customer's own server with the whole daemon: probed, refused, told by mail, and good again by itself."""

from __future__ import annotations

import asyncio
import json
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver

Invoice = Callable[..., EmailMessage]
OWN = "billing@acme.example"
FIRST, SECOND, WRONG = "canary-first-1f0b", "canary-second-77c2", "canary-wrong-90ae"


@asynccontextmanager
async def own_server(make_world: Any, tmp_path: Path, **acme: Any) -> AsyncIterator[tuple[Any, Receiver]]:
    """A world where acme sends through its own server; the daemon isn't started yet."""
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    certificate = authority.issue("smtp.acme.example")
    async with Receiver(certificate=certificate, users={OWN: FIRST}, require_login=True) as server:
        sender = {
            "name": "Acme",
            "address": OWN,
            "confirmed": True,
            "send_as": "upstream",
            "if_unproven": "hold",
            "upstream": {
                "host": "smtp.acme.example",
                "port": server.port,
                "username": OWN,
                "password": FIRST,
            },
            **acme,
        }
        async with make_world(senders={"acme": sender}, tls={"ca_file": str(tmp_path / "ca.pem")}) as world:
            world.daemon.config.chmod(0o600)
            world.zone.add("smtp.acme.example", "A", "127.0.0.1")
            yield world, server


def set_password(daemon: Any, password: str) -> None:
    settings = yaml.safe_load(daemon.config.read_text())
    settings["senders"]["acme"]["upstream"]["password"] = password
    daemon.config.write_text(yaml.safe_dump(settings))


async def hand_in(daemon: Any, mail: EmailMessage) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as smtp:
            smtp.send_message(mail)

    await asyncio.to_thread(send)


def said(daemon: Any, kind: str, **fields: str) -> list[dict[str, Any]]:
    return [
        event
        for event in daemon.events()
        if event["type"] == kind and all(event.get(name) == value for name, value in fields.items())
    ]


async def test_a_probe_shows_each_step_and_changes_nothing_that_works(
    make_world: Any, tmp_path: Path
) -> None:
    async with own_server(make_world, tmp_path) as (world, server):
        await world.daemon.start()
        code, out, err = await world.daemon.command("upstream", "probe", "acme", "--send")
        assert (code, err) == (0, "")
        steps = [line.split()[1] for line in out.splitlines() if line[0] in "✓✗!"]
        told = "settings dns tcp greeting ehlo tls ehlo auth mail rcpt rset send quit"
        assert steps == told.split()
        assert out.endswith("Mail can be sent through this server.\n")
        assert FIRST not in out + world.daemon.tail(100_000)
        (mail,) = server.received
        assert mail.recipients == (OWN,)
        assert b"Subject: Test mail: is the sender right?" in mail.content

        code, out, _ = await world.daemon.command(
            "upstream", "probe", "acme", "--arrived-from", "someone@gmail.com"
        )
        assert (code, "replaces the sender" in out) == (0, True)
        code, out, _ = await world.daemon.command("upstream", "probe", "acme", "--lang", "de")
        assert code == 0
        assert "Ihre Kunden sähen someone@gmail.com als Absender statt billing@acme.example" in out


async def test_a_changed_password_holds_tells_and_flows_again_by_itself(
    make_world: Any, tmp_path: Path, invoice: Invoice
) -> None:
    async with own_server(make_world, tmp_path) as (world, server):
        daemon = world.daemon
        await daemon.start()
        await hand_in(daemon, invoice("one@customer.example"))
        await server.wait_for(1)

        server.users[OWN] = SECOND  # the customer changes the password at the provider
        server.logins.clear()
        for connection in tuple(server._tasks):
            connection.cancel()  # and the provider ends what was logged in with the old one
        await hand_in(daemon, invoice("two@customer.example"))
        await daemon.until(lambda: bool(said(daemon, "held")), "held after one try")
        await hand_in(daemon, invoice("three@customer.example"))
        await daemon.until(lambda: len(said(daemon, "held")) == 2, "new mail waits as if_unproven says")
        assert server.logins == [(OWN, False)]
        assert len(said(daemon, "upstream_failed", reason="auth.wrong_password")) == 1

        (letter,) = await world.receiver.wait_for(1)
        assert letter.recipients == (OWN,)
        read = message_from_bytes(letter.content, policy=policy.default)
        assert read["Subject"] == "Platform: your mail server no longer accepts our login"
        assert read["From"].addresses[0].addr_spec == "no-reply@my.platform.example"
        assert "535 5.7.8" in read.get_body(("plain",)).get_content()

        code, out, _ = await daemon.command("upstream", "probe", "acme")
        assert code == 65
        assert "login.refused_before" in out
        assert server.logins == [(OWN, False)], "a refused login is not tried again"

        await daemon.stop()
        await daemon.start()
        set_password(daemon, WRONG)
        assert daemon.process is not None
        daemon.process.send_signal(1)
        await daemon.until(lambda: len(said(daemon, "upstream_failed")) == 2, "the new one is wrong as well")
        assert said(daemon, "released") == []
        assert server.logins == [(OWN, False), (OWN, False)]

        set_password(daemon, SECOND)
        daemon.process.send_signal(1)
        got = await server.wait_for(3)
        assert len(got) == 3
        await daemon.until(lambda: len(said(daemon, "upstream_ok")) == 1, "said once")
        assert [taken for _, taken in server.logins][:2] == [False, False]
        assert world.receiver.received == [letter], "one letter a day"
        spoken = daemon.tail(100_000) + daemon.status_log.read_text()
        assert not any(secret in spoken for secret in (FIRST, SECOND, WRONG))


async def test_new_settings_through_the_api_are_probed_and_confirm_whose_address_it_is(
    make_world: Any, tmp_path: Path, invoice: Invoice
) -> None:
    async with own_server(make_world, tmp_path, confirmed=False) as (world, server):
        daemon = world.daemon
        world.zone.set("acme.example", "MX", "10 smtp.acme.example")
        settings = yaml.safe_load(daemon.config.read_text())
        acme = settings["senders"].pop("acme")
        daemon.config.write_text(yaml.safe_dump({**settings, "senders": {}}))
        await daemon.start()
        words = [f"{key}={acme[key]}" for key in ("name", "address", "send_as")]
        password = acme["upstream"].pop("password")
        words += [f"upstream.{key}={value}" for key, value in acme["upstream"].items()]
        (tmp_path / "password").write_text(password)
        words += ["--password-file", str(tmp_path / "password")]
        code, _, err = await daemon.command("sender", "add", "acme", *words)
        assert code == 0, err
        await daemon.until(lambda: bool(said(daemon, "confirmed")), "the login shows who owns the address")
        (event,) = said(daemon, "confirmed")
        assert event["detail"]["by"] == "upstream"
        await hand_in(daemon, invoice("one@customer.example"))
        await server.wait_for(1)

        server.users[OWN] = SECOND
        server.logins.clear()
        for connection in tuple(server._tasks):
            connection.cancel()
        await daemon.command("sender", "set", "acme", "if_unproven=hold")
        await hand_in(daemon, invoice("two@customer.example"))
        await daemon.until(lambda: bool(said(daemon, "held")), "held after one try")
        assert server.logins == [(OWN, False)]
        (tmp_path / "password").write_text(SECOND)
        code, _, err = await daemon.command("sender", "set", "acme", "--password-file", words[-1])
        assert code == 0, err
        await server.wait_for(2)
        assert [taken for _, taken in server.logins].count(False) == 1


async def test_a_server_that_anybody_may_run_confirms_nothing(make_world: Any, tmp_path: Path) -> None:
    async with own_server(make_world, tmp_path, confirmed=False) as (world, _):
        await world.daemon.start()
        code, out, _ = await world.daemon.command("upstream", "probe", "acme", "--json")
        *_, last = [json.loads(line) for line in out.splitlines()]
        assert code == 0
        assert (last["step"], last["state"], last["confirmed"]) == ("result", "ok", False)
        assert said(world.daemon, "confirmed") == []


@pytest.mark.parametrize(
    ("words", "code"),
    [(("nobody",), 66), (("acme", "--arrived-from", "no address"), 64)],
)
async def test_what_can_not_be_probed_is_said(world: Any, words: tuple[str, ...], code: int) -> None:
    found, out, err = await world.daemon.command("upstream", "probe", *words)
    assert found == code, out + err + world.daemon.tail()
    assert out == ""
    assert err.startswith("relayd:")
