"""The arguments of MAIL, RCPT, EHLO and AUTH, read strictly (RFC 5321 section 4.1.2 and its extensions).

Nothing is guessed: a library that is lenient here has let `<@a,@b:c@d>` become `c@d` and `<a(c)@x>` become
`a@x`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from relayd.core import answer
from relayd.core.address import Address, AddressError, parse
from relayd.core.answer import Answer, Row

# A blank after the colon is against RFC 5321, but harmless; too many old scripts send it to refuse it.
_PATH = rb' *+<((?:"[^"\\\r\n]*+(?:\\[^\r\n][^"\\\r\n]*+)*"|[^"<> \r\n]++)*)>'
_MAIL = re.compile(rb"FROM:%b((?: .*+)?)" % _PATH, re.IGNORECASE)
_RCPT = re.compile(rb"TO:%b((?: .*+)?)" % _PATH, re.IGNORECASE)
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*+)(?:=([!-<>-~\x80-\xff]++))?")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]++|\+[2-7][0-9A-F])+")  # RFC 3461 section 4, without encoded controls
_HOST_NAME = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_])?|\[[0-9A-Za-z:.]{2,60}\]")


class CommandError(Exception):
    """This command is not understood or not allowed; `answer` says so. `written` is the path as it was sent,
    where there was one."""

    def __init__(self, answer: Answer, written: str = "") -> None:
        super().__init__(answer.text)
        self.answer = answer
        self.written = written


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFrom:
    address: Address | None  # None is <>, the null reverse-path
    size: int | None  # octets the client announced (RFC 1870)
    smtputf8: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a client logs in with. Never logged."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


_NULL_PATH = MailFrom(address=None, size=None, smtputf8=False)


def parse_mail(argument: bytes, *, extended: bool, limit: int) -> MailFrom:
    """`FROM:<path> [SIZE=n] [BODY=7BIT|8BITMIME] [SMTPUTF8] [AUTH=xtext]`. Raises CommandError.

    `extended`: the client greeted with EHLO or LHLO; without, no parameter is allowed. `limit`: octets.
    """
    path, rest = _split(_MAIL, argument, answer.MAIL_SYNTAX)
    size, smtputf8 = _mail_parameters(rest, extended, limit) if rest else (None, False)
    if not path:
        return MailFrom(address=None, size=size, smtputf8=smtputf8) if rest else _NULL_PATH
    return MailFrom(address=_address(path, smtputf8, sender=True), size=size, smtputf8=smtputf8)


def parse_rcpt(argument: bytes, *, extended: bool, smtputf8: bool) -> Address:
    """`TO:<path>`; we offer no parameter. Raises CommandError."""
    path, rest = _split(_RCPT, argument, answer.RCPT_SYNTAX)
    address = _address(path, smtputf8, sender=False)
    for name in _parameters(rest, extended):
        raise CommandError(answer.PARAMETER_UNKNOWN(name))
    return address


def parse_hello(argument: bytes) -> str:
    """The name behind HELO, EHLO or LHLO: a host name or an address literal. Nothing is decided by it, so
    underscores and single labels pass. Raises CommandError."""
    if _HOST_NAME.fullmatch(argument) is None:
        raise CommandError(answer.EHLO_NAME(argument.decode("utf-8", "replace")))
    return argument.decode("ascii")


def decode_base64(text: bytes) -> bytes:
    """One step of AUTH; a lone "=" is an empty one (RFC 4954 section 4). Raises CommandError."""
    if text == b"=":
        return b""
    if text == b"*":
        raise CommandError(answer.LOGIN_CANCELLED())
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise CommandError(answer.LOGIN_ENCODING()) from None


def plain_credentials(response: bytes) -> Credentials:
    """The message of PLAIN (RFC 4616): authorization identity, username, password. Raises CommandError."""
    parts = response.split(b"\0")
    if len(parts) != 3 or not parts[1]:
        raise CommandError(answer.LOGIN_ENCODING())
    if parts[0] not in (b"", parts[1]):
        raise CommandError(answer.LOGIN_ACTS_FOR())
    return credentials(parts[1], parts[2])


def credentials(username: bytes, password: bytes) -> Credentials:
    """The two answers of LOGIN. Raises CommandError."""
    try:
        return Credentials(username=username.decode(), password=password.decode())
    except UnicodeDecodeError:
        raise CommandError(answer.LOGIN_ENCODING()) from None


def _split(pattern: re.Pattern[bytes], argument: bytes, wrong: Row) -> tuple[str, bytes]:
    found = pattern.fullmatch(argument)
    if found is None:
        raise CommandError(wrong(argument.decode("utf-8", "replace")))
    try:
        return found[1].decode(), found[2]
    except UnicodeDecodeError:
        raise CommandError(wrong(argument.decode("utf-8", "replace"))) from None


def _address(path: str, smtputf8: bool, *, sender: bool) -> Address:
    try:
        return parse(path, smtputf8=smtputf8)
    except AddressError as error:
        # RFC 3463: what is 1.3 and 1.2 for a recipient is 1.7 and 1.8 for a sender. 553: RFC 6531.
        enhanced = (
            {"5.1.3": "5.1.7", "5.1.2": "5.1.8"}.get(error.enhanced, error.enhanced)
            if sender
            else error.enhanced
        )
        code = 553 if enhanced == "5.6.7" else 550 if enhanced in ("5.1.2", "5.1.8") else 501
        raise CommandError(Answer(code, enhanced, error.text), path) from None


def _parameters(rest: bytes, extended: bool) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    for word in rest.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise CommandError(answer.PARAMETER_SYNTAX(word.decode("utf-8", "replace")))
        name = match[1].decode("ascii").upper()
        if not extended:
            raise CommandError(answer.PARAMETER_NEEDS_EHLO(name))
        if name in found:
            raise CommandError(answer.PARAMETER_TWICE(name))
        found[name] = match[2]
    return found


def _mail_parameters(rest: bytes, extended: bool, limit: int) -> tuple[int | None, bool]:
    size, smtputf8 = None, False
    for name, value in _parameters(rest, extended).items():
        written = value.decode("utf-8", "replace") if value is not None else ""
        if name == "SIZE":
            if value is None or re.fullmatch(rb"[0-9]{1,20}", value) is None:
                raise CommandError(answer.PARAMETER_VALUE(name, written, "the size in octets"))
            size = int(value)
            if size > limit:
                raise CommandError(answer.SIZE_TOO_BIG(size, limit))
        elif name == "BODY":
            if value is None or value.upper() not in (b"7BIT", b"8BITMIME"):
                raise CommandError(answer.PARAMETER_VALUE(name, written, "7BIT or 8BITMIME"))
        elif name == "SMTPUTF8":
            if value is not None:
                raise CommandError(answer.PARAMETER_VALUE(name, written, "SMTPUTF8 alone"))
            smtputf8 = True
        elif name == "AUTH":  # RFC 4954 section 5: accepted by who offers AUTH; we trust it for nothing
            if value is None or _XTEXT.fullmatch(value) is None:
                raise CommandError(answer.PARAMETER_VALUE(name, written, "xtext (RFC 3461) or <>"))
        else:
            raise CommandError(answer.PARAMETER_UNKNOWN(name))
    return size, smtputf8
