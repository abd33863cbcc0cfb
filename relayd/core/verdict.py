"""What an answer means. The first digit is not the verdict.

Decided by role, provider, stable token, enhanced code, stage and basic code, in that order. What nobody
recognises: a 4xx or silence is deferred, a 5xx is failed for an unknown reason that the platform must look
into. The recipient is blamed only by a server's own words or enhanced code, never by a bare 550.
"""

from __future__ import annotations

from relayd.core.fate import Fate, Role, Scope, Verdict
from relayd.core.providers import identify
from relayd.core.reasons import Reason
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage
from relayd.core.rules import (
    codes,
    german_mailboxes,
    google,
    mailboxes,
    microsoft,
    microsoft_submission,
    services,
    words,
)
from relayd.core.rules.rule import Rule

__all__ = ["RULES", "Fate", "Role", "Scope", "Verdict", "classify", "rule_for"]

RULES: tuple[Rule, ...] = (
    google.ROWS
    + microsoft.ROWS
    + microsoft_submission.ROWS
    + mailboxes.ROWS
    + german_mailboxes.ROWS
    + services.ROWS
    + words.ROWS
    + codes.ROWS
)


def _rank(rule: Rule) -> tuple[bool, ...]:
    """The order of decision. A row for one role goes before the same kind of row for both; otherwise rows
    stay in the order they were written in."""
    return (
        rule.provider is None,
        not rule.tokens,
        rule.enhanced is None,
        not rule.stages,
        rule.codes is None,
        rule.role is None,
    )


def _table(role: Role) -> tuple[Rule, ...]:
    # Sorting is stable; tokens don't rank by codes, or "busy" with a 4xx would go before "greylist".
    mine = [rule for rule in RULES if rule.role in (None, role)]
    return tuple(sorted(mine, key=lambda rule: _rank(rule)[:2] if rule.tokens else _rank(rule)))


_TABLES = {role: _table(role) for role in Role}


def classify(evidence: Evidence, role: Role) -> Verdict:
    """The verdict on what a server said or did. Never raises, whatever the evidence."""
    if isinstance(evidence, Fault):
        return _of_fault(evidence, role)
    klass = evidence.code // 100
    if klass == 2 and evidence.stage is Stage.END:
        return Verdict(fate=Fate.SENT, reason=None, scope=Scope.RECIPIENT)
    if klass not in (4, 5):
        # Something else than yes or no. After the final dot we can't know which one was meant.
        if evidence.stage is Stage.END:
            return Verdict(fate=Fate.UNCERTAIN, reason=Reason.SERVER_PROTOCOL, scope=Scope.MESSAGE)
        return Verdict(fate=Fate.DEFERRED, reason=Reason.SERVER_PROTOCOL, scope=Scope.HOST)
    rule = rule_for(evidence, role)
    if rule is None:
        return _unrecognised(evidence)
    if not _before_mail(evidence, role):
        return rule.verdict(evidence)
    hop = evidence.stage is Stage.AUTH or rule.scope is Scope.HOP
    return _later(rule.reason, Scope.HOP if hop else Scope.HOST)


def rule_for(reply: Reply, role: Role) -> Rule | None:
    """The row that decides, for `relayd explain` and the tests."""
    text = " ".join(reply.text.lower().split())
    provider = identify(reply.host, text)
    early = _before_mail(reply, role)
    rules = (rule for rule in _TABLES[role] if not early or _of_a_server(rule))
    return next((rule for rule in rules if rule.recognises(reply, provider, text)), None)


def _before_mail(reply: Reply, role: Role) -> bool:
    """A server that a person wrote down says no before it heard of a message: the mail waits for it."""
    return role is Role.UPSTREAM and reply.stage in _EARLY


_EARLY = (Stage.BANNER, Stage.EHLO, Stage.AUTH)


def _of_a_server(rule: Rule) -> bool:
    """It speaks of the server or the login. Servers write codes there that blame a message or a recipient all
    the same: "535 5.7.1", "535 5.1.1 no such user"."""
    waits = rule.scope is Scope.HOP or (rule.scope is Scope.HOST and bool(rule.tokens or rule.stages))
    return (waits and rule.fate is Fate.DEFERRED) or rule.reason is Reason.SENDER_BLOCKED


def _unrecognised(reply: Reply) -> Verdict:
    scope = Scope.RECIPIENT if reply.stage is Stage.RCPT else Scope.MESSAGE
    fate = Fate.DEFERRED if reply.code < 500 else Fate.FAILED
    return Verdict(fate=fate, reason=Reason.UNKNOWN, scope=scope)


def _later(reason: Reason, scope: Scope) -> Verdict:
    return Verdict(fate=Fate.DEFERRED, reason=reason, scope=scope)


def _final(reason: Reason, scope: Scope) -> Verdict:
    return Verdict(fate=Fate.FAILED, reason=reason, scope=scope)


_FAULTS = {
    FaultKind.REFUSED: _later(Reason.NETWORK_REFUSED, Scope.HOST),
    FaultKind.TIMEOUT: _later(Reason.NETWORK_TIMEOUT, Scope.HOST),
    FaultKind.UNREACHABLE: _later(Reason.NETWORK_UNREACHABLE, Scope.HOST),
    FaultKind.CLOSED: _later(Reason.NETWORK_CLOSED, Scope.HOST),
    FaultKind.DNS: _later(Reason.NETWORK_DNS, Scope.HOP),
    FaultKind.NO_DOMAIN: _final(Reason.RECIPIENT_DOMAIN, Scope.HOP),
    FaultKind.NULL_MX: _final(Reason.RECIPIENT_DOMAIN, Scope.HOP),
    FaultKind.LOOP: _final(Reason.MESSAGE_LOOP, Scope.HOP),
    # A public domain whose MX lies in a private network can't be meant for us.
    FaultKind.FORBIDDEN: _final(Reason.RECIPIENT_DOMAIN, Scope.HOST),
    FaultKind.TLS: _later(Reason.NETWORK_TLS, Scope.HOST),
    FaultKind.TLS_REQUIRED: _later(Reason.POLICY_TLS_REQUIRED, Scope.HOST),
    FaultKind.PROTOCOL: _later(Reason.SERVER_PROTOCOL, Scope.HOST),
    FaultKind.TOO_BIG: _final(Reason.MESSAGE_TOO_BIG, Scope.MESSAGE),
    FaultKind.SMTPUTF8: _final(Reason.MESSAGE_SMTPUTF8, Scope.RECIPIENT),
    FaultKind.MECHANISM: _later(Reason.AUTH_MECHANISM, Scope.HOP),
    FaultKind.TOKEN: _later(Reason.AUTH_TOKEN_EXPIRED, Scope.HOP),
    FaultKind.INTERNAL: _later(Reason.SERVER_ERROR, Scope.MESSAGE),
}

# An upstream was written down by a person: what is wrong with its name or address is a setting to correct,
# and the mail waits for that. Its one host is the hop.
_UPSTREAM_FAULTS = {
    FaultKind.NO_DOMAIN: _later(Reason.NETWORK_DNS, Scope.HOP),
    FaultKind.NULL_MX: _later(Reason.NETWORK_DNS, Scope.HOP),
    FaultKind.LOOP: _later(Reason.MESSAGE_LOOP, Scope.HOP),
    FaultKind.FORBIDDEN: _later(Reason.NETWORK_UNREACHABLE, Scope.HOP),
    FaultKind.TLS: _later(Reason.NETWORK_TLS, Scope.HOP),
    FaultKind.TLS_REQUIRED: _later(Reason.POLICY_TLS_REQUIRED, Scope.HOP),
}


def _of_fault(fault: Fault, role: Role) -> Verdict:
    upstream = _UPSTREAM_FAULTS.get(fault.kind) if role is Role.UPSTREAM else None
    verdict = upstream or _FAULTS[fault.kind]
    if fault.stage is Stage.END:
        # The final dot is out and nothing came back: the server may have taken it.
        return Verdict(fate=Fate.UNCERTAIN, reason=verdict.reason, scope=Scope.MESSAGE)
    return verdict
