"""What the probe of a customer's mail server can find, beyond what a reason says: stable names, who must act.

A reason says what an answer means; a finding says which setting of this customer is behind it. Texts are in
`core.phrases.findings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from relayd.core import reasons
from relayd.core.mailproviders.provider import Step, Username
from relayd.core.reasons import Actor, Reason


class Kind(StrEnum):
    # the settings do not fit together
    ADDRESS_DIFFERS = "address.differs"
    USERNAME_FORM = "username.form"
    SERVER_IS_MX = "server.is_mx"
    SERVER_NAME = "server.name"
    SERVER_PORT = "server.port"
    SERVER_TLS_MODE = "server.tls_mode"
    SERVER_NOT_SMTP = "server.not_smtp"
    SERVER_NO_LOGIN = "server.no_login"
    SERVER_OF_ANOTHER = "server.of_another"
    HOST_NOT_PUBLIC = "host.not_public"
    HOST_IS_US = "host.is_us"
    # the login
    PASSWORD_WRONG = "password.wrong"
    PASSWORD_OF_PLATFORM = "password.of_platform"
    PASSWORD_APP_NEEDED = "password.app_needed"
    PASSWORD_MISSING = "password.missing"
    LOGIN_OFF_AT_PROVIDER = "login.off_at_provider"
    LOGIN_OFF_FOR_TENANT = "login.off_for_tenant"
    LOGIN_OFF_FOR_MAILBOX = "login.off_for_mailbox"
    LOGIN_OFF_BY_POLICY = "login.off_by_policy"
    LOGIN_NEEDS_OAUTH = "login.needs_oauth"
    LOGIN_REFUSED_BEFORE = "login.refused_before"
    # the network
    NETWORK_OURS = "network.ours"
    NETWORK_THEIRS = "network.theirs"
    NETWORK_UNCLEAR = "network.unclear"
    # TLS
    TLS_MISSING = "tls.missing"
    TLS_NAME = "tls.name"
    TLS_EXPIRED = "tls.expired"
    TLS_UNTRUSTED = "tls.untrusted"
    TLS_OLD = "tls.old"
    # From
    FROM_REWRITTEN = "from.rewritten"
    FROM_LOOK = "from.look"
    # anything else: the reason's own words
    OTHER = "other"


_ACTORS = {
    Kind.ADDRESS_DIFFERS: Actor.SENDER,
    Kind.USERNAME_FORM: Actor.SENDER,
    Kind.SERVER_IS_MX: Actor.SENDER,
    Kind.SERVER_NAME: Actor.SENDER,
    Kind.SERVER_PORT: Actor.SENDER,
    Kind.SERVER_TLS_MODE: Actor.SENDER,
    Kind.SERVER_NOT_SMTP: Actor.SENDER,
    Kind.SERVER_NO_LOGIN: Actor.SENDER,
    Kind.SERVER_OF_ANOTHER: Actor.SENDER,
    Kind.HOST_NOT_PUBLIC: Actor.SENDER,
    Kind.HOST_IS_US: Actor.SENDER,
    Kind.PASSWORD_WRONG: Actor.SENDER,
    Kind.PASSWORD_OF_PLATFORM: Actor.SENDER,
    Kind.PASSWORD_APP_NEEDED: Actor.SENDER,
    Kind.PASSWORD_MISSING: Actor.SENDER,
    Kind.LOGIN_OFF_AT_PROVIDER: Actor.SENDER,
    Kind.LOGIN_OFF_FOR_TENANT: Actor.SENDER_IT,
    Kind.LOGIN_OFF_FOR_MAILBOX: Actor.SENDER_IT,
    Kind.LOGIN_OFF_BY_POLICY: Actor.SENDER_IT,
    Kind.LOGIN_NEEDS_OAUTH: Actor.SENDER,
    Kind.LOGIN_REFUSED_BEFORE: Actor.SENDER,
    Kind.NETWORK_OURS: Actor.PLATFORM,
    Kind.NETWORK_THEIRS: Actor.SENDER_IT,
    Kind.NETWORK_UNCLEAR: Actor.SENDER_IT,
    Kind.TLS_MISSING: Actor.SENDER_IT,
    Kind.TLS_NAME: Actor.SENDER,
    Kind.TLS_EXPIRED: Actor.SENDER_IT,
    Kind.TLS_UNTRUSTED: Actor.SENDER_IT,
    Kind.TLS_OLD: Actor.SENDER_IT,
    Kind.FROM_REWRITTEN: Actor.SENDER,
    Kind.FROM_LOOK: Actor.SENDER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`places` fill the texts: names that people typed or servers said, never a secret. `steps`: what this
    provider asks for besides; `username`: what the login's name is made of there."""

    kind: Kind
    reason: Reason | None = None
    places: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    username: Username | None = None
    link: str | None = None

    @property
    def actor(self) -> Actor:
        if self.reason is not None and self.kind is Kind.OTHER:
            return reasons.row(self.reason).actor
        return _ACTORS.get(self.kind, Actor.PLATFORM)
