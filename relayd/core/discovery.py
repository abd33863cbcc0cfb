"""What was found out about the server that hands in the mail of an address. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relayd.core.address import Address
from relayd.core.findings import Finding
from relayd.core.mailproviders.provider import MailProvider, Server


class Source(StrEnum):
    """Who says so."""

    TABLE = "table"  # the address is the provider's own
    MX = "mx"  # the domain's MX belongs to a provider in the table
    SPF = "spf"  # the MX hides the provider, but the domain's SPF record includes one
    AUTOCONFIG = "autoconfig"  # the domain, or its mail host, publishes settings for mail programs
    SRV = "srv"  # the domain's SRV records (RFC 6186, 8314)
    GUESS = "guess"  # the usual names


class Confidence(StrEnum):
    CERTAIN = "certain"
    LIKELY = "likely"
    GUESS = "guess"


_CONFIDENCE = {
    Source.TABLE: Confidence.CERTAIN,
    Source.MX: Confidence.CERTAIN,
    Source.SPF: Confidence.LIKELY,
    Source.AUTOCONFIG: Confidence.LIKELY,
    Source.SRV: Confidence.LIKELY,
    Source.GUESS: Confidence.GUESS,
}


class Note(StrEnum):
    """What else is to be said; the sentences are in `core.phrases.discovery`."""

    NO_DOMAIN = "no_domain"
    NO_MAIL = "no_mail"  # null MX (RFC 7505)
    NO_SERVICE = "no_service"
    DNS_TROUBLE = "dns_trouble"
    FILTERED = "filtered"  # another service stands before the mailbox, and hides whose it is
    NOTHING_FOUND = "nothing_found"
    ONLY_GUESSES = "only_guesses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a server showed when it was connected to, without a login."""

    answers: bool  # it speaks SMTP over verified TLS and lets clients log in
    text: str  # what kept it from that; else the mechanisms it offers
    mechanisms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A server to try. `derived`: relayd found it from its table or the domain's own MX or SRV, so that a
    login there with the address as its name shows who owns the address."""

    server: Server
    source: Source
    derived: bool
    username: str | None  # None: a name that can't be derived from the address
    mechanisms: tuple[str, ...] = ()  # as far as they are known
    seen: Seen | None = None

    @property
    def confidence(self) -> Confidence:
        return _CONFIDENCE[self.source]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found. `finding` is about the host that was asked about; `notes` come with the name they are
    about."""

    address: Address
    provider: MailProvider | None
    exchangers: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    notes: tuple[tuple[Note, str], ...] = ()
    finding: Finding | None = None
