"""What a customer's domain should publish so that mail in its name is proven, and how each record stands.

DNS is asked by `identity.domainreport`; here what it said is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Generic, TypeVar

from relayd.core.mail import Proof, Rung
from relayd.core.policy import return_host
from relayd.core.records import dkimkey
from relayd.core.records.answers import Found, Missing, Mx, Told, Trouble
from relayd.core.records.dkimkey import KeyState, OurKey, other_selector
from relayd.core.records.dmarc import Discovery, Forecast, Ill, Mode
from relayd.core.records.domainnotes import Code, Note
from relayd.core.records.spfadvice import Advice, State
from relayd.core.records.spfsurvey import Finding

T = TypeVar("T")

SEEN_MAX = 5
"""Records shown of what is at a name. More tell nobody more."""

SEEN_LENGTH = 600
"""Octets shown of each: a key of 2048 bits takes 410."""


class Purpose(StrEnum):
    DKIM = "dkim"
    SPF = "spf"
    DMARC = "dmarc"
    RETURN_PATH = "return_path"
    MX = "mx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What the platform has that customers' records lead to."""

    domain: str
    return_path: str
    selector: str  # the first of the two
    keys: tuple[OurKey, ...]  # the newest first
    spf_include: str | None  # None: SPF proves nothing here

    @property
    def selectors(self) -> tuple[str, str]:
        return self.selector, other_selector(self.selector)

    def key(self, selector: str) -> OurKey | None:
        return next((key for key in self.keys if key.selector == selector), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class View(Generic[T]):
    """One question, asked twice: at the domain's own nameservers (None where that can't be), and by the
    resolver."""

    told: Told[T] | None
    resolved: Found[T] | Missing | Trouble

    @property
    def answer(self) -> Found[T] | Missing | Trouble:
        """What is true now, as far as we can know."""
        return self.resolved if self.told is None else self.told.answer

    @property
    def records(self) -> tuple[T, ...]:
        return self.answer.records if isinstance(self.answer, Found) else ()

    @property
    def behind(self) -> int | None:
        """Seconds for which others may still get another answer; None when they get the same."""
        if self.told is None or isinstance(self.resolved, Trouble):
            return None
        theirs = frozenset(self.resolved.records) if isinstance(self.resolved, Found) else frozenset()
        return None if theirs == frozenset(self.records) else self.resolved.ttl

    @property
    def ttl(self) -> int | None:
        """Seconds for which others may not see a change that is made now."""
        return None if isinstance(self.resolved, Trouble) else self.resolved.ttl


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One record to publish. `state` is None while nobody has looked."""

    purpose: Purpose
    name: str
    type: str
    value: str | None  # None: there is nothing to publish
    text: str | None = None  # the TXT record that can be published instead of a CNAME
    needed: bool = False  # without it, mail in the domain's name isn't proven by this purpose
    state: State | None = None
    seen: tuple[str, ...] = ()
    ttl: int | None = None  # seconds for which others may still see the old answer
    notes: tuple[Note | Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What receivers will see of mail on one rung, with what is published now."""

    rung: Rung
    proof: Proof
    possible: bool  # the rung's proof is there
    forecast: Forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    domain: str
    provider: str | None = None  # whose shared domain it is: then there is nothing to publish
    lines: tuple[Line, ...] = ()
    advice: Advice | None = None  # about SPF
    outlooks: tuple[Outlook, ...] = ()
    servers: tuple[str, ...] = ()  # the domain's nameservers that answered for themselves

    def proven(self, purpose: Purpose) -> bool:
        """Whether what is needed for this purpose is there."""
        lines = [line for line in self.lines if line.purpose is purpose]
        return any(line.needed and line.state in (State.OK, State.WARNING) for line in lines)


def shared(domain: str, provider: str) -> Report:
    """A domain in which only its provider can publish anything."""
    return Report(domain=domain, provider=provider)


def to_publish(domain: str, ours: Ours) -> tuple[Line, ...]:
    """Everything there is to publish, before anybody looked."""
    lines = [_key_line(domain, ours, selector) for selector in ours.selectors]
    if ours.spf_include is not None:
        value = f"v=spf1 include:{ours.spf_include} ~all"
        lines.append(Line(purpose=Purpose.SPF, name=domain, type="TXT", value=value, needed=True))
    lines.append(_dmarc_line(domain))
    if domain != ours.domain:
        lines.append(_return_line(domain, ours))
    return (*lines, Line(purpose=Purpose.MX, name=domain, type="MX", value=None))


# --- our key ---


def key_lines(
    domain: str,
    ours: Ours,
    texts: Mapping[str, View[str]],
    aliases: Mapping[str, View[str]],
    astray: Mapping[str, Note] | None = None,
) -> tuple[Line, ...]:
    """The two selectors, by what is at their names. While a key is changed both hold one of ours, and one of
    them is enough. `astray` tells, of a name at which nothing is, where a record was put instead."""
    found = []
    for selector in ours.selectors:
        line, key = _key_line(domain, ours, selector), ours.key(selector)
        text, alias = texts[selector], aliases[selector]
        judged = _without_key(line, text, alias) if key is None else _with_key(line, text, alias, key, ours)
        if judged.state is State.MISSING and astray and line.name in astray:
            judged = _is(judged, State.MISSING, astray[line.name])
        found.append((judged, text))
    if any(line.needed and line.state in (State.OK, State.WARNING) for line, _ in found):
        found = [(_spare(line), text) for line, text in found]
    return tuple(_timed(line, text) for line, text in found)


def _spare(line: Line) -> Line:
    """A key beside one that counts. Until the platform publishes it, an alias to it is all there can be."""
    if line.state in (State.OK, State.WARNING):
        return line
    if [note.code for note in line.notes] == [Code.KEY_UNPUBLISHED]:
        return _is(line, State.OK, Note(Code.ALIAS_READY))
    return replace(line, needed=False)


def _key_line(domain: str, ours: Ours, selector: str) -> Line:
    name, key = dkimkey.name(selector, domain), ours.key(selector)
    text = None if key is None else key.record
    if domain == ours.domain:
        return Line(purpose=Purpose.DKIM, name=name, type="TXT", value=text, needed=key is not None)
    target = dkimkey.name(selector, ours.domain)
    return Line(
        purpose=Purpose.DKIM, name=name, type="CNAME", value=target, text=text, needed=key is not None
    )


def _with_key(line: Line, text: View[str], alias: View[str], key: OurKey, ours: Ours) -> Line:
    line = replace(line, seen=_seen(alias.records or text.records))
    target = alias.records[0] if alias.records else None
    right = target is not None and target == line.value and line.type == "CNAME"
    match text.answer:
        case Trouble():
            return _is(line, State.UNKNOWN, Note(Code.TROUBLE))
        case Missing() if right:
            name = dkimkey.name(key.selector, ours.domain)
            return _is(line, State.WRONG, Note(Code.KEY_UNPUBLISHED, {"name": name}))
        case Missing() if target is not None:
            return _is(line, State.WRONG, _elsewhere(target, line))
        case Missing():
            return _is(line, State.MISSING, Note(Code.KEY_MISSING))
    verdict = dkimkey.judge(text.records, key.public_key)
    if verdict.state is KeyState.OURS:
        weak = verdict.note.code is Code.KEY_WEAK
        note = verdict.note if weak or not right else Note(Code.ALIAS_OK)
        return _is(line, State.WARNING if weak else State.OK, note)
    state = State.DUPLICATE if verdict.state is KeyState.SEVERAL else State.WRONG
    if target is not None and not right:
        return _is(line, state, _elsewhere(target, line))
    return _is(line, state, verdict.note)


def _without_key(line: Line, text: View[str], alias: View[str]) -> Line:
    """The selector for the next key: all that can be published yet is the alias."""
    line = replace(line, seen=_seen(alias.records or text.records))
    if line.value is None:
        return _is(line, State.OK, Note(Code.KEY_LATER))
    if isinstance(alias.answer, Trouble):
        return _is(line, State.UNKNOWN, Note(Code.TROUBLE))
    if alias.records == (line.value,):
        return _is(line, State.OK, Note(Code.ALIAS_READY))
    if alias.records:
        return _is(line, State.WARNING, _elsewhere(alias.records[0], line))
    if text.records:
        return _is(line, State.WARNING, Note(Code.ALIAS_TAKEN))
    return _is(line, State.MISSING, Note(Code.ALIAS_MISSING))


def _elsewhere(target: str, line: Line) -> Note:
    return Note(Code.ALIAS_ELSEWHERE, {"target": _shown(target), "wanted": line.value or ""})


# --- the others ---


def spf_line(advice: Advice, text: View[str]) -> Line:
    line = Line(
        purpose=Purpose.SPF,
        name=advice.domain,
        type="TXT",
        value=advice.publish or (advice.seen[0] if advice.state in (State.OK, State.WARNING) else None),
        needed=True,
        state=advice.state,
        seen=_seen(advice.seen),
        notes=advice.findings,
    )
    return _timed(line, text)


_ILLS = {
    Ill.SYNTAX: Code.DMARC_SYNTAX,
    Ill.NO_POLICY: Code.DMARC_NO_POLICY,
    Ill.BAD_TAG: Code.DMARC_BAD_TAG,
}


def dmarc_line(found: Discovery) -> Line:
    line = replace(_dmarc_line(found.domain), seen=_seen(found.seen))
    if found.trouble is not None:
        return _is(line, State.UNKNOWN, Note(Code.TROUBLE))
    if found.ill is Ill.SEVERAL:
        count = {"count": str(len(found.seen))}
        return replace(_is(line, State.DUPLICATE, Note(Code.DMARC_SEVERAL, count)), ttl=found.ttl)
    ills = [] if found.ill is None else [Note(_ILLS[found.ill])]
    if found.policy is None:
        state = State.WRONG if ills else State.MISSING
        return replace(_is(line, state, *ills or [Note(Code.DMARC_MISSING)]), ttl=found.ttl)
    policy = found.policy
    notes = [*ills, Note(Code.DMARC_OK, {"wish": policy.wish.value, "where": policy.domain})]
    if policy.spf is Mode.STRICT:
        notes.append(Note(Code.DMARC_STRICT_SPF))
    if policy.dkim is Mode.STRICT:
        notes.append(Note(Code.DMARC_STRICT_DKIM))
    return replace(_is(line, State.WARNING if ills else State.OK, *notes), value=_shown(policy.text))


def _dmarc_line(domain: str) -> Line:
    return Line(purpose=Purpose.DMARC, name=f"_dmarc.{domain}", type="TXT", value="v=DMARC1; p=none")


def return_line(domain: str, ours: Ours, alias: View[str], *, leads: bool | None) -> Line:
    """The host for bounces. `leads`: whether its mail comes to us and its SPF passes; None: DNS can't say."""
    line = replace(_return_line(domain, ours), seen=_seen(alias.records))
    if leads is None or isinstance(alias.answer, Trouble):
        return _is(line, State.UNKNOWN, Note(Code.TROUBLE))
    if leads:
        return _is(line, State.OK, Note(Code.RETURN_OK))
    if alias.records == (line.value,):  # others may not see yet what the domain's own servers say
        return _timed(_is(line, State.WARNING, Note(Code.RETURN_OK)), alias)
    if alias.records or (isinstance(alias.answer, Missing) and alias.answer.domain):
        target = _shown(", ".join(alias.records)) or line.name
        note = Note(Code.RETURN_TAKEN, {"target": target, "wanted": line.value or ""})
        return _timed(_is(line, State.WARNING, note), alias)
    return _timed(_is(line, State.MISSING, Note(Code.RETURN_MISSING)), alias)


def _return_line(domain: str, ours: Ours) -> Line:
    host = return_host(domain, ours.return_path)
    return Line(purpose=Purpose.RETURN_PATH, name=host, type="CNAME", value=ours.return_path)


def mx_line(domain: str, mx: View[Mx], *, address: bool) -> Line:
    """Whether replies arrive. `address`: the domain's name has an address of its own."""
    line = Line(purpose=Purpose.MX, name=domain, type="MX", value=None)
    match mx.answer:
        case Trouble():
            return _is(line, State.UNKNOWN, Note(Code.TROUBLE))
        case Found(records=records):
            line = replace(line, seen=_seen([f"{each.preference} {each.host or '.'}" for each in records]))
            if all(not each.host for each in records):
                return _is(line, State.WRONG, Note(Code.MX_NULL))
            return _is(line, State.OK, Note(Code.MX_OK))
    if address:
        return _is(line, State.WARNING, Note(Code.MX_ADDRESS))
    return _is(line, State.MISSING, Note(Code.MX_MISSING))


# --- what all lines share ---


def _is(line: Line, state: State, *notes: Note) -> Line:
    return replace(line, state=state, notes=notes)


def _timed(line: Line, view: View[str]) -> Line:
    """With what caches and nameservers that lag behind mean for it."""
    notes, state = list(line.notes), line.state
    ttl, code = view.behind, Code.BEHIND
    if ttl is None and state not in (State.OK, State.UNKNOWN):
        ttl, code = view.ttl, Code.OLD_ANSWER
    if ttl:
        notes.append(Note(code, {"seconds": str(ttl)}))
    if view.told is not None and view.told.others:
        servers = ", ".join((*view.told.servers, *view.told.others))
        notes.append(Note(Code.NOT_IN_STEP, {"servers": _shown(servers)}))
        state = State.WARNING if state is State.OK else state
    return replace(line, state=state, notes=tuple(notes), ttl=ttl or None)


def _seen(records: Sequence[str]) -> tuple[str, ...]:
    return tuple(_shown(record) for record in records[:SEEN_MAX])


def _shown(text: str) -> str:
    """A stranger's octets for people: nothing that moves a cursor, nothing without end."""
    clean = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text[:SEEN_LENGTH])
    return clean if len(text) <= SEEN_LENGTH else clean + "…"


__all__ = ["Line", "Ours", "Outlook", "Purpose", "Report", "State", "View"]
