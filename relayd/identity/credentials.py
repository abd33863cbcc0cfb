"""Logins that an upstream refused.

A refused login is tried once and not again, across restarts too: providers lock accounts that keep failing.
It stands until its settings change (another host, user or password) or an operator releases the sender.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        self.refused: dict[str, Reason] = {}  # by hop key; others only read it
        self.of_senders: dict[str, Reason] = {}  # the same by sender id, for the sender ladder
        self._tried: dict[str, str] = {}  # by hop key: the fingerprint of what was refused
        self._hoped: set[Hop] = set()  # refused once, and to be tried again

    async def load(self) -> Mapping[Hop, Reason]:
        """Read what earlier runs learnt, and compare it with the settings as they are now. Returns what no
        longer stands because they changed: held mail of these hops may go, and then `forget` them. A crash
        in between finds them again."""
        changed = {}
        known = {
            key: (Reason(f["reason"]), f["fingerprint"])
            for key, f in (await self._store.recall(KIND)).items()
        }
        # What the store could not take when it was learnt is known to this process all the same.
        learnt = {key: (reason, self._tried[key]) for key, reason in self.refused.items()}
        for key, (reason, tried) in {**known, **learnt}.items():
            hop = Hop.from_key(key)
            if tried == self._print(hop):
                self._note(hop, reason)
            else:
                self._drop(hop)
                changed[hop] = reason
        return changed

    def mark(self, hop: Hop) -> object:
        """What we log in with there now, to be compared: a refusal concerns the login that was tried, and
        the settings may have changed while it was."""
        return self._upstream(hop)

    async def refuse(self, parcel: Parcel, attempt: Attempt, now: datetime) -> None:
        reason = attempt.verdict.reason or Reason.AUTH_WRONG_PASSWORD
        known = parcel.hop.key in self.refused
        self._note(parcel.hop, reason)
        if known:
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

    async def taken(self, hop: Hop, now: datetime) -> None:
        """A server took mail from us: if its login was refused before, that is over, and is said once."""
        if hop not in self._hoped:
            return
        self._hoped.discard(hop)
        sender = hop.name if hop.route is Route.UPSTREAM else None
        await self._store.note([Event(time=now, type=EventType.UPSTREAM_OK, sender=sender)])

    async def forget(self, hop: Hop) -> Reason | None:
        """The login may be tried again. Returns why it was refused, None when it was not."""
        await self._store.forget(KIND, hop.key)
        return self._drop(hop)

    def _drop(self, hop: Hop) -> Reason | None:
        if hop.route is Route.UPSTREAM:
            self.of_senders.pop(hop.name, None)
        self._tried.pop(hop.key, None)
        reason = self.refused.pop(hop.key, None)
        if reason is not None:
            self._hoped.add(hop)
        return reason

    def _note(self, hop: Hop, reason: Reason) -> None:
        self._hoped.discard(hop)
        self.refused[hop.key] = reason
        self._tried[hop.key] = self._print(hop)
        if hop.route is Route.UPSTREAM:
            self.of_senders[hop.name] = reason

    def _print(self, hop: Hop) -> str:
        upstream = self._upstream(hop)
        if upstream is None:
            return ""
        password = upstream.password.value if upstream.password else ""
        return self._fingerprint(
            "\0".join((upstream.host, str(upstream.port), upstream.username or "", password))
        )
