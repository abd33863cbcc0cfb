"""DMARC (RFC 7489): which policy a domain has, what is aligned with it, what receivers will therefore see.

What a domain's organizational domain is, the public suffix list says; it comes in as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from relayd.core.records.answers import Trouble
from relayd.core.records.spf import Asking, Outcome, Question, Type, texts

Organization = Callable[[str], str]
"""From a domain to its organizational domain (section 3.2): `a.b.example.co.uk` to `example.co.uk`. A public
suffix is its own."""


class Mode(StrEnum):
    """How close two domains must be to be aligned (section 3.1)."""

    RELAXED = "r"  # of one organization
    STRICT = "s"  # the same


class Wish(StrEnum):
    """What receivers are asked to do with mail that fails (section 6.3)."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"


class Ill(StrEnum):
    """Why a domain that publishes something has no policy all the same, or less of one than it meant."""

    SEVERAL = "several"
    SYNTAX = "syntax"
    NO_POLICY = "no_policy"  # p= is missing or unknown; with a rua= it counts as `none`
    BAD_TAG = "bad_tag"  # a tag with a value that means nothing; its default counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    domain: str  # where it was found, without the `_dmarc.`
    text: str
    wish: Wish  # for the domain that was asked about: p=, or sp= when it was found above
    spf: Mode
    dkim: Mode
    percent: int  # of failing mail that the wish is for
    reports: tuple[str, ...]  # the addresses of rua=


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found for a domain. Without policy and ill: nothing is published."""

    domain: str
    policy: Policy | None = None
    ill: Ill | None = None
    seen: tuple[str, ...] = ()  # the records, as they are published
    trouble: str | None = None  # DNS could not say; no policy then means nothing
    ttl: int | None = None  # seconds


class Dmarc(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    NONE = "none"  # the domain publishes no policy; nothing was aligned
    UNKNOWN = "unknown"  # somebody else's server decides


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What receivers will see. None where a server that isn't ours decides."""

    spf: Outcome | None
    spf_aligned: bool
    dkim: bool | None  # whether a signature holds
    dkim_aligned: bool
    dmarc: Dmarc
    wish: Wish | None  # the author domain's; None without a policy


_TAG = re.compile(r"[ \t\r\n]*([a-z]+)[ \t\r\n]*=(.*)", re.IGNORECASE | re.DOTALL)
_RECORDS_MAX = 5  # shown; more than one is wrong already


def discover(domain: str, organization: Organization) -> Asking[Discovery]:
    """Find the policy for mail from this domain (section 6.6.3): its own record, else its organization's.
    Yields TXT questions."""
    ttl, top = None, organization(domain)
    for owner in dict.fromkeys((domain, top)):
        answer = yield Question(Type.TXT, f"_dmarc.{owner}")
        if isinstance(answer, Trouble):
            return Discovery(domain=domain, trouble=answer.text)
        ttl = answer.ttl if ttl is None else min(ttl, answer.ttl)
        found = _records(texts(answer))
        if not found:
            continue
        if len(found) > 1:
            return Discovery(domain=domain, ill=Ill.SEVERAL, seen=found[:_RECORDS_MAX], ttl=ttl)
        policy, ill = read(found[0], owner, above=owner != domain)
        return Discovery(domain=domain, policy=policy, ill=ill, seen=found, ttl=ttl)
    return Discovery(domain=domain, ttl=ttl)


def read(text: str, owner: str, *, above: bool = False) -> tuple[Policy | None, Ill | None]:
    """Read a record (section 6.3). `above`: it is asked about a domain below its own, so `sp` counts."""
    tags = _tags(text)
    if tags is None:
        return None, Ill.SYNTAX
    reports = tuple(uri.strip() for uri in tags.get("rua", "").split(",") if uri.strip())
    ill = None
    wanted = tags.get("sp", tags.get("p", "")) if above else tags.get("p", "")
    if "p" not in tags or wanted.lower() not in set(Wish):
        if not reports:
            return None, Ill.NO_POLICY
        ill, wanted = Ill.NO_POLICY, Wish.NONE
    percent = tags.get("pct", "100")
    modes = [tags.get(name, "r").lower() for name in ("aspf", "adkim")]
    fit = percent.isascii() and percent.isdigit() and len(percent) < 4 and int(percent) <= 100
    if not fit or not set(modes) <= set(Mode):
        ill = ill or Ill.BAD_TAG
    spf, dkim = (Mode(mode) if mode in set(Mode) else Mode.RELAXED for mode in modes)
    policy = Policy(
        domain=owner,
        text=text,
        wish=Wish(wanted.lower()),
        spf=spf,
        dkim=dkim,
        percent=int(percent) if fit else 100,
        reports=reports,
    )
    return policy, ill


def aligned(author: str, other: str, mode: Mode, organization: Organization) -> bool:
    """Whether a domain that SPF or DKIM vouches for counts for the domain in From (section 3.1)."""
    author, other = author.lower(), other.lower()
    return author == other if mode is Mode.STRICT else organization(author) == organization(other)


def forecast(
    *,
    author: str,
    policy: Policy | None,
    spf: Outcome | None,
    return_path: str | None,
    signers: Collection[str] | None,
    organization: Organization,
) -> Forecast:
    """What receivers will see of mail from the domain `author`: with what SPF comes to for the domain of the
    return path (None for <>: then it is the HELO name's), and signatures of the domains `signers`. None for
    `spf` or `signers`: an upstream decides, and adds what we can't know."""
    spf_mode = policy.spf if policy else Mode.RELAXED
    dkim_mode = policy.dkim if policy else Mode.RELAXED
    by_spf = return_path is not None and aligned(author, return_path, spf_mode, organization)
    by_dkim = any(aligned(author, signer, dkim_mode, organization) for signer in signers or ())
    if by_dkim or (by_spf and spf is Outcome.PASS):
        dmarc = Dmarc.PASS
    elif spf is None or signers is None:
        dmarc = Dmarc.UNKNOWN
    else:
        dmarc = Dmarc.FAIL if policy else Dmarc.NONE
    return Forecast(
        spf=spf,
        spf_aligned=by_spf,
        dkim=None if signers is None else bool(signers),
        dkim_aligned=by_dkim,
        dmarc=dmarc,
        wish=policy.wish if policy else None,
    )


def _records(found: Iterable[str]) -> tuple[str, ...]:
    """Those that say they are DMARC; anything else at the name is somebody else's."""
    return tuple(text for text in found if re.match(r"v[ \t]*=[ \t]*DMARC1[ \t]*(;|\Z)", text))


def _tags(text: str) -> Mapping[str, str] | None:
    tags: dict[str, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        tag = _TAG.fullmatch(part)
        if tag is None or not part.isascii():
            return None
        tags.setdefault(tag[1].lower(), tag[2].strip())
    return tags
