"""The world of `relayd demo`: a platform, its customers, and the servers that their mail goes to.

Everything is on loopback; names live in a zone of their own. The config that the daemon gets has no switch
that turns a check off: it names this zone's server, this authority and these networks.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiosmtplib

from relayd.sandbox import climb, script
from relayd.sandbox.certificates import Authority
from relayd.sandbox.invoices import Invoice
from relayd.sandbox.receiver import Receiver
from relayd.sandbox.record import Received
from relayd.sandbox.verify import Seen, look_at
from relayd.sandbox.zone import NameServer, Zone

PLATFORM = "my.platform.example"
SELECTOR = "r1"
EGRESS = "127.0.0.1"  # where relayd's connections come from
UPSTREAM = "127.0.0.5"  # the server of the customer that has one

_ZONE = f"""
# the platform
{PLATFORM}                      MX    10 mx.{PLATFORM}
{PLATFORM}                      TXT   v=spf1 ip4:{EGRESS} -all
_dmarc.{PLATFORM}               TXT   v=DMARC1; p=reject
bounce.{PLATFORM}               MX    10 mx.{PLATFORM}
bounce.{PLATFORM}               TXT   v=spf1 ip4:{EGRESS} -all
mx.{PLATFORM}                   A     {EGRESS}
relay.{PLATFORM}                A     {EGRESS}
{EGRESS}                        PTR   relay.{PLATFORM}

# a customer that did nothing at all: its domain forbids everybody but its own provider
krueger-flowers.example         MX    10 mx.provider.example
krueger-flowers.example         TXT   v=spf1 ip4:192.0.2.25 -all
_dmarc.krueger-flowers.example  TXT   v=DMARC1; p=reject
mx.provider.example             A     127.0.0.6
ns.provider.example             A     {EGRESS}

# a customer that published the platform's key in its own domain
acme.example                    MX    10 mx.provider.example
acme.example                    TXT   v=spf1 ip4:192.0.2.25 -all
_dmarc.acme.example             TXT   v=DMARC1; p=reject
{SELECTOR}._domainkey.acme.example CNAME {SELECTOR}._domainkey.{PLATFORM}

# a customer whose own server sends
globex.example                  MX    10 mx.provider.example
globex.example                  TXT   v=spf1 ip4:{UPSTREAM} -all
_dmarc.globex.example           TXT   v=DMARC1; p=reject
smtp.globex.example             A     {UPSTREAM}

# whom they write to
hotel.example                   MX    10 mx.hotel.example
mx.hotel.example                A     127.0.0.2
council.example                 MX    10 mx.council.example
mx.council.example              A     127.0.0.3
lawyers.example                 MX    10 mx.lawyers.example
mx.lawyers.example              A     127.0.0.4
{climb.ZONE}"""

KRUEGER, ACME, GLOBEX = "laden@krueger-flowers.example", "billing@acme.example", "invoices@globex.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One invoice, and what has to come of it."""

    invoice: Invoice
    about: str
    status: str  # sent | not_sent
    rung: str
    reason: str | None = None
    delayed_by: str | None = None  # the reason of a delay on the way
    header_from: str | None = None  # as the final receiver shows it
    reply_to: str | None = None
    signed_by: tuple[str, ...] = ()
    aligned_by: tuple[str, ...] = ()
    login: str | None = None  # at the customer's own server


def _invoice(number: str, name: str, address: str, to: str, total: str) -> Invoice:
    return Invoice(number=number, from_name=name, from_address=address, to=to, total=total)


CASES = (
    Case(
        invoice=_invoice("RE-1001", "Blumen Krüger", KRUEGER, "office@hotel.example", "€ 84.50"),
        about="a customer that set up nothing: the default address",
        status="sent",
        rung="default",
        header_from=f"Blumen Krüger <blumen.krueger@{PLATFORM}>",
        reply_to=KRUEGER,
        signed_by=(PLATFORM,),
        aligned_by=("dkim", "spf"),
    ),
    Case(
        invoice=_invoice("RE-1002", "Acme GmbH & Söhne", ACME, "office@hotel.example", "€ 1,190.00"),
        about="a customer with our key in its DNS: its own address",
        status="sent",
        rung="own",
        header_from=f"Acme GmbH & Söhne <{ACME}>",
        signed_by=("acme.example", PLATFORM),
        aligned_by=("dkim",),
    ),
    Case(
        invoice=_invoice("RE-1003", "Globex BV", GLOBEX, "kasse@council.example", "€ 23,800.00"),
        about="a customer with a mail server of its own: STARTTLS and login there",
        status="sent",
        rung="upstream",
        header_from=f"Globex BV <{GLOBEX}>",
        aligned_by=("spf",),
        login=GLOBEX,
    ),
    Case(
        invoice=_invoice("RE-1004", "Acme GmbH & Söhne", ACME, "nobody@hotel.example", "€ 57.00"),
        about="to an address that doesn't exist",
        status="not_sent",
        rung="own",
        reason="recipient.unknown",
    ),
    Case(
        invoice=_invoice("RE-1005", "Blumen Krüger", KRUEGER, "full@council.example", "€ 19.90"),
        about="to a mailbox that is full",
        status="not_sent",
        rung="default",
        reason="recipient.full",
    ),
    Case(
        invoice=_invoice("RE-1006", "Acme GmbH & Söhne", ACME, "kanzlei@lawyers.example", "€ 410.00"),
        about="to a server that makes every newcomer wait once (greylisting)",
        status="sent",
        rung="own",
        delayed_by="rate.greylisted",
        header_from=f"Acme GmbH & Söhne <{ACME}>",
        signed_by=("acme.example", PLATFORM),
        aligned_by=("dkim",),
    ),
)


_MAIL_SERVERS = (
    ("hotel", "127.0.0.2"),
    ("council", "127.0.0.3"),
    ("lawyers", "127.0.0.4"),
    ("provider", "127.0.0.6"),  # with the customers' own mailboxes
)


class World:
    """The servers, as long as `opened` lasts."""

    def __init__(self, dkim_record: str) -> None:
        self.authority = Authority("relayd demo")
        self.zone = Zone(_ZONE)
        self.zone.add(f"{SELECTOR}._domainkey.{PLATFORM}", "TXT", dkim_record)
        self.names = NameServer(self.zone)
        self.password = secrets.token_urlsafe(12)
        self.token = secrets.token_urlsafe(24)
        self.mail_servers: list[Receiver] = []
        self.upstream = Receiver(
            name="smtp.globex.example",
            host=UPSTREAM,
            certificate=self.authority.issue("smtp.globex.example"),
            users={GLOBEX: self.password},
            require_login=True,
        )
        self._forwarded = 0
        self._closing = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Self]:
        """All servers listen. Raises OSError where 127.0.0.2 to 127.0.0.6 are not this machine's."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.names)
            port = 0
            for name, host in _MAIL_SERVERS:
                receiver = Receiver(
                    name=f"mx.{name}.example",
                    host=host,
                    port=port,
                    certificate=self.authority.issue(f"mx.{name}.example"),
                )
                port = (await stack.enter_async_context(receiver)).port  # one mx_port for all
                self.mail_servers.append(receiver)
            hotel, council, lawyers, _ = self.mail_servers
            hotel.tell_recipient("nobody@hotel.example", script.UNKNOWN_USER)
            council.tell_recipient("full@council.example", script.MAILBOX_FULL)
            lawyers.tell_recipient("kanzlei@lawyers.example", script.GREYLISTED, None)
            await stack.enter_async_context(self.upstream)
            forwarding = asyncio.create_task(self._forward())
            try:
                yield self
            finally:
                # not cancelled: asyncio.wait_for of Python 3.11 can swallow that, and aiosmtplib uses it
                self._closing = True
                self.upstream.note_change()
                await forwarding

    def received(self, number: str) -> tuple[Receiver, Received] | None:
        """Where this invoice arrived in the end."""
        for receiver in self.mail_servers:
            for each in receiver.received:
                if _is(number, each):
                    return receiver, each
        return None

    def on_the_way(self, number: str) -> Received | None:
        """What the customer's own server took of this invoice, if it went there."""
        return next((each for each in self.upstream.received if _is(number, each)), None)

    def seen(self, received: Received) -> Seen:
        return look_at(received, self.zone)

    async def mailbox(self, address: str) -> Received:
        """The first mail for a customer's own address, as soon as it is there."""
        provider = self.mail_servers[-1]

        def there() -> Received | None:
            return next((each for each in provider.received if address in each.recipients), None)

        await provider.until(lambda: there() is not None)
        found = there()
        assert found is not None
        return found

    def publish(self, name: str, kind: str, value: str) -> None:
        """Somebody edits their zone: this record in place of those of its kind."""
        self.zone.set(name, kind, value)

    async def _forward(self) -> None:
        """The customer's server sends on what it took, from its own address, as it would to the real MX."""
        council = self.mail_servers[1]
        while True:
            await self.upstream.until(lambda: self._closing or len(self.upstream.received) > self._forwarded)
            if self._closing:
                return
            got = self.upstream.received[self._forwarded]
            self._forwarded += 1
            await aiosmtplib.send(
                got.content,
                sender=got.mail_from,
                recipients=list(got.recipients),
                hostname=council.host,
                port=council.port,
                source_address=(UPSTREAM, 0),
                start_tls=False,
            )

    def settings(
        self, *, state_dir: Path, port: int, api: str, pages: str, ca_file: Path
    ) -> Mapping[str, object]:
        """The config file's content, complete. `api` and `pages` are where HTTP is served, `host:port`."""
        return {
            "hostname": f"relay.{PLATFORM}",
            "state_dir": str(state_dir),
            "listen": [{"address": "127.0.0.1", "port": port}],
            "platform": {
                "domain": PLATFORM,
                "name": "Platform",
                "return_path": f"bounce.{PLATFORM}",
                "spf_include": PLATFORM,
                "dkim": {"selector": SELECTOR, "key_file": "keys/r1.pem"},
            },
            "senders": {
                "krueger": {
                    "name": "Blumen Krüger",
                    "address": KRUEGER,
                    "confirmed": True,
                    "local_part": "blumen.krueger",
                    "language": "de",
                },
                "acme": {"name": "Acme GmbH & Söhne", "address": ACME, "confirmed": True, "send_as": "own"},
                "globex": {
                    "name": "Globex BV",
                    "address": GLOBEX,
                    "confirmed": True,
                    "send_as": "upstream",
                    "upstream": {
                        "host": "smtp.globex.example",
                        "port": self.upstream.port,
                        "tls": "starttls",
                        "username": GLOBEX,
                        "password": self.password,
                    },
                },
            },
            "delivery": {
                "mx_port": self.mail_servers[0].port,
                "families": ["ipv4"],
                "egress": [EGRESS],
                "retry_after": ["2s"],
                "answer_within": "5s",
            },
            "tls": {"ca_file": str(ca_file)},
            "dns": {"nameservers": [self.names.address]},
            "http": {
                "listen": api,
                "tokens": [{"name": "app", "token": self.token, "role": "app"}],
                "public_listen": pages,
                "public_url": f"http://{pages}",
            },
            "allow_private": {"delivery": ["127.0.0.0/8"], "upstreams": ["127.0.0.0/8"]},
        }


def _is(number: str, received: Received) -> bool:
    return f"{number}.pdf".encode() in received.content  # the attachment's name
