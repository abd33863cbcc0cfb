"""Every fault at every stage: the delivery ends, says what happened where, and nothing arrives twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from relayd.core.reply import Fault, FaultKind, Reply, Stage
from relayd.core.verdict import Fate
from relayd.sandbox.receiver import Offers, Receiver
from relayd.sandbox.script import (
    CLOSE,
    CUT,
    HANG,
    HUGE_LINE,
    NO_LINE_END,
    NOT_SMTP,
    NOT_UTF8,
    NUL,
    RESET,
    TWO_REPLIES,
    Action,
    At,
    End,
    say,
)

from .conftest import World, letter, patient

STRIKES = 0.05
"""Seconds of the one deadline that is meant to strike."""

SAID = {
    "421": say("421 4.3.2 going down"),
    "450": say("450 4.2.0 try later"),
    "451": say("451 4.3.0 local error"),
    "452": say("452 4.3.1 no space"),
    "550": say("550 5.7.1 not here"),
    "554": say("554 5.7.1 never"),
    "multi-line 5xx": say("550 5.7.1 first\n5.7.1 second\n5.7.1 third"),
    "not UTF-8": NOT_UTF8,
}
NONSENSE = {
    "not SMTP": NOT_SMTP,
    "huge line": HUGE_LINE,
    "no line end": NO_LINE_END,
    "endless reply": Action(raw=b"250-again\r\n" * 9000),
    "flood": Action(raw=b"250-again\r\n" * 30_000),
    "not a code": Action(raw=b"999 what\r\n"),
    "unknown class": Action(raw=b"150 hm\r\n"),
}
GONE = {
    "close": CLOSE,
    "reset": RESET,
    "cut": CUT,
    "half-close": Action(end=End.HALF),
    "a word, then gone": Action(raw=b"25", end=End.CUT),
}
SILENT = {"hang": HANG}

STAGES = {
    At.BANNER: Stage.BANNER,
    At.EHLO: Stage.EHLO,
    At.MAIL: Stage.MAIL,
    At.RCPT: Stage.RCPT,
    At.DATA: Stage.DATA,
    At.END: Stage.END,
}


@dataclass(frozen=True)
class Cell:
    at: At
    name: str
    action: Action
    kinds: tuple[FaultKind, ...]  # none: a reply is expected
    pipelining: bool

    @property
    def id(self) -> str:
        return f"{self.at.value}-{self.name}-{'pipelined' if self.pipelining else 'step by step'}"


def cells() -> Iterator[Cell]:
    for at in STAGES:
        ways = (True, False) if at in (At.MAIL, At.RCPT, At.DATA, At.END) else (True,)
        for pipelining in ways:
            for name, action in SAID.items():
                yield Cell(at, name, action, (), pipelining)
            for name, action in NONSENSE.items():
                yield Cell(at, name, action, (FaultKind.PROTOCOL, FaultKind.CLOSED), pipelining)
            for name, action in GONE.items():
                yield Cell(at, name, action, (FaultKind.CLOSED,), pipelining)
            for name, action in SILENT.items():
                yield Cell(at, name, action, (FaultKind.TIMEOUT,), pipelining)


@pytest.mark.parametrize("cell", list(cells()), ids=lambda cell: cell.id)
async def test_a_fault_at_one_stage_ends_the_attempt_and_is_named(world: World, cell: Cell) -> None:
    stage = STAGES[cell.at]
    deadlines = patient(**({stage.value: STRIKES} if cell.name in SILENT else {}))
    mail = letter("bob@customer.example", "eve@customer.example")
    async with Receiver(offers=Offers(pipelining=cell.pipelining)) as receiver:
        receiver.tell(cell.at, cell.action)
        courier = world.direct(receiver.port, deadlines=deadlines)
        async with asyncio.timeout(15):
            attempts = await courier.deliver(mail.parcel, mail.body)
        await courier.close()
        receiver.release()
        await receiver.idle()
    assert [attempt.recipient.index for attempt in attempts] == [0, 1]
    for attempt in attempts:
        evidence = attempt.evidence
        assert evidence.text
        assert attempt.verdict.reason
        assert evidence.stage is stage
        if cell.kinds:
            assert isinstance(evidence, Fault)
            assert evidence.kind in cell.kinds
            assert attempt.verdict.fate is (Fate.UNCERTAIN if stage is Stage.END else Fate.DEFERRED)
        else:
            assert isinstance(evidence, Reply)
            assert attempt.verdict.fate in (Fate.DEFERRED, Fate.FAILED)
    assert len(receiver.uploads) == (stage is Stage.END)  # never handed to anybody twice


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("at", STAGES, ids=lambda at: at.value)
@pytest.mark.parametrize("action", [NUL, TWO_REPLIES], ids=["a NUL inside", "two replies"])
async def test_an_odd_yes_counts_only_at_the_end(
    world: World, action: Action, at: At, pipelining: bool
) -> None:
    mail = letter()
    async with Receiver(offers=Offers(pipelining=pipelining)) as receiver:
        receiver.tell(at, action)
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert (attempt.verdict.fate is Fate.SENT) == (at is At.END)
    assert attempt.verdict.fate is not Fate.UNCERTAIN
    assert len(receiver.received) == (at is At.END)


@pytest.mark.parametrize("name", ["close", "reset", "cut"])
@pytest.mark.parametrize("after", [0, 1, 1_000_000])
async def test_a_connection_lost_in_the_middle_of_a_large_body_is_no_delivery(
    world: World, name: str, after: int
) -> None:
    mail = letter(body=[b"x" * 998 + b"\r\n"] * 12_000)
    async with Receiver() as receiver:
        receiver.tell(At.BODY, Action(after=after, end=GONE[name].end))
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert attempt.evidence.stage is Stage.BODY
    assert attempt.verdict.fate is Fate.DEFERRED


@pytest.mark.parametrize("tls", [True, False])
async def test_a_large_body_arrives_unchanged(world: World, tls: bool) -> None:
    mail = letter(body=[(b"." + bytes([65 + at % 26]) * 900 + b"\r\n") * 300 for at in range(20)])
    certificate = world.authority.issue("mx.customer.example") if tls else None
    async with Receiver(certificate=certificate) as receiver:
        courier = world.direct(receiver.port, require_tls=tls)
        for _ in range(2):
            (attempt,) = await courier.deliver(mail.parcel, mail.body)
            assert attempt.verdict.fate is Fate.SENT
    assert receiver.connections == 1
    assert [received.content == mail.content for received in receiver.received] == [True, True]


@pytest.mark.parametrize("tls", [True, False])
async def test_a_server_that_stops_reading_is_left_when_nothing_moves(world: World, tls: bool) -> None:
    mail = letter(body=[b"x" * 998 + b"\r\n"] * 20_000)
    certificate = world.authority.issue("mx.customer.example") if tls else None
    async with Receiver(certificate=certificate) as receiver:
        receiver.tell(At.BODY, HANG)
        courier = world.direct(receiver.port, deadlines=patient(progress=STRIKES))
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert (attempt.evidence.kind, attempt.evidence.stage) == (FaultKind.TIMEOUT, Stage.BODY)
    assert attempt.verdict.fate is Fate.DEFERRED


@pytest.mark.parametrize("large", [True, False])
async def test_a_refusal_in_the_middle_of_the_body_is_heard(world: World, large: bool) -> None:
    mail = letter(body=[b"x" * 998 + b"\r\n"] * (12_000 if large else 10))
    async with Receiver() as receiver:
        receiver.tell(At.BODY, Action(say="552 5.3.4 too much", end=End.CLOSE))
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Reply)
    assert attempt.evidence.code == 552
    assert attempt.verdict.fate is Fate.FAILED


async def test_a_yes_before_the_dot_is_not_believed(world: World) -> None:
    mail = letter(body=[b"x" * 998 + b"\r\n"] * 12_000)
    async with Receiver() as receiver:
        receiver.tell(At.BODY, say("250 2.0.0 queued"))
        (attempt,) = await world.direct(receiver.port).deliver(mail.parcel, mail.body)
    assert isinstance(attempt.evidence, Fault)
    assert (attempt.evidence.kind, attempt.evidence.stage) == (FaultKind.PROTOCOL, Stage.BODY)


REFUSED_TLS = {
    "454": (At.STARTTLS, say("454 4.7.0 TLS not available")),
    "554": (At.STARTTLS, say("554 5.7.3 no TLS for you")),
    "close": (At.STARTTLS, CLOSE),
    "hang": (At.STARTTLS, HANG),
    "nonsense": (At.STARTTLS, NOT_SMTP),
    "garbage handshake": (At.HANDSHAKE, Action(raw=b"this is no handshake\r\n")),
    "cut handshake": (At.HANDSHAKE, CUT),
    "silent handshake": (At.HANDSHAKE, HANG),
}


@pytest.mark.parametrize("name", REFUSED_TLS)
@pytest.mark.parametrize("require_tls", [True, False])
async def test_a_failed_handshake_goes_on_in_clear_only_where_it_may(
    world: World, name: str, require_tls: bool
) -> None:
    at, action = REFUSED_TLS[name]
    mail = letter()
    async with Receiver(certificate=world.authority.issue("mx.customer.example")) as receiver:
        receiver.tell(at, action)
        courier = world.direct(
            receiver.port, require_tls=require_tls, deadlines=patient(tls=STRIKES if "h" in name else 15.0)
        )
        (attempt,) = await courier.deliver(mail.parcel, mail.body)
        receiver.release()
    assert attempt.tls is None
    if require_tls:
        assert attempt.evidence.stage is Stage.TLS
        assert attempt.verdict.fate is Fate.DEFERRED
        assert receiver.uploads == []
    else:
        assert attempt.verdict.fate is Fate.SENT
        assert attempt.notes[0].startswith("sent in clear after a failed handshake")
