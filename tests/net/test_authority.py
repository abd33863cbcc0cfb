"""Real nameservers on loopback addresses of their own, and a resolver that may lag behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.records.answers import Found, Missing, Mx, Told
from relayd.net.authority import CUTS, REST, SILENT, Authority, _Question, _read
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.net.rdata import question, txt
from relayd.sandbox.zone import DnsFault, NameServer, Zone

DELEGATION = """
acme.example             NS   ns1.acme.example
acme.example             NS   ns2.acme.example
ns1.acme.example         A    127.0.0.2
ns2.acme.example         A    127.0.0.3
platform.example         NS   ns.platform.example
ns.platform.example      A    127.0.0.3
"""


@dataclass(kw_only=True)
class Bench:
    names: NameServer  # that the resolver asks
    resolving: Zone  # what it answers from
    first: NameServer
    second: NameServer
    resolver: Resolver
    authority: Authority

    def publish(self, name: str, kind: str, *values: str) -> None:
        for server in (self.first, self.second):
            server.zone.set(name, kind, *values)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(NameServer(Zone(DELEGATION)))
        first, second = [
            await stack.enter_async_context(NameServer(Zone("acme.example TXT here"), host=host))
            for host in ("127.0.0.2", "127.0.0.3")
        ]
        resolver = Resolver([names.address], lifetime=1.0, patience=1.0)
        operators = [first.address, second.address]
        authority = Authority(resolver, Guard(), operators=operators, patience=1.5)
        yield Bench(
            names=names,
            resolving=names.zone,
            first=first,
            second=second,
            resolver=resolver,
            authority=authority,
        )
        await resolver.close()


async def test_the_zones_own_servers_say_what_a_resolver_may_not_know_yet(bench: Bench) -> None:
    bench.publish("r1._domainkey.acme.example", "TXT", "v=DKIM1; p=AAAA")
    assert isinstance(await bench.resolver.txt("r1._domainkey.acme.example"), Missing)
    assert await bench.authority.txt("r1._domainkey.ACME.example.") == Told(
        answer=Found(records=("v=DKIM1; p=AAAA",), ttl=60), servers=("ns1.acme.example", "ns2.acme.example")
    )


async def test_the_resolver_is_not_asked_about_a_name_that_may_not_be_there_yet(bench: Bench) -> None:
    """What it hears to be missing it believes for as long as the zone says, whatever comes meanwhile."""
    for name in ("r1._domainkey.acme.example", "_dmarc.acme.example"):
        assert await bench.authority.txt(name) is not None
    assert {query.name for query in bench.names.queries if "_" in query.name} == set()


async def test_a_name_and_a_record_that_are_not_there_are_told_apart(bench: Bench) -> None:
    nothing = await bench.authority.txt("x.acme.example")
    assert nothing is not None
    assert nothing.answer == Missing(domain=False, ttl=60)
    no_mx = await bench.authority.mx("acme.example")
    assert no_mx is not None
    assert no_mx.answer == Missing(domain=True, ttl=60)


async def test_every_kind_is_read(bench: Bench) -> None:
    bench.publish("acme.example", "MX", "20 b.example", "10 a.example")
    bench.publish("bounce.acme.example", "CNAME", "Bounce.platform.example")
    found = await bench.authority.mx("acme.example")
    assert found is not None
    assert found.answer == Found(records=(Mx(10, "a.example"), Mx(20, "b.example")), ttl=60)
    alias = await bench.authority.cname("bounce.acme.example")
    assert alias is not None
    assert alias.answer == Found(records=("bounce.platform.example",), ttl=60)


async def test_an_alias_is_followed_to_the_servers_of_the_other_zone(bench: Bench) -> None:
    bench.publish("r1._domainkey.acme.example", "CNAME", "r1._domainkey.platform.example")
    # somebody's server may say anything about other people's names; only theirs is believed
    bench.first.zone.set("r1._domainkey.platform.example", "TXT", "forged")
    bench.second.zone.set("r1._domainkey.platform.example", "TXT", "v=DKIM1; p=AAAA")
    told = await bench.authority.txt("r1._domainkey.acme.example")
    assert told == Told(answer=Found(records=("v=DKIM1; p=AAAA",), ttl=60), servers=("ns.platform.example",))


async def test_servers_that_say_something_else_are_named(bench: Bench) -> None:
    bench.first.zone.set("acme.example", "TXT", "new")
    told = await bench.authority.txt("acme.example")
    assert told is not None
    assert {*told.servers, *told.others} == {"ns1.acme.example", "ns2.acme.example"}
    assert len(told.others) == 1


@pytest.mark.parametrize("fault", [DnsFault.SILENCE, DnsFault.SERVFAIL, DnsFault.GARBAGE, DnsFault.LAME])
async def test_one_server_that_does_not_answer_leaves_the_other(
    bench: Bench, fault: DnsFault, skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    bench.first.zone.fault("*", fault)
    told = await bench.authority.txt("acme.example")
    assert told is not None
    assert (told.servers, told.others) == (("ns2.acme.example",), ())
    bench.second.zone.fault("*", fault)
    assert await bench.authority.txt("acme.example") is None


async def test_a_long_answer_comes_over_tcp(bench: Bench) -> None:
    bench.publish("acme.example", "TXT", *("x" * 250 for _ in range(1)), "y" * 4000)
    told = await bench.authority.txt("acme.example")
    assert told is not None
    assert isinstance(told.answer, Found)
    assert "y" * 4000 in told.answer.records


async def test_servers_in_our_own_network_are_not_asked_unless_they_are_the_operators(bench: Bench) -> None:
    strict = Authority(bench.resolver, Guard())
    assert await strict.txt("acme.example") is None
    assert bench.first.queries == []
    assert bench.second.queries == []


async def test_where_no_zone_is_known_nobody_is_asked(bench: Bench) -> None:
    for name in ("other.example", "example", "", "ä.example", "a" * 64 + ".example", "127.0.0.1"):
        assert await bench.authority.txt(name) is None


async def test_a_circle_of_aliases_ends(bench: Bench) -> None:
    bench.publish("a.acme.example", "CNAME", "a.platform.example")
    bench.second.zone.set("a.platform.example", "CNAME", "a.acme.example")
    assert await bench.authority.txt("a.acme.example") is None


async def test_a_name_of_many_labels_costs_few_questions(bench: Bench) -> None:
    bench.publish("r1._domainkey.acme.example", "CNAME", f"{'a.' * 110}acme.other")
    assert await bench.authority.txt("r1._domainkey.acme.example") is None
    asked = [query for query in bench.names.queries if query.name.endswith("acme.other")]
    assert 0 < len(asked) <= CUTS


async def test_the_zone_of_an_aliass_target_is_not_taken_for_the_names_own(bench: Bench) -> None:
    bench.resolving.set("bounce.acme.example", "CNAME", "platform.example")
    bench.publish("bounce.acme.example", "CNAME", "platform.example")
    told = await bench.authority.cname("bounce.acme.example")
    assert told is not None
    assert told.servers == ("ns1.acme.example", "ns2.acme.example")


async def test_a_network_that_lets_nobody_ask_is_noticed_and_tried_again_later(
    bench: Bench, skip_waits: Callable[[], None]
) -> None:
    skip_waits()
    now = 0.0
    strict = Authority(
        bench.resolver,
        Guard(),
        operators=[bench.first.address, bench.second.address],
        patience=0.15,
        monotonic=lambda: now,
    )
    for server in (bench.first, bench.second):
        server.zone.fault("*", DnsFault.SILENCE)
    for number in range(SILENT + 2):
        zone = f"z{number}.example"
        bench.resolving.add(zone, "NS", "ns1.acme.example")
        assert await strict.txt(zone) is None
        assert await strict.txt(zone) is None  # the same zone again is no further one
    asked = len(bench.first.queries)
    assert asked == 2 * SILENT - 1  # then nobody is asked for a while
    now = REST
    for server in (bench.first, bench.second):
        server.zone.fault("*", None)
    assert await strict.txt("acme.example") is not None
    bench.first.zone.fault("*", DnsFault.SILENCE)
    for number in range(SILENT - 1):
        assert await strict.txt(f"z{number}.example") is None
    assert await strict.txt("acme.example") is not None  # whose other server answers


async def test_who_stops_waiting_stops_the_look_up(bench: Bench) -> None:
    bench.first.zone.fault("*", DnsFault.SILENCE)
    bench.second.zone.fault("*", DnsFault.SILENCE)
    task = asyncio.create_task(bench.authority.txt("acme.example"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


names = st.sampled_from(["acme.example", "x.acme.example", "platform.example", "example", "."])
rows = st.lists(
    st.one_of(
        st.tuples(names, st.just("CNAME"), names),
        st.tuples(
            names, st.just("TXT"), st.sampled_from(['"a"', '"\\255\\000"', '"" ""', '"' + "z" * 255 + '"'])
        ),
        st.tuples(names, st.just("A"), st.just("127.0.0.1")),
    ),
    max_size=6,
)


@given(rows, st.sampled_from([0, 2, 3, 5]))
def test_whatever_a_hostile_server_answers_is_read_within_its_own_zone(
    answer: list[tuple[str, str, str]], code: int
) -> None:
    response = dns.message.make_response(dns.message.make_query("acme.example.", "TXT"))
    response.flags |= dns.flags.AA
    response.set_rcode(code)  # type: ignore[arg-type]
    for name, kind, value in answer:
        value = value.rstrip(".") + "." if kind == "CNAME" else value
        response.answer.append(
            dns.rrset.from_text(question(name.rstrip(".")) if name != "." else ".", 60, "IN", kind, value)
        )
    said = _read(response, _Question(question("acme.example"), "TXT", question("acme.example"), txt))
    if isinstance(said, Found):
        assert any(kind == "TXT" and name.endswith("acme.example") for name, kind, _ in answer)
