"""Other mailbox providers: Yahoo and AOL, iCloud, United Internet, T-Online, STRATO, Orange, AT&T."""

from __future__ import annotations

from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.reply import Stage
from relayd.core.rules.rule import (
    HOP,
    MESSAGE,
    MX,
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
        "[cs01]",
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

# postmaster.gmx.com/en/error-messages: no enhanced codes, the last line decides; case?c= names the cause.
# As MX and as submission server they say the same first line and mean different things.
_U = Provider.UNITED_INTERNET
_UNITED_INTERNET = (
    final(
        Reason.POLICY_SPF,
        MESSAGE,
        "550-Requested action not taken: mailbox unavailable\n"
        "550 Reject due to SPF policy. The originating IP of the message is not permitted by the domain "
        "owner.",
        "reject due to spf policy",
        provider=_U,
    ),
    final(
        Reason.POLICY_DMARC,
        MESSAGE,
        "550-Requested action not taken: mailbox unavailable\n550 Reject due to DMARC policy.",
        "reject due to dmarc policy",
        provider=_U,
    ),
    digit(
        Reason.RECIPIENT_FULL,
        RECIPIENT,
        "552-Requested mail action aborted: exceeded storage allocation\n552 Quota exceeded.",
        "exceeded storage allocation",
        role=MX,
        provider=_U,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554-Transaction failed\n554-IP-address is block listed.\n"
        "554 For explanation visit https://postmaster.gmx.net/en/case?c=r0201&i=ip&v=192.0.2.1&r=1",
        "block listed",
        provider=_U,
    ),
    later(
        Reason.REPUTATION_PTR,
        HOP,
        "554-gmx.net (mxgmx001) Nemesis ESMTP Service not available\n554-No SMTP service\n"
        "554-Bad DNS PTR resource record.\n554 For explanation visit "
        "https://postmaster.gmx.net/en/case?c=rdns&i=ip&v=192.0.2.1",
        "bad dns ptr",
        provider=_U,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550-Requested action not taken: mailbox unavailable\n550 Sender address is not allowed.",
        "sender address is not allowed",
        role=UPSTREAM,
        provider=_U,
    ),
    later(
        Reason.RATE_LIMITED,
        HOP,
        "450-Requested mail action not taken: mailbox unavailable\n450 Mail send limit exceeded.",
        "mail send limit exceeded",
        role=UPSTREAM,
        provider=_U,
    ),
    final(
        Reason.SENDER_NOT_ALLOWED,
        MESSAGE,
        "550 Requested action not taken: mailbox unavailable",
        "requested action not taken: mailbox unavailable",
        whole=True,
        role=UPSTREAM,
        provider=_U,
        stages=frozenset({Stage.MAIL}),
    ),
    # Only without a further line does it mean the recipient.
    final(
        Reason.RECIPIENT_UNKNOWN,
        RECIPIENT,
        "550 Requested action not taken: mailbox unavailable",
        "requested action not taken: mailbox unavailable",
        whole=True,
        role=MX,
        provider=_U,
    ),
    later(
        Reason.AUTH_WRONG_PASSWORD,
        HOP,
        "535 Authentication failure: SMTP AUTH failed with the remote server.",
        "smtp auth failed",
        role=UPSTREAM,
        provider=_U,
        source="ionos.de/hilfe",
    ),
)

# postmaster.t-online.de, point 4.1: a new address is refused until its operator writes to them.
_T = Provider.TELEKOM
_TELEKOM = (
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "554 IP=192.0.2.1 - None/bad reputation. Ask your postmaster for help or to contact "
        "tosa@rx.t-online.de for reset. (NOWL)",
        "(nowl)",
        provider=_T,
    ),
    later(
        Reason.REPUTATION_BLOCKLIST,
        HOP,
        "554 IP=192.0.2.1 - A problem occurred. Ask your postmaster for help or to contact "
        "tosa@rx.t-online.de to clarify. (BL)",
        "a problem occurred",
        provider=_T,
    ),
    later(
        Reason.REPUTATION_LOW,
        HOP,
        "554 IP=192.0.2.1 - Dialup/transient IP not allowed. Use a mailgateway/smarthost or contact "
        "tosa@rx.t-online.de. (DIAL)",
        "(dial)",
        provider=_T,
    ),
)

# strato.de/faq, "Fehlermeldungen".
_STRATO = (
    final(
        Reason.MESSAGE_SPAM,
        MESSAGE,
        "550 5.7.1 Refused by local policy. No SPAM please! (B-URL)",
        "no spam please",
        provider=Provider.STRATO,
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

ROWS: tuple[Rule, ...] = _YAHOO + _APPLE + _UNITED_INTERNET + _TELEKOM + _STRATO + _ORANGE
