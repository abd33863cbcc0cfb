"""The values of a probe: what is asked, what is known, what each step says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relayd.core.address import Address
from relayd.core.findings import Finding
from relayd.core.mailproviders.provider import MailProvider
from relayd.core.phrases import LANGUAGES, findings
from relayd.core.reasons import Reason
from relayd.core.sender import Upstream


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a negative answer comes to. `refusal` is to be remembered: nothing of this sender is tried there
    until its settings change."""

    mark: Mark
    finding: Finding
    refusal: Reason | None = None


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
