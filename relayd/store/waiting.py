"""What waits to be leased: `Ready` holds what is in memory, `Agenda` knows when the rest falls due."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from relayd.core.mail import Message, Progress, Recipient

Pair = tuple[str, str]
"""A hop's key and a sender: the place where a recipient waits."""

TOGETHER: Final = 100
"""Recipients of a parcel at most: RFC 5321 section 4.5.3.1.8 has every server take that many."""


STALE: Final = 8
"""Entries of the agenda's heap for each pair, most of them out of date, until it is made anew."""


@dataclass(slots=True, eq=False)
class Kept:
    """A message in memory. `body` only while it is hot and small."""

    n: int
    message: Message
    body: bytes | None
    size: int  # octets that count against the bound
    attempted: bool = False
    uses: int = 0  # items that refer to it, waiting or leased


@dataclass(slots=True, eq=False)
class Item:
    """A parcel to be. `cold`: its recipients have a due time in the database, too."""

    kept: Kept
    pair: Pair
    recipients: tuple[Recipient, ...]
    progress: Mapping[int, Progress]
    due: int  # microseconds
    cold: bool


@dataclass(slots=True)
class Turns:
    """The senders at one hop. Who was served goes to the end."""

    senders: dict[str, list[tuple[int, int, Item]]] = field(default_factory=dict)
    size: int = 0


class Ready:
    """Items that may be leased, by hop and sender, oldest due first."""

    def __init__(self) -> None:
        self._hops: dict[str, Turns] = {}
        self._ticket = count()  # equal due times keep the order in which they came

    def hops(self) -> list[str]:
        """Hops with waiting items; the one that was served last comes last."""
        return list(self._hops)

    def waiting(self, hop: str) -> int:
        turns = self._hops.get(hop)
        return turns.size if turns else 0

    def push(self, item: Item) -> None:
        hop, sender = item.pair
        turns = self._hops.setdefault(hop, Turns())
        heapq.heappush(turns.senders.setdefault(sender, []), (item.due, next(self._ticket), item))
        turns.size += 1

    def pop(self, hop: str) -> Item:
        """The oldest item of the sender whose turn it is."""
        turns = self._hops[hop]
        sender = next(iter(turns.senders))
        queue = turns.senders.pop(sender)
        item = heapq.heappop(queue)[2]
        if queue:
            turns.senders[sender] = queue
        turns.size -= 1
        del self._hops[hop]
        if turns.size:
            self._hops[hop] = turns
        return item

    def withdraw(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Take items out, so that they can't be leased."""
        return [item for hop in self.hops() for item in self._withdraw(hop, wanted)]

    def withdraw_newest(self, hop: str, most: int) -> list[Item]:
        """Up to `most` hot items of a hop, those that would be leased last."""
        turns = self._hops[hop]
        entries = sorted((e for q in turns.senders.values() for e in q if not e[2].cold), key=lambda e: e[:2])
        chosen = {id(entry[2]) for entry in entries[-most:]}
        return self._withdraw(hop, lambda item: id(item) in chosen)

    def _withdraw(self, hop: str, wanted: Callable[[Item], bool]) -> list[Item]:
        taken: list[Item] = []
        turns = self._hops[hop]
        for sender, queue in list(turns.senders.items()):
            left = [entry for entry in queue if not wanted(entry[2])]
            if len(left) == len(queue):
                continue
            kept = {id(entry[2]) for entry in left}
            taken += [entry[2] for entry in queue if id(entry[2]) not in kept]
            heapq.heapify(left)
            turns.size -= len(queue) - len(left)
            if left:
                turns.senders[sender] = left
            else:
                del turns.senders[sender]
        if not turns.size:
            del self._hops[hop]
        return taken


class Agenda:
    """For each pair with recipients in the database: a time before which none of them falls due.

    Lower bounds only: too early costs one look into the database, too late would be a message that sleeps.
    So what is noted while the database is being read (`reading` to `read`) survives what was read.
    """

    def __init__(self) -> None:
        self._bounds: dict[Pair, int] = {}
        self._heap: list[tuple[int, Pair]] = []
        self._ripe: dict[str, dict[str, None]] = {}
        self._noted: dict[Pair, int] | None = None

    def note(self, pair: Pair, due: int) -> None:
        """A recipient of this pair waits in the database since or until `due`."""
        if self._noted is not None:
            self._noted[pair] = min(due, self._noted.get(pair, due))
        bound = self._bounds.get(pair)
        if bound is None or due < bound:
            self._set(pair, due)

    def reading(self) -> None:
        self._noted = {}

    def read(self, found: Mapping[Pair, int | None]) -> None:
        """What the database said: the earliest due time that is left, None for nothing."""
        noted, self._noted = self._noted or {}, None
        for pair, due in found.items():
            self._forget(pair)
            late = noted.get(pair)
            times = [time for time in (due, late) if time is not None]
            if times:
                self._set(pair, min(times))

    def ripen(self, now: int) -> None:
        while self._heap and self._heap[0][0] <= now:
            due, pair = heapq.heappop(self._heap)
            if self._bounds.get(pair) == due:
                self._ripe.setdefault(pair[0], {})[pair[1]] = None

    def ripe(self) -> list[str]:
        """Hops with a pair that fell due at the last `ripen`."""
        return list(self._ripe)

    def senders(self, hop: str, most: int) -> list[str]:
        """Whose turn it is at a ripe hop; those given here go to the end."""
        senders = self._ripe.get(hop, {})
        chosen = [sender for sender, _ in zip(senders, range(most), strict=False)]
        for sender in chosen:
            senders[sender] = senders.pop(sender)
        return chosen

    def next(self) -> int | None:
        """When the next pair that is not ripe yet falls due."""
        while self._heap and self._bounds.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _set(self, pair: Pair, due: int) -> None:
        self._bounds[pair] = due
        if not self._is_ripe(pair):
            heapq.heappush(self._heap, (due, pair))
            if len(self._heap) > STALE * len(self._bounds) + STALE:
                self._heap = [(due, pair) for pair, due in self._bounds.items() if not self._is_ripe(pair)]
                heapq.heapify(self._heap)

    def _is_ripe(self, pair: Pair) -> bool:
        return pair[1] in self._ripe.get(pair[0], {})

    def _forget(self, pair: Pair) -> None:
        self._bounds.pop(pair, None)
        senders = self._ripe.get(pair[0])
        if senders is not None:
            senders.pop(pair[1], None)
            if not senders:
                del self._ripe[pair[0]]
