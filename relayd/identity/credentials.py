"""Logins that an upstream refused.

A refused login is tried once and not again, across restarts too: providers lock accounts that keep failing.
It stands until its settings change (another host, user or password) or an operator releases the sender.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from relayd.core.delivery import Attempt
from relayd.core.journal import Event, EventType
from relayd.core.mail import Hop, Parcel, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Reply
from relayd.core.sender import Upstream
from relayd.store.contract import Store

KIND = "credentials"


class Credentials:
    """Knows which hops have a refused login.

    `upstream` gives the settings of a hop as they are now, `fingerprint` a keyed hash: what is kept can't be
    turned back into a password by trying words.
    """

    def __init__(
        self, *, store: Store, upstream: Callable[[Hop], Upstream | None], fingerprint: Callable[[str], str]
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._fingerprint = fingerprint
        self._refused: dict[str, Reason] = {}  # by hop key

    async def load(self, now: datetime) -> list[Hop]:
        """Read what earlier runs learnt. Returns the hops whose settings changed since: release them."""
        changed = []
        for key, fact in (await self._store.recall(KIND)).items():
            hop = Hop.from_key(key)
            if fact["fingerprint"] == self._print(hop):
                self._refused[key] = Reason(fact["reason"])
            else:
                await self.forget(hop, now)
                changed.append(hop)
        return changed

    def refused(self, hop: Hop) -> Reason | None:
        """Why the login of this hop was refused; None while nothing speaks against it."""
        return self._refused.get(hop.key)

    @property
    def all_refused(self) -> dict[str, Reason]:
        return dict(self._refused)

    async def refuse(self, parcel: Parcel, attempt: Attempt, now: datetime) -> None:
        reason = attempt.verdict.reason or Reason.AUTH_WRONG_PASSWORD
        known = self._refused.get(parcel.hop.key)
        self._refused[parcel.hop.key] = reason
        if known is not None:
            return
        evidence = attempt.evidence
        event = Event(
            time=now,
            type=EventType.UPSTREAM_FAILED,
            sender=parcel.hop.name if parcel.hop.route is Route.UPSTREAM else None,
            reason=reason,
            host=attempt.host,
            ip=attempt.ip,
            code=evidence.code if isinstance(evidence, Reply) else None,
            enhanced=evidence.enhanced if isinstance(evidence, Reply) else None,
            reply=evidence.text,
        )
        fact = {"fingerprint": self._print(parcel.hop), "reason": reason.value, "since": now.isoformat()}
        await self._store.remember(KIND, parcel.hop.key, fact, [event])

    async def forget(self, hop: Hop, now: datetime) -> bool:
        """The login may be tried again. Returns whether it was held."""
        known = self._refused.pop(hop.key, None)
        await self._store.forget(KIND, hop.key)
        return known is not None

    def _print(self, hop: Hop) -> str:
        upstream = self._upstream(hop)
        if upstream is None:
            return ""
        password = upstream.password.value if upstream.password else ""
        return self._fingerprint(
            "\0".join((upstream.host, str(upstream.port), upstream.username or "", password))
        )
