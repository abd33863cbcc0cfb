"""A world for couriers: a zone, receiving servers on loopback, parcels, and couriers with short deadlines."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import uvloop

from relayd.core.address import Address
from relayd.core.mail import (
    Dressing,
    Hop,
    Message,
    Parcel,
    Progress,
    Proof,
    Recipient,
    Route,
    Rung,
    Submission,
)
from relayd.core.sender import Upstream
from relayd.couriers.direct import DirectCourier
from relayd.couriers.handover import UPLOADS, Handover
from relayd.couriers.pool import Pool
from relayd.couriers.upstream import UpstreamCourier
from relayd.net.dns import Resolver
from relayd.net.egress import Guard, Ourselves
from relayd.net.smtp import Deadlines
from relayd.net.tls import Contexts
from relayd.sandbox.certificates import Authority
from relayd.sandbox.zone import NameServer, Zone

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATIENT = 20.0
"""Seconds where nothing is expected to take long: on a busy machine a deadline must not strike by itself."""

ZONE = """
customer.example        MX   10 mx.customer.example
mx.customer.example     A    127.0.0.1
smtp.acme.example       A    127.0.0.1
"""

Body = Callable[[], AsyncIterator[bytes]]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Faults are met on both event loops: the daemon runs on uvloop where that is installed, and its
    transports end in other ways."""
    both = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return both if "fault_matrix" in item.nodeid else {"asyncio": asyncio.new_event_loop}


def address(text: str) -> Address:
    local, _, domain = text.rpartition("@")
    return Address(local, domain)


@dataclass(kw_only=True)
class Letter:
    """A parcel and its body."""

    parcel: Parcel
    chunks: Sequence[bytes]
    read: int = 0  # how often the body was asked for

    def body(self) -> AsyncIterator[bytes]:
        async def chunks() -> AsyncIterator[bytes]:
            for chunk in self.chunks:
                yield chunk

        self.read += 1
        return chunks()

    @property
    def content(self) -> bytes:
        return self.parcel.message.dressing.header + b"\r\n" + b"".join(self.chunks)


HEADER = b"""From: billing@acme.example\r
Date: Fri, 02 Jan 2026 03:04:05 +0000\r
Message-ID: <4711@my.platform.example>\r
Subject: Invoice 4711\r
"""


def letter(
    *recipients: str,
    hop: Hop | None = None,
    header: bytes = HEADER,
    body: bytes | Sequence[bytes] = b"Please pay.\r\n.\r\n..dots\r\n",
    return_path: str = "bounce@my.platform.example",
    eight_bit: bool = False,
    smtputf8: bool = False,
) -> Letter:
    recipients = recipients or ("bob@customer.example",)
    hop = hop or Hop(Route.DIRECT, recipients[0].rpartition("@")[2])
    chunks = [body] if isinstance(body, bytes) else list(body)
    whole = b"".join(chunks)
    submission = Submission(
        login=None,
        may_be=None,
        mail_from=address("billing@acme.example"),
        recipients=tuple(map(address, recipients)),
        header=header,
        body_size=len(whole),
        body_hash=hashlib.sha256(whole).digest(),
        eight_bit=eight_bit,
        smtputf8=smtputf8,
        received_at=NOW,
    )
    message = Message(
        id="A" * 26,
        sender="acme",
        ref=None,
        submission=submission,
        dressing=Dressing(
            rung=Rung.DEFAULT,
            proof=Proof.PLATFORM,
            reason=None,
            header_from=address("acme@my.platform.example"),
            header=header,
        ),
        recipients=tuple(
            Recipient(index=index, address=address(text), hop=hop, return_path=return_path)
            for index, text in enumerate(recipients)
        ),
    )
    parcel = Parcel(
        lease=1,
        message=message,
        hop=hop,
        recipients=message.recipients,
        progress={
            recipient.index: Progress(attempts=0, waited=0.0, uncertain=0, warned=False)
            for recipient in message.recipients
        },
        first=True,
    )
    return Letter(parcel=parcel, chunks=chunks)


@dataclass(kw_only=True)
class World:
    """Makes couriers and closes what they hold."""

    names: NameServer
    authority: Authority
    contexts: Contexts
    closing: list[Any] = field(default_factory=list)

    @property
    def zone(self) -> Zone:
        return self.names.zone

    def resolver(self) -> Resolver:
        resolver = Resolver([self.names.address])
        self.closing.append(resolver)
        return resolver

    def handover(
        self,
        *,
        deadlines: Deadlines | None = None,
        ourselves: Ourselves | None = None,
        pool: Pool | None = None,
        uploads: int = UPLOADS,
    ) -> Handover:
        handover = Handover(
            hostname="relay.my.platform.example",
            contexts=self.contexts,
            deadlines=deadlines or patient(),
            ourselves=ourselves,
            pool=pool,
            uploads=asyncio.Semaphore(uploads),
            clock=lambda: NOW,
        )
        self.closing.append(handover)
        return handover

    def direct(self, port: int, **options: Any) -> DirectCourier:
        handover = options.pop("handover", None) or self.handover(
            **{key: options.pop(key) for key in ("deadlines", "ourselves", "pool") if key in options}
        )
        options = {"families": ("ipv4",), "dice": lambda: 0.0, "guard": Guard(["127.0.0.0/8"]), **options}
        return DirectCourier(resolver=self.resolver(), handover=handover, port=port, **options)

    def upstream(self, upstream: Upstream | None, **options: Any) -> UpstreamCourier:
        handover = options.pop("handover", None) or self.handover(
            **{key: options.pop(key) for key in ("deadlines", "ourselves", "pool") if key in options}
        )
        options = {
            "families": ("ipv4",),
            "guard": Guard(["127.0.0.0/8"]),
            "find": lambda hop: upstream,
            **options,
        }
        return UpstreamCourier(resolver=self.resolver(), handover=handover, **options)


def patient(**changes: float) -> Deadlines:
    """Every deadline far off, but for those given."""
    stages = ("connect", "banner", "ehlo", "tls", "auth", "mail", "rcpt", "data", "progress", "end")
    return Deadlines(**{**dict.fromkeys(stages, PATIENT), **changes})


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="session")
def contexts(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(str(authority.write(tmp_path_factory.mktemp("authority") / "ca.pem")))


@pytest.fixture
async def world(authority: Authority, contexts: Contexts) -> AsyncIterator[World]:
    async with NameServer(Zone(ZONE)) as names:
        world = World(names=names, authority=authority, contexts=contexts)
        yield world
        for thing in world.closing:
            await thing.close()
