"""How findings are made: from the settings, and what is known of the provider behind the server."""

from __future__ import annotations

import re
from dataclasses import replace

from relayd.core import providers
from relayd.core.address import Address, AddressError, parse
from relayd.core.findings import Finding, Kind
from relayd.core.mailproviders.provider import Step, Username
from relayd.core.probe.values import Known, Question
from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.sender import Upstream


def host_of(upstream: Upstream) -> str:
    return upstream.host.rstrip(".").lower()


def mailbox(username: str | None) -> Address | None:
    try:
        return parse(username or "", smtputf8=True)
    except AddressError:
        return None


def misnamed(upstream: Upstream, known: Known, *, sure: bool) -> bool:
    """The name is not of the form that the provider asks for. Some that want the part before the @ take the
    whole address too, so that is not `sure`."""
    provider, name = known.provider, upstream.username
    if provider is None or not name or upstream.oauth is not None:
        return False
    if provider.fixed_username is not None:
        return name != provider.fixed_username
    if provider.username is Username.ADDRESS:
        return mailbox(name) is None
    return provider.username is Username.LOCAL_PART and not sure and mailbox(name) is not None


# How the passwords look that providers make for programs; others are somebody's own. Google writes sixteen
# letters in groups of four, Yahoo too; Apple has hyphens between the groups. (Their help pages, 2026.)
_APP_PASSWORDS = {
    Provider.GOOGLE: re.compile(r"(?:[a-z] ?){16}"),
    Provider.YAHOO: re.compile(r"(?:[a-z] ?){16}"),
    Provider.APPLE: re.compile(r"[a-z]{4}-[a-z]{4}-[a-z]{4}-[a-z]{4}"),
}


def usual_password(upstream: Upstream, known: Known) -> bool:
    """An app password is wanted, and this can't be one."""
    family = None if known.provider is None else known.provider.family
    form = None if family is None else _APP_PASSWORDS.get(family)
    if form is None or upstream.password is None or page_about(known, Step.APP_PASSWORD) is None:
        return False
    return form.fullmatch(upstream.password.value) is None


def username_form(question: Question, known: Known, reason: Reason | None) -> Finding:
    provider = known.provider
    found = finding(Kind.USERNAME_FORM, question, reason=reason, provider=name_of(known))
    if provider is None or provider.fixed_username is None:
        return replace(found, username=provider.username if provider else None)
    return replace(found, places={**found.places, "expected": provider.fixed_username})


def app_password(question: Question, known: Known, reason: Reason | None) -> Finding:
    page = page_about(known, Step.APP_PASSWORD) or page_about(known, Step.APP_PASSWORD_IF_TWO_STEP)
    link = page or help_page(Reason.AUTH_APP_PASSWORD_NEEDED, question)
    return finding(Kind.PASSWORD_APP_NEEDED, question, reason=reason, link=link, provider=name_of(known))


def better(kind: Kind, question: Question, known: Known, reason: Reason | None = None) -> Finding:
    """A finding whose remedy names the right server, where that is known."""
    provider = known.home or known.provider
    if provider is None or not provider.servers or "{" in provider.servers[0].host:
        return finding(kind, question, reason=reason, provider=provider.name if provider else "")
    server = provider.servers[0]
    right = f"{server.host}, {server.port}, {server.tls.value}"
    return finding(kind, question, reason=reason, right=right, provider=provider.name)


def finding(
    kind: Kind, question: Question, *, reason: Reason | None = None, link: str | None = None, **places: str
) -> Finding:
    return Finding(kind=kind, reason=reason, link=link, places={**_basics(question), **places})


def _basics(question: Question) -> dict[str, str]:
    upstream = question.upstream
    return {
        "host": upstream.host,
        "port": str(upstream.port),
        "tls": upstream.tls.value,
        "username": upstream.username or "",
        "address": str(question.contact),
    }


def name_of(known: Known) -> str:
    return known.provider.name if known.provider is not None else ""


def page_about(known: Known, step: Step) -> str | None:
    """The provider's page about something that must be done there first; None when it need not."""
    needs = () if known.provider is None else known.provider.needs
    return next((need.link for need in needs if need.step is step), None)


def help_page(reason: Reason, question: Question) -> str | None:
    return providers.help_page(providers.recognise(question.upstream.host), reason)


def other(reason: Reason, question: Question, known: Known) -> Finding:
    return Finding(kind=Kind.OTHER, reason=reason, places=_basics(question), link=help_page(reason, question))
