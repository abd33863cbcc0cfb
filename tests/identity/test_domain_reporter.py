"""Looking at a whole domain, with nameservers on loopback."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from relayd.core.mail import Proof, Rung
from relayd.core.phrases import LANGUAGES, forecast
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.dmarc import Dmarc
from relayd.core.records.domainnotes import Code, Note
from relayd.core.records.domainreport import Line, Ours, Purpose, State
from relayd.core.records.spf import Outcome
from relayd.identity import domainreport
from relayd.identity.domainreport import Reporter, organization
from relayd.identity.returnpaths import Egress
from relayd.net.authority import Authority
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.sandbox.zone import DnsFault, NameServer, Zone

NOW = datetime(2026, 11, 22, 5, 11, 49, tzinfo=UTC)
IP = "93.184.216.34"
KEY = OurKey(selector="r1", public_key=b"key")
OURS = Ours(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    keys=(KEY,),
    spf_include="spf.my.platform.example",
)
COMMON = f"""
acme.example                            NS    ns.acme.example
ns.acme.example                         A     127.0.0.2
my.platform.example                     TXT   "v=spf1 -all"
mx.my.platform.example                  A     {IP}
bounce.my.platform.example              MX    10 mx.my.platform.example
bounce.my.platform.example              TXT   "v=spf1 ip4:{IP} -all"
spf.my.platform.example                 TXT   "v=spf1 ip4:{IP} -all"
acme.example                            MX    10 mx.acme.example
"""


@dataclass(kw_only=True)
class Bench:
    others: Zone  # what the resolver sees
    own: Zone  # what the domain's nameserver says
    reporter: Reporter

    def publish(self, name: str, kind: str, *values: str) -> None:
        self.others.set(name, kind, *values)
        self.own.set(name, kind, *values)

    async def lines(self, domain: str = "acme.example") -> dict[Purpose, Line]:
        report = (await self.reporter.check(domain)).report
        return {line.purpose: line for line in reversed(report.lines)}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(NameServer(Zone(COMMON)))
        own = await stack.enter_async_context(
            NameServer(Zone("acme.example MX 10 mx.acme.example"), host="127.0.0.2")
        )
        names.zone.add(KEY.name("my.platform.example"), "TXT", KEY.record)
        resolver = Resolver([names.address], lifetime=0.5, patience=0.5)
        made = Reporter(
            resolver=resolver,
            authority=Authority(resolver, Guard(), operators=[own.address], patience=1.5),
            ours=lambda: OURS,
            egress=lambda: Egress(addresses=(IP,), hostname="relay.example.net"),
            clock=lambda: NOW,
        )
        yield Bench(others=names.zone, own=own.zone, reporter=made)
        await resolver.close()


async def test_a_domain_with_nothing_published(bench: Bench) -> None:
    before = bench.reporter.show("acme.example")
    assert before.looked_at is None
    found = await bench.reporter.check("acme.example")
    assert (found.looked_at, found.report.servers) == (NOW, ("ns.acme.example",))
    assert bench.reporter.show("acme.example") is found
    states = {line.purpose: line.state for line in reversed(found.report.lines)}
    assert states == {
        Purpose.DKIM: State.MISSING,
        Purpose.SPF: State.MISSING,
        Purpose.DMARC: State.MISSING,
        Purpose.RETURN_PATH: State.MISSING,
        Purpose.MX: State.OK,
    }
    assert found.report.advice is not None
    assert found.report.advice.publish == "v=spf1 include:spf.my.platform.example ~all"


@pytest.mark.parametrize("kind", ["CNAME", "TXT"])
async def test_a_record_under_the_domain_twice_is_found(bench: Bench, kind: str) -> None:
    """Many forms add the domain to the name by themselves."""
    there = "r1._domainkey.acme.example.acme.example"
    bench.publish(there, kind, KEY.name("my.platform.example") if kind == "CNAME" else KEY.record)
    line = (await bench.lines())[Purpose.DKIM]
    assert line.state is State.MISSING
    assert line.notes[0] == Note(Code.NAME_TWICE, {"there": there, "short": "r1._domainkey"})


async def test_a_record_of_a_subdomain_under_its_zone_twice_is_found(bench: Bench) -> None:
    there = "r2._domainkey.mail.acme.example.acme.example"
    bench.publish(there, "CNAME", "r2._domainkey.my.platform.example")
    report = (await bench.reporter.check("mail.acme.example")).report
    [line] = [line for line in report.lines if line.name == "r2._domainkey.mail.acme.example"]
    assert line.notes[0] == Note(Code.NAME_TWICE, {"there": there, "short": "r2._domainkey.mail"})


async def test_a_domain_with_everything_published_and_what_receivers_will_see(bench: Bench) -> None:
    for selector in ("r1", "r2"):
        target = f"{selector}._domainkey.my.platform.example"
        bench.publish(f"{selector}._domainkey.acme.example", "CNAME", target)
    bench.publish("acme.example", "TXT", "v=spf1 include:spf.my.platform.example -all")
    bench.publish("_dmarc.acme.example", "TXT", "v=DMARC1; p=reject; aspf=s")
    bench.publish("bounce.acme.example", "CNAME", "bounce.my.platform.example")
    report = (await bench.reporter.check("acme.example")).report
    assert {line.state for line in report.lines} == {State.OK}
    seen = {(each.rung, each.proof): each for each in report.outlooks}
    assert all(each.possible for each in seen.values())
    own = seen[Rung.OWN, Proof.DKIM].forecast
    assert (own.spf, own.spf_aligned, own.dkim_aligned, own.dmarc) == (Outcome.PASS, False, True, Dmarc.PASS)
    assert seen[Rung.OWN, Proof.SPF].forecast.spf_aligned  # strict, and the very same domain
    assert seen[Rung.DEFAULT, Proof.PLATFORM].forecast.dmarc is Dmarc.PASS
    assert seen[Rung.UPSTREAM, Proof.CREDENTIALS].forecast.dmarc is Dmarc.PASS  # our key signs there too
    assert forecast.sentence(seen[Rung.OWN, Proof.SPF].forecast, "en").endswith("DMARC pass.")
    for language in LANGUAGES:
        assert all(forecast.sentence(each.forecast, language) for each in report.outlooks)


async def test_the_own_nameserver_is_ahead_of_the_resolver(bench: Bench) -> None:
    bench.own.set("acme.example", "TXT", "v=spf1 include:spf.my.platform.example -all")
    bench.own.set(KEY.name("acme.example"), "TXT", KEY.record)
    lines = await bench.lines()
    assert (lines[Purpose.DKIM].state, lines[Purpose.DKIM].ttl) == (State.OK, 60)
    assert (lines[Purpose.SPF].state, lines[Purpose.SPF].ttl) == (State.OK, 60)


@pytest.mark.parametrize(
    ("records", "state", "publish"),
    [
        (["v=spf1 mx -all"], State.WRONG, "v=spf1 include:spf.my.platform.example mx -all"),
        (
            ["v=spf1 mx -all", "v=spf1 -all"],
            State.DUPLICATE,
            "v=spf1 include:spf.my.platform.example mx -all",
        ),
        (
            ["v=spf1 -all include:spf.my.platform.example"],
            State.WRONG,
            "v=spf1 include:spf.my.platform.example -all",
        ),
    ],
)
async def test_spf_is_told_with_the_exact_record(
    bench: Bench, records: list[str], state: State, publish: str
) -> None:
    bench.publish("acme.example", "TXT", *records)
    line = (await bench.lines())[Purpose.SPF]
    assert (line.state, line.value) == (state, publish)


async def test_trouble_is_no_finding_against_the_domain(bench: Bench) -> None:
    bench.others.fault("acme.example", DnsFault.SERVFAIL)
    bench.own.fault("*", DnsFault.SERVFAIL)
    for name in ("r1._domainkey", "r2._domainkey", "_dmarc", "bounce"):
        bench.others.fault(f"{name}.acme.example", DnsFault.SERVFAIL)
    report = (await bench.reporter.check("acme.example")).report
    assert {line.state for line in report.lines} == {State.UNKNOWN}
    assert report.servers == ()


async def test_the_platform_looks_at_itself(bench: Bench) -> None:
    lines = await bench.lines("my.platform.example")
    assert lines[Purpose.DKIM].state is State.OK
    assert Purpose.RETURN_PATH not in lines


async def test_a_shared_domain_is_never_asked_for(bench: Bench) -> None:
    shown = await bench.reporter.check("gmx.de")
    assert shown.report.provider == "GMX"
    assert shown.report.lines == ()


async def test_reports_in_memory_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domainreport, "KEPT", 1)
    await bench.reporter.check("acme.example")
    await bench.reporter.check("globex.example")
    assert bench.reporter.show("acme.example").looked_at is None
    assert bench.reporter.show("globex.example").looked_at == NOW


def test_the_organization_of_a_domain() -> None:
    assert organization("a.b.acme.co.uk") == "acme.co.uk"
    assert organization("co.uk") == "co.uk"


async def test_who_publishes_after_a_look_and_looks_again_is_told_the_truth(bench: Bench) -> None:
    """Without nameservers that can be asked themselves, too: what the resolver remembers is asked anew."""
    bench.others.remove("acme.example", "NS")
    assert (await bench.lines())[Purpose.SPF].state is State.MISSING
    bench.others.set("acme.example", "TXT", "v=spf1 include:spf.my.platform.example -all")
    assert (await bench.lines())[Purpose.SPF].state is State.OK


async def test_with_a_new_key_what_to_publish_is_new_too(bench: Bench) -> None:
    await bench.reporter.check("acme.example")
    second = OurKey(selector="r2", public_key=b"second")
    bench.reporter._ours = lambda: dataclasses.replace(OURS, keys=(second, KEY))
    shown = bench.reporter.show("acme.example")
    assert shown.looked_at is None
    assert [line.text for line in shown.report.lines[:2]] == [KEY.record, second.record]
    assert (await bench.reporter.check("acme.example")).looked_at == NOW
    assert bench.reporter.show("acme.example").looked_at == NOW
