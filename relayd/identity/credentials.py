"""Logins that an upstream refused.

A refused login is tried once and not again, across restarts too: providers lock accounts that keep failing.
It stands until a probe of other settings passes (another host, user or password), or an operator releases the
sender. Mail and probes ask here both, so that together they try a wrong password once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime

from relayd.core.delivery import Attempt
from relayd.core.journal import Event, EventType
from relayd.core.mail import Hop, Parcel, Route
from relayd.core.reasons import Reason
from relayd.core.reply import Evidence, Reply
from relayd.core.retry import LOGIN_REFUSED
from relayd.core.sender import Upstream
from relayd.store.contract import Store

KIND = "credentials"

LOGINS = 1000
"""Refused logins that are remembered whoever tried them: those of other senders with the same account, those
that were in the settings before, and what people type while they look for the right one. The oldest is
forgotten first; a restart forgets those that are in no settings."""


class Credentials:
    """Knows which hops have a refused login.

    `upstream` gives the settings of a hop as they are now, `fingerprint` a keyed hash: what is kept can't be
    turned back into a password by trying words. `matches` compares a text with one; when it can't tell, it
    says yes, and nothing is tried.
    """

    def __init__(
        self,
        *,
        store: Store,
        upstream: Callable[[Hop], Upstream | None],
        fingerprint: Callable[[str], str],
        matches: Callable[[str, str], bool],
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._fingerprint = fingerprint
        self._matches = matches
        self.refused: dict[str, Reason] = {}  # by hop key; others only read it
        self.of_senders: dict[str, Reason] = {}  # the same by sender id, for the sender ladder
        self._tried: dict[str, str] = {}  # by hop key: the fingerprint of what was refused
        self._hoped: set[Hop] = set()  # refused once, and to be tried again
        self._logins: OrderedDict[str, Reason] = OrderedDict()  # by fingerprint

    async def load(self) -> Mapping[Hop, Reason]:
        """Read what earlier runs learnt, and compare it with the settings as they are now. Returns what was
        refused under settings that are others by now. It stands all the same until the new ones are seen to
        work (`good`), or nobody logs in there any more (`forget`): a crash in between finds it again."""
        changed = {}
        known = {
            key: (Reason(f["reason"]), f["fingerprint"])
            for key, f in (await self._store.recall(KIND)).items()
        }
        # What the store could not take when it was learnt is known to this process all the same.
        learnt = {key: (reason, self._tried[key]) for key, reason in self.refused.items()}
        for key, (reason, tried) in {**known, **learnt}.items():
            hop = Hop.from_key(key)
            self._note(hop, reason, tried)
            if not self._matches(_login(self._upstream(hop)), tried):
                changed[hop] = reason
        return changed

    def why_not(self, hop: Hop, upstream: Upstream) -> Reason | None:
        """Why this very login is known to be refused; None when it may be tried. `upstream` may be what
        somebody typed and has not saved. A refusal that came after the login was taken (of the sender's
        address, say) is no reason not to log in."""
        login = _login(upstream)
        reason = self.refused.get(hop.key)
        if reason is None or not self._matches(login, self._tried[hop.key]):
            # Without a password anybody could be refused in another's place, for reasons of their own.
            reason = self._logins.get(self._fingerprint(login)) if upstream.password is not None else None
        return reason if reason is None or reason in LOGIN_REFUSED else None

    def refused_elsewhere(self, hop: Hop) -> Reason | None:
        """Why the login of this hop needs no try: the same one was refused to another sender, or to this one
        before its settings changed to and fro."""
        if not self._logins or hop.key in self.refused:
            return None  # asked before every delivery; and what is refused here is known
        upstream = self._upstream(hop)
        return None if upstream is None else self.why_not(hop, upstream)

    def changed(self, hop: Hop) -> bool:
        """Refused, under settings that are others by now."""
        return hop.key in self.refused and not self._matches(
            _login(self._upstream(hop)), self._tried[hop.key]
        )

    def mark(self, hop: Hop) -> object:
        """What we log in with there now, to be compared: a refusal concerns the login that was tried, and
        the settings may have changed while it was."""
        return self._upstream(hop)

    async def refuse(self, parcel: Parcel, attempt: Attempt, now: datetime) -> None:
        reason = attempt.verdict.reason or Reason.AUTH_WRONG_PASSWORD
        await self.learn(parcel.hop, reason, now, evidence=attempt.evidence, host=attempt.host, ip=attempt.ip)

    async def learn(
        self,
        hop: Hop,
        reason: Reason,
        now: datetime,
        *,
        evidence: Evidence | None = None,
        host: str | None = None,
        ip: str | None = None,
    ) -> None:
        """The login of this hop, as it is configured now, is refused. Told once."""
        tried = self._fingerprint(_login(self._upstream(hop)))
        known = self._tried.get(hop.key) == tried and hop.key in self.refused
        self._note(hop, reason, tried)
        if known:
            return
        event = failed(hop, reason, now, evidence=evidence, host=host, ip=ip)
        fact = {"fingerprint": tried, "reason": reason.value, "since": now.isoformat()}
        await self._store.remember(KIND, hop.key, fact, [event])

    def learn_candidate(self, upstream: Upstream, reason: Reason | None) -> None:
        """A login that nobody saved was refused, or (None) was not."""
        tried = self._fingerprint(_login(upstream))
        self._logins.pop(tried, None)
        if reason is not None:
            self._keep(tried, reason)

    def trust(self, hop: Hop) -> bool:
        """The login of this hop, as it is configured now, was seen to work: mail may go. Returns whether it
        was refused before; `good` writes it down when that mail was let go."""
        self._logins.pop(self._fingerprint(_login(self._upstream(hop))), None)
        return self._drop(hop) is not None

    async def good(self, hop: Hop, now: datetime, *, tell: bool = False) -> None:
        """The login of this hop is good. Told once, where it was refused before, or when asked to `tell`."""
        if not tell and hop not in self._hoped:
            return
        self._hoped.discard(hop)
        await self._store.forget(KIND, hop.key, [_works(hop, now)])

    async def taken(self, hop: Hop, now: datetime) -> None:
        """A server took mail from us: if its login was refused before, that is over, and is said once."""
        if hop not in self._hoped:
            return
        self._hoped.discard(hop)
        await self._store.note([_works(hop, now)])

    async def forget(self, hop: Hop) -> Reason | None:
        """The login may be tried again. Returns why it was refused, None when it was not."""
        await self._store.forget(KIND, hop.key)
        self._logins.pop(self._tried.get(hop.key, ""), None)
        return self._drop(hop)

    def _drop(self, hop: Hop) -> Reason | None:
        if hop.route is Route.UPSTREAM:
            self.of_senders.pop(hop.name, None)
        self._tried.pop(hop.key, None)
        reason = self.refused.pop(hop.key, None)
        if reason is not None:
            self._hoped.add(hop)
        return reason

    def _note(self, hop: Hop, reason: Reason, tried: str) -> None:
        self._hoped.discard(hop)
        self.refused[hop.key] = reason
        self._tried[hop.key] = tried
        self._keep(tried, reason)
        if hop.route is Route.UPSTREAM:
            self.of_senders[hop.name] = reason

    def _keep(self, tried: str, reason: Reason) -> None:
        self._logins[tried] = reason
        self._logins.move_to_end(tried)
        while len(self._logins) > LOGINS:
            self._logins.popitem(last=False)


def _login(upstream: Upstream | None) -> str:
    """What makes a login this one and no other."""
    if upstream is None:
        return ""
    password = upstream.password.value if upstream.password else ""
    how = f"{upstream.oauth} {upstream.signed_in}" if upstream.oauth else upstream.mechanism or ""
    return "\0".join((upstream.host, str(upstream.port), upstream.username or "", password, how))


def failed(
    hop: Hop,
    reason: Reason,
    now: datetime,
    *,
    evidence: Evidence | None = None,
    host: str | None = None,
    ip: str | None = None,
) -> Event:
    """That nothing goes out through this server."""
    said = evidence if isinstance(evidence, Reply) else None
    return Event(
        time=now,
        type=EventType.UPSTREAM_FAILED,
        sender=_sender(hop),
        reason=reason,
        host=host,
        ip=ip,
        code=said.code if said is not None else None,
        enhanced=said.enhanced if said is not None else None,
        reply=(evidence.text or None) if evidence is not None else None,
    )


def _works(hop: Hop, now: datetime) -> Event:
    return Event(time=now, type=EventType.UPSTREAM_OK, sender=_sender(hop))


def _sender(hop: Hop) -> str | None:
    return hop.name if hop.route is Route.UPSTREAM else None
