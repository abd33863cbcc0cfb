"""A domain's SPF record as its owner should see it: everything it leads to, what that costs, what is wrong.

`spf.check` stops at the first term that matches, as receivers do; a survey reads on, through every include.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relayd.core.records import spfmacros, spfterms
from relayd.core.records.answers import Trouble
from relayd.core.records.spf import Answer, Asking, Client, Question, Type, texts
from relayd.core.records.spfterms import Ill, Kind, Mechanism, Outcome, Record

RECORDS_MAX = 40
"""Records that a survey reads: four times what a receiver would, and a net of includes has an end."""

FINDINGS_MAX = 20
"""Faults that are told; nobody mends more at once, and a record may hold thousands."""

SEVERAL_MAX = 5
"""Records of one domain that are read on; each is wrong beside another, and two are what happens."""


class Code(StrEnum):
    """What can be said of an SPF record. `Finding` names the facts."""

    OK = "ok"
    NO_RECORD = "no_record"
    MEANT = "meant"  # a text that only nearly is an SPF record
    SEVERAL = "several"
    NOT_INCLUDED = "not_included"
    BEHIND_ALL = "behind_all"  # our include stands where nobody reads on
    QUALIFIED = "qualified"  # our include with ~, ? or -
    EARLIER = "earlier"  # a term before our include decides
    PLATFORM_RECORD = "platform_record"  # what we ask to include doesn't list our address
    EGRESS_UNKNOWN = "egress_unknown"
    UNKNOWN_MECHANISM = "unknown_mechanism"
    SYNTAX = "syntax"
    MACRO = "macro"
    TWICE = "twice"
    TOO_MANY = "too_many"  # an eleventh look-up
    TOO_MANY_WITH_US = "too_many_with_us"  # ... once our include is there
    VOIDS = "voids"
    MX_LIMIT = "mx_limit"
    DEAD = "dead"  # an include or redirect to a domain without one SPF record
    LOOP = "loop"
    UNREACHABLE = "unreachable"  # terms behind all
    REDIRECT_IGNORED = "redirect_ignored"
    PTR = "ptr"
    PASS_ALL = "pass_all"
    TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say. `core.phrases.spf` says it, in the reader's language."""

    code: Code
    domain: str = ""  # whose record it is about
    term: str = ""  # as it is written there
    value: str = ""  # a number, an address, a list of costs: what the code needs


@dataclass(frozen=True, slots=True)
class Cost:
    """A term of the record and the look-ups it costs, with everything inside."""

    term: str
    lookups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    domain: str
    records: tuple[str, ...]  # the SPF records at the domain: there should be one
    meant: str | None  # where there is none: a text that only nearly is one
    costs: tuple[Cost, ...]
    findings: tuple[Finding, ...]
    ttl: int | None  # seconds, of the domain's own record
    trouble: str | None = None  # DNS could not say all

    @property
    def lookups(self) -> int:
        """What a receiver needs at most: when nothing matches before the end."""
        return sum(cost.lookups for cost in self.costs)


_ILLS = {
    Ill.UNKNOWN: Code.UNKNOWN_MECHANISM,
    Ill.SYNTAX: Code.SYNTAX,
    Ill.MACRO: Code.MACRO,
    Ill.TWICE: Code.TWICE,
}


def survey(domain: str, client: Client) -> Asking[Survey]:
    """Read the record of a domain and all that it includes; `client` fills in macros. Only texts are asked
    for."""
    reading = _Reading(client)
    answer = yield from reading.ask(domain)
    records = spfterms.records(texts(answer))
    meant = None if records else next(filter(spfterms.mended, texts(answer)), None)
    costs: list[Cost] = []  # of several records, as if they were one
    for text in records[:SEVERAL_MAX] or filter(None, [meant and spfterms.mended(meant)]):
        found = yield from reading.record(domain, spfterms.read(text), (domain.lower(),))
        costs += [cost for cost in found if len(records) < 2 or cost not in costs]
    return Survey(
        domain=domain,
        records=records,
        meant=meant,
        costs=tuple(costs),
        findings=tuple(dict.fromkeys(reading.findings)),
        ttl=None if isinstance(answer, Trouble) else answer.ttl,
        trouble=reading.trouble,
    )


class _Reading:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._read = 0
        self.findings: list[Finding] = []
        self.trouble: str | None = None

    def ask(self, domain: str) -> Asking[Answer]:
        self._read += 1
        answer = yield Question(Type.TXT, domain)
        if isinstance(answer, Trouble):
            self.trouble = self.trouble or answer.text
        return answer

    def record(self, domain: str, record: Record, path: tuple[str, ...]) -> Asking[tuple[Cost, ...]]:
        """What the terms of a record cost, those that are reached. `path` holds the domains on the way."""
        for bad in record.bad:
            self._say(_ILLS[bad.ill], domain, bad.text)
        reached, redirect = self._reached(domain, record)
        costs = []
        for term in reached:
            if term.kind is Kind.PTR:
                self._say(Code.PTR, domain, term.text)
            if not term.asks:
                continue
            inside = 0
            if term.kind is Kind.INCLUDE and term.target is not None:
                inside = yield from self._into(domain, term.text, term.target, path)
            costs.append(Cost(term.text, 1 + inside))
        if redirect is not None:
            text = f"redirect={redirect}"
            inside = yield from self._into(domain, text, redirect, path)
            costs.append(Cost(text, 1 + inside))
        return tuple(costs)

    def _reached(self, domain: str, record: Record) -> tuple[tuple[Mechanism, ...], str | None]:
        end = record.all
        if end is None:
            return record.mechanisms, record.redirect
        if end.result is Outcome.PASS:
            self._say(Code.PASS_ALL, domain, end.text)
        at = record.mechanisms.index(end)
        for behind in record.mechanisms[at + 1 :]:
            self._say(Code.UNREACHABLE, domain, behind.text)
        if record.redirect is not None:
            self._say(Code.REDIRECT_IGNORED, domain, f"redirect={record.redirect}")
        return record.mechanisms[: at + 1], None

    def _into(self, domain: str, term: str, spec: str, path: tuple[str, ...]) -> Asking[int]:
        """The look-ups inside an include or redirect."""
        # What needs the name of the address isn't worth a look-up here.
        letters = {**spfmacros.values(self._client, domain), "p": "unknown"}
        target = spfmacros.name(spec, letters)
        if target is None or self._read >= RECORDS_MAX:
            return 0
        if target.lower() in path:
            self._say(Code.LOOP, domain, term)
            return 0
        answer = yield from self.ask(target)
        if isinstance(answer, Trouble):
            return 0
        found = spfterms.records(texts(answer))
        if len(found) != 1:
            self._say(Code.DEAD, domain, term)
            return 0
        inside = yield from self.record(target, spfterms.read(found[0]), (*path, target.lower()))
        return sum(cost.lookups for cost in inside)

    def _say(self, code: Code, domain: str, term: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(code, domain, term))
