"""Finding the server of an address: a real zone, real pages over HTTPS, real mail servers on loopback."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from relayd.core.address import Address
from relayd.core.discovery import Confidence, Discovery, Note, Source
from relayd.core.findings import Kind
from relayd.identity.discover import AT_ONCE, LOOKED_AT, Discoverer
from relayd.identity.suffixes import base_domain
from relayd.net.dns import Resolver
from relayd.net.egress import Guard
from relayd.net.https import Https
from relayd.net.tls import Contexts
from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver
from relayd.sandbox.zone import DnsFault, NameServer, Zone

ZONE = """
acme.example                    MX    10 mx.acme.example.
mx.acme.example                 A     127.0.0.1
smtp.acme.example               A     127.0.0.1
inside.acme.example             A     10.0.0.1
rebind.acme.example             A     169.254.169.254

tenant.example                  MX    0 tenant-example.mail.protection.outlook.com.
both.example                    MX    10 w0123456.kasserver.com.
mimecast.example                MX    10 eu-smtp-inbound-1.mimecast.com.
null.example                    MX    0 .
"""


def file(host: str, port: int = 465, tls: str = "SSL", username: str = "%EMAILADDRESS%") -> bytes:
    return f"""<clientConfig version="1.1"><emailProvider id="x"><outgoingServer type="smtp">
<hostname>{host}</hostname><port>{port}</port><socketType>{tls}</socketType><username>{username}</username>
<authentication>password-cleartext</authentication></outgoingServer></emailProvider></clientConfig>""".encode()


@dataclass
class Bench:
    names: NameServer
    authority: Authority
    contexts: Contexts
    resolver: Resolver
    pages: dict[str, bytes] = field(default_factory=dict)  # "host/path" without the query -> answer
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def zone(self) -> Zone:
        return self.names.zone

    def publish(self, host: str, path: str, page: bytes) -> None:
        self.zone.set(host, "A", "127.0.0.1")
        self.pages[host + path] = page

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
            self.asked.append(host + path)
            page = self.pages.get(host + path.partition("?")[0])
            status = "404 Not Found" if page is None else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(page or b'')}\r\n\r\n".encode())
            writer.write(page or b"")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def discover(
        self, address: str, *, allow: tuple[str, ...] = ("127.0.0.0/8",), **asked: Any
    ) -> Discovery:
        local, _, domain = address.partition("@")
        async with asyncio.timeout(20):
            return await self.discoverer(allow).discover(Address(local, domain), **asked)

    def discoverer(self, allow: tuple[str, ...] = ("127.0.0.0/8",)) -> Discoverer:
        guard = Guard(allow)
        https = Https(resolver=self.resolver, guard=guard, contexts=self.contexts, port=self.port, deadline=5)
        return Discoverer(
            resolver=self.resolver,
            guard=guard,
            https=https,
            contexts=self.contexts,
            hostname="relay.my.platform.example",
            families=("ipv4",),
        )


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def contexts(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return Contexts(str(authority.write(tmp_path_factory.mktemp("ca") / "ca.pem")))


PAGES = ("autoconfig.acme.example", "acme.example", "autoconfig.hoster.example", "hoster.example")


@pytest.fixture
async def bench(authority: Authority, contexts: Contexts) -> AsyncIterator[Bench]:
    async with NameServer(Zone(ZONE)) as names:
        resolver = Resolver([names.address])
        made = Bench(names=names, authority=authority, contexts=contexts, resolver=resolver)
        context = authority.issue(*PAGES).server_context()
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
        made.port = server.sockets[0].getsockname()[1]
        async with server:
            yield made
        await resolver.close()


def shown(found: Discovery) -> list[tuple[str, int, str, str, bool]]:
    return [
        (one.server.host, one.server.port, one.server.tls.value, one.source.value, one.derived)
        for one in found.candidates
    ]


def notes(found: Discovery) -> list[Note]:
    return [note for note, _ in found.notes]


# --- own table ---


async def test_an_address_of_a_known_provider_is_found_without_asking_anybody_for_settings(
    bench: Bench,
) -> None:
    found = await bench.discover("anna.muster@web.de")

    assert found.provider is not None
    assert found.provider.id == "web-de"
    assert shown(found) == [
        ("smtp.web.de", 465, "implicit", "table", True),
        ("smtp.web.de", 587, "starttls", "table", True),
    ]
    assert {one.username for one in found.candidates} == {"anna.muster"}
    assert {one.confidence for one in found.candidates} == {Confidence.CERTAIN}
    assert not bench.asked
    assert bench.names.asked("_submission._tcp.web.de", "SRV") == 0


async def test_the_mx_of_a_domain_says_whose_customers_they_are(bench: Bench) -> None:
    found = await bench.discover("billing@tenant.example")

    assert found.provider is not None
    assert found.provider.id == "microsoft-365"
    assert shown(found) == [("smtp.office365.com", 587, "starttls", "mx", True)]
    assert found.candidates[0].username == "billing@tenant.example"
    assert found.exchangers == ("tenant-example.mail.protection.outlook.com",)


async def test_where_one_machine_does_both_the_mx_is_the_server(bench: Bench) -> None:
    found = await bench.discover("billing@both.example", host="w0123456.kasserver.com")

    assert shown(found)[0] == ("w0123456.kasserver.com", 465, "implicit", "mx", True)
    assert found.finding is None


async def test_a_provider_that_lets_no_program_send_has_no_server(bench: Bench) -> None:
    found = await bench.discover("anna@tuta.com")

    assert found.provider is not None
    assert found.candidates == ()
    assert notes(found) == []


# --- published settings ---


async def test_the_file_of_the_domain_is_read(bench: Bench) -> None:
    bench.publish(
        "autoconfig.acme.example",
        "/mail/config-v1.1.xml",
        file("smtp.acme.example", 587, "STARTTLS", "%EMAILLOCALPART%"),
    )

    found = await bench.discover("billing@acme.example")

    assert shown(found) == [("smtp.acme.example", 587, "starttls", "autoconfig", False)]
    assert found.candidates[0].username == "billing"
    assert found.candidates[0].confidence is Confidence.LIKELY
    assert "autoconfig.acme.example/mail/config-v1.1.xml?emailaddress=billing%40acme.example" in bench.asked


async def test_the_well_known_place_is_looked_at_too(bench: Bench) -> None:
    bench.publish("acme.example", "/.well-known/autoconfig/mail/config-v1.1.xml", file("smtp.acme.example"))

    assert shown(await bench.discover("billing@acme.example"))[0][3] == "autoconfig"


async def test_the_hoster_behind_the_mx_may_publish_for_its_customers(bench: Bench) -> None:
    bench.zone.set("acme.example", "MX", "10 mx3.mail.hoster.example.")
    bench.zone.set("smtp.hoster.example", "A", "127.0.0.1")
    bench.publish("autoconfig.hoster.example", "/mail/config-v1.1.xml", file("smtp.hoster.example"))

    found = await bench.discover("billing@acme.example")

    assert shown(found) == [("smtp.hoster.example", 465, "implicit", "autoconfig", False)]


@pytest.mark.parametrize(
    "page",
    [
        b"<html>not here</html>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><clientConfig/>',
        b"<" * 300_000,
        file("10.0.0.1"),
        file("127.0.0.1"),
        file("2130706433"),
        file("inside.acme.example"),
        file("rebind.acme.example"),
        file("nowhere.acme.example"),
    ],
)
async def test_a_file_can_lead_nowhere_that_is_private(bench: Bench, page: bytes) -> None:
    bench.publish("autoconfig.acme.example", "/mail/config-v1.1.xml", page)

    found = await bench.discover("billing@acme.example")

    assert {one.source for one in found.candidates} <= {Source.GUESS}


async def test_settings_are_not_fetched_from_private_places(bench: Bench) -> None:
    bench.publish("autoconfig.acme.example", "/mail/config-v1.1.xml", file("smtp.acme.example"))

    found = await bench.discover("billing@acme.example", allow=())

    assert not bench.asked
    assert found.candidates == ()


# --- SRV ---


async def test_srv_records_name_the_server(bench: Bench) -> None:
    bench.zone.add("_submission._tcp.acme.example", "SRV", "0 1 587 smtp.acme.example.")
    bench.zone.add("_submissions._tcp.acme.example", "SRV", "0 1 465 smtp.acme.example.")

    found = await bench.discover("billing@acme.example")

    assert shown(found) == [
        ("smtp.acme.example", 465, "implicit", "srv", True),
        ("smtp.acme.example", 587, "starttls", "srv", True),
    ]
    assert found.candidates[0].username == "billing@acme.example"


async def test_where_the_file_and_srv_agree_the_login_is_the_files_and_the_server_derived(
    bench: Bench,
) -> None:
    bench.zone.add("_submissions._tcp.acme.example", "SRV", "0 1 465 smtp.acme.example.")
    bench.publish(
        "autoconfig.acme.example", "/mail/config-v1.1.xml", file("smtp.acme.example", username="b-123")
    )

    found = await bench.discover("billing@acme.example")

    assert shown(found) == [("smtp.acme.example", 465, "implicit", "autoconfig", True)]
    assert found.candidates[0].username == "b-123"


async def test_a_dot_says_that_there_is_no_server(bench: Bench) -> None:
    for service in ("_submission", "_submissions"):
        bench.zone.add(f"{service}._tcp.acme.example", "SRV", "0 0 0 .")

    found = await bench.discover("billing@acme.example")

    assert found.candidates == ()
    assert Note.NO_SERVICE in notes(found)


@pytest.mark.parametrize("target", ["inside.acme.example.", "rebind.acme.example.", "0x7f.0.0.1.", "127.1."])
async def test_srv_records_lead_nowhere_that_is_private(bench: Bench, target: str) -> None:
    bench.zone.add("_submissions._tcp.acme.example", "SRV", f"0 1 465 {target}")

    found = await bench.discover("billing@acme.example")

    assert Source.SRV not in {one.source for one in found.candidates}


# --- guesses ---


async def test_usual_names_that_exist_are_guesses_and_said_to_be(bench: Bench) -> None:
    found = await bench.discover("billing@acme.example")

    assert shown(found) == [
        ("smtp.acme.example", 465, "implicit", "guess", False),
        ("smtp.acme.example", 587, "starttls", "guess", False),
        ("mx.acme.example", 465, "implicit", "guess", True),
        ("mx.acme.example", 587, "starttls", "guess", True),
    ]
    assert {one.confidence for one in found.candidates} == {Confidence.GUESS}
    assert notes(found) == [Note.ONLY_GUESSES]


async def test_nothing_found_is_said(bench: Bench) -> None:
    bench.zone.set("bare.example", "TXT", "x")
    assert notes(await bench.discover("billing@bare.example")) == [Note.NOTHING_FOUND]


async def test_a_domain_that_does_not_exist_is_said(bench: Bench) -> None:
    found = await bench.discover("billing@acmee.example")

    assert found.notes == ((Note.NO_DOMAIN, "acmee.example"),)
    assert found.candidates == ()


async def test_a_domain_that_takes_no_mail_is_said(bench: Bench) -> None:
    assert Note.NO_MAIL in notes(await bench.discover("billing@null.example"))


async def test_a_filter_before_the_mailbox_is_said(bench: Bench) -> None:
    assert (Note.FILTERED, "Mimecast") in (await bench.discover("billing@mimecast.example")).notes


async def test_behind_a_filter_the_spf_record_says_whose_customer_the_domain_is(bench: Bench) -> None:
    bench.zone.add("mimecast.example", "TXT", "google-site-verification=x")
    bench.zone.add(
        "mimecast.example",
        "TXT",
        "v=spf1 include:eu._netblocks.mimecast.com ?INCLUDE:spf.protection.outlook.com -all",
    )

    found = await bench.discover("billing@mimecast.example")

    assert found.provider is not None
    assert found.provider.id == "microsoft-365"
    assert shown(found) == [("smtp.office365.com", 587, "starttls", "spf", False)]
    assert found.candidates[0].confidence is Confidence.LIKELY
    assert notes(found) == []


async def test_trouble_with_dns_is_no_proof_of_anything(bench: Bench) -> None:
    bench.zone.fault("*", DnsFault.SERVFAIL)

    found = await bench.discover("billing@acme.example")

    assert found.candidates == ()
    assert Note.DNS_TROUBLE in notes(found)


# --- looking at what was found ---


@asynccontextmanager
async def mail_server(bench: Bench, **options: Any) -> AsyncIterator[Receiver]:
    certificate = bench.authority.issue("smtp.acme.example")
    async with Receiver(certificate=certificate, **options) as server:
        bench.zone.set("_submission._tcp.acme.example", "SRV", f"0 1 {server.port} smtp.acme.example.")
        yield server


async def test_looking_says_what_a_server_offers_and_logs_in_nowhere(bench: Bench) -> None:
    async with mail_server(bench, users={"billing@acme.example": "x"}) as server:
        found = await bench.discover("billing@acme.example", look=True)

    (only,) = found.candidates
    assert only.seen is not None
    assert only.seen.answers
    assert only.seen.mechanisms == ("PLAIN", "LOGIN")
    assert server.logins == []
    assert not [line for line in server.lines if line.text.upper().startswith(("AUTH", "MAIL"))]


async def test_a_server_that_lets_nobody_log_in_is_none_for_sending(bench: Bench) -> None:
    async with mail_server(bench):
        found = await bench.discover("billing@acme.example", look=True, host="smtp.acme.example")

    (only,) = found.candidates
    assert only.seen is not None
    assert not only.seen.answers
    assert "log in" in only.seen.text


async def test_a_dead_address_does_not_hide_the_other_one(bench: Bench) -> None:
    async with mail_server(bench, users={"billing@acme.example": "x"}):
        bench.zone.set("smtp.acme.example", "A", "127.0.0.99", "127.0.0.1")
        found = await bench.discover("billing@acme.example", look=True)

    assert found.candidates[0].seen is not None
    assert found.candidates[0].seen.answers


async def test_only_some_addresses_are_looked_for_together(bench: Bench) -> None:
    waiting, most, go = 0, 0, asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        if waiting == AT_ONCE:
            go.set()
        await go.wait()
        waiting -= 1
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        bench.zone.set("_submission._tcp.acme.example", "SRV", f"0 1 {port} smtp.acme.example.")
        discoverer = bench.discoverer()
        asked = [Address(f"a{number}", "acme.example") for number in range(2 * AT_ONCE)]
        async with asyncio.timeout(20):
            await asyncio.gather(*(discoverer.discover(one, look=True) for one in asked))

    assert most == AT_ONCE


async def test_a_certificate_for_another_name_is_said(bench: Bench) -> None:
    wrong = bench.authority.issue("other.example")
    async with Receiver(certificate=wrong, users={"a": "b"}) as server:
        bench.zone.set("_submission._tcp.acme.example", "SRV", f"0 1 {server.port} smtp.acme.example.")
        found = await bench.discover("billing@acme.example", look=True)

    assert found.candidates[0].seen is not None
    assert "certificate" in found.candidates[0].seen.text


async def test_guesses_that_answer_are_kept_and_others_not(bench: Bench) -> None:
    # An address of its own on loopback: the ports of a guess are the standard ones.
    ip = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    bench.zone.set("smtp.acme.example", "A", ip)
    certificate = bench.authority.issue("smtp.acme.example")
    async with Receiver(certificate=certificate, users={"a": "b"}, host=ip, port=587):
        found = await bench.discover("billing@acme.example", look=True)

    assert [(one.server.host, one.server.port) for one in found.candidates] == [("smtp.acme.example", 587)]
    assert found.candidates[0].seen is not None


async def test_a_domain_makes_us_knock_at_few_doors(bench: Bench) -> None:
    for port in range(1, 11):
        bench.zone.add("_submissions._tcp.acme.example", "SRV", f"0 1 {port} smtp.acme.example.")

    found = await bench.discover("billing@acme.example", look=True)

    assert sum(one.seen is not None for one in found.candidates) == LOOKED_AT


# --- a server that somebody entered ---


@pytest.mark.parametrize(
    ("address", "host", "kind", "right"),
    [
        (
            "a@tenant.example",
            "tenant-example.mail.protection.outlook.com",
            Kind.SERVER_IS_MX,
            "smtp.office365.com 587 starttls",
        ),
        ("a@tenant.example", "SMTP.office365.com.", None, None),
        (
            "a@tenant.example",
            "smtp.acme.example",
            Kind.SERVER_OF_ANOTHER,
            "smtp.office365.com 587 starttls",
        ),
        ("a@acme.example", "mx.acme.example", None, None),  # a small server may do both; nobody looked
        ("a@acme.example", "smtp.acme.example", None, None),
        ("a@acme.example", "inside.acme.example", Kind.HOST_NOT_PUBLIC, ""),
        ("a@acme.example", "rebind.acme.example", Kind.HOST_NOT_PUBLIC, ""),
        ("a@acme.example", "127.0.0.1", Kind.HOST_NOT_PUBLIC, ""),
        ("a@acme.example", "[::ffff:10.0.0.1]", Kind.HOST_NOT_PUBLIC, ""),
        ("a@acme.example", "127.1", Kind.HOST_NOT_PUBLIC, ""),
        ("a@acme.example", "2130706433", Kind.HOST_NOT_PUBLIC, ""),
        ("a@acme.example", "0177.0.0.1", Kind.HOST_NOT_PUBLIC, ""),
        ("a@acme.example", "smtpp.acme.example", Kind.SERVER_NAME, ""),
    ],
)
async def test_a_server_that_somebody_entered_is_judged(
    bench: Bench, address: str, host: str, kind: Kind | None, right: str | None
) -> None:
    found = await bench.discover(address, host=host)

    if kind is None:
        assert found.finding is None
    else:
        assert found.finding is not None
        assert found.finding.kind is kind
        assert found.finding.places["right"] == right


async def test_an_mx_of_the_domain_itself_is_a_mistake_when_it_takes_no_logins(bench: Bench) -> None:
    found = await bench.discover("a@acme.example", host="mx.acme.example", look=True)
    assert found.finding is not None
    assert found.finding.kind is Kind.SERVER_IS_MX


async def test_an_mx_that_takes_logins_is_no_mistake(bench: Bench) -> None:
    certificate = bench.authority.issue("mx.acme.example")
    async with Receiver(certificate=certificate, users={"a": "b"}) as server:
        bench.zone.set("_submission._tcp.acme.example", "SRV", f"0 1 {server.port} mx.acme.example.")
        found = await bench.discover("billing@acme.example", host="mx.acme.example", look=True)

    assert found.finding is None


@pytest.mark.parametrize(
    ("host", "base"),
    [("mx.a.example.co.uk", "example.co.uk"), ("acme.example", "acme.example"), ("co.uk", None), ("", None)],
)
def test_the_part_of_a_name_that_was_registered(host: str, base: str | None) -> None:
    assert base_domain(host) == base
