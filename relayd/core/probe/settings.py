"""What the settings say before anybody is asked, and what a login there would show."""

from __future__ import annotations

from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders.provider import FromRule
from relayd.core.probe.making import (
    app_password,
    better,
    finding,
    host_of,
    mailbox,
    misnamed,
    name_of,
    other,
    username_form,
    usual_password,
)
from relayd.core.probe.values import Judged, Known, Mark, Question
from relayd.core.reasons import Reason
from relayd.core.sender import Tls, Upstream

IMPLICIT_PORT = 465  # RFC 8314 section 7.3
STARTTLS_PORTS = (25, 587, 2525)


def of_settings(question: Question, known: Known) -> tuple[Finding, ...]:
    """What can be said before anybody is asked."""
    found = []
    upstream = question.upstream
    login = mailbox(upstream.username)
    if known.platform_username and not known.platform_password:
        found.append(finding(Kind.PASSWORD_OF_PLATFORM, question))
    if host_of(upstream) in known.exchangers and upstream.port == 25:
        found.append(better(Kind.SERVER_IS_MX, question, known))
    elif _elsewhere(known):
        found.append(better(Kind.SERVER_OF_ANOTHER, question, known))
    if _mode_at_odds(upstream) is not None:
        found.append(finding(Kind.SERVER_TLS_MODE, question, tls=str(_mode_at_odds(upstream))))
    if misnamed(upstream, known, sure=True):
        found.append(username_form(question, known, None))
    if login is not None and login != question.contact:
        found.append(finding(Kind.ADDRESS_DIFFERS, question))
    if known.arrived_from is not None:
        found.append(finding(Kind.FROM_REWRITTEN, question, seen=known.arrived_from, provider=name_of(known)))
    elif known.provider and known.provider.from_rule is FromRule.REWRITTEN and login != question.contact:
        seen = upstream.username or "?"
        found.append(finding(Kind.FROM_REWRITTEN, question, seen=seen, provider=name_of(known)))
    if usual_password(upstream, known):
        found.append(app_password(question, known, None))
    return tuple(found)


def untried(question: Question, known: Known) -> Judged | None:
    """Why no login is to be tried at all; None when it may be."""
    upstream = question.upstream
    if known.platform_password:
        # Nobody's server gets to see what opens our own door.
        found = finding(Kind.PASSWORD_OF_PLATFORM, question, reason=Reason.AUTH_WRONG_PASSWORD)
        return Judged(mark=Mark.FAILED, finding=found, refusal=Reason.AUTH_WRONG_PASSWORD)
    if upstream.sealed:
        return Judged(mark=Mark.FAILED, finding=other(Reason.UPSTREAM_SEALED, question, known))
    if upstream.username and upstream.password is None and upstream.oauth is None:
        found = finding(Kind.PASSWORD_MISSING, question, reason=Reason.AUTH_NOT_LOGGED_IN)
        return Judged(mark=Mark.FAILED, finding=found)
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
        and mailbox(upstream.username) == question.contact
        and host_of(upstream) in known.derived
        and upstream.ca_file is None
    )


def _refused_before(question: Question, reason: Reason) -> Judged:
    return Judged(
        mark=Mark.FAILED, finding=finding(Kind.LOGIN_REFUSED_BEFORE, question, reason=reason), refusal=reason
    )


def _mode_at_odds(upstream: Upstream) -> Tls | None:
    """The mode that the port is meant for, when another is set."""
    if upstream.port == IMPLICIT_PORT and upstream.tls is Tls.STARTTLS:
        return Tls.IMPLICIT
    return Tls.STARTTLS if upstream.port in STARTTLS_PORTS and upstream.tls is Tls.IMPLICIT else None


def _elsewhere(known: Known) -> bool:
    """The mailbox is with a provider that we know, and another one's server is in the settings."""
    return known.home is not None and known.provider is not None and known.provider.id != known.home.id
