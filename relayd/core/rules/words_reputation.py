"""Words about us: block lists, reverse DNS, reputation, and how much is too much."""

from __future__ import annotations

from relayd.core.reasons import Reason
from relayd.core.rules.rule import (
    HOP,
    MESSAGE,
    MX,
    RECIPIENT,
    TRANSIENT,
    UPSTREAM,
    Rule,
    final,
    later,
)

# Blocks are ours, not the customer's and not for ever: a delisting heals them. ZoneMTA defers all 83 of its.
_REPUTATION = (
    # A listed link or sender domain: another message may pass.
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "554 5.7.1 Service unavailable; Message body contains a link blocked using multi.uribl.com",
        "uribl.com",
    ),
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "554 5.7.1 rejected due to spam URL in content",
        "spam url",
        source="Barracuda",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        MESSAGE,
        "554 5.7.1 Service unavailable; Sender address [billing@acme.example] blocked using "
        "dbl.spamhaus.org; https://www.spamhaus.org/query/domain/acme.example",
        "dbl.spamhaus.org",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        MESSAGE,
        "550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL -- see "
        "https://www.spamhaus.org/dbl/",
        "spamhaus dbl",
        source="iCloud",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
        "https://www.spamhaus.org/query/ip/192.0.2.1",
        "spamhaus",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.spamcop.net; Blocked",
        "blocked using",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 5.7.1 Your IP 192.0.2.1 is blacklisted",
        "blacklisted",
        role=MX,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 Connection refused, your IP is listed on a DNSBL",
        "dnsbl",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 JunkMail rejected - mail.example.net [192.0.2.1]:24706 is in an RBL: Blocked",
        "an rbl",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 Rejected: 192.0.2.1 is listed at drbl.example.net",
        "is listed",
        role=MX,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 Black listed at hostkarma http://ipadmin.junkemailfilter.com/remove.php?ip=192.0.2.1",
        "black list",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 Rejected, 192.0.2.1 is on our block list",
        "block list",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "553 5.7.1 Client host rejected: Your IP identified as spammer",
        "identified as spammer",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 5.7.1 Message rejected, sending host is on our blocklist",
        "blocklist",
    ),
    later(
        Reason.REPUTATION_PTR,
        HOP,
        "450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]",
        "cannot find your reverse hostname",
    ),
    later(
        Reason.REPUTATION_PTR,
        HOP,
        "450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]",
        "cannot find your hostname",
    ),
    later(
        Reason.REPUTATION_PTR,
        HOP,
        "550 5.7.1 Your server has no reverse DNS. Please set a PTR record.",
        "reverse dns",
    ),
    later(
        Reason.REPUTATION_PTR,
        HOP,
        "554 5.7.1 The IP address has no PTR record",
        "ptr record",
    ),
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "550 #5.7.1 Your access to submit messages to this e-mail system has been rejected.",
        "your access to submit messages",
        source="Cisco",
    ),
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "554 5.7.1 Rejected due to poor sender reputation of 192.0.2.1",
        "reputation",
    ),
)

_RATE = (
    later(
        Reason.RATE_GREYLISTED,
        RECIPIENT,
        "450 4.2.0 <anna@example.org>: Recipient address rejected: Greylisted, see "
        "http://postgrey.schweikert.ch/help/example.org.html",
        "greylist",
        codes=TRANSIENT,
    ),
    later(
        Reason.RATE_GREYLISTED,
        RECIPIENT,
        "451 4.7.1 Graylisting in action, please come back later",
        "graylist",
        codes=TRANSIENT,
    ),
    later(
        Reason.AUTH_TOO_MANY_ATTEMPTS,
        HOP,
        "454 4.7.0 Too many login attempts, please try again later.",
        "too many login attempts",
        role=UPSTREAM,
    ),
    later(
        Reason.AUTH_TOO_MANY_ATTEMPTS,
        HOP,
        "535 5.7.0 (#AUTH005) Too many bad auth attempts.",
        "too many bad auth attempts",
        role=UPSTREAM,
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.7.1 Daily sending quota exceeded for billing@acme.example",
        "daily",
        "quota",
        role=UPSTREAM,
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.7.1 You have reached your daily sending limit",
        "daily",
        "limit",
        role=UPSTREAM,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "450 4.7.1 Error: sending quota exceeded, hourly limit 500",
        "sending quota",
        role=UPSTREAM,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 4.7.0 mx.example.org Error: too many connections from 192.0.2.1",
        "too many connections",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 4.3.2 Too many concurrent SMTP connections; please try again later.",
        "too many concurrent",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 4.3.2 The maximum number of concurrent connections per resource forest has exceeded a limit, "
        "closing transmission channel.",
        "concurrent connections",
        source="Exchange",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "451 4.7.1 Rate limit exceeded for your host, slow down",
        "rate limit",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "450 4.7.1 Error: too much mail from 192.0.2.1",
        "too much mail",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "452 4.3.1 Too many messages from your address in a short time",
        "too many messages",
    ),
    later(
        Reason.RATE_LIMITED,
        RECIPIENT,
        "452 4.1.1 <anna@example.org> too many recent messages; Try again later",
        "too many recent messages",
        source="Comcast",
    ),
    later(
        Reason.RATE_LIMITED,
        RECIPIENT,
        "450 User is receiving mail too quickly",
        "receiving mail too quickly",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 4.7.1 Messages to anna@icloud.com deferred due to excessive volume. Try again later",
        "excessive volume",
        source="iCloud",
    ),
    later(Reason.RATE_LIMITED, HOP, "550 Too many invalid recipients", "too many invalid recipients"),
    later(
        Reason.RATE_LIMITED,
        RECIPIENT,
        "452 4.5.3 Error: too many recipients",
        "too many recipients",
        codes=TRANSIENT,
    ),
)


ROWS: tuple[Rule, ...] = _REPUTATION + _RATE
