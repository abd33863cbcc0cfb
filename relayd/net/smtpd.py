"""The door for SMTP coming in, on aiosmtpd's class: the commands of one connection.

What aiosmtpd gives and what is ours is listed in docs/decisions/0002.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from functools import partial

from aiosmtpd.smtp import Envelope, Session

from relayd.core import answer, commands
from relayd.core.address import Address
from relayd.core.answer import Answer
from relayd.core.commands import CommandError, Credentials
from relayd.crashpoints import crashpoint
from relayd.net.smtpd_line import Later, Line, foreign
from relayd.net.smtpd_terms import Client, Gate, Peer, Terms

log = logging.getLogger("relayd.smtpd")

COMMAND_MAX = (
    2048  # octets: RFC 5321 says 512 and more for extensions; UTF-8 addresses of 254 need about 1,100
)
AUTH_MAX = 12_288  # octets of a line of AUTH, RFC 4954 section 4
JUNK_MAX = 100  # commands that bring no message nearer, Postfix smtpd_junk_command_limit
LOGINS_MAX = 3  # failed logins, as chasquid has it

_NOT_OFFERED = frozenset(b"EXPN TURN ETRN ATRN SEND SOML SAML XCLIENT XFORWARD BURL".split())
# RFC 2920 section 3.1, RFC 4954 section 4; without NOOP, VRFY and QUIT: nothing that follows depends on them.
_LAST_OF_GROUP = frozenset({b"HELO", b"EHLO", b"LHLO", b"DATA", b"STARTTLS", b"AUTH"})
_NEED_LOGIN = frozenset({b"MAIL", b"RCPT", b"DATA", b"VRFY"})
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class Connection(Line):
    """One client, from greeting to goodbye."""

    session: Session
    envelope: Envelope

    def __init__(
        self,
        *,
        terms: Terms,
        gate: Gate,
        client: Callable[[Peer], Client],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(terms=terms, gate=gate, loop=loop)
        self._new_client = client
        self._junk = self._failed_logins = 0

    def _start_over(self) -> None:
        """Nothing is known of the client: at the start, and again after STARTTLS (RFC 3207 section 4.2)."""
        self.envelope = Envelope()
        self.session = Session(self.loop)
        self._client = self._new_client(self._peer)
        self._expected: Callable[[bytes], None] | None = None

    def _greet(self) -> None:
        self._start_over()
        if self._buffer:
            early = bytes(self._buffer).partition(b"\r\n")[0]
            self._say(foreign(early) or answer.EARLY_TALKER())
            return
        greeting = answer.GREETING_LMTP if self._terms.lmtp else answer.GREETING
        self._say(greeting(self._terms.hostname))

    def _forget(self) -> Later | None:
        return self._client.reset()

    def _obey(self, line: bytes) -> Later | None:
        if self._expected is not None:
            then, self._expected = self._expected, None
            return self._try(b"AUTH", partial(self._log_in_further, then), line)
        word, _, argument = line[:-2].partition(b" ")
        verb = word.upper()
        command = _COMMANDS.get(verb)
        limit = AUTH_MAX if verb == b"AUTH" else COMMAND_MAX
        if len(line) > limit:
            self._say(answer.LINE_TOO_LONG(len(line), limit))
        elif _CONTROL.search(line, 0, len(line) - 2) is not None:
            self._say(answer.CONTROL(line[:-2].decode("utf-8", "replace")))
        elif command is None:
            self._say(self._unknown(word, verb, line))
        elif verb in _LAST_OF_GROUP and self._buffer:
            self._say(answer.OUT_OF_STEP(verb.decode("ascii")))
        elif self._terms.login_required and verb in _NEED_LOGIN and not self._client.logged_in:
            self._say(answer.LOGIN_FIRST() if self._may_log_in else answer.TLS_FIRST())
        else:
            return self._try(verb, partial(command, self), argument.strip(b" "))
        return None

    def _try(self, verb: bytes, command: Callable[[bytes], Later | None], argument: bytes) -> Later | None:
        try:
            later = command(argument)
        except CommandError as error:
            self._say(error.answer)
            return None
        except Exception:
            return self._fault(verb)
        return None if later is None else self._carefully(later, verb)

    async def _carefully(self, later: Later, verb: bytes) -> None:
        try:
            await later
        except CommandError as error:
            self._say(error.answer)
        except (ConnectionError, ssl.SSLError):
            raise
        except Exception:
            if (left := self._fault(verb)) is not None:
                await left

    def _fault(self, verb: bytes) -> Later | None:
        log.exception("the command %s met a fault", verb.decode("ascii"))
        self._say(answer.FAULT())
        return self._forget_message()

    def _unknown(self, word: bytes, verb: bytes, line: bytes) -> Answer:
        if verb == b"BDAT":
            return answer.BDAT()
        if verb in _NOT_OFFERED:
            return answer.NOT_OFFERED(verb.decode("ascii"))
        return foreign(line[:-2]) or answer.UNKNOWN_COMMAND(word.decode("utf-8", "replace"))

    def _too_much_junk(self) -> bool:
        """Count a command that brings no message nearer."""
        self._junk += 1
        if self._junk > JUNK_MAX:
            self._say(answer.JUNK(self._junk))
            return True
        return False

    def _unwanted(self, verb: str, argument: bytes) -> bool:
        if argument:
            self._say(answer.ARGUMENT_UNWANTED(verb, argument.decode("utf-8", "replace")))
        return bool(argument)

    # -- greeting ---------------------------------------------------------------------------------------

    def _helo(self, argument: bytes) -> Later | None:
        return self._hello("HELO", argument)

    def _ehlo(self, argument: bytes) -> Later | None:
        return self._hello("EHLO", argument)

    def _lhlo(self, argument: bytes) -> Later | None:
        return self._hello("LHLO", argument)

    def _hello(self, verb: str, argument: bytes) -> Later | None:
        if self._terms.lmtp != (verb == "LHLO"):
            self._say(answer.USE_LHLO(verb) if self._terms.lmtp else answer.USE_EHLO())
            return None
        if self._too_much_junk():
            return None
        self.session.host_name = commands.parse_hello(argument)
        self.session.extended_smtp = verb != "HELO"
        if verb == "HELO":
            self._say(answer.HELO_OK(self._terms.hostname))
        else:
            self._replies.append(self._extensions())
        return self._forget_message()

    def _extensions(self) -> bytes:
        lines = [
            self._terms.hostname,
            "PIPELINING",
            f"SIZE {self._terms.size}",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
        ]
        if self._terms.tls is not None and not self._secure:
            lines.append("STARTTLS")
        if self._may_log_in:
            lines.append("AUTH PLAIN LOGIN")
        return ("".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n").encode("ascii")

    @property
    def _may_log_in(self) -> bool:
        return self._terms.login_offered and (self._secure or self._peer.local)

    def _greeted(self, verb: str) -> bool:
        if self.session.host_name is None:
            self._say(answer.HELLO_FIRST(verb, "LHLO" if self._terms.lmtp else "EHLO"))
            return False
        return True

    # -- a message --------------------------------------------------------------------------------------

    def _mail(self, argument: bytes) -> None:
        if not self._greeted("MAIL"):
            return
        if self.envelope.mail_from is not None:
            self._say(answer.NESTED_MAIL())
            return
        mail = commands.parse_mail(argument, extended=self.session.extended_smtp, limit=self._terms.size)
        no = self._client.mail(mail)
        if no is not None:
            self._say(no)
            return
        self.envelope.mail_from = str(mail.address or "")
        self.envelope.smtp_utf8 = mail.smtputf8
        self._say(answer.MAIL_OK())

    def _rcpt(self, argument: bytes) -> Later | None:
        if not self._greeted("RCPT"):
            return None
        if self.envelope.mail_from is None:
            self._say(answer.MAIL_FIRST("RCPT"))
            return None
        extended, smtputf8 = self.session.extended_smtp, self.envelope.smtp_utf8
        try:
            address = commands.parse_rcpt(argument, extended=extended, smtputf8=smtputf8)
        except CommandError as error:
            self._say(self._client.refuse(error.written, error.answer) if error.written else error.answer)
            return None
        reply = self._client.rcpt(address)
        if not isinstance(reply, Answer):
            return self._look_up(address, reply)
        self._take(address, reply)
        return None

    async def _look_up(self, address: Address, reply: Awaitable[Answer]) -> None:
        self._take(address, await reply)

    def _take(self, address: Address, reply: Answer) -> None:
        if reply.positive:
            self.envelope.rcpt_tos.append(str(address))
        self._say(reply)

    def _data(self, argument: bytes) -> Later | None:
        if not self._greeted("DATA") or self._unwanted("DATA", argument):
            return None
        if self.envelope.mail_from is None:
            self._say(answer.MAIL_FIRST("DATA"))
        elif not self.envelope.rcpt_tos:
            self._say(answer.NO_RECIPIENTS())
        else:
            return self._receive()
        return None

    async def _receive(self) -> None:
        incoming = self._client.data()
        try:
            complete = await self._read_message(incoming)
        except BaseException:
            await incoming.discard()
            raise
        if not complete:
            await incoming.discard()
            return
        answers = await incoming.finish()
        self.envelope = Envelope()
        for one in answers:
            self._say(one)
        if any(one.positive for one in answers):
            self._errors = self._junk = 0
        self._flush()
        crashpoint("intake.after_answer")

    def _rset(self, argument: bytes) -> Later | None:
        if self._too_much_junk() or self._unwanted("RSET", argument):
            return None
        self._say(answer.RESET())
        return self._forget_message()

    def _forget_message(self) -> Later | None:
        """Whatever ends a message forgets all of it, also a refusal after its content: Postfix once kept
        sender and recipients there, and a second message passed unchecked (its HISTORY, 20260803)."""
        self.envelope = Envelope()
        return self._client.reset()

    # -- the rest ---------------------------------------------------------------------------------------

    def _noop(self, argument: bytes) -> None:
        if not self._too_much_junk():
            self._say(answer.NOOP())

    def _help(self, argument: bytes) -> None:
        if not self._too_much_junk():
            self._say(answer.HELP())

    def _vrfy(self, argument: bytes) -> None:
        if not self._too_much_junk():
            self._say(
                answer.VRFY() if argument else answer.ARGUMENT_MISSING("VRFY", "VRFY local-part@domain")
            )

    def _quit(self, argument: bytes) -> None:
        self._say(answer.QUIT())

    def _starttls(self, argument: bytes) -> Later | None:
        if self._secure:
            self._say(answer.TLS_TWICE())
        elif self._terms.tls is None:
            self._say(answer.NOT_OFFERED("STARTTLS"))
        elif not self._unwanted("STARTTLS", argument):
            return self._secured()
        return None

    async def _secured(self) -> None:
        if (later := self._forget_message()) is not None:
            await later
        if await self._start_tls():
            self._start_over()

    def _auth(self, argument: bytes) -> None:
        if not self._greeted("AUTH"):
            return
        if not self._terms.login_offered or not self.session.extended_smtp:
            self._say(answer.NOT_OFFERED("AUTH"))
        elif not self._may_log_in:
            self._say(answer.LOGIN_NEEDS_TLS())
        elif self.session.authenticated:
            self._say(answer.LOGIN_TWICE())
        elif self.envelope.mail_from is not None:
            self._say(answer.LOGIN_IN_MAIL())
        else:
            mechanism, _, initial = argument.partition(b" ")
            self._log_in(mechanism.upper(), initial.strip())

    def _log_in(self, mechanism: bytes, initial: bytes) -> None:
        if mechanism == b"PLAIN":
            self._ask(b"", initial, self._plain)
        elif mechanism == b"LOGIN":
            self._ask(b"VXNlcm5hbWU6", initial, self._username)  # "Username:"
        else:
            self._say(answer.LOGIN_MECHANISM(mechanism.decode("utf-8", "replace")))

    def _ask(self, challenge: bytes, initial: bytes, then: Callable[[bytes], None]) -> None:
        """One step of a login."""
        if initial:
            then(commands.decode_base64(initial))
        else:
            self._expected = then
            self._replies.append(b"334 " + challenge + b"\r\n")

    def _log_in_further(self, then: Callable[[bytes], None], line: bytes) -> None:
        if len(line) > AUTH_MAX:
            raise CommandError(answer.LINE_TOO_LONG(len(line), AUTH_MAX))
        then(commands.decode_base64(line[:-2]))

    def _plain(self, response: bytes) -> None:
        self._check(commands.plain_credentials(response))

    def _username(self, username: bytes) -> None:
        self._ask(b"UGFzc3dvcmQ6", b"", partial(self._password, username))  # "Password:"

    def _password(self, username: bytes, password: bytes) -> None:
        self._check(commands.credentials(username, password))

    def _check(self, credentials: Credentials) -> None:
        reply = self._client.log_in(credentials)
        if reply.positive:
            self.session.authenticated = True
        else:
            self._failed_logins += 1
            if self._failed_logins >= LOGINS_MAX and not reply.close:
                reply = answer.LOGIN_ATTEMPTS(self._failed_logins)
        self._say(reply)


_COMMANDS: dict[bytes, Callable[[Connection, bytes], Later | None]] = {
    b"HELO": Connection._helo,
    b"EHLO": Connection._ehlo,
    b"LHLO": Connection._lhlo,
    b"MAIL": Connection._mail,
    b"RCPT": Connection._rcpt,
    b"DATA": Connection._data,
    b"RSET": Connection._rset,
    b"NOOP": Connection._noop,
    b"HELP": Connection._help,
    b"VRFY": Connection._vrfy,
    b"QUIT": Connection._quit,
    b"STARTTLS": Connection._starttls,
    b"AUTH": Connection._auth,
}
