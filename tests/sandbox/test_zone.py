"""The sandbox's name server, asked by a real resolver."""

from __future__ import annotations

import asyncio

import dns.asyncquery
import dns.asyncresolver
import dns.message
import dns.rcode
import dns.resolver
import pytest

from relayd.sandbox.zone import DnsFault, NameServer, Zone

TEXT = """
# what a customer's domain looks like
acme.example                MX   10 mx.acme.example
acme.example                MX   20 mx2.acme.example
mx.acme.example             A    127.0.0.2
mx.acme.example             AAAA ::1
127.0.0.2                   PTR  mx.acme.example
www.acme.example            CNAME mx.acme.example
loop.acme.example           CNAME loop.acme.example
acme.example                TXT  "v=spf1 -all"
null.example                MX   0 .
"""


def resolver(server: NameServer) -> dns.asyncresolver.Resolver:
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers, made.port, made.lifetime = [server.host], server.port, 5
    return made


async def ask(server: NameServer, name: str, kind: str) -> set[str]:
    return {answer.to_text() for answer in await resolver(server).resolve(name, kind)}


async def test_it_answers_every_kind_of_record() -> None:
    async with NameServer(Zone(TEXT)) as server:
        assert await ask(server, "acme.example", "MX") == {"10 mx.acme.example.", "20 mx2.acme.example."}
        assert await ask(server, "ACME.example", "TXT") == {'"v=spf1 -all"'}
        assert await ask(server, "www.acme.example", "A") == {"127.0.0.2"}
        assert await ask(server, "mx.acme.example", "AAAA") == {"::1"}
        assert await ask(server, "2.0.0.127.in-addr.arpa", "PTR") == {"mx.acme.example."}
        assert await ask(server, "null.example", "MX") == {"0 ."}
        assert server.asked("acme.example", "MX") == 1


async def test_a_name_that_is_missing_and_one_without_such_records_are_told_apart() -> None:
    async with NameServer(Zone(TEXT)) as server:
        with pytest.raises(dns.resolver.NXDOMAIN):
            await ask(server, "nothing.acme.example", "A")
        with pytest.raises(dns.resolver.NoAnswer):
            await ask(server, "acme.example", "A")
        with pytest.raises(dns.resolver.NoAnswer):  # RFC 8020: names below it exist, so it does
            await ask(server, "example", "A")


async def test_a_long_text_is_split_and_comes_over_tcp_when_it_does_not_fit() -> None:
    long = "v=DKIM1; p=" + "A" * 3000
    zone = Zone.of({"key.example": {"TXT": [long]}})
    async with NameServer(zone) as server:
        (answer,) = await resolver(server).resolve("key.example", "TXT")
        assert b"".join(answer.strings).decode() == long
        assert {query.transport for query in server.queries} == {"udp", "tcp"}


@pytest.mark.parametrize(
    ("fault", "code"),
    [(DnsFault.SERVFAIL, dns.rcode.SERVFAIL), (DnsFault.REFUSED, dns.rcode.REFUSED), (DnsFault.LAME, 0)],
)
async def test_it_answers_with_the_code_it_is_told(fault: DnsFault, code: int) -> None:
    zone = Zone(TEXT)
    zone.fault("acme.example", fault)
    async with NameServer(zone) as server:
        question = dns.message.make_query("acme.example", "MX")
        answer = await dns.asyncquery.udp(question, server.host, port=server.port, timeout=5)
        assert answer.rcode() == code
        assert answer.answer == []
        assert bool(answer.flags & dns.flags.AA) == (fault is not DnsFault.LAME)
        zone.fault("acme.example", None)
        assert len(await ask(server, "acme.example", "MX")) == 2


async def test_truncation_sends_the_asker_to_tcp() -> None:
    zone = Zone(TEXT)
    zone.fault("*", DnsFault.TRUNCATED)
    async with NameServer(zone) as server:
        assert len(await ask(server, "acme.example", "MX")) == 2
        zone.fault("*", DnsFault.TRUNCATED_FOR_GOOD)
        question = dns.message.make_query("acme.example", "MX")
        with pytest.raises(EOFError):
            await dns.asyncquery.udp_with_fallback(question, server.host, port=server.port, timeout=5)


async def test_silence_and_garbage_are_no_answer() -> None:
    zone = Zone(TEXT)
    zone.fault("acme.example", DnsFault.SILENCE, "MX")
    async with NameServer(zone) as server:
        assert await ask(server, "acme.example", "TXT") == {'"v=spf1 -all"'}
        question = dns.message.make_query("acme.example", "MX")
        with pytest.raises(dns.exception.Timeout):
            await dns.asyncquery.udp(question, server.host, port=server.port, timeout=0.05)
        zone.fault("acme.example", DnsFault.GARBAGE, "MX")
        with pytest.raises(dns.exception.DNSException):
            await dns.asyncquery.udp(question, server.host, port=server.port, timeout=5)


async def test_answers_change_from_question_to_question() -> None:
    zone = Zone(TEXT)
    zone.turns("rebind.example", "A", ["203.0.113.5"], ["127.0.0.1"])
    async with NameServer(zone) as server:
        assert await ask(server, "rebind.example", "A") == {"203.0.113.5"}
        assert await ask(server, "rebind.example", "A") == {"127.0.0.1"}
        assert await ask(server, "rebind.example", "A") == {"127.0.0.1"}
        zone.set("rebind.example", "A")
        with pytest.raises(dns.resolver.NoAnswer):
            await ask(server, "rebind.example", "A")
        zone.remove("rebind.example")
        with pytest.raises(dns.resolver.NXDOMAIN):
            await ask(server, "rebind.example", "A")


async def test_a_name_that_points_at_itself_ends() -> None:
    async with NameServer(Zone(TEXT)) as server:
        question = dns.message.make_query("loop.acme.example", "A")
        answer = await dns.asyncquery.udp(question, server.host, port=server.port, timeout=5)
        assert {record.rdtype.name for record in answer.answer} == {"CNAME"}


async def test_what_is_not_dns_gets_no_answer() -> None:
    server = NameServer(Zone(TEXT))
    assert server.answer(b"GET / HTTP/1.1\r\n", "tcp") is None
    async with server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"\x00\x02hi")
        assert await reader.read() == b""
        writer.close()
