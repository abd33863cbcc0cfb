"""What is known of a sign-in at a provider that somebody began."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from relayd.core.oauth import Problem


class CannotSignIn(Exception):
    """A sign-in can't begin. `problem` says why, `detail` what the provider said."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """One that is under way, or how the last one ended."""

    sender: str
    customer: str  # the sender's name, for people
    provider: str
    username: str  # who has to sign in
    by: str
    language: str
    expires_at: datetime
    url: str  # where a person goes
    user_code: str | None = None  # what is typed in there; None: nothing
    done: bool = False
    problem: Problem | None = None  # done, and went wrong
    account: str | None = None  # who signed in
    detail: str = ""  # what the provider said, cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody came back. Unless it is `ended`, they have to agree; `ticket` is what they do that with."""

    ticket: str
    sign_in: SignIn

    @property
    def ended(self) -> bool:
        return self.sign_in.done
