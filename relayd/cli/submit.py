"""Handing a message to the local listener by SMTP, as any app does."""

from __future__ import annotations

import re
import smtplib
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relayd.cli.places import Tcp

# Clients wait 10 minutes for the answer after the final dot (RFC 5321 section 4.5.3.2.6).
TIMEOUT = 600

_LINE_END = re.compile(rb"\r\n|\r|\n")


class Away(Exception):
    """Nobody listens there."""


class Refused(Exception):
    """The answer was no. `code` below 500: try again. `recipients`: it was none of theirs that was taken, and
    not the message that was refused."""

    def __init__(self, code: int, text: str, *, recipients: bool = False) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.recipients = recipients


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    answer: str
    refused: Mapping[str, str]  # recipients that were refused at once, with the answer


class _Unix(smtplib.SMTP):
    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        found.settimeout(timeout)
        found.connect(host)
        return found


def connect(places: Sequence[Tcp | Path]) -> smtplib.SMTP:
    """A session with the first listener that answers. Raises Away."""
    tried = []
    for place in places:
        try:
            if isinstance(place, Tcp):
                return smtplib.SMTP(place.host, place.port, "localhost", TIMEOUT)
            return _Unix(str(place), 1, "localhost", TIMEOUT)
        except (OSError, smtplib.SMTPException) as error:
            where = f"{place.host}:{place.port}" if isinstance(place, Tcp) else str(place)
            tried.append(f"{where}: {error}")
    raise Away("; ".join(tried))


def submit(
    places: Sequence[Tcp | Path],
    *,
    mail_from: str,
    recipients: Sequence[str],
    content: bytes,
    login: tuple[str, str] | None = None,
) -> Submitted:
    """Hand in one message. Raises Away, and Refused when nothing of it was taken."""
    # Files have LF, SMTP has CRLF: smtplib leaves octets as they are, and dots are doubled per line.
    content = _LINE_END.sub(b"\r\n", content)
    session = connect(places)
    try:
        session.ehlo_or_helo_if_needed()
        if login is not None and session.has_extn("auth"):  # a Unix socket may know us by our user id
            session.login(*login)
        options = _options(session, [mail_from, *recipients], content)
        # smtplib's own mail() and rcpt() would make the first address of what they are given.
        _expect(session.docmd("MAIL", " ".join([f"FROM:<{mail_from}>", *options])), 250)
        refused = {}
        last = (250, b"")
        for recipient in recipients:
            answer = session.docmd("RCPT", f"TO:<{recipient}>")
            if answer[0] not in (250, 251):
                refused[recipient], last = _text(answer), answer
        if len(refused) == len(recipients):
            raise Refused(last[0], _text(last).partition(" ")[2], recipients=True)
        answer = session.data(content)
        _expect(answer, 250)
        return Submitted(answer=_text(answer), refused=refused)
    except ValueError as error:  # a line break in an address
        raise Refused(501, str(error)) from None
    except smtplib.SMTPResponseException as error:
        raise Refused(error.smtp_code, _said(error.smtp_error)) from None
    except (OSError, smtplib.SMTPException) as error:
        raise Away(str(error)) from None
    finally:
        session.close()


def _options(session: smtplib.SMTP, addresses: Sequence[str], content: bytes) -> list[str]:
    options = [f"SIZE={len(content)}"] if session.has_extn("size") else []
    if not content.isascii() and session.has_extn("8bitmime"):
        options.append("BODY=8BITMIME")
    if not all(address.isascii() for address in addresses) and session.has_extn("smtputf8"):
        options.append("SMTPUTF8")
        session.command_encoding = "utf-8"
    return options


def _expect(answer: tuple[int, bytes], code: int) -> None:
    if answer[0] != code:
        raise Refused(answer[0], _said(answer[1]))


def _text(answer: tuple[int, bytes]) -> str:
    return f"{answer[0]} {_said(answer[1])}"


def _said(text: bytes | str) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).replace("\n", " ")
