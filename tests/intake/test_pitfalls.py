"""What aiosmtpd would do to us: B1 to B18 of the list of pitfalls, each turned round."""

from __future__ import annotations

import asyncio
import logging
import smtplib
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from relayd.core import answer
from relayd.net import smtpd, smtpd_line
from relayd.store.contract import StoreDamaged, StoreError, StoreFull
from relayd.store.memory import MemoryStore

HEADER = b"From: billing@acme.example\r\nSubject: x\r\n\r\n"
END = b"\r\n.\r\n"


def text(reply: answer.Answer) -> str:
    return reply.line.decode().strip()


async def test_b1_b2_an_endless_line_is_dropped_as_it_comes(make_world: Any) -> None:
    """Memory itself is measured in the tests of A7 and A8."""
    world = await make_world(limits={"message_size": 1024 * 1024})
    client = await world.hello()
    await client.begin()
    await client.send(b"x" * 1_500_000 + END)
    assert (await client.reply()).startswith("554 5.6.0 message.line_too_long")


async def test_b3_a_half_closed_connection_still_gets_its_answer(world: Any) -> None:
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"x" + END + b"QUIT\r\n")
    client.writer.write_eof()
    assert [reply[:3] for reply in await client.rest()] == ["250", "221"]
    assert len(await world.messages()) == 1


async def test_b3_an_end_without_the_final_dot_keeps_nothing(world: Any) -> None:
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"x\r\n.\r")
    client.writer.write_eof()
    assert await client.rest() == []
    assert await world.messages() == []


async def test_b4_limits_of_one_connection_are_not_those_of_another(world: Any) -> None:
    """aiosmtpd keeps them in the class: each EHLO raised them for everybody."""
    first, second = await world.hello(), await world.hello()
    long = b"MAIL FROM:<" + b"a" * 3000 + b"@b.example>\r\n"
    for _ in range(5):
        await first.say("EHLO client.example")
    assert (await first.say(long)).startswith("500 5.5.2")
    assert (await second.say(long)).startswith("500 5.5.2")


FAULTS = [
    (StoreFull("no space left on the device"), answer.FULL()),
    (StoreDamaged("relayd.db: malformed"), answer.FAULT()),
    (StoreError("not now"), answer.FAULT()),
    (OSError(28, "No space left on device"), answer.FAULT()),
    (ZeroDivisionError("secret-canary"), answer.FAULT()),
]


@pytest.mark.parametrize(("fault", "wanted"), FAULTS, ids=repr)
async def test_b5_a_fault_of_ours_is_4xx_logged_once_and_shows_nothing(
    make_world: Any, caplog: pytest.LogCaptureFixture, fault: Exception, wanted: answer.Answer
) -> None:
    class Broken(MemoryStore):
        async def put(self, message: Any, body: Any, events: Any) -> None:
            raise fault

    world = await make_world(store=Broken())
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"x" + END)
    assert await client.reply() == text(wanted)
    assert (await client.say("RCPT TO:<a@b.example>")).startswith("503")
    assert (await client.say("NOOP")).startswith("250")
    (record,) = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert record.name.startswith("relayd.")


async def test_b5_a_signature_that_fails_is_4xx_and_nothing_is_kept(make_world: Any) -> None:
    from relayd.dressing import SigningFailed

    class NoKey:
        async def dress(self, *_: Any) -> Any:
            raise SigningFailed("no key")

    world = await make_world(dresser=NoKey())
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + b"x" + END)
    assert await client.reply() == text(answer.SIGNING_FAILED())
    assert await world.messages() == []


async def test_b5_large_bodies_meet_faults_of_the_store_too(make_world: Any) -> None:
    class Full(MemoryStore):
        def receive(self) -> Any:
            class Receiving:
                async def append(self, chunk: bytes) -> None:
                    raise StoreFull("full")

                async def discard(self) -> None:
                    raise StoreError("and not even that")

            return Receiving()

    world = await make_world(store=Full())
    client = await world.hello()
    await client.begin()
    await client.send(HEADER + (b"x" * 76 + b"\r\n") * 20_000 + END)
    assert await client.reply() == text(answer.FULL())
    assert (await client.say("NOOP")).startswith("250")


async def test_b5_a_fault_in_a_command_is_4xx_and_the_message_is_forgotten(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    client = await world.hello()
    await client.say("MAIL FROM:<billing@acme.example>")
    monkeypatch.setattr(world.acceptor, "impossible", broken)
    assert await client.say("RCPT TO:<a@b.example>") == text(answer.FAULT())
    assert (await client.say("RCPT TO:<a@b.example>")).startswith("503")


async def test_b6_a_command_that_ends_with_lf_alone_is_refused(world: Any) -> None:
    client = await world.hello()
    await client.send(b"MAIL FROM:<billing@acme.example>\nRCPT TO:<a@b.example>\r\n")
    assert await client.rest() == [text(answer.LINE_ENDING())]


async def test_b9_values_of_parameters_are_not_changed(world: Any) -> None:
    """aiosmtpd turns them to upper case; unknown ones are named in the refusal."""
    client = await world.hello()
    reply = await client.say("MAIL FROM:<a@b.example> ENVID=aBc")
    assert reply == text(answer.PARAMETER_UNKNOWN("ENVID"))


async def test_b10_the_null_sender_is_no_address(world: Any) -> None:
    client = await world.hello()
    await client.begin(sender="")
    await client.send(HEADER + b"x" + END)
    assert (await client.reply()).startswith("250")
    (message,) = await world.messages()
    assert message.submission.mail_from is None


async def test_b11_with_implicit_tls_a_login_is_offered(make_world: Any) -> None:
    tls = {"certificate": "tls.pem", "key": "tls.key", "mode": "implicit"}
    world = await make_world(
        listen=[{"address": "127.0.0.1", "port": 0, "tls": tls, "require_login": True}],
        logins=[{"username": "app", "password": "canary"}],
    )
    client = await world.connect(tls=True)
    assert (await client.reply()).startswith("220")
    greeting = await client.say("EHLO client.example")
    assert "AUTH PLAIN LOGIN" in greeting
    assert "STARTTLS" not in greeting
    assert (await client.say("AUTH PLAIN AGFwcABjYW5hcnk=")).startswith("235")
    await client.begin()
    await client.send(HEADER + b"x" + END)
    assert (await client.reply()).startswith("250")
    (message,) = await world.messages()
    assert message.submission.login == "app"


async def test_b12_b13_starttls_works_once_with_a_real_client(make_world: Any) -> None:
    """On the running Python and on both event loops: no private attribute of a transport is used for it."""
    tls = {"certificate": "tls.pem", "key": "tls.key"}
    world = await make_world(listen=[{"address": "127.0.0.1", "port": 0, "tls": tls}])
    context, port = world.trusting(), world.server.sockets[0].getsockname()[1]

    def send() -> tuple[int, bytes]:
        with smtplib.SMTP("localhost", port, source_address=("127.0.0.1", 0)) as client:
            client.starttls(context=context)
            client.sendmail("billing@acme.example", ["a@b.example"], HEADER + b"x" * 70 + b"\r\n" * 100_000)
            return client.docmd("STARTTLS")

    assert await asyncio.to_thread(send) == (503, b"5.5.1 TLS is on already: go on with EHLO")
    assert len(await world.messages()) == 1


async def test_b14_no_thread_and_no_controller(world: Any) -> None:
    import threading

    await world.hello()
    assert not any("smtpd" in thread.name.lower() for thread in threading.enumerate())


async def test_b16_nothing_said_gets_into_a_log(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    client = await world.hello()
    await client.begin(to="canary-rcpt@b.example")
    await client.send(HEADER + b"canary-body" + END)
    await client.reply()
    await client.say("AUTH PLAIN canary-auth!")
    await client.say("QUIT")
    assert "canary" not in caplog.text
    assert smtpd_line.logging.getLogger("mail.log").level >= logging.WARNING


async def test_b17_pipelining_and_enhanced_codes_are_offered_and_chunking_is_not(world: Any) -> None:
    client = await world.connect()
    await client.reply()
    offered = await client.say("EHLO client.example")
    for word in ("PIPELINING", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8", "SIZE 36700160"):
        assert word in offered
    for word in ("CHUNKING", "BINARYMIME", "DSN", "AUTH", "STARTTLS"):
        assert word not in offered


def test_b18_no_command_of_aiosmtpd_is_reached() -> None:
    """Our own table decides: what aiosmtpd adds some day is not offered unseen."""
    theirs = {name for name in dir(SMTP) if name.startswith("smtp_")}
    ours = {command.__qualname__ for command in smtpd._COMMANDS.values()}
    assert theirs
    assert all(name.startswith("Connection._") for name in ours)
