"""Mailbox providers: United Internet (GMX, WEB.DE, IONOS), T-Online, STRATO."""

from __future__ import annotations

from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.reply import Stage
from relayd.core.rules.rule import HOP, MESSAGE, MX, RECIPIENT, UPSTREAM, Rule, digit, final, later

# postmaster.gmx.com/en/error-messages: no enhanced codes, the last line decides; case?c= names the cause.
# As MX and as submission server they say the same first line and mean different things.
_U = Provider.UNITED_INTERNET
_UNITED_INTERNET = (
    final(
        Reason.POLICY_SPF,
        MESSAGE,
        "550-Requested action not taken: mailbox unavailable\n"
        "550 Reject due to SPF policy. The originating IP of the message is not permitted by the domain "
        "owner.",
        "reject due to spf policy",
        provider=_U,
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550-Requested action not taken: mailbox unavailable\n550 Reject due to DMARC policy.",
        "reject due to dmarc policy",
        provider=_U,
    ),
    digit(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "552-Requested mail action aborted: exceeded storage allocation\n552 Quota exceeded.",
        "exceeded storage allocation",
        role=MX,
        provider=_U,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554-Transaction failed\n554-IP-address is block listed.\n"
        "554 For explanation visit https://postmaster.gmx.net/en/case?c=r0201&i=ip&v=192.0.2.1&r=1",
        "block listed",
        provider=_U,
    ),
    later(
        Reason.REPUTATION_PTR,
        HOP,
        "554-gmx.net (mxgmx001) Nemesis ESMTP Service not available\n554-No SMTP service\n"
        "554-Bad DNS PTR resource record.\n554 For explanation visit "
        "https://postmaster.gmx.net/en/case?c=rdns&i=ip&v=192.0.2.1",
        "bad dns ptr",
        provider=_U,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550-Requested action not taken: mailbox unavailable\n550 Sender address is not allowed.",
        "sender address is not allowed",
        role=UPSTREAM,
        provider=_U,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "450-Requested mail action not taken: mailbox unavailable\n450 Mail send limit exceeded.",
        "mail send limit exceeded",
        role=UPSTREAM,
        provider=_U,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550 Requested action not taken: mailbox unavailable",
        "requested action not taken: mailbox unavailable",
        whole=True,
        role=UPSTREAM,
        provider=_U,
        stages=frozenset({Stage.MAIL}),
    ),
    # Only without a further line does it mean the recipient.
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 Requested action not taken: mailbox unavailable",
        "requested action not taken: mailbox unavailable",
        whole=True,
        role=MX,
        provider=_U,
    ),
    later(
        Reason.AUTH_WRONG_PASSWORD,
        HOP,
        "535 Authentication failure: SMTP AUTH failed with the remote server.",
        "smtp auth failed",
        role=UPSTREAM,
        provider=_U,
        source="ionos.de/hilfe",
    ),
)

# postmaster.t-online.de, point 4.1: a new address is refused until its operator writes to them.
_T = Provider.TELEKOM
_TELEKOM = (
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help or to contact "
        "tosa@rx.t-online.de for reset. (NOWL)",
        "(nowl)",
        provider=_T,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 IP=192.0.2.1 - A problem occurred. Ask your postmaster for help or to contact "
        "tosa@rx.t-online.de to clarify. (BL)",
        "a problem occurred",
        provider=_T,
    ),
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "554 IP=192.0.2.1 - Dialup/transient IP not allowed. Use a mailgateway/smarthost or contact "
        "tosa@rx.t-online.de. (DIAL)",
        "(dial)",
        provider=_T,
    ),
)

# strato.de/faq, "Fehlermeldungen".
_STRATO = (
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 5.7.1 Refused by local policy. No SPAM please! (B-URL)",
        "no spam please",
        provider=Provider.STRATO,
    ),
)

ROWS: tuple[Rule, ...] = _UNITED_INTERNET + _TELEKOM + _STRATO
