"""Lease, deliver, settle: the only loop of the house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

from relayd.core.delivery import Attempt
from relayd.core.mail import Parcel

Body = Callable[[], AsyncIterator[bytes]]
"""Gives the settled body from its start, each time it is called; chunks of at most 1 MiB."""


class Courier(Protocol):
    """Delivers parcels for one kind of hop."""

    async def deliver(self, parcel: Parcel, body: Body) -> Sequence[Attempt]:
        """Try once (all hosts of the hop if need be). One attempt for each recipient; never raises for
        what the network or a server did."""
        ...

    async def close(self) -> None:
        """Let go of idle connections."""
        ...
