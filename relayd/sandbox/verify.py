"""What a receiver makes of a message: which domains signed it, what SPF and DMARC come to.

Asks the sandbox's zone where a real receiver asks DNS. DKIM is verified by dkimpy in full; SPF and DMARC are
evaluated as far as the sandbox's zones use them (SPF: ip4, ip6, include, all; DMARC: aspf, adkim, p), with an
organisational domain of two labels, which is right for every `.example`.
"""

from __future__ import annotations

import email.policy
import ipaddress
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr

import dkim

from relayd.sandbox.record import Received
from relayd.sandbox.zone import Zone

_SPF_LOOKUPS = 10  # RFC 7208 section 4.6.4
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One DKIM-Signature and whether it holds."""

    domain: str
    selector: str
    valid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A message as its receiver sees it."""

    header_from: str  # the whole field, decoded
    reply_to: str | None
    return_path: str  # "" is <>
    signatures: tuple[Signature, ...]
    spf: str  # pass | fail | softfail | neutral | none | permerror, for the return path's domain
    dmarc: str  # pass | fail | none (the domain publishes nothing)
    aligned_by: tuple[str, ...]  # what made DMARC pass: "dkim", "spf"

    @property
    def signed_by(self) -> tuple[str, ...]:
        """Domains with a signature that holds."""
        return tuple(dict.fromkeys(signature.domain for signature in self.signatures if signature.valid))


def look_at(received: Received, zone: Zone) -> Seen:
    """Judge a received message by what `zone` publishes. `received.ip` counts as the sending address."""
    message = BytesParser(policy=email.policy.default).parsebytes(received.content, headersonly=True)
    assert isinstance(message, EmailMessage)
    header_from = str(message["From"])
    author = _domain(parseaddr(header_from)[1])
    found = signatures(received.content, zone)
    spf_domain = _domain(received.mail_from)
    spf = spf_result(spf_domain, received.ip, zone) if spf_domain else "none"
    policy, aligned = _dmarc_policy(author, zone), []
    if any(
        signature.valid and _aligned(signature.domain, author, policy.get("adkim", "r"))
        for signature in found
    ):
        aligned.append("dkim")
    if spf == "pass" and _aligned(spf_domain, author, policy.get("aspf", "r")):
        aligned.append("spf")
    return Seen(
        header_from=header_from,
        reply_to=str(message["Reply-To"]) if message["Reply-To"] else None,
        return_path=received.mail_from,
        signatures=found,
        spf=spf,
        dmarc="none" if not policy else "pass" if aligned else "fail",
        aligned_by=tuple(aligned),
    )


def signatures(content: bytes, zone: Zone) -> tuple[Signature, ...]:
    """Every DKIM-Signature of the message, first one first, verified against the keys in `zone`."""
    verifier = dkim.DKIM(content)
    count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)
    return tuple(_verify(content, index, zone) for index in range(count))


def _verify(content: bytes, index: int, zone: Zone) -> Signature:
    def txt(name: bytes | str, timeout: int = 5) -> bytes | None:
        owner = name.decode() if isinstance(name, bytes) else name
        values = _texts(owner, zone)
        return values[0].encode() if values else None

    verifier = dkim.DKIM(content)
    try:
        valid = bool(verifier.verify(idx=index, dnsfunc=txt))
    except dkim.DKIMException:
        valid = False
    return Signature(domain=_text(verifier.domain), selector=_text(verifier.selector), valid=valid)


def spf_result(domain: str, ip: str, zone: Zone, *, lookups: int = _SPF_LOOKUPS) -> str:
    """check_host() of RFC 7208 for the mechanisms ip4, ip6, include and all; others are a permerror."""
    records = [text for text in _texts(domain, zone) if text.lower().split(" ")[0] == "v=spf1"]
    if len(records) != 1 or lookups < 0:
        return "none" if not records else "permerror"
    for term in records[0].split()[1:]:
        sign, mechanism = (term[0], term[1:]) if term[0] in _RESULTS else ("+", term)
        name, _, value = mechanism.partition(":")
        match name.lower():
            case "all":
                return _RESULTS[sign]
            case "ip4" | "ip6":
                if ipaddress.ip_address(ip) in ipaddress.ip_network(value, strict=False):
                    return _RESULTS[sign]
            case "include":
                included = spf_result(value, ip, zone, lookups=lookups - 1)
                if included == "pass":
                    return _RESULTS[sign]
                if included in ("none", "permerror"):
                    return "permerror"
            case _:
                return "permerror"
    return "neutral"


def _dmarc_policy(domain: str, zone: Zone) -> dict[str, str]:
    for owner in dict.fromkeys((domain, _organisation(domain))):
        for text in _texts(f"_dmarc.{owner}", zone):
            tags = dict(_tag(part) for part in text.split(";") if part.strip())
            if tags.get("v") == "DMARC1":
                return tags
    return {}


def _tag(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name.strip(), value.strip()


def _aligned(domain: str, author: str, mode: str) -> bool:
    return domain == author if mode == "s" else _organisation(domain) == _organisation(author)


def _organisation(domain: str) -> str:
    return ".".join(domain.split(".")[-2:])


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def _texts(name: str, zone: Zone) -> list[str]:
    """TXT values as one text each, through CNAMEs."""
    for _ in range(8):
        if values := zone.values(name, "TXT"):
            return [_joined(value) for value in values]
        alias = zone.values(name, "CNAME")
        if not alias:
            break
        name = alias[0]
    return []


def _joined(value: str) -> str:
    """`"v=DKIM1; " "p=…"` -> one text. The sandbox's values hold no escaped quotes."""
    return "".join(value.split('"')[1::2])


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else ""
