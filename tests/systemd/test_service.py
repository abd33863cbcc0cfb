"""The daemon as systemd sees it: sockets held for it, readiness, watchdog, reload, stop."""

from __future__ import annotations

import asyncio
import re
import signal
import smtplib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from relayd.dispatch import ROUND

Invoice = Callable[..., Any]


def unix_listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


class OverUnix(smtplib.SMTP):
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(timeout)
        found.connect(host)
        return found


async def test_it_serves_every_socket_it_is_handed_and_leaves_them_when_it_stops(
    make_world: Any, invoice: Invoice, tmp_path: Path
) -> None:
    smtp, api = tmp_path / "smtp.sock", tmp_path / "api.sock"
    async with make_world(http={"socket": str(api)}) as world:
        with unix_listener(smtp) as one, unix_listener(api) as two:
            world.daemon.more = [("smtp", one), ("api", two)]
            for turn in (1, 2):
                await world.daemon.start()

                def send() -> None:
                    with OverUnix(str(smtp), 1, "localhost", 20) as server:
                        server.send_message(invoice("kunde@customer.example"))
                    with smtplib.SMTP("127.0.0.1", world.daemon.port) as server:
                        server.send_message(invoice("kunde@customer.example"))

                await asyncio.to_thread(send)
                await asyncio.wait_for(world.receiver.wait_for(2 * turn), 20)
                code, out, err = await world.daemon.command("status")
                assert code == 0, out + err
                assert await world.daemon.stop() == 0
                # systemd keeps the sockets; were the paths gone, no client could come any more
                assert smtp.is_socket()
                assert api.is_socket()


async def test_a_client_that_comes_while_it_restarts_waits_and_is_served(
    make_world: Any, invoice: Invoice
) -> None:
    async with make_world() as world:
        await world.daemon.start()
        assert await world.daemon.stop() == 0

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", world.daemon.port, timeout=20) as server:
                server.send_message(invoice("kunde@customer.example"))

        waiting = asyncio.create_task(asyncio.to_thread(send))
        await world.daemon.start()
        await asyncio.wait_for(waiting, 20)
        await asyncio.wait_for(world.receiver.wait_for(1), 20)


async def test_the_watchdog_hears_from_a_daemon_that_has_nothing_to_do(make_world: Any) -> None:
    """An idle daemon still makes its rounds: the second sign of life comes after one."""
    async with make_world() as world:
        with world.daemon.notify_socket() as heard:
            await world.daemon.launch(heard, WATCHDOG_USEC="600000")
            for word in (b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"):
                await asyncio.wait_for(world.daemon.hear(heard, word), 2 * ROUND)


def test_the_watchdog_waits_for_more_than_two_rounds() -> None:
    """It is fed at a third of its time at most, and only after a round."""
    unit = (Path(__file__).parent.parent.parent / "systemd" / "relayd.service").read_text()
    found = re.search(r"^WatchdogSec=(\d+)$", unit, re.MULTILINE)
    assert found is not None
    assert int(found[1]) / 3 + 2 * ROUND < int(found[1])


async def test_reload_and_stop_are_told(make_world: Any) -> None:
    async with make_world() as world:
        with world.daemon.notify_socket() as heard:
            await world.daemon.launch(heard)
            await world.daemon.hear(heard, b"READY=1")
            world.daemon.process.send_signal(signal.SIGHUP)
            await world.daemon.hear(heard, b"RELOADING=1")
            await world.daemon.hear(heard, b"READY=1")
            world.daemon.process.terminate()
            await world.daemon.hear(heard, b"STOPPING=1")
            assert await world.daemon.died() == 0


async def test_a_wrong_config_ends_with_the_code_that_is_not_started_again(make_world: Any) -> None:
    async with make_world(nonsense=1) as world:
        with world.daemon.notify_socket() as heard:
            await world.daemon.launch(heard)
            assert await world.daemon.died() == 78
        assert "nonsense" in world.daemon.tail()
