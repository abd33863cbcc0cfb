"""Probing a customer's mail server: goes as far as a real message would, step by step, and says what it saw.

Each step is told as it happens. Credentials travel over verified TLS only, once; what is behind an answer is
decided in `core.probe`.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import NoReturn

from relayd.core import dialogue, probe
from relayd.core.delivery import TlsFlaw
from relayd.core.dialogue import Protection
from relayd.core.findings import Finding, Kind
from relayd.core.letters.probe_test import probe_test
from relayd.core.oauth import AccessTokens, stale_token
from relayd.core.probe import Judged, Known, Mark, Question, Reach, Step, StepName
from relayd.core.reasons import Reason
from relayd.core.records import mx
from relayd.core.records.answers import Found, Missing
from relayd.core.reply import Evidence, Fault, FaultKind, Reply, Stage
from relayd.core.sender import Tls
from relayd.identity.derived import Derived, derive
from relayd.identity.lookout import Lookout
from relayd.net import egress, smtp
from relayd.net.dns import Resolver
from relayd.net.egress import Guard, Ourselves
from relayd.net.smtp import Bearer, Content, Deadlines, Failure, Login, Server, Session
from relayd.net.tls import Contexts

Tell = Callable[[Step], None]
Connect = Callable[[], Awaitable[Session | Failure]]
Turn = Callable[[Connect], Awaitable[Session | Failure]]
"""Logs in when it is our turn: the courier may be at the same server with the same password just now."""

DEADLINES = Deadlines(
    connect=8.0, banner=15.0, ehlo=15.0, tls=15.0, auth=30.0, mail=20.0, rcpt=20.0, data=20.0, end=60.0
)
"""Seconds; shorter than for mail, because a person waits. Servers that let clients wait to see whether they
talk too early (Postfix's postscreen, 6 s) still come in time."""

ADDRESSES = 3
"""Of one server that are tried."""

_STEPS = {
    Stage.DNS: StepName.DNS,
    Stage.CONNECT: StepName.TCP,
    Stage.BANNER: StepName.GREETING,
    Stage.EHLO: StepName.EHLO,
    Stage.TLS: StepName.TLS,
    Stage.AUTH: StepName.AUTH,
    Stage.MAIL: StepName.MAIL,
    Stage.RCPT: StepName.RCPT,
    Stage.DATA: StepName.SEND,
    Stage.BODY: StepName.SEND,
    Stage.END: StepName.SEND,
}

_PROTECTION = {
    Tls.NONE: Protection.CLEAR,
    Tls.STARTTLS: Protection.VERIFIED,
    Tls.IMPLICIT: Protection.IMPLICIT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`refusal` is to be remembered, with its `evidence`: nothing is tried there until the settings change.
    Neither `passed` nor a refusal: it could not be told. `proves`: the login shows who owns the address."""

    passed: bool
    finding: Finding | None = None  # what kept it from passing
    refusal: Reason | None = None
    evidence: Evidence | None = None
    proves: bool = False
    host: str = ""
    ip: str | None = None


class _Over(Exception):
    """The probe ends here."""

    def __init__(self, judged: Judged, evidence: Evidence | None) -> None:
        self.judged = judged
        self.evidence = evidence


class Prober:
    """Probes servers of customers. `platform` is the name that test mails speak of."""

    def __init__(
        self,
        *,
        resolver: Resolver,
        guard: Guard,
        ourselves: Ourselves,
        contexts: Contexts,
        hostname: str,
        platform: str,
        lookout: Lookout,
        families: Sequence[str] = ("ipv6", "ipv4"),
        tokens: AccessTokens | None = None,
        deadlines: Deadlines = DEADLINES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.resolver = resolver
        self.guard = guard
        self.ourselves = ourselves
        self.contexts = contexts
        self.hostname = hostname
        self.platform = platform
        self.lookout = lookout
        self.families = tuple(families)
        self.tokens = tokens
        self.deadlines = deadlines
        self.clock = clock
        self.monotonic = monotonic

    async def probe(self, question: Question, known: Known, tell: Tell, turn: Turn | None = None) -> Outcome:
        """Never raises for what DNS, the network or the server does. `known` is what the caller knows beside
        the settings; the rest is found out here."""
        return await _Probe(self, question, known, tell, turn).run()


class _Probe:
    """One probe under way."""

    def __init__(
        self, prober: Prober, question: Question, known: Known, tell: Tell, turn: Turn | None
    ) -> None:
        self._prober = prober
        self._question = question
        self._upstream = question.upstream
        self._host = question.upstream.host.rstrip(".").lower()
        self._known = known
        self._tell_caller = tell
        self._turn = turn
        self._since = prober.monotonic()
        self._ip: str | None = None
        self._warned = False

    async def run(self) -> Outcome:
        session: Session | None = None
        try:
            await self._look_at_settings()
            session = await self._open(await self._addresses())
            await self._converse(session)
            return Outcome(
                passed=True,
                proves=self._upstream.username is not None and probe.proves(self._question, self._known),
                host=self._host,
                ip=self._ip,
            )
        except _Over as over:
            return Outcome(
                passed=False,
                finding=over.judged.finding,
                refusal=over.judged.refusal,
                evidence=over.evidence,
                host=self._host,
                ip=self._ip,
            )
        finally:
            if session is not None:
                session.close()

    # --- the steps ---

    async def _look_at_settings(self) -> None:
        """What the settings say by themselves, and what DNS says about the mailbox they are for."""
        found: Derived = await derive(self._prober.resolver, self._question.contact)
        self._known = replace(
            self._known,
            provider=found.provider_of(self._host),
            home=found.home,
            exchangers=frozenset(found.exchangers),
            derived=found.hosts,
        )
        findings = probe.of_settings(self._question, self._known)
        for finding in findings:
            self._tell(StepName.SETTINGS, Mark.WARNING, finding=finding)
        if not findings:
            name = self._upstream.username or "no login"
            self._tell(
                StepName.SETTINGS,
                Mark.OK,
                f"{self._upstream.host} port {self._upstream.port} {self._upstream.tls.value}, {name}",
            )

    async def _addresses(self) -> Sequence[str]:
        host, guard = self._host, self._prober.guard
        address = egress.literal(host)
        if address is None and mx.numeric(host):
            self._fail(self._fault(FaultKind.FORBIDDEN, "", Stage.DNS))
        if address is not None:
            # A certificate stands for a name; and numbers are how one asks for machines that have none.
            if not guard.allows(address):
                self._fail(self._fault(FaultKind.FORBIDDEN, "", Stage.DNS))
            self._tell(StepName.DNS, Mark.OK, address)
            return self._foreign([address])
        answer = await self._prober.resolver.addresses(host, self._prober.families, fresh=True)
        if isinstance(answer, Missing):
            self._fail(self._fault(FaultKind.NO_DOMAIN, f"{host} has no address", Stage.DNS))
        if not isinstance(answer, Found):
            self._fail(self._fault(FaultKind.DNS, answer.text, Stage.DNS))
        open_ = [ip for ip in answer.records if guard.refusal(ip) is None]
        if not open_:
            self._fail(self._fault(FaultKind.FORBIDDEN, "", Stage.DNS))
        self._tell(StepName.DNS, Mark.OK, ", ".join(open_))
        return self._foreign(open_)

    def _foreign(self, ips: Sequence[str]) -> Sequence[str]:
        """Not our own listener; and in clear only on this machine."""
        if any(self._prober.ourselves.at(ip, self._upstream.port) for ip in ips):
            self._fail(self._fault(FaultKind.LOOP, "", Stage.CONNECT))
        if self._upstream.tls is Tls.NONE and not all(ipaddress.ip_address(ip).is_loopback for ip in ips):
            self._fail(self._fault(FaultKind.TLS_REQUIRED, "", Stage.TLS))
        return ips[:ADDRESSES]

    async def _open(self, ips: Sequence[str]) -> Session:
        untried = probe.untried(self._question, self._known)
        login = None if untried is not None else await self._login()
        for left, ip in enumerate(ips, start=1 - len(ips)):
            self._ip = ip
            opened = await self._in_turn(ip, login)
            if isinstance(opened, Session):
                break
            if opened.evidence.stage is Stage.CONNECT and left < 0:
                self._tell(StepName.TCP, Mark.WARNING, opened.evidence.text)
                continue
            if opened.evidence.stage is Stage.CONNECT:
                await self._whose_network(ip)
            self._fail(opened.evidence, opened.flaw)
        assert isinstance(opened, Session), "the last address ends in a session or in _Over"
        if untried is not None:
            opened.close()
            self._over(StepName.AUTH, untried, None)
        return opened

    async def _in_turn(self, ip: str, login: Login | Bearer | None) -> Session | Failure:
        async def connect() -> Session | Failure:
            opened = await self._connect(ip, login)
            if isinstance(login, Bearer) and isinstance(opened, Failure):
                return await self._with_fresh_token(ip, login, opened)
            return opened

        return await (connect() if self._turn is None or login is None else self._turn(connect))

    async def _connect(self, ip: str, login: Login | Bearer | None) -> Session | Failure:
        server = Server(
            host=self._host,
            ip=ip,
            port=self._upstream.port,
            protection=_PROTECTION[self._upstream.tls],
            login=login,
            ca_file=self._upstream.ca_file,
        )
        return await smtp.connect(
            server,
            hostname=self._prober.hostname,
            contexts=self._prober.contexts,
            deadlines=self._prober.deadlines,
            passed=self._passed,
        )

    async def _login(self) -> Login | Bearer | None:
        upstream, tokens = self._upstream, self._prober.tokens
        if upstream.username is None:
            return None
        if upstream.oauth is not None:
            assert tokens is not None, "who probes for senders that sign in at a provider has their tokens"
            token = await tokens.access_token(self._question.sender)
            if isinstance(token, Fault):
                self._fail(token)
            return Bearer(username=upstream.username, token=token, mechanism=upstream.mechanism)
        if upstream.password is None:
            return None
        return Login(username=upstream.username, password=upstream.password, mechanism=upstream.mechanism)

    async def _with_fresh_token(self, ip: str, login: Bearer, failed: Failure) -> Session | Failure:
        """A token may be spent before its time. No server counts it as a wrong password."""
        tokens = self._prober.tokens
        if tokens is None or not stale_token(failed.evidence):
            return failed
        fresh = await tokens.access_token(self._question.sender, login.token)
        if isinstance(fresh, Fault):
            return Failure(evidence=fresh)
        return await self._connect(ip, replace(login, token=fresh, before=login.token))

    async def _whose_network(self, ip: str) -> None:
        port, lookout = self._upstream.port, self._prober.lookout
        other = await lookout.other_port(ip, port)
        reach = Reach.UNCLEAR if other is not None else await lookout.reach(port, self._host)
        self._known = replace(self._known, reach=reach, other_port=other)

    async def _converse(self, session: Session) -> None:
        """As a message from the own address to the own address begins; nothing is sent but what was asked."""
        own = str(self._question.contact)
        content = self._test_mail() if self._question.send else b""
        header, _, body = content.partition(b"\r\n\r\n")
        envelope = dialogue.envelope(
            return_path=own,
            recipients=[own],
            size=len(content),
            eight_bit=False,
            utf8_header=False,
            offers=session.offers,
            host=self._host,
        )
        for fault in envelope.refused.values():
            self._fail(fault)
        if await self._asked(session, envelope.mail, Stage.MAIL, StepName.MAIL):
            await self._asked(session, envelope.rcpts[0], Stage.RCPT, StepName.RCPT)
            await self._asked(session, b"RSET\r\n", Stage.MAIL, StepName.RSET)
        if self._question.send:
            sent = Content(header=header + b"\r\n", body=lambda: _once(body), small=True)
            (evidence,) = await session.transact(envelope, sent)
            self._sent(evidence)
        await self._asked(session, b"QUIT\r\n", Stage.MAIL, StepName.QUIT)

    async def _asked(self, session: Session, line: bytes, stage: Stage, name: StepName) -> bool:
        if not session.usable:
            return False
        evidence = await session.ask(line, stage)
        if isinstance(evidence, Reply) and evidence.code < 300:
            self._tell(name, Mark.OK, _shown(evidence))
            return True
        if name in (StepName.RSET, StepName.QUIT):  # the login and the address are known to be good by now
            self._tell(name, Mark.WARNING, _shown(evidence))
            return False
        self._weigh(evidence, name)
        return False

    def _sent(self, evidence: Evidence) -> None:
        if isinstance(evidence, Reply) and evidence.code < 300:
            look = Finding(kind=Kind.FROM_LOOK, places={"address": str(self._question.contact)})
            self._tell(StepName.SEND, Mark.OK, _shown(evidence), look)
        else:
            self._weigh(evidence, StepName.SEND)

    def _test_mail(self) -> bytes:
        own, now = str(self._question.contact), self._prober.clock()
        subject, text = probe_test(self._question.language, platform=self._prober.platform, address=own)
        mail = EmailMessage(policy.SMTP.clone(cte_type="7bit"))
        mail["From"] = own
        mail["To"] = own
        mail["Subject"] = subject
        mail["Date"] = format_datetime(now)
        mail["Message-ID"] = make_msgid(domain=self._question.contact.domain)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(text, charset="utf-8", cte="quoted-printable")
        return mail.as_bytes()

    # --- telling ---

    def _passed(self, stage: Stage, seen: str) -> None:
        self._tell(_STEPS[stage], Mark.OK, seen)

    def _weigh(self, evidence: Evidence, name: StepName) -> None:
        judged = probe.judge(evidence, self._question, self._known)
        if judged.mark is Mark.FAILED:
            self._over(name, judged, evidence)
        self._tell(name, judged.mark, _shown(evidence), judged.finding)

    def _fail(self, evidence: Evidence, flaw: TlsFlaw | None = None) -> NoReturn:
        judged = probe.judge(evidence, self._question, self._known, flaw)
        self._over(_STEPS[evidence.stage], replace(judged, mark=Mark.FAILED), evidence)

    def _over(self, name: StepName, judged: Judged, evidence: Evidence | None) -> NoReturn:
        self._tell(name, Mark.FAILED, _shown(evidence) if evidence is not None else "", judged.finding)
        raise _Over(judged, evidence)

    def _tell(self, name: StepName, mark: Mark, seen: str = "", finding: Finding | None = None) -> None:
        now = self._prober.monotonic()
        self._tell_caller(Step(name=name, mark=mark, seconds=now - self._since, seen=seen, finding=finding))
        self._since = now

    def _fault(self, kind: FaultKind, text: str, stage: Stage) -> Fault:
        return Fault(kind=kind, text=text, stage=stage, host=self._host)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _shown(evidence: Evidence) -> str:
    if isinstance(evidence, Fault):
        return evidence.text
    return " ".join(filter(None, (str(evidence.code), evidence.enhanced, evidence.text)))
