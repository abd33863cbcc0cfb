"""Google: Gmail and Workspace, as MX and as submission server.

Source of all rows: support.google.com/a/answer/3726730 as of February 2026. The prose changes ("mail" became
"email") and the enhanced codes are sometimes misprinted; what stays are the `?p=` tokens of its links.
"""

from __future__ import annotations

from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.rules.rule import HOP, HOST, MESSAGE, RECIPIENT, UPSTREAM, digit, final, later

_G = Provider.GOOGLE

ROWS = (
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
        "550-5.1.1 double-checking the recipient's email address for typos or\n"
        "550 5.1.1 unnecessary spaces. Go to https://support.google.com/mail/?p=NoSuchUser - gsmtp",
        "p=nosuchuser",
        provider=_G,
    ),
    final(
        Reason.RECIPIENT_DISABLED,
        RECIPIENT,
        "550 5.2.1 The email account that you tried to reach is inactive. "
        "Go to https://support.google.com/mail/?p=DisabledUser - gsmtp",
        "p=disableduser",
        provider=_G,
    ),
    digit(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "452-4.2.2 The recipient's inbox is out of storage space.\n"
        "452 4.2.2 https://support.google.com/mail/?p=OverQuotaTemp - gsmtp",
        "p=overquota",
        provider=_G,
    ),
    digit(
        Reason.RATE_LIMITED,
        RECIPIENT,
        "450 4.2.1 The user you are trying to contact is receiving email too quickly. "
        "https://support.google.com/mail/?p=ReceivingRate - gsmtp",
        "p=receivingrate",
        provider=_G,
    ),
    digit(
        Reason.RATE_LIMITED,
        RECIPIENT,
        "450 4.2.1 The user you are trying to contact is receiving email at a rate that prevents additional "
        "messages from being delivered. gsmtp",
        "rate that prevents",
        provider=_G,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421-4.7.28 Gmail has detected an unusual rate of email originating from your IP address. "
        "https://support.google.com/mail/?p=UnsolicitedRateLimitError - gsmtp",
        "p=unsolicitedratelimiterror",
        provider=_G,
    ),
    digit(
        Reason.POLICY_SPF,
        MESSAGE,
        "550-5.7.26 The MAIL FROM domain [acme.example] has an SPF record with a hard fail\n"
        "550 5.7.26 policy (-all) but it fails to pass SPF checks. gsmtp",
        "spf record with a hard fail",
        provider=_G,
    ),
    digit(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550-5.7.26 Unauthenticated email from acme.example is not accepted due to domain's\n"
        "550 5.7.26 DMARC policy. https://support.google.com/mail/?p=DmarcRejection - gsmtp",
        "p=dmarcrejection",
        provider=_G,
    ),
    digit(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 5.7.26 Your email has been blocked because the sender is unauthenticated. - gsmtp",
        provider=_G,
        enhanced="x.7.26",
    ),
    digit(
        Reason.POLICY_SPF,
        MESSAGE,
        "550 5.7.27 Your email has been blocked because SPF didn't pass for this message. - gsmtp",
        provider=_G,
        enhanced="x.7.27",
    ),
    digit(
        Reason.POLICY_DKIM,
        MESSAGE,
        "550 5.7.30 Your email has been blocked because DKIM didn't pass for this message. - gsmtp",
        provider=_G,
        enhanced="x.7.30",
    ),
    digit(
        Reason.POLICY_DMARC,
        MESSAGE,
        "421 4.7.32 The From: header isn't aligned with the SPF or DKIM organizational domain. - gsmtp",
        provider=_G,
        enhanced="x.7.32",
    ),
    digit(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 5.7.40 Your email has been blocked because no DMARC record was found. - gsmtp",
        provider=_G,
        enhanced="x.7.40",
    ),
    digit(
        Reason.POLICY_TLS_REQUIRED,
        HOST,
        "421 4.7.29 Your email has been rate limited because it was sent without TLS. - gsmtp",
        provider=_G,
        enhanced="x.7.29",
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550-5.7.1 Our system has detected that this message is likely unsolicited mail.\n"
        "550 5.7.1 https://support.google.com/mail/?p=UnsolicitedMessageError - gsmtp",
        "likely unsolicited",
        provider=_G,
    ),
    final(
        Reason.MESSAGE_CONTENT,
        MESSAGE,
        "552-5.7.0 This message was blocked because its content presents a potential\n"
        "552 5.7.0 security issue. https://support.google.com/mail/?p=BlockedMessage - gsmtp",
        "p=blockedmessage",
        provider=_G,
    ),
    final(
        Reason.MESSAGE_TOO_BIG,
        MESSAGE,
        "552 5.3.4 Your message exceeded Google's message size limits. "
        "https://support.google.com/mail/?p=MaxSizeError - gsmtp",
        "p=maxsizeerror",
        provider=_G,
    ),
    later(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "421 4.7.0 [192.0.2.1] Our system has detected that this message is suspicious due to the nature of "
        "the "
        "content and/or the links within. - gsmtp",
        "nature of the content",
        provider=_G,
    ),
    *(
        final(Reason.MESSAGE_MALFORMED, MESSAGE, seen, token, provider=_G)
        for seen, token in (
            (
                "550-5.7.1 [192.0.2.1] Messages missing a valid address in From: header, or having no From:\n"
                "550 5.7.1 header, are not accepted. - gsmtp",
                "missing a valid",
            ),
            (
                "550 5.7.1 Messages with multiple addresses in From: header are not accepted. - gsmtp",
                "multiple addresses in from",
            ),
            ("550 5.7.1 This message is not RFC 5322 compliant. - gsmtp", "rfc 5322 compliant"),
            (
                "550 5.7.1 This message contains a unicode character in a disallowed header. - gsmtp",
                "character in a disallowed header",
            ),
            (
                "550 5.7.1 Encoded-word syntax is not permitted in message header. - gsmtp",
                "encoded-word syntax",
            ),
        )
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "550 5.7.1 Our system has detected an unusual rate of unsolicited mail originating from your IP "
        "address. - gsmtp",
        "unusual rate of",
        provider=_G,
    ),
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "550-5.7.1 [192.0.2.1] The IP you're using to send mail is not authorized to send email directly to\n"
        "550 5.7.1 our servers. - gsmtp",
        "not authorized to send email directly",
        provider=_G,
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 5.7.1 Unauthenticated email is not accepted from this domain. - gsmtp",
        "unauthenticated email is not accepted",
        provider=_G,
    ),
    later(
        Reason.POLICY_TLS_REQUIRED,
        HOST,
        "421 4.7.0 TLS required for RCPT domain, closing connection. - gsmtp",
        "tls required for rcpt domain",
        provider=_G,
    ),
    final(
        Reason.MESSAGE_CONTENT,
        MESSAGE,
        "552 5.7.0 This message was blocked because its content presents a potential security issue. gsmtp",
        "potential security issue",
        provider=_G,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "450 4.2.1 Peak SMTP relay limit exceeded for customer. gsmtp",
        "peak smtp relay limit",
        role=UPSTREAM,
        provider=_G,
    ),
    final(
        Reason.SENDER_BLOCKED,
        MESSAGE,
        "550 5.7.0 Mail sending denied. gsmtp",
        "mail sending denied",
        role=UPSTREAM,
        provider=_G,
    ),
    final(
        Reason.MESSAGE_MALFORMED,
        MESSAGE,
        "550 5.7.1 Messages with duplicate headers are not accepted. "
        "https://support.google.com/mail/?p=RfcMessageNonCompliant - gsmtp",
        "p=rfcmessagenoncompliant",
        provider=_G,
    ),
    # A 5xx that is over after a rolling day.
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.4.5 Daily user sending limit exceeded. gsmtp",
        "daily",
        "sending",
        role=UPSTREAM,
        provider=_G,
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.4.5 Daily SMTP relay limit exceeded for customer. gsmtp",
        "daily smtp relay limit",
        role=UPSTREAM,
        provider=_G,
    ),
    later(
        Reason.AUTH_WRONG_PASSWORD,
        HOP,
        "535-5.7.8 Username and Password not accepted. For more information, go to\n"
        "535 5.7.8 https://support.google.com/mail/?p=BadCredentials - gsmtp",
        "username and password not accepted",
        role=UPSTREAM,
        provider=_G,
    ),
    later(
        Reason.AUTH_APP_PASSWORD_NEEDED,
        HOP,
        "534-5.7.9 Application-specific password required. For more information, go to\n"
        "534 5.7.9 https://support.google.com/mail/?p=InvalidSecondFactor - gsmtp",
        "application-specific password required",
        role=UPSTREAM,
        provider=_G,
    ),
    later(
        Reason.AUTH_BROWSER_LOGIN_NEEDED,
        HOP,
        "534-5.7.14 <https://accounts.google.com/signin/continue> Please log in through your web browser\n"
        "534 5.7.14 and then try again. gsmtp",
        "web browser",
        role=UPSTREAM,
        provider=_G,
    ),
    later(
        Reason.AUTH_NOT_LOGGED_IN,
        HOP,
        "530 5.7.0 Authentication Required. https://support.google.com/mail/?p=WantAuthError - gsmtp",
        "authentication required",
        role=UPSTREAM,
        provider=_G,
    ),
    later(
        Reason.AUTH_MECHANISM,
        HOP,
        "504 5.7.4 XOAUTH is no longer supported. gsmtp",
        "xoauth is no longer supported",
        role=UPSTREAM,
        provider=_G,
    ),
    final(
        Reason.UPSTREAM_RELAY_DENIED,
        MESSAGE,
        "550-5.7.1 Invalid credentials for relay [192.0.2.1]. The IP address you've\n"
        "550 5.7.1 registered in your G Suite SMTP Relay service doesn't match. gsmtp",
        "invalid credentials for relay",
        role=UPSTREAM,
        provider=_G,
    ),
)
