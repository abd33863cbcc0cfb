"""Refusing at RCPT what can never arrive, and nothing that might."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from relayd.core.address import parse
from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.intake.recipients import CACHE_SIZE, Recipients

Said = Found[Mx] | Missing | Trouble
NXDOMAIN = Missing(domain=False, ttl=60)
NODATA = Missing(domain=True, ttl=60)
NULL_MX = Found(records=(Mx(0, ""),), ttl=60)
MX = Found(records=(Mx(10, "mx.b.example"),), ttl=60)
TROUBLE = Trouble(text="SERVFAIL")
OURS = "my.platform.example"


class Resolver:
    def __init__(self, first: Said, second: Said = NXDOMAIN, ours: Said = MX) -> None:
        self.first, self.second, self.ours = first, second, ours
        self.asked: list[tuple[str, bool]] = []

    async def mx(self, domain: str, *, fresh: bool = False) -> Said:
        self.asked.append((domain, fresh))
        if domain == OURS:
            return self.ours
        return self.second if fresh else self.first


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def codes(resolver: Resolver) -> tuple[int, str] | None:
    recipients = Recipients(resolver=resolver, platform_domain=OURS)
    refusal = await recipients.refusal(parse("a@b.example"))
    return None if refusal is None else (refusal.code, refusal.enhanced)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ((MX,), None),
        ((NULL_MX,), (556, "5.1.10")),
        ((NODATA,), None),
        ((TROUBLE,), None),
        ((NXDOMAIN, NXDOMAIN, MX), (550, "5.1.2")),
        ((NXDOMAIN, NXDOMAIN, NODATA), (550, "5.1.2")),
        ((NXDOMAIN, NXDOMAIN, NULL_MX), (550, "5.1.2")),
        ((NXDOMAIN, NXDOMAIN, NXDOMAIN), None),
        ((NXDOMAIN, NXDOMAIN, TROUBLE), None),
        ((NXDOMAIN, MX), None),
        ((NXDOMAIN, NODATA), None),
        ((NXDOMAIN, TROUBLE), None),
    ],
)
async def test_what_dns_says_decides(said: Sequence[Said], wanted: tuple[int, str] | None) -> None:
    assert await codes(Resolver(*said)) == wanted


async def test_the_second_look_and_the_look_at_ourselves_are_fresh() -> None:
    resolver = Resolver(NXDOMAIN)
    await codes(resolver)
    assert resolver.asked == [("b.example", False), ("b.example", True), (OURS, True)]


async def test_dns_that_never_answers_is_no_reason_and_is_not_waited_for_twice() -> None:
    class Silent(Resolver):
        async def mx(self, domain: str, *, fresh: bool = False) -> Said:
            self.asked.append((domain, fresh))
            await asyncio.Event().wait()
            return NXDOMAIN

    resolver = Silent(NXDOMAIN)
    clock = Clock()
    recipients = Recipients(resolver=resolver, platform_domain=OURS, patience=0.01, monotonic=clock)
    for _ in range(3):
        assert await recipients.refusal(parse("a@b.example")) is None
    assert len(resolver.asked) == 1
    clock.now = 11
    assert await recipients.refusal(parse("a@b.example")) is None
    assert len(resolver.asked) == 2


async def test_a_result_is_known_for_a_minute() -> None:
    clock = Clock()
    resolver = Resolver(NULL_MX)
    recipients = Recipients(resolver=resolver, platform_domain=OURS, monotonic=clock)
    for local in ("a", "b", "c"):
        assert await recipients.refusal(parse(f"{local}@b.example")) is not None
    assert len(resolver.asked) == 1
    clock.now = 61
    resolver.first = MX
    assert await recipients.refusal(parse("a@b.example")) is None


async def test_what_is_known_stays_bounded() -> None:
    recipients = Recipients(resolver=Resolver(MX), platform_domain=OURS)
    for n in range(CACHE_SIZE + 10):
        await recipients.refusal(parse(f"a@b{n}.example"))
    assert len(recipients._known) == CACHE_SIZE
