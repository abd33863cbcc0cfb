"""What an SMTP client says and hears: commands, replies, the dots. Pure; `net/smtp` moves the octets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relayd.core import reply as replies
from relayd.core.reply import Evidence, Fault, FaultKind, Stage, clean

_LINE = re.compile(rb"[2-5][0-9]{2}(?:[ -]|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MAILBOX = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"<>\s@]+)@[^"<>\s@]+')


class Protection(StrEnum):
    """How a connection is to be protected."""

    CLEAR = "clear"
    OFFERED = "offered"  # STARTTLS when offered, whatever the certificate
    REQUIRED = "required"  # STARTTLS or nothing, whatever the certificate
    VERIFIED = "verified"  # STARTTLS or nothing, certificate verified
    IMPLICIT = "implicit"  # TLS from the first octet (RFC 8314), certificate verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """What a server said it can do (EHLO)."""

    pipelining: bool = False
    size: int | None = None  # octets; None: no limit given
    takes_size: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    starttls: bool = False
    auth: tuple[str, ...] = ()  # mechanisms, upper case

    @classmethod
    def read(cls, extensions: Mapping[str, str], auth: Sequence[str] = ()) -> Offers:
        """From keywords in lower case, and what followed each."""
        size = extensions.get("size", "").strip()
        limit = int(size) if size.isascii() and size.isdigit() and len(size) < 20 else 0
        return cls(
            pipelining="pipelining" in extensions,
            size=limit or None,  # RFC 1870 section 4: 0 is no limit
            takes_size="size" in extensions,
            eight_bit="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
            starttls="starttls" in extensions,
            auth=tuple(dict.fromkeys(mechanism.upper() for mechanism in auth)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Prepared lines of one transaction with one server. `recipients` holds an index each into what was
    asked for; those that can't be asked here are in `refused`."""

    mail: bytes
    rcpts: tuple[bytes, ...]
    recipients: tuple[int, ...]
    refused: Mapping[int, Fault]
    notes: tuple[str, ...] = ()


def envelope(
    *,
    return_path: str,
    recipients: Sequence[str],
    size: int,
    eight_bit: bool,
    utf8_header: bool,
    offers: Offers,
    host: str,
) -> Envelope:
    """The lines for these recipients as far as this server can serve them.

    `size` is in octets as RFC 1870 counts them. Raises ValueError for an address that would say more than
    an address (line ends, brackets, blanks): nothing unchecked may reach this far.
    """
    if offers.size is not None and size > offers.size:
        too_big = Fault(
            kind=FaultKind.TOO_BIG,
            text=f"the message has {size} octets, {host} takes {offers.size}",
            stage=Stage.MAIL,
            host=host,
        )
        return Envelope(
            mail=b"", rcpts=(), recipients=(), refused=dict.fromkeys(range(len(recipients)), too_big)
        )
    refused: dict[int, Fault] = {}
    if not offers.smtputf8:
        for index, address in enumerate(recipients):
            if not (address.isascii() and return_path.isascii()):
                refused[index] = _no_utf8(address if return_path.isascii() else return_path, host)
    asked = tuple(index for index in range(len(recipients)) if index not in refused)
    notes: tuple[str, ...] = ()
    parameters = f" SIZE={size}" if offers.takes_size else ""
    if eight_bit and offers.eight_bit:
        parameters += " BODY=8BITMIME"
    elif eight_bit:
        notes = ("the server does not offer 8BITMIME; it was given the same bytes",)
    international = utf8_header or not all(
        map(str.isascii, (return_path, *(recipients[index] for index in asked)))
    )
    if international and offers.smtputf8:
        parameters += " SMTPUTF8"
    return Envelope(
        mail=f"MAIL FROM:{_path(return_path)}{parameters}\r\n".encode(),
        rcpts=tuple(f"RCPT TO:{_path(recipients[index])}\r\n".encode() for index in asked),
        recipients=asked,
        refused=refused,
        notes=notes,
    )


def nothing(recipients: int, host: str) -> Envelope:
    """The envelope of a message that we can't write down: a fault of ours, for all recipients."""
    fault = Fault(
        kind=FaultKind.INTERNAL, text="an address can't be written in SMTP", stage=Stage.MAIL, host=host
    )
    return Envelope(mail=b"", rcpts=(), recipients=(), refused=dict.fromkeys(range(recipients), fault))


def _no_utf8(address: str, host: str) -> Fault:
    return Fault(
        kind=FaultKind.SMTPUTF8,
        text=f"{host} does not take addresses with other than ASCII letters ({clean(address)})",
        stage=Stage.MAIL,
        host=host,
    )


def _path(address: str) -> str:
    if address and (not _MAILBOX.fullmatch(address) or _CONTROL.search(address)):
        raise ValueError(f"not a mailbox: {address!r}")
    return f"<{address}>"


def complete(line: bytes | bytearray) -> bool | None:
    """Whether this line ends a reply; None when it is no line of a reply (RFC 5321 section 4.2)."""
    line = line.rstrip(b"\r\n")
    if not _LINE.match(line):
        return None
    return line[3:4] != b"-"


def reply(raw: bytes, *, stage: Stage, host: str) -> Evidence:
    """What a server answered, as evidence. What is no SMTP reply is a PROTOCOL fault that shows none of it:
    the other side may be anything, also a service that a customer should not be able to read."""
    lines = raw.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    if any(complete(line) is None for line in lines):
        return not_smtp(stage, host)
    return heard(
        int(lines[-1][:3]), b"\n".join(line[4:] for line in lines).decode(errors="replace"), stage, host
    )


def heard(code: int, text: str, stage: Stage, host: str) -> Evidence:
    """The same from a code and text already apart, lines of the text ending in LF."""
    if not 200 <= code <= 599:
        return not_smtp(stage, host)
    return replies.reply(code, text, stage=stage, host=host)


def not_smtp(stage: Stage, host: str) -> Fault:
    return Fault(kind=FaultKind.PROTOCOL, text=f"{host} does not answer as SMTP asks", stage=stage, host=host)


class Stuffer:
    """Doubles dots at the start of lines (RFC 5321 section 4.5.2), whatever way the octets are cut.

    The octets are settled: every line ends in CRLF, CR and LF occur nowhere else.
    """

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen = 2  # how much of CRLF stands before the next octet; the start is a line's start

    def stuff(self, chunk: bytes) -> bytes:
        if not chunk:
            return chunk
        head = b""
        if self._seen == 2 and chunk[:1] == b".":
            head = b"."
        elif self._seen == 1 and chunk[:2] == b"\n.":
            head, chunk = b"\n.", chunk[1:]
        elif self._seen == 1 and chunk == b"\n":
            self._seen = 2
            return chunk
        self._seen = 2 if chunk.endswith(b"\r\n") else 1 if chunk.endswith(b"\r") else 0
        # One octet is found twenty times as fast as three, and attachments in Base64 have no dots.
        first = chunk.find(b".")
        if first >= 0 and chunk.find(b"\r\n.", max(0, first - 2), chunk.rfind(b".") + 1) >= 0:
            chunk = chunk.replace(b"\r\n.", b"\r\n..")
        return head + chunk if head else chunk

    def end(self) -> bytes:
        """What ends the data: CRLF where the last line has none, and the dot."""
        return b".\r\n" if self._seen == 2 else b"\r\n.\r\n"
