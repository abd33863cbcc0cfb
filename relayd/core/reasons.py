"""The stable names of what can go wrong. Apps match on them; a name is never changed or reused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Actor(StrEnum):
    """Who must act."""

    RECIPIENT = "recipient"
    SENDER = "sender"
    SENDER_IT = "sender_it"
    APP = "app"
    PLATFORM = "platform"
    NOBODY = "nobody"


class Reason(StrEnum):
    RECIPIENT_UNKNOWN = "recipient.unknown"
    RECIPIENT_DOMAIN = "recipient.domain"
    RECIPIENT_DISABLED = "recipient.disabled"
    RECIPIENT_FULL = "recipient.full"
    RECIPIENT_MOVED = "recipient.moved"
    RECIPIENT_REFUSED = "recipient.refused"
    RECIPIENT_SUPPRESSED = "recipient.suppressed"
    MESSAGE_TOO_BIG = "message.too_big"
    MESSAGE_CONTENT = "message.content"
    MESSAGE_SPAM = "message.spam"
    MESSAGE_MALFORMED = "message.malformed"
    MESSAGE_LINE_TOO_LONG = "message.line_too_long"
    MESSAGE_SMTPUTF8 = "message.smtputf8"
    MESSAGE_LOOP = "message.loop"
    POLICY_SPF = "policy.spf"
    POLICY_DKIM = "policy.dkim"
    POLICY_DMARC = "policy.dmarc"
    POLICY_TLS_REQUIRED = "policy.tls_required"
    POLICY_FROM_MISMATCH = "policy.from_mismatch"
    POLICY_OTHER = "policy.other"
    REPUTATION_BLOCKLIST = "reputation.blocklist"
    REPUTATION_PTR = "reputation.ptr"
    REPUTATION_LOW = "reputation.low"
    RATE_GREYLISTED = "rate.greylisted"
    RATE_LIMITED = "rate.limited"
    RATE_QUOTA_DAY = "rate.quota_day"
    NETWORK_REFUSED = "network.refused"
    NETWORK_TIMEOUT = "network.timeout"
    NETWORK_UNREACHABLE = "network.unreachable"
    NETWORK_DNS = "network.dns"
    NETWORK_TLS = "network.tls"
    NETWORK_CLOSED = "network.closed"
    NETWORK_PORT_BLOCKED = "network.port_blocked"
    AUTH_WRONG_PASSWORD = "auth.wrong_password"
    AUTH_APP_PASSWORD_NEEDED = "auth.app_password_needed"
    AUTH_BROWSER_LOGIN_NEEDED = "auth.browser_login_needed"
    AUTH_TOO_MANY_ATTEMPTS = "auth.too_many_attempts"
    AUTH_SMTP_AUTH_DISABLED = "auth.smtp_auth_disabled"
    AUTH_BASIC_DISABLED = "auth.basic_disabled"
    AUTH_NOT_LOGGED_IN = "auth.not_logged_in"
    AUTH_MECHANISM = "auth.mechanism"
    AUTH_TOKEN_EXPIRED = "auth.token_expired"
    UPSTREAM_IS_MX = "upstream.is_mx"
    UPSTREAM_RELAY_DENIED = "upstream.relay_denied"
    UPSTREAM_SEALED = "upstream.sealed"
    SENDER_NOT_ALLOWED = "sender.not_allowed"
    SENDER_BLOCKED = "sender.blocked"
    SENDER_UNCONFIRMED = "sender.unconfirmed"
    SENDER_UNPROVEN = "sender.unproven"
    SENDER_UNKNOWN = "sender.unknown"
    SENDER_AMBIGUOUS = "sender.ambiguous"
    SIGNING_FAILED = "signing.failed"
    SERVER_BUSY = "server.busy"
    SERVER_ERROR = "server.error"
    SERVER_PROTOCOL = "server.protocol"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is fixed about a reason. `final`: does it usually end the matter? (The event says whether it did.)
    `specimen`: how it shows itself; a server's reply where one says it. `link`: a page for everybody; help
    pages of single providers stand in `core.providers`."""

    reason: Reason
    final: bool
    actor: Actor
    specimen: str
    link: str | None = None


_R, _A = Reason, Actor
_TABLE: tuple[tuple[Reason, bool, Actor, str], ...] = (
    (_R.RECIPIENT_UNKNOWN, True, _A.SENDER, "550 5.1.1 <ghost@example.org>: User unknown"),
    (_R.RECIPIENT_DOMAIN, True, _A.SENDER, "553 5.1.2 We weren't able to find the recipient domain"),
    (_R.RECIPIENT_DISABLED, True, _A.SENDER, "550 5.2.1 The email account is inactive"),
    (_R.RECIPIENT_FULL, False, _A.RECIPIENT, "452 4.2.2 The recipient's inbox is out of storage space"),
    (_R.RECIPIENT_MOVED, True, _A.SENDER, "551 5.1.6 User has moved; please try <anna@new.example>"),
    (_R.RECIPIENT_REFUSED, True, _A.RECIPIENT, "550 5.7.133 sender not authenticated for this group"),
    (_R.RECIPIENT_SUPPRESSED, True, _A.SENDER, "the address is on the suppression list"),
    (_R.MESSAGE_TOO_BIG, True, _A.SENDER, "552 5.3.4 Message size exceeds fixed limit"),
    (_R.MESSAGE_CONTENT, True, _A.SENDER, "552 5.7.0 We don't accept this type of attachment"),
    (_R.MESSAGE_SPAM, True, _A.SENDER, "550 5.7.1 Spam message rejected"),
    (_R.MESSAGE_MALFORMED, True, _A.APP, "554 5.6.0 Message contains bare CR"),
    (_R.MESSAGE_LINE_TOO_LONG, True, _A.APP, "554 5.6.0 line longer than 998 octets"),
    (_R.MESSAGE_SMTPUTF8, True, _A.SENDER, "553 5.6.7 non-ASCII address not permitted"),
    (_R.MESSAGE_LOOP, True, _A.PLATFORM, "554 5.4.6 Too many hops"),
    (_R.POLICY_SPF, True, _A.SENDER_IT, "550 5.7.23 The message was rejected because of SPF policy"),
    (_R.POLICY_DKIM, True, _A.PLATFORM, "550 5.7.20 No valid DKIM signature found"),
    (_R.POLICY_DMARC, True, _A.SENDER_IT, "550 5.7.26 Unauthenticated email is not accepted"),
    (_R.POLICY_TLS_REQUIRED, False, _A.PLATFORM, "530 5.7.0 Must issue a STARTTLS command first"),
    (_R.POLICY_FROM_MISMATCH, True, _A.APP, "From: is not the sender's own address"),
    (_R.POLICY_OTHER, True, _A.PLATFORM, "554 5.7.1 Client host rejected: Access denied"),
    (_R.REPUTATION_BLOCKLIST, False, _A.PLATFORM, "554 5.7.1 blocked using zen.spamhaus.org"),
    (_R.REPUTATION_PTR, False, _A.PLATFORM, "450 4.7.1 cannot find your reverse hostname"),
    (_R.REPUTATION_LOW, False, _A.PLATFORM, "554 IP=192.0.2.1 - None/bad reputation (NOWL)"),
    (_R.RATE_GREYLISTED, False, _A.NOBODY, "450 4.2.0 Greylisted, see http://postgrey.schweikert.ch/help"),
    (_R.RATE_LIMITED, False, _A.NOBODY, "421 4.7.0 too many connections from 192.0.2.1"),
    (_R.RATE_QUOTA_DAY, False, _A.SENDER, "550 5.4.5 Daily user sending limit exceeded"),
    (_R.NETWORK_REFUSED, False, _A.NOBODY, "connection refused"),
    (_R.NETWORK_TIMEOUT, False, _A.NOBODY, "no answer within 30 s"),
    (_R.NETWORK_UNREACHABLE, False, _A.NOBODY, "no route to host"),
    (_R.NETWORK_DNS, False, _A.NOBODY, "DNS: SERVFAIL for example.org"),
    (_R.NETWORK_TLS, False, _A.SENDER_IT, "certificate is not valid for smtp.acme.example"),
    (_R.NETWORK_CLOSED, False, _A.NOBODY, "the server closed the connection"),
    (_R.NETWORK_PORT_BLOCKED, False, _A.PLATFORM, "no connection to port 25 of any server"),
    (_R.AUTH_WRONG_PASSWORD, False, _A.SENDER, "535 5.7.8 Username and Password not accepted"),
    (_R.AUTH_APP_PASSWORD_NEEDED, False, _A.SENDER, "534 5.7.9 Application-specific password required"),
    (_R.AUTH_BROWSER_LOGIN_NEEDED, False, _A.SENDER, "534 5.7.14 Please log in through your web browser"),
    (_R.AUTH_TOO_MANY_ATTEMPTS, False, _A.SENDER, "454 4.7.0 Too many login attempts"),
    (_R.AUTH_SMTP_AUTH_DISABLED, False, _A.SENDER_IT, "535 5.7.139 SmtpClientAuthentication is disabled"),
    (_R.AUTH_BASIC_DISABLED, False, _A.SENDER_IT, "550 5.7.30 Basic authentication is not supported"),
    (_R.AUTH_NOT_LOGGED_IN, False, _A.SENDER, "530 5.7.57 Client not authenticated to send mail"),
    (_R.AUTH_MECHANISM, False, _A.SENDER_IT, "504 5.7.4 Unrecognized authentication type"),
    (_R.AUTH_TOKEN_EXPIRED, False, _A.SENDER, '535 5.7.8 {"status":"invalid_token"}'),
    (_R.UPSTREAM_IS_MX, True, _A.SENDER, "550 5.7.64 TenantAttribution; Relay Access Denied"),
    (_R.UPSTREAM_RELAY_DENIED, True, _A.SENDER, "554 5.7.1 Relay access denied"),
    (_R.UPSTREAM_SEALED, False, _A.PLATFORM, "the master key that seals the password is missing"),
    (_R.SENDER_NOT_ALLOWED, True, _A.SENDER, "550 5.7.60 no permissions to send as this sender"),
    (_R.SENDER_BLOCKED, True, _A.SENDER, "550 5.1.8 Access denied, bad outbound sender"),
    (_R.SENDER_UNCONFIRMED, False, _A.SENDER, "the contact address is not confirmed"),
    (_R.SENDER_UNPROVEN, False, _A.SENDER_IT, "no SPF include and no DKIM key found in DNS"),
    (_R.SENDER_UNKNOWN, True, _A.APP, "no sender has this address"),
    (_R.SENDER_AMBIGUOUS, True, _A.APP, "two senders have this address, set X-Relayd-Sender"),
    (_R.SIGNING_FAILED, False, _A.PLATFORM, "the DKIM key can't be used"),
    (_R.SERVER_BUSY, False, _A.NOBODY, "421 4.3.2 Service busy, try again later"),
    (_R.SERVER_ERROR, False, _A.NOBODY, "451 4.3.0 Error: queue file write error"),
    (_R.SERVER_PROTOCOL, False, _A.NOBODY, "503 Bad sequence of commands"),
    (_R.EXPIRED, True, _A.NOBODY, "not delivered within 72 hours"),
    (_R.CANCELLED, True, _A.NOBODY, "taken back by a person"),
    (_R.DUPLICATE, True, _A.NOBODY, "this submission was accepted before"),
    (_R.UNKNOWN, True, _A.PLATFORM, "554 Transaction failed"),
)  # fmt: skip

_LINKS = {
    _R.MESSAGE_LINE_TOO_LONG: "https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1",
    _R.MESSAGE_SMTPUTF8: "https://www.rfc-editor.org/rfc/rfc6531",
    _R.POLICY_SPF: "https://www.rfc-editor.org/rfc/rfc7208",
    _R.POLICY_DKIM: "https://www.rfc-editor.org/rfc/rfc6376",
    _R.POLICY_DMARC: "https://dmarc.org/overview/",
    _R.REPUTATION_BLOCKLIST: "https://check.spamhaus.org/",
    _R.RATE_GREYLISTED: "https://www.rfc-editor.org/rfc/rfc6647",
}

REASONS = {
    reason: Row(reason=reason, final=final, actor=actor, specimen=specimen, link=_LINKS.get(reason))
    for reason, final, actor, specimen in _TABLE
}


def row(reason: Reason) -> Row:
    return REASONS[reason]
