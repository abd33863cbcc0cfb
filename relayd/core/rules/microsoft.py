"""Microsoft: Exchange Online and Outlook.com as recipients' servers.

Sources: Microsoft's "Fix NDR errors in Exchange Online" (January 2026), "Fix issues with printers, scanners
and LOB applications", Outlook.com's postmaster troubleshooting page (June 2026), the announcement of the end
of basic authentication for SMTP AUTH (January 2026), and replies quoted in public issue trackers where said.
"""

from __future__ import annotations

from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.rules.rule import (
    HOP,
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

_M = Provider.MICROSOFT

ROWS: tuple[Rule, ...] = (
    # Access is not meant: the tenant's directory knows no such address.
    digit(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 5.4.1 Recipient address rejected: Access denied. For more information see "
        "https://aka.ms/EXOSmtpErrors [AM0EUR02FT029.eop-EUR02.prod.protection.outlook.com]",
        "recipient address rejected: access denied",
        provider=_M,
    ),
    digit(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 5.4.1 All recipient addresses rejected : Access denied "
        "[AM0EUR02FT029.eop-EUR02.prod.protection.outlook.com]",
        "all recipient addresses rejected",
        provider=_M,
    ),
    # The recipient's limit for an hour, said with a 554.
    later(
        Reason.RATE_LIMITED,
        RECIPIENT,
        "554 5.2.122 The recipient has exceeded their limit for the number of messages they can receive per "
        "hour.",
        provider=_M,
        enhanced="x.2.122",
    ),
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
        "recipientnotfound",
        provider=_M,
    ),
    # Outlook.com, consumers.
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). "
        "[DB5EUR03FT012.eop-EUR03.prod.protection.outlook.com]",
        "mailbox unavailable",
        role=MX,
        provider=_M,
        enhanced="5.5.0",
    ),
    final(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException",
        "storedrv.deliver",
        "quotaexceeded",
        provider=_M,
    ),
    final(
        Reason.MESSAGE_TOO_BIG,
        RECIPIENT,
        "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
        "recipsizelimit",
        provider=_M,
    ),
    *(
        final(Reason.RECIPIENT_REFUSED, RECIPIENT, seen, role=MX, provider=_M, enhanced=enhanced)
        for seen, enhanced in (
            ("550 5.7.12 Sender was not authenticated by organization", "5.7.12-13"),
            ("550 5.7.124 Sender not in allowed-senders list", "5.7.124"),
            ("550 5.7.134 Sender was not authenticated for mailbox", "5.7.133-136"),
            ("550 5.7.505 Access denied, banned recipient", "5.7.505"),
            ("550 5.2.14 Misconfigured forwarding address", "5.2.14"),
        )
    ),
    final(
        Reason.RECIPIENT_REFUSED,
        RECIPIENT,
        "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; "
        "Delivery restriction check failed because the sender was not authenticated for this group",
        "resolver.rst.",
        provider=_M,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet "
        "service provider since part of their network is on our block list (S3150).",
        "block list (s3",
        provider=_M,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        MESSAGE,
        "550 5.7.1 Service unavailable, MailFrom domain is listed in Spamhaus. (S8002)",
        "(s8002)",
        provider=_M,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please "
        "visit https://sender.office.com/",
        provider=_M,
        enhanced="5.7.606-649",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 5.7.511 Access denied, banned sender[192.0.2.1]. To request removal from this list please "
        "forward this message to delist@microsoft.com",
        provider=_M,
        enhanced="5.7.511",
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.",
        provider=_M,
        enhanced="5.7.708",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 RP-001 (SNT004-MC1F21) Unfortunately, some messages from 192.0.2.1 weren't sent. The mail "
        "server "
        "IP connecting to Outlook.com server has exceeded the rate limit allowed.",
        "rp-00",
        provider=_M,
        codes=TRANSIENT,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. "
        "(S775)",
        provider=_M,
        enhanced="4.7.500-699",
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 5.7.515 Access denied, sending domain acme.example does not meet the required authentication "
        "level.",
        provider=_M,
        enhanced="5.7.515",
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 5.7.509 Access denied, sending domain acme.example does not pass DMARC verification and has a "
        "DMARC policy of reject.",
        provider=_M,
        enhanced="5.7.509",
    ),
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 SC-001 (COL004-MC1F21) Unfortunately, messages from 192.0.2.1 weren't sent.",
        "sc-00",
        provider=_M,
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 OU-001 (COL004-MC1F21) Unfortunately, messages from 192.0.2.1 weren't sent.",
        "ou-00",
        provider=_M,
        codes=PERMANENT,
    ),
    # "We generally do not accept email from dynamic IPs"
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "550 DY-001 (COL004-MC1F21) Unfortunately, messages from 192.0.2.1 weren't sent.",
        "dy-00",
        provider=_M,
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_MALFORMED,
        MESSAGE,
        "550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal; message contains bare linefeeds, which cannot be sent "
        "via DATA",
        provider=_M,
        enhanced="5.6.11",
    ),
    final(
        Reason.MESSAGE_MALFORMED,
        MESSAGE,
        "550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant",
        provider=_M,
        enhanced="5.7.512",
    ),
    digit(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 5.2.1 Content Filter agent quarantined this message",
        "quarantined this message",
        provider=_M,
    ),
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "550 5.7.501 Access denied, spam abuse detected from IP range",
        role=MX,
        provider=_M,
        enhanced="5.7.501-503",
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "550 5.7.508 Access denied, 2001:db8::1 has exceeded permitted limits within the IPv6 range",
        provider=_M,
        enhanced="5.7.508",
    ),
    final(
        Reason.MESSAGE_LOOP,
        MESSAGE,
        "554 5.4.14 Hop count exceeded - possible mail loop ATTR34",
        provider=_M,
        enhanced="5.4.14",
    ),
    # As MX: the recipient's tenant does not own the domain its MX record points to.
    final(
        Reason.RECIPIENT_DOMAIN,
        RECIPIENT,
        "550 5.7.64 TenantAttribution; Relay Access Denied "
        "[AM0EUR02FT029.eop-EUR02.prod.protection.outlook.com]",
        "tenantattribution",
        role=MX,
        provider=_M,
    ),
)
