"""Whatever strangers' DNS answers, a look at a domain and the doctor end with a report that can be shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from relayd.core.doctor import Finding
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.domainreport import Ours, State
from relayd.core.settings import Settings
from relayd.identity.doctor import Doctor
from relayd.identity.domainreport import Reporter, Shown
from relayd.identity.returnpaths import Egress
from relayd.net.authority import Authority
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.sandbox.zone import DnsFault, NameServer, Zone
from relayd.web.domains import as_dict

KEY = OurKey(selector="r1", public_key=b"key")
OURS = Ours(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    keys=(KEY,),
    spf_include="my.platform.example",
)
SETTINGS = Settings.model_validate(
    {
        "hostname": "relay.example.net",
        "platform": {
            "domain": "my.platform.example",
            "name": "Platform",
            "return_path": "bounce.my.platform.example",
            "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
        },
    }
)

names = st.sampled_from(
    [
        *("acme.example", "r1._domainkey.acme.example", "r2._domainkey.acme.example", "_dmarc.acme.example"),
        *("bounce.acme.example", "my.platform.example", "bounce.my.platform.example", "relay.example.net"),
        *("1.2.0.192.zen.spamhaus.org", "1.2.0.192.in-addr.arpa", "gmail.com", "example", "net", "x.example"),
    ]
)
octets = st.binary(max_size=300).map(lambda raw: "".join(f"\\{octet:03d}" for octet in raw[:255]))
known = st.sampled_from(
    [
        *("v=spf1 include:acme.example -all", "v=spf1 redirect=my.platform.example", "v=spf1 mx a ptr -all"),
        *("v=spf1 exists:%{i}._spf.%{d} ?all", "v=DMARC1; p=reject", "v=DMARC1; p=", "v=DKIM1; p=AAAA"),
        *(KEY.record, KEY.record + "; t=y", "v=spf1 " + "include:x.example " * 12),
    ]
).map(lambda text: " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255)))
rows = st.one_of(
    st.tuples(names, st.just("TXT"), octets.map(lambda text: f'"{text}"') | known),
    st.tuples(names, st.just("CNAME"), names),
    st.tuples(names, st.just("NS"), st.just("ns.example")),
    st.tuples(names, st.just("PTR"), names),
    st.tuples(names, st.just("MX"), names.map(lambda name: f"0 {name}") | st.just("0 .")),
    st.tuples(names, st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(names, st.just("AAAA"), st.ip_addresses(v=6).map(str)),
)
faults = st.lists(
    st.tuples(names, st.sampled_from([DnsFault.SERVFAIL, DnsFault.REFUSED, DnsFault.GARBAGE, DnsFault.LAME])),
    max_size=2,
)


async def looked(
    records: list[tuple[str, str, str]], ill: list[tuple[str, DnsFault]], skip_waits: Callable[[], None]
) -> tuple[Shown, list[Finding]]:
    skip_waits()
    zone = Zone()
    for name, kind, value in [("ns.example", "A", "127.0.0.1"), *records]:
        zone.add(name, kind, value)
    for name, fault in ill:
        zone.fault(name, fault)
    async with NameServer(zone) as server:
        resolver = Resolver([server.address], lifetime=0.3, patience=0.3)
        egress = Egress(addresses=("192.0.2.1",), hostname="relay.example.net")
        reporter = Reporter(
            resolver=resolver,
            authority=Authority(resolver, Guard(), operators=[server.address], patience=0.3),
            ours=lambda: OURS,
            egress=lambda: egress,
            clock=lambda: datetime.now(UTC),
        )
        doctor = Doctor(
            settings=SETTINGS,
            resolver=resolver,
            guard=Guard(),
            egress=egress,
            check_domain=reporter.check,
            greeting=nobody,
        )
        try:
            return await reporter.check("acme.example"), await doctor.findings()
        finally:
            await resolver.close()


async def nobody(ip: str, port: int, timeout: float) -> str:
    assert Guard().refusal(ip) is None  # what DNS names and we must not reach is not reached
    raise ConnectionRefusedError(111, "Connection refused")


@settings(max_examples=30)
@given(st.lists(rows, max_size=12), faults)
def test_a_look_at_any_zone_ends_with_a_report_that_can_be_shown(
    skip_waits: Callable[[], None], records: list[tuple[str, str, str]], ill: list[tuple[str, DnsFault]]
) -> None:
    shown, findings = asyncio.run(looked(records, ill, skip_waits))
    assert all(line.state in set(State) for line in shown.report.lines)
    assert len(shown.report.outlooks) == 4
    text = json.dumps(as_dict(shown, None), ensure_ascii=False)
    assert all(character.isprintable() for character in text)
    assert findings
    assert all(finding.text for finding in findings)
