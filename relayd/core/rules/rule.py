"""A rule: which replies it recognises, what they mean, and one reply that shows it."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import TypedDict, Unpack

from relayd.core.fate import Fate, Role, Scope, Verdict
from relayd.core.providers import Provider
from relayd.core.reasons import Reason
from relayd.core.reply import Reply, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """All given conditions must hold. Tokens are literal, in lower case, and found anywhere in the text; only
    literals are searched for, so that a hostile text costs linear time. `whole`: the one token is the entire
    text. `enhanced` is "5.1.1", "x.1.1" for either class, or "5.7.606-649".

    `fate` None: as the first digit says, a 4xx is deferred and a 5xx failed.
    """

    reason: Reason
    fate: Fate | None
    scope: Scope
    seen: str
    tokens: tuple[str, ...] = ()
    whole: bool = False
    role: Role | None = None
    provider: Provider | None = None
    enhanced: str | None = None
    stages: frozenset[Stage] = frozenset()
    codes: Container[int] | None = None
    source: str = ""

    def recognises(self, reply: Reply, provider: Provider | None, text: str) -> bool:
        """`text` is the reply's text in lower case with single spaces; the role was looked at before."""
        return (
            (self.provider is None or self.provider is provider)
            and (self.codes is None or reply.code in self.codes)
            and (not self.stages or reply.stage in self.stages)
            and (self.enhanced is None or covers(self.enhanced, reply.enhanced))
            and (text.rstrip(". ") == self.tokens[0] if self.whole else all(t in text for t in self.tokens))
        )

    def verdict(self, reply: Reply) -> Verdict:
        fate = self.fate or (Fate.DEFERRED if reply.code < 500 else Fate.FAILED)
        return Verdict(fate=fate, reason=self.reason, scope=self.scope)


_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)


def covers(pattern: str, enhanced: str | None) -> bool:
    """Is the enhanced code one of those the pattern names?"""
    if enhanced is None or not _ENHANCED.fullmatch(enhanced):
        return False
    klass, subject, detail = pattern.split(".")
    has_class, has_subject, has_detail = enhanced.split(".")
    low, _, high = detail.partition("-")
    return (
        klass in ("x", has_class)
        and subject == has_subject
        and int(low) <= int(has_detail) <= int(high or low)
    )


class When(TypedDict, total=False):
    """Further conditions of a row, see `Rule`."""

    whole: bool
    role: Role
    provider: Provider
    enhanced: str
    stages: frozenset[Stage]
    codes: Container[int]
    source: str


def final(reason: Reason, scope: Scope, seen: str, *tokens: str, **when: Unpack[When]) -> Rule:
    """It will not get better by waiting, whatever the first digit says."""
    return Rule(reason=reason, fate=Fate.FAILED, scope=scope, seen=seen, tokens=tokens, **when)


def later(reason: Reason, scope: Scope, seen: str, *tokens: str, **when: Unpack[When]) -> Rule:
    """Waiting, or somebody's hand, may help, whatever the first digit says."""
    return Rule(reason=reason, fate=Fate.DEFERRED, scope=scope, seen=seen, tokens=tokens, **when)


def digit(reason: Reason, scope: Scope, seen: str, *tokens: str, **when: Unpack[When]) -> Rule:
    """The cause is clear; the first digit says whether to come again."""
    return Rule(reason=reason, fate=None, scope=scope, seen=seen, tokens=tokens, **when)


# Short names for the rows.
RECIPIENT, MESSAGE, HOST, HOP = Scope.RECIPIENT, Scope.MESSAGE, Scope.HOST, Scope.HOP
MX, UPSTREAM = Role.MX, Role.UPSTREAM
TRANSIENT, PERMANENT = range(400, 500), range(500, 600)
