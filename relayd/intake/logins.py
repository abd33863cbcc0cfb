"""Who may hand in mail, and as which senders."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from relayd.core.commands import Credentials
from relayd.core.settings import Login
from relayd.net.smtpd_terms import Peer

FAILURES_MAX = 10  # failed logins of a host ...
FAILURES_WITHIN = (
    300.0  # ... within so many seconds from the first, and it is not listened to until they are over
)
HOSTS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A client as far as it is known. `may_be` holds sender ids; None is all of them."""

    name: str | None
    may_be: frozenset[str] | None


ANYBODY = Identity(name=None, may_be=None)


class Logins:
    """The logins of the config. None at all: every process on this host may be any sender."""

    def __init__(self, logins: Iterable[Login]) -> None:
        self._by_name: dict[str, tuple[bytes, Identity]] = {}
        self._by_uid: dict[int, Identity] = {}
        for login in logins:
            may_be = None if login.senders == "all" else frozenset(login.senders)
            if login.uid is not None:
                self._by_uid[login.uid] = Identity(name=f"uid:{login.uid}", may_be=may_be)
            elif login.username is not None and login.password is not None:
                name = login.username
                self._by_name[name] = (_digest(login.password.value), Identity(name=name, may_be=may_be))

    @property
    def required(self) -> bool:
        """Somebody is named, so nobody else may send."""
        return bool(self._by_name or self._by_uid)

    @property
    def offered(self) -> bool:
        return bool(self._by_name)

    def of_process(self, uid: int | None) -> Identity | None:
        """Who a process on a Unix socket is, by its user id; None: not known, or not on a Unix socket."""
        return None if uid is None else self._by_uid.get(uid)

    def check(self, credentials: Credentials) -> Identity | None:
        """None when name or password is wrong. An unknown name takes as long as a wrong password."""
        stored, identity = self._by_name.get(credentials.username, (_NOBODY, None))
        right = hmac.compare_digest(stored, _digest(credentials.password))
        return identity if right else None


def _digest(password: str) -> bytes:
    """Digests have one length, so that comparing them tells nothing about the password's."""
    return hashlib.sha256(password.encode()).digest()


_NOBODY = bytes(32)  # no password has this digest


class Failures:
    """Counts failed logins by host, so that a password can't be tried out over many connections. Clients on
    this host are not counted: one of them could lock out the others."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._by_host: OrderedDict[str, tuple[float, int]] = OrderedDict()  # since when, how many

    def add(self, peer: Peer) -> None:
        if peer.local:
            return
        now = self._monotonic()
        since, count = self._by_host.pop(peer.host, (now, 0))
        self._by_host[peer.host] = (now, 1) if now - since > FAILURES_WITHIN else (since, count + 1)
        while len(self._by_host) > HOSTS_MAX:
            self._by_host.popitem(last=False)

    def too_many(self, peer: Peer) -> bool:
        since, count = self._by_host.get(peer.host, (0.0, 0))
        return count >= FAILURES_MAX and self._monotonic() - since <= FAILURES_WITHIN
