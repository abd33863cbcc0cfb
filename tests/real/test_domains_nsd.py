"""Customers' domains as a real authoritative nameserver serves them from zone files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from relayd.core.phrases import domain as words
from relayd.core.phrases import spf as spf_words
from relayd.core.records import zonefile
from relayd.core.records.dkimkey import OurKey
from relayd.core.records.domainnotes import Code, Note
from relayd.core.records.domainreport import Line, Ours, Purpose, State
from relayd.core.records.spfsurvey import Code as Spf
from relayd.core.records.spfsurvey import Finding
from relayd.identity.domainreport import Reporter
from relayd.identity.returnpaths import Egress
from relayd.net.authority import Authority
from relayd.net.dns import Resolver
from relayd.net.egress import Guard

from .nsd_instance import nsd, why_not

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(60),
    pytest.mark.skipif(why_not() is not None, reason=why_not() or ""),
]

IP = "93.184.216.34"


def key(selector: str, bits: int = 2048) -> OurKey:
    public = rsa.generate_private_key(65537, bits).public_key()
    return OurKey(
        selector=selector,
        public_key=public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )


R1, WEAK = key("r1"), key("r1", 1024)
OURS = Ours(
    domain="my.platform.example",
    return_path="bounce.my.platform.example",
    selector="r1",
    keys=(R1,),
    spf_include="my.platform.example",
)
HEAD = "$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 120\n@ IN NS ns\nns IN A 127.0.0.1\n"
PLATFORM = (
    HEAD
    + f"""
@        IN MX 10 mx
@        IN TXT "v=spf1 ip4:{IP} -all"
mx       IN A {IP}
bounce   IN MX 10 mx
bounce   IN TXT "v=spf1 ip4:{IP} -all"
{zonefile.line(R1.name("my.platform.example"), "TXT", R1.record)}
"""
)
ALIASES = """
r1._domainkey IN CNAME r1._domainkey.my.platform.example.
r2._domainkey IN CNAME r2._domainkey.my.platform.example.
"""
TEN = "\n".join(f'n{n} IN TXT "v=spf1 ip4:192.0.2.{n} -all"' for n in range(10))
INCLUDES = " ".join(f"include:n{n}.eleven.example" for n in range(10))
ELEVEN = f"v=spf1 {INCLUDES} include:my.platform.example -all"
BOUNCE = "bounce IN CNAME bounce.my.platform.example.\n"
ZONES = {
    "my.platform.example": PLATFORM,
    "cname.example": HEAD
    + ALIASES
    + BOUNCE
    + '@ IN MX 10 mx.cname.example.\n_dmarc IN TXT "v=DMARC1; p=reject"',
    "text.example": HEAD + zonefile.line(R1.name("text.example"), "TXT", R1.record),
    "twospf.example": HEAD + '@ IN TXT "v=spf1 mx -all"\n@ IN TXT "v=spf1 a ~all"',
    "behind.example": HEAD + '@ IN TXT "v=spf1 mx -all include:my.platform.example"',
    "eleven.example": HEAD + TEN + "\n" + zonefile.line("eleven.example", "TXT", ELEVEN),
    "good.example": HEAD + '@ IN TXT "v=spf1 include:my.platform.example -all"',
    "revoked.example": HEAD + 'r1._domainkey IN TXT "v=DKIM1; p="',
    "testing.example": HEAD + zonefile.line(R1.name("testing.example"), "TXT", R1.record + "; t=y"),
    "weak.example": HEAD + zonefile.line(R1.name("weak.example"), "TXT", WEAK.record),
    "twokeys.example": HEAD
    + zonefile.line(R1.name("twokeys.example"), "TXT", R1.record)
    + "\n"
    + zonefile.line(R1.name("twokeys.example"), "TXT", WEAK.record),
    "cut.example": HEAD + f'r1._domainkey IN TXT "{R1.record[:255]}"',
    "huge.example": HEAD + "\n".join(f'@ IN TXT "{n:03}{"x" * 250}"' for n in range(200)),
    "binary.example": HEAD + 'r1._domainkey IN TXT "\\000\\255\\027[2J"\n@ IN TXT "v=spf1 \\200\\007 -all"',
}


@dataclass(kw_only=True)
class Bench:
    reporter: Reporter

    async def lines(self, domain: str) -> dict[Purpose, Line]:
        report = (await self.reporter.check(domain)).report
        assert report.servers == (f"ns.{domain}",)
        return {line.purpose: line for line in reversed(report.lines)}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("nsd")
    with nsd(folder, ZONES) as served:
        yield served.port


@pytest.fixture
async def bench(port: int) -> AsyncIterator[Bench]:
    """The nameserver is asked for all, as a resolver would be; and then itself, as the zone's own."""
    resolver = Resolver([f"127.0.0.1:{port}"], lifetime=2.0, patience=2.0)
    yield Bench(
        reporter=Reporter(
            resolver=resolver,
            authority=Authority(resolver, Guard(), operators=[f"127.0.0.1:{port}"]),
            ours=lambda: OURS,
            egress=lambda: Egress(addresses=(IP,), hostname="relay.example.net"),
            clock=lambda: datetime.now(UTC),
        )
    )
    await resolver.close()


def codes(line: Line) -> list[str]:
    return [note.code for note in line.notes]


async def test_aliases_to_the_platform_are_followed_through_both_zones(bench: Bench) -> None:
    report = (await bench.reporter.check("cname.example")).report
    lines = {(line.purpose, line.name): line for line in report.lines}
    first = lines[Purpose.DKIM, "r1._domainkey.cname.example"]
    second = lines[Purpose.DKIM, "r2._domainkey.cname.example"]
    assert (first.state, codes(first)) == (State.OK, [Code.ALIAS_OK])
    assert (second.state, codes(second)) == (State.OK, [Code.ALIAS_READY])
    assert lines[Purpose.RETURN_PATH, "bounce.cname.example"].state is State.OK
    dmarc = lines[Purpose.DMARC, "_dmarc.cname.example"]
    assert dmarc.notes == (Note(Code.DMARC_OK, {"wish": "reject", "where": "cname.example"}),)
    assert words.say(dmarc.notes[0], "en") == (
        "The domain asks receivers to refuse mail that fails (record of cname.example)."
    )


@pytest.mark.parametrize(
    ("domain", "state", "code"),
    [
        ("text.example", State.OK, Code.KEY_OK),
        ("good.example", State.MISSING, Code.KEY_MISSING),
        ("revoked.example", State.WRONG, Code.KEY_REVOKED),
        ("testing.example", State.WRONG, Code.KEY_TESTING),
        ("weak.example", State.WRONG, Code.KEY_OTHER),
        ("twokeys.example", State.DUPLICATE, Code.KEY_SEVERAL),
        ("cut.example", State.WRONG, Code.KEY_CUT_OFF),
        ("binary.example", State.WRONG, Code.KEY_INVISIBLE),
    ],
)
async def test_a_key_record_is_judged_as_it_is_served(
    bench: Bench, domain: str, state: State, code: Code
) -> None:
    line = (await bench.lines(domain))[Purpose.DKIM]
    assert (line.state, codes(line)[0]) == (state, code)
    assert all(seen.isprintable() for seen in line.seen)


@pytest.mark.parametrize(
    ("domain", "state", "code", "publish"),
    [
        ("good.example", State.OK, Spf.OK, "v=spf1 include:my.platform.example -all"),
        ("text.example", State.MISSING, Spf.NO_RECORD, "v=spf1 include:my.platform.example ~all"),
        ("twospf.example", State.DUPLICATE, Spf.SEVERAL, "v=spf1 include:my.platform.example mx a ~all"),
        ("behind.example", State.WRONG, Spf.BEHIND_ALL, "v=spf1 include:my.platform.example mx -all"),
    ],
)
async def test_spf_is_explained_with_the_exact_record_to_publish(
    bench: Bench, domain: str, state: State, code: Spf, publish: str
) -> None:
    line = (await bench.lines(domain))[Purpose.SPF]
    assert (line.state, line.value) == (state, publish)
    assert code in codes(line)


async def test_an_eleventh_look_up_is_explained_with_what_each_costs(bench: Bench) -> None:
    report = (await bench.reporter.check("eleven.example")).report
    [line] = [line for line in report.lines if line.purpose is Purpose.SPF]
    assert report.advice is not None
    assert (report.advice.lookups, report.advice.left) == (11, -1)
    assert line.state is State.WRONG
    [finding] = [note for note in line.notes if note.code is Spf.TOO_MANY]
    assert isinstance(finding, Finding)
    assert "include:n0.eleven.example (1)" in spf_words.sentence(finding, "en")


async def test_texts_that_fill_an_answer_are_read_and_shown_in_part(bench: Bench) -> None:
    lines = await bench.lines("huge.example")  # 50 KiB: it comes over TCP
    assert lines[Purpose.SPF].state is State.MISSING
    assert lines[Purpose.MX].state is State.MISSING


async def test_a_selector_of_ours_that_is_weak_is_named(bench: Bench) -> None:
    ours = replace(OURS, keys=(WEAK,))
    bench.reporter._ours = lambda: ours
    line = (await bench.lines("weak.example"))[Purpose.DKIM]
    assert (line.state, line.notes[0]) == (State.WARNING, Note(Code.KEY_WEAK, {"bits": "1024"}))
