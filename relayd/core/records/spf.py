"""Sender Policy Framework: what a receiver makes of a connection (RFC 7208, `check_host`).

Nothing here asks DNS. `check` is a generator that yields questions and is sent the answers, so that the
whole evaluation is a function of what DNS says; whoever drives it owns the clock and the resolver. It always
ends: ten look-ups, two that find nothing, ten names each, whatever a zone answers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from relayd.core.records import spfmacros, spfterms
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.records.spfmacros import Client
from relayd.core.records.spfterms import Kind, Mechanism, Outcome, Record

__all__ = ["LOOKUPS", "Client", "Decided", "Outcome", "Question", "Result", "Type", "Why", "check", "texts"]

LOOKUPS = 10
"""Terms that make a receiver ask DNS; one more and SPF is a permerror (section 4.6.4)."""
VOIDS = 2
"""Answers without a record that a receiver puts up with (section 4.6.4)."""
NAMES = 10
"""Hosts of an `mx`, or names of an address, that are looked at (section 4.6.4)."""

T = TypeVar("T")
Answer = Found[str] | Found[Mx] | Missing | Trouble


class Type(StrEnum):
    """The records that SPF asks for. A PTR question names the address itself."""

    TXT = "TXT"
    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    PTR = "PTR"


@dataclass(frozen=True, slots=True)
class Question:
    type: Type
    name: str


class Why(StrEnum):
    """Why SPF came to `none`, `permerror` or `temperror`."""

    NO_DOMAIN = "no_domain"  # the sender has no domain that can have a record
    NO_RECORD = "no_record"
    SEVERAL = "several"
    BAD_TERM = "bad_term"
    LOOKUPS = "lookups"
    VOIDS = "voids"
    MX_LIMIT = "mx_limit"
    INCLUDED_NONE = "included_none"  # an include or redirect to a domain without a record
    TROUBLE = "trouble"  # DNS


@dataclass(frozen=True, slots=True)
class Decided:
    """The term that decided, and the domain whose record holds it; an empty term is the end of a record."""

    domain: str
    term: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    outcome: Outcome
    decided: Decided
    why: Why | None = None
    explanation: str | None = None  # what the domain says to those it refuses; a stranger's text
    lookups: int = 0  # terms that asked DNS
    voids: int = 0
    ttl: int | None = None  # seconds, the smallest of the answers; None when there was none
    personal: bool = False  # it depends on the local part of the sender


Asking = Generator[Question, Answer, T]


class _Ended(Exception):
    """An error that ends the evaluation, however deep in includes it was met."""

    def __init__(self, outcome: Outcome, why: Why, decided: Decided) -> None:
        super().__init__(why)
        self.outcome, self.why, self.decided = outcome, why, decided


def check(client: Client) -> Asking[Result]:
    """Evaluate SPF for this client. Yields questions; send `Found` (texts, addresses, names, or `Mx`),
    `Missing` or `Trouble` for each. Raises ValueError for an `ip` that is none."""
    run = _Run(client)
    _, domain = client.mailbox
    explanation = None
    try:
        if not _fit(domain):
            raise _Ended(Outcome.NONE, Why.NO_DOMAIN, Decided(domain, ""))
        outcome, decided, record = yield from run.check_host(domain)
        why = None
        if outcome is Outcome.NONE:
            why = Why.NO_RECORD
        elif outcome is Outcome.FAIL and record is not None and record[1].exp is not None:
            explanation = yield from run.explanation(record[0], record[1].exp)
    except _Ended as ended:
        outcome, decided, why = ended.outcome, ended.decided, ended.why
    return Result(
        outcome=outcome,
        decided=decided,
        why=why,
        explanation=explanation,
        lookups=run.lookups,
        voids=run.voids,
        ttl=run.ttl,
        personal=run.personal,
    )


_Host = tuple[Outcome, Decided, tuple[str, Record] | None]
"""What check_host came to, with the record whose explanation counts and the domain that has it."""


class _Run:
    """One evaluation: what it has used up so far."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._address = client.address
        self._type = Type.A if isinstance(self._address, ipaddress.IPv4Address) else Type.AAAA
        self._names: tuple[str, ...] | None = None  # validated names of the address
        self.lookups = 0
        self.voids = 0
        self.ttl: int | None = None
        self.personal = False

    def check_host(self, domain: str) -> Asking[_Host]:
        """Section 4. Ends: each further call was counted as a look-up."""
        answer = yield from self._ask(Type.TXT, domain, Decided(domain, ""))
        found = spfterms.records(texts(answer))
        if not found:
            return Outcome.NONE, Decided(domain, ""), None
        if len(found) > 1:
            raise _Ended(Outcome.PERMERROR, Why.SEVERAL, Decided(domain, ""))
        record = spfterms.read(found[0])
        if record.bad:
            raise _Ended(Outcome.PERMERROR, Why.BAD_TERM, Decided(domain, record.bad[0].text))
        for term in record.mechanisms:
            if (yield from self._matches(term, domain)):
                return term.result, Decided(domain, term.text), (domain, record)
        if record.redirect is None:
            return Outcome.NEUTRAL, Decided(domain, ""), (domain, record)
        return (yield from self._redirect(record.redirect, domain))

    def explanation(self, domain: str, spec: str) -> Asking[str | None]:
        """Section 6.2. Whatever goes wrong: no explanation."""
        name = yield from self._name(spec, domain)
        if name is None or not _fit(name):
            return None
        found = texts((yield Question(Type.TXT, name)))
        if len(found) != 1 or not found[0].isascii():
            return None
        letters = yield from self._letters(found[0], domain)
        return spfmacros.expand(found[0], letters, explaining=True)

    def _redirect(self, spec: str, domain: str) -> Asking[_Host]:
        decided = Decided(domain, f"redirect={spec}")
        self._count(decided)
        target = yield from self._name(spec, domain)
        host: _Host = (Outcome.NONE, decided, None)
        if target is not None and _fit(target):
            host = yield from self.check_host(target)
        if host[0] is Outcome.NONE:
            raise _Ended(Outcome.PERMERROR, Why.INCLUDED_NONE, decided)
        return host

    def _matches(self, term: Mechanism, domain: str) -> Asking[bool]:
        if term.kind is Kind.ALL:
            return True
        if term.network is not None:
            return self._address.version == term.network.version and self._address in term.network
        decided = Decided(domain, term.text)
        self._count(decided)
        name = domain if term.target is None else (yield from self._name(term.target, domain))
        if name is None:
            return False
        match term.kind:
            case Kind.INCLUDE:
                return (yield from self._include(name, decided))
            case Kind.A:
                return (yield from self._at(name, term, decided))
            case Kind.MX:
                return (yield from self._mx(name, term, decided))
            case Kind.PTR:
                names = yield from self._validated(decided)
                return any(own == name.lower() or own.endswith(f".{name.lower()}") for own in names)
            case _:  # exists, section 5.7: an A record, whatever the client's family
                answer = yield from self._ask(Type.A, name, decided, counts=True)
                return isinstance(answer, Found)

    def _include(self, name: str, decided: Decided) -> Asking[bool]:
        """Section 5.2: only a pass matches, and a domain without a record is an error."""
        outcome = Outcome.NONE
        if _fit(name):
            outcome, _, _ = yield from self.check_host(name)
        if outcome is Outcome.NONE:
            raise _Ended(Outcome.PERMERROR, Why.INCLUDED_NONE, decided)
        return outcome is Outcome.PASS

    def _at(self, host: str, term: Mechanism, decided: Decided) -> Asking[bool]:
        """Whether the host has the client's address, as far as the prefix says."""
        answer = yield from self._ask(self._type, host, decided, counts=True)
        prefix = term.prefix4 if self._type is Type.A else term.prefix6
        return any(self._address in _around(text, prefix) for text in texts(answer))

    def _mx(self, name: str, term: Mechanism, decided: Decided) -> Asking[bool]:
        answer = yield from self._ask(Type.MX, name, decided, counts=True)
        hosts = [mx.host for mx in answer.records if isinstance(mx, Mx)] if isinstance(answer, Found) else []
        if len(hosts) > NAMES:
            raise _Ended(Outcome.PERMERROR, Why.MX_LIMIT, decided)
        for host in hosts:
            if host and (yield from self._at(host, term, decided)):
                return True
        return False

    def _validated(self, decided: Decided | None) -> Asking[tuple[str, ...]]:
        """Names of the address that lead back to it (section 5.5); trouble on the way counts as none.
        Looked up once. `decided` is the `ptr` term; None for %{p}, which costs nothing."""
        if self._names is not None:
            return self._names
        answer = yield Question(Type.PTR, str(self._address))
        self._heed(answer)
        if decided is not None and isinstance(answer, Missing):
            self._void(decided)
        names = []
        for name in texts(answer)[:NAMES]:
            back = yield Question(self._type, name)
            self._heed(back)
            if any(self._address in _around(text, self._address.max_prefixlen) for text in texts(back)):
                names.append(name.lower().removesuffix("."))
        self._names = tuple(names)
        return self._names

    def _name(self, spec: str, domain: str) -> Asking[str | None]:
        letters = yield from self._letters(spec, domain)
        return spfmacros.name(spec, letters)

    def _letters(self, spec: str, domain: str) -> Asking[dict[str, str]]:
        letters = dict(spfmacros.values(self._client, domain))
        self.personal = self.personal or spfmacros.needs_local_part(spec)
        if spfmacros.needs_name(spec):
            names = yield from self._validated(None)
            letters["p"] = _best(names, domain.lower())
        return letters

    def _ask(
        self, type: Type, name: str, decided: Decided, *, counts: bool = False
    ) -> Asking[Found[str] | Found[Mx] | Missing]:
        """Ask, and end where DNS is in trouble. `counts`: an answer without records is a void one."""
        answer = (yield Question(type, name)) if _fit(name, labels=1) else Missing(domain=False, ttl=3600)
        self._heed(answer)
        if isinstance(answer, Trouble):
            raise _Ended(Outcome.TEMPERROR, Why.TROUBLE, decided)
        if counts and isinstance(answer, Missing):
            self._void(decided)
        return answer

    def _heed(self, answer: Answer) -> None:
        if not isinstance(answer, Trouble):
            self.ttl = answer.ttl if self.ttl is None else min(self.ttl, answer.ttl)

    def _count(self, decided: Decided) -> None:
        self.lookups += 1
        if self.lookups > LOOKUPS:
            raise _Ended(Outcome.PERMERROR, Why.LOOKUPS, decided)

    def _void(self, decided: Decided) -> None:
        self.voids += 1
        if self.voids > VOIDS:
            raise _Ended(Outcome.PERMERROR, Why.VOIDS, decided)


def _fit(name: str, labels: int = 2) -> bool:
    """Whether DNS can hold this name (section 4.3): labels of 1 to 63 octets."""
    parts = name.removesuffix(".").split(".")
    return (
        len(parts) >= labels
        and name.isascii()
        and len(name) <= 254
        and all(0 < len(part) < 64 for part in parts)
        and not name.startswith("[")
    )


def texts(answer: Found[Any] | Missing | Trouble) -> tuple[str, ...]:
    """The records of an answer to any question but MX; none where there are none."""
    return answer.records if isinstance(answer, Found) else ()


def _around(text: str, prefix: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network((text, prefix), strict=False)


def _best(names: tuple[str, ...], domain: str) -> str:
    """%{p} (section 7.3): the domain itself, else a name below it, else any."""
    below = [name for name in names if name.endswith(f".{domain}")]
    return domain if domain in names else next(iter((*below, *names)), "unknown")
