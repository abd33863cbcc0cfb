"""The book of senders: those of the config file, and those that were added at run time.

Senders of the config are read-only here. The others live in the store; both are held to the same model and
the same checks, and both are found in the one registry that everybody reads (`core.sender.Senders`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from relayd.core.address import Address
from relayd.core.sender import Sender
from relayd.core.settings import SenderSettings


class Origin(StrEnum):
    CONFIG = "config"  # read-only at run time
    STORE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with what was given for a sender. `seen` never holds a secret."""

    sender: str
    key: str  # "upstream.port"; "" for the sender as a whole
    seen: str
    expected: str

    def __str__(self) -> str:
        key = f"senders.{self.sender}.{self.key}".rstrip(".")
        return f"{key}: found {self.seen}; expected {self.expected}"


class SenderRefused(Exception):
    """What was given can't be taken; nothing was changed. All problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class SenderMissing(Exception):
    """There is no sender with this id."""


class SenderReadOnly(Exception):
    """This sender stands in the config file: it is changed there, and with a reload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A sender with where it comes from. No secret is in it but in `sender.upstream`, as `Secret`."""

    sender: Sender
    settings: SenderSettings  # as given, without secrets
    origin: Origin
    confirmed_by: str | None  # "config", "vouch", "link", "code" or "upstream"; None: is not confirmed
    secrets: tuple[str, ...]  # keys that hold a secret, such as "upstream.password"
    unreadable: bool = False  # a secret is kept, and the master key that opens it is not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a change did. Nothing, when `keys` is empty: then no event was written either."""

    entry: Entry
    created: bool
    keys: tuple[str, ...]  # what changed, such as "address" and "upstream.password"
    warnings: tuple[Problem, ...] = ()


class Book:
    """All senders. A change is durable, with its event, when the call returns; the registry shows it then.

    `by` says who did it, for the journal: "cli", the name of a token.
    """

    def __len__(self) -> int:
        raise NotImplementedError

    def get(self, id: str) -> Sender | None:
        raise NotImplementedError

    def entry(self, id: str) -> Entry | None:
        raise NotImplementedError

    def ids(self) -> Sequence[str]:
        """All of them, sorted."""
        raise NotImplementedError

    async def put(self, id: str, values: Mapping[str, object], *, by: str) -> Changed:
        """Add a sender, or give it these settings in place of those it had; what isn't named has its default.
        A password that isn't named stays as long as host and username do; None takes it away. The same
        again changes nothing. Raises SenderRefused, SenderReadOnly, StoreError."""
        raise NotImplementedError

    async def put_many(self, many: Mapping[str, Mapping[str, object]], *, by: str) -> Sequence[Changed]:
        """As `put`, all of them or none, in few transactions. Raises as `put`, with the problems of all."""
        raise NotImplementedError

    async def set(self, id: str, changes: Mapping[str, object], *, by: str) -> Changed:
        """Change the settings that are named, in sections too: {"upstream": {"port": 465}}; None is the
        default. Raises as `put`, and SenderMissing."""
        raise NotImplementedError

    async def remove(self, id: str, *, by: str) -> Entry:
        """Its default address is never given to anybody else. Raises SenderMissing, SenderReadOnly,
        StoreError."""
        raise NotImplementedError

    async def confirm(self, id: str, address: Address, *, by: str) -> Entry:
        """The owner of the address (link, code, upstream) or the operator (vouch) said that the sender may
        use it. Counts as long as it is the contact address. Senders of the config too. Raises SenderMissing;
        SenderRefused when the contact address is another one by now."""
        raise NotImplementedError
