"""A customer in whose name mail is sent, and the rungs of the ladder."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from relayd.core.address import Address
from relayd.core.mail import IfUnproven, Rung


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
    mechanism: str | None = None  # PLAIN or LOGIN; None: the first of these that the server offers
    ca_file: str | None = None


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
