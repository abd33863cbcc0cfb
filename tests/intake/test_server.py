"""Listeners: Unix sockets and who is behind them, TLS, logins, sockets from systemd, draining, reloading."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from relayd.core import answer
from relayd.core.settings import Listen
from relayd.intake.logins import Logins
from relayd.intake.server import Listener
from relayd.net import smtpd_line
from relayd.net.smtpd_terms import Peer
from relayd.store.memory import MemoryStore

HEADER = b"From: billing@acme.example\r\nSubject: x\r\n\r\n"
END = b"\r\n.\r\n"
TLS = {"certificate": "tls.pem", "key": "tls.key"}
LOGINS = [{"username": "app", "password": "canary-7c1f"}]


def text(reply: answer.Answer) -> str:
    return reply.line.decode().strip()


class TestUnixSocket:
    async def test_only_its_group_may_open_it_and_it_is_gone_afterwards(
        self, make_world: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "smtp.sock"
        world = await make_world(listen=[{"path": str(path)}])
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        await world.server.drain(1)
        assert not path.exists()

    async def test_what_a_dead_daemon_left_is_replaced(self, make_world: Any, tmp_path: Path) -> None:
        path = tmp_path / "smtp.sock"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        world = await make_world(listen=[{"path": str(path)}])
        await world.hello()

    async def test_a_file_that_is_no_socket_is_left_alone(self, make_world: Any, tmp_path: Path) -> None:
        path = tmp_path / "precious"
        path.write_text("data")
        with pytest.raises(OSError, match=str(path)):
            await make_world(listen=[{"path": str(path)}])
        assert path.read_text() == "data"

    async def test_a_process_is_known_by_its_user_id(self, make_world: Any, tmp_path: Path) -> None:
        uid = os.getuid()
        world = await make_world(
            listen=[{"path": str(tmp_path / "smtp.sock")}], logins=[{"uid": uid, "senders": ["acme"]}]
        )
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + b"x" + END)
        assert (await client.reply()).startswith("250")
        (message,) = await world.messages()
        assert message.submission.login == f"uid:{uid}"
        assert message.submission.may_be == {"acme"}

    async def test_another_user_id_is_not(self, make_world: Any, tmp_path: Path) -> None:
        world = await make_world(
            listen=[{"path": str(tmp_path / "smtp.sock")}], logins=[{"uid": os.getuid() + 1}, *LOGINS]
        )
        client = await world.hello()
        assert await client.say("MAIL FROM:<billing@acme.example>") == text(answer.LOGIN_FIRST())
        assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==")).startswith("235")

    async def test_a_user_id_says_nothing_over_tcp(self, make_world: Any) -> None:
        world = await make_world(logins=[{"uid": os.getuid()}])
        client = await world.hello()
        assert (await client.say("MAIL FROM:<billing@acme.example>")).startswith("530")


class TestLogins:
    async def test_a_password_never_crosses_the_network_in_clear(
        self, make_world: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Tests speak on loopback only, so who is at the other end is said in its place."""
        monkeypatch.setattr(smtpd_line, "_peer", lambda _: Peer(host="192.0.2.1", uid=None, local=False))
        listen = [{"address": "127.0.0.1", "port": 0, "tls": TLS, "require_login": True}]
        world = await make_world(listen=listen, logins=LOGINS)
        client = await world.hello()
        assert "AUTH" not in await client.say("EHLO client.example")
        assert await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==") == text(answer.LOGIN_NEEDS_TLS())
        assert await client.say("MAIL FROM:<billing@acme.example>") == text(answer.TLS_FIRST())
        await client.starttls(world.trusting())
        assert "AUTH PLAIN LOGIN" in await client.say("EHLO client.example")
        assert await client.say("MAIL FROM:<billing@acme.example>") == text(answer.LOGIN_FIRST())
        assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==")).startswith("235")
        await client.begin()

    async def test_passwords_can_not_be_tried_out_over_many_connections(
        self, make_world: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        listen = [{"address": "127.0.0.1", "port": 0, "tls": {**TLS, "mode": "implicit"}}]
        world = await make_world(listen=listen, logins=LOGINS)
        right = "AUTH PLAIN AGFwcABjYW5hcnktN2MxZg=="

        async def client(host: str) -> Any:
            local = host == "127.0.0.1"
            monkeypatch.setattr(smtpd_line, "_peer", lambda _: Peer(host=host, uid=None, local=local))
            return await world.hello(tls=True)

        for host in ["192.0.2.1"] * 10 + ["127.0.0.1"] * 20:
            assert (await (await client(host)).say("AUTH PLAIN AGFwcAB3cm9uZw==")).startswith("535")
        assert await (await client("192.0.2.1")).say(right) == text(answer.LOGIN_BLOCKED())
        for host in ("192.0.2.2", "127.0.0.1"):
            assert (await (await client(host)).say(right)).startswith("235")

    async def test_a_login_comes_before_the_message(self, make_world: Any) -> None:
        world = await make_world(logins=LOGINS)
        client = await world.hello()
        assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==")).startswith("235")
        client = await world.hello()
        world.server._logins = Logins(())  # nobody is named now, connections that are open go on
        free = await world.hello()
        assert (await free.say("MAIL FROM:<billing@acme.example>")).startswith("250")
        assert (await client.say("MAIL FROM:<billing@acme.example>")).startswith("530")

    async def test_a_login_within_a_message_is_refused(self, make_world: Any, tmp_path: Path) -> None:
        world = await make_world(
            listen=[{"path": str(tmp_path / "smtp.sock")}], logins=[{"uid": os.getuid()}, *LOGINS]
        )
        client = await world.hello()
        assert (await client.say("MAIL FROM:<billing@acme.example>")).startswith("250")
        assert await client.say("AUTH PLAIN AGFwcABjYW5hcnktN2MxZg==") == text(answer.LOGIN_IN_MAIL())

    async def test_require_login_holds_without_logins_of_the_config(self, make_world: Any) -> None:
        world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "require_login": True}])
        client = await world.hello()
        for command in ("MAIL FROM:<billing@acme.example>", "RCPT TO:<a@b.example>", "DATA", "VRFY x"):
            assert (await client.say(command)).startswith("530 5.7.0")


class TestSocketsFromSystemd:
    async def test_a_listener_takes_the_socket_bound_to_its_address(self, make_world: Any) -> None:
        given = socket.create_server(("127.0.0.1", 0))
        port = given.getsockname()[1]
        at = [Listener(listen=Listen(address="127.0.0.1", port=port), socket=given)]
        world = await make_world(at=at)
        await world.hello()

    def test_each_socket_goes_to_the_listener_of_its_address_and_others_stand_alone(
        self, tmp_path: Path
    ) -> None:
        from relayd.core.settings import Settings
        from relayd.intake.server import listeners

        tcp, other = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(str(tmp_path / "smtp.sock"))
        settings = Settings.model_validate(
            {
                "hostname": "relay.example.net",
                "platform": {
                    "domain": "my.platform.example",
                    "name": "Platform",
                    "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
                },
                "listen": [
                    {"path": str(tmp_path / "smtp.sock"), "protocol": "lmtp"},
                    {"address": "127.0.0.1", "port": tcp.getsockname()[1], "require_login": True},
                    {"address": "127.0.0.1", "port": 0},
                ],
            }
        )
        found = listeners(settings, [tcp, unix, other])
        assert [one.socket for one in found] == [unix, tcp, None, other]
        assert [one.listen.protocol for one in found] == ["lmtp", "smtp", "smtp", "smtp"]
        assert found[3].listen.port == other.getsockname()[1]
        for sock in (tcp, other, unix):
            sock.close()

    async def test_a_unix_socket_of_systemd_is_served_and_left_in_place(
        self, make_world: Any, tmp_path: Path
    ) -> None:
        path = tmp_path / "smtp.sock"
        given = socket.socket(socket.AF_UNIX)
        given.bind(str(path))
        given.listen()
        world = await make_world(at=[Listener(listen=Listen(path=str(path)), socket=given)])
        await world.hello()
        await world.server.drain(0.1)
        assert path.exists()


class TestDraining:
    async def test_idle_clients_are_told_and_a_message_under_way_is_kept(self, world: Any) -> None:
        idle, between, busy = await world.hello(), await world.hello(), await world.hello()
        await between.say("MAIL FROM:<billing@acme.example>")
        await busy.begin()
        await busy.send(HEADER + b"half")
        await busy.turns()
        draining = asyncio.create_task(world.server.drain(10))
        assert await idle.rest() == [text(answer.GOING_DOWN())]
        assert await between.rest() == [text(answer.GOING_DOWN())]
        await busy.send(b" and half" + END)
        first, second = await busy.rest()
        assert first.startswith("250 2.0.0 queued")
        assert second == text(answer.GOING_DOWN())
        await draining
        assert len(await world.messages()) == 1

    async def test_nobody_connects_any_more(self, world: Any) -> None:
        address = world.server.sockets[0].getsockname()
        await world.server.drain(1)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection(*address)

    async def test_who_connected_just_before_is_told_as_well(self, world: Any) -> None:
        world.server.gate.closing = True
        late = await world.connect()
        assert await late.rest() == [text(answer.GOING_DOWN())]

    async def test_what_does_not_end_in_time_is_cut(self, world: Any) -> None:
        client = await world.hello()
        await client.begin()
        await client.turns()
        await world.server.drain(0.05)
        async with asyncio.timeout(10):
            await world.server.gate.empty.wait()
        assert await world.messages() == []

    async def test_who_waits_for_the_outcome_is_answered_at_once(self, make_world: Any) -> None:
        """Cut off after its message was kept, a client would send it again."""
        world = await make_world(answer_within=60)
        client, late = await world.hello(), await world.hello()
        for one in (client, late):
            await one.begin()
        await client.send(HEADER + b"x" + END)
        while not await world.messages():
            await client.turns(1)
        draining = asyncio.create_task(world.server.drain(10))
        assert (await client.reply()).startswith("250 2.0.0 queued id=")
        await late.send(HEADER + b"x" + END)
        assert (await late.reply()).startswith("250 2.0.0 queued id=")
        await draining

    async def test_a_commit_under_way_is_waited_for(self, make_world: Any) -> None:
        entered, go_on = asyncio.Event(), asyncio.Event()

        class SlowStore(MemoryStore):
            async def put(self, message: Any, body: Any, events: Any) -> None:
                entered.set()
                await go_on.wait()
                await super().put(message, body, events)

        world = await make_world(store=SlowStore())
        client = await world.hello()
        await client.begin()
        await client.send(HEADER + b"x" + END)
        await entered.wait()
        draining = asyncio.create_task(world.server.drain(10))
        await client.turns()
        go_on.set()
        assert (await client.reply()).startswith("250")
        await draining
        assert len(await world.messages()) == 1


async def test_new_settings_hold_from_the_next_connection_on(world: Any) -> None:
    old = await world.hello()
    limits = world.settings.limits.model_copy(update={"message_size": 4096, "connections": 2})
    settings = world.settings.model_copy(update={"limits": limits})
    world.server.reconfigure(settings, Logins(settings.logins))
    new = await world.hello()
    assert "SIZE 4096" in await new.say("EHLO client.example")
    assert "SIZE 36700160" in await old.say("EHLO client.example")
    late = await world.connect()
    assert (await late.reply()).startswith("421 4.3.2")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_tls_before_1_2_is_not_spoken(make_world: Any) -> None:
    import ssl

    world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": {**TLS, "mode": "implicit"}}])
    context = world.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    name = world.server.sockets[0].getsockname()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*name, ssl=context, server_hostname="localhost")
