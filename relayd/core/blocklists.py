"""Blocklists in DNS: how to ask whether an address or domain is listed, and what the answers mean (RFC 5782).

Few lists, those that large receivers use and that answer everybody. A list that is asked through a public
resolver, or too often, says so with an answer of its own; that is no listing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from relayd.core.records.answers import Found, Missing, Trouble


class Kind(StrEnum):
    ADDRESS = "address"
    DOMAIN = "domain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocklist:
    zone: str
    name: str
    kind: Kind
    page: str  # where to look a listing up, and to ask for its end
    meanings: Mapping[str, str]  # by answer; what isn't named here is a listing all the same


class Verdict(StrEnum):
    LISTED = "listed"
    CLEAN = "clean"
    NOT_ANSWERED = "not_answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    blocklist: Blocklist
    asked: str  # the address or domain
    verdict: Verdict
    meaning: str = ""  # of a listing, or why there was no answer


_SPAMHAUS = {
    # docs.spamhaus.com, datasets, return codes of the zones
    "127.0.0.2": "SBL: seen sending spam, or belongs to who does",
    "127.0.0.3": "CSS: sends what looks like spam",
    "127.0.0.4": "XBL: a hacked or infected machine behind this address",
    "127.0.0.9": "DROP: the network is in criminal hands",
    "127.0.0.10": (
        "PBL: the network's owner says that no mail comes from here directly; send through a smarthost, "
        "or have the address taken out"
    ),
    "127.0.0.11": (
        "PBL: an address of a network for end users; send through a smarthost, or have it taken out"
    ),
    "127.0.0.30": "BCL: controls infected machines",
    "127.0.1.2": "DBL: a domain with a low reputation",
    "127.0.1.4": "DBL: phishing",
    "127.0.1.5": "DBL: malware",
    "127.0.1.6": "DBL: controls infected machines",
    "127.0.1.102": "DBL: a good domain that was abused for spam",
    "127.0.1.103": "DBL: a redirector that was abused for spam",
    "127.0.1.104": "DBL: a good domain that was abused for phishing",
    "127.0.1.105": "DBL: a good domain that was abused for malware",
    "127.0.1.106": "DBL: a good domain that was abused to control infected machines",
}

LISTS = (
    Blocklist(
        zone="zen.spamhaus.org",
        name="Spamhaus ZEN",
        kind=Kind.ADDRESS,
        page="https://check.spamhaus.org/",
        meanings=_SPAMHAUS,
    ),
    Blocklist(
        zone="bl.spamcop.net",
        name="SpamCop",
        kind=Kind.ADDRESS,
        page="https://www.spamcop.net/bl.shtml",
        meanings={"127.0.0.2": "people reported spam from here within the last day"},
    ),
    Blocklist(
        zone="dbl.spamhaus.org",
        name="Spamhaus DBL",
        kind=Kind.DOMAIN,
        page="https://check.spamhaus.org/",
        meanings=_SPAMHAUS,
    ),
)

_REFUSED = {
    "127.255.255.252": "the name of the list is wrong",
    "127.255.255.254": (
        "it does not answer questions that come through a public resolver; set dns.nameservers to one of "
        "your own"
    ),
    "127.255.255.255": "it gets too many questions from the resolver; set dns.nameservers to one of your own",
}
_LISTINGS = ipaddress.ip_network("127.0.0.0/8")
_ERRORS = ipaddress.ip_network("127.255.255.0/24")
_NOT_A_DOMAIN = "127.0.1.255"  # DBL: an address was asked for


def question(blocklist: Blocklist, asked: str) -> str:
    """The name whose A record says whether `asked` is listed (RFC 5782 sections 2.1, 2.4 and 3)."""
    if blocklist.kind is Kind.DOMAIN:
        return f"{asked}.{blocklist.zone}"
    reverse = ipaddress.ip_address(asked).reverse_pointer
    return f"{reverse.rpartition('.')[0].rpartition('.')[0]}.{blocklist.zone}"


def judge(blocklist: Blocklist, asked: str, answer: Found[str] | Missing | Trouble) -> Listing:
    """What the list says. An answer beyond 127.0.0.0/8 is no list's: somebody answers for every name."""
    if isinstance(answer, Missing):
        return Listing(blocklist=blocklist, asked=asked, verdict=Verdict.CLEAN)
    if isinstance(answer, Trouble):
        return _not_answered(blocklist, asked, answer.text)
    refused = [
        code for code in answer.records if ipaddress.ip_address(code) in _ERRORS or code == _NOT_A_DOMAIN
    ]
    if refused:
        return _not_answered(
            blocklist, asked, _REFUSED.get(refused[0], f"it answers with the error {refused[0]}")
        )
    codes = [code for code in answer.records if ipaddress.ip_address(code) in _LISTINGS]
    if not codes:
        return _not_answered(blocklist, asked, "something on the way answers for every name, with addresses")
    meaning = "; ".join(blocklist.meanings.get(code, code) for code in codes)
    return Listing(blocklist=blocklist, asked=asked, verdict=Verdict.LISTED, meaning=meaning)


def _not_answered(blocklist: Blocklist, asked: str, why: str) -> Listing:
    return Listing(blocklist=blocklist, asked=asked, verdict=Verdict.NOT_ANSWERED, meaning=why)
