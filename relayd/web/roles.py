"""Who may ask what: one row for each route of the API.

A route that has no row is for `admin` alone; a test sees to it that each has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a token is for."""

    APP = "app"  # the invoicing app: its senders, what became of their mail
    SUPPORT = "support"  # people who help customers: see everything, act on the queue
    ADMIN = "admin"  # everything
    METRICS = "metrics"  # a monitor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks. `name` goes into the journal and the log."""

    name: str
    role: Role


OPERATOR = Asker(name="operator", role=Role.ADMIN)
"""Who may open the Unix socket."""

_ALL = frozenset(Role)
_READ = frozenset({Role.APP, Role.SUPPORT})
_APP = frozenset({Role.APP})
_SUPPORT = frozenset({Role.SUPPORT})
_ADMIN: frozenset[Role] = frozenset()

MAY: Mapping[tuple[str, str], frozenset[Role]] = {
    ("GET", "/health"): _ALL,
    ("GET", "/status"): _SUPPORT,
    ("GET", "/events"): _READ,
    ("GET", "/messages"): _READ,
    ("GET", "/messages/{id}"): _READ,
    ("GET", "/queue"): _SUPPORT,
    ("POST", "/queue/{verb}"): _SUPPORT,
    ("GET", "/senders"): _READ,
    ("PUT", "/senders"): _APP,
    ("GET", "/senders/{id}"): _READ,
    ("PUT", "/senders/{id}"): _APP,
    ("PATCH", "/senders/{id}"): _APP,
    ("DELETE", "/senders/{id}"): _APP,
    ("GET", "/senders/{id}/confirm"): _READ,
    ("POST", "/senders/{id}/confirm"): _APP,
    ("POST", "/senders/{id}/probe"): _APP,
    ("POST", "/senders/{id}/probe/arrived"): _APP,
    ("POST", "/senders/{id}/oauth"): _APP,
    ("GET", "/senders/{id}/oauth"): _READ,
    ("DELETE", "/senders/{id}/oauth"): _APP,
    ("POST", "/explain"): _READ,
    ("POST", "/upstreams/discover"): _READ,
    ("GET", "/domains/{domain}"): _READ,
    ("POST", "/domains/{domain}/check"): _READ,
    ("GET", "/dkim"): _SUPPORT,
    ("POST", "/dkim/rotate"): _ADMIN,
    ("GET", "/doctor"): _SUPPORT,
    ("POST", "/reload"): _ADMIN,
    ("POST", "/backup"): _ADMIN,
}
"""Method and path of a route, and who may use it beside `admin`."""


def may(role: Role, method: str, path: str) -> bool:
    return role is Role.ADMIN or role in MAY.get((method, path), _ADMIN)
