"""Mail providers, recognised by the name of the server that answered.

MX suffixes and submission hosts from Mozilla's ISPDB, KumoMTA's shaping file and the providers' own help
pages, as read in 2026. Some tokens mean something only when this provider says them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relayd.core.reasons import Reason


class Provider(StrEnum):
    GOOGLE = "google"
    MICROSOFT = "microsoft"
    YAHOO = "yahoo"
    APPLE = "apple"
    UNITED_INTERNET = "united_internet"
    TELEKOM = "telekom"
    STRATO = "strato"
    ORANGE = "orange"
    LAPOSTE = "laposte"
    FREE = "free"
    OVH = "ovh"
    INFOMANIAK = "infomaniak"
    PROTON = "proton"
    ZOHO = "zoho"
    FASTMAIL = "fastmail"
    MAILBOX_ORG = "mailbox_org"
    PROXIMUS = "proximus"
    TELENET = "telenet"
    COMBELL = "combell"
    KPN = "kpn"
    MIMECAST = "mimecast"
    PROOFPOINT = "proofpoint"
    BARRACUDA = "barracuda"
    AMAZON_SES = "amazon_ses"
    SENDGRID = "sendgrid"
    MAILGUN = "mailgun"
    POSTMARK = "postmark"
    BREVO = "brevo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a provider is known. `suffixes` are ends of host names, at a dot; the first one is typical."""

    provider: Provider
    name: str  # for people
    suffixes: tuple[str, ...]


CARDS = (
    Card(
        provider=Provider.GOOGLE,
        name="Google",
        suffixes=("google.com", "googlemail.com", "gmail.com", "psmtp.com"),
    ),
    # Tenants with DANE have their MX under mx.microsoft, consumers (Outlook.com) under olc.protection….
    Card(
        provider=Provider.MICROSOFT,
        name="Microsoft",
        suffixes=(
            "mail.protection.outlook.com",
            "olc.protection.outlook.com",
            "mx.microsoft",
            "outlook.com",
            "office365.com",
            "hotmail.com",
            "outlook.de",
        ),
    ),
    Card(
        provider=Provider.YAHOO,
        name="Yahoo",
        suffixes=("yahoodns.net", "yahoo.com", "aol.com", "smtp.yahoo.co.uk"),
    ),
    Card(provider=Provider.APPLE, name="iCloud", suffixes=("icloud.com", "mail.me.com", "apple.com")),
    Card(
        provider=Provider.UNITED_INTERNET,
        name="GMX, WEB.DE or IONOS",
        suffixes=(
            "gmx.net",
            "gmx.com",
            "gmx.de",
            "web.de",
            "kundenserver.de",
            "schlund.de",
            "1und1.de",
            "ionos.de",
            "ionos.com",
            "ionos.fr",
            "ionos.co.uk",
            "perfora.net",
            "mail.com",
        ),
    ),
    Card(provider=Provider.TELEKOM, name="T-Online", suffixes=("t-online.de", "magenta.de")),
    Card(provider=Provider.STRATO, name="STRATO", suffixes=("rzone.de", "strato.de", "strato.com")),
    Card(provider=Provider.ORANGE, name="Orange", suffixes=("orange.fr", "wanadoo.fr")),
    Card(provider=Provider.LAPOSTE, name="La Poste", suffixes=("laposte.net",)),
    Card(provider=Provider.FREE, name="Free", suffixes=("free.fr", "proxad.net")),
    Card(provider=Provider.OVH, name="OVHcloud", suffixes=("ovh.net", "ovh.com", "ovhcloud.com")),
    Card(provider=Provider.INFOMANIAK, name="Infomaniak", suffixes=("infomaniak.ch", "infomaniak.com")),
    Card(provider=Provider.PROTON, name="Proton", suffixes=("protonmail.ch", "proton.me", "proton.ch")),
    Card(
        provider=Provider.ZOHO,
        name="Zoho",
        suffixes=("zoho.com", "zoho.eu", "zoho.in", "zoho.jp", "zoho.com.au", "zohocloud.ca"),
    ),
    Card(provider=Provider.FASTMAIL, name="Fastmail", suffixes=("messagingengine.com", "fastmail.com")),
    Card(provider=Provider.MAILBOX_ORG, name="mailbox.org", suffixes=("mailbox.org",)),
    Card(
        provider=Provider.PROXIMUS,
        name="Proximus",
        suffixes=("proximus.be", "skynet.be", "belgacom.net", "belgacom.be"),
    ),
    Card(provider=Provider.TELENET, name="Telenet", suffixes=("telenet.be", "telenet-ops.be")),
    Card(provider=Provider.COMBELL, name="Combell", suffixes=("mailprotect.be", "combell.com")),
    Card(provider=Provider.KPN, name="KPN", suffixes=("kpnmail.nl", "kpnxchange.com", "xs4all.nl")),
    Card(provider=Provider.MIMECAST, name="Mimecast", suffixes=("mimecast.com", "mimecast.co.za")),
    Card(provider=Provider.PROOFPOINT, name="Proofpoint", suffixes=("pphosted.com", "ppe-hosted.com")),
    Card(
        provider=Provider.BARRACUDA, name="Barracuda", suffixes=("barracudanetworks.com", "ess.barracuda.com")
    ),
    Card(provider=Provider.AMAZON_SES, name="Amazon SES", suffixes=("amazonses.com",)),
    Card(provider=Provider.SENDGRID, name="SendGrid", suffixes=("sendgrid.net",)),
    Card(provider=Provider.MAILGUN, name="Mailgun", suffixes=("mailgun.org",)),
    Card(provider=Provider.POSTMARK, name="Postmark", suffixes=("postmarkapp.com", "mtasv.net")),
    Card(provider=Provider.BREVO, name="Brevo", suffixes=("brevo.com", "sendinblue.com")),
)

_BY_SUFFIX = {suffix: card for card in CARDS for suffix in card.suffixes}
_BY_PROVIDER = {card.provider: card for card in CARDS}


def card(provider: Provider) -> Card:
    return _BY_PROVIDER[provider]


def recognise(host: str | None) -> Provider | None:
    """The provider whose server has this name, or None. Longest suffix first, at whole labels:
    `notgmx.net` is not GMX."""
    labels = (host or "").rstrip(".").lower().split(".")
    # Amazon's servers for mail share their domain with every rented machine.
    if labels[0] in ("email-smtp", "inbound-smtp") and labels[-2:] == ["amazonaws", "com"]:
        return Provider.AMAZON_SES
    for start in range(len(labels)):
        found = _BY_SUFFIX.get(".".join(labels[start:]))
        if found is not None:
            return found.provider
    return None


# What providers leave in their texts, for replies that come without a host: pasted, or passed on by another.
_MARKS = (
    ("gsmtp", Provider.GOOGLE),
    ("support.google.com/", Provider.GOOGLE),
    ("protection.outlook.com", Provider.MICROSOFT),
    (".prod.outlook.com", Provider.MICROSOFT),
    ("sender.office.com", Provider.MICROSOFT),
    ("aka.ms/", Provider.MICROSOFT),
    ("delist@", Provider.MICROSOFT),
    ("(s31", Provider.MICROSOFT),
    (".yahoo.com", Provider.YAHOO),
    ("yahooinc.com", Provider.YAHOO),
    ("support.apple.com", Provider.APPLE),
    ("postmaster.gmx.", Provider.UNITED_INTERNET),
    ("postmaster.web.de", Provider.UNITED_INTERNET),
    ("t-online.de", Provider.TELEKOM),
    ("ofr_", Provider.ORANGE),
    ("ofr00", Provider.ORANGE),
)


def identify(host: str | None, text: str) -> Provider | None:
    """The provider behind a reply: by the server's name, else by the mark it left in the text."""
    lower = text.lower()
    return recognise(host) or next((provider for mark, provider in _MARKS if mark in lower), None)


_PAGES = {
    (Provider.GOOGLE, Reason.AUTH_APP_PASSWORD_NEEDED): "https://support.google.com/accounts/answer/185833",
    (Provider.GOOGLE, Reason.AUTH_WRONG_PASSWORD): "https://support.google.com/accounts/answer/185833",
    (Provider.GOOGLE, Reason.RATE_QUOTA_DAY): "https://support.google.com/a/answer/166852",
    (Provider.GOOGLE, Reason.UPSTREAM_RELAY_DENIED): "https://support.google.com/a/answer/2956491",
    (Provider.GOOGLE, Reason.UNKNOWN): "https://support.google.com/a/answer/3726730",
    (Provider.MICROSOFT, Reason.AUTH_SMTP_AUTH_DISABLED): "https://aka.ms/smtp_auth_disabled",
    (Provider.MICROSOFT, Reason.REPUTATION_BLOCKLIST): "https://sender.office.com/",
    (Provider.MICROSOFT, Reason.UNKNOWN): "https://aka.ms/EXOSmtpErrors",
    (Provider.YAHOO, Reason.UNKNOWN): "https://postmaster.yahooinc.com/error-codes",
    (Provider.APPLE, Reason.AUTH_WRONG_PASSWORD): "https://support.apple.com/102654",
    (Provider.APPLE, Reason.AUTH_APP_PASSWORD_NEEDED): "https://support.apple.com/102654",
    (Provider.APPLE, Reason.RATE_QUOTA_DAY): "https://support.apple.com/102198",
    (Provider.APPLE, Reason.MESSAGE_SPAM): "https://support.apple.com/102322",
    (Provider.UNITED_INTERNET, Reason.UNKNOWN): "https://postmaster.gmx.net/en/error-messages",
    (
        Provider.UNITED_INTERNET,
        Reason.AUTH_WRONG_PASSWORD,
    ): "https://www.gmx.net/mail/tipps/posts/pop3-imap/36",
    (Provider.TELEKOM, Reason.REPUTATION_LOW): "https://postmaster.t-online.de/",
}


def help_page(provider: Provider | None, reason: Reason) -> str | None:
    """The provider's own page about this, or None."""
    return None if provider is None else _PAGES.get((provider, reason))
