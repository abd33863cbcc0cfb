"""Mailbox providers: Yahoo and AOL, iCloud, Orange."""

from __future__ import annotations

from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.rules.rule import (
    HOP,
    HOST,
    MESSAGE,
    PERMANENT,
    RECIPIENT,
    UPSTREAM,
    Rule,
    digit,
    final,
    later,
)

# Yahoo's postmaster pages, "SMTP error codes" (February 2026), which AOL shares since both are one company.
_Y = Provider.YAHOO
_YAHOO = (
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "554 delivery error: dd This user doesn't have a yahoo.com account (ghost@yahoo.com) [-9] - "
        "mta1001.mail.bf1.yahoo.com",
        "this user doesn't have",
        provider=_Y,
    ),
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "554 delivery error: dd Not a valid recipient - mta4471.mail.ne1.yahoo.com",
        "not a valid recipient",
        provider=_Y,
    ),
    final(
        Reason.RECIPIENT_DISABLED,
        RECIPIENT,
        "554 30 Sorry, your message to ghost@yahoo.com cannot be delivered. This mailbox is disabled "
        "(554.30).",
        "this mailbox is disabled",
        provider=_Y,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user "
        "complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes",
        "[tss0",
        provider=_Y,
        codes=range(400, 500),
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 4.7.0 [TS01] Messages from 192.0.2.1 temporarily deferred due to unexpected volume - 4.16.55.1",
        "[ts0",
        provider=_Y,
        codes=range(400, 500),
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 4.7.0 [IPTS04] Connections will not be accepted from 192.0.2.1, because the ip is throttled",
        "[ipts04]",
        provider=_Y,
    ),
    later(
        Reason.RATE_LIMITED,
        HOST,
        "421 Max message per connection reached, closing transmission channel",
        "max message per connection",
        provider=_Y,
    ),
    digit(
        Reason.POLICY_OTHER,
        MESSAGE,
        "550 Message not accepted due to unresolvable RFC.5321 domain",
        "unresolvable rfc.5321",
        provider=_Y,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's "
        "list",
        "[bl2",
        provider=_Y,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "553 5.7.1 [TSS07] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's "
        "list",
        "[tss07]",
        provider=_Y,
        codes=PERMANENT,
    ),
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred",
        "[tss0",
        provider=_Y,
        codes=PERMANENT,
    ),
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "554 5.7.9 Message not accepted for policy reasons. [PH01]",
        "[ph01]",
        provider=_Y,
    ),
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes",
        "not accepted for policy reasons",
        provider=_Y,
    ),
    final(
        Reason.MESSAGE_MALFORMED,
        MESSAGE,
        "554 Message not allowed - Headers are not RFC compliant[291]",
        "not rfc compliant",
        provider=_Y,
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "554 5.7.5 (AU01) Message not accepted due to failed authentication of the domain in From",
        "(au01)",
        provider=_Y,
    ),
    later(
        Reason.REPUTATION_PTR,
        HOP,
        "421 RTR:RD The IP address attempting to send mail does not have a reverse DNS record",
        "rtr:rd",
        provider=_Y,
    ),
)

# support.apple.com 102322 (2026) and replies in public trackers (TryGhost/Ghost#17012).
_A = Provider.APPLE
_APPLE = (
    digit(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "552 5.2.2 <anna@icloud.com>: user is overquota",
        "overquota",
        provider=_A,
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550 5.7.1 Your message was rejected due to acme.example's DMARC policy. "
        "See https://support.apple.com/en-us/102322",
        "'s dmarc policy",
        provider=_A,
    ),
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "554 5.7.1 [CS01] Message rejected due to local policy. "
        "Please visit https://support.apple.com/en-us/102322",
        "local policy",
        provider=_A,
    ),
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 5.1.6 recipient no longer on server: <ghost@icloud.com>",
        "recipient no longer on server",
        provider=_A,
    ),
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 5.1.1 unknown or illegal alias: <ghost@icloud.com>",
        "unknown or illegal alias",
        provider=_A,
    ),
    final(
        Reason.RECIPIENT_DISABLED,
        RECIPIENT,
        "550 5.1.1 <ghost@icloud.com>: inactive email address",
        "inactive email address",
        provider=_A,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550 5.7.0 From address is not one of your addresses",
        "not one of your addresses",
        role=UPSTREAM,
        provider=_A,
    ),
    later(
        Reason.RATE_QUOTA_DAY,
        HOP,
        "550 5.7.1 You have exceeded your daily sending limit",
        "daily sending limit",
        role=UPSTREAM,
        provider=_A,
    ),
)

# Orange's OFR codes (KumoMTA's shaping file, sisimai's table, SMTP Field Manual).
_O = Provider.ORANGE
_ORANGE = (
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 5.1.1 <ghost@orange.fr> Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416",
        "ofr_416",
        provider=_O,
    ),
    digit(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417",
        "ofr_417",
        provider=_O,
    ),
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]",
        "ofr_506",
        provider=_O,
    ),
    final(
        Reason.POLICY_SPF,
        MESSAGE,
        "550 5.2.0 Mail rejete. Merci de verifier la configuration SPF/DNS de votre nom de domaine. ofr_515 "
        "[515]",
        "spf/dns de votre nom de domaine",
        provider=_O,
    ),
    final(
        Reason.POLICY_OTHER,
        MESSAGE,
        "501 5.1.0 Emetteur invalide. Invalid Sender. OFR004_405 [405]",
        "ofr004_405",
        provider=_O,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, "
        "slow down. OFR005_104",
        "ofr005_104",
        provider=_O,
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "501 5.0.2 DMARC check failed",
        "dmarc check failed",
        provider=_O,
    ),
)

ROWS: tuple[Rule, ...] = _YAHOO + _APPLE + _ORANGE
