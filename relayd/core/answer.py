"""Everything our SMTP server can say, as rows: code, enhanced code, sentence.

A sentence names the value seen and what to change; it is ASCII and stays within a reply line of 512 octets
(RFC 5321 section 4.5.3.1.5). Rows say what the dialogue needs; what a policy refuses comes as a `Refusal` and
is put into the same form by `refused`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from relayd.core.address import shown
from relayd.core.refusal import Refusal

LINE_MAX = 510  # octets of a reply line without CRLF


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply. `close`: the server hangs up after it; `error`: it counts against the client."""

    code: int
    enhanced: str  # "" on replies that have none: 220, 334, 354
    text: str
    close: bool = False
    error: bool = False

    @property
    def line(self) -> bytes:
        """As it goes over the wire, with CRLF."""
        return _line(self.code, self.enhanced, self.text)

    @property
    def positive(self) -> bool:
        return self.code < 400


@dataclass(frozen=True, slots=True)
class Row:
    """One thing the server can say; `{}` in the sentence takes the value seen."""

    code: int
    enhanced: str
    sentence: str
    close: bool = False
    error: bool = False

    def __call__(self, *values: object) -> Answer:
        if not values:
            return _plain(self)
        text = self.sentence.format(*(shown(str(v)) for v in values))
        return Answer(self.code, self.enhanced, text, self.close, self.error)


# Six of the eight replies to a message are always the same.
@functools.cache
def _plain(row: Row) -> Answer:
    return Answer(row.code, row.enhanced, row.sentence, row.close, row.error)


@functools.lru_cache(maxsize=256)
def _line(code: int, enhanced: str, text: str) -> bytes:
    start = f"{code} {enhanced} " if enhanced else f"{code} "
    return (start + shown(text, LINE_MAX - len(start))).encode("ascii") + b"\r\n"


def refused(refusal: Refusal) -> Answer:
    """`550 5.1.1 recipient.unknown: sentence`."""
    return Answer(refusal.code, refusal.enhanced, f"{refusal.reason.value}: {refusal.text}")


def _ok(code: int, enhanced: str, sentence: str) -> Row:
    return Row(code, enhanced, sentence)


def _no(code: int, enhanced: str, sentence: str) -> Row:
    return Row(code, enhanced, sentence, error=True)


def _bye(code: int, enhanced: str, sentence: str) -> Row:
    return Row(code, enhanced, sentence, close=True, error=True)


# What goes well.
GREETING = _ok(220, "", "{} ESMTP relayd")
GREETING_LMTP = _ok(220, "", "{} LMTP relayd")
HELO_OK = _ok(250, "", "{}")
MAIL_OK = _ok(250, "2.1.0", "sender accepted")
RCPT_OK = _ok(250, "2.1.5", "recipient accepted")
GO_AHEAD = _ok(354, "", "send the message, end it with a line that holds only a dot")
RESET = _ok(250, "2.0.0", "forgotten")
NOOP = _ok(250, "2.0.0", "still here")
HELP = _ok(
    214, "2.0.0", "EHLO MAIL RCPT DATA RSET NOOP QUIT STARTTLS AUTH; the documentation of relayd has the rest"
)
VRFY = _ok(252, "2.5.1", "addresses are not verified here: send the message, and look at the status log")
TLS_READY = _ok(220, "2.0.0", "start TLS now")
LOGGED_IN = _ok(235, "2.7.0", "logged in")
QUIT = Row(221, "2.0.0", "goodbye", close=True)

# The dialogue.
LINE_ENDING = _bye(500, "5.5.2", "a command line must end with CRLF, this one ends with LF alone: send CRLF")
LINE_TOO_LONG = _no(500, "5.5.2", "the command line has {} octets, the limit is {}: shorten it")
LINE_ENDLESS = _bye(421, "4.5.2", "the command line does not end within {} octets: send CRLF at its end")
NOT_SMTP = _bye(
    554, "5.5.1", 'this port speaks SMTP, and "{}" is not SMTP: check host and port of the client'
)
OUT_OF_STEP = _bye(
    554, "5.5.0", "{} was followed by more before its reply was read: wait for the reply (RFC 2920)"
)
EARLY_TALKER = _bye(
    554, "5.5.0", "the client spoke before the greeting: wait for the line that starts with 220"
)
UNKNOWN_COMMAND = _no(500, "5.5.2", 'the command "{}" is not known here: use one that EHLO lists')
BDAT = _bye(
    502, "5.5.1", "BDAT is not offered here, what follows can not be read: send the message with DATA"
)
NOT_OFFERED = _no(502, "5.5.1", "{} is not offered here: use only what EHLO lists")
CONTROL = _no(500, "5.5.2", 'the command "{}" holds a control character or broken UTF-8: send plain text')
ARGUMENT_MISSING = _no(501, "5.5.4", "{} needs an argument: write {}")
ARGUMENT_UNWANTED = _no(501, "5.5.4", '{} takes no argument, and "{}" was given: leave it out')
EHLO_NAME = _no(501, "5.5.4", '"{}" is no host name: send your host name with EHLO')
HELLO_FIRST = _no(503, "5.5.1", "{} came before {}: introduce yourself first")
USE_LHLO = _no(500, "5.5.1", "this listener speaks LMTP, and {} is SMTP: send LHLO")
USE_EHLO = _no(500, "5.5.1", "this listener speaks SMTP, and LHLO is LMTP: send EHLO")
NESTED_MAIL = _no(503, "5.5.1", "MAIL came twice: send RSET to start over")
MAIL_FIRST = _no(503, "5.5.1", "{} came before MAIL FROM: send MAIL FROM first")
NO_RECIPIENTS = Row(
    554, "5.5.1", "DATA came without an accepted recipient: send RCPT TO, and read the replies to it"
)
ERRORS = _bye(421, "4.7.0", "{} commands failed, the connection is closed: look at the replies before")
JUNK = _bye(421, "4.7.0", "{} commands without a message, the connection is closed: send mail or disconnect")

# MAIL and RCPT.
MAIL_SYNTAX = _no(501, "5.5.4", 'MAIL with "{}" is not understood: write MAIL FROM:<local-part@domain>')
RCPT_SYNTAX = _no(501, "5.5.4", 'RCPT with "{}" is not understood: write RCPT TO:<local-part@domain>')
PARAMETER_SYNTAX = _no(501, "5.5.4", 'the parameter "{}" is not understood: write NAME=value')
PARAMETER_TWICE = _no(501, "5.5.4", "the parameter {} was given twice: give it once")
PARAMETER_VALUE = _no(501, "5.5.4", 'the parameter {} can not be "{}": write {}')
PARAMETER_UNKNOWN = _no(555, "5.5.4", "the parameter {} is not offered here: leave it out")
PARAMETER_NEEDS_EHLO = _no(555, "5.5.4", "the parameter {} needs EHLO: greet with EHLO in place of HELO")
SIZE_TOO_BIG = Row(
    552, "5.3.4", "message.too_big: SIZE={} is over {} octets, the limit here: make the message smaller"
)
TOO_MANY_RCPT = Row(
    452, "4.5.3", "{} recipients are the limit for one message: send the others in another one"
)

# Login and TLS.
LOGIN_FIRST = _no(530, "5.7.0", "a login is required here: send AUTH first")
TLS_FIRST = _no(530, "5.7.0", "TLS is required here: send STARTTLS first")
LOGIN_NEEDS_TLS = _no(538, "5.7.11", "a login in clear is taken from this host only: send STARTTLS first")
LOGIN_TWICE = _no(503, "5.5.1", "this connection is logged in already: reconnect to change the login")
LOGIN_IN_MAIL = _no(503, "5.5.1", "AUTH came within a message: send it before MAIL FROM")
LOGIN_MECHANISM = _no(504, "5.5.4", 'the mechanism "{}" is not offered here: use PLAIN or LOGIN')
LOGIN_ENCODING = _no(501, "5.5.2", "the login is not valid base64 of the mechanism's form: check the client")
LOGIN_CANCELLED = _no(501, "5.7.0", "the login was cancelled by the client: send AUTH again to log in")
LOGIN_FAILED = _no(535, "5.7.8", "username or password is wrong: check both against logins in relayd.yaml")
LOGIN_ACTS_FOR = _no(
    535, "5.7.8", "a login can not act for another user: leave the authorization identity empty"
)
LOGIN_ATTEMPTS = _bye(421, "4.7.0", "{} logins failed, the connection is closed: check username and password")
LOGIN_BLOCKED = _bye(421, "4.7.0", "too many logins from your address failed lately: wait five minutes")
TLS_TWICE = _no(503, "5.5.1", "TLS is on already: go on with EHLO")

# Ourselves. Every fault of ours is 4xx: the client keeps the message and tries again.
TOO_MANY_CONNECTIONS = _bye(
    421, "4.3.2", "{} connections are open, the limit here: close idle ones, or try again later"
)
GOING_DOWN = _bye(421, "4.3.2", "relayd is stopping: try again in a minute")
TIMEOUT = _bye(421, "4.4.2", "nothing complete came within {} seconds: send faster, or reconnect")
DATA_TIMEOUT = _bye(
    421, "4.4.2", "the message came slower than {} octets a second: reconnect and send it again"
)
DATA_ENDLESS = _bye(
    421, "4.3.4", "more than twice the {} octets of the limit were sent: make the message smaller"
)
FAULT = Row(451, "4.3.0", "an error of relayd's own, its log has the details: try again later")
FULL = Row(
    452, "4.3.1", "relayd has no space left to keep the message: make room in state_dir, then try again"
)
SIGNING_FAILED = Row(
    451, "4.7.0", "signing.failed: the message could not be signed, relayd's log says why: try again later"
)

ROWS = {name: row for name, row in list(globals().items()) if isinstance(row, Row)}
"""All of them by name, for the test that holds each one."""
