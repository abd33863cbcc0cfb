"""What a receiving server remembers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message that the server answered 250 for (or would have: see `Receiver.uploads`)."""

    mail_from: str  # as in MAIL, without the angle brackets
    recipients: tuple[str, ...]
    parameters: tuple[str, ...]  # of MAIL: SIZE=…, BODY=8BITMIME, SMTPUTF8
    content: bytes  # dot-unstuffed
    tls: str | None  # "TLSv1.3"
    login: str | None
    connection: int  # counted from 1
    ip: str  # where it came from


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the dialogue as the client sent it; AUTH's secrets are left out."""

    connection: int
    text: str
