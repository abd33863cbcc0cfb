"""A provider on loopback over HTTPS, and what keeps the accounts of senders who signed in there."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from relayd.core.address import Address
from relayd.core.event import Event
from relayd.core.mail import IfUnproven, Rung
from relayd.core.oauth import Provider, providers
from relayd.core.reasons import Reason
from relayd.core.sender import Secret, Sender, Tls, Upstream
from relayd.core.settings import OAuth as OAuthSettings
from relayd.identity.begun import SignIn
from relayd.identity.oauth import OAuth
from relayd.identity.signin import SignIns
from relayd.masterkey import MasterKey
from relayd.net.dns import Resolver
from relayd.net.https import Https
from relayd.net.oauth import Providers
from relayd.net.tls import Contexts
from relayd.sandbox.certificates import Authority
from relayd.sandbox.tokens import TokenServer
from relayd.store.contract import Store, StoreFull
from relayd.store.memory import MemoryStore

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
ACCOUNT = "billing@acme.example"
BACK = "https://relay.example.net/oauth/callback"

_AUTHORITY = Authority()
_CERTIFICATE = _AUTHORITY.issue("127.0.0.1", "localhost")


def sender(id: str = "acme", **upstream: object) -> Sender:
    settings = {
        "host": "smtp.acme.example",
        "port": 587,
        "tls": Tls.STARTTLS,
        "username": ACCOUNT,
        "oauth": "microsoft",
        **upstream,
    }
    return Sender(
        id=id,
        name="ACME",
        contact=Address("billing", "acme.example"),
        confirmed=True,
        default_address=Address(id, "my.platform.example"),
        send_as=Rung.UPSTREAM,
        if_unproven=IfUnproven.DEFAULT,
        language="de",
        test=False,
        upstream=Upstream(**settings),  # type: ignore[arg-type]
    )


@dataclass(kw_only=True, repr=False)
class House:
    provider: TokenServer
    store: Store
    asks: Providers
    settings: OAuthSettings
    master: MasterKey
    senders: dict[str, Sender]
    clock: datetime = NOW
    monotonic: float = 0.0
    lost: list[tuple[str, Reason]] = field(default_factory=list)
    gained: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    page: str | None = BACK
    broken: bool = False  # what follows for mail can't be written
    accounts: OAuth = field(init=False)
    sign_ins: SignIns = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        """A new process on the same store."""
        self.accounts = OAuth(
            store=self.store,
            seals=self.master,
            asks=lambda: self.asks,
            providers=lambda: providers(self.settings),
            upstream=lambda id: self.senders[id].upstream if id in self.senders else None,
            lost=self._lost,
            gained=self._gained,
            clock=lambda: self.clock,
            monotonic=lambda: self.monotonic,
            dice=lambda: 0.0,
            pause=self._pause,
        )
        self.sign_ins = SignIns(
            accounts=self.accounts,
            asks=lambda: self.asks,
            providers=lambda: providers(self.settings),
            sender=self.senders.get,
            redirect_uri=lambda: self.page,
            clock=lambda: self.clock,
            monotonic=lambda: self.monotonic,
            pause=self._pause,
        )

    async def restart(self) -> None:
        self.start()
        await self.accounts.load()

    def later(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)
        self.monotonic += seconds

    def microsoft(self) -> Provider:
        return providers(self.settings)["microsoft"]

    async def signed_in(self, id: str = "acme", account: str = ACCOUNT) -> None:
        """Through the browser, as people do it."""
        begun = self.sign_ins.in_browser(id, by="test")
        ended = await self.come_back(self.provider.sign_in(begun.url, account))
        assert ended is not None
        assert ended.problem is None, ended

    async def come_back(self, url: str) -> SignIn | None:
        """As a browser whose reader agrees."""
        visit = self.sign_ins.come_back(parse_qs(urlsplit(url).query))
        if visit is None or visit.ended:
            return None if visit is None else visit.sign_in
        agreed = await self.sign_ins.agree(visit.ticket)
        assert agreed is not None
        return agreed.sign_in

    async def events(self) -> list[Event]:
        return await self.store.journal(0)

    async def token(self, id: str = "acme", refused: Secret | None = None) -> str:
        found = await self.accounts.access_token(id, refused)
        assert isinstance(found, Secret), found
        return found.value

    async def _lost(self, id: str, reason: Reason) -> None:
        self.lost.append((id, reason))
        self._write()

    async def _gained(self, id: str) -> None:
        self.gained.append(id)
        self._write()

    def _write(self) -> None:
        if self.broken:
            raise StoreFull("no space left")

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.later(seconds)
        await asyncio.sleep(0)


_numbers = itertools.count()


@asynccontextmanager
async def house(tmp_path: Path, *, store: Store | None = None, **server: object) -> AsyncIterator[House]:
    ca_file = str(_AUTHORITY.write(tmp_path / "provider-ca.pem"))
    resolver = Resolver(["127.0.0.1:9"])
    async with TokenServer(**{"certificate": _CERTIFICATE, **server}) as provider:  # type: ignore[arg-type]
        https = Https(resolver=resolver, guard=None, contexts=Contexts(ca_file), deadline=2.0)
        yield House(
            provider=provider,
            store=store or MemoryStore(clock=lambda: NOW),
            asks=Providers(https),
            settings=settings(microsoft=provider.config()),
            master=MasterKey(b"m" * 32, stand_in=b"s" * 32),
            senders={"acme": sender()},
        )
    await resolver.close()


def settings(**providers: Mapping[str, str]) -> OAuthSettings:
    return OAuthSettings.model_validate(providers)


__all__ = ["ACCOUNT", "BACK", "NOW", "House", "house", "sender", "settings"]
