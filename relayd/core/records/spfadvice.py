"""What the owner of a domain should do about its SPF record, so that mail we send in its name passes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relayd.core.records import spfterms
from relayd.core.records.spf import LOOKUPS, Outcome, Result, Why
from relayd.core.records.spfsurvey import Code, Cost, Finding, Survey
from relayd.core.records.spfterms import VERSION, Kind, Mechanism


class State(StrEnum):
    """How a record stands that somebody is asked to publish."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    DUPLICATE = "duplicate"
    WARNING = "warning"  # good for us; something in it will hurt the domain's own mail
    UNKNOWN = "unknown"  # DNS is in trouble, or we don't know our addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    domain: str
    state: State
    findings: tuple[Finding, ...]  # the most important first; never empty
    seen: tuple[str, ...]  # the SPF records there, or what was meant as one
    publish: str | None  # the exact record to put there instead; None: leave it as it is
    lookups: int  # of `publish`, else of what is there: what a receiver needs at most
    ttl: int | None  # seconds for which receivers may still see what is there

    @property
    def left(self) -> int:
        """Look-ups left of the ten; negative when there are too many."""
        return LOOKUPS - self.lookups


COSTS_MAX = 30
"""Terms named with what they cost: enough to choose from, and a record may hold thousands."""

_ERRORS = {Why.VOIDS: Code.VOIDS, Why.MX_LIMIT: Code.MX_LIMIT}
"""Errors that show only when addresses are asked for, which a survey doesn't."""


def advise(*, own: Survey, ours: Survey, results: Mapping[str, Result]) -> Advice:
    """Judge the record of a domain. `own` surveys the domain, `ours` the domain that customers include;
    `results` has, for each address that mail leaves from, what SPF comes to for a sender in the domain."""
    if own.trouble is not None or any(result.outcome is Outcome.TEMPERROR for result in results.values()):
        return _advice(own, State.UNKNOWN, [Finding(Code.TROUBLE, own.domain, value=own.trouble or "")])
    include, itself = ours.domain, own.domain == ours.domain
    budget = own.lookups if _reached(own, include) or itself else own.lookups + 1 + ours.lookups
    with_us = _too_many_with_us(own, ours, budget)
    if own.meant is not None:
        said = Finding(Code.MEANT, own.domain)
        publish = None if itself else placed(spfterms.mended(own.meant) or VERSION, include)
        return _advice(own, State.WRONG, [said, *with_us, *own.findings], publish, budget)
    if not own.records:
        publish = None if itself else f"{VERSION} include:{include} ~all"
        return _advice(own, State.MISSING, [Finding(Code.NO_RECORD, own.domain)], publish, budget)
    if len(own.records) > 1:
        several = Finding(Code.SEVERAL, own.domain, value=str(len(own.records)))
        publish = None if itself else merged(own.records, include)
        return _advice(own, State.DUPLICATE, [several, *with_us, *own.findings], publish, budget)
    findings = [*_too_many(own), *own.findings]
    failed = {ip: result for ip, result in results.items() if result.outcome is not Outcome.PASS}
    if results and not failed:
        return _advice(
            own, State.WARNING if findings else State.OK, [*findings, Finding(Code.OK, own.domain)]
        )
    causes = _causes(own, include, failed)
    moves = not itself and any(cause.code in _MOVES for cause in causes)
    if moves:
        publish = placed(own.records[0], include)
        return _advice(own, State.WRONG, [*causes, *with_us, *findings], publish, budget)
    if not results:
        return _advice(own, State.UNKNOWN, [Finding(Code.EGRESS_UNKNOWN), *findings])
    return _advice(own, State.WRONG, [*causes, *findings])


def placed(record: str, include: str) -> str:
    """The record with our include directly after the version, where nothing can keep receivers from it, and
    without terms that make the whole of it void. All else stays as it is, to the octet."""
    read = spfterms.read(record)
    away = Counter(
        (*(bad.text for bad in read.bad), *(term.text for term in read.mechanisms if _is(term, include)))
    )
    terms = re.findall(" +[^ ]*", record[len(VERSION) :])  # with the blanks before them
    kept = []
    for term in reversed(terms):  # of a modifier that stands twice, the second is too many
        if away[term.lstrip(" ")] > 0:
            away[term.lstrip(" ")] -= 1
        else:
            kept.append(term)
    return "".join((record[: len(VERSION)], f" include:{include}", *reversed(kept)))


def merged(records: Sequence[str], include: str) -> str:
    """One record in place of several: our include, then every term there is, once, and the `all` that
    refuses least, so that nothing that got through before is refused."""
    read = [spfterms.read(record) for record in records]
    terms = [
        term.text
        for record in read
        for term in record.mechanisms
        if term.kind is not Kind.ALL and not _is(term, include)
    ]
    ends = [term.result for record in read for term in record.mechanisms if term.kind is Kind.ALL]
    redirects = list(dict.fromkeys(record.redirect for record in read if record.redirect is not None))
    last = [f"exp={exp}" for exp in dict.fromkeys(record.exp for record in read if record.exp)][:1]
    if ends:
        mildest = next((sign for sign in _MILDEST if _MILDEST[sign] in ends), "~")
        last.insert(0, f"{mildest}all")
    if len(redirects) == 1 and not ends:
        last.insert(0, f"redirect={redirects[0]}")
    else:  # one record can have one redirect, and none beside all
        terms += [f"include:{redirect}" for redirect in redirects]
    once = {term.lower(): term for term in reversed(terms)}
    return " ".join([VERSION, f"include:{include}", *(reversed(once.values())), *last])


_MOVES = (Code.NOT_INCLUDED, Code.BEHIND_ALL, Code.QUALIFIED, Code.EARLIER)
"""Causes that our include, put first, does away with."""

_MILDEST = {"?": Outcome.NEUTRAL, "~": Outcome.SOFTFAIL, "-": Outcome.FAIL}


def _causes(own: Survey, include: str, failed: Mapping[str, Result]) -> list[Finding]:
    """Why mail from these addresses doesn't pass, with the one record there is."""
    record = spfterms.read(own.records[0])
    end = record.all
    before = record.mechanisms[: record.mechanisms.index(end)] if end else record.mechanisms
    there = [term for term in record.mechanisms if _is(term, include)]
    if not there:
        return [Finding(Code.NOT_INCLUDED, own.domain, value=include)]
    usable = [term for term in there if term.result is Outcome.PASS and term in before]
    if not usable:
        code = Code.QUALIFIED if there[0] in before else Code.BEHIND_ALL
        return [Finding(code, own.domain, there[0].text, include)]
    if record.bad:  # whatever stands where, nothing of it counts
        return [Finding(Code.EARLIER, own.domain, record.bad[0].text, include)]
    earlier = {term.text for term in before[: before.index(usable[0])]}
    causes = []
    for ip, result in failed.items():
        at = result.decided
        if result.why in _ERRORS:
            causes.append(Finding(_ERRORS[result.why], at.domain, at.term))
        if (at.domain == own.domain and at.term in earlier) or (result.why is not None and earlier):
            causes.append(Finding(Code.EARLIER, own.domain, at.term, include))
        else:
            causes.append(Finding(Code.PLATFORM_RECORD, include, value=ip))
    return causes


def _too_many(own: Survey) -> list[Finding]:
    if own.lookups <= LOOKUPS:
        return []
    return [Finding(Code.TOO_MANY, own.domain, str(own.lookups), _listed(own.costs))]


def _too_many_with_us(own: Survey, ours: Survey, budget: int) -> list[Finding]:
    """That what we ask for would be too much, before anybody publishes it."""
    if budget <= LOOKUPS or own.lookups > LOOKUPS:
        return []
    costs = (Cost(f"include:{ours.domain}", 1 + ours.lookups), *own.costs)
    return [Finding(Code.TOO_MANY_WITH_US, own.domain, str(budget), _listed(costs))]


def _listed(costs: Sequence[Cost]) -> str:
    return ", ".join(f"{cost.term} ({cost.lookups})" for cost in costs[:COSTS_MAX])


def _reached(own: Survey, include: str) -> bool:
    """Whether the look-ups of our include are counted in the survey already."""
    return any(term.lower().lstrip("+?~-") == f"include:{include}" for term in (c.term for c in own.costs))


def _is(term: Mechanism, include: str) -> bool:
    """Whether the term includes this domain, with whatever qualifier."""
    return term.kind is Kind.INCLUDE and (term.target or "").lower().removesuffix(".") == include


def _advice(
    own: Survey,
    state: State,
    findings: Sequence[Finding],
    publish: str | None = None,
    lookups: int | None = None,
) -> Advice:
    return Advice(
        domain=own.domain,
        state=state,
        findings=tuple(dict.fromkeys(findings)),
        seen=own.records if own.meant is None else (own.meant,),
        publish=publish,
        lookups=own.lookups if lookups is None else lookups,
        ttl=own.ttl,
    )
