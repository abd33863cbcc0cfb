"""Words about the sender and the login: who may send what through this server."""

from __future__ import annotations

from relayd.core.reasons import Reason
from relayd.core.rules.rule import (
    HOP,
    HOST,
    MESSAGE,
    MX,
    RECIPIENT,
    UPSTREAM,
    Rule,
    digit,
    final,
    later,
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
    final(
        Reason.UPSTREAM_RELAY_DENIED,
        RECIPIENT,
        "550 5.7.1 <anna@example.org>... Relaying denied",
        "relaying denied",
        role=UPSTREAM,
        source="Sendmail",
    ),
    final(
        Reason.UPSTREAM_RELAY_DENIED,
        RECIPIENT,
        "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "allowed rcpthosts",
        role=UPSTREAM,
        source="qmail",
    ),
    # An MX that doesn't know its own domain: the domain's DNS points to the wrong server.
    digit(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "550 5.7.1 <anna@example.org>... Relaying denied",
        "relaying denied",
        role=MX,
        source="Sendmail",
    ),
    digit(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "553 Relaying disallowed",
        "relaying disallowed",
        role=MX,
        source="Zoho",
    ),
    digit(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)",
        "allowed rcpthosts",
        role=MX,
        source="qmail",
    ),
    digit(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "553 you are trying to use me [mx.example.org] as a relay, but I have not been configured to let you "
        "do this",
        "as a relay",
        role=MX,
        source="Symantec",
    ),
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
        "534 5.7.9 Application-specific password required",
        "application-specific password",
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


ROWS: tuple[Rule, ...] = _SENDER + _LOGIN
