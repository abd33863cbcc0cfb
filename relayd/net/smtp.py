"""The door to aiosmtplib: a session with one server, opened once, good for many transactions.

aiosmtplib greets, says EHLO, starts TLS and logs in. Transactions are ours (see docs/decisions/0004): they
are pipelined, the body is streamed, each stage has its deadline, and whatever happens comes out as evidence
that names the stage. Nothing here raises for what a server or the network does.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import functools
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from relayd.core import bearer, dialogue
from relayd.core.delivery import Tls, TlsFlaw
from relayd.core.dialogue import Envelope, Offers, Protection, Stuffer
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage, clean
from relayd.core.sender import Secret
from relayd.crashpoints import crashpoint
from relayd.net.tls import Contexts, certificate_text, handshake_error
from relayd.net.tls import flaw as flaw_of
from relayd.net.wire import Gone, NotSmtp, Wire

SLICE = 65_536
"""Octets written before looking whether the line took them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Seconds for each stage. RFC 5321 section 4.5.3.2 where it says so."""

    connect: float = 20.0  # not in the RFC; a dead IPv6 must leave time for IPv4
    banner: float = 300.0
    ehlo: float = 300.0
    tls: float = 60.0  # not in the RFC: one answer and a handshake
    auth: float = 180.0  # RFC 4954 section 4
    mail: float = 300.0
    rcpt: float = 300.0
    data: float = 120.0
    progress: float = 180.0  # without one octet taken: the RFC's deadline for a block of data
    end: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What logs us in. `mechanism` is PLAIN or LOGIN; None takes the first of these that is offered."""

    username: str
    password: Secret
    mechanism: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """What logs us in with an access token. `mechanism` None takes what is offered (`core.bearer`); `before`
    is the token that was refused just now, which the server may still repeat."""

    username: str
    token: Secret
    mechanism: str | None = None
    before: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Whom to connect to. `ip` was checked; `host` is the name for TLS and for people."""

    host: str
    ip: str
    port: int
    protection: Protection
    login: Login | Bearer | None = None
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """No session. `tls` is how the connection was protected when it failed, `flaw` what was wrong with the
    handshake where that failed."""

    evidence: Evidence
    tls: Tls | None = None
    flaw: TlsFlaw | None = None


Passed = Callable[[Stage, str], None]
"""Told of each stage that went well, and what was seen there (for people), as it happens."""


async def connect(
    server: Server,
    *,
    hostname: str,
    contexts: Contexts,
    deadlines: Deadlines | None = None,
    passed: Passed | None = None,
) -> Session | Failure:
    """Open a session: connected, greeted, protected and logged in as asked. `hostname` is our own name for
    EHLO. A login is never sent over a connection that isn't verified, and exactly once."""
    deadlines = deadlines or Deadlines()
    opened = await _open_socket(server, deadlines.connect)
    if isinstance(opened, Fault):
        return Failure(evidence=opened)
    if passed is not None:
        passed(Stage.CONNECT, f"{server.ip} port {server.port}")
    return await _Opening(server, opened, hostname, contexts, deadlines, passed).run()


async def _open_socket(server: Server, deadline: float) -> socket.socket | Fault:
    def fault(kind: FaultKind, what: str) -> Fault:
        where = f"{server.host} [{server.ip}]:{server.port}"
        return Fault(kind=kind, text=f"{where}: {what}", stage=Stage.CONNECT, host=server.host)

    family = socket.AF_INET6 if ":" in server.ip else socket.AF_INET
    try:
        opened = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # out of file descriptors, or no such family on this machine
        no_family = error.errno == errno.EAFNOSUPPORT
        return fault(
            FaultKind.UNREACHABLE if no_family else FaultKind.INTERNAL, error.strerror or "no socket"
        )
    try:
        opened.setblocking(False)
        async with asyncio.timeout(deadline):
            await asyncio.get_running_loop().sock_connect(opened, (server.ip, server.port))
    except BaseException as error:
        opened.close()
        if isinstance(error, TimeoutError):
            return fault(FaultKind.TIMEOUT, "no answer to the connection")
        if isinstance(error, ConnectionError):
            return fault(FaultKind.REFUSED, "the connection was refused")
        if isinstance(error, OSError):
            return fault(FaultKind.UNREACHABLE, error.strerror or "can't be reached")
        raise
    return opened


async def reaches(ip: str, port: int, seconds: float) -> bool:
    """Whether anything takes a connection there. Nothing is said to it."""
    server = Server(host=ip, ip=ip, port=port, protection=Protection.CLEAR)
    opened = await _open_socket(server, seconds)
    if isinstance(opened, Fault):
        return False
    opened.close()
    return True


class _Failed(Exception):
    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence


class _Opening:
    """The steps from an open socket to a session."""

    def __init__(
        self,
        server: Server,
        opened: socket.socket,
        hostname: str,
        contexts: Contexts,
        deadlines: Deadlines,
        passed: Passed | None,
    ) -> None:
        self._server = server
        self._socket = opened
        self._hostname = hostname
        self._contexts = contexts
        self._deadlines = deadlines
        self._passed = passed
        self._stage = Stage.BANNER
        self._tls: Tls | None = None

    async def run(self) -> Session | Failure:
        server = self._server
        implicit = server.protection is Protection.IMPLICIT
        verified = implicit or server.protection is Protection.VERIFIED
        try:
            context = self._contexts.verified(server.ca_file) if verified else self._contexts.opportunistic
            client = aiosmtplib.SMTP(
                hostname=server.host,
                sock=self._socket,
                local_hostname=self._hostname,
                use_tls=implicit,
                start_tls=False,
                tls_context=context,
            )
        except (OSError, ValueError) as error:
            self._socket.close()
            return Failure(evidence=self._fault(FaultKind.INTERNAL, str(error)))
        try:
            await self._greet(client, implicit)
            if implicit:
                self._look_at_tls(client, verified=True)
            offers = await self._ehlo(client)
            if not implicit and await self._start_tls(client, offers, verified=verified):
                offers = await self._ehlo(client)
            if server.login is not None:
                await self._log_in(client, server.login, offers)
            transport = client.transport
            if transport is None or transport.is_closing():
                raise _Failed(self._fault(FaultKind.CLOSED, "the connection was closed"))
        except _Failed as failed:
            client.close()
            return Failure(evidence=failed.evidence, tls=self._tls)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            evidence = self._evidence(error)
            flaw = flaw_of(error) if evidence.stage is Stage.TLS else None
            return Failure(evidence=evidence, tls=self._tls, flaw=flaw)
        except BaseException:
            client.close()
            raise
        return Session(
            wire=Wire(cast(asyncio.Transport, transport)),
            server=server,
            offers=offers,
            tls=self._tls,
            deadlines=self._deadlines,
        )

    def _tell(self, seen: Callable[[], str]) -> None:
        if self._passed is not None:
            self._passed(self._stage, seen())

    async def _greet(self, client: aiosmtplib.SMTP, implicit: bool) -> None:
        try:
            said = await client.connect(timeout=self._deadlines.tls if implicit else self._deadlines.banner)
            self._tell(lambda: clean(said.message))
        except aiosmtplib.SMTPConnectError as error:
            # aiosmtplib has one error for a handshake that failed and for a greeting that never came.
            if (
                implicit
                and not isinstance(error.__cause__, aiosmtplib.SMTPException)
                and not isinstance(error, aiosmtplib.SMTPResponseException)
            ):
                self._stage = Stage.TLS
            raise

    async def _ehlo(self, client: aiosmtplib.SMTP) -> Offers:
        self._stage = Stage.EHLO
        try:
            await client.ehlo(timeout=self._deadlines.ehlo)
        except aiosmtplib.SMTPHeloError as error:
            if not (500 <= error.code <= 599 and client.is_connected):
                raise
            await client.helo(timeout=self._deadlines.ehlo)  # RFC 5321 section 3.2: servers without EHLO
        offers = Offers.read(client.esmtp_extensions, client.server_auth_methods)
        said = client.esmtp_extensions.items()
        self._tell(lambda: clean(", ".join(f"{name.upper()} {value}".strip() for name, value in said)))
        return offers

    async def _start_tls(self, client: aiosmtplib.SMTP, offers: Offers, *, verified: bool) -> bool:
        protection = self._server.protection
        if protection is Protection.CLEAR or (protection is Protection.OFFERED and not offers.starttls):
            return False
        self._stage = Stage.TLS
        if not offers.starttls:
            text = f"{self._server.host} does not offer STARTTLS, which is required here"
            raise _Failed(self._fault(FaultKind.TLS_REQUIRED, text))
        await client.starttls(timeout=self._deadlines.tls)
        self._look_at_tls(client, verified=verified)
        return True

    def _look_at_tls(self, client: aiosmtplib.SMTP, *, verified: bool) -> None:
        ssl_object = client.get_transport_info("ssl_object")
        self._tls = self._contexts.judged(ssl_object, self._server.host, verified=verified)
        self._stage = Stage.TLS
        protection = self._tls
        self._tell(lambda: f"{protection.version}, {certificate_text(ssl_object)}")

    async def _log_in(self, client: aiosmtplib.SMTP, login: Login | Bearer, offers: Offers) -> None:
        """One mechanism, one try: each further one counts against the account as a wrong password."""
        self._stage = Stage.AUTH
        if self._tls is None or self._server.protection not in (Protection.VERIFIED, Protection.IMPLICIT):
            text = f"no login at {self._server.host} without verified TLS"
            raise _Failed(self._fault(FaultKind.TLS_REQUIRED, text))
        usual = bearer.MECHANISMS if isinstance(login, Bearer) else ("PLAIN", "LOGIN")
        wanted = (login.mechanism,) if login.mechanism else usual
        mechanism = next((name for name in wanted if name in offers.auth), None)
        if mechanism is None:
            offered = (
                ", ".join(offers.auth) or "no login at all, as servers do that only receive mail (an MX)"
            )
            text = f"{self._server.host} offers {offered}; we can {' and '.join(wanted)}"
            raise _Failed(self._fault(FaultKind.MECHANISM, clean(text)))
        if isinstance(login, Bearer):
            await self._show_token(client, login, mechanism)
            return
        log_in = client.auth_plain if mechanism == "PLAIN" else client.auth_login
        try:
            said = await log_in(login.username, login.password.value, timeout=self._deadlines.auth)
            self._tell(lambda: f"{mechanism} {said.code} {clean(_without_secrets(said.message, login))}")
        except aiosmtplib.SMTPResponseException as error:
            text = _without_secrets(error.message, login)
            raise _Failed(dialogue.heard(error.code, text, self._stage, self._server.host)) from None

    async def _show_token(self, client: aiosmtplib.SMTP, login: Bearer, mechanism: str) -> None:
        """RFC 7628 section 3, and XOAUTH2, which differs in what is said and not in when."""
        server = self._server
        respond = functools.partial(
            bearer.first_response, mechanism, username=login.username, host=server.host, port=server.port
        )
        shown = [login.token] if login.before is None else [login.token, login.before]
        first = respond(token=login.token).encode()
        begin, timeout = b"AUTH " + mechanism.encode(), self._deadlines.auth
        if len(begin) + len(first) + 3 <= bearer.LINE_MAX:
            reply = await client.execute_command(begin, first, timeout=timeout)
        else:
            reply = await client.execute_command(begin, timeout=timeout)
            if reply.code == 334:
                reply = await client.execute_command(first, timeout=timeout)
        why = None
        if reply.code == 334:  # what is wrong with the token; the reply itself comes after it
            why = bearer.complaint(reply.message)
            reply = await client.execute_command(bearer.last_response(mechanism).encode(), timeout=timeout)
        if reply.code != 235:
            text = _without(
                reply.message, *(text for each in shown for text in (each.value, respond(token=each)))
            )
            text += f" ({why})" if why and why not in text else ""
            raise _Failed(dialogue.heard(reply.code, text, self._stage, server.host))

    def _evidence(self, error: BaseException) -> Evidence:
        host, stage = self._server.host, self._stage
        if stage is Stage.TLS:
            return self._fault(FaultKind.TLS, _tls_text(error))
        if isinstance(error, aiosmtplib.SMTPResponseException):
            return dialogue.heard(error.code, error.message, stage, host)
        if isinstance(error, TimeoutError):
            return self._fault(FaultKind.TIMEOUT, "no answer in time")
        if isinstance(error, OSError):
            return self._fault(FaultKind.CLOSED, "the connection was closed")
        return self._fault(FaultKind.INTERNAL, f"{type(error).__name__}")

    def _fault(self, kind: FaultKind, text: str) -> Fault:
        return Fault(kind=kind, text=text, stage=self._stage, host=self._server.host)


def _without_secrets(text: str, login: Login) -> str:
    """Servers that don't understand a command like to repeat it, and what we said had the password in it."""
    password, username = login.password.value.encode(), login.username.encode()
    blobs = [b"\0" + username + b"\0" + password, password]
    return _without(text, *(base64.b64encode(blob).decode() for blob in blobs), login.password.value)


def _without(text: str, *secrets: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _tls_text(error: BaseException | None) -> str:
    """Why a handshake failed, for people."""
    if (said := handshake_error(error)) is not None:
        return said
    if isinstance(error, aiosmtplib.SMTPResponseException):
        known = error.code > 0  # else it was no reply, and none of it is shown
        return (
            f"STARTTLS was refused: {error.code} {clean(error.message)}" if known else "no answer to STARTTLS"
        )
    if isinstance(error, TimeoutError):
        return "the TLS handshake took too long"
    return "the connection was closed during the TLS handshake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What follows DATA: the dressed header block (without the blank line), and the body as often as it is
    asked for. `small` content is gathered and written at once."""

    header: bytes
    body: Callable[[], AsyncIterator[bytes]]
    small: bool


class Session:
    """An open connection to a server that is ready for a transaction. One transaction at a time."""

    def __init__(
        self, *, wire: Wire, server: Server, offers: Offers, tls: Tls | None, deadlines: Deadlines
    ) -> None:
        self._wire = wire
        self._deadlines = deadlines
        self._reset = False  # the server still has half a transaction
        self._broken = False
        self.server = server
        self.offers = offers
        self.tls = tls
        self.uses = 0
        self.opened = time.monotonic()

    @property
    def usable(self) -> bool:
        """Whether another transaction may be tried. A server that went away meanwhile shows here."""
        return not self._broken and self._wire.quiet

    def close(self) -> None:
        """Take leave without waiting for the answer (so does Postfix: smtp_skip_quit_response)."""
        if self.usable:
            self._wire.close(b"QUIT\r\n")
        else:
            self._wire.abort()

    async def ask(self, line: bytes, stage: Stage) -> Evidence:
        """Say one command by itself, and what came of it; for who goes step by step and sends nothing."""
        try:
            self._wire.write(line)
            raw = await self._wire.reply(getattr(self._deadlines, stage.value))
            return dialogue.reply(raw, stage=stage, host=self.server.host)
        except (Gone, TimeoutError, NotSmtp) as error:
            self._broken = True
            self._wire.abort()
            kind = FaultKind.TIMEOUT if isinstance(error, TimeoutError) else FaultKind.CLOSED
            text = f"{self.server.host} " + (
                "did not answer in time" if kind is FaultKind.TIMEOUT else "closed the connection"
            )
            if isinstance(error, NotSmtp):
                return dialogue.not_smtp(stage, self.server.host)
            return Fault(kind=kind, text=text, stage=stage, host=self.server.host)

    async def transact(self, envelope: Envelope, content: Content) -> list[Evidence]:
        """One transaction. Returns what decided for each recipient of the envelope, in order: an END reply
        with a code of 250 is delivery. Raises only what reading the body raises; nothing was sent then."""
        self.uses += 1
        transaction = _Transaction(self._wire, envelope, self.server.host, self._deadlines)
        try:
            await transaction.run(content, reset=self._reset, pipelining=self.offers.pipelining)
        except BaseException:
            self._broken = True
            self._wire.abort()
            raise
        self._reset = transaction.needs_reset
        if transaction.broken:
            self._broken = True
            self._wire.abort()
        return transaction.evidence()


class _Transaction:
    """MAIL to the answer to the final dot."""

    def __init__(self, wire: Wire, envelope: Envelope, host: str, deadlines: Deadlines) -> None:
        self._wire = wire
        self._envelope = envelope
        self._host = host
        self._deadlines = deadlines
        self._stage = Stage.MAIL
        self._found: list[Evidence | None] = [None] * len(envelope.rcpts)
        self.broken = False
        self.needs_reset = False

    def evidence(self) -> list[Evidence]:
        assert all(self._found), "every recipient has its evidence"
        return [found for found in self._found if found is not None]

    async def run(self, content: Content, *, reset: bool, pipelining: bool) -> None:
        try:
            try:
                if await self._announce(reset=reset, pipelining=pipelining):
                    await self._upload(content)
            except Gone:
                if not (self._stage is Stage.BODY and self._wire.pending):
                    raise
                await self._interrupted()  # it said why before it went
        except Gone:
            self._break(self._fault(FaultKind.CLOSED, f"{self._host} closed the connection"))
        except TimeoutError:
            self._break(self._fault(FaultKind.TIMEOUT, f"{self._host} did not answer in time"))
        except NotSmtp:
            self._break(dialogue.not_smtp(self._stage, self._host))

    async def _announce(self, *, reset: bool, pipelining: bool) -> bool:
        """MAIL, RCPT and DATA. True: the server waits for the message."""
        steps = [(Stage.MAIL, self._envelope.mail), *((Stage.RCPT, line) for line in self._envelope.rcpts)]
        steps.append((Stage.DATA, b"DATA\r\n"))
        if reset:
            steps.insert(0, (Stage.MAIL, b"RSET\r\n"))
        if pipelining:
            self._wire.write(b"".join([line for _, line in steps]))
        rcpt = 0
        for stage, line in steps:
            self._stage = stage
            if not pipelining:
                if stage is Stage.DATA and not self._waiting():
                    self.needs_reset = True
                    return False
                if self._wire.pending:
                    raise NotSmtp  # an answer to a question we have not asked
                self._wire.write(line)
            negative = await self._hear(stage)
            if negative is None:
                rcpt += stage is Stage.RCPT
            elif isinstance(negative, Fault) or negative.code == 421:  # RFC 5321 section 3.8: it closes
                self._break(negative)
                return False
            elif stage is Stage.RCPT:
                self._found[rcpt] = self._found[rcpt] or negative  # after a refused MAIL that one counts
                rcpt += 1
            else:
                self._decide(negative)
                self.needs_reset = stage is Stage.DATA
                if not pipelining:
                    return False
        return await self._begun()

    async def _begun(self) -> bool:
        """The server said 354, or it did not. What is decided already is not sent to anybody."""
        if self.needs_reset:
            return False
        if self._wire.pending:
            self._stage = Stage.BODY
            await self._interrupted()
            return False
        if not self._waiting():
            # RFC 2920 section 3.1: nobody to send it to, but it waits for data; a lone dot ends that.
            self._wire.write(b".\r\n")
            await self._wire.reply(self._deadlines.end)
            return False
        return True

    async def _hear(self, stage: Stage) -> Evidence | None:
        """None: yes, go on. Else the negative reply, or a PROTOCOL fault for an answer that is neither."""
        deadline = getattr(self._deadlines, stage.value)
        raw = await self._wire.reply(deadline)
        if raw.startswith(b"3" if stage is Stage.DATA else b"2"):
            return None
        heard = dialogue.reply(raw, stage=stage, host=self._host)
        if isinstance(heard, Reply) and heard.code < 400:
            return dialogue.not_smtp(stage, self._host)
        return heard

    async def _upload(self, content: Content) -> None:
        self._stage = Stage.BODY
        stuffer = Stuffer()
        head = stuffer.stuff(content.header + b"\r\n")
        if content.small:
            pieces = [stuffer.stuff(chunk) async for chunk in content.body()]
            if self._wire.pending:
                return await self._interrupted()
            crashpoint("courier.before_dot")
            self._wire.write(b"".join((head, *pieces, stuffer.end())))
        else:
            self._wire.write(head)
            async for chunk in content.body():
                if not await self._send(stuffer.stuff(chunk)):
                    return await self._interrupted()
            crashpoint("courier.before_dot")
            self._wire.write(stuffer.end())
        self._stage = Stage.END  # from here on it may have arrived
        await self._wire.flushed(self._deadlines.progress)
        crashpoint("courier.after_dot")
        raw = await self._wire.reply(self._deadlines.end)
        crashpoint("courier.answered")
        heard = dialogue.reply(raw, stage=Stage.END, host=self._host)
        if isinstance(heard, Reply) and 300 <= heard.code <= 399:
            heard = dialogue.not_smtp(Stage.END, self._host)
        if isinstance(heard, Fault) or heard.code == 421:
            self._break(heard)
        self._decide(heard)
        return None

    async def _send(self, data: bytes) -> bool:
        """False when the server began to talk, which it should not before the dot."""
        view = memoryview(data)
        for start in range(0, len(view), SLICE):
            self._wire.write(bytes(view[start : start + SLICE]))
            await self._wire.drained(self._deadlines.progress)
            if self._wire.pending:
                return False
        return True

    async def _interrupted(self) -> None:
        """An answer before the dot: a refusal counts, and nothing was delivered either way."""
        heard = dialogue.reply(
            await self._wire.reply(self._deadlines.data), stage=Stage.BODY, host=self._host
        )
        if isinstance(heard, Reply) and heard.code < 400:
            heard = dialogue.not_smtp(Stage.BODY, self._host)
        self._break(heard)

    def _waiting(self) -> bool:
        return any(found is None for found in self._found)

    def _decide(self, evidence: Evidence) -> None:
        self._found = [found if found is not None else evidence for found in self._found]

    def _break(self, evidence: Evidence) -> None:
        self.broken = True
        self._decide(evidence)

    def _fault(self, kind: FaultKind, text: str) -> Fault:
        return Fault(kind=kind, text=text, stage=self._stage, host=self._host)


__all__ = ["Bearer", "Content", "Deadlines", "Failure", "Login", "Server", "Session", "connect", "reaches"]
