"""The resolver against a real name server on loopback that can be told to fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.net.dns import CACHE_SIZE, Resolver
from relayd.net.rdata import ADDRESS_LIMIT, LONGEST_NO, LONGEST_TTL, MX_LIMIT
from relayd.sandbox.zone import DnsFault, NameServer, Zone

ZONE = """
example.com              MX    20 b.example.com
example.com              MX    10 A.Example.com
example.com              TXT   "v=spf1 " "-all"
null.example             MX    0 .
a.example.com            A     192.0.2.1
a.example.com            A     192.0.2.2
a.example.com            AAAA  2001:db8::1
four.example.com         A     192.0.2.4
alias.example.com        CNAME a.example.com
192.0.2.1                PTR   a.example.com
2001:db8::1              PTR   a.example.com
"""

SHORT = 0.2
"""Seconds for questions that nobody answers."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def asking(zone: str | Zone = ZONE, **options: Any) -> AsyncIterator[tuple[Resolver, NameServer]]:
    async with NameServer(zone if isinstance(zone, Zone) else Zone(zone)) as names:
        resolver = Resolver([names.address], **options)
        yield resolver, names
        await resolver.close()


async def test_exchangers_come_best_first_in_lower_case() -> None:
    async with asking() as (resolver, _):
        answer = await resolver.mx("example.com")
    assert isinstance(answer, Found)
    assert answer.records == (Mx(10, "a.example.com"), Mx(20, "b.example.com"))
    assert answer.ttl == 60


async def test_the_null_mx_is_an_empty_name() -> None:
    async with asking() as (resolver, _):
        answer = await resolver.mx("null.example")
    assert isinstance(answer, Found)
    assert answer.records == (Mx(0, ""),)


async def test_the_strings_of_a_text_are_joined() -> None:
    async with asking() as (resolver, _):
        answer = await resolver.txt("example.com")
    assert isinstance(answer, Found)
    assert answer.records == ("v=spf1 -all",)


@pytest.mark.parametrize("ip", ["192.0.2.1", "2001:db8::1"])
async def test_an_address_points_back_to_a_name(ip: str) -> None:
    async with asking() as (resolver, _):
        answer = await resolver.ptr(ip)
    assert isinstance(answer, Found)
    assert answer.records == ("a.example.com",)


async def test_families_take_turns_in_the_order_asked_for() -> None:
    async with asking() as (resolver, _):
        both = await resolver.addresses("a.example.com")
        four_first = await resolver.addresses("a.example.com", ("ipv4", "ipv6"))
        only = await resolver.addresses("a.example.com", ("ipv4",))
    assert isinstance(both, Found)
    assert isinstance(four_first, Found)
    assert isinstance(only, Found)
    assert [":" in ip for ip in both.records] == [True, False, False]
    assert [":" in ip for ip in four_first.records] == [False, True, False]
    assert sorted(only.records) == ["192.0.2.1", "192.0.2.2"]  # servers turn them


async def test_without_a_family_there_is_no_address() -> None:
    async with asking() as (resolver, _):
        assert isinstance(await resolver.addresses("a.example.com", ()), Missing)


async def test_an_alias_is_followed() -> None:
    async with asking() as (resolver, _):
        answer = await resolver.addresses("alias.example.com", ("ipv4",))
    assert isinstance(answer, Found)
    assert sorted(answer.records) == ["192.0.2.1", "192.0.2.2"]


async def test_a_host_with_one_family_is_found_though_the_other_is_in_trouble() -> None:
    async with asking() as (resolver, names):
        names.zone.fault("four.example.com", DnsFault.SERVFAIL, "AAAA")
        answer = await resolver.addresses("four.example.com")
    assert isinstance(answer, Found)
    assert answer.records == ("192.0.2.4",)


async def test_trouble_with_one_family_is_no_proof_that_the_host_is_missing() -> None:
    async with asking() as (resolver, names):
        names.zone.set("empty.example.com", "TXT", "x")
        names.zone.fault("empty.example.com", DnsFault.SERVFAIL, "AAAA")
        assert isinstance(await resolver.addresses("empty.example.com"), Trouble)


# --- how a look-up can end ---


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nobody.example", Missing(domain=False, ttl=60)),
        ("a.example.com", Missing(domain=True, ttl=60)),
        ("x" * 64 + ".example", Missing(domain=False, ttl=LONGEST_NO)),
        ("a..example", Missing(domain=False, ttl=LONGEST_NO)),
        ("", Missing(domain=False, ttl=LONGEST_NO)),
        (".".join(["x" * 60] * 5), Missing(domain=False, ttl=LONGEST_NO)),
    ],
)
async def test_a_clear_no_is_missing(name: str, expected: Missing) -> None:
    async with asking() as (resolver, _):
        assert await resolver.mx(name) == expected


@pytest.mark.parametrize("fault", [DnsFault.SERVFAIL, DnsFault.REFUSED, DnsFault.SILENCE, DnsFault.GARBAGE])
async def test_whatever_is_no_answer_is_trouble(fault: DnsFault, skip_waits: Callable[[], None]) -> None:
    skip_waits()
    async with asking(lifetime=SHORT, patience=3 * SHORT) as (resolver, names):
        names.zone.fault("*", fault)
        answer = await resolver.mx("example.com")
    assert isinstance(answer, Trouble)
    assert "example.com" in answer.text


async def test_a_lame_delegation_is_never_a_missing_domain() -> None:
    async with asking(lifetime=SHORT, patience=3 * SHORT) as (resolver, names):
        names.zone.fault("example.com", DnsFault.LAME)
        answer = await resolver.mx("example.com")
    assert isinstance(answer, Trouble) or (isinstance(answer, Missing) and answer.domain)


async def test_an_answer_too_large_for_udp_is_fetched_over_tcp() -> None:
    zone = Zone()
    zone.add("big.example", "TXT", *(f"{at:02}" + "x" * 250 for at in range(20)))
    async with asking(zone) as (resolver, names):
        names.zone.fault("big.example", DnsFault.TRUNCATED)
        answer = await resolver.txt("big.example")
        assert {query.transport for query in names.queries} == {"udp", "tcp"}
    assert isinstance(answer, Found)
    assert len(answer.records) == 20


async def test_an_answer_that_can_not_be_fetched_whole_is_trouble() -> None:
    async with asking(lifetime=SHORT, patience=3 * SHORT) as (resolver, names):
        names.zone.fault("example.com", DnsFault.TRUNCATED_FOR_GOOD)
        assert isinstance(await resolver.mx("example.com"), Trouble)


async def test_a_circle_of_aliases_is_no_address() -> None:
    zone = Zone("one.example CNAME two.example\ntwo.example CNAME one.example")
    async with asking(zone, lifetime=SHORT, patience=3 * SHORT) as (resolver, _):
        assert not isinstance(await resolver.addresses("one.example"), Found)


async def test_a_name_that_is_not_in_a_labels_is_never_converted_here() -> None:
    async with asking() as (resolver, names):
        answer = await resolver.mx("straße.example")
        assert names.queries == []
    assert isinstance(answer, Trouble)


async def test_no_search_domain_is_ever_appended() -> None:
    async with asking("mail.example A 192.0.2.1") as (resolver, names):
        await resolver.addresses("mail", ("ipv4",))
        assert {query.name for query in names.queries} == {"mail"}


# --- limits ---


async def test_a_flood_of_exchangers_and_addresses_is_cut() -> None:
    zone = Zone()
    zone.add("flood.example", "MX", *(f"{at} mx{at}.flood.example" for at in range(1000)))
    zone.add("host.example", "A", *(f"192.0.2.{at}" for at in range(200)))
    zone.add("host.example", "AAAA", *(f"2001:db8::{at:x}" for at in range(200)))
    async with asking(zone) as (resolver, _):
        exchangers = await resolver.mx("flood.example")
        addresses = await resolver.addresses("host.example")
    assert isinstance(exchangers, Found)
    assert [mx.preference for mx in exchangers.records] == list(range(MX_LIMIT))
    assert isinstance(addresses, Found)
    assert len(addresses.records) == ADDRESS_LIMIT
    assert {":" in ip for ip in addresses.records} == {True, False}


# --- the cache ---


async def test_an_answer_is_asked_for_once_while_it_lives() -> None:
    clock = Clock()
    async with asking(clock=clock) as (resolver, names):
        await resolver.mx("example.com")
        clock.now += 59.5
        answer = await resolver.mx("Example.com.")
        assert names.asked("example.com", "MX") == 1
        assert isinstance(answer, Found)
        assert answer.ttl == 0
        clock.now += 0.5
        await resolver.mx("example.com")
        assert names.asked("example.com", "MX") == 2


async def test_a_no_is_remembered_too_but_trouble_never() -> None:
    async with asking() as (resolver, names):
        await resolver.mx("nobody.example")
        await resolver.mx("nobody.example")
        assert names.asked("nobody.example", "MX") == 1
        names.zone.fault("example.com", DnsFault.SERVFAIL)
        await resolver.mx("example.com")
        names.zone.fault("example.com", None)
        assert isinstance(await resolver.mx("example.com"), Found)


async def test_a_fresh_look_up_goes_past_the_cache_and_renews_it() -> None:
    async with asking() as (resolver, names):
        await resolver.mx("example.com")
        names.zone.set("example.com", "MX", "5 new.example.com")
        fresh = await resolver.mx("example.com", fresh=True)
        cached = await resolver.mx("example.com")
    assert isinstance(fresh, Found)
    assert fresh.records == (Mx(5, "new.example.com"),)
    assert isinstance(cached, Found)
    assert cached.records == fresh.records


async def test_the_cache_does_not_follow_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asking() as (resolver, names):
        await resolver.mx("example.com")
        there = time.time() + 86_400 * 365
        monkeypatch.setattr(time, "time", lambda: there)
        await resolver.mx("example.com")
        assert names.asked("example.com", "MX") == 1


async def test_a_clock_that_is_set_back_in_a_look_up_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = time.time, iter([1e9])
    monkeypatch.setattr(time, "time", lambda: real() + next(calls, 0.0))
    async with asking() as (resolver, _):
        assert isinstance(await resolver.mx("example.com"), Found)


async def test_the_cache_is_bounded() -> None:
    assert CACHE_SIZE <= 10_000
    async with asking(cache_size=2) as (resolver, names):
        for _ in range(2):
            for name in ("example.com", "null.example", "nobody.example"):
                await resolver.mx(name)
        assert names.asked("example.com", "MX") == 2


async def test_answers_that_only_fill_memory_are_not_remembered() -> None:
    """Ten thousand names with 64 KiB of text each would be 640 MiB; a customer's SPF record names them."""
    async with asking() as (resolver, names):
        names.zone.add("heavy.example", "TXT", *(f"{number:03}" + "x" * 1000 for number in range(20)))
        names.zone.add("light.example", "TXT", "x" * 1000)
        for _ in range(2):
            for name in ("heavy.example", "light.example"):
                assert isinstance(await resolver.txt(name), Found)
        assert names.asked("light.example", "TXT") == 1
        assert names.asked("heavy.example", "TXT") == 4  # each time over UDP, and then whole over TCP


def test_no_answer_lives_longer_than_a_day() -> None:
    assert LONGEST_TTL == 86_400


async def test_many_who_ask_the_same_are_one_question() -> None:
    async with asking() as (resolver, names):
        answers = await asyncio.gather(*(resolver.mx("example.com") for _ in range(50)))
        assert names.asked("example.com", "MX") == 1
    assert len({id(answer) for answer in answers}) == 1


async def test_one_who_stops_waiting_does_not_take_the_answer_from_the_others() -> None:
    async with asking() as (resolver, _):
        first = asyncio.create_task(resolver.mx("example.com"))
        second = asyncio.create_task(resolver.mx("example.com"))
        await asyncio.wait([first], timeout=0)
        first.cancel()
        assert isinstance(await second, Found)


async def test_whoever_asks_while_the_resolver_is_closed_gets_an_answer_too() -> None:
    async with asking() as (resolver, names):
        names.zone.fault("*", DnsFault.SILENCE)
        task = asyncio.create_task(resolver.mx("example.com"))
        await asyncio.wait([task], timeout=0)
        await resolver.close()
        assert isinstance(await task, Trouble)


# --- which nameservers ---


async def test_the_next_nameserver_is_asked_when_one_is_dead(skip_waits: Callable[[], None]) -> None:
    skip_waits()
    async with NameServer(Zone(ZONE)) as names:
        resolver = Resolver(["127.0.0.1:1", names.address], lifetime=1.0)
        assert isinstance(await resolver.mx("example.com"), Found)


async def test_the_systems_nameservers_are_read_again_when_they_change(tmp_path: Path) -> None:
    """resolv.conf has no ports, so only that it is read shows here."""
    system = tmp_path / "resolv.conf"
    system.write_text("nameserver 192.0.2.53\n")
    resolver = Resolver(system=str(system), lifetime=0.01, patience=0.05)
    await resolver.mx("example.com")
    assert resolver._library.nameservers == ["192.0.2.53"]
    replacement = tmp_path / "new"
    replacement.write_text("nameserver 192.0.2.54\n")
    replacement.rename(system)
    await resolver.mx("example.com")
    assert resolver._library.nameservers == ["192.0.2.54"]
    system.unlink()
    assert isinstance(await resolver.mx("example.com"), Trouble)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 53),
        ("192.0.2.53:5353", "192.0.2.53", 5353),
        ("2001:db8::53", "2001:db8::53", 53),
        ("[2001:db8::53]", "2001:db8::53", 53),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353),
    ],
)
def test_a_nameserver_is_an_address_with_or_without_port(text: str, address: str, port: int) -> None:
    (server,) = Resolver([text])._library.nameservers
    assert (server.address, server.port) == (address, port)  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["dns.example", "192.0.2.53:x", "127.1", ""])
def test_a_nameserver_that_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Resolver([text])


async def test_a_service_is_found_best_first_and_a_dot_says_there_is_none() -> None:
    zone = """
_submissions._tcp.example.com  SRV  20 0 465 spare.example.com.
_submissions._tcp.example.com  SRV  10 1 465 light.example.com.
_submissions._tcp.example.com  SRV  10 9 465 Heavy.example.com.
_submission._tcp.example.com   SRV  0 0 0 .
"""
    async with asking(zone) as (resolver, _):
        found = await resolver.srv("_submissions._tcp.example.com")
        none = await resolver.srv("_submission._tcp.example.com")
        missing = await resolver.srv("_imaps._tcp.example.com")
    assert isinstance(found, Found)
    assert [one.host for one in found.records] == [
        "heavy.example.com",
        "light.example.com",
        "spare.example.com",
    ]
    assert isinstance(none, Found)
    assert [one.host for one in none.records] == [""]
    assert isinstance(missing, Missing)


async def test_nameservers_are_those_of_a_zone_that_begins_at_the_name() -> None:
    zone = Zone(ZONE)
    zone.add("example.com", "NS", "ns2.example.net", "NS1.example.net")
    zone.add("www.example.org", "CNAME", "example.com")
    async with asking(zone) as (resolver, _):
        there = await resolver.ns("example.com")
        below = await resolver.ns("a.example.com")
        behind_an_alias = await resolver.ns("www.example.org")
    assert isinstance(there, Found)
    assert set(there.records) == {"ns1.example.net", "ns2.example.net"}
    assert below == Missing(domain=True, ttl=60)
    assert behind_an_alias == Missing(domain=True, ttl=60)


async def test_an_alias_is_told_one_step_far() -> None:
    async with asking() as (resolver, _):
        assert await resolver.cname("alias.example.com") == Found(records=("a.example.com",), ttl=60)
        assert await resolver.cname("a.example.com") == Missing(domain=True, ttl=60)
