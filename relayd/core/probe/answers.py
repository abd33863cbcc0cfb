"""What is behind an answer that was no yes, or behind what happened instead. One answer has many causes: only
what was seen counts, and what can be seen goes first."""

from __future__ import annotations

from dataclasses import replace

from relayd.core.delivery import TlsFlaw
from relayd.core.fate import Role, Scope, Verdict
from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders.provider import Step
from relayd.core.oauth import STALE_TOKEN
from relayd.core.probe.making import (
    app_password,
    better,
    finding,
    help_page,
    host_of,
    mailbox,
    misnamed,
    name_of,
    other,
    username_form,
    usual_password,
)
from relayd.core.probe.settings import IMPLICIT_PORT
from relayd.core.probe.values import Judged, Known, Mark, Question, Reach
from relayd.core.reasons import Reason
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage
from relayd.core.retry import LOGIN_REFUSED
from relayd.core.sender import Tls
from relayd.core.verdict import classify

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

REFUSALS = LOGIN_REFUSED | {
    Reason.SENDER_NOT_ALLOWED,
    Reason.SENDER_BLOCKED,
    Reason.UPSTREAM_RELAY_DENIED,
}
"""With these nothing the sender writes gets out there, until a person changes something."""


def judge(evidence: Evidence, question: Question, known: Known, flaw: TlsFlaw | None = None) -> Judged:
    """What is behind an answer that was no yes, or behind what happened instead."""
    verdict = classify(evidence, Role.UPSTREAM)
    found = (
        _of_fault(evidence, verdict, question, known, flaw)
        if isinstance(evidence, Fault)
        else _of_reply(evidence, verdict, question, known)
    )
    reason = found.reason or verdict.reason
    lasting = reason in REFUSALS and not (evidence.stage is Stage.AUTH and verdict.scope is not Scope.HOP)
    soft = evidence.stage in (Stage.MAIL, Stage.RCPT, Stage.END) and _soft(evidence, verdict)
    return Judged(
        mark=Mark.WARNING if soft else Mark.FAILED,
        finding=found,
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
        return other(Reason.AUTH_TOKEN_EXPIRED, question, known)
    special = _OF_REASON.get(reason)
    found = special(reply, question, known) if special is not None else None
    return found or other(reason, question, known)


PASSWORDS = frozenset(
    {
        Step.APP_PASSWORD_IF_TWO_STEP,
        Step.SEPARATE_PASSWORD,
        Step.MAILBOX_PASSWORD,
        Step.API_KEY,
        Step.SMTP_CREDENTIALS,
        Step.TOKEN,
        Step.TOKEN_AS_BOTH,
    }
)
"""Which password a provider wants, when it isn't simply that of the account."""


def _wrong_password(reply: Reply, question: Question, known: Known) -> Finding:
    """One answer for many causes. Those that can be seen go first."""
    upstream, reason = question.upstream, Reason.AUTH_WRONG_PASSWORD
    if known.platform_username:
        return finding(Kind.PASSWORD_OF_PLATFORM, question, reason=reason)
    if misnamed(upstream, known, sure=False):
        return username_form(question, known, reason)
    if usual_password(upstream, known):
        return app_password(question, known, reason)
    needs = () if known.provider is None else known.provider.needs
    wanted = [need for need in needs if need.step in PASSWORDS]
    access = [need for need in needs if need.step is Step.PROGRAM_ACCESS]
    pages = [need.link for need in (*access, *wanted)]
    found = finding(
        Kind.LOGIN_OFF_AT_PROVIDER if access else Kind.PASSWORD_WRONG,
        question,
        reason=reason,
        link=pages[0] if pages else help_page(reason, question),
        provider=name_of(known),
    )
    return replace(found, steps=tuple(need.step for need in wanted))


def _app_password_needed(reply: Reply, question: Question, known: Known) -> Finding:
    return app_password(question, known, Reason.AUTH_APP_PASSWORD_NEEDED)


def _switched_off(reply: Reply, question: Question, known: Known) -> Finding:
    """Microsoft has one code, 5.7.139, for three switches; its words say which."""
    text, reason = reply.text.lower(), Reason.AUTH_SMTP_AUTH_DISABLED
    link = help_page(reason, question)
    if "for the tenant" in text:
        return finding(Kind.LOGIN_OFF_FOR_TENANT, question, reason=reason, link=link)
    if "for the mailbox" in text:
        return finding(Kind.LOGIN_OFF_FOR_MAILBOX, question, reason=reason, link=link)
    return finding(Kind.LOGIN_OFF_BY_POLICY, question, reason=reason, link=link)


def _needs_oauth(reply: Reply, question: Question, known: Known) -> Finding:
    return finding(
        Kind.LOGIN_NEEDS_OAUTH, question, reason=Reason.AUTH_BASIC_DISABLED, provider=name_of(known)
    )


def _is_mx(reply: Reply, question: Question, known: Known) -> Finding:
    return better(Kind.SERVER_IS_MX, question, known, reason=Reason.UPSTREAM_IS_MX)


def _relay_denied(reply: Reply, question: Question, known: Known) -> Finding | None:
    if host_of(question.upstream) in known.exchangers:
        return better(Kind.SERVER_IS_MX, question, known, reason=Reason.UPSTREAM_IS_MX)
    return None


def _not_allowed(reply: Reply, question: Question, known: Known) -> Finding | None:
    if mailbox(question.upstream.username) == question.contact:
        return None
    return finding(Kind.ADDRESS_DIFFERS, question, reason=Reason.SENDER_NOT_ALLOWED)


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
        return other(reason, question, known)  # of the provider's own server, where tokens come from
    match fault.kind:
        case FaultKind.NO_DOMAIN:
            return better(Kind.SERVER_NAME, question, known, reason=reason)
        case FaultKind.FORBIDDEN:
            return finding(Kind.HOST_NOT_PUBLIC, question, reason=reason)
        case FaultKind.LOOP:
            return finding(Kind.HOST_IS_US, question, reason=reason)
        case FaultKind.TLS_REQUIRED:
            return finding(Kind.TLS_MISSING, question, reason=reason)
        case FaultKind.TLS:
            return _of_tls(flaw, reason, question, known)
        case FaultKind.MECHANISM:
            return _without_login(question, known)
        case FaultKind.REFUSED | FaultKind.TIMEOUT | FaultKind.UNREACHABLE if fault.stage is Stage.CONNECT:
            return _of_network(reason, question, known)
        case FaultKind.TIMEOUT | FaultKind.CLOSED | FaultKind.PROTOCOL if fault.stage is Stage.BANNER:
            return _without_greeting(fault, reason, question, known)
        case _:
            return other(reason, question, known)


def _of_network(reason: Reason, question: Question, known: Known) -> Finding:
    """Theirs, ours, or another door of theirs is open."""
    if known.other_port is not None:
        return finding(
            Kind.SERVER_PORT,
            question,
            reason=reason,
            other=str(known.other_port),
            tls=(Tls.IMPLICIT if known.other_port == IMPLICIT_PORT else Tls.STARTTLS).value,
        )
    if known.reach is Reach.OURS:
        return finding(Kind.NETWORK_OURS, question, reason=Reason.NETWORK_PORT_BLOCKED)
    theirs = known.reach is Reach.THEIRS
    kind = Kind.NETWORK_THEIRS if theirs else Kind.NETWORK_UNCLEAR
    return better(kind, question, known, reason=reason)


def _of_tls(flaw: TlsFlaw | None, reason: Reason, question: Question, known: Known) -> Finding:
    if flaw is TlsFlaw.NOT_TLS and question.upstream.tls is Tls.IMPLICIT:
        return finding(Kind.SERVER_TLS_MODE, question, reason=reason, tls=Tls.STARTTLS.value)
    kind = {
        TlsFlaw.NAME: Kind.TLS_NAME,
        TlsFlaw.EXPIRED: Kind.TLS_EXPIRED,
        TlsFlaw.UNTRUSTED: Kind.TLS_UNTRUSTED,
        TlsFlaw.OLD: Kind.TLS_OLD,
    }.get(flaw or TlsFlaw.OTHER)
    if kind is Kind.TLS_NAME:
        return better(kind, question, known, reason=reason)
    return other(reason, question, known) if kind is None else finding(kind, question, reason=reason)


def _without_login(question: Question, known: Known) -> Finding:
    """Nobody may log in there: many an MX is such a server."""
    if host_of(question.upstream) in known.exchangers:
        return better(Kind.SERVER_IS_MX, question, known, reason=Reason.UPSTREAM_IS_MX)
    if known.provider is not None and known.provider.oauth and question.upstream.oauth is None:
        return finding(
            Kind.LOGIN_NEEDS_OAUTH, question, reason=Reason.AUTH_MECHANISM, provider=name_of(known)
        )
    return better(Kind.SERVER_NO_LOGIN, question, known, reason=Reason.AUTH_MECHANISM)


def _without_greeting(fault: Fault, reason: Reason, question: Question, known: Known) -> Finding:
    """A server that speaks TLS from the first octet waits for us to begin."""
    upstream = question.upstream
    if (
        upstream.tls is Tls.STARTTLS
        and fault.kind is not FaultKind.PROTOCOL
        and upstream.port == IMPLICIT_PORT
    ):
        return finding(Kind.SERVER_TLS_MODE, question, reason=reason, tls=Tls.IMPLICIT.value)
    return better(Kind.SERVER_NOT_SMTP, question, known, reason=reason)
