"""Words about the recipient, and the server's own troubles."""

from __future__ import annotations

from relayd.core.reasons import Reason
from relayd.core.rules.rule import (
    HOP,
    HOST,
    MESSAGE,
    MX,
    PERMANENT,
    RECIPIENT,
    TRANSIENT,
    Rule,
    digit,
    final,
    later,
)

_FULL = (
    later(
        Reason.SERVER_BUSY,
        HOP,
        "450 4.7.3 Organization queue quota exceeded.",
        "queue quota exceeded",
        codes=TRANSIENT,
        source="Outlook",
    ),
    digit(Reason.RECIPIENT_FULL, RECIPIENT, "552 5.2.2 Mailbox full", "mailbox full"),
    digit(Reason.RECIPIENT_FULL, RECIPIENT, "452 4.2.2 The mailbox is full", "mailbox is full"),
    digit(
        Reason.RECIPIENT_FULL, RECIPIENT, "452 4.2.2 The email account is over quota", "over quota", role=MX
    ),
    digit(Reason.RECIPIENT_FULL, RECIPIENT, "552 5.2.2 anna is overquota", "overquota"),
    digit(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "550 5.2.2 user quota exceeded",
        "quota exceeded",
        role=MX,
        source="Free",
    ),
    digit(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "552 5.2.2 Mailbox exceeded storage allocation",
        "exceeded storage allocation",
        role=MX,
    ),
)

_DISABLED = (
    digit(Reason.RECIPIENT_DISABLED, RECIPIENT, "550 5.2.1 This account is disabled", "account is disabled"),
    digit(Reason.RECIPIENT_DISABLED, RECIPIENT, "550 5.2.1 This mailbox is disabled", "mailbox is disabled"),
    digit(Reason.RECIPIENT_DISABLED, RECIPIENT, "550 5.2.1 Mailbox disabled", "mailbox disabled"),
    digit(Reason.RECIPIENT_DISABLED, RECIPIENT, "550 5.2.1 User account disabled", "account disabled"),
    digit(Reason.RECIPIENT_DISABLED, RECIPIENT, "550 5.2.1 The mailbox is inactive", "mailbox is inactive"),
    digit(
        Reason.RECIPIENT_DISABLED,
        RECIPIENT,
        "550 5.2.1 The recipient's account has been suspended",
        "has been suspended",
        role=MX,
    ),
    digit(
        Reason.RECIPIENT_DISABLED,
        RECIPIENT,
        "540 5.7.1 <anna@rambler.ru>: recipient address rejected: Inactive",
        "recipient address rejected: inactive",
        source="Rambler",
    ),
    digit(
        Reason.RECIPIENT_DISABLED,
        RECIPIENT,
        "554 delivery error: dd anna@example.com is no longer valid. [-20]",
        "is no longer valid",
        source="Yahoo",
    ),
    final(
        Reason.RECIPIENT_REFUSED,
        RECIPIENT,
        "550 Your message was rejected by this user and was not delivered",
        "rejected by this user",
        codes=PERMANENT,
    ),
    final(
        Reason.RECIPIENT_REFUSED,
        RECIPIENT,
        "550 Mail is rejected by recipients",
        "rejected by recipient",
        codes=PERMANENT,
        source="QQ",
    ),
    final(
        Reason.RECIPIENT_REFUSED,
        RECIPIENT,
        "550 Rejected by header based manually Blocked Senders: billing@acme.example - "
        "https://community.mimecast.com/docs/DOC-1369#550 [x1yZ-2abPQ]",
        "blocked senders",
        codes=PERMANENT,
        source="Mimecast",
    ),
    digit(
        Reason.RECIPIENT_MOVED,
        RECIPIENT,
        "551 5.1.6 User has moved; please try <anna@new.example>",
        "has moved",
    ),
    digit(
        Reason.RECIPIENT_MOVED,
        RECIPIENT,
        "551 User not local; please try <anna@new.example>",
        "please try <",
    ),
)

_VERIFYING = (
    # The server is still asking the one behind it.
    later(
        Reason.SERVER_BUSY,
        RECIPIENT,
        "450 4.1.1 <anna@example.org>: Recipient address rejected: unverified address: Address verification "
        "in progress",
        "unverified address",
        codes=TRANSIENT,
        source="Postfix",
    ),
)

# Only words that name the recipient: "does not exist" alone may mean our domain.
_UNKNOWN = tuple(
    digit(Reason.RECIPIENT_UNKNOWN, RECIPIENT, seen, token, source=source)
    for seen, token, source in (
        (
            "550 5.1.1 <ghost@example.org>: Recipient address rejected: User unknown",
            "user unknown",
            "Postfix",
        ),
        ("550 5.1.1 unknown user <ghost@example.org>", "unknown user", "Courier"),
        ("550 No such user here", "no such user", "Exim"),
        ("550 5.1.1 User not found: ghost@example.org", "user not found", "Zimbra"),
        ("550 5.1.1 <ghost@example.org>... User does not exist", "user does not exist", "Dovecot"),
        ("550 5.1.1 User doesn't exist: ghost@example.org", "user doesn't exist", "Dovecot"),
        ("550 5.1.1 No such recipient here", "no such recipient", ""),
        ("550 5.1.1 Recipient unknown", "recipient unknown", ""),
        ("550 Unknown recipient <ghost@example.org>", "unknown recipient", ""),
        ("550 5.1.1 Recipient not found", "recipient not found", "Exchange"),
        ("550 5.1.1 Recipient does not exist", "recipient does not exist", ""),
        ("550 5.1.1 Invalid recipient <ghost@example.org>", "invalid recipient", "Barracuda"),
        (
            "554 5.7.1 <g@example.org>: Recipient address rejected: Invalid-Recipient.",
            "invalid-recipient",
            "",
        ),
        (
            "554 5.7.1 <g@example.org>: Recipient address rejected: Not in recipient list",
            "not in recipient list",
            "",
        ),
        (
            "550 5.7.1 Recipient address rejected: User email address is marked as invalid.",
            "marked as invalid",
            "",
        ),
        ("550 5.2.1 <ghost@example.org>... Addressee unknown", "addressee unknown", "AT&T"),
        ("550 Message was not accepted -- invalid mailbox.", "invalid mailbox", "Mail.ru"),
        (
            "553 5.1.2 The recipient address <ghost> is not a valid RFC-5321 address.",
            "is not a valid rfc",
            "Google",
        ),
        ("550 5.1.1 invalid address: mailbox not found", "mailbox not found", ""),
        ("550 5.1.1 mailbox does not exist", "mailbox does not exist", ""),
        ("550 5.1.1 No such mailbox", "no such mailbox", ""),
        ("550 sorry, no mailbox here by that name. (#5.1.1)", "no mailbox here by that name", "qmail"),
        ("553 sorry, no mail-box here by that name", "no mail-box here by that name", "Strato"),
        ("550 5.1.1 unknown local-part ghost", "unknown local-part", ""),
        ("550 5.1.0 ghost@example.org address unknown", "address unknown", "Cisco"),
        ("550 5.1.1 Utilisateur inconnu", "utilisateur inconnu", ""),
        ("550 5.1.1 Benutzer unbekannt", "benutzer unbekannt", ""),
        ("550 5.1.1 Empfaenger unbekannt", "empfaenger unbekannt", ""),
    )
)

_DOMAIN = (
    final(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "553 5.1.2 We weren't able to find the recipient domain. Please check for any spelling errors.",
        "find the recipient domain",
        source="Google",
    ),
    final(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "556 5.1.10 Recipient address has a null MX",
        "null mx",
        source="RFC 7505 section 4.2",
    ),
    digit(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "450 4.1.2 <anna@exmaple.org>: Recipient address rejected: Domain not found",
        "recipient address rejected: domain not found",
        source="Postfix",
    ),
)

_SERVER = (
    later(Reason.SERVER_BUSY, HOST, "421 4.3.2 Service busy, try again later", "busy", codes=TRANSIENT),
    later(
        Reason.SERVER_BUSY,
        MESSAGE,
        "451 4.7.1 Service unavailable - try again later",
        "service unavailable",
        codes=TRANSIENT,
    ),
    later(
        Reason.SERVER_BUSY,
        MESSAGE,
        "451 4.7.1 Sorry, the service is currently unavailable. Please come back later.",
        "currently unavailable",
        codes=TRANSIENT,
        source="Yandex",
    ),
    later(
        Reason.SERVER_BUSY,
        HOST,
        "452 4.3.1 Insufficient system storage",
        "insufficient system",
        codes=TRANSIENT,
    ),
    later(
        Reason.SERVER_ERROR,
        MESSAGE,
        "451 4.3.0 Error: queue file write error",
        "queue file write error",
        codes=TRANSIENT,
    ),
    later(
        Reason.SERVER_ERROR,
        MESSAGE,
        "451 Temporary local problem - please try later",
        "temporary local problem",
        codes=TRANSIENT,
        source="Exim",
    ),
    # Nothing else was understood of it.
    later(Reason.SERVER_BUSY, MESSAGE, "451 4.7.1 Try again later", "try again later", codes=TRANSIENT),
)


ROWS: tuple[Rule, ...] = _FULL + _DISABLED + _VERIFYING + _UNKNOWN + _DOMAIN + _SERVER
