"""What is done for senders while the daemon runs: the composition root for their book, and for all that
follows from a change in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relayd.core.address import Address
from relayd.identity.senders import Book, Changed, Entry


class Customers:
    """The API's changes to senders come through here (`Control` delegates): after each, mail that waited for
    it goes, and what followed from the old settings is forgotten."""

    book: Book

    def entry(self, id: str) -> Entry | None:
        return self.book.entry(id)

    def sender_ids(self) -> Sequence[str]:
        return self.book.ids()

    async def put_sender(self, id: str, values: Mapping[str, object], *, by: str) -> Changed:
        raise NotImplementedError

    async def put_senders(self, many: Mapping[str, Mapping[str, object]], *, by: str) -> Sequence[Changed]:
        raise NotImplementedError

    async def set_sender(self, id: str, changes: Mapping[str, object], *, by: str) -> Changed:
        raise NotImplementedError

    async def remove_sender(self, id: str, *, by: str) -> Entry:
        """Its queued mail is held (sender.unknown)."""
        raise NotImplementedError

    async def confirm_sender(self, id: str, address: Address, *, by: str) -> Entry:
        raise NotImplementedError
