"""A real server on loopback: real vault, dresser, senders and store in memory; DNS alone is scripted."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop

from relayd.core.address import Address, parse
from relayd.core.journal import Event
from relayd.core.mail import IfUnproven, Message, Proof, Rung
from relayd.core.policy import Claim
from relayd.core.reasons import Reason
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.sender import Sender, Senders
from relayd.core.settings import Settings
from relayd.dressing import Dresser
from relayd.intake.accept import Acceptor
from relayd.intake.logins import Logins
from relayd.intake.recipients import Recipients
from relayd.intake.server import Listener, Server, listeners
from relayd.net.smtpd_terms import Deadlines
from relayd.store.contract import Selection
from relayd.store.memory import MemoryStore
from relayd.vault import Vault


class ScriptedResolver:
    """Answers as told; what nobody told is there and takes mail."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Found[Mx] | Missing | Trouble | asyncio.Event]] = {}
        self.asked: list[tuple[str, bool]] = []

    async def mx(self, domain: str, *, fresh: bool = False) -> Found[Mx] | Missing | Trouble:
        self.asked.append((domain, fresh))
        said = self.answers.get(domain)
        if not said:
            return Found(records=(Mx(10, f"mx.{domain}"),), ttl=60)
        one = said.pop(0) if len(said) > 1 else said[0]
        if isinstance(one, asyncio.Event):
            await one.wait()
            return Trouble(text="too late")
        return one


class EveryKeyPublished:
    def known(self, domain: str, claim: Claim) -> bool | None:
        return claim is Proof.DKIM

    async def proven(self, domain: str, claim: Claim) -> bool:
        return claim is Proof.DKIM

    def believed(self, domain: str, claim: Claim) -> bool:
        return claim is Proof.DKIM

    def selector(self, domain: str) -> str:
        return "r1"


class Client:
    """A client that says what a test wants it to say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes, *, bytewise: bool = False) -> None:
        for piece in [data[at : at + 1] for at in range(len(data))] if bytewise else [data]:
            self.writer.write(piece)
            await self.writer.drain()
            if bytewise:
                await asyncio.sleep(0)

    async def send_for_ever(self, data: bytes) -> None:
        """Until the server has had enough, which is a ConnectionError."""
        async with asyncio.timeout(20):
            while True:
                await self.send(data)

    async def line(self) -> str:
        """One reply line without CRLF; "" when the server has hung up."""
        async with asyncio.timeout(10):
            try:
                line = await self.reader.readline()
            except ConnectionResetError:
                return ""
        assert line == b"" or line.endswith(b"\r\n"), line
        return line.decode("ascii").removesuffix("\r\n")

    async def reply(self) -> str:
        """One whole reply; lines are joined by \\n."""
        lines = [await self.line()]
        while lines[-1][3:4] == "-":
            lines.append(await self.line())
        return "\n".join(lines)

    async def say(self, command: str | bytes) -> str:
        await self.send(command.encode() + b"\r\n" if isinstance(command, str) else command)
        return await self.reply()

    async def rest(self) -> list[str]:
        """All that comes until the server hangs up."""
        replies = []
        while reply := await self.reply():
            replies.append(reply)
        return replies

    async def hello(self, name: str = "EHLO") -> Client:
        assert (await self.reply()).startswith("220")
        assert (await self.say(f"{name} client.example")).startswith("250")
        return self

    async def begin(self, sender: str = "billing@acme.example", to: str = "a@b.example") -> None:
        """Up to and with 354."""
        assert (await self.say(f"MAIL FROM:<{sender}>")).startswith("250")
        assert (await self.say(f"RCPT TO:<{to}>")).startswith("250")
        assert (await self.say("DATA")).startswith("354")

    async def starttls(self, context: ssl.SSLContext) -> None:
        assert (await self.say("STARTTLS")).startswith("220")
        await self.writer.start_tls(context, server_hostname="localhost")

    async def turns(self, count: int = 8) -> None:
        """Let the server read what was sent."""
        for _ in range(count):
            await asyncio.sleep(0)


HEADER = b"From: billing@acme.example\r\nSubject: x\r\n\r\n"


@dataclass(kw_only=True)
class World:
    server: Server
    store: MemoryStore
    resolver: ScriptedResolver
    acceptor: Acceptor
    settings: Settings
    authority: trustme.CA
    clients: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self, which: int = 0, *, tls: bool = False) -> Client:
        name = self.server.sockets[which].getsockname()
        if isinstance(name, str):
            reader, writer = await asyncio.open_unix_connection(name)
        else:
            context = self.trusting() if tls else None
            reader, writer = await asyncio.open_connection(
                name[0], name[1], ssl=context, server_hostname="localhost" if tls else None
            )
            writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.clients.append(writer)
        return Client(reader, writer)

    async def early(self, data: bytes) -> Client:
        """A client that speaks first: what it says is there before we see it come."""
        sock = socket.create_connection(self.server.sockets[0].getsockname()[:2])
        sock.sendall(data)
        sock.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=sock)
        self.clients.append(writer)
        return Client(reader, writer)

    async def hello(self, which: int = 0, *, tls: bool = False) -> Client:
        return await (await self.connect(which, tls=tls)).hello()

    def trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    async def messages(self) -> list[Message]:
        """What was kept, oldest first."""
        records = await self.store.find(Selection(), limit=100_000)
        return [record.message for record in reversed(records)]

    async def body(self, message: Message) -> bytes:
        return b"".join([chunk async for chunk in self.store.content(message.id)])

    async def events(self) -> list[Event]:
        return await self.store.journal(0, 100_000)


def senders() -> Senders:
    def sender(id: str, **changes: Any) -> Sender:
        plain: dict[str, Any] = {
            "id": id,
            "name": id.upper(),
            "contact": parse(f"billing@{id}.example"),
            "confirmed": True,
            "default_address": Address(id, "my.platform.example"),
            "send_as": Rung.DEFAULT,
            "if_unproven": IfUnproven.DEFAULT,
            "language": "en",
            "test": False,
        }
        return Sender(**(plain | changes))

    return Senders([sender("acme"), sender("other"), sender("tester", test=True)], unknown=None)


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Path:
    """A state directory with keys and a certificate, made once."""
    folder = tmp_path_factory.mktemp("keys")
    Vault.open(_settings(folder), folder, empty_store=True)
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "tls.key")
    for pem in issued.cert_chain_pems:
        pem.write_to_path(folder / "tls.pem", append=True)
    return folder


def _settings(folder: Path, **changes: Any) -> Settings:
    plain: dict[str, Any] = {
        "hostname": "relay.example.net",
        "state_dir": str(folder),
        "platform": {
            "domain": "my.platform.example",
            "name": "Platform",
            "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
        },
        "listen": [{"address": "127.0.0.1", "port": 0}],
    }
    return Settings.model_validate(plain | changes)


@pytest.fixture(scope="session")
def vault(keys: Path) -> Vault:
    return Vault.open(_settings(keys), keys, empty_store=False)


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(keys: Path, vault: Vault, authority: trustme.CA) -> AsyncIterator[MakeWorld]:
    """Makes servers; keywords are keys of the config, `deadlines`, `store` and `dresser`."""
    made: list[World] = []

    async def make(
        deadlines: Deadlines | None = None,
        store: MemoryStore | None = None,
        dresser: Any = None,
        answer_within: float = 0.0,
        at: list[Listener] | None = None,
        **changes: Any,
    ) -> World:
        settings = _settings(keys, **changes)
        store = store or MemoryStore()
        resolver = ScriptedResolver()
        acceptor = Acceptor(
            store=store,
            senders=senders(),
            dresser=dresser
            or Dresser(vault=vault, settings=settings, domains=EveryKeyPublished(), login_refused={}),
            recipients=Recipients(resolver=resolver, platform_domain="my.platform.example", patience=0.2),
            sentence=_sentence,
            answer_within=timedelta(seconds=answer_within),
            clock=lambda: datetime.now(UTC),
            entropy=os.urandom,
        )
        server = Server(
            listeners=at or listeners(settings),
            settings=settings,
            acceptor=acceptor,
            logins=Logins(settings.logins),
            deadlines=deadlines,
        )
        await server.start()
        world = World(
            server=server,
            store=store,
            resolver=resolver,
            acceptor=acceptor,
            settings=settings,
            authority=authority,
        )
        made.append(world)
        return world

    yield make
    for world in made:
        for writer in world.clients:
            writer.close()
        await world.server.drain(0.05)


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    return await make_world()


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The daemon runs on uvloop where it is installed, on asyncio's own loop elsewhere: both are held. The
    many cases of attacks run on the first alone."""
    factories = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return {"uvloop": factories["uvloop"]} if "attacks" in item.path.name else factories


def _sentence(event: Event) -> str:
    return f"about {(event.reason or Reason.UNKNOWN).value}"


TLS = {"certificate": "tls.pem", "key": "tls.key"}
"""For `listen`: the certificate that the authority of the tests has issued."""

LOGIN = {"username": "app", "password": "canary-7c1f", "senders": "all"}
