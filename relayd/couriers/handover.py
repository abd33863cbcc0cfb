"""One attempt, driven: hostwalk says what is next, the network does it, each recipient gets its Attempt."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from relayd.core import dialogue
from relayd.core.delivery import Attempt
from relayd.core.dialogue import Protection
from relayd.core.hostwalk import Conclude, Connect, Find, HostWalk, Resolve, Trial
from relayd.core.mail import Parcel
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage
from relayd.core.retry import login_refused
from relayd.core.verdict import Role, classify
from relayd.couriers.pool import Pool
from relayd.net import smtp
from relayd.net.egress import Ourselves
from relayd.net.smtp import Bearer, Content, Deadlines, Failure, Login, Server, Session
from relayd.net.tls import Contexts
from relayd.store.contract import CHUNK, Body

log = logging.getLogger("relayd.couriers")

UPLOADS = 32
"""Large bodies on their way out at once. Each holds up to 2 MiB (a chunk of the store, and its copy with
the dots), so all of them stay within 64 MiB; and one hop, with 20 deliveries, can't take every place."""


class Turns:
    """Connections that log in with the same name and password are opened one at a time: a wrong password
    must reach the server once, not twenty times at once."""

    def __init__(self) -> None:
        self.refused: Failure | None = None
        self._lock = asyncio.Lock()
        self._failed = 0
        self._last: Failure | None = None

    async def take(self, connect: Callable[[], Awaitable[Session | Failure]]) -> Session | Failure:
        """Connect when it is our turn. A failure that came while we waited for it is ours too."""
        before = self._failed
        async with self._lock:
            if self.refused is not None:
                return self.refused
            if self._last is not None and self._failed != before:
                return self._last
            opened = await connect()
            if isinstance(opened, Failure):
                self._last, self._failed = opened, self._failed + 1
                if opened.evidence.stage is Stage.AUTH and _needs_a_person(opened.evidence):
                    self.refused = opened
            return opened


Opener = Callable[[Login | Bearer | None], Awaitable[Session | Failure]]
"""Opens a session with this login."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the servers of one hop are reached. Sessions with the same `key` are interchangeable."""

    key: Hashable
    role: Role
    port: int
    protection: Protection
    find: Callable[[], Awaitable[Sequence[Mx] | Evidence]]
    resolve: Callable[[str], Awaitable[Found[str] | Missing | Trouble]]
    refusal: Callable[[str, str], str | None]  # host and address; why it must not be connected to
    login: Login | None = None
    log_in: Callable[[Opener], Awaitable[Session | Failure]] | None = None  # what has to be fetched first
    turns: Turns | None = None  # with a login
    ca_file: str | None = None


class Handover:
    """What couriers share: connections, contexts, deadlines. `hostname` is our name for EHLO; `uploads` are
    the places for large bodies, shared by all couriers of a process."""

    def __init__(
        self,
        *,
        hostname: str,
        contexts: Contexts,
        ourselves: Ourselves | None = None,
        deadlines: Deadlines | None = None,
        pool: Pool | None = None,
        uploads: asyncio.Semaphore | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hostname = hostname
        self._contexts = contexts
        self._ourselves = ourselves or Ourselves()
        self._deadlines = deadlines or Deadlines()
        self.pool = pool or Pool()
        self._uploads = uploads or asyncio.Semaphore(UPLOADS)
        self._clock = clock
        self._monotonic = monotonic

    async def deliver(self, parcel: Parcel, body: Body, way: Way) -> list[Attempt]:
        """One attempt for each recipient. Raises only what reading the body raises."""
        started, began = self._clock(), self._monotonic()
        small = parcel.message.submission.body_size <= CHUNK
        content = Content(header=parcel.message.dressing.header, body=body, small=small)
        trials = await self._walk(parcel, content, way)
        seconds = self._monotonic() - began
        return [
            Attempt(
                recipient=recipient,
                evidence=trial.evidence,
                verdict=trial.verdict,
                host=trial.host,
                ip=trial.ip,
                tls=trial.tls,
                started_at=started,
                seconds=seconds,
                notes=trial.notes,
            )
            for recipient in parcel.recipients
            for trial in (trials[recipient.index],)
        ]

    async def _walk(self, parcel: Parcel, content: Content, way: Way) -> Mapping[int, Trial]:
        walk = HostWalk(
            recipients=[recipient.index for recipient in parcel.recipients],
            role=way.role,
            protection=way.protection,
        )
        kept = self.pool.take(way.key)
        if kept is not None:
            await self._hand_over(parcel, content, way, walk, kept, kept=True)
        while True:
            match walk.next():
                case Conclude(trials):
                    return trials
                case Find():
                    walk.found(await way.find())
                case Resolve(host):
                    walk.resolved(await way.resolve(host))
                case Connect() as step:
                    await self._connect(parcel, content, way, walk, step)

    async def _connect(
        self, parcel: Parcel, content: Content, way: Way, walk: HostWalk, step: Connect
    ) -> None:
        why = way.refusal(step.host, step.ip)
        if why is not None:
            walk.avoided(Fault(kind=FaultKind.FORBIDDEN, text=why, stage=Stage.CONNECT, host=step.host))
            return
        if self._ourselves.at(step.ip, way.port):
            walk.is_us()
            return

        def open_with(login: Login | Bearer | None) -> Awaitable[Session | Failure]:
            server = Server(
                host=step.host,
                ip=step.ip,
                port=way.port,
                protection=step.protection,
                login=login,
                ca_file=way.ca_file,
            )
            return smtp.connect(
                server, hostname=self._hostname, contexts=self._contexts, deadlines=self._deadlines
            )

        log_in = way.log_in
        connect = (
            functools.partial(open_with, way.login)
            if log_in is None
            else functools.partial(log_in, open_with)
        )
        opened = await (connect() if way.turns is None else way.turns.take(connect))
        if isinstance(opened, Failure):
            walk.failed(opened.evidence, opened.tls)
        else:
            await self._hand_over(parcel, content, way, walk, opened, kept=False)

    async def _hand_over(
        self, parcel: Parcel, content: Content, way: Way, walk: HostWalk, session: Session, *, kept: bool
    ) -> None:
        """One transaction for what is still open, and the session goes back where it came from."""
        message = parcel.message
        asked = [recipient for recipient in parcel.recipients if recipient.index in walk.open]
        evidence: dict[int, Evidence] = {}
        try:
            envelope = dialogue.envelope(
                return_path=asked[0].return_path,
                recipients=[str(recipient.address) for recipient in asked],
                size=message.size,
                eight_bit=message.submission.eight_bit,
                utf8_header=message.submission.smtputf8 and not message.dressing.header.isascii(),
                offers=session.offers,
                host=session.server.host,
            )
        except ValueError:
            log.exception("message %s: an address that can't be written", message.id)
            envelope = dialogue.nothing(len(asked), session.server.host)
        for position, fault in envelope.refused.items():
            evidence[asked[position].index] = fault
        if envelope.recipients:
            async with self._place(content):
                answers = await session.transact(envelope, content)
            if kept and all(map(_stale, answers)):
                session.close()
                return  # it had closed the idle connection; nothing was said about the message
            for position, answer in zip(envelope.recipients, answers, strict=True):
                evidence[asked[position].index] = answer
        self.pool.give(way.key, session)
        server = session.server
        walk.answered(evidence, host=server.host, ip=server.ip, tls=session.tls, notes=envelope.notes)

    def _place(self, content: Content) -> AbstractAsyncContextManager[None]:
        """Large bodies wait here, connected: a server that does not even answer takes nobody's place."""
        return nullcontext() if content.small else self._uploads

    async def close(self) -> None:
        self.pool.close()


def _needs_a_person(evidence: Evidence) -> bool:
    """A locked account, a quota, a block list pass by themselves, whatever the code says."""
    return isinstance(evidence, Reply) and login_refused(evidence, classify(evidence, Role.UPSTREAM))


def _stale(evidence: Evidence) -> bool:
    """The server went away before it heard of the message."""
    if evidence.stage is not Stage.MAIL:
        return False
    if isinstance(evidence, Reply):
        return evidence.code in (421, 530)  # 530: the login has run out, as with a token
    return evidence.kind is FaultKind.CLOSED
