"""Words that servers of every make use, whoever runs them: Postfix, Exim, Sendmail, qmail, Exchange, rspamd,
Dovecot, Cisco. The order within the table matters: what is more telling stands first, so that a block said in
answer to RCPT is not taken for a missing mailbox.

Sources: the default texts of those servers, and ZoneMTA's, sisimai's and KumoMTA's collections as lists of
what is seen in the wild.
"""

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
    UPSTREAM,
    Rule,
    digit,
    final,
    later,
)

# Blocks are ours, not the customer's and not for ever: a delisting heals them. ZoneMTA defers all 83 of its.
_REPUTATION = (
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; "
        "https://www.spamhaus.org/query/ip/192.0.2.1",
        "spamhaus.org",
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
        "452 4.5.3 Error: too many recipients",
        "too many recipients",
        codes=TRANSIENT,
    ),
)

_SENDER = (
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "553 5.7.1 <billing@acme.example>: Sender address rejected: not owned by user info@acme.example",
        "sender address rejected: not owned by user",
        role=UPSTREAM,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550 5.7.1 Sender address is not allowed for this account",
        "sender address is not allowed",
        role=UPSTREAM,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550 5.7.1 User not authorized to send on behalf of <billing@acme.example>",
        "not authorized to send",
        role=UPSTREAM,
    ),
    digit(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "553 5.7.1 <billing@acme.example>: Sender address rejected: not logged in",
        "sender address rejected",
        role=UPSTREAM,
    ),
    digit(
        Reason.POLICY_OTHER,
        MESSAGE,
        "450 4.1.8 <billing@acme.example>: Sender address rejected: Domain not found",
        "sender address rejected",
        role=MX,
    ),
    final(
        Reason.SENDER_BLOCKED,
        MESSAGE,
        "554 5.7.1 Your account has been suspended from sending due to spam",
        "suspended from sending",
        role=UPSTREAM,
    ),
    final(
        Reason.UPSTREAM_RELAY_DENIED,
        RECIPIENT,
        "554 5.7.1 <anna@example.org>: Relay access denied",
        "relay access denied",
        role=UPSTREAM,
    ),
    final(
        Reason.UPSTREAM_RELAY_DENIED,
        RECIPIENT,
        "550 5.7.1 Unable to relay for anna@example.org",
        "unable to relay",
        role=UPSTREAM,
    ),
    final(
        Reason.UPSTREAM_RELAY_DENIED,
        RECIPIENT,
        "550 relay not permitted",
        "relay not permitted",
        role=UPSTREAM,
    ),
    # An MX that doesn't know its own domain: the domain's DNS points to the wrong server.
    digit(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "454 4.7.1 <anna@example.org>: Relay access denied",
        "relay access denied",
        role=MX,
    ),
    digit(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "550 5.7.1 Unable to relay for anna@example.org",
        "unable to relay",
        role=MX,
    ),
    digit(Reason.RECIPIENT_DOMAIN, RECIPIENT, "550 relay not permitted", "relay not permitted", role=MX),
)

_LOGIN = (
    later(
        Reason.AUTH_TOKEN_EXPIRED,
        HOP,
        '535 5.7.8 {"status":"invalid_token","schemes":"bearer"}',
        "invalid_token",
        role=UPSTREAM,
        source="RFC 7628 section 3.2.2",
    ),
    later(
        Reason.AUTH_APP_PASSWORD_NEEDED,
        HOP,
        "535 5.7.8 Error: authentication failed, use an app-specific password",
        "app-specific password",
        role=UPSTREAM,
    ),
    later(
        Reason.AUTH_APP_PASSWORD_NEEDED,
        HOP,
        "535 5.7.8 Incorrect username or password, an app password is required",
        "app password",
        role=UPSTREAM,
    ),
    later(
        Reason.AUTH_MECHANISM,
        HOP,
        "504 5.5.4 Unrecognized authentication type",
        "unrecognized authentication type",
        role=UPSTREAM,
    ),
    final(
        Reason.POLICY_TLS_REQUIRED,
        HOST,
        "530 5.7.0 Must issue a STARTTLS command first",
        "must issue a starttls command first",
        role=MX,
    ),
    later(
        Reason.POLICY_TLS_REQUIRED,
        HOP,
        "530 5.7.0 Must issue a STARTTLS command first",
        "must issue a starttls command first",
        role=UPSTREAM,
    ),
    later(
        Reason.AUTH_NOT_LOGGED_IN,
        HOP,
        "530 5.7.0 Authentication required",
        "authentication required",
        role=UPSTREAM,
    ),
    # It calls itself an MX and wants a login: a policy of theirs, or a wrong MX record.
    final(
        Reason.POLICY_OTHER,
        HOST,
        "530 5.7.0 Authentication required",
        "authentication required",
        role=MX,
    ),
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

_FULL = (
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
)

ROWS: tuple[Rule, ...] = (
    _REPUTATION
    + _RATE
    + _SENDER
    + _LOGIN
    + _POLICY
    + _CONTENT
    + _FULL
    + _DISABLED
    + _UNKNOWN
    + _DOMAIN
    + _SERVER
)
