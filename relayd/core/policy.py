"""The sender ladder: with which sender a message may leave, decided from what is proven now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from relayd.core.address import Address, shown
from relayd.core.mail import Hop, IfUnproven, Proof, Route, Rung
from relayd.core.reasons import Reason
from relayd.core.refusal import Refusal
from relayd.core.sender import Sender

__all__ = [
    "RETURN_HOST",
    "Claim",
    "Plan",
    "Platform",
    "Proven",
    "Refusal",
    "Tokened",
    "hop",
    "plan",
    "return_host",
    "stands",
]

RETURN_HOST: Final = "return_host"

Claim = Proof | Literal["return_host"]
"""What a customer's domain can show in DNS: our key (DKIM), that its SPF names us (SPF), and that its
return-path host is delegated to us, which proves nothing and lets bounces come back under its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the ladder needs to know of the platform."""

    domain: str
    return_path: str  # the domain that bounces come back to
    selector: str
    send_unproven: bool  # `platform.if_unproven: send`
    smarthost: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What is proven now, for one sender."""

    platform_key: bool  # our key is published for the platform's domain
    own_key: bool  # our key is published in the domain of the contact address
    own_spf: bool = False  # that domain's SPF passes for every address that mail leaves from
    return_host: bool = False  # that domain's return-path host is delegated to us
    login_refused: Reason | None = None  # why the sender's upstream no longer takes the credentials we have


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokened:
    """A return path of ours: a signed token for each recipient, at this domain."""

    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """With which sender a message leaves."""

    rung: Rung
    proof: Proof | None  # None: nothing is proven, and `held` says that it waits
    reason: Reason | None  # why the wanted rung is not used; None when it is
    header_from: Address
    signs: tuple[str, ...]  # domains that sign (d=), the topmost first
    return_path: Tokened | Address | None  # None is <>
    route: Route
    held: Reason | None = None

    def hop(self, recipient: Address, sender: str) -> Hop:
        """The next place for this recipient."""
        return _hop(self.route, recipient, sender)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One row of the ladder: what a rung needs, and what it gives."""

    rung: Rung
    proof: Proof
    missing: Callable[[Sender, Proven], Reason | None]  # None: everything is there
    own_address: bool  # From: the own address, or the default one
    tracked: bool  # return path: a token of ours, so that late bounces come back to us, or the own address
    null: bool  # it also proves mail with the return path <>
    signs: Callable[[Sender, Proven, Platform], tuple[str, ...]]


def _no_login(sender: Sender, proven: Proven) -> Reason | None:
    if sender.upstream is None:
        return Reason.SENDER_UNPROVEN
    if sender.upstream.sealed:
        return Reason.UPSTREAM_SEALED
    return proven.login_refused


def _no_own_key(sender: Sender, proven: Proven) -> Reason | None:
    return None if proven.own_key else Reason.SENDER_UNPROVEN


def _no_own_spf(sender: Sender, proven: Proven) -> Reason | None:
    return None if proven.own_spf else Reason.SENDER_UNPROVEN


def _nothing(sender: Sender, proven: Proven) -> Reason | None:
    return None


def _own_if_published(sender: Sender, proven: Proven, platform: Platform) -> tuple[str, ...]:
    return (sender.contact.domain,) if proven.own_key else ()


def _own_and_platform(sender: Sender, proven: Proven, platform: Platform) -> tuple[str, ...]:
    # A second signature of a domain whose key nobody finds only puts a "permerror" into reports.
    both = (sender.contact.domain, platform.domain) if proven.platform_key else (sender.contact.domain,)
    return tuple(dict.fromkeys(both))


def _platform(sender: Sender, proven: Proven, platform: Platform) -> tuple[str, ...]:
    return (platform.domain,)


def _platform_if_published(sender: Sender, proven: Proven, platform: Platform) -> tuple[str, ...]:
    return (platform.domain,) if proven.platform_key else ()


LADDER = (
    _Step(
        rung=Rung.UPSTREAM,
        proof=Proof.CREDENTIALS,
        missing=_no_login,
        own_address=True,
        tracked=False,
        null=True,
        signs=_own_if_published,
    ),
    _Step(
        rung=Rung.OWN,
        proof=Proof.DKIM,
        missing=_no_own_key,
        own_address=True,
        tracked=True,
        null=True,
        signs=_own_and_platform,
    ),
    # SPF looks at the return path: it has to be the own address, and where there is none SPF proves nothing.
    _Step(
        rung=Rung.OWN,
        proof=Proof.SPF,
        missing=_no_own_spf,
        own_address=True,
        tracked=False,
        null=False,
        signs=_platform_if_published,
    ),
    _Step(
        rung=Rung.DEFAULT,
        proof=Proof.PLATFORM,
        missing=_nothing,
        own_address=False,
        tracked=True,
        null=True,
        signs=_platform,
    ),
)
"""Of the rows of one rung the first whose needs are met is taken; its signatures say what it proves."""


def plan(
    *, sender: Sender, mail_from: Address | None, header_from: Address, proven: Proven, platform: Platform
) -> Plan | Refusal:
    """Choose the rung for a submission of `sender` with this MAIL FROM (None is <>) and header From.

    Total: every state of proof has an answer. What isn't proven falls back, waits or is refused as the
    sender's `if_unproven` says; an unconfirmed address always falls back, since its owner has yet to agree.
    """
    if sender.send_as is not Rung.DEFAULT and header_from != sender.contact:
        return _mismatch(sender, header_from)
    step, reason = _first(sender.send_as, sender, proven, mail_from)
    if reason is Reason.UPSTREAM_SEALED:
        return _waiting(sender, reason, mail_from, platform)  # the fault is ours, not a lack of the sender's
    if step is None and reason is not Reason.SENDER_UNCONFIRMED:
        if sender.if_unproven is IfUnproven.REJECT:
            return _unproven(sender, reason, mail_from, proven, platform)
        if sender.if_unproven is IfUnproven.HOLD:
            return _waiting(sender, reason, mail_from, platform)
    if step is None:
        step, _ = _first(Rung.DEFAULT, sender, proven, mail_from)
        assert step is not None, "the default rung needs nothing"
    no_key = step.proof is Proof.PLATFORM and not (proven.platform_key or platform.send_unproven)
    return Plan(
        rung=step.rung,
        proof=step.proof,
        reason=reason,
        header_from=sender.contact if step.own_address else sender.default_address,
        signs=step.signs(sender, proven, platform),
        return_path=_return_path(step, sender, mail_from, proven, platform),
        route=_route(step.rung, platform),
        held=Reason.SIGNING_FAILED if no_key else None,
    )


def stands(
    *,
    rung: Rung,
    proof: Proof | None,
    header_from: Address | None,
    return_path: str,
    sender: Sender,
    proven: Proven,
    platform: Platform,
) -> bool:
    """Does what entitled a message to its rung still hold? A refused login doesn't undo `upstream`: what was
    accepted waits for new credentials. `return_path` is that of any of its recipients, "" for <>."""
    if proof is None:
        return False
    if rung is Rung.DEFAULT:
        return header_from == sender.default_address and (proven.platform_key or platform.send_unproven)
    if header_from != sender.contact or not sender.confirmed:
        return False
    if proof is Proof.CREDENTIALS:
        return sender.upstream is not None and not sender.upstream.sealed
    if proof is Proof.SPF:
        return proven.own_spf
    # What comes from a host that no longer leads to us is refused by many, and its bounces are lost.
    host = return_host(sender.contact.domain, platform.return_path)
    theirs = return_path.endswith(f"@{host}") and host != platform.return_path
    return proven.own_key and (proven.return_host or not theirs)


def return_host(domain: str, return_path: str) -> str:
    """The host in a customer's domain whose return paths lead to us once it is delegated: the first label of
    the platform's own, below their domain. `bounce.my.platform.example` makes `bounce.acme.example`."""
    return f"{return_path.partition('.')[0]}.{domain}"


def hop(rung: Rung, recipient: Address, sender: str, platform: Platform) -> Hop:
    """The next place for this recipient of a message that is dressed already: a smarthost may have come or
    gone since."""
    return _hop(_route(rung, platform), recipient, sender)


def _hop(route: Route, recipient: Address, sender: str) -> Hop:
    names = {Route.DIRECT: recipient.domain, Route.SMARTHOST: "", Route.UPSTREAM: sender}
    return Hop(route, names[route])


def _first(
    rung: Rung, sender: Sender, proven: Proven, mail_from: Address | None
) -> tuple[_Step | None, Reason | None]:
    if rung is not Rung.DEFAULT and not sender.confirmed:
        return None, Reason.SENDER_UNCONFIRMED
    reason = None
    for step in LADDER:
        if step.rung is rung:
            usable = step.null or mail_from is not None
            reason = step.missing(sender, proven) if usable else Reason.SENDER_UNPROVEN
            if reason is None:
                return step, None
    return None, reason


def _return_path(
    step: _Step, sender: Sender, mail_from: Address | None, proven: Proven, platform: Platform
) -> Tokened | Address | None:
    if mail_from is None:
        return None  # an answer to this would be a loop (RFC 5321 section 6.1)
    if not step.tracked:
        return sender.contact
    own = step.own_address and proven.return_host
    back = return_host(sender.contact.domain, platform.return_path) if own else platform.return_path
    return Tokened(domain=back)


def _route(rung: Rung, platform: Platform) -> Route:
    if rung is Rung.UPSTREAM:
        return Route.UPSTREAM
    return Route.SMARTHOST if platform.smarthost else Route.DIRECT


def _waiting(sender: Sender, reason: Reason | None, mail_from: Address | None, platform: Platform) -> Plan:
    return Plan(
        rung=sender.send_as,
        proof=None,
        reason=reason,
        header_from=sender.contact,
        signs=(),
        return_path=None if mail_from is None else sender.contact,
        route=_route(sender.send_as, platform),
        held=reason,
    )


def _mismatch(sender: Sender, header_from: Address) -> Refusal:
    return Refusal(
        code=550,
        enhanced="5.7.1",
        reason=Reason.POLICY_FROM_MISMATCH,
        text=f"From is {shown(str(header_from))}, but sender {shown(sender.id)} may send as "
        f"{sender.send_as.value} only from {shown(str(sender.contact))}; write that into From, or set "
        "send_as: default",
    )


def _unproven(
    sender: Sender, reason: Reason | None, mail_from: Address | None, proven: Proven, platform: Platform
) -> Refusal:
    if sender.send_as is Rung.UPSTREAM:
        what = "its mail server refused the login" if sender.upstream else "it has no upstream"
    else:
        what = f"our key is not published at {platform.selector}._domainkey.{sender.contact.domain}"
        if mail_from is None and proven.own_spf:
            what += ", and SPF proves nothing with MAIL FROM <>"
        else:
            what += f", and SPF of {sender.contact.domain} does not pass for us"
    return Refusal(
        code=550,
        enhanced="5.7.1",
        reason=reason or Reason.SENDER_UNPROVEN,
        text=f"sender {shown(sender.id)} may not send as {shown(str(sender.contact))}: {what}; correct it, "
        "or set if_unproven: default",
    )
