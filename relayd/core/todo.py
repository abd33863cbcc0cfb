"""What a sender still lacks for the rung it wants: the red exclamation mark of a company's profile.

Decided from what is proven now, with the ladder itself (`core.policy`). Texts are in `core.phrases.todo`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from relayd.core import mailproviders, providers, reasons
from relayd.core.mail import IfUnproven, Rung
from relayd.core.mailproviders import MailProvider
from relayd.core.policy import Plan, Platform, Proven, Refusal, plan
from relayd.core.reasons import Actor, Reason
from relayd.core.sender import Sender


class Task(StrEnum):
    CONFIRM = "address.confirm"
    PUBLISH = "domain.publish"
    SHARED_DOMAIN = "domain.shared"
    GIVE_UPSTREAM = "upstream.give"
    SIGN_IN = "upstream.sign_in"
    LOGIN = "upstream.login"
    UNSEAL = "upstream.unseal"
    PLATFORM_KEY = "platform.key"


_ACTORS: Mapping[Task, Actor] = {
    Task.CONFIRM: Actor.SENDER,
    Task.PUBLISH: Actor.SENDER_IT,
    Task.SHARED_DOMAIN: Actor.SENDER,
    Task.GIVE_UPSTREAM: Actor.SENDER,
    Task.SIGN_IN: Actor.SENDER,
    Task.UNSEAL: Actor.PLATFORM,
    Task.PLATFORM_KEY: Actor.PLATFORM,
}


_HOUSES: Mapping[str, str] = {"microsoft": "Microsoft", "google": "Google"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsRecord:
    """A record to publish, ready to paste."""

    type: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing to do. `places` fill the text; the record to publish stands whole in `record`."""

    task: Task
    places: Mapping[str, str] = field(default_factory=dict)
    reason: Reason | None = None
    record: DnsRecord | None = None
    link: str | None = None

    @property
    def actor(self) -> Actor:
        if self.reason is not None:
            return reasons.row(self.reason).actor
        return _ACTORS[self.task]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """What can be published for a sender: our key in its domain and in the platform's."""

    own: DnsRecord
    platform: DnsRecord
    spf_include: str | None = None  # what goes right after v=spf1; None: SPF proves nothing here


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a message of this sender with its own address in From would get now, and what is missing for
    more, the first thing first."""

    plan: Plan | Refusal
    todo: tuple[Todo, ...]


def outlook(*, sender: Sender, proven: Proven, platform: Platform, publish: Publish) -> Outlook:
    return Outlook(
        plan=plan(
            sender=sender,
            mail_from=sender.contact,
            header_from=sender.contact,
            proven=proven,
            platform=platform,
        ),
        todo=tuple(_todo(sender, proven, platform, publish)),
    )


def _todo(sender: Sender, proven: Proven, platform: Platform, publish: Publish) -> Iterator[Todo]:
    if not sender.confirmed:
        yield Todo(task=Task.CONFIRM, places={"address": str(sender.contact)})
    if sender.send_as is Rung.OWN and _unproven(sender, proven, platform):
        yield _publish(sender, publish)
    if sender.send_as is Rung.UPSTREAM:
        yield from _upstream(sender, proven)
    if not proven.platform_key:
        yield Todo(task=Task.PLATFORM_KEY, places={"name": publish.platform.name}, record=publish.platform)


def _unproven(sender: Sender, proven: Proven, platform: Platform) -> bool:
    """Would it still be on another rung, were its address confirmed?"""
    confirmed = replace(sender, confirmed=True, if_unproven=IfUnproven.DEFAULT)
    found = plan(
        sender=confirmed,
        mail_from=sender.contact,
        header_from=sender.contact,
        proven=proven,
        platform=platform,
    )
    return isinstance(found, Refusal) or found.rung is not sender.send_as


def _publish(sender: Sender, publish: Publish) -> Todo:
    domain = {"domain": sender.contact.domain}
    provider = mailproviders.of_domain(sender.contact.domain)
    if provider is not None:
        return Todo(task=Task.SHARED_DOMAIN, places=domain, link=_first_step(provider))
    include = {} if publish.spf_include is None else {"include": publish.spf_include}
    return Todo(task=Task.PUBLISH, places={**domain, "name": publish.own.name, **include}, record=publish.own)


def _upstream(sender: Sender, proven: Proven) -> Iterator[Todo]:
    upstream, refused = sender.upstream, proven.login_refused
    if upstream is None:
        yield Todo(task=Task.GIVE_UPSTREAM, link=_first_step(mailproviders.of_domain(sender.contact.domain)))
        return
    places = {"host": upstream.host}
    if upstream.sealed:
        yield Todo(task=Task.UNSEAL, places=places)
    elif upstream.oauth is not None and refused is Reason.AUTH_TOKEN_EXPIRED:  # or there never was one
        account = upstream.username or str(sender.contact)
        yield Todo(task=Task.SIGN_IN, places={"provider": _HOUSES[upstream.oauth], "account": account})
    elif refused is not None:
        page = providers.help_page(providers.recognise(upstream.host), refused)
        link = page or reasons.row(refused).link
        yield Todo(task=Task.LOGIN, places=places, reason=refused, link=link)


def _first_step(provider: MailProvider | None) -> str | None:
    """The provider's page about what must be switched on before a program may send there."""
    return provider.needs[0].link if provider is not None and provider.needs else None
