"""The platform's own side, against a zone that is well and then ill in one way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from relayd.core.doctor import Finding, Health
from relayd.core.records import dkimkey
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.domainreport import Ours
from relayd.core.settings import Settings
from relayd.identity import doctor as doctors
from relayd.identity.doctor import Doctor
from relayd.identity.domainreport import Reporter
from relayd.identity.returnpaths import Egress
from relayd.net.authority import Authority
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.sandbox.zone import DnsFault, NameServer, Zone

IP, IP6 = "93.184.216.34", "2606:2800:220:1::1"
KEY = OurKey(selector="r1", public_key=b"key")
WELL = f"""
net                                     NS   ns.net
example                                 NS   ns.example
relay.example.net                       A    {IP}
relay.example.net                       AAAA {IP6}
{IP}                                    PTR  relay.example.net
{IP6}                                   PTR  relay.example.net
my.platform.example                     MX   10 mx.my.platform.example
my.platform.example                     TXT  "v=spf1 include:bounce.my.platform.example -all"
mx.my.platform.example                  A    {IP}
bounce.my.platform.example              MX   10 mx.my.platform.example
bounce.my.platform.example              TXT  "v=spf1 ip4:{IP} ip6:{IP6} -all"
_dmarc.my.platform.example              TXT  "v=DMARC1; p=none"
gmail.com                               MX   10 mx.gmail.com
mx.gmail.com                            A    142.250.1.26
"""


@dataclass(kw_only=True)
class Bench:
    zone: Zone
    resolver: Resolver
    egress: tuple[str, ...] = (IP, IP6)
    settings: Any = None
    banner: str | OSError = "220 mx.gmail.com ESMTP"

    async def greeting(self, ip: str, port: int, timeout: float) -> str:
        assert (ip, port) == ("142.250.1.26", 25)
        if isinstance(self.banner, OSError):
            raise self.banner
        return self.banner

    async def all(self) -> list[Finding]:
        settings = Settings.model_validate(
            {
                "hostname": "relay.example.net",
                "platform": {
                    "domain": "my.platform.example",
                    "name": "Platform",
                    "return_path": "bounce.my.platform.example",
                    "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
                    **(self.settings or {}),
                },
            }
        )
        egress = Egress(addresses=self.egress, hostname="relay.example.net")
        ours = Ours(
            domain="my.platform.example",
            return_path="bounce.my.platform.example",
            selector="r1",
            keys=(KEY,),
            spf_include=settings.platform.spf_include or "bounce.my.platform.example",
        )
        reporter = Reporter(
            resolver=self.resolver,
            authority=Authority(self.resolver, Guard()),
            ours=lambda: ours,
            egress=lambda: egress,
            clock=lambda: datetime.now(UTC),
        )
        doctor = Doctor(
            settings=settings,
            resolver=self.resolver,
            guard=Guard(),
            egress=egress,
            check_domain=reporter.check,
            greeting=self.greeting,
        )
        return await doctor.findings()

    async def ill(self) -> list[tuple[str, Health]]:
        return ill(await self.all())


def ill(found: list[Finding]) -> list[tuple[str, Health]]:
    return [(each.check, each.health) for each in found if each.health is not Health.OK]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    zone = Zone(WELL)
    zone.add(KEY.name("my.platform.example"), "TXT", KEY.record)
    async with NameServer(zone) as names:
        resolver = Resolver([names.address], lifetime=0.5, patience=0.5)
        yield Bench(zone=zone, resolver=resolver)
        await resolver.close()


async def test_a_platform_that_is_well(bench: Bench) -> None:
    found = await bench.all()
    assert [each for each in found if each.health is not Health.OK] == []
    assert [each.check for each in found] == [
        *("nameserver", "addresses", "hostname", "ptr", "ptr", "port_25"),
        *("own_key", "own_spf", "own_dmarc", "return_path"),
        *("blocklist",) * 5,
    ]


async def test_without_dns_there_is_one_finding(bench: Bench) -> None:
    bench.zone.fault("*", DnsFault.SERVFAIL)
    assert await bench.ill() == [("nameserver", Health.BAD)]


@pytest.mark.parametrize(
    ("name", "kind", "values", "wrong"),
    [
        (IP, "PTR", None, [("ptr", Health.BAD)]),
        (IP, "PTR", ["other.example.net"], [("ptr", Health.BAD)]),
        (IP, "PTR", ["mx.my.platform.example"], [("ptr", Health.WARNING)]),
        ("relay.example.net", "AAAA", [], [("ptr", Health.BAD)]),
        ("relay.example.net", "A", ["93.184.216.99"], [("ptr", Health.BAD)]),
        ("bounce.my.platform.example", "MX", [], [("return_path", Health.BAD)]),
        (
            "bounce.my.platform.example",
            "TXT",
            [f"v=spf1 ip4:{IP} -all"],
            [("return_path", Health.BAD)],
        ),
        ("_dmarc.my.platform.example", "TXT", None, [("own_dmarc", Health.WARNING)]),
        (KEY.name("my.platform.example"), "TXT", None, [("own_key", Health.BAD)]),
        ("gmail.com", "MX", None, [("port_25", Health.UNKNOWN)]),
        ("mx.gmail.com", "A", ["127.0.0.1"], [("port_25", Health.BAD)]),
        ("mx.gmail.com", "A", None, [("port_25", Health.UNKNOWN)]),
        ("34.216.184.93.zen.spamhaus.org", "A", ["127.0.0.4"], [("blocklist", Health.BAD)]),
        ("34.216.184.93.zen.spamhaus.org", "A", ["127.255.255.254"], [("blocklist", Health.UNKNOWN)]),
        ("my.platform.example.dbl.spamhaus.org", "A", ["127.0.1.2"], [("blocklist", Health.BAD)]),
    ],
)
async def test_one_thing_that_is_wrong_is_one_finding_with_a_remedy(
    bench: Bench, name: str, kind: str, values: list[str] | None, wrong: list[tuple[str, Health]]
) -> None:
    if values is None:
        bench.zone.remove(name, kind)
    else:
        bench.zone.set(name, kind, *values)
    found = await bench.all()
    assert ill(found) == wrong
    for each in found:
        assert bool(each.remedy) == (each.health in (Health.BAD, Health.WARNING))


async def test_a_name_that_leads_nowhere_or_elsewhere(bench: Bench) -> None:
    bench.egress = (IP,)
    bench.zone.remove("relay.example.net")
    assert ("hostname", Health.BAD) in await bench.ill()


async def test_a_name_that_leads_to_another_machine(bench: Bench) -> None:
    bench.egress = (IP,)
    bench.zone.set("relay.example.net", "A", "93.184.216.99")
    bench.zone.remove("relay.example.net", "AAAA")
    bench.zone.set(IP, "PTR", "mx.my.platform.example")
    assert await bench.ill() == [("hostname", Health.WARNING), ("ptr", Health.WARNING)]


async def test_a_weak_key_is_to_be_changed_not_published(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dkimkey, "rsa_bits", lambda key: 1024)
    [found] = [each for each in await bench.all() if each.health is not Health.OK]
    assert (found.check, found.remedy) == ("own_key", "change the key: relayd dkim rotate")


@pytest.mark.parametrize("include", ["my.platform.example", "spf.my.platform.example"])
async def test_what_customers_include_must_let_our_addresses_pass(bench: Bench, include: str) -> None:
    bench.settings = {"spf_include": include}
    bench.zone.set(include, "TXT", f"v=spf1 ip4:{IP} -all")
    [found] = [each for each in await bench.all() if each.about == include and each.check == "own_spf"]
    assert found.health is Health.BAD
    assert f"ip6:{IP6}" in str(found.remedy)
    bench.zone.remove(include, "TXT")
    [found] = [each for each in await bench.all() if each.about == include and each.check == "own_spf"]
    assert (found.health, found.remedy) == (Health.BAD, f'publish TXT "v=spf1 ip4:{IP} ip6:{IP6} -all"')
    bench.zone.set(include, "TXT", f"v=spf1 ip4:{IP} ip6:{IP6} -all")
    [found] = [each for each in await bench.all() if each.about == include and each.check == "own_spf"]
    assert found.health is Health.OK


async def test_without_addresses_nobody_says_that_spf_passes(bench: Bench) -> None:
    bench.egress = ()
    assert ("return_path", Health.UNKNOWN) in await bench.ill()


async def test_trouble_with_one_name_is_no_finding_against_it(bench: Bench) -> None:
    bench.egress = (IP,)
    for name in ("relay.example.net", IP, "bounce.my.platform.example"):
        bench.zone.fault(name, DnsFault.SERVFAIL, "PTR" if name == IP else None)
    bench.zone.fault("34.216.184.93.in-addr.arpa", DnsFault.SERVFAIL)
    found = dict(await bench.ill())
    assert found["hostname"] is Health.UNKNOWN
    assert found["ptr"] is Health.UNKNOWN
    assert found["return_path"] in (Health.UNKNOWN, Health.BAD)


async def test_addresses_that_are_not_known_or_not_public(bench: Bench) -> None:
    bench.egress = ()
    assert ("addresses", Health.WARNING) in await bench.ill()
    bench.egress = ("10.1.2.3",)
    assert ("ptr", Health.WARNING) in await bench.ill()


@pytest.mark.parametrize(
    "banner", ["554 no", ConnectionRefusedError(111, "Connection refused"), TimeoutError()]
)
async def test_port_25_is_closed_when_nobody_large_answers(bench: Bench, banner: str | OSError) -> None:
    bench.banner = banner
    assert await bench.ill() == [("port_25", Health.BAD)]


async def test_with_a_smarthost_nobody_needs_port_25_or_a_reverse_name(bench: Bench) -> None:
    bench.banner = TimeoutError()
    bench.zone.remove(IP)
    bench.settings = {"smarthost": {"host": "smtp.example.net"}}
    assert await bench.ill() == []


async def test_what_takes_too_long_is_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctors, "PATIENCE", 0.0)
    assert {health for _, health in await bench.ill()} == {Health.UNKNOWN}
