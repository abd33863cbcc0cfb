"""Accounts at providers, put together: who is signed in, how they do that, and what follows for mail."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Container
from dataclasses import replace
from datetime import datetime

from relayd.core import oauth
from relayd.core.delivery import State
from relayd.core.hops import Hops
from relayd.core.mail import Hop, Route
from relayd.core.reasons import Reason
from relayd.core.sender import Upstream
from relayd.couriers.upstream import UpstreamCourier
from relayd.identity.account import LoginRefused
from relayd.identity.credentials import Credentials
from relayd.identity.oauth import OAuth
from relayd.identity.senders import Entry
from relayd.identity.signin import SignIns
from relayd.parts import Parts
from relayd.store.contract import Selection, Store, Verb
from relayd.vault import Vault


class Accounts:
    """To the API it is `web.oauth.Accounts`. `follow` is told of a sender whose login is another one now."""

    def __init__(
        self,
        *,
        store: Store,
        vault: Vault,
        credentials: Credentials,
        hops: Callable[[], Hops],
        parts: Callable[[], Parts],
        entry: Callable[[str], Entry | None],
        follow: Callable[[str], Awaitable[None]],
        clock: Callable[[], datetime],
    ) -> None:
        """`parts` gives those of the settings as they are now."""
        self.entry = entry
        self._store = store
        self._credentials = credentials
        self._hops = hops
        self._parts = parts
        self._follow = follow
        self._clock = clock
        self.oauth = OAuth(
            store=store,
            seals=vault,
            asks=lambda: parts().providers,
            providers=lambda: oauth.providers(parts().settings.oauth),
            upstream=lambda id: parts().upstream(Hop(Route.UPSTREAM, id)),
            lost=self._lost,
            gained=self._gained,
            clock=clock,
            monotonic=time.monotonic,
            dice=random.random,
        )
        self.sign_ins = SignIns(
            accounts=self.oauth,
            asks=lambda: parts().providers,
            providers=lambda: oauth.providers(parts().settings.oauth),
            sender=lambda id: parts().senders.get(id),
            redirect_uri=self._redirect_uri,
            clock=clock,
            monotonic=time.monotonic,
        )
        self.login_refused = LoginRefused(credentials.of_senders, self.oauth.missing)

    def login(self, hop: Hop) -> Upstream | None:
        """What is logged in with at a hop, to be told from what it was: a new sign-in is another login."""
        upstream = self._parts().upstream(hop)
        if upstream is None or upstream.oauth is None:
            return upstream
        return replace(upstream, signed_in=self.oauth.grant(hop.name))

    def mark_unreadable(self, among: Container[str] | None = None) -> None:
        """Who signed in, while the master key that opens that is missing, waits as with a sealed password.
        `among`: only these have new settings."""
        for id in self.oauth.unreadable(among):
            self._mark(id, sealed=True)

    def _mark(self, id: str, *, sealed: bool) -> None:
        senders = self._parts().senders
        sender = senders.get(id)
        if sender is not None and sender.upstream is not None and sender.upstream.oauth is not None:
            senders.put(replace(sender, upstream=replace(sender.upstream, sealed=sealed)))

    async def forget_sign_in(self, id: str, *, by: str) -> bool:
        """Throw a sign-in away. False when there was none. Raises StoreError."""
        self.sign_ins.cancel(id)
        forgotten = await self.oauth.forget(id, by=by)
        if forgotten:
            await self._lost(id, Reason.AUTH_TOKEN_EXPIRED)
        return forgotten

    async def removed(self, id: str) -> None:
        """The sender is gone, and whoever gets its id has not signed in. Raises StoreError."""
        self.sign_ins.cancel(id)
        await self.oauth.forget(id, by=None)

    async def close(self) -> None:
        await self.sign_ins.close()
        await self.oauth.close()

    @property
    def notes(self) -> list[str]:
        """What the operator should do, one sentence each."""
        return [
            f"{name} does not take our registration ({why}): correct oauth.{name}; mail of senders who "
            "signed in there is delayed until then"
            for name, why in self.oauth.problems.items()
        ]

    async def _gained(self, id: str) -> None:
        self._mark(id, sealed=False)  # what was there before is gone
        if Hop(Route.UPSTREAM, id).key not in self._credentials.refused:  # else a probe lets it go
            waiting = Selection(sender=id, held=Reason.AUTH_TOKEN_EXPIRED)
            await self._store.act(Verb.RELEASE, waiting, self._clock())
        await self._follow(id)

    async def _lost(self, id: str, reason: Reason) -> None:
        """Nothing goes out through this account before somebody signs in again."""
        hop = Hop(Route.UPSTREAM, id)
        self._hops().close(hop.key, reason)
        await self._credentials.learn(hop, reason, self._clock())
        courier = self._parts().couriers[Route.UPSTREAM]
        assert isinstance(courier, UpstreamCourier)
        courier.forget(hop)
        waiting = Selection(hop=hop.key, state=State.QUEUED)
        await self._store.act(Verb.HOLD, waiting, self._clock(), reason)

    def _redirect_uri(self) -> str | None:
        """Where browsers come back to; None without a public page."""
        http = self._parts().settings.http
        return (
            None
            if http.public_url is None or http.public_listen is None
            else http.public_url + oauth.CALLBACK
        )
