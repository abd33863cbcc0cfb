"""Return paths in a customer's domain: SPF and the delegated host, against a real name server."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

import pytest

from relayd.core import address
from relayd.core.journal import EventType
from relayd.core.keyproof import DOUBT, Look
from relayd.core.mail import Proof, Rung
from relayd.core.policy import RETURN_HOST
from relayd.core.reasons import Reason
from relayd.core.records.spf import Outcome
from relayd.identity import returnpaths, spf
from relayd.identity.returnpaths import Egress
from relayd.net.dns import Resolver
from relayd.sandbox.zone import DnsFault, NameServer, Zone

from .test_domains import ACME, NAME, PLATFORM_NAME, TEXT, Bench, Store, put, released, waiting

DOMAIN, OURS, HOST = "acme.example", "my.platform.example", "bounce.acme.example"
BOUNCE = "bounce.my.platform.example"
HOSTNAME = "relay.my.platform.example"
HERE = Egress(addresses=("192.0.2.25", "2001:db8::25"), hostname=HOSTNAME)
INCLUDE = f"v=spf1 include:{OURS} -all"

ZONE = f"""
{OURS}     TXT  "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"
{BOUNCE}   TXT  "v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all"
{BOUNCE}   MX   10 mx1.my.platform.example
{BOUNCE}   MX   20 mx2.my.platform.example
{DOMAIN}   MX   10 mx.acme.example
"""


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    zone = Zone(ZONE)
    zone.add(PLATFORM_NAME, "TXT", TEXT)
    async with NameServer(zone) as names:
        resolver = Resolver([names.address], lifetime=1.0, patience=1.0)
        made = Bench(
            zone=zone,
            names=names,
            resolver=resolver,
            store=Store(),
            domains=None,  # type: ignore[arg-type]
            senders=[ACME],
            egress=HERE,
        )
        made.domains = made.restarted()
        yield made
        await made.domains.close()
        await resolver.close()


async def test_all_addresses_are_looked_at_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow nameservers of a customer keep mail waiting once, and not once for each of our addresses."""
    monkeypatch.setattr(spf, "PATIENCE", 5.0)
    bench.zone.set(DOMAIN, "TXT", INCLUDE)
    asked, all_here = bench.resolver.txt, asyncio.Barrier(len(HERE.addresses))

    async def slow(name: str, *, fresh: bool = False) -> object:
        if name == DOMAIN:
            await all_here.wait()
        return await asked(name, fresh=fresh)

    monkeypatch.setattr(bench.resolver, "txt", slow)
    assert (await returnpaths.passes(bench.resolver, DOMAIN, HERE)).look is Look.YES


async def test_a_customer_s_return_path_host_that_is_another_one_s_domain_is_two_things(bench: Bench) -> None:
    """SPF of bounce.acme.example passes, which is its owner's proof; no MX brings bounces of acme.example."""
    bench.zone.set(HOST, "TXT", INCLUDE)
    assert await bench.domains.proven(HOST, Proof.SPF)
    assert not await bench.domains.proven(DOMAIN, RETURN_HOST)
    assert await bench.domains.proven(HOST, Proof.SPF)
    assert bench.domains.known(DOMAIN, RETURN_HOST) is False


async def test_what_stands_in_a_strangers_record_commands_no_terminal(bench: Bench) -> None:
    bench.zone.set(DOMAIN, "TXT", "v=spf1 \x1b]0;owned\x07 -all")
    seen = await returnpaths.passes(bench.resolver, DOMAIN, HERE)
    assert seen.look is Look.NO
    assert seen.text.isprintable()


async def test_spf_that_passes_for_every_address_is_proof(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", "unrelated", INCLUDE)
    assert bench.domains.known(DOMAIN, Proof.SPF) is None
    assert await bench.domains.proven(DOMAIN, Proof.SPF)
    asked = len(bench.names.queries)
    assert bench.domains.known(DOMAIN, Proof.SPF) is True
    assert len(bench.names.queries) == asked
    # and nothing is said of the key
    assert not await bench.domains.proven(DOMAIN, Proof.DKIM)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (None, "none"),
        ("v=spf1 ip4:192.0.2.25 -all", "fail for 2001:db8::25"),
        (f"v=spf1 ?include:{OURS}", "neutral"),
        (f"v=spf1 -all include:{OURS}", '"-all" in the record of acme.example'),
        (f"v=spf1 include:{OURS} bogus", "permerror for 192.0.2.25 (bad_term"),
        ("v=spf1 include:none.example", "included_none"),
        (f"v=spf1 exists:%{{l}}.acme.example include:{OURS} -all", "the part before the @"),
    ],
)
async def test_what_is_no_proof_is_said_with_its_cause(bench: Bench, record: str | None, says: str) -> None:
    if record is not None:
        bench.zone.add(DOMAIN, "TXT", record)
    seen = await returnpaths.passes(bench.resolver, DOMAIN, HERE)
    assert seen.look is Look.NO
    assert says in seen.text


async def test_a_second_record_undoes_the_first(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", INCLUDE, "v=spf1 mx -all")
    seen = await returnpaths.passes(bench.resolver, DOMAIN, HERE)
    assert seen.look is Look.NO
    assert "permerror for 192.0.2.25 (several" in seen.text


async def test_an_include_that_only_looks_like_ours_is_none(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", f"v=spf1 include:not-{OURS} ?exists:include:{OURS} -all")
    bench.zone.add(f"not-{OURS}", "TXT", "v=spf1 -all")
    assert (await returnpaths.passes(bench.resolver, DOMAIN, HERE)).look is Look.NO


async def test_without_addresses_of_ours_nothing_is_proof_and_nobody_is_asked(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", "v=spf1 +all")
    nowhere = Egress(addresses=(), hostname=HOSTNAME)
    assert (await returnpaths.passes(bench.resolver, DOMAIN, nowhere)).look is Look.NO
    bench.domains.egress = nowhere
    assert bench.domains.known(DOMAIN, Proof.SPF) is False
    assert bench.domains.known(DOMAIN, RETURN_HOST) is False
    assert bench.names.queries == []


async def test_dns_in_trouble_keeps_the_last_known_proof(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", INCLUDE)
    await bench.domains.look(DOMAIN)
    bench.zone.fault(OURS, DnsFault.SERVFAIL)
    bench.seconds += 10_000
    assert await bench.domains.proven(DOMAIN, Proof.SPF)
    assert (await returnpaths.passes(bench.resolver, DOMAIN, HERE)).look is Look.UNCLEAR


async def test_it_is_lost_after_two_clear_answers_minutes_apart_and_both_are_told(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", INCLUDE)
    await bench.domains.look(DOMAIN)
    bench.zone.set(DOMAIN, "TXT", "v=spf1 -all")
    bench.seconds += 100
    await bench.domains.look(DOMAIN)
    assert bench.domains.known(DOMAIN, Proof.SPF) is True
    bench.seconds += DOUBT
    await bench.domains.look(DOMAIN)
    assert bench.domains.known(DOMAIN, Proof.SPF) is False
    told = [(e.type, e.sender, e.proof) for e in await bench.events() if e.proof is Proof.SPF]
    assert told == [
        (EventType.PROVEN, "acme", Proof.SPF),
        (EventType.UNPROVEN, "acme", Proof.SPF),
    ]


async def test_a_domain_without_it_is_no_news(bench: Bench) -> None:
    await bench.domains.look(DOMAIN)
    assert [e.proof for e in await bench.events()] == [Proof.DKIM]


async def test_what_still_proves_the_address_is_told_with_what_no_longer_does(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", INCLUDE)
    bench.zone.add(NAME, "TXT", TEXT)
    await bench.domains.look(DOMAIN)
    bench.zone.remove(DOMAIN, "TXT")
    for _ in range(2):
        bench.seconds += DOUBT + 1
        await bench.domains.look(DOMAIN)
    [event] = [e for e in await bench.events() if e.type is EventType.UNPROVEN]
    assert (event.proof, event.detail["still"]) == (Proof.SPF, "dkim")


async def test_what_was_believed_survives_a_restart_with_the_same_addresses(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", INCLUDE)
    await bench.domains.look(DOMAIN)
    bench.zone.fault("*", DnsFault.SERVFAIL)
    assert await bench.restarted().proven(DOMAIN, Proof.SPF)

    bench.egress = dataclasses.replace(HERE, addresses=("192.0.2.25",))
    assert not await bench.restarted().proven(DOMAIN, Proof.SPF)


async def test_other_addresses_void_it_at_once(bench: Bench) -> None:
    bench.zone.add(DOMAIN, "TXT", INCLUDE)
    await bench.domains.look(DOMAIN)
    bench.domains.egress = dataclasses.replace(HERE, addresses=("192.0.2.26",))
    assert bench.domains.known(DOMAIN, Proof.SPF) is None
    assert not await bench.domains.proven(DOMAIN, Proof.SPF)
    bench.domains.egress = HERE
    assert await bench.domains.proven(DOMAIN, Proof.SPF)


async def test_what_waited_is_let_go_when_the_record_comes(bench: Bench) -> None:
    await put(
        bench.store, waiting("A" * 26, Reason.SENDER_UNPROVEN), waiting("D" * 26, Reason.SIGNING_FAILED)
    )
    await bench.domains.look(DOMAIN)
    assert await released(bench.store) == []
    bench.zone.add(DOMAIN, "TXT", INCLUDE)
    bench.seconds += 1000
    await bench.domains.look(DOMAIN)
    assert await released(bench.store) == ["A" * 26]


async def test_the_host_alone_proves_nothing_and_lets_nothing_go(bench: Bench) -> None:
    await put(bench.store, waiting("A" * 26, Reason.SENDER_UNPROVEN))
    bench.zone.add(HOST, "CNAME", BOUNCE)
    assert await bench.domains.proven(DOMAIN, RETURN_HOST)
    assert await released(bench.store) == []
    assert await bench.events() == []


async def test_the_platforms_own_domain_by_spf_lets_no_default_mail_go(bench: Bench) -> None:
    bench.senders = [dataclasses.replace(ACME, contact=address.parse(f"a@{OURS}"))]
    bench.zone.remove(PLATFORM_NAME)
    await put(bench.store, waiting("D" * 26, Reason.SIGNING_FAILED))
    await bench.domains.look(OURS)
    assert bench.domains.known(OURS, Proof.SPF) is True
    assert await released(bench.store) == []


@pytest.mark.parametrize(
    ("records", "look", "says"),
    [
        ([("CNAME", BOUNCE)], Look.YES, "passes"),
        ([("MX", "10 mx2.my.platform.example"), ("TXT", INCLUDE)], Look.YES, "passes"),
        ([("MX", "10 mx2.my.platform.example")], Look.NO, "comes to none"),
        ([("MX", "10 mx1.my.platform.example"), ("TXT", "v=spf1 ip4:192.0.2.25 -all")], Look.NO, "fail"),
        ([("MX", "10 mx.acme.example"), ("TXT", INCLUDE)], Look.NO, "would not come back to us"),
        ([("MX", "0 ."), ("TXT", INCLUDE)], Look.NO, "would not come back to us"),
        ([("TXT", INCLUDE)], Look.NO, "no MX"),
        ([], Look.NO, "no MX"),
    ],
)
async def test_a_host_is_delegated_when_bounces_come_back_and_spf_passes(
    bench: Bench, records: list[tuple[str, str]], look: Look, says: str
) -> None:
    for kind, value in records:
        bench.zone.add(HOST, kind, value)
    seen = await returnpaths.leads_to_us(bench.resolver, HOST, BOUNCE, HERE)
    assert seen.look is look
    assert says in seen.text


@pytest.mark.parametrize("name", [HOST, BOUNCE, OURS])
async def test_a_host_that_cant_be_looked_up_is_unclear(bench: Bench, name: str) -> None:
    bench.zone.add(HOST, "MX", "10 mx1.my.platform.example")
    bench.zone.add(HOST, "TXT", INCLUDE)
    bench.zone.fault(name, DnsFault.SERVFAIL)
    seen = await returnpaths.leads_to_us(bench.resolver, HOST, BOUNCE, HERE)
    assert seen.look is Look.UNCLEAR


async def test_only_who_sends_with_the_own_address_is_watched_for_return_paths(bench: Bench) -> None:
    upstream = dataclasses.replace(
        ACME, id="up", contact=address.parse("a@up.example"), send_as=Rung.UPSTREAM
    )
    bench.senders = [ACME, upstream]
    domains = bench.domains
    watched = {subject.record for domain in domains.wanted() for subject in domains._watched(domain)}
    assert watched == {PLATFORM_NAME, NAME, DOMAIN, f"{HOST} MX", "r1._domainkey.up.example"}


async def test_all_addresses_of_a_host_are_compared_and_an_eleventh_mx_is_minded(bench: Bench) -> None:
    bench.zone.add("web.acme.example", "A", *(f"198.51.100.{at}" for at in range(20)), "192.0.2.25")
    bench.zone.add("web.acme.example", "AAAA", "2001:db8::25")
    bench.zone.add(DOMAIN, "TXT", "v=spf1 a:web.acme.example -all")
    assert (await returnpaths.passes(bench.resolver, DOMAIN, HERE)).look is Look.YES
    for at in range(11):
        bench.zone.add("many.example", "MX", f"{at} mx{at}.example")
    bench.zone.set(DOMAIN, "TXT", "v=spf1 mx:many.example -all")
    seen = await returnpaths.passes(bench.resolver, DOMAIN, HERE)
    assert "mx_limit" in seen.text


async def test_an_evaluation_that_takes_too_long_ends_as_trouble(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spf, "PATIENCE", 0.0)
    bench.zone.fault("*", DnsFault.SILENCE)
    results = await spf.evaluate(
        bench.resolver, mail_from=ACME.contact, hostname=HOSTNAME, egress=["192.0.2.25"]
    )
    assert results["192.0.2.25"].outcome is Outcome.TEMPERROR


@pytest.mark.parametrize("egress", [HERE.addresses, ()])
async def test_advice_reads_both_domains(bench: Bench, egress: tuple[str, ...]) -> None:
    bench.zone.add(DOMAIN, "TXT", "v=spf1 ptr mx -all")
    advice = await spf.advice(
        bench.resolver, mail_from=ACME.contact, hostname=HOSTNAME, egress=egress, include=OURS
    )
    assert advice.publish == f"v=spf1 include:{OURS} ptr mx -all"
    assert advice.lookups == 3
