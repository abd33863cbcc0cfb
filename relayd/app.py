"""Composition root: settings in, running daemon out. Only this file and `parts` name concrete classes."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import os
import random
import signal
import ssl
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvloop
from starlette.applications import Starlette

from relayd import __version__, logs
from relayd.accounts import Accounts
from relayd.config import ConfigErrors, read
from relayd.core import phrases
from relayd.core.address import Address
from relayd.core.discovery import Discovery
from relayd.core.event import Event
from relayd.core.hops import Hops
from relayd.core.mail import Hop
from relayd.core.reasons import Reason
from relayd.core.settings import Settings
from relayd.couriers.handover import UPLOADS
from relayd.couriers.nobody import Nobody
from relayd.customers import Customers
from relayd.dispatch import Dispatcher
from relayd.domaincare import DomainCare
from relayd.identity.confirm import Confirmations
from relayd.identity.credentials import Credentials
from relayd.identity.returnpaths import return_path_problem
from relayd.identity.senders import LOCAL_PARTS, SendersError
from relayd.intake.accept import Acceptor
from relayd.intake.logins import Logins
from relayd.intake.server import Server, listeners
from relayd.net import systemd
from relayd.parts import Parts, now
from relayd.report.statuslog import StatusLog
from relayd.signer import Signer
from relayd.signing_process import Process
from relayd.store.contract import Selection, Store, StoreError, Verb
from relayd.store.sqlite import SqliteStore
from relayd.upkeep import Upkeep
from relayd.vault import Vault, VaultError
from relayd.web.api import Service
from relayd.web.doors import Doors

log = logging.getLogger("relayd")

EX_SOFTWARE, EX_TEMPFAIL, EX_CONFIG = 70, 75, 78  # sysexits.h

INTAKE_DRAIN = 20.0
"""Seconds for clients to finish the message they are sending."""

DELIVERY_DRAIN = 50.0
"""Seconds for servers to answer our final dot; with the above, less than the unit's TimeoutStopSec."""

CHECK_AGAIN = 900.0
"""Seconds between two looks at what DNS says about ourselves: a changed record is used soon, and asking costs
a handful of questions."""

NEED_RESTART = ("state_dir", "master_key_file", "listen", "status_log", "hostname")
"""What can't change while running: open sockets and files, and our name in answers under way."""


def run(settings: Settings, config_path: Path, process: Process | None = None) -> int:
    """Run the daemon until SIGTERM; `process` signs, where there is one. Returns the exit code (sysexits)."""
    logs.set_up(**settings.log.model_dump())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(settings, config_path, Signer(process)))


async def _run(settings: Settings, config_path: Path, signer: Signer) -> int:
    try:
        store = await _open(Path(settings.state_dir))
    except (StoreError, OSError) as error:
        log.critical("%s", error)
        return EX_TEMPFAIL
    try:
        await signer.start()
        vault = Vault.open(
            settings, Path(settings.state_dir), empty_store=await _never_used(store), signer=signer
        )
        daemon = Daemon(settings, config_path, store, vault)
        await daemon.start()
    except (VaultError, SendersError, ssl.SSLError) as error:
        log.critical("%s", error)
        return await _closed(store, EX_CONFIG)
    except OSError as error:  # an address in use, a file that can't be read
        log.critical("can't start: %s", error)
        return await _closed(store, EX_TEMPFAIL)
    try:
        return await daemon.run()
    finally:
        await store.close()


async def _open(state_dir: Path) -> Store:
    await asyncio.to_thread(state_dir.mkdir, mode=0o700, parents=True, exist_ok=True)
    return await SqliteStore.open(state_dir)


async def _closed(store: Store, code: int) -> int:
    await store.close()
    return code


async def _never_used(store: Store) -> bool:
    """Nothing ever happened here. A first start that failed half-way may make its keys in the second."""
    return not await store.journal(0, 1) and not await store.recall(LOCAL_PARTS)


def _calm_the_collector() -> None:
    """Let the garbage collector look at what comes, and seldom. A message is dozens of values without
    cycles, freed when it is done; with the defaults (700, 10, 10) a fifth of the processor time under load
    went into looking at modules and at messages still on their way."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class Daemon:
    """The running service; to the API it is `Control`."""

    def __init__(self, settings: Settings, config_path: Path, store: Store, vault: Vault) -> None:
        self.store = store
        self.vault = vault
        self._config_path = config_path
        self._started_at = now()
        self._notes: tuple[str, ...] = ()  # what DNS says about us
        self._stopping = asyncio.Event()
        self.uploads = asyncio.Semaphore(UPLOADS)
        self._exit_code = 0
        self._running: list[asyncio.Task[None]] = []
        self._reloading = asyncio.Lock()
        self.credentials = Credentials(
            store=store,
            upstream=lambda hop: self.customers.accounts.login(hop),
            fingerprint=vault.fingerprint,
            matches=vault.matches,
        )
        self.customers = Customers(
            store=store,
            vault=vault,
            credentials=self.credentials,
            hops=lambda: self.hops,
            parts=lambda: self.parts,
            start=self._start,
            clock=now,
        )
        self.care = DomainCare(
            store=store,
            ring=vault.ring,
            platform=settings.platform.domain,
            parts=lambda: self.parts,
            plan=lambda sender: self.customers.outlook(sender).plan,
            clock=now,
        )
        self._settings = settings
        self._domain_tasks: list[asyncio.Task[None]] = []
        self._systemd = systemd.Notifier(os.environ)
        self._sockets = systemd.listen_fds(os.environ)

    async def start(self) -> None:
        """Open everything, and begin. Raises OSError or ssl.SSLError for what can't be had, SendersError."""
        await self._build(self._settings)
        await self.customers.accounts.oauth.load()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._start(self._hang_up()))
        self._doors = Doors(self, self._public, self._settings.http, self._sockets)
        await self.care.load()
        await self.customers.resume()
        self._warn()
        await self.server.start()
        self._doors.start()
        for work in (*self.customers.work(), *self.care.work()):
            self._start(work)
        for work in (self.dispatcher.run(), self.status_log.run(), self.upkeep.run(), self._watchdog()):
            self._start(work)
        self._start(self.customers.accounts.oauth.run())
        self._watch_domains()
        self._systemd.ready(self._whose_mail)
        log.info("relayd %s is ready for the %s", __version__, self._whose_mail)
        _calm_the_collector()

    async def run(self) -> int:
        """Until SIGTERM; then what is under way ends in order. Returns the exit code."""
        await self._stopping.wait()
        await self._close()
        return self._exit_code

    async def _build(self, settings: Settings) -> None:
        async with self.customers.book.changing:
            self.parts = parts = await self._parts(settings)
            self.customers.book.open(parts.shelf)
        limits = settings.delivery
        self.hops = Hops(total=limits.parallel, per_hop=limits.parallel_per_hop)
        self.dispatcher = Dispatcher(
            store=self.store,
            couriers=parts.couriers,
            testing=Nobody(clock=now),
            hops=self.hops,
            dresser=parts.dresser,
            sender=lambda id: self.parts.sender(id),
            credentials=self.credentials,
            rules=parts.rules,
            clock=now,
            monotonic=time.monotonic,
            dice=random.random,
        )
        self.acceptor = Acceptor(
            store=self.store,
            senders=parts.senders,
            dresser=parts.dresser,
            recipients=parts.recipients,
            sentence=_sentence,
            answer_within=limits.answer_within,
            clock=now,
            entropy=random.randbytes,  # ids have to differ; os.urandom gives the lock away
        )
        self.server = Server(
            listeners=listeners(settings, self._sockets.get("smtp", ())),
            settings=settings,
            acceptor=self.acceptor,
            logins=Logins(settings.logins),
        )
        for at_once in (self.vault.sign_at_once, self.store.write_at_once):
            at_once(lambda: len(self.server.gate) <= 1)
        self.status_log = StatusLog(store=self.store, path=Path(settings.status_log))
        self.upkeep = Upkeep(
            store=self.store,
            hops=self.hops,
            settings=lambda: self.parts.settings,
            refused=lambda: self.credentials.refused,
            clock=now,
            monotonic=time.monotonic,
        )

    def _public(self) -> Starlette:
        """The pages for people."""
        from relayd.web import consent  # here, because jinja2 is 3 MiB that most installations need not have
        from relayd.web.page import Pages
        from relayd.web.pages import create_public

        pages = Pages(lambda: self.parts.settings.platform.name)
        return create_public(
            self.confirmations,
            pages=pages,
            routes=consent.routes(self.customers.accounts.sign_ins, pages),
            fingerprint=self.vault.fingerprint,
            secure=lambda: (self.parts.settings.http.public_url or "").startswith("https:"),
        )

    async def _parts(self, settings: Settings) -> Parts:
        return Parts(
            settings,
            await self.customers.book.read(settings),
            store=self.store,
            vault=self.vault,
            login_refused=self.customers.accounts.login_refused,
            tokens=self.customers.accounts.oauth,
            uploads=self.uploads,
        )

    async def _close(self) -> None:
        self._systemd.stopping()
        log.info("stopping: clients and deliveries under way may end")
        await self.server.drain(INTAKE_DRAIN)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        left = await self.dispatcher.drain(DELIVERY_DRAIN)
        if left:
            log.warning("%d deliveries did not end in time; they go on after the next start", left)
        await self.customers.accounts.close()
        for courier in self.parts.couriers.values():
            await courier.close()
        await self.parts.domains.close()
        await self.status_log.close()
        await self._doors.stop()
        self.vault.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._running.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Nothing that runs in the background may end by an error and leave a daemon that looks alive."""
        self._running.remove(task)
        if not task.cancelled() and task.exception() is not None:
            log.critical("a fault of ours, stopping", exc_info=task.exception())
            self._exit_code = EX_SOFTWARE  # so that systemd starts us again
            self._stopping.set()

    async def _watchdog(self) -> None:
        """Tell systemd that we are alive while the store answers and dispatch makes its rounds."""
        limit = self._systemd.watchdog
        if limit is None:
            return
        while True:
            rounds = self.dispatcher.rounds
            await asyncio.sleep(limit / 3)
            try:
                await self.store.remember("service", "alive", {"at": now().isoformat()})
            except StoreError as error:
                # Restarting mends no disk; who can't write answers 4xx and says so.
                log.error("the store takes nothing: %s", error)
            if self.dispatcher.rounds != rounds:
                self._systemd.alive()

    # What the API asks

    def service(self) -> Service:
        blocked = self.hops.port_blocked
        notes = [*self.vault.warnings, *self.customers.notes, *self._notes]
        if blocked:
            notes.append(phrases.remedy(Reason.NETWORK_PORT_BLOCKED, "en"))
        if (record := self.parts.domains.missing_key) is not None:
            notes.append(
                f"our key is not seen at {record}: mail on default addresses waits or leaves unproven, as "
                "platform.if_unproven says; publish the record that `relayd dkim new` prints"
            )
        return Service(
            version=__version__,
            hostname=self.parts.settings.hostname,
            started_at=self._started_at,
            healthy=not blocked and not self.dispatcher.stuck,
            notes=notes,
            paused=dict.fromkeys(self.hops.paused, "resting after failures; it is tried again by itself"),
            refused_logins={
                Hop.from_key(key).name or "smarthost": why.value
                for key, why in self.credentials.refused.items()
            },
        )

    @property
    def probes(self) -> Customers:
        return self.customers

    @property
    def confirmations(self) -> Confirmations:
        return self.customers.confirmations

    @property
    def accounts(self) -> Accounts:
        return self.customers.accounts

    def language(self, sender: str | None) -> str:
        """The language that this sender reads; English for one that isn't there any more."""
        known = self.parts.senders.get(sender) if sender is not None else None
        return known.language if known is not None else "en"

    async def act(self, verb: Verb, selection: Selection) -> int:
        """As `Store.act`; a released sender (or smarthost hop) may log in again."""
        if verb is Verb.RELEASE:
            await self._let_log_in(selection)
        return await self.store.act(verb, selection, now())

    async def discover(self, address: Address, *, host: str | None, look: bool) -> Discovery:
        return await self.parts.discoverer.discover(address, host=host, look=look)

    async def _let_log_in(self, selection: Selection) -> None:
        for key in list(self.credentials.refused):
            hop = Hop.from_key(key)
            if key == selection.hop or (selection.sender is not None and hop.name == selection.sender):
                await self.customers.let_log_in(hop)

    async def reload(self) -> Sequence[str]:
        """Read the config again, all or nothing. Returns what is wrong with it; empty when it took effect."""
        async with self._reloading:
            old = self.parts
            try:
                config = await asyncio.to_thread(read, self._config_path)
                settings = config.settings
                problems = _frozen(self.parts.settings, settings)
                if problems:
                    return problems
                await asyncio.to_thread(self.vault.look_again)
                async with self.customers.book.changing:
                    parts = await self._parts(settings)
                    self.customers.book.open(parts.shelf)
                    self._take_over(parts)
            except ConfigErrors as wrong:
                return [str(error) for error in wrong.errors]
            except (SendersError, StoreError, OSError) as error:
                return [str(error)]
            await self._after_reload(old)
            return []

    def _take_over(self, parts: Parts) -> None:
        self.parts = parts
        limits = parts.settings.delivery
        self.hops.resize(total=limits.parallel, per_hop=limits.parallel_per_hop)
        self.hops.reopen(math.inf)  # a person changed something: no hop rests any longer
        self.dispatcher.couriers = parts.couriers
        self.dispatcher.dresser = parts.dresser
        self.dispatcher.rules = parts.rules
        self.acceptor.senders = parts.senders
        self.acceptor.dresser = parts.dresser
        self.acceptor.recipients = parts.recipients
        self.acceptor.answer_within = limits.answer_within
        self._doors.take(parts.settings.http.tokens)
        self.server.reconfigure(parts.settings, Logins(parts.settings.logins))
        self._watch_domains()

    async def _after_reload(self, old: Parts) -> None:
        try:
            await self.customers.resume(old)
        except StoreError as error:
            log.error("held mail that the new settings let go is still held, reload again: %s", error)
        self._warn()
        for courier in old.couriers.values():
            await courier.close()
        await old.domains.close()

    def _warn(self) -> None:
        """Say loudly what the operator should mend; `relayd status` says it as long as it lasts."""
        for note in (*self.vault.warnings, *self.customers.notes):
            log.error("%s", note)

    async def _hang_up(self) -> None:
        self._systemd.reloading()
        self.status_log.reopen()
        problems = await self.reload()
        for problem in problems:
            log.error("config not taken, the old one stays: %s", problem)
        if not problems:
            log.info("config read again; %d senders", len(self.parts.senders))
        self._systemd.ready(self._whose_mail)

    @property
    def _whose_mail(self) -> str:
        count = len(self.parts.senders)
        return f"mail of {count} sender{'' if count == 1 else 's'}"

    def _watch_domains(self) -> None:
        """Look at the proofs that the settings now want, and no longer at others."""
        for task in self._domain_tasks:
            task.cancel()
        self._domain_tasks = [self._start(self.parts.domains.watch()), self._start(self._check_dns())]

    async def _check_dns(self) -> None:
        """What DNS says about us, now and then: the way back for bounces, and whether we may use IPv6. What
        we send from follows from it."""
        parts, platform = self.parts, self.parts.settings.platform
        while True:
            problem = await return_path_problem(parts.resolver, platform.return_path or platform.domain)
            notes = [problem, await parts.choose_families(), parts.egress_note]
            found = tuple(note for note in notes if note is not None)
            for note in found:
                if note not in self._notes:
                    log.warning("%s", note)
            self._notes = found
            await asyncio.sleep(CHECK_AGAIN)


def _frozen(old: Settings, new: Settings) -> list[str]:
    """What can't change without a restart and did."""
    changed = [name for name in NEED_RESTART if getattr(old, name) != getattr(new, name)]
    if old.platform.dkim != new.platform.dkim:
        changed.append("platform.dkim")
    sockets = ("socket", "listen", "public_listen")
    changed += [f"http.{name}" for name in sockets if getattr(old.http, name) != getattr(new.http, name)]
    return [f"{name} changed, which takes effect with a restart only" for name in changed]


def _sentence(event: Event) -> str:
    return phrases.smtp_sentence(event.reason or Reason.UNKNOWN)
