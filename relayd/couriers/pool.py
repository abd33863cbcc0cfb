"""Connections kept open for the next message, because opening one costs more than a message does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable

from relayd.net.smtp import Session

IDLE = 15.0
"""Seconds a connection waits for another message. Receivers see long idle ones as misuse, and some close
after 30 s; Postfix keeps its for 2 s to 300 s."""
USES = 100
"""Messages over one connection (Postfix and Exim stop near there; many receivers count them too)."""
AGE = 300.0
"""Seconds a connection lives at most (Postfix: smtp_connection_reuse_time_limit), so that changes in DNS
and of certificates are noticed."""
MOST = 200
"""Idle connections in all: file descriptors are finite."""


class Pool:
    """Keeps sessions by what makes them interchangeable: the hop, or the server with its login."""

    def __init__(
        self,
        *,
        idle: float = IDLE,
        uses: int = USES,
        age: float = AGE,
        most: int = MOST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle = idle
        self._uses = uses
        self._age = age
        self._most = most
        self._monotonic = monotonic
        self._kept: dict[Hashable, list[tuple[float, Session]]] = {}
        self._count = 0
        self._sweep: asyncio.TimerHandle | None = None

    def take(self, key: Hashable) -> Session | None:
        """The session used last, if one is fit: the others may then grow old and go."""
        kept = self._kept.get(key)
        while kept:
            _, session = kept.pop()
            self._count -= 1
            if not kept:
                del self._kept[key]
            if session.usable:
                return session
            session.close()
        return None

    def give(self, key: Hashable, session: Session) -> None:
        """Keep a session, or close it when it is worn."""
        worn = session.uses >= self._uses or self._monotonic() - session.opened >= self._age
        if worn or not session.usable or self._count >= self._most:
            session.close()
            return
        self._kept.setdefault(key, []).append((self._monotonic(), session))
        self._count += 1
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self._idle, self._close_idle)

    def drop(self, key: Hashable) -> None:
        """Close what is kept for a key."""
        for _, session in self._kept.pop(key, []):
            self._count -= 1
            session.close()

    def close(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for key in list(self._kept):
            self.drop(key)

    def _close_idle(self) -> None:
        self._sweep = None
        now, oldest = self._monotonic(), float("inf")
        for key, kept in list(self._kept.items()):
            waiting = []
            for since, session in kept:
                if now - since >= self._idle or not session.usable:
                    self._count -= 1
                    session.close()
                else:
                    waiting.append((since, session))
                    oldest = min(oldest, since)
            if waiting:
                self._kept[key] = waiting
            else:
                del self._kept[key]
        if self._kept:
            again = max(0.05, oldest + self._idle - now)
            self._sweep = asyncio.get_running_loop().call_later(again, self._close_idle)
