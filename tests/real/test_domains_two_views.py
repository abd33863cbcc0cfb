"""What a domain's nameserver (NSD) says now, and what a resolver with a cache (Unbound) still says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relayd.core.records.answers import Found
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.domainnotes import Code
from relayd.core.records.domainreport import Line, Ours, Purpose, State
from relayd.identity.domainreport import Reporter
from relayd.identity.returnpaths import Egress
from relayd.net.authority import Authority
from relayd.net.dns import Resolver
from relayd.net.egress import Guard

from . import nsd_instance, unbound_instance
from .nsd_instance import Nsd, nsd
from .unbound_instance import unbound

WHY_NOT = nsd_instance.why_not() or unbound_instance.why_not()
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(60),
    pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or ""),
]

KEY = OurKey(selector="r1", public_key=b"key")
OURS = Ours(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    keys=(KEY,),
    spf_include="my.platform.example",
)
EMPTY = "$TTL 300\n@ IN SOA ns hostmaster {serial} 3600 600 86400 240\n@ IN NS ns\nns IN A 127.0.0.1\n"
PUBLISHED = (
    EMPTY + f'r1._domainkey IN TXT "{KEY.record}"\n@ IN TXT "v=spf1 include:my.platform.example -all"\n'
)
PLATFORM = EMPTY.format(serial=1) + '@ IN TXT "v=spf1 ip4:93.184.216.34 -all"\n'


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[Nsd, Authority, Callable[[], Reporter]]]:
    zones = {"acme.example": EMPTY.format(serial=1), "my.platform.example": PLATFORM}
    with (
        nsd(tmp_path / "nsd", zones) as served,
        unbound(tmp_path / "unbound", zones, f"127.0.0.1@{served.port}") as port,
    ):
        resolver = Resolver([f"127.0.0.1:{port}"], lifetime=3.0, patience=3.0)
        authority = Authority(resolver, Guard(), operators=[f"127.0.0.1:{served.port}"])

        def reporter() -> Reporter:
            return Reporter(
                resolver=resolver,
                authority=authority,
                ours=lambda: OURS,
                egress=lambda: Egress(addresses=("93.184.216.34",), hostname="relay.example.net"),
                clock=lambda: datetime.now(UTC),
            )

        yield served, authority, reporter
        await resolver.close()


async def served_at_last(authority: Authority, name: str) -> None:
    """Wait until NSD has read its zone: each look is an answer from it."""
    async with asyncio.timeout(20):
        while True:
            told = await authority.txt(name)
            if told is not None and isinstance(told.answer, Found):
                return


async def lines(reporter: Reporter) -> dict[Purpose, Line]:
    report = (await reporter.check("acme.example")).report
    assert report.servers == ("ns.acme.example",)
    return {line.purpose: line for line in reversed(report.lines)}


async def test_what_was_just_published_counts_and_the_time_that_others_need_is_said(world) -> None:
    served, authority, reporter = world
    before = await lines(reporter())  # the resolver remembers that there is nothing
    assert (before[Purpose.DKIM].state, before[Purpose.SPF].state) == (State.MISSING, State.MISSING)
    served.publish("acme.example", PUBLISHED.format(serial=2))
    await served_at_last(authority, KEY.name("acme.example"))
    after = await lines(reporter())
    for purpose in (Purpose.DKIM, Purpose.SPF):
        line = after[purpose]
        assert line.state is State.OK
        assert line.ttl is not None
        assert 0 < line.ttl <= 240  # what is left of the SOA's minimum (RFC 2308)
        assert Code.BEHIND in [note.code for note in line.notes]
