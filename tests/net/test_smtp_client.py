"""Opening a session: what each stage can do wrong, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayd.core.dialogue import Envelope, Offers, Protection
from relayd.core.reply import Fault, FaultKind, Reply, Stage
from relayd.core.sender import Secret
from relayd.net.smtp import Content, Deadlines, Failure, Login, Server, Session, connect
from relayd.net.tls import Contexts
from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Offers as Offering
from relayd.sandbox.receiver import Receiver
from relayd.sandbox.script import CLOSE, CUT, HANG, NOT_SMTP, RESET, Action, At, say

HOST = "mx.customer.example"
STRIKES = 0.1
LOGIN = Login(username="billing", password=Secret("canary"))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def contexts(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(str(authority.write(tmp_path_factory.mktemp("tls") / "ca.pem")))


def server(port: int, protection: Protection = Protection.OFFERED, **more: object) -> Server:
    return Server(host=HOST, ip="127.0.0.1", port=port, protection=protection, **more)  # type: ignore[arg-type]


async def opened(
    contexts: Contexts, to: Server, *, hostname: str = "relay.example", **deadlines: float
) -> Session | Failure:
    async with asyncio.timeout(15):
        return await connect(to, hostname=hostname, contexts=contexts, deadlines=Deadlines(**deadlines))


def fault(result: Session | Failure) -> tuple[FaultKind, Stage]:
    assert isinstance(result, Failure)
    assert isinstance(result.evidence, Fault)
    assert result.evidence.text
    return result.evidence.kind, result.evidence.stage


async def empty() -> AsyncIterator[bytes]:
    yield b"x\r\n"


# --- connecting ---


async def test_a_closed_port_is_a_refused_connection(contexts: Contexts) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound, but nobody listens
        result = await opened(contexts, server(probe.getsockname()[1]))
    assert fault(result) == (FaultKind.REFUSED, Stage.CONNECT)


async def test_a_connection_that_nobody_answers_ends_at_its_deadline(contexts: Contexts) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):  # the queue is full now
            result = await opened(contexts, server(listener.getsockname()[1]), connect=STRIKES)
    assert fault(result) == (FaultKind.TIMEOUT, Stage.CONNECT)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errno.ENETUNREACH, FaultKind.UNREACHABLE),
        (errno.EHOSTUNREACH, FaultKind.UNREACHABLE),
        (errno.EADDRNOTAVAIL, FaultKind.UNREACHABLE),
        (errno.ECONNRESET, FaultKind.REFUSED),
        (errno.ETIMEDOUT, FaultKind.TIMEOUT),
    ],
)
async def test_what_the_network_says_is_told_apart(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch, error: int, kind: FaultKind
) -> None:
    async def sock_connect(sock: socket.socket, address: object) -> None:
        raise OSError(error, "so it is")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", sock_connect)
    assert fault(await opened(contexts, server(25))) == (kind, Stage.CONNECT)


@pytest.mark.parametrize(
    ("error", "kind"), [(errno.EMFILE, FaultKind.INTERNAL), (errno.EAFNOSUPPORT, FaultKind.UNREACHABLE)]
)
async def test_a_socket_that_can_not_be_made_is_ours_or_the_machines(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch, error: int, kind: FaultKind
) -> None:
    def refuse(*args: object) -> socket.socket:
        raise OSError(error, "no")

    monkeypatch.setattr(socket, "socket", refuse)
    assert fault(await opened(contexts, server(25))) == (kind, Stage.CONNECT)


# --- greeting, EHLO ---


async def test_a_server_without_ehlo_is_greeted_with_helo(contexts: Contexts) -> None:
    async with Receiver() as receiver:
        receiver.tell(At.EHLO, say("502 5.5.2 what?"), say("250 hello"))
        session = await opened(contexts, server(receiver.port))
        assert isinstance(session, Session)
        session.close()
        await receiver.idle()
    assert [line.text for line in receiver.lines] == ["EHLO relay.example", "HELO relay.example", "QUIT"]
    assert session.offers == Offers()


async def test_what_a_server_offers_is_known(contexts: Contexts, authority: Authority) -> None:
    async with Receiver(certificate=authority.issue(HOST), offers=Offering(size=4711)) as receiver:
        session = await opened(contexts, server(receiver.port))
        assert isinstance(session, Session)
        session.close()
    assert session.offers == Offers(
        pipelining=True, takes_size=True, size=4711, eight_bit=True, smtputf8=True
    )


@pytest.mark.parametrize("banner", ["554 5.7.1 go away", "421 4.3.2 busy"])
async def test_a_greeting_that_says_no_is_heard(contexts: Contexts, banner: str) -> None:
    async with Receiver() as receiver:
        receiver.tell(At.BANNER, say(banner))
        result = await opened(contexts, server(receiver.port))
    assert isinstance(result, Failure)
    assert isinstance(result.evidence, Reply)
    assert (result.evidence.code, result.evidence.stage) == (int(banner[:3]), Stage.BANNER)


async def test_a_hostname_that_can_not_be_said_is_a_fault_of_ours(contexts: Contexts) -> None:
    async with Receiver() as receiver:
        result = await opened(contexts, server(receiver.port), hostname="relay.example XCLIENT ADDR=1.2.3.4")
    assert isinstance(result, Failure)
    assert isinstance(result.evidence, Fault)
    assert result.evidence.kind is FaultKind.INTERNAL


async def test_authorities_that_can_not_be_read_are_a_fault_of_ours(
    contexts: Contexts, tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing.pem")
    async with Receiver() as receiver:
        result = await opened(contexts, server(receiver.port, Protection.VERIFIED, ca_file=missing))
    assert isinstance(result, Failure)
    assert isinstance(result.evidence, Fault)
    assert result.evidence.kind is FaultKind.INTERNAL


# --- TLS ---


@pytest.mark.parametrize("protection", [Protection.OFFERED, Protection.REQUIRED, Protection.VERIFIED])
async def test_what_was_said_before_tls_is_forgotten(
    contexts: Contexts, authority: Authority, protection: Protection
) -> None:
    async with Receiver(certificate=authority.issue(HOST)) as receiver:
        receiver.tell(At.STARTTLS, Action(raw=b"220 go\r\n250-forged\r\n250 SIZE 1\r\n"))
        result = await opened(contexts, server(receiver.port, protection), tls=1.0)
    if isinstance(result, Session):
        assert result.offers.size != 1
        result.close()
    else:
        assert result.evidence.stage is Stage.TLS


@pytest.mark.parametrize(
    "action",
    [CLOSE, CUT, RESET, Action(raw=b"220 in clear\r\n"), HANG],
    ids=["close", "cut", "reset", "not TLS", "hang"],
)
async def test_a_failed_implicit_handshake_is_a_fault_of_tls(
    contexts: Contexts, authority: Authority, action: Action
) -> None:
    async with Receiver(certificate=authority.issue(HOST), implicit_tls=True) as receiver:
        receiver.tell(At.CONNECT, action)
        seconds = STRIKES if action is HANG else 10.0
        result = await opened(contexts, server(receiver.port, Protection.IMPLICIT), tls=seconds)
        receiver.release()
    assert fault(result) == (FaultKind.TLS, Stage.TLS)


async def test_a_greeting_that_never_comes_after_an_implicit_handshake_is_no_fault_of_tls(
    contexts: Contexts, authority: Authority
) -> None:
    async with Receiver(certificate=authority.issue(HOST), implicit_tls=True) as receiver:
        receiver.tell(At.BANNER, CLOSE)
        result = await opened(contexts, server(receiver.port, Protection.IMPLICIT))
    assert fault(result) == (FaultKind.CLOSED, Stage.BANNER)


@pytest.mark.parametrize("protection", [Protection.CLEAR, Protection.OFFERED, Protection.REQUIRED])
async def test_no_login_without_a_verified_connection(
    contexts: Contexts, authority: Authority, protection: Protection
) -> None:
    async with Receiver(
        certificate=authority.issue(HOST),
        users={"billing": "canary"},
        offers=Offering(login_in_clear=True),
    ) as receiver:
        result = await opened(contexts, server(receiver.port, protection, login=LOGIN))
    assert fault(result) == (FaultKind.TLS_REQUIRED, Stage.AUTH)
    assert receiver.logins == []


# --- what can go wrong while logging in ---


@pytest.mark.parametrize(
    ("action", "kind"), [(CLOSE, FaultKind.CLOSED), (HANG, FaultKind.TIMEOUT), (NOT_SMTP, FaultKind.PROTOCOL)]
)
async def test_a_login_that_ends_without_an_answer_is_no_refusal(
    contexts: Contexts, authority: Authority, action: Action, kind: FaultKind
) -> None:
    async with Receiver(certificate=authority.issue(HOST), users={"billing": "canary"}) as receiver:
        receiver.tell(At.AUTH, action)
        seconds = STRIKES if action is HANG else 10.0
        result = await opened(contexts, server(receiver.port, Protection.VERIFIED, login=LOGIN), auth=seconds)
        receiver.release()
    assert fault(result) == (kind, Stage.AUTH)
    assert isinstance(result, Failure)
    assert result.tls is not None


# --- the end of a session ---


async def test_a_session_that_the_server_left_is_not_usable(contexts: Contexts) -> None:
    async with Receiver() as receiver:
        session = await opened(contexts, server(receiver.port))
        assert isinstance(session, Session)
        assert session.usable
        await receiver.close()
        await receiver.idle()
        async with asyncio.timeout(10):
            while session.usable:  # the end is on its way through the loop
                await asyncio.sleep(0)
        session.close()


async def test_a_timeout_leaves_no_connection_behind(contexts: Contexts) -> None:
    async with Receiver() as receiver:
        receiver.tell(At.MAIL, HANG)
        session = await opened(contexts, server(receiver.port), mail=STRIKES)
        assert isinstance(session, Session)
        envelope = Envelope(
            mail=b"MAIL FROM:<>\r\n", rcpts=(b"RCPT TO:<a@b.example>\r\n",), recipients=(0,), refused={}
        )
        (evidence,) = await session.transact(envelope, Content(header=b"A: b\r\n", body=empty, small=True))
        assert not session.usable
        receiver.release()
        await receiver.idle()
    assert isinstance(evidence, Fault)
    assert evidence.kind is FaultKind.TIMEOUT


async def test_a_cancelled_transaction_leaves_no_connection_behind(contexts: Contexts) -> None:
    async with Receiver() as receiver:
        receiver.tell(At.DATA, HANG)
        session = await opened(contexts, server(receiver.port))
        assert isinstance(session, Session)
        envelope = Envelope(
            mail=b"MAIL FROM:<>\r\n", rcpts=(b"RCPT TO:<a@b.example>\r\n",), recipients=(0,), refused={}
        )
        content = Content(header=b"A: b\r\n", body=empty, small=True)
        task = asyncio.create_task(session.transact(envelope, content))
        await receiver.reached(At.DATA)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not session.usable
        receiver.release()
        await receiver.idle()


# --- transactions that no honest receiver would make ---


async def scripted(
    contexts: Contexts, *turns: tuple[bytes, bytes], then_close: bool = False
) -> tuple[Session, list[bytes], asyncio.Server]:
    """A session with a server that waits for octets and answers with octets, whatever they are."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        for awaited, answer in ((b"EHLO relay.example\r\n", b"250-x\r\n250 PIPELINING\r\n"), *turns):
            heard.append(await reader.readuntil(awaited))
            writer.write(answer)
        if then_close:
            writer.close()
        else:
            await reader.read()
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    session = await opened(contexts, server(listening.sockets[0].getsockname()[1], Protection.CLEAR))
    assert isinstance(session, Session)
    return session, heard, listening


ENVELOPE = Envelope(
    mail=b"MAIL FROM:<>\r\n", rcpts=(b"RCPT TO:<a@b.example>\r\n",), recipients=(0,), refused={}
)


async def test_a_server_that_waits_for_data_for_nobody_gets_a_lone_dot(contexts: Contexts) -> None:
    session, heard, listening = await scripted(
        contexts,
        (b"DATA\r\n", b"250 ok\r\n550 5.1.1 unknown\r\n354 go\r\n"),
        (b".\r\n", b"554 5.5.1 no recipients\r\n"),
        (b".\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"),
    )
    (evidence,) = await session.transact(ENVELOPE, Content(header=b"A: b\r\n", body=empty, small=True))
    assert isinstance(evidence, Reply)
    assert (evidence.code, evidence.stage) == (550, Stage.RCPT)
    assert heard[2] == b".\r\n"
    assert session.usable
    session.close()
    listening.close()


async def test_a_server_that_waits_for_data_though_it_refused_the_sender_gets_no_content(
    contexts: Contexts,
) -> None:
    session, heard, listening = await scripted(
        contexts,
        (b"DATA\r\n", b"550 5.7.1 no\r\n250 ok\r\n354 go\r\n"),
        (b".\r\n", b"250 ok\r\n"),
    )
    (evidence,) = await session.transact(ENVELOPE, Content(header=b"A: b\r\n", body=empty, small=True))
    assert isinstance(evidence, Reply)
    assert (evidence.code, evidence.stage) == (550, Stage.MAIL)
    assert heard[2] == b".\r\n"
    session.close()
    listening.close()


async def test_a_server_that_says_why_and_goes_while_we_read_the_body_is_heard(contexts: Contexts) -> None:
    session, _, listening = await scripted(
        contexts,
        (b"DATA\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"),
        (b"A: b\r\n", b"552 5.3.4 too much\r\n"),
        then_close=True,
    )

    async def slow() -> AsyncIterator[bytes]:
        async with asyncio.timeout(10):
            while session.usable:
                await asyncio.sleep(0)
        yield b"x\r\n"

    (evidence,) = await session.transact(ENVELOPE, Content(header=b"A: b\r\n", body=slow, small=False))
    assert isinstance(evidence, Reply)
    assert (evidence.code, evidence.stage) == (552, Stage.BODY)
    listening.close()


async def test_a_question_instead_of_an_answer_to_the_dot_leaves_it_uncertain(contexts: Contexts) -> None:
    session, _, listening = await scripted(
        contexts,
        (b"DATA\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"),
        (b"\r\n.\r\n", b"354 more\r\n"),
    )
    (evidence,) = await session.transact(ENVELOPE, Content(header=b"A: b\r\n", body=empty, small=True))
    assert isinstance(evidence, Fault)
    assert (evidence.kind, evidence.stage) == (FaultKind.PROTOCOL, Stage.END)
    assert not session.usable
    listening.close()


async def test_after_a_refused_transaction_a_reset_goes_before_the_next(contexts: Contexts) -> None:
    session, heard, listening = await scripted(
        contexts,
        (b"DATA\r\n", b"250 ok\r\n550 5.1.1 unknown\r\n503 5.5.1 no recipients\r\n"),
        (b"DATA\r\n", b"250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        (b"\r\n.\r\n", b"250 2.0.0 taken\r\n"),
    )
    content = Content(header=b"A: b\r\n", body=empty, small=True)
    (first,) = await session.transact(ENVELOPE, content)
    (second,) = await session.transact(ENVELOPE, content)
    assert first.stage is Stage.RCPT
    assert second.stage is Stage.END
    assert heard[2].startswith(b"RSET\r\nMAIL FROM:<>\r\n")
    assert heard[3] == b"A: b\r\n\r\nx\r\n.\r\n"
    session.close()
    listening.close()
