"""When to look at which domain again: thousands of them cost no more than those whose time has come."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable


class Rounds:
    """Times are those of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._queue: list[tuple[float, str]] = []  # holds what is over, too: `_times` says what counts

    def keep(self, domains: Iterable[str]) -> None:
        """These and no others; who is new is due at once."""
        wanted = dict.fromkeys(domains)
        for gone in self._times.keys() - wanted.keys():
            del self._times[gone]
        for domain in wanted:
            if domain not in self._times:
                self.put(domain, -math.inf)

    def put(self, domain: str, at: float) -> None:
        """Look at it again then."""
        self._times[domain] = at
        heapq.heappush(self._queue, (at, domain))

    def take(self, now: float, most: int) -> list[str]:
        """Those whose time has come, the earliest first. Each is to be `put` again."""
        taken: list[str] = []
        while len(taken) < most and self.next() <= now:
            domain = heapq.heappop(self._queue)[1]
            self._times[domain] = math.inf
            taken.append(domain)
        return taken

    def next(self) -> float:
        """When the next one is due; infinite when there is none."""
        while self._queue and self._times.get(self._queue[0][1]) != self._queue[0][0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else math.inf
