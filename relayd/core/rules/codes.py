"""What is left when the words say nothing: the enhanced code (RFC 3463 and IANA's registry), then the stage,
then the basic code. A bare code never blames the recipient: RFC 5321 section 4.2.3 lets 550 mean "not found,
no access, or command rejected for policy reasons"."""

from __future__ import annotations

from relayd.core.reasons import Reason
from relayd.core.reply import Stage
from relayd.core.rules.rule import (
    HOP,
    HOST,
    MESSAGE,
    MX,
    PERMANENT,
    RECIPIENT,
    TRANSIENT,
    UPSTREAM,
    Rule,
    digit,
    final,
    later,
)

# iana.org/assignments/smtp-enhanced-status-codes
_ENHANCED = (
    digit(Reason.RECIPIENT_UNKNOWN, RECIPIENT, "550 5.1.1 <ghost@example.org>: rejected", enhanced="x.1.1"),
    digit(Reason.RECIPIENT_DOMAIN, RECIPIENT, "550 5.1.2 Host not there", enhanced="x.1.2"),
    digit(Reason.RECIPIENT_UNKNOWN, RECIPIENT, "501 5.1.3 Bad recipient address syntax", enhanced="x.1.3"),
    digit(Reason.RECIPIENT_REFUSED, RECIPIENT, "553 5.1.4 Mailbox address ambiguous", enhanced="x.1.4"),
    digit(Reason.RECIPIENT_MOVED, RECIPIENT, "551 5.1.6 Gone elsewhere", enhanced="x.1.6"),
    digit(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "553 5.1.7 Bad sender's mailbox address syntax",
        role=UPSTREAM,
        enhanced="x.1.7",
    ),
    digit(Reason.POLICY_OTHER, MESSAGE, "553 5.1.7 Bad sender's address", role=MX, enhanced="x.1.7"),
    digit(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550 5.1.8 Bad sender's system address",
        role=UPSTREAM,
        enhanced="x.1.8",
    ),
    digit(Reason.POLICY_OTHER, MESSAGE, "550 5.1.8 Bad sender's system", role=MX, enhanced="x.1.8"),
    digit(Reason.RECIPIENT_DOMAIN, RECIPIENT, "556 5.1.10 Takes no mail", enhanced="x.1.10"),
    digit(Reason.RECIPIENT_DISABLED, RECIPIENT, "550 5.2.1 Not accepting", enhanced="5.2.1"),
    digit(Reason.RECIPIENT_FULL, RECIPIENT, "452 4.2.2 No room", enhanced="x.2.2"),
    final(Reason.MESSAGE_TOO_BIG, MESSAGE, "552 5.2.3 Length exceeds limit", enhanced="5.2.3"),
    digit(Reason.RECIPIENT_REFUSED, RECIPIENT, "550 5.2.4 Mailing list expansion", enhanced="x.2.4"),
    later(Reason.SERVER_BUSY, HOST, "452 4.3.1 Out of space", enhanced="x.3.1"),
    later(Reason.SERVER_BUSY, HOST, "421 4.3.2 Shutting down", enhanced="x.3.2"),
    final(Reason.MESSAGE_TOO_BIG, MESSAGE, "552 5.3.4 Limit is 10 MB", enhanced="5.3.4"),
    digit(Reason.SERVER_ERROR, MESSAGE, "451 4.3.0 Cannot process", enhanced="x.3.0"),
    later(Reason.SERVER_ERROR, HOST, "451 4.3.5 Misconfigured", enhanced="x.3.5"),
    digit(Reason.RECIPIENT_DOMAIN, RECIPIENT, "550 5.4.4 Nowhere to route", role=MX, enhanced="x.4.4"),
    later(Reason.SERVER_BUSY, HOST, "451 4.4.5 Congestion", enhanced="x.4.5"),
    digit(Reason.MESSAGE_LOOP, MESSAGE, "554 5.4.6 Routing circle", enhanced="x.4.6"),
    digit(Reason.SERVER_PROTOCOL, HOST, "503 5.5.0 Not now", enhanced="x.5.0"),
    digit(Reason.SERVER_PROTOCOL, HOST, "500 5.5.1 Bad command", enhanced="x.5.1"),
    digit(Reason.SERVER_PROTOCOL, HOST, "500 5.5.2 What?", enhanced="x.5.2"),
    later(Reason.RATE_LIMITED, RECIPIENT, "452 4.5.3 One at a time", enhanced="x.5.3"),
    digit(Reason.SERVER_PROTOCOL, HOST, "555 5.5.4 Parameter not known", enhanced="x.5.4"),
    digit(Reason.MESSAGE_MALFORMED, MESSAGE, "554 5.6.0 Can't read this", enhanced="x.6.0"),
    digit(Reason.MESSAGE_CONTENT, MESSAGE, "554 5.6.1 Media not supported", enhanced="x.6.1"),
    final(Reason.MESSAGE_SMTPUTF8, RECIPIENT, "553 5.6.7 Not in ASCII", enhanced="5.6.7"),
    digit(Reason.RECIPIENT_REFUSED, RECIPIENT, "550 5.7.2 List is closed", enhanced="x.7.2"),
    later(
        Reason.AUTH_WRONG_PASSWORD,
        HOP,
        "535 5.7.8 Error: login was refused",
        role=UPSTREAM,
        enhanced="5.7.8",
    ),
    later(Reason.AUTH_MECHANISM, HOP, "534 5.7.9 Too weak", role=UPSTREAM, enhanced="5.7.9"),
    later(Reason.POLICY_TLS_REQUIRED, HOP, "523 5.7.10 In clear", role=UPSTREAM, enhanced="5.7.10"),
    final(Reason.POLICY_TLS_REQUIRED, HOST, "523 5.7.10 In clear", role=MX, enhanced="5.7.10"),
    later(Reason.POLICY_TLS_REQUIRED, HOP, "538 5.7.11 In clear", role=UPSTREAM, enhanced="5.7.11"),
    later(Reason.SENDER_BLOCKED, HOP, "525 5.7.13 Account switched off", role=UPSTREAM, enhanced="5.7.13"),
    digit(Reason.POLICY_DKIM, MESSAGE, "550 5.7.20 Not signed", enhanced="x.7.20"),
    digit(Reason.POLICY_DKIM, MESSAGE, "550 5.7.21 Not acceptable", enhanced="x.7.21"),
    digit(Reason.POLICY_DKIM, MESSAGE, "550 5.7.22 Not the author's", enhanced="x.7.22"),
    digit(Reason.POLICY_SPF, MESSAGE, "550 5.7.23 Not permitted", enhanced="x.7.23"),
    digit(Reason.POLICY_SPF, MESSAGE, "550 5.7.24 Evaluation went wrong", enhanced="x.7.24"),
    later(Reason.REPUTATION_PTR, HOP, "550 5.7.25 No name for 192.0.2.1", enhanced="x.7.25"),
    digit(Reason.POLICY_DMARC, MESSAGE, "550 5.7.26 Nothing proves it", enhanced="x.7.26"),
    digit(Reason.POLICY_OTHER, MESSAGE, "550 5.7.27 Your domain takes no mail", enhanced="x.7.27"),
    later(Reason.RATE_LIMITED, HOP, "421 4.7.28 A flood", enhanced="x.7.28"),
    digit(Reason.POLICY_OTHER, MESSAGE, "554 5.7.1 Not from you", enhanced="x.7.1"),
)

_AUTH = frozenset({Stage.AUTH})
_GREETING = frozenset({Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.TLS})
_MAIL = frozenset({Stage.MAIL})
_RCPT = frozenset({Stage.RCPT})

_STAGES = (
    # RFC 4954 section 6. Whatever refuses a login holds the mail, it doesn't fail it.
    later(Reason.AUTH_WRONG_PASSWORD, HOP, "535 Incorrect data", role=UPSTREAM, stages=_AUTH, codes=(535,)),
    later(Reason.AUTH_MECHANISM, HOP, "504 Unknown type", role=UPSTREAM, stages=_AUTH, codes=(502, 504, 534)),
    later(
        Reason.POLICY_TLS_REQUIRED, HOP, "538 Use encryption", role=UPSTREAM, stages=_AUTH, codes=(523, 538)
    ),
    later(Reason.AUTH_NOT_LOGGED_IN, HOP, "550 Not for you", role=UPSTREAM, stages=_AUTH, codes=PERMANENT),
    later(Reason.SERVER_BUSY, HOP, "454 Can't check now", role=UPSTREAM, stages=_AUTH, codes=TRANSIENT),
    # Before MAIL nobody has said who writes to whom: it concerns us and this server.
    later(Reason.SERVER_BUSY, HOST, "450 Come back", stages=_GREETING, codes=TRANSIENT),
    later(Reason.UNKNOWN, HOST, "554 Not for you", role=UPSTREAM, stages=_GREETING, codes=PERMANENT),
    # RFC 7504: a host that takes no mail at all, although an MX record names it.
    final(Reason.RECIPIENT_DOMAIN, HOST, "521 No mail here", role=MX, stages=_GREETING, codes=(521,)),
    final(Reason.UNKNOWN, HOST, "554 No SMTP service here", role=MX, stages=_GREETING, codes=PERMANENT),
    # RFC 1870 section 6.1
    final(Reason.MESSAGE_TOO_BIG, MESSAGE, "552 No", stages=_MAIL, codes=(552,)),
    # RFC 5321 section 4.2.3: exceeded storage allocation, said about a recipient.
    final(Reason.RECIPIENT_FULL, RECIPIENT, "552 No", stages=_RCPT, codes=(552,)),
    later(Reason.RATE_LIMITED, RECIPIENT, "452 No more", stages=_RCPT, codes=(452,)),
)

_BASIC = (
    later(Reason.SERVER_BUSY, HOST, "421 mx.example.org closing", codes=(421,)),
    later(Reason.SERVER_ERROR, MESSAGE, "451 Aborted", codes=(451,)),
    later(Reason.SERVER_BUSY, MESSAGE, "452 Later", codes=(452,)),
    later(Reason.AUTH_NOT_LOGGED_IN, HOP, "530 No", role=UPSTREAM, stages=_MAIL, codes=(530,)),
    final(Reason.SERVER_PROTOCOL, HOST, "503 Bad sequence", codes=(500, 501, 502, 503, 504, 555)),
    final(Reason.RECIPIENT_MOVED, RECIPIENT, "551 Not here", codes=(551,)),
    final(Reason.RECIPIENT_DOMAIN, RECIPIENT, "556 No mail", codes=(556,), source="RFC 7504"),
)

ROWS: tuple[Rule, ...] = _ENHANCED + _STAGES + _BASIC
