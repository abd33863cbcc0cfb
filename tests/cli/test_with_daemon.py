"""The commands against a running daemon."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import smtplib
import sys
from email.utils import parseaddr
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.whole  # most of it starts a daemon

RELAYD = str(Path(sys.executable).parent / "relayd")

LETTER = """\
From: Billing <billing@acme.example>
To: Anna <anna@customer.example>, ben@customer.example
Bcc: hidden@customer.example
Subject: Invoice
X-Relayd-Ref: INV-1

Grüße
"""


async def run(world: Any, *words: str, stdin: bytes | None = None, expect: int = 0) -> str:
    code, out, err = await world.daemon.command(*words, stdin=stdin)
    assert code == expect, out + err + world.daemon.tail()
    return out if code == 0 else out + err


async def test_a_test_mail_goes_the_whole_way_and_is_found_again(world: Any) -> None:
    out = await run(world, "send-test", "--sender", "acme", "anna@customer.example")

    assert re.search(r"^  sent  anna@customer\.example  attempts 1$", out, re.MULTILINE), out
    assert "from acme@my.platform.example (default)" in out
    [mail] = world.receiver.received
    assert b"Subject: Test mail from Platform" in mail.content
    assert b"X-Relayd" not in mail.content
    identity, ref = out.split()[0], out.split()[2]
    by_id, by_ref = await run(world, "status", identity), await run(world, "status", ref, "--json")
    assert identity in by_id
    [message] = json.loads(by_ref)
    assert (message["id"], message["ref"]) == (identity, ref)
    assert set(message["recipients"][0]["text"]) >= {"de", "en"}
    assert "sent" in await run(world, "status", ref, "--lang", "de")
    assert "no message with the id or reference nothing" in await run(world, "status", "nothing", expect=66)
    assert (await run(world, "status", "nothing", "--json", expect=66)).startswith("[]\n")
    assert not re.search(r"\dT\d", by_id), "times are for people"


async def test_a_test_mail_that_is_refused_is_said_to_be(world: Any) -> None:
    assert "which sender?" in await run(world, "send-test", "anna@customer.example", expect=64)
    out = await run(world, "send-test", "--sender", "acme", "anna@missing.example", expect=65)
    assert "5.1.2" in out
    two = await run(
        world, "send-test", "--sender", "acme", "anna@customer.example, ben@customer.example", expect=65
    )
    assert "refused: 501" in two, "one of them would have had it, and nobody been told of the other"


async def test_a_test_mail_logs_in_where_apps_have_to(make_world: Any) -> None:
    login = {"username": "app", "password": "canary-password", "senders": ["acme"]}
    async with make_world(logins=[login], log={"format": "json", "level": "debug"}) as world:
        await world.daemon.start()
        out = await run(world, "send-test", "--sender", "acme", "anna@customer.example")

        assert "  sent  anna@customer.example" in out
        shown = out + world.daemon.tail(10**7) + world.daemon.status_log.read_text()
        assert "canary" not in shown
        assert base64.b64encode(b"canary-password").decode()[:12] not in shown


async def test_sendmail_hands_in_what_stdin_holds(world: Any) -> None:
    out = await run(world, "sendmail", "-t", "-oi", "-f", "billing@acme.example", stdin=LETTER.encode())

    assert out == ""
    mails = await received(world, 3)
    assert sorted(to for mail in mails for to in mail.recipients) == [
        f"{name}@customer.example" for name in ("anna", "ben", "hidden")
    ]
    assert all(b"Bcc" not in mail.content and "Grüße".encode() in mail.content for mail in mails)


async def test_sendmail_speaks_smtp(world: Any) -> None:
    """As mailers with the transport `sendmail -bs` do: a line, an answer."""
    talking = await asyncio.create_subprocess_exec(
        *(RELAYD, "sendmail", "-bs", "-c", str(world.daemon.config)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert talking.stdin is not None
    assert talking.stdout is not None
    codes = []
    async with asyncio.timeout(20):
        for line in (
            *("", "EHLO app", "MAIL FROM:<billing@acme.example>", "RCPT TO:<anna@customer.example>", "DATA"),
            *("From: billing@acme.example\r\n\r\nhi\r\n.", "QUIT"),
        ):
            talking.stdin.write(f"{line}\r\n".encode() if line else b"")
            while (answer := await talking.stdout.readline())[3:4] == b"-":
                pass
            codes.append(int(answer[:3]))
        await talking.wait()

    assert codes == [220, 250, 250, 250, 354, 250, 221]
    await received(world, 1)


async def test_the_log_follows_what_happens(world: Any) -> None:
    following = await asyncio.create_subprocess_exec(
        *(RELAYD, "log", "--follow", "--json", "-c", str(world.daemon.config)), stdout=asyncio.subprocess.PIPE
    )
    assert following.stdout is not None
    await run(world, "send-test", "--sender", "acme", "anna@customer.example")

    async with asyncio.timeout(20):
        types: list[str] = []
        while "delivered" not in types:
            types.append(json.loads(await following.stdout.readline())["type"])
    following.terminate()
    await following.wait()

    assert types[-2:] == ["accepted", "delivered"]
    assert len((await run(world, "log", "-n", "1")).splitlines()) == 1
    assert "delivered" in await run(world, "log", "--status", "sent")
    assert await run(world, "log", "--ref", "nothing") == ""
    assert await run(world, "log", "-n", "0") == ""


async def test_following_the_log_outlasts_a_restart_of_the_daemon(world: Any) -> None:
    following = await asyncio.create_subprocess_exec(
        *(RELAYD, "log", "--follow", "-n", "1", "-c", str(world.daemon.config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert following.stdout is not None
    assert following.stderr is not None
    async with asyncio.timeout(30):
        first = await following.stdout.readline()  # it follows
        assert await world.daemon.stop() == 0
        gone = await following.stderr.readline()
        await world.daemon.start()
        await run(world, "send-test", "--sender", "acme", "anna@customer.example")
        while b"delivered" not in await following.stdout.readline():
            pass
        following.terminate()
        rest = await following.stderr.read()
    await following.wait()

    assert b" UTC  proven " in first
    assert gone == b"relayd: the daemon has gone away; waiting until it is back\n"
    assert rest == b""


async def test_what_was_refused_is_found_by_its_reference(world: Any) -> None:
    answers = await asyncio.to_thread(
        _hand_in, world.daemon.port, LETTER, "anna@customer.example", "ben@missing.example"
    )
    assert answers == [250, 550, 250]
    out = await run(world, "status", "INV-1")
    assert "  not_sent  ben@missing.example  refused when it was handed in\n" in out
    assert "the app was told: 550 5.1.2 " in out
    assert "Check the address for typing errors" in out

    none = LETTER.replace("INV-1", "INV-2").replace("billing@acme", "somebody@elsewhere")
    assert await asyncio.to_thread(_hand_in, world.daemon.port, none, "anna@customer.example") == [250, 550]
    out = await run(world, "status", "INV-2")
    assert out.startswith("INV-2: not taken, so there is no message; what happened:\n")
    assert "the app was told: 550 " in out


def _hand_in(port: int, letter: str, *to: str) -> list[int]:
    """The codes that RCPT and DATA are answered with."""
    with smtplib.SMTP("127.0.0.1", port) as server:
        server.ehlo("app.example")
        server.mail(parseaddr(letter.splitlines()[0])[1])
        return [*(server.rcpt(each)[0] for each in to), server.data(letter.encode())[0]]


async def test_held_mail_is_listed_released_and_cancelled(make_world: Any) -> None:
    platform = {"if_unproven": "hold", "dkim": {"selector": "other", "key_file": "keys/r1.pem"}}
    async with make_world(platform=platform) as world:
        await world.daemon.start()
        out = await run(
            world, "send-test", "--sender", "acme", "--wait", "0", "anna@customer.example", expect=75
        )
        identity = out.split()[0]
        listed = await run(world, "queue", "list", "--state", "held")
        assert identity in listed
        assert "why: signing.failed" in listed
        assert "0 recipients queued, 1 held" in listed
        assert json.loads(await run(world, "queue", "list", "--json"))["counts"]["held"] == 1
        assert "our key is not seen at other._domainkey.my.platform.example" in await run(world, "status")
        assert identity in await run(world, "queue", "show", identity)
        assert "which messages?" in await run(world, "queue", "cancel", expect=64)
        assert await run(world, "queue", "retry", "--sender", "acme") == "retry: 0 recipients\n"
        wrong = await run(world, "queue", "cancel", "--reason", "signing", expect=64)
        assert "no reason 'signing'" in wrong
        assert "signing.failed" in wrong, "what was meant"
        assert await run(world, "queue", "cancel", "--reason", "signing.failed", "--json") == (
            '{\n  "recipients": 1\n}\n'
        )
        assert "not_sent" in await run(world, "status", identity)
        assert "is no message id" in await run(world, "queue", "show", "../x", expect=64)


async def test_the_daemon_says_how_it_is_and_backs_itself_up(world: Any, tmp_path: Path) -> None:
    out = await run(world, "status")
    assert re.match(r"relayd \S+ as relay\.my\.platform\.example: well, since ", out)
    assert json.loads(await run(world, "status", "--json"))["hostname"] == "relay.my.platform.example"

    to = tmp_path / "backup.db"
    assert await run(world, "backup", str(to)) == f"backup written to {to}\n"
    assert to.stat().st_size > 0
    assert "overwrites nothing" in await run(world, "backup", str(to), expect=73)
    assert "may write" in await run(world, "backup", str(tmp_path / "none" / "x.db"), expect=73)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be refused as")
async def test_who_may_not_open_the_socket_is_told_so(world: Any) -> None:
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *(RELAYD, "status", "-c", str(world.daemon.config)),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "RELAYD_HTTP__SOCKET": str(world.folder / "state" / "api.sock")},
    )
    _, err = await process.communicate()

    assert (process.returncode, b"no permission" in err) == (77, True), err


async def received(world: Any, number: int) -> list[Any]:
    await world.daemon.until(lambda: len(world.receiver.received) >= number, f"{number} mails received")
    return list(world.receiver.received)
