"""Sending services and filters: their tokens are distinct enough to stand without the host's name, which
is often a customer's own domain in front of them."""

from __future__ import annotations

from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.rules.rule import HOP, MESSAGE, PERMANENT, UPSTREAM, final, later

# docs.aws.amazon.com/ses, "SMTP response codes".
_SES = (
    later(
        Reason.AUTH_WRONG_PASSWORD,
        HOP,
        "535 Authentication Credentials Invalid",
        "authentication credentials invalid",
        role=UPSTREAM,
    ),
    later(
        Reason.AUTH_NOT_LOGGED_IN,
        HOP,
        "535 Account not subscribed to SES",
        "account not subscribed to ses",
        role=UPSTREAM,
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "454 Throttling failure: Daily message quota exceeded.",
        "daily message quota exceeded",
        role=UPSTREAM,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "454 Throttling failure: Maximum sending rate exceeded.",
        "maximum sending rate exceeded",
        role=UPSTREAM,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "554 Message rejected: Email address is not verified. The following identities failed the check in "
        "region EU-CENTRAL-1: billing@acme.example",
        "email address is not verified",
        role=UPSTREAM,
    ),
)

# SendGrid says this with a 4xx, and no waiting helps (docs.sendgrid.com, SMTP errors).
_SENDGRID = (
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "403 You are not authorized to send from that email address",
        "not authorized to send from that email address",
        role=UPSTREAM,
    ),
    # Needs a person (a bigger plan), or the next day.
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "451 Authentication failed: Maximum credits exceeded",
        "maximum credits exceeded",
        role=UPSTREAM,
    ),
)

# zoho.com/mail/help/zoho-smtp.html, zoho.com/zeptomail smtp-error-codes
_ZOHO = (
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "553 Relaying disallowed as billing@acme.example",
        "relaying disallowed as",
        role=UPSTREAM,
    ),
    final(
        Reason.SENDER_BLOCKED,
        MESSAGE,
        "554 5.1.8 Sender Address Blocked",
        "sender address blocked",
        role=UPSTREAM,
    ),
    later(
        Reason.AUTH_WRONG_PASSWORD,
        HOP,
        "535 Authentication Failed",
        "authentication failed",
        role=UPSTREAM,
        provider=Provider.ZOHO,
    ),
)

# Brevo lets an account name the addresses that may log in, since May 2024 by default.
_BREVO = (
    later(
        Reason.AUTH_SMTP_AUTH_DISABLED,
        HOP,
        "525 5.7.1 Unauthorized IP address",
        "unauthorized ip address",
        role=UPSTREAM,
    ),
)

# Filters in front of many recipients' servers. The block is ours, so it waits for the operator.
_FILTERS = (
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1",
        "ipcheck.proofpoint.com",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 mx1.filter.example Your access to submit messages to this e-mail system has been rejected. "
        "Please visit http://csi.cloudmark.com/reset-request/?ip=192.0.2.1",
        "csi.cloudmark.com/reset-request",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 Service unavailable; Client host [192.0.2.1] blocked using Barracuda Reputation; "
        "https://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.1",
        "barracuda reputation",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "521 5.7.1 Service unavailable; client [192.0.2.1] blocked using DNSBL:ATTRBL 521< 192.0.2.1 >",
        "dnsbl:attrbl",
        codes=PERMANENT,
    ),
)

# smtp.fm, "Mimecast": every refusal links to the same page, its words tell them apart.
_MIMECAST = (
    final(
        Reason.POLICY_OTHER,
        MESSAGE,
        "550 Administrative prohibition - envelope blocked - "
        "https://community.mimecast.com/docs/DOC-1369#550 [x1yZ-2abPQ]",
        "envelope blocked",
    ),
    final(
        Reason.POLICY_OTHER,
        MESSAGE,
        "554 Email rejected due to security policies - https://community.mimecast.com/docs/DOC-1369#554 "
        "[x1yZ-2abPQ]",
        "security policies",
    ),
)

ROWS = _SES + _SENDGRID + _ZOHO + _BREVO + _FILTERS + _MIMECAST
