"""What is known of a mail provider: how a customer's mail is handed in there, and what must be done first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relayd.core.providers import Provider
from relayd.core.sender import Tls


class Username(StrEnum):
    """What the login's name is made of."""

    ADDRESS = "address"
    LOCAL_PART = "local_part"
    OWN = "own"  # a name that the provider gives out, which can't be guessed
    FIXED = "fixed"  # the same for everybody, see `fixed_username`


class FromRule(StrEnum):
    """What the provider does with a From that is not the login's own address."""

    MUST_MATCH = "must_match"  # refused
    REWRITTEN = "rewritten_silently"  # sent with the account's address in it, and nobody is told
    VERIFIED_ONLY = "verified_only"  # only addresses or domains that were proven to the provider
    ALIAS_ALLOWED = "alias_allowed"  # refused unless it is an alias of the account
    UNKNOWN = "unknown"


class Step(StrEnum):
    """What a customer has to do before a program may send; the sentences are in `words`."""

    APP_PASSWORD = "app_password"
    APP_PASSWORD_IF_TWO_STEP = "app_password_if_two_step"
    SEPARATE_PASSWORD = "separate_mail_password"
    MAILBOX_PASSWORD = "mailbox_password"
    PROGRAM_ACCESS = "program_access"
    SMTP_AUTH_ADMIN = "smtp_auth_admin"
    BROWSER_LOGIN = "oauth_only"
    API_KEY = "api_key"
    SMTP_CREDENTIALS = "smtp_credentials"
    TOKEN = "token"
    TOKEN_AS_BOTH = "token_as_both"
    VERIFY_SENDER = "verify_sender"
    ALLOW_NETWORK = "allow_network"
    PAID_PLAN = "paid_plan"
    NO_PROGRAMS = "no_programs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A step, and the provider's page about it."""

    step: Step
    link: str


MX = "{mx}"
"""In place of a server's name: the MX of the customer's domain, at hosters where one machine takes and sends
the mail of an account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A submission server. `host` may be `MX` in the table."""

    host: str
    port: int
    tls: Tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the provider says it lets through; None where it says nothing."""

    messages_per_minute: int | None = None
    messages_per_hour: int | None = None
    messages_per_day: int | None = None
    recipients_per_day: int | None = None
    recipients_per_message: int | None = None
    message_size: int | None = None  # octets


@dataclass(frozen=True, slots=True, kw_only=True)
class MailProvider:
    """One row of the table. Hosts and domains are lower-case A-labels."""

    id: str
    name: str  # for people
    servers: tuple[Server, ...]  # best first; none where no program may send
    source: str  # the page the servers are from
    domains: tuple[
        str, ...
    ] = ()  # addresses at these are the provider's own: nobody else publishes DNS there
    mx: tuple[str, ...] = ()  # ends of host names, at a dot, that domains of customers have as MX
    spf: str | None = None  # what its customers include in their SPF record
    username: Username = Username.ADDRESS
    fixed_username: str | None = None
    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    oauth: str | None = None  # "microsoft" or "google", when relayd can log in that way
    needs: tuple[Need, ...] = ()
    limits: Limits = Limits()
    from_rule: FromRule = FromRule.UNKNOWN
    family: Provider | None = None  # whose replies these servers give


def need(step: Step, link: str) -> Need:
    return Need(step=step, link=link)


def implicit(host: str, port: int = 465) -> Server:
    """TLS from the first octet (RFC 8314 section 3.3)."""
    return Server(host=host, port=port, tls=Tls.IMPLICIT)


def starttls(host: str, port: int = 587) -> Server:
    return Server(host=host, port=port, tls=Tls.STARTTLS)


def either(host: str) -> tuple[Server, Server]:
    """Both standard ports; the one with TLS from the start is better (RFC 8314 section 3.3)."""
    return implicit(host), starttls(host)


def named(name: str, endings: str) -> tuple[str, ...]:
    """Domains that differ in their ends: `named("posteo", "de at")` is posteo.de and posteo.at."""
    return tuple(f"{name}.{ending}" for ending in endings.split())


def listed(domains: str) -> tuple[str, ...]:
    return tuple(domains.split())
