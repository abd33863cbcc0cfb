"""Microsoft: Exchange Online and Outlook.com as a customer's own server. Sources as in `microsoft`."""

from __future__ import annotations

from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.rules.rule import HOP, HOST, MESSAGE, RECIPIENT, UPSTREAM, Rule, final, later

_M = Provider.MICROSOFT

ROWS: tuple[Rule, ...] = (
    # The MX was entered as the customer's server: it takes mail for that organisation only.
    final(
        Reason.UPSTREAM_IS_MX,
        RECIPIENT,
        "550 5.7.64 TenantAttribution; Relay Access Denied SMTP. "
        "[AM0EUR02FT029.eop-EUR02.prod.protection.outlook.com]",
        "tenantattribution",
        role=UPSTREAM,
        provider=_M,
    ),
    final(
        Reason.UPSTREAM_IS_MX,
        RECIPIENT,
        "451 4.4.62 Mail sent to the wrong Office 365 region. ATTR35",
        "wrong office 365 region",
        role=UPSTREAM,
        provider=_M,
    ),
    # One code, three causes (simonrob/email-oauth2-proxy#193, nodemailer/nodemailer#1484 and #1714).
    later(
        Reason.AUTH_SMTP_AUTH_DISABLED,
        HOP,
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
        "https://aka.ms/smtp_auth_disabled for more information.",
        "smtpclientauthentication is disabled",
        role=UPSTREAM,
        provider=_M,
    ),
    later(
        Reason.AUTH_BASIC_DISABLED,
        HOP,
        "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
        "basic authentication is disabled",
        role=UPSTREAM,
        provider=_M,
    ),
    later(
        Reason.AUTH_BASIC_DISABLED,
        HOP,
        "550 5.7.30 Basic authentication is not supported for Client Submission.",
        "basic authentication is not supported",
        role=UPSTREAM,
        provider=_M,
    ),
    later(
        Reason.AUTH_SMTP_AUTH_DISABLED,
        HOP,
        "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated "
        "successfully. Contact your administrator.",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.7.139",
    ),
    later(
        Reason.AUTH_WRONG_PASSWORD,
        HOP,
        "535 5.7.3 Authentication unsuccessful [AM6PR05CA0023.eurprd05.prod.outlook.com]",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.7.3",
    ),
    later(
        Reason.AUTH_NOT_LOGGED_IN,
        HOP,
        "530 5.7.57 Client not authenticated to send mail. [AM6PR05CA0023.eurprd05.prod.outlook.com]",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.7.57",
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
        "permissions to send as this sender",
        role=UPSTREAM,
        provider=_M,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "554 5.2.252 SendAsDenied; billing@acme.example not allowed to send as info@acme.example; "
        "STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
        "sendasdenied",
        role=UPSTREAM,
        provider=_M,
    ),
    final(
        Reason.SENDER_BLOCKED,
        MESSAGE,
        "550 5.1.8 Access denied, bad outbound sender. For more information please go to "
        "https://go.microsoft.com/fwlink/?linkid=875724",
        "bad outbound sender",
        role=UPSTREAM,
        provider=_M,
    ),
    final(
        Reason.SENDER_BLOCKED,
        MESSAGE,
        "550 5.7.501 Access denied, spam abuse detected. The sending account has been banned",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.7.501-503",
    ),
    final(
        Reason.SENDER_BLOCKED,
        MESSAGE,
        "550 5.7.705 Access denied, tenant has exceeded threshold",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.7.705",
    ),
    final(
        Reason.SENDER_BLOCKED,
        MESSAGE,
        "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.7.750",
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.7.232 Your message can't be sent because your tenant exceeded its tenant external recipient "
        "rate limit.",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.7.232-233",
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.1.90 Your message can't be sent because you've reached your daily limit for message "
        "recipients",
        role=UPSTREAM,
        provider=_M,
        enhanced="5.1.90",
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.2.2 Submission quota exceeded",
        "submission quota",
        role=UPSTREAM,
        provider=_M,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more "
        "information.",
        "concurrent connections limit",
        role=UPSTREAM,
        provider=_M,
    ),
    later(
        Reason.SERVER_BUSY,
        HOST,
        "454 4.7.0 Temporary authentication failure. [AM6PR05CA0023.eurprd05.prod.outlook.com]",
        "temporary authentication failure",
        role=UPSTREAM,
        provider=_M,
    ),
)
