"""What the embedded store holds in memory about recipients that wait or are leased. Belongs to the event
loop; nothing here reads or writes a file.

The database knows every recipient. Those in memory are either hot: just put, without a due time in the
database, so that no query sees them; or cold: read ahead of their turn ("staged"), still due in the database
and therefore remembered as claimed. The agenda knows when the next of all others falls due.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from relayd.core.mail import Message, Parcel
from relayd.store import rows, verbs
from relayd.store.contract import Room
from relayd.store.reading import Want
from relayd.store.waiting import TOGETHER, Agenda, Item, Kept, Pair, Ready

EVICT: Final = 256
"""Parcels moved out of memory at once when it is full."""


def ids(item: Item) -> list[int]:
    """The recipients of an item, as `recipient.id`."""
    return [(item.kept.n << rows.SHIFT) | recipient.index for recipient in item.recipients]


class Queue:
    """`bound`: octets of hot messages."""

    def __init__(self, bound: int) -> None:
        self.agenda = Agenda()
        self.pending: dict[int, verbs.Pending] = {}  # by recipient.id: verbs that wait for a settlement
        self._bound = bound
        self._ready = Ready()
        self._kept: dict[int, Kept] = {}
        self._by_id: dict[str, Kept] = {}
        self._hot = 0  # octets
        self._claimed: dict[Pair, set[int]] = {}
        self._staged: Counter[Pair] = Counter()  # cold items in _ready
        self._leases: dict[int, Item] = {}
        self._tickets = itertools.count(1)

    # --- hot

    def reserve(self, message: Message, weight: int) -> tuple[bool, list[Item]]:
        """Whether a message of `weight` octets may be hot, and what has to give way: when memory is full,
        the hop with most waiting, so that a dead one doesn't keep all others out."""
        if self._hot + weight <= self._bound:
            self._hot += weight
            return True, []
        fullest = max(self._ready.hops(), key=self._ready.waiting, default=None)
        if fullest is None or any(r.hop.key == fullest for r in message.recipients):
            return False, []
        return False, self._ready.withdraw_newest(fullest, EVICT)

    def unreserve(self, weight: int) -> None:
        self._hot -= weight

    def push_hot(self, kept: Kept) -> None:
        """Of a message that was put with `reserve`."""
        self._keep(kept)
        due = rows.stamp(kept.message.submission.received_at)
        for group in verbs.together(kept.message.recipients, TOGETHER):
            kept.uses += 1
            self._ready.push(
                Item(
                    kept=kept,
                    pair=(group[0].hop.key, kept.message.sender),
                    recipients=group,
                    progress=dict.fromkeys((r.index for r in group), verbs.FRESH),
                    due=due,
                    cold=False,
                )
            )

    def kept(self, message: str) -> Kept | None:
        """A message in memory."""
        return self._by_id.get(message)

    # --- leasing

    def wants(self, room: Room, taken: Counter[str], most: int) -> list[Want]:
        """What to read ahead: for hops with room, of senders that fell due and have nothing staged."""
        wants: list[Want] = []
        for hop in self.agenda.ripe():
            free = min(room.free(hop) - taken[hop], most)
            if free <= 0:
                continue
            senders = [s for s in self.agenda.senders(hop, free) if not self._staged[hop, s]]
            for sender in senders:
                claimed = frozenset(self._claimed.get((hop, sender), ()))
                wants.append(Want(pair=(hop, sender), most=-(-free // len(senders)), claimed=claimed))
            if len(wants) >= most:
                break
        return wants

    def push_cold(self, item: Item) -> None:
        kept = self._kept.get(item.kept.n)
        if kept is None:
            self._keep(item.kept)
        else:
            item.kept = kept
        item.kept.uses += 1
        self._claimed.setdefault(item.pair, set()).update(ids(item))
        self._staged[item.pair] += 1
        self._ready.push(item)

    def take(self, room: Room, taken: Counter[str], total: int, parcels: list[Parcel]) -> None:
        """Lease what is ready, hop by hop, until there are `total` parcels."""
        for hop in self._ready.hops():
            most = min(room.free(hop) - taken[hop], total - len(parcels), self._ready.waiting(hop))
            for _ in range(most):
                item = self._ready.pop(hop)
                self._left(item)
                ticket = next(self._tickets)
                self._leases[ticket] = item
                taken[hop] += 1
                parcels.append(
                    Parcel(
                        lease=ticket,
                        message=item.kept.message,
                        hop=item.recipients[0].hop,
                        recipients=item.recipients,
                        progress=item.progress,
                        first=not item.kept.attempted,
                    )
                )
            if len(parcels) >= total:
                return

    def leasable(self, room: Room) -> bool:
        """Something is ready or fell due, and its hop has room."""
        return room.total > 0 and any(
            room.free(hop) > 0 for hops in (self._ready.hops(), self.agenda.ripe()) for hop in hops
        )

    # --- leases

    def leased(self, ticket: int) -> Item | None:
        return self._leases.get(ticket)

    def leases(self) -> Iterable[Item]:
        return self._leases.values()

    def end(self, ticket: int) -> None:
        """The item is being settled; `release` it when that is written, or `go_on`."""
        del self._leases[ticket]

    def go_on(self, ticket: int, item: Item) -> None:
        self._leases[ticket] = item

    def unlease(self, parcels: Iterable[Parcel]) -> None:
        """Nobody got these parcels."""
        self.put_back([self._leases.pop(parcel.lease) for parcel in parcels])

    def alone(self, item: Item) -> bool:
        """No other parcel of this message is leased."""
        return all(other is item or other.kept is not item.kept for other in self._leases.values())

    # --- leaving

    def release(self, item: Item) -> None:
        """The item is no longer in memory."""
        kept = item.kept
        if item.cold:
            claimed = self._claimed[item.pair]
            claimed.difference_update(ids(item))
            if not claimed:
                del self._claimed[item.pair]
        kept.uses -= 1
        if not kept.uses:
            del self._kept[kept.n]
            del self._by_id[kept.message.id]
            self._hot -= kept.size

    def withdraw(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Take waiting items out of reach of a lease. They go on by `parked` or `put_back`."""
        withdrawn = self._ready.withdraw(wanted)
        for item in withdrawn:
            self._left(item)
        return withdrawn

    def put_back(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.cold:
                self._staged[item.pair] += 1
            self._ready.push(item)

    @staticmethod
    def dues(items: Iterable[Item]) -> list[tuple[int, int]]:
        """recipient.id and due time of hot items, for the database."""
        return [(identity, item.due) for item in items if not item.cold for identity in ids(item)]

    def parked(self, items: Sequence[Item]) -> None:
        """Withdrawn items wait in the database now."""
        for item in items:
            self.release(item)
            self.agenda.note(item.pair, item.due)

    def _keep(self, kept: Kept) -> None:
        self._kept[kept.n] = kept
        self._by_id[kept.message.id] = kept

    def _left(self, item: Item) -> None:
        """An item left `_ready`."""
        if item.cold:
            self._staged[item.pair] -= 1
            if not self._staged[item.pair]:
                del self._staged[item.pair]
