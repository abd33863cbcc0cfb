"""What is kept of a sender's sign-in at a provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from relayd.core.oauth import same_account
from relayd.core.reasons import Reason
from relayd.core.sender import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A sign-in. `username` is what the mail server was to be told then; `account` who signed in, as the
    provider says."""

    provider: str
    username: str
    account: str | None
    since: datetime
    used: datetime  # when the provider last gave something for it
    sealed: str  # the refresh token
    withdrawn: str | None = None  # why the provider honours it no longer

    def fits(self, upstream: Upstream) -> bool:
        """The settings still ask for what was signed in with."""
        return self.provider == upstream.oauth and same_account(self.username, upstream.username or "")

    def written(self) -> Mapping[str, str]:
        """As a fact of the store."""
        fact = {
            "provider": self.provider,
            "username": self.username,
            "since": self.since.isoformat(),
            "used": self.used.isoformat(),
            "sealed": self.sealed,
        }
        more = {"account": self.account, "withdrawn": self.withdrawn}
        return fact | {key: value for key, value in more.items() if value is not None}

    @classmethod
    def read(cls, fact: Mapping[str, str]) -> Self:
        """Raises KeyError and ValueError."""
        return cls(
            provider=fact["provider"],
            username=fact["username"],
            account=fact.get("account"),
            since=datetime.fromisoformat(fact["since"]),
            used=datetime.fromisoformat(fact["used"]),
            sealed=fact["sealed"],
            withdrawn=fact.get("withdrawn"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a sender's sign-in stands, for people."""

    provider: str
    username: str  # who has to sign in
    connected: bool
    account: str | None = None
    since: datetime | None = None
    withdrawn: str | None = None  # why not any more


class LoginRefused:
    """Why senders can't log in at their own servers: because that was refused, or because nobody has signed
    in yet. It says which rung their mail takes."""

    def __init__(self, refused: Mapping[str, Reason], missing: Callable[[str], Reason | None]) -> None:
        self._refused = refused
        self._missing = missing

    def get(self, sender: str) -> Reason | None:
        return self._refused.get(sender) or self._missing(sender)
