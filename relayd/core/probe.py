"""The probe of a customer's mail server: its steps, and what each answer says about the settings. Pure.

`identity.probe` goes the steps; here it is decided what is behind an answer. Only what was seen counts: the
settings themselves, the provider that the server belongs to, the server's words, and what else answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from relayd.core import providers
from relayd.core.address import Address, AddressError, parse
from relayd.core.delivery import TlsFlaw
from relayd.core.fate import Role, Scope, Verdict
from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders.provider import FromRule, MailProvider, Username
from relayd.core.mailproviders.provider import Step as Need
from relayd.core.oauth import STALE_TOKEN
from relayd.core.phrases import LANGUAGES, findings
from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage
from relayd.core.retry import LOGIN_REFUSED
from relayd.core.sender import Tls, Upstream
from relayd.core.verdict import classify


class StepName(StrEnum):
    SETTINGS = "settings"
    DNS = "dns"
    TCP = "tcp"
    GREETING = "greeting"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    RSET = "rset"
    SEND = "send"
    QUIT = "quit"


class Mark(StrEnum):
    OK = "ok"
    WARNING = "warning"  # it may well work; somebody should know
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of the probe. `seen` is for people; remote text in it is cleaned."""

    name: StepName
    mark: Mark
    seconds: float = 0.0
    seen: str = ""
    finding: Finding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be probed. `again`: try a login that was refused before; `send`: a test mail as well."""

    sender: str
    contact: Address
    upstream: Upstream
    language: str = "en"
    send: bool = False
    again: bool = False


class Reach(StrEnum):
    """Whose network is in the way of a connection: what other servers answered at the same port."""

    OURS = "ours"  # none of them could be reached either
    THEIRS = "theirs"  # they could
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was found out beside the dialogue."""

    provider: MailProvider | None = None  # behind the server that stands in the settings
    home: MailProvider | None = None  # that has the mailbox of the contact address
    exchangers: frozenset[str] = frozenset()  # the MX of the contact address's domain
    derived: frozenset[str] = frozenset()  # servers that DNS and our table name for that address
    platform_password: bool = False  # the password is the one of an app's login here
    platform_username: bool = False
    arrived_from: str | None = None  # what a person saw as From of a test mail
    refused: Reason | None = None  # why this very login was refused before
    reach: Reach = Reach.UNCLEAR
    other_port: int | None = None  # of the same server, which answers


IMPLICIT_PORT = 465  # RFC 8314 section 7.3
STARTTLS_PORTS = (25, 587, 2525)

PASSING = frozenset(
    {
        Reason.RATE_GREYLISTED,
        Reason.RATE_LIMITED,
        Reason.RATE_QUOTA_DAY,
        Reason.SERVER_BUSY,
        Reason.SERVER_ERROR,
    }
)
"""After a login that was taken: says nothing about the settings."""

REFUSALS = LOGIN_REFUSED | {Reason.SENDER_NOT_ALLOWED, Reason.SENDER_BLOCKED, Reason.UPSTREAM_RELAY_DENIED}
"""With these nothing the sender writes gets out there, until a person changes something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a negative answer comes to. `refusal` is to be remembered: nothing of this sender is tried there
    until its settings change."""

    mark: Mark
    finding: Finding
    refusal: Reason | None = None


def of_settings(question: Question, known: Known) -> tuple[Finding, ...]:
    """What can be said before anybody is asked."""
    found = []
    upstream = question.upstream
    login = _mailbox(upstream.username)
    if known.platform_username and not known.platform_password:
        found.append(_finding(Kind.PASSWORD_OF_PLATFORM, question))
    if _host(upstream) in known.exchangers and upstream.port == 25:
        found.append(_better(Kind.SERVER_IS_MX, question, known))
    elif _elsewhere(known):
        found.append(_better(Kind.SERVER_OF_ANOTHER, question, known))
    if _mode_at_odds(upstream) is not None:
        found.append(_finding(Kind.SERVER_TLS_MODE, question, tls=str(_mode_at_odds(upstream))))
    if _misnamed(upstream, known, sure=True):
        found.append(_username(question, known, None))
    if login is not None and login != question.contact:
        found.append(_finding(Kind.ADDRESS_DIFFERS, question))
    if known.arrived_from is not None:
        found.append(_finding(Kind.FROM_REWRITTEN, question, seen=known.arrived_from, provider=_name(known)))
    elif known.provider and known.provider.from_rule is FromRule.REWRITTEN and login != question.contact:
        seen = upstream.username or "?"
        found.append(_finding(Kind.FROM_REWRITTEN, question, seen=seen, provider=_name(known)))
    if _usual_password(upstream, known):
        found.append(_app_password(question, known, None))
    return tuple(found)


def untried(question: Question, known: Known) -> Judged | None:
    """Why no login is to be tried at all; None when it may be."""
    upstream = question.upstream
    if known.platform_password:
        # Nobody's server gets to see what opens our own door.
        finding = _finding(Kind.PASSWORD_OF_PLATFORM, question, reason=Reason.AUTH_WRONG_PASSWORD)
        return Judged(mark=Mark.FAILED, finding=finding, refusal=Reason.AUTH_WRONG_PASSWORD)
    if upstream.sealed:
        return Judged(mark=Mark.FAILED, finding=_other(Reason.UPSTREAM_SEALED, question, known))
    if upstream.username and upstream.password is None and upstream.oauth is None:
        finding = _finding(Kind.PASSWORD_MISSING, question, reason=Reason.AUTH_NOT_LOGGED_IN)
        return Judged(mark=Mark.FAILED, finding=finding)
    if known.refused is not None and not question.again:
        return _refused_before(question, known.refused)
    return None


def proves(question: Question, known: Known) -> bool:
    """Whether a login that was taken shows that the sender owns the contact address: at a server that we
    derived ourselves, as that address. At a server that somebody typed, anybody may be anyone. A token shows
    only that the owner followed a link to sign in, which they may have had from anybody."""
    upstream = question.upstream
    return (
        upstream.oauth is None
        and _mailbox(upstream.username) == question.contact
        and _host(upstream) in known.derived
        and upstream.ca_file is None
    )


def _refused_before(question: Question, reason: Reason) -> Judged:
    return Judged(
        mark=Mark.FAILED, finding=_finding(Kind.LOGIN_REFUSED_BEFORE, question, reason=reason), refusal=reason
    )


def judge(evidence: Evidence, question: Question, known: Known, flaw: TlsFlaw | None = None) -> Judged:
    """What is behind an answer that was no yes, or behind what happened instead."""
    verdict = classify(evidence, Role.UPSTREAM)
    finding = (
        _of_fault(evidence, verdict, question, known, flaw)
        if isinstance(evidence, Fault)
        else _of_reply(evidence, verdict, question, known)
    )
    reason = finding.reason or verdict.reason
    lasting = reason in REFUSALS and not (evidence.stage is Stage.AUTH and verdict.scope is not Scope.HOP)
    soft = evidence.stage in (Stage.MAIL, Stage.RCPT, Stage.END) and _soft(evidence, verdict)
    return Judged(
        mark=Mark.WARNING if soft else Mark.FAILED,
        finding=finding,
        refusal=reason if lasting and not soft else None,
    )


def _soft(evidence: Evidence, verdict: Verdict) -> bool:
    """The login was taken. Asking for its own mailbox may fail for reasons that mail to others doesn't
    meet: a mailbox elsewhere, greylisting, a quota that is used up today."""
    if verdict.reason in PASSING:
        return True
    return evidence.stage is Stage.RCPT and isinstance(evidence, Reply) and verdict.reason not in REFUSALS


def _of_reply(reply: Reply, verdict: Verdict, question: Question, known: Known) -> Finding:
    reason = verdict.reason or Reason.UNKNOWN
    if question.upstream.oauth is not None and reply.stage is Stage.AUTH and reason in STALE_TOKEN:
        return _other(Reason.AUTH_TOKEN_EXPIRED, question, known)
    special = _OF_REASON.get(reason)
    found = special(reply, question, known) if special is not None else None
    return found or _other(reason, question, known)


def _other(reason: Reason, question: Question, known: Known) -> Finding:
    return Finding(kind=Kind.OTHER, reason=reason, places=_places(question), link=_link(reason, question))


PASSWORDS = frozenset(
    {
        Need.APP_PASSWORD_IF_TWO_STEP,
        Need.SEPARATE_PASSWORD,
        Need.MAILBOX_PASSWORD,
        Need.API_KEY,
        Need.SMTP_CREDENTIALS,
        Need.TOKEN,
        Need.TOKEN_AS_BOTH,
    }
)
"""Which password a provider wants, when it isn't simply that of the account."""


def _wrong_password(reply: Reply, question: Question, known: Known) -> Finding:
    """One answer for many causes. Those that can be seen go first."""
    upstream, reason = question.upstream, Reason.AUTH_WRONG_PASSWORD
    if known.platform_username:
        return _finding(Kind.PASSWORD_OF_PLATFORM, question, reason=reason)
    if _misnamed(upstream, known, sure=False):
        return _username(question, known, reason)
    if _usual_password(upstream, known):
        return _app_password(question, known, reason)
    needs = () if known.provider is None else known.provider.needs
    wanted = [need for need in needs if need.step in PASSWORDS]
    access = [need for need in needs if need.step is Need.PROGRAM_ACCESS]
    pages = [need.link for need in (*access, *wanted)]
    found = _finding(
        Kind.LOGIN_OFF_AT_PROVIDER if access else Kind.PASSWORD_WRONG,
        question,
        reason=reason,
        link=pages[0] if pages else _link(reason, question),
        provider=_name(known),
    )
    return replace(found, steps=tuple(need.step for need in wanted))


def _app_password_needed(reply: Reply, question: Question, known: Known) -> Finding:
    return _app_password(question, known, Reason.AUTH_APP_PASSWORD_NEEDED)


def _switched_off(reply: Reply, question: Question, known: Known) -> Finding:
    """Microsoft has one code, 5.7.139, for three switches; its words say which."""
    text, reason = reply.text.lower(), Reason.AUTH_SMTP_AUTH_DISABLED
    link = _link(reason, question)
    if "for the tenant" in text:
        return _finding(Kind.LOGIN_OFF_FOR_TENANT, question, reason=reason, link=link)
    if "for the mailbox" in text:
        return _finding(Kind.LOGIN_OFF_FOR_MAILBOX, question, reason=reason, link=link)
    return _finding(Kind.LOGIN_OFF_BY_POLICY, question, reason=reason, link=link)


def _needs_oauth(reply: Reply, question: Question, known: Known) -> Finding:
    return _finding(
        Kind.LOGIN_NEEDS_OAUTH, question, reason=Reason.AUTH_BASIC_DISABLED, provider=_name(known)
    )


def _is_mx(reply: Reply, question: Question, known: Known) -> Finding:
    return _better(Kind.SERVER_IS_MX, question, known, reason=Reason.UPSTREAM_IS_MX)


def _relay_denied(reply: Reply, question: Question, known: Known) -> Finding | None:
    if _host(question.upstream) in known.exchangers:
        return _better(Kind.SERVER_IS_MX, question, known, reason=Reason.UPSTREAM_IS_MX)
    return None


def _not_allowed(reply: Reply, question: Question, known: Known) -> Finding | None:
    if _mailbox(question.upstream.username) == question.contact:
        return None
    return _finding(Kind.ADDRESS_DIFFERS, question, reason=Reason.SENDER_NOT_ALLOWED)


_OF_REASON = {
    Reason.AUTH_WRONG_PASSWORD: _wrong_password,
    Reason.AUTH_APP_PASSWORD_NEEDED: _app_password_needed,
    Reason.AUTH_SMTP_AUTH_DISABLED: _switched_off,
    Reason.AUTH_BASIC_DISABLED: _needs_oauth,
    Reason.UPSTREAM_IS_MX: _is_mx,
    Reason.UPSTREAM_RELAY_DENIED: _relay_denied,
    Reason.SENDER_NOT_ALLOWED: _not_allowed,
}


def _of_fault(
    fault: Fault, verdict: Verdict, question: Question, known: Known, flaw: TlsFlaw | None
) -> Finding:
    reason = verdict.reason or Reason.UNKNOWN
    if fault.stage is Stage.AUTH and fault.kind in (FaultKind.NO_DOMAIN, FaultKind.FORBIDDEN, FaultKind.TLS):
        return _other(reason, question, known)  # of the provider's own server, where tokens come from
    match fault.kind:
        case FaultKind.NO_DOMAIN:
            return _better(Kind.SERVER_NAME, question, known, reason=reason)
        case FaultKind.FORBIDDEN:
            return _finding(Kind.HOST_NOT_PUBLIC, question, reason=reason)
        case FaultKind.LOOP:
            return _finding(Kind.HOST_IS_US, question, reason=reason)
        case FaultKind.TLS_REQUIRED:
            return _finding(Kind.TLS_MISSING, question, reason=reason)
        case FaultKind.TLS:
            return _of_tls(flaw, reason, question, known)
        case FaultKind.MECHANISM:
            return _without_login(question, known)
        case FaultKind.REFUSED | FaultKind.TIMEOUT | FaultKind.UNREACHABLE if fault.stage is Stage.CONNECT:
            return _of_network(reason, question, known)
        case FaultKind.TIMEOUT | FaultKind.CLOSED | FaultKind.PROTOCOL if fault.stage is Stage.BANNER:
            return _without_greeting(fault, reason, question, known)
        case _:
            return _other(reason, question, known)


def _of_network(reason: Reason, question: Question, known: Known) -> Finding:
    """Theirs, ours, or another door of theirs is open."""
    if known.other_port is not None:
        return _finding(
            Kind.SERVER_PORT,
            question,
            reason=reason,
            other=str(known.other_port),
            tls=(Tls.IMPLICIT if known.other_port == IMPLICIT_PORT else Tls.STARTTLS).value,
        )
    if known.reach is Reach.OURS:
        return _finding(Kind.NETWORK_OURS, question, reason=Reason.NETWORK_PORT_BLOCKED)
    theirs = known.reach is Reach.THEIRS
    kind = Kind.NETWORK_THEIRS if theirs else Kind.NETWORK_UNCLEAR
    return _better(kind, question, known, reason=reason)


def _of_tls(flaw: TlsFlaw | None, reason: Reason, question: Question, known: Known) -> Finding:
    if flaw is TlsFlaw.NOT_TLS and question.upstream.tls is Tls.IMPLICIT:
        return _finding(Kind.SERVER_TLS_MODE, question, reason=reason, tls=Tls.STARTTLS.value)
    kind = {
        TlsFlaw.NAME: Kind.TLS_NAME,
        TlsFlaw.EXPIRED: Kind.TLS_EXPIRED,
        TlsFlaw.UNTRUSTED: Kind.TLS_UNTRUSTED,
        TlsFlaw.OLD: Kind.TLS_OLD,
    }.get(flaw or TlsFlaw.OTHER)
    if kind is Kind.TLS_NAME:
        return _better(kind, question, known, reason=reason)
    return _other(reason, question, known) if kind is None else _finding(kind, question, reason=reason)


def _without_login(question: Question, known: Known) -> Finding:
    """Nobody may log in there: many an MX is such a server."""
    if _host(question.upstream) in known.exchangers:
        return _better(Kind.SERVER_IS_MX, question, known, reason=Reason.UPSTREAM_IS_MX)
    if known.provider is not None and known.provider.oauth and question.upstream.oauth is None:
        return _finding(Kind.LOGIN_NEEDS_OAUTH, question, reason=Reason.AUTH_MECHANISM, provider=_name(known))
    return _better(Kind.SERVER_NO_LOGIN, question, known, reason=Reason.AUTH_MECHANISM)


def _without_greeting(fault: Fault, reason: Reason, question: Question, known: Known) -> Finding:
    """A server that speaks TLS from the first octet waits for us to begin."""
    upstream = question.upstream
    if (
        upstream.tls is Tls.STARTTLS
        and fault.kind is not FaultKind.PROTOCOL
        and upstream.port == IMPLICIT_PORT
    ):
        return _finding(Kind.SERVER_TLS_MODE, question, reason=reason, tls=Tls.IMPLICIT.value)
    return _better(Kind.SERVER_NOT_SMTP, question, known, reason=reason)


# --- what the settings say ---


def _host(upstream: Upstream) -> str:
    return upstream.host.rstrip(".").lower()


def _mailbox(username: str | None) -> Address | None:
    try:
        return parse(username or "", smtputf8=True)
    except AddressError:
        return None


def _mode_at_odds(upstream: Upstream) -> Tls | None:
    """The mode that the port is meant for, when another is set."""
    if upstream.port == IMPLICIT_PORT and upstream.tls is Tls.STARTTLS:
        return Tls.IMPLICIT
    return Tls.STARTTLS if upstream.port in STARTTLS_PORTS and upstream.tls is Tls.IMPLICIT else None


def _misnamed(upstream: Upstream, known: Known, *, sure: bool) -> bool:
    """The name is not of the form that the provider asks for. Some that want the part before the @ take the
    whole address too, so that is not `sure`."""
    provider, name = known.provider, upstream.username
    if provider is None or not name or upstream.oauth is not None:
        return False
    if provider.fixed_username is not None:
        return name != provider.fixed_username
    if provider.username is Username.ADDRESS:
        return _mailbox(name) is None
    return provider.username is Username.LOCAL_PART and not sure and _mailbox(name) is not None


def _elsewhere(known: Known) -> bool:
    """The mailbox is with a provider that we know, and another one's server is in the settings."""
    return known.home is not None and known.provider is not None and known.provider.id != known.home.id


# How the passwords look that providers make for programs; others are somebody's own. Google writes sixteen
# letters in groups of four, Yahoo too; Apple has hyphens between the groups. (Their help pages, 2026.)
_APP_PASSWORDS = {
    Provider.GOOGLE: re.compile(r"(?:[a-z] ?){16}"),
    Provider.YAHOO: re.compile(r"(?:[a-z] ?){16}"),
    Provider.APPLE: re.compile(r"[a-z]{4}-[a-z]{4}-[a-z]{4}-[a-z]{4}"),
}


def _usual_password(upstream: Upstream, known: Known) -> bool:
    """An app password is wanted, and this can't be one."""
    family = None if known.provider is None else known.provider.family
    form = None if family is None else _APP_PASSWORDS.get(family)
    if form is None or upstream.password is None or _page(known, Need.APP_PASSWORD) is None:
        return False
    return form.fullmatch(upstream.password.value) is None


# --- findings ---


def _username(question: Question, known: Known, reason: Reason | None) -> Finding:
    provider = known.provider
    found = _finding(Kind.USERNAME_FORM, question, reason=reason, provider=_name(known))
    if provider is None or provider.fixed_username is None:
        return replace(found, username=provider.username if provider else None)
    return replace(found, places={**found.places, "expected": provider.fixed_username})


def _app_password(question: Question, known: Known, reason: Reason | None) -> Finding:
    page = _page(known, Need.APP_PASSWORD) or _page(known, Need.APP_PASSWORD_IF_TWO_STEP)
    link = page or _link(Reason.AUTH_APP_PASSWORD_NEEDED, question)
    return _finding(Kind.PASSWORD_APP_NEEDED, question, reason=reason, link=link, provider=_name(known))


def _better(kind: Kind, question: Question, known: Known, reason: Reason | None = None) -> Finding:
    """A finding whose remedy names the right server, where that is known."""
    provider = known.home or known.provider
    if provider is None or not provider.servers or "{" in provider.servers[0].host:
        return _finding(kind, question, reason=reason, provider=provider.name if provider else "")
    server = provider.servers[0]
    right = f"{server.host}, {server.port}, {server.tls.value}"
    return _finding(kind, question, reason=reason, right=right, provider=provider.name)


def _finding(
    kind: Kind, question: Question, *, reason: Reason | None = None, link: str | None = None, **places: str
) -> Finding:
    return Finding(kind=kind, reason=reason, link=link, places={**_places(question), **places})


def _places(question: Question) -> dict[str, str]:
    upstream = question.upstream
    return {
        "host": upstream.host,
        "port": str(upstream.port),
        "tls": upstream.tls.value,
        "username": upstream.username or "",
        "address": str(question.contact),
    }


def _name(known: Known) -> str:
    return known.provider.name if known.provider is not None else ""


def _page(known: Known, step: Need) -> str | None:
    """The provider's page about something that must be done there first; None when it need not."""
    needs = () if known.provider is None else known.provider.needs
    return next((need.link for need in needs if need.step is step), None)


def _link(reason: Reason, question: Question) -> str | None:
    return providers.help_page(providers.recognise(question.upstream.host), reason)


def as_dict(step: Step) -> dict[str, object]:
    """One line of the probe, for JSON; what has no value is left out. `text` and `remedy` are maps of
    languages, `ms` are milliseconds since the step before."""
    line: dict[str, object] = {
        "step": step.name.value,
        "state": step.mark.value,
        "ms": round(step.seconds * 1000),
    }
    if step.seen:
        line["seen"] = step.seen
    if step.finding is not None:
        line |= of_finding(step.finding)
    return line


def of_finding(finding: Finding) -> dict[str, object]:
    """The part of a line that says what is the matter."""
    line: dict[str, object] = {"finding": finding.kind.value}
    if finding.reason is not None:
        line["reason"] = finding.reason.value
    line["actor"] = finding.actor.value
    line["text"] = {language: findings.text(finding, language) for language in LANGUAGES}
    line["remedy"] = {language: findings.remedy(finding, language) for language in LANGUAGES}
    if finding.link is not None:
        line["link"] = finding.link
    return line
