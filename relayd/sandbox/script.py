"""What a receiving server is told to do: actions, the points where they happen, and stock answers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum


class At(StrEnum):
    """Where in the dialogue an action takes the place of the usual answer."""

    CONNECT = "connect"  # before the greeting, and before an implicit TLS handshake
    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"  # the answer to the command
    HANDSHAKE = "handshake"  # after `220 go ahead`
    EHLO_TLS = "ehlo_tls"  # the EHLO after STARTTLS
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # the answer to the command
    BODY = "body"  # in the upload, after `Action.after` octets
    END = "end"  # the answer to the final dot
    RSET = "rset"
    QUIT = "quit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do instead of the usual answer, in this order: wait, say, end.

    `say` is a reply (`550 5.1.1 no such user`; lines parted by a line feed become a multi-line reply).
    `raw` is sent as it is, whatever it is. With neither, and no `end`, the usual answer follows: a late one
    when `hang` is set.
    """

    say: str | None = None
    raw: bytes | None = None
    hang: bool = False  # until `Receiver.release()`
    end: End | None = None
    after: int = 0  # At.BODY only: octets of content to take first


class End(StrEnum):
    """How a connection ends."""

    CLOSE = "close"  # an orderly end; under TLS with close_notify
    RESET = "reset"  # RST; under TLS nothing is said either
    CUT = "cut"  # the TCP stream ends; under TLS without close_notify
    HALF = "half"  # our direction ends, the other stays open (without TLS; under it the same as CLOSE)


USUAL = Action()  # in a list of turns: this time, answer as usual
HANG = Action(hang=True, end=End.CUT)  # hang until released, then go away without a word
LATE = Action(hang=True)  # hang until released, then answer as usual
CLOSE = Action(end=End.CLOSE)
RESET = Action(end=End.RESET)
CUT = Action(end=End.CUT)
GOING_DOWN = Action(say="421 4.3.2 Service shutting down", end=End.CLOSE)
NOT_SMTP = Action(raw=b"\x16\x03\x01 this is not SMTP\r\n")
HUGE_LINE = Action(raw=b"250 " + b"x" * 99 * 1024 + b"\r\n")
NO_LINE_END = Action(raw=b"250 never ending", end=End.CLOSE)
TWO_REPLIES = Action(raw=b"250 2.0.0 OK\r\n250 2.0.0 OK\r\n")
NUL = Action(raw=b"250 2.0.0 O\x00K\r\n")
NOT_UTF8 = Action(raw=b"550 5.7.1 \xff\xfe refus\xe9\r\n")

# Replies of real servers for single recipients, see docs of Postfix (access, virtual, postgrey) and Dovecot.
UNKNOWN_USER = "550 5.1.1 <{recipient}>: Recipient address rejected: User unknown in virtual mailbox table"
MAILBOX_FULL = "552 5.2.2 <{recipient}>: Quota exceeded (mailbox for user is full)"
MAILBOX_FULL_FOR_NOW = "452 4.2.2 <{recipient}>: Mailbox full"
GREYLISTED = (
    "450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/"
)


def say(text: str) -> Action:
    """Answer with this reply instead of the usual one."""
    return Action(say=text)


class Script:
    """Turns of actions for each point, and replies for single recipients. Empty: everything is accepted."""

    def __init__(self) -> None:
        self._turns: dict[At, list[Action]] = defaultdict(list)
        self._recipients: dict[str, list[str | None]] = {}

    def tell(self, at: At, *actions: Action) -> None:
        """Put these actions at this point, one each time it is reached; the last one stays. To end a
        row with the usual behaviour, end it with USUAL. Without actions: as usual again."""
        self._turns[at] = list(actions)

    def tell_recipient(self, address: str, *replies: str | None) -> None:
        """Replies to RCPT for one address, one each time; the last one stays; None is the usual answer."""
        self._recipients[address.lower()] = list(replies)

    def at(self, at: At) -> Action:
        """The action for this moment."""
        turns = self._turns[at]
        if not turns:
            return USUAL
        return turns.pop(0) if len(turns) > 1 else turns[0]

    def reply_for(self, address: str) -> str | None:
        """The reply to RCPT for this address, None for the usual one. `{recipient}` is filled in."""
        turns = self._recipients.get(address.lower())
        if not turns:
            return None
        reply = turns.pop(0) if len(turns) > 1 else turns[0]
        return None if reply is None else reply.replace("{recipient}", address)
