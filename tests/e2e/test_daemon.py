"""The running daemon: reload, stop, refused logins, a closed port; everything as an operator meets it."""

from __future__ import annotations

import asyncio
import os
import signal
import smtplib
import sys
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver
from relayd.sandbox.script import LATE, At

Invoice = Callable[..., EmailMessage]

UNKNOWN = "550 5.1.1 <{recipient}>: User unknown"


async def hand_in(daemon: Any, mail: EmailMessage, *to: str, mail_from: str = "billing@acme.example") -> Any:
    """Send as an app does; gives the refused recipients, or the error that smtplib raises."""

    def send() -> Any:
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as smtp:
            try:
                return smtp.send_message(mail, mail_from, list(to) or None)
            except smtplib.SMTPResponseException as error:
                return error

    return await asyncio.to_thread(send)


def change(config: Path, **changes: Any) -> None:
    settings = yaml.safe_load(config.read_text())
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = settings
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    config.write_text(yaml.safe_dump(settings))


def kinds(daemon: Any, *wanted: str) -> list[tuple[str, str | None]]:
    return [(e["type"], e.get("reason")) for e in daemon.events() if e["type"] in wanted]


def count(daemon: Any, kind: str) -> int:
    return len(kinds(daemon, kind))


async def hang_up(daemon: Any, until: str) -> None:
    daemon.process.send_signal(signal.SIGHUP)
    await daemon.until(lambda: until in daemon.tail(20_000), f"the log says {until!r}")


async def test_a_reload_takes_what_is_right(world: Any, invoice: Invoice) -> None:
    daemon = world.daemon
    new = {"name": "New NV", "address": "mail@new.example", "confirmed": True, "local_part": "new"}
    change(daemon.config, senders__new=new)

    await hang_up(daemon, "config read again; 3 senders")

    await hand_in(
        daemon, invoice("kunde@customer.example", sender="mail@new.example"), mail_from="mail@new.example"
    )
    [got] = await world.receiver.wait_for(1)
    assert b"<new@my.platform.example>" in got.content


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("delivery__parallel", "many", "delivery.parallel: found many"),
        ("hostname", "other.my.platform.example", "hostname changed, which takes effect with a restart only"),
        ("senders__new", {"name": "N", "address": "n@new.example", "local_part": "acme"}, "local_part"),
    ],
)
async def test_a_reload_is_all_or_nothing(
    world: Any, invoice: Invoice, path: str, value: object, said: str
) -> None:
    daemon = world.daemon
    change(daemon.config, **{path: value, "senders__acme__name": "Renamed"})

    await hang_up(daemon, "the old one stays")

    assert said in daemon.tail(20_000)
    await hand_in(daemon, invoice("kunde@customer.example"))
    [got] = await world.receiver.wait_for(1)
    assert b"Renamed" not in got.content


async def test_a_stop_lets_deliveries_under_way_end(world: Any, invoice: Invoice) -> None:
    world.receiver.tell(At.END, LATE)
    await hand_in(world.daemon, invoice("kunde@customer.example"))
    await world.receiver.reached(At.END)

    world.daemon.process.terminate()
    await world.daemon.until(lambda: "stopping" in world.daemon.tail(), "it stops")
    world.receiver.release()

    assert await world.daemon.died() == 0
    assert count(world.daemon, "delivered") == 1


async def test_recipients_refused_at_rcpt_are_in_the_status_log_with_the_message(
    world: Any, invoice: Invoice
) -> None:
    mail = invoice("kunde@customer.example", ref="R-7")

    refused = await hand_in(world.daemon, mail, "kunde@customer.example", "kunde@no-such-domain.example")

    assert [code for code, _ in refused.values()] == [550]
    await world.daemon.until(lambda: count(world.daemon, "refused") == 1, "refused is logged")
    [event] = [e for e in world.daemon.events() if e["type"] == "refused"]
    assert (event["recipient"], event["ref"], event["reason"]) == (
        "kunde@no-such-domain.example",
        "R-7",
        "recipient.domain",
    )


async def test_the_app_is_told_the_real_outcome_while_it_waits(make_world: Any, invoice: Invoice) -> None:
    async with make_world(delivery={"answer_within": "20s"}) as world:
        world.receiver.tell_recipient("nobody@customer.example", UNKNOWN)
        await world.daemon.start()

        error = await hand_in(world.daemon, invoice("nobody@customer.example"))
        fine = await hand_in(world.daemon, invoice("kunde@customer.example"))

    assert isinstance(error, smtplib.SMTPDataError)
    assert error.smtp_code == 550
    assert b"5.1.1 recipient.unknown id=" in error.smtp_error
    assert fine == {}


async def test_a_refused_login_is_tried_once_and_again_only_after_a_change(
    tmp_path: Path, make_world: Any, invoice: Invoice
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    upstream = Receiver(
        name="smtp.acme.example",
        certificate=authority.issue("smtp.acme.example"),
        users={"billing@acme.example": "right"},
        require_login=True,
    )
    async with upstream:
        acme = {
            "name": "Acme",
            "address": "billing@acme.example",
            "confirmed": True,
            "send_as": "upstream",
            "if_unproven": "hold",
            "upstream": {
                "host": "smtp.acme.example",
                "port": upstream.port,
                "username": "billing@acme.example",
                "password": "wrong-canary",
            },
        }
        async with make_world(senders={"acme": acme}, tls={"ca_file": str(tmp_path / "ca.pem")}) as world:
            daemon = world.daemon
            daemon.config.chmod(0o600)
            world.zone.add("smtp.acme.example", "A", "127.0.0.1")
            await daemon.start()
            await hand_in(daemon, invoice("one@customer.example"))
            await daemon.until(lambda: count(daemon, "held") == 1, "the first is held")
            await hand_in(daemon, invoice("two@customer.example"))
            await daemon.until(lambda: count(daemon, "held") == 2, "the second is held")
            assert await daemon.stop() == 0
            await daemon.start()
            await hand_in(daemon, invoice("three@customer.example"))
            await daemon.until(lambda: count(daemon, "held") == 3, "the third is held")
            assert upstream.logins == [("billing@acme.example", False)]

            code, _, err = await daemon.command("queue", "release", "--sender", "acme")
            assert code == 0, err
            await daemon.until(lambda: len(upstream.logins) == 2, "one more try after the release")
            await daemon.until(lambda: count(daemon, "held") >= 5, "held again")

            change(daemon.config, senders__acme__upstream__password="right")
            await hang_up(daemon, "config read again")
            got = await upstream.wait_for(3)

            assert len(got) == 3
            assert [taken for _, taken in upstream.logins if taken] != []
            assert sum(not taken for _, taken in upstream.logins) == 2
            assert ("upstream_failed", "auth.wrong_password") in kinds(daemon, "upstream_failed")
            await daemon.until(
                lambda: count(daemon, "upstream_ok") == 1, "the login is good again, said once"
            )
            assert "wrong-canary" not in daemon.tail(100_000) + daemon.status_log.read_text()


async def test_a_closed_port_25_is_said_and_mail_is_held(make_world: Any, invoice: Invoice) -> None:
    async with make_world() as world:
        await world.receiver.stop_listening()
        await world.daemon.start()
        for domain in ("one.example", "two.example", "three.example", "customer.example"):
            await hand_in(world.daemon, invoice(f"kunde@{domain}"))
            await world.daemon.until(
                lambda n=domain: any(
                    e.get("recipient") == f"kunde@{n}" and e["type"] in ("deferred", "held")
                    for e in world.daemon.events()
                ),
                "tried",
            )

        code, out, _ = await world.daemon.command("status")

        assert ("held", "network.port_blocked") in kinds(world.daemon, "held")
        assert "smarthost" in out
        assert code != 0 or "not well" in out


async def test_mail_held_for_port_25_leaves_by_the_smarthost_that_a_reload_brings(
    make_world: Any, invoice: Invoice
) -> None:
    """Also what was attempted before: its bytes stay, only the way changes."""
    domains = ("one.example", "two.example", "three.example", "customer.example")
    async with make_world() as world, Receiver() as smarthost:
        await world.receiver.stop_listening()
        await world.daemon.start()
        for domain in domains:
            await hand_in(world.daemon, invoice(f"kunde@{domain}"))
            await world.daemon.until(
                lambda n=domain: any(
                    e.get("recipient") == f"kunde@{n}" and e["type"] in ("deferred", "held")
                    for e in world.daemon.events()
                ),
                "tried",
            )
        await world.daemon.until(lambda: len(kinds(world.daemon, "held")) >= 1, "held")

        plain = {"host": "127.0.0.1", "port": smarthost.port, "tls": "none"}
        change(world.daemon.config, platform__smarthost=plain)
        await hang_up(world.daemon, "config read again")

        got = await smarthost.wait_for(4)
        assert sorted(one.recipients[0] for one in got) == sorted(f"kunde@{domain}" for domain in domains)
        assert world.receiver.received == []


async def test_a_second_daemon_on_the_same_state_ends_at_once(world: Any) -> None:
    environ = {**os.environ, "RELAYD_LISTEN": "[{address: 127.0.0.1, port: 0}]"}
    second = await asyncio.create_subprocess_exec(
        *(str(Path(os.sys.executable).parent / "relayd"), "run", "-c", str(world.daemon.config)),  # type: ignore[attr-defined]
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environ,
    )
    out, _ = await asyncio.wait_for(second.communicate(), 30)

    assert second.returncode == 75
    assert str(world.folder / "state") in out.decode()


async def test_a_key_that_is_missing_later_ends_the_start(world: Any) -> None:
    assert await world.daemon.stop() == 0
    (world.folder / "state" / "keys" / "r1.pem").unlink()

    with pytest.raises(AssertionError, match="ended with 78"):
        await world.daemon.start()

    assert "r1.pem" in world.daemon.tail()


async def test_a_fault_of_ours_in_the_background_ends_the_daemon_with_an_error(
    tmp_path: Path, make_world: Any
) -> None:
    """systemd starts again what failed; what ends with 0 stays down."""
    program = tmp_path / "faulty.py"
    program.write_text(
        "import sys\n"
        "from relayd.upkeep import Upkeep\n"
        "async def run(self):\n"
        "    raise RuntimeError('a bug')\n"
        "Upkeep.run = run\n"
        "from relayd.cli import main\n"
        "sys.argv = ['relayd', 'run', '-c', sys.argv[1]]\n"
        "main()\n"
    )
    async with make_world() as world:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(program), str(world.daemon.config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "RELAYD_LISTEN": "[{address: 127.0.0.1, port: 0}]"},
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)

    assert process.returncode == 70, out.decode()
    assert "a fault of ours, stopping" in out.decode()


async def run_once(world: Any, **environ: str) -> tuple[int | None, str]:
    """Start it where it can't stay, and wait for its end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "relayd", "run", "-c", str(world.daemon.config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environ},
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode()


async def test_an_address_in_use_is_one_clear_line(make_world: Any) -> None:
    async with make_world() as world:  # the test listens there
        code, said = await run_once(world)

    assert code == 75
    assert "can't start" in said
    assert "in use" in said
    assert "Traceback" not in said


async def test_a_first_start_that_fails_half_way_can_be_repeated(make_world: Any) -> None:
    async with make_world() as world:
        change(world.daemon.config, platform__dkim={"selector": "r1", "key_file": "blocked/r1.pem"})
        (world.folder / "state" / "blocked").touch()
        code, said = await run_once(world)
        assert (code, "blocked" in said, "Traceback" in said) == (78, True, False)

        (world.folder / "state" / "blocked").unlink()
        await world.daemon.start()

        assert (world.folder / "state" / "blocked" / "r1.pem").exists()
