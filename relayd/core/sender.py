"""A customer in whose name mail is sent, and the rungs of the ladder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from relayd.core.address import Address, shown
from relayd.core.mail import IfUnproven, Rung
from relayd.core.reasons import Reason
from relayd.core.refusal import Refusal

HOUSE = "relayd"
"""Id of the built-in sender, as which relayd's own letters leave. No customer may have it."""


_Key = TypeVar("_Key")


class Tls(StrEnum):
    NONE = "none"  # only on loopback, only without login
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Secret:
    """A password, key or token. Its repr masks it, so that no log or traceback can show it."""

    value: str

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A submission server and what logs us in there."""

    host: str
    port: int
    tls: Tls
    username: str | None = None
    password: Secret | None = None
    mechanism: str | None = None  # the one to use; None: the first we can that the server offers
    ca_file: str | None = None
    sealed: bool = False  # the password is there, and can't be read while the master key is missing
    oauth: str | None = None  # "microsoft" | "google": log in with its tokens, as `username`
    signed_in: str = ""  # tells one sign-in from the next, where logins are compared


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A sender as it stands now: `default_address` is assigned and fixed."""

    id: str
    name: str
    contact: Address
    confirmed: bool
    default_address: Address
    send_as: Rung
    if_unproven: IfUnproven
    language: str
    test: bool
    upstream: Upstream | None = None


class Senders:
    """All senders there are, and the rule which of them a submission belongs to. A sender is put or removed
    in place, between two messages; each look-up is one in a dictionary, however many there are."""

    def __init__(self, senders: Iterable[Sender] = (), *, unknown: str | None) -> None:
        """`unknown` is the id of the sender that takes what belongs to nobody; None refuses it."""
        self._by_id: dict[str, Sender] = {}
        self._by_address: dict[Address, dict[str, Sender]] = {}
        self._by_domain: dict[str, dict[str, Sender]] = {}
        self._unknown = unknown
        for sender in senders:
            self.put(sender)

    def __iter__(self) -> Iterator[Sender]:
        """Those there are now, whatever changes meanwhile."""
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, id: str) -> Sender | None:
        return self._by_id.get(id)

    def of_domain(self, domain: str) -> tuple[Sender, ...]:
        """Those whose contact address is in this domain."""
        return tuple(self._by_domain.get(domain, {}).values())

    def of_address(self, address: Address) -> tuple[Sender, ...]:
        """Those with this contact address."""
        return tuple(self._by_address.get(address, {}).values())

    def put(self, sender: Sender) -> None:
        """Add a sender, or put it in the place of the one with its id."""
        old = self._by_id.get(sender.id)
        if old is not None and old.contact != sender.contact:
            self.remove(sender.id)
        self._by_id[sender.id] = sender
        self._by_address.setdefault(sender.contact, {})[sender.id] = sender
        self._by_domain.setdefault(sender.contact.domain, {})[sender.id] = sender

    def remove(self, id: str) -> None:
        """Its id means nobody from now on."""
        sender = self._by_id.pop(id)
        _without(self._by_address, sender.contact, id)
        _without(self._by_domain, sender.contact.domain, id)

    def early(self, may_be: frozenset[str] | None, mail_from: Address | None) -> Sender | None:
        """The sender as far as it is known at RCPT, from the login and MAIL FROM alone. The header may still
        name another: what is decided with this must be true of any sender of the login."""
        only = self._only(may_be)
        if only is not None:
            return only
        matches = self._owners(mail_from, may_be)
        return matches[0] if len(matches) == 1 else None

    def find(
        self,
        wanted: str | None,
        may_be: frozenset[str] | None,
        mail_from: Address | None,
        header_from: Address | None,
    ) -> Sender | Refusal:
        """The sender of a submission, first match: the id in X-Relayd-Sender, a login with one sender, the
        address in MAIL FROM or From, `unknown_sender`. `may_be` holds the ids the login may be, None all."""
        if wanted is not None:
            return self._named(wanted, may_be)
        only = self._only(may_be)
        if only is not None:
            return only
        claimed = dict.fromkeys((*self._owners(mail_from, None), *self._owners(header_from, None)))
        allowed = [sender for sender in claimed if _may(may_be, sender.id)]
        if len(allowed) == 1:
            return allowed[0]
        if allowed:
            ids = ", ".join(sender.id for sender in allowed[:5])
            return _refuse(
                Reason.SENDER_AMBIGUOUS,
                f"MAIL FROM and From fit several senders ({ids}); name one in the header X-Relayd-Sender",
            )
        if claimed:
            return _not_allowed(next(iter(claimed)).id)
        return self._nobody(may_be, mail_from, header_from)

    def _named(self, wanted: str, may_be: frozenset[str] | None) -> Sender | Refusal:
        sender = self._by_id.get(wanted)
        if sender is None:
            return _refuse(
                Reason.SENDER_UNKNOWN, f"X-Relayd-Sender names {shown(wanted)}, which is no sender"
            )
        return sender if _may(may_be, wanted) else _not_allowed(wanted)

    def _only(self, may_be: frozenset[str] | None) -> Sender | None:
        return self._by_id.get(next(iter(may_be))) if may_be is not None and len(may_be) == 1 else None

    def _owners(self, address: Address | None, may_be: frozenset[str] | None) -> tuple[Sender, ...]:
        owners = () if address is None else self.of_address(address)
        return owners if may_be is None else tuple(owner for owner in owners if owner.id in may_be)

    def _nobody(
        self, may_be: frozenset[str] | None, mail_from: Address | None, header_from: Address | None
    ) -> Sender | Refusal:
        sender = None if self._unknown is None else self._by_id.get(self._unknown)
        if sender is not None and _may(may_be, sender.id):
            return sender
        seen = ", ".join(
            f"{where} {shown(str(address))}"
            for where, address in (("MAIL FROM", mail_from), ("From", header_from))
            if address is not None
        )
        return _refuse(
            Reason.SENDER_UNKNOWN,
            f"no sender has the address in {seen or 'MAIL FROM <>'}; name the sender in the header "
            "X-Relayd-Sender, or add it",
        )


def _without(index: dict[_Key, dict[str, Sender]], key: _Key, id: str) -> None:
    del index[key][id]
    if not index[key]:
        del index[key]


def _may(may_be: frozenset[str] | None, id: str) -> bool:
    return may_be is None or id in may_be


def _not_allowed(id: str) -> Refusal:
    return _refuse(
        Reason.SENDER_NOT_ALLOWED, f"this login may not be sender {shown(id)}; add it to the login's senders"
    )


def _refuse(reason: Reason, text: str) -> Refusal:
    # 5.7.1: RFC 3463 section 3.8, "delivery not authorized, message refused"
    return Refusal(code=550, enhanced="5.7.1", reason=reason, text=text)
