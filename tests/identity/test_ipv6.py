"""IPv6 is used where our address has a name that leads back to it, and SPF covers it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayd.identity.ipv6 import families
from relayd.identity.returnpaths import Egress
from relayd.net.dns import Resolver
from relayd.sandbox.zone import DnsFault, NameServer, Zone

OURS = "2001:db8:25::1"
BOTH = ("ipv6", "ipv4")
BOUNCE = "bounce.my.platform.example"
HERE = Egress(addresses=(OURS,), hostname="relay.example.net")
NOWHERE = Egress(addresses=(), hostname="relay.example.net")


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with NameServer(Zone()) as server:
        yield server


@pytest.fixture
async def resolver(names: NameServer) -> AsyncIterator[Resolver]:
    resolver = Resolver([names.address], lifetime=0.2)
    yield resolver
    await resolver.close()


async def test_a_name_that_leads_back_lets_mail_leave_over_ipv6(
    names: NameServer, resolver: Resolver
) -> None:
    names.zone.add(OURS, "PTR", "relay.example.net.")
    names.zone.add("relay.example.net", "AAAA", OURS)
    names.zone.add(BOUNCE, "TXT", f"v=spf1 ip6:{OURS} -all")

    found = await families(BOTH, resolver, HERE, BOUNCE)

    assert (found.use, found.note) == (BOTH, None)


async def test_without_a_name_it_stays_off_and_the_operator_is_told(resolver: Resolver) -> None:
    found = await families(BOTH, resolver, HERE, BOUNCE)

    assert found.use == ("ipv4",)
    assert found.note is not None
    assert f"{OURS} has no PTR record" in found.note


async def test_a_name_that_leads_elsewhere_is_none(names: NameServer, resolver: Resolver) -> None:
    names.zone.add(OURS, "PTR", "host-1.hoster.example.")
    names.zone.add("host-1.hoster.example", "AAAA", "2001:db8:25::2")

    found = await families(BOTH, resolver, HERE, BOUNCE)

    assert found.use == ("ipv4",)
    assert found.note is not None
    assert "host-1.hoster.example" in found.note


@pytest.mark.parametrize("record", [None, "v=spf1 ip4:192.0.2.1 -all", "v=spf1 ip4:192.0.2.1 ~all"])
async def test_an_address_that_spf_does_not_cover_is_not_used(
    names: NameServer, resolver: Resolver, record: str | None
) -> None:
    names.zone.add(OURS, "PTR", "relay.example.net.")
    names.zone.add("relay.example.net", "AAAA", OURS)
    if record is not None:
        names.zone.add(BOUNCE, "TXT", record)

    found = await families(BOTH, resolver, HERE, BOUNCE)

    assert found.use == ("ipv4",)
    assert found.note is not None
    assert f"Add ip6:{OURS} to its record" in found.note


async def test_spf_that_can_not_be_looked_up_is_no_proof(names: NameServer, resolver: Resolver) -> None:
    names.zone.add(OURS, "PTR", "relay.example.net.")
    names.zone.add("relay.example.net", "AAAA", OURS)
    names.zone.fault(BOUNCE, DnsFault.SERVFAIL)

    found = await families(BOTH, resolver, HERE, BOUNCE)

    assert found.use == ("ipv4",)
    assert found.note is not None
    assert "asked again" in found.note


async def test_dns_in_trouble_is_no_proof(names: NameServer, resolver: Resolver) -> None:
    names.zone.fault("*", DnsFault.SERVFAIL)

    found = await families(BOTH, resolver, HERE, BOUNCE)

    assert found.use == ("ipv4",)
    assert found.note is not None


async def test_where_nothing_else_is_wanted_it_is_used_all_the_same(resolver: Resolver) -> None:
    found = await families(("ipv6",), resolver, HERE, BOUNCE)

    assert found.use == ("ipv6",)
    assert found.note is not None
    assert "refuse" in found.note


@pytest.mark.parametrize(
    ("wanted", "use"), [(BOTH, ("ipv4",)), (("ipv4",), ("ipv4",)), (("ipv6",), ("ipv6",))]
)
async def test_a_host_without_ipv6_needs_no_telling(
    resolver: Resolver, wanted: tuple[str, ...], use: tuple[str, ...]
) -> None:
    found = await families(wanted, resolver, NOWHERE, BOUNCE)

    assert (found.use, found.note) == (use, None)
