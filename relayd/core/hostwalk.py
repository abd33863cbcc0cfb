"""Which server to try next, and when to stop: the brain of one attempt. Pure.

Ask `next()` what to do, do it, tell what came of it, until it says Conclude. Recipients are numbers here.
The rules that hold whatever the servers do: a recipient whose final dot was sent is never tried elsewhere;
what concerns the recipient, the message or the hop is never asked of a second server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relayd.core.delivery import Tls
from relayd.core.dialogue import Protection
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage
from relayd.core.verdict import Fate, Role, Scope, Verdict, classify

HOST_LIMIT = 5
SESSION_LIMIT = 2
"""Servers that greeted us, in one attempt (Postfix: smtp_mx_session_limit). If two of them can't, the third
rarely can, and the next attempt is not far."""
CONNECT_LIMIT = 10
"""Addresses tried in one attempt, so that a list of dead ones can't hold a delivery for an hour."""

_BEFORE_GREETING = (Stage.DNS, Stage.CONNECT, Stage.TLS)
_CLEAR_NOTE = "sent in clear after a failed handshake"


@dataclass(frozen=True, slots=True)
class Find:
    """Find the hosts of the hop; tell `found`."""


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look up a host's addresses; tell `resolved`."""

    host: str


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect and hand over what is open; tell `avoided`, `is_us`, `failed` or `answered`."""

    host: str
    ip: str
    protection: Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What decided about one recipient, and where."""

    evidence: Evidence
    verdict: Verdict
    host: str | None = None
    ip: str | None = None
    tls: Tls | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclude:
    trials: Mapping[int, Trial]


class HostWalk:
    """One attempt's way through the hosts of a hop."""

    def __init__(self, *, recipients: Sequence[int], role: Role, protection: Protection) -> None:
        self._role = role
        self._protection = protection
        self._open: dict[int, Trial | None] = dict.fromkeys(recipients)
        self._decided: dict[int, Trial] = {}
        self._hosts: list[Mx] | None = None
        self._addresses: list[str] | None = None  # of the first host; None: not looked up
        self._clear: str | None = None  # why the handshake with the first address failed
        self._tried: set[str] = set()
        self._sessions = 0
        self._connects = 0

    @property
    def open(self) -> tuple[int, ...]:
        """Recipients nothing is decided about, in order."""
        return tuple(self._open)

    def next(self) -> Find | Resolve | Connect | Conclude:
        if not self._open:
            return Conclude(self._decided)
        if self._hosts is None:
            return Find()
        while self._hosts and self._sessions < SESSION_LIMIT and self._connects < CONNECT_LIMIT:
            host = self._hosts[0].host
            if self._addresses is None:
                return Resolve(host)
            while self._addresses:
                if self._clear is not None:
                    return Connect(host, self._addresses[0], Protection.CLEAR)
                if self._addresses[0] not in self._tried:
                    return Connect(host, self._addresses[0], self._protection)
                self._addresses.pop(0)
            self._next_host()
        return Conclude({**self._decided, **self._best()})

    def found(self, hosts: Sequence[Mx] | Evidence) -> None:
        if isinstance(hosts, Fault | Reply):
            self._hosts = []
            self._decide_all(hosts)
        else:
            self._hosts = list(hosts[:HOST_LIMIT])

    def resolved(self, answer: Found[str] | Missing | Trouble) -> None:
        host = self._host()
        if isinstance(answer, Found):
            self._addresses = list(answer.records)
            return
        if isinstance(answer, Trouble):
            kind, text = FaultKind.DNS, answer.text
        else:
            kind, text = FaultKind.NO_DOMAIN, f"{host} has no address"
        self._note(Fault(kind=kind, text=text, stage=Stage.DNS, host=host))
        self._next_host()

    def avoided(self, fault: Fault) -> None:
        """The address must not be connected to."""
        self._note(fault, ip=self._address())
        self._done_with_address()

    def is_us(self) -> None:
        """The address is our own: this host and all that are not better are left out."""
        host, ip = self._host(), self._address()
        self._hosts = []  # they are in order: none that is left is better
        self._addresses = None
        text = f"{host} [{ip}] is this relay itself"
        self._note(Fault(kind=FaultKind.LOOP, text=text, stage=Stage.CONNECT, host=host), ip=ip)

    def failed(self, evidence: Evidence, tls: Tls | None = None) -> None:
        """No session came of it. A failed handshake where TLS is only welcome is tried once more in
        clear."""
        ip = self._address()
        self._connects += 1
        if evidence.stage is Stage.TLS and self._protection is Protection.OFFERED and self._clear is None:
            self._clear = evidence.text
            self._note(evidence, ip=ip)
            return
        self._sessions += evidence.stage not in _BEFORE_GREETING
        self._note(evidence, ip=ip, tls=tls)
        self._done_with_address()

    def answered(
        self,
        evidence: Mapping[int, Evidence],
        *,
        host: str,
        ip: str,
        tls: Tls | None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """A transaction ended, in the session asked for or in one kept from before. Each recipient that
        was open has its evidence."""
        self._sessions += 1
        if self._clear is not None:
            notes = (*notes, f"{_CLEAR_NOTE}: {self._clear}")
        for recipient in list(self._open):
            self._weigh(recipient, evidence[recipient], host=host, ip=ip, tls=tls, notes=notes)
        self._tried.add(ip)
        if self._addresses and self._addresses[0] == ip:
            self._done_with_address()

    def _host(self) -> str:
        assert self._hosts
        return self._hosts[0].host

    def _address(self) -> str:
        assert self._addresses
        return self._addresses[0]

    def _done_with_address(self) -> None:
        assert self._addresses
        self._tried.add(self._addresses.pop(0))
        self._clear = None

    def _next_host(self) -> None:
        assert self._hosts
        self._hosts.pop(0)
        self._addresses = None
        self._clear = None

    def _note(self, evidence: Evidence, *, ip: str | None = None, tls: Tls | None = None) -> None:
        """What concerns this host, or the way to it, is remembered for all; what concerns more, decides."""
        for recipient in list(self._open):
            self._weigh(recipient, evidence, host=evidence.host if ip else None, ip=ip, tls=tls, notes=())

    def _decide_all(self, evidence: Evidence) -> None:
        for recipient in list(self._open):
            verdict = classify(evidence, self._role)
            self._decided[recipient] = Trial(evidence=evidence, verdict=verdict)
            del self._open[recipient]

    def _weigh(
        self,
        recipient: int,
        evidence: Evidence,
        *,
        host: str | None,
        ip: str | None,
        tls: Tls | None,
        notes: tuple[str, ...],
    ) -> None:
        verdict = classify(evidence, self._role)
        trial = Trial(evidence=evidence, verdict=verdict, host=host, ip=ip, tls=tls, notes=notes)
        if evidence.stage is Stage.END or not _worth_another_server(evidence, verdict):
            self._decided[recipient] = trial
            del self._open[recipient]
            return
        known = self._open[recipient]
        if known is None or _weight(trial) > _weight(known):
            self._open[recipient] = trial

    def _best(self) -> dict[int, Trial]:
        found = {recipient: trial for recipient, trial in self._open.items() if trial is not None}
        for recipient in self._open:
            if recipient not in found:
                fault = Fault(kind=FaultKind.INTERNAL, text="no server was tried", stage=Stage.DNS, host="")
                found[recipient] = Trial(evidence=fault, verdict=classify(fault, self._role))
        return found


def _worth_another_server(evidence: Evidence, verdict: Verdict) -> bool:
    """What happened on the way to one address says nothing about the next one, whatever it means alone; and
    before MAIL the server can't have meant the message. A login is shown to one server in an attempt: the
    account may have counted it, whatever became of it."""
    if evidence.stage is Stage.AUTH:
        return False
    if evidence.stage in _BEFORE_GREETING or verdict.scope is Scope.HOST:
        return True
    return evidence.stage in (Stage.BANNER, Stage.EHLO) and verdict.scope is not Scope.HOP


_FAULTS = (FaultKind.NO_DOMAIN, FaultKind.FORBIDDEN, FaultKind.LOOP, FaultKind.UNREACHABLE, FaultKind.DNS)


def _weight(trial: Trial) -> tuple[bool, int]:
    """What to report when no host would do: nothing final as long as something passing was seen; then an
    answer before silence, and silence before what we found out ourselves."""
    passing, evidence = trial.verdict.fate is Fate.DEFERRED, trial.evidence
    if isinstance(evidence, Reply):
        return passing, len(_FAULTS) + 2
    if evidence.stage not in _BEFORE_GREETING:
        return passing, len(_FAULTS) + 1
    return passing, _FAULTS.index(evidence.kind) if evidence.kind in _FAULTS else len(_FAULTS)
