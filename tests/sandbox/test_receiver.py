"""The receiving servers of the sandbox: they speak SMTP properly, and misbehave only where told."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl

import aiosmtplib
import pytest

from relayd.sandbox import script
from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Offers, Receiver
from relayd.sandbox.script import Action, At, End

MAIL = b"From: a@b.example\r\nSubject: x\r\n\r\n.one\r\n..two\r\n"


async def client(receiver: Receiver, **options: object) -> aiosmtplib.SMTP:
    smtp = aiosmtplib.SMTP(
        hostname=receiver.host,
        port=receiver.port,
        timeout=10,
        **{"start_tls": False, "use_tls": False, **options},  # type: ignore[arg-type]
    )
    await smtp.connect()
    return smtp


async def raw(receiver: Receiver) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(receiver.host, receiver.port)


def trust(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.pem.decode())


async def test_it_takes_a_message_and_remembers_envelope_and_octets() -> None:
    async with Receiver() as receiver:
        smtp = await client(receiver)
        await smtp.sendmail(
            "a@b.example", ["c@d.example", "e@d.example"], MAIL, mail_options=["BODY=8BITMIME"]
        )
        await smtp.quit()
        (got,) = await receiver.wait_for(1)
    assert got.mail_from == "a@b.example"
    assert got.recipients == ("c@d.example", "e@d.example")
    assert "BODY=8BITMIME" in got.parameters
    assert got.content == MAIL
    assert (got.tls, got.login, got.connection, got.ip) == (None, None, 1, "127.0.0.1")


async def test_commands_sent_together_are_answered_in_order_and_dots_in_the_first_line_unstuffed() -> None:
    async with Receiver() as receiver:
        reader, writer = await raw(receiver)
        writer.write(
            b"EHLO x\r\nMAIL FROM:<> SIZE=3\r\nRCPT TO:<c@d>\r\nDATA\r\n..\r\n.\r\n"
            b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n.\r\nQUIT\r\n"
        )
        await reader.read()
        writer.close()
        first, second = await receiver.wait_for(2)
    assert (first.content, second.content) == (b".\r\n", b"")
    assert first.mail_from == ""


async def test_starttls_and_login_are_recorded_and_the_password_is_not() -> None:
    authority = Authority()
    async with Receiver(
        certificate=authority.issue("127.0.0.1"), users={"shop": "pw-1"}, require_login=True
    ) as receiver:
        smtp = await client(receiver, start_tls=True, tls_context=trust(authority))
        await smtp.login("shop", "pw-1")
        await smtp.sendmail("a@b.example", ["c@d.example"], MAIL)
        await smtp.quit()
        (got,) = await receiver.wait_for(1)
    assert got.tls == "TLSv1.3"
    assert got.login == "shop"
    assert receiver.logins == [("shop", True)]
    secrets = [base64.b64encode(b"\0shop\0pw-1").decode(), base64.b64encode(b"pw-1").decode()]
    assert not any(secret in line.text for line in receiver.lines for secret in secrets)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
async def test_each_mechanism_takes_the_right_password_only(mechanism: str) -> None:
    authority = Authority()
    async with Receiver(
        certificate=authority.issue("127.0.0.1"),
        implicit_tls=True,
        users={"shop": "pw-1"},
        offers=Offers(mechanisms=(mechanism,)),
    ) as receiver:
        smtp = await client(receiver, use_tls=True, start_tls=None, tls_context=trust(authority))
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await smtp.login("shop", "pw-2")
        await smtp.login("shop", "pw-1")
        await smtp.quit()
    assert receiver.logins == [("shop", False), ("shop", True)]


async def test_a_login_in_clear_is_not_offered_and_mail_without_one_is_refused() -> None:
    async with Receiver(users={"shop": "pw-1"}, require_login=True) as receiver:
        smtp = await client(receiver)
        await smtp.ehlo()
        assert not smtp.supports_extension("auth")
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as refused:
            await smtp.sendmail("a@b.example", ["c@d.example"], MAIL)
        assert refused.value.code == 530


async def test_recipients_are_answered_each_by_its_own_row() -> None:
    async with Receiver() as receiver:
        receiver.tell_recipient("nobody@d.example", script.UNKNOWN_USER)
        receiver.tell_recipient("Grey@d.example", script.GREYLISTED, None)
        smtp = await client(receiver)
        await smtp.ehlo()

        async def answer(address: str) -> int:
            await smtp.mail("a@b.example")
            try:
                return (await smtp.rcpt(address)).code
            except aiosmtplib.SMTPRecipientRefused as refused:
                return refused.code

        assert await answer("nobody@d.example") == 550
        assert await answer("nobody@d.example") == 550
        assert await answer("grey@d.example") == 450
        assert await answer("grey@d.example") == 250
        await smtp.quit()


@pytest.mark.parametrize(
    ("offers", "named"),
    [
        (Offers(), {"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 52428800"}),
        (Offers(pipelining=False, eight_bit=False, smtputf8=False, size=None, enhanced=False), set()),
        (Offers(pipelining=False, eight_bit=False, smtputf8=False, size=0, enhanced=False), {"SIZE"}),
    ],
)
async def test_it_announces_what_it_offers(offers: Offers, named: set[str]) -> None:
    async with Receiver(offers=offers) as receiver:
        reader, writer = await raw(receiver)
        writer.write(b"EHLO x\r\nQUIT\r\n")
        lines = (await reader.read()).decode().splitlines()
        writer.close()
    assert {line[4:] for line in lines[2:-1]} == named


async def test_size_is_held_at_mail_and_at_the_end() -> None:
    async with Receiver(offers=Offers(size=10)) as receiver:
        reader, writer = await raw(receiver)
        writer.write(
            b"EHLO x\r\nMAIL FROM:<a@b> SIZE=11\r\n"
            b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n0123456789\r\n.\r\nQUIT\r\n"
        )
        codes = [line[:3] for line in (await reader.read()).splitlines() if line[3:4] == b" "]
        writer.close()
    assert codes == [b"220", b"250", b"552", b"250", b"250", b"354", b"552", b"221"]
    assert receiver.received == []
    assert len(receiver.uploads) == 1


@pytest.mark.parametrize("at", [At.BANNER, At.EHLO, At.MAIL, At.RCPT, At.DATA, At.BODY, At.END, At.QUIT])
@pytest.mark.parametrize("end", list(End))
async def test_it_goes_away_at_any_point_in_any_way(at: At, end: End) -> None:
    async with Receiver() as receiver:
        receiver.tell(at, Action(end=end), script.USUAL)
        reader, writer = await raw(receiver)
        try:
            writer.write(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
            await reader.read()
        except ConnectionResetError:  # also what an orderly end looks like to a client in mid-sentence
            pass
        writer.close()
        await receiver.idle()
        assert len(receiver.received) == (1 if at is At.QUIT else 0)
        assert len(receiver.uploads) == (1 if at in (At.QUIT, At.END) else 0)


async def test_it_hangs_in_the_middle_of_the_content_until_released() -> None:
    async with Receiver() as receiver:
        receiver.tell(At.BODY, Action(hang=True, after=4))
        reader, writer = await raw(receiver)
        writer.write(b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n12345\r\n.\r\nQUIT\r\n")
        await receiver.reached(At.BODY)
        assert receiver.uploads == []
        receiver.release()
        await reader.read()
        writer.close()
        assert len(await receiver.wait_for(1)) == 1


async def test_a_late_answer_is_the_usual_one() -> None:
    async with Receiver() as receiver:
        receiver.tell(At.END, script.LATE)
        smtp = await client(receiver)
        sending = asyncio.create_task(smtp.sendmail("a@b.example", ["c@d.example"], MAIL))
        await receiver.reached(At.END)
        assert (len(receiver.uploads), len(receiver.received)) == (1, 0)
        receiver.release()
        await sending
        assert len(receiver.received) == 1
        await smtp.quit()


@pytest.mark.parametrize(
    ("action", "octets"),
    [
        (script.say("250 one\ntwo"), b"250-one\r\n250 two\r\n"),
        (script.NOT_SMTP, b"\x16\x03\x01 this is not SMTP\r\n"),
        (script.TWO_REPLIES, b"250 2.0.0 OK\r\n250 2.0.0 OK\r\n"),
        (script.NUL, b"250 2.0.0 O\x00K\r\n"),
    ],
)
async def test_it_says_whatever_it_is_told(action: Action, octets: bytes) -> None:
    async with Receiver() as receiver:
        receiver.tell(At.BANNER, action)
        reader, writer = await raw(receiver)
        assert await reader.readexactly(len(octets)) == octets
        writer.close()


@pytest.mark.parametrize(("action", "goodbye"), [(script.CLOSE, True), (script.CUT, False)])
async def test_tls_ends_with_or_without_a_goodbye_as_told(action: Action, goodbye: bool) -> None:
    authority = Authority()

    def said_goodbye(port: int) -> bool:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        context = trust(authority)
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # which would hide the difference
        with context.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as tls:
            try:
                return tls.recv(100) == b""
            except ssl.SSLError:
                return False

    async with Receiver(certificate=authority.issue("127.0.0.1"), implicit_tls=True) as receiver:
        receiver.tell(At.BANNER, action)
        assert await asyncio.to_thread(said_goodbye, receiver.port) is goodbye


async def test_a_handshake_can_be_answered_with_anything() -> None:
    authority = Authority()
    async with Receiver(certificate=authority.issue("127.0.0.1")) as receiver:
        receiver.tell(At.HANDSHAKE, script.NOT_SMTP)
        smtp = await client(receiver)
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError, ConnectionError)):
            await smtp.starttls(tls_context=trust(authority))
        await receiver.idle()


@pytest.mark.parametrize("wrong", ["name", "expired", "unknown authority"])
async def test_a_wrong_certificate_is_not_taken(wrong: str) -> None:
    authority = Authority()
    certificate = {
        "name": lambda: authority.issue("other.example"),
        "expired": lambda: authority.issue("127.0.0.1", expired=True),
        "unknown authority": lambda: Authority().issue("127.0.0.1"),
    }[wrong]()
    async with Receiver(certificate=certificate) as receiver:
        smtp = await client(receiver)
        with pytest.raises((aiosmtplib.SMTPException, ssl.SSLError)):
            await smtp.starttls(tls_context=trust(authority))
        await receiver.idle()


async def test_connections_are_counted() -> None:
    async with Receiver() as receiver:
        one, two = await client(receiver), await client(receiver)
        await one.quit()
        await two.quit()
        await receiver.idle()
    assert (receiver.connections, receiver.most_connections, receiver.open_connections) == (2, 2, 0)
