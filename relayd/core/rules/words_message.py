"""Words about the message: what proves it, what is in it, how it is built."""

from __future__ import annotations

from relayd.core.reasons import Reason
from relayd.core.rules.rule import (
    HOST,
    MESSAGE,
    PERMANENT,
    Rule,
    digit,
    final,
)

_POLICY = (
    digit(Reason.POLICY_DMARC, MESSAGE, "550 5.7.1 rejected by DMARC policy for acme.example", "dmarc"),
    digit(
        Reason.POLICY_SPF,
        MESSAGE,
        "550 5.7.1 <anna@example.org>: Recipient address rejected: Message rejected due to: SPF fail - not "
        "authorized",
        "spf fail",
    ),
    digit(
        Reason.POLICY_SPF,
        MESSAGE,
        "550 5.7.1 SPF check failed for acme.example",
        "spf check",
    ),
    digit(
        Reason.POLICY_SPF, MESSAGE, "550 SPF: 192.0.2.1 is not allowed to send mail from acme.example", "spf:"
    ),
    digit(
        Reason.POLICY_SPF,
        MESSAGE,
        "550 SPF-check failed: acme.example doesn't allow sending mails from 192.0.2.1",
        "spf-check",
        source="Hostpoint",
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 rejecting spoofed message",
        "spoofed",
        codes=PERMANENT,
        source="Barracuda",
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 Rejected by header based Anti-Spoofing policy: billing@acme.example - "
        "https://community.mimecast.com/docs/DOC-1369#550 [x1yZ-2abPQ]",
        "anti-spoofing",
        codes=PERMANENT,
        source="Mimecast",
    ),
    digit(
        Reason.POLICY_DKIM,
        MESSAGE,
        "550 5.7.20 No valid DKIM signature found for acme.example",
        "dkim",
    ),
    digit(
        Reason.MESSAGE_LOOP,
        MESSAGE,
        "554 5.4.0 Error: too many hops",
        "too many hops",
    ),
    digit(
        Reason.MESSAGE_LOOP,
        MESSAGE,
        "554 5.4.6 mail for example.org loops back to myself",
        "loops back to myself",
    ),
    digit(
        Reason.POLICY_OTHER,
        HOST,
        "450 4.7.1 <relay.example.net>: Helo command rejected: Host not found",
        "helo command rejected",
    ),
)

_CONTENT = (
    final(
        Reason.MESSAGE_CONTENT,
        MESSAGE,
        "550 5.7.1 Virus found in message: Win.Test.EICAR_HDB-1",
        "virus",
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_CONTENT,
        MESSAGE,
        "552 5.7.0 Our system doesn't accept this type of attachment",
        "attachment",
        codes=PERMANENT,
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "554 5.7.1 Spam message rejected",
        "spam message",
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 5.7.1 This message was classified as SPAM and may not be delivered",
        "as spam",
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 5.7.1 High probability of spam",
        "of spam",
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 spam detected",
        "spam detected",
        source="Free",
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 5.7.1 Rejected by spam filter",
        "spam filter",
        source="Proton",
    ),
    final(
        Reason.MESSAGE_CONTENT,
        MESSAGE,
        "554 rejecting banned content",
        "banned content",
        codes=PERMANENT,
        source="Barracuda",
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "554 5.7.1 Message scored too high on spam scale",
        "spam scale",
    ),
    final(
        Reason.MESSAGE_LINE_TOO_LONG,
        MESSAGE,
        "500 5.5.2 Error: line too long",
        "line too long",
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_LINE_TOO_LONG,
        MESSAGE,
        "550 message has lines too long for transport",
        "lines too long",
        codes=PERMANENT,
        source="Exim",
    ),
    final(
        Reason.MESSAGE_TOO_BIG,
        MESSAGE,
        "552 5.3.4 Message size exceeds fixed limit",
        "message size exceeds",
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_TOO_BIG,
        MESSAGE,
        "552 5.2.3 Message too large",
        "message too large",
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_TOO_BIG,
        MESSAGE,
        "523 the message is too big, the limit is 20 MB",
        "too big",
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_MALFORMED,
        MESSAGE,
        "552 5.2.0 Message contains bare CR and is violating 822.bis section 2.3",
        "bare cr",
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_MALFORMED,
        MESSAGE,
        "550 5.6.0 Message contains bare LF",
        "bare lf",
        codes=PERMANENT,
    ),
)


ROWS: tuple[Rule, ...] = _POLICY + _CONTENT
