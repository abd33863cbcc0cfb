"""Names that lead inside, on every way by which a customer or DNS can give relayd a host: the real daemon, a
real zone, and servers on loopback that must never hear from it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

from relayd.sandbox.receiver import Receiver

Invoice = Callable[..., EmailMessage]

# Of loopback: plainly, in the IPv6 forms that embed it, and by an alias. NAT64 and 6to4 carry it as their
# last and middle octets.
INSIDE = {
    "plain": ("A", "127.0.0.1"),
    "mapped": ("AAAA", "::ffff:127.0.0.1"),
    "compatible": ("AAAA", "::7f00:1"),
    "nat64": ("AAAA", "64:ff9b::7f00:1"),
    "sixtofour": ("AAAA", "2002:7f00:1::1"),
    "own": ("AAAA", "::1"),
    "alias": ("CNAME", "plain.inside.example."),
}
NAMES = [f"{name}.inside.example" for name in INSIDE]
SPELLINGS = ["127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "[::ffff:127.0.0.1]"]


def lay_traps(zone: Any) -> None:
    for name, (kind, value) in INSIDE.items():
        zone.set(f"{name}.inside.example", kind, value)
    zone.set("localhost", "A", "127.0.0.1")
    for at, host in enumerate([*NAMES, "localhost", "127.1", "2130706433"]):
        zone.set(f"mx{at}.example", "MX", f"10 {host}.")
    for at, host in enumerate(NAMES):
        zone.set(f"srv{at}.example", "TXT", "x")
        zone.set(f"_submission._tcp.srv{at}.example", "SRV", f"0 1 587 {host}.")


async def hand_in(daemon: Any, mail: EmailMessage, sender: str, to: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.port)
    for line in ("", "EHLO app", f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
        if line:
            writer.write(line.encode() + b"\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
    writer.write(bytes(mail).replace(b"\n", b"\r\n") + b"\r\n.\r\nQUIT\r\n")
    await reader.read()
    writer.close()


def upstream_sender(host: str, port: int) -> dict[str, Any]:
    return {
        "name": "Trap",
        "address": f"{host.partition('.')[0]}@acme.example",
        "confirmed": True,
        "send_as": "upstream",
        "upstream": {"host": host, "port": port, "username": "x", "password": "canary-5c1d"},
    }


async def test_no_mx_leads_inside(make_world: Any, invoice: Invoice) -> None:
    delivery = {"families": ["ipv6", "ipv4"], "answer_within": "0s"}
    async with make_world(allow_private={"delivery": []}, delivery=delivery) as world:
        lay_traps(world.zone)
        await world.daemon.start()
        for at in range(len(NAMES) + 3):
            to = f"kunde@mx{at}.example"
            await hand_in(world.daemon, invoice(to), "billing@acme.example", to)
        seen = ("deferred", "failed", "expired", "refused")
        await world.daemon.until(
            lambda: (
                len({e["recipient"] for e in world.daemon.events() if e["type"] in seen}) == len(NAMES) + 3
            ),
            "every recipient was tried or refused",
        )
        assert world.receiver.connections == 0


async def test_no_server_of_a_customer_leads_inside(make_world: Any, invoice: Invoice) -> None:
    async with Receiver(users={"x": "canary-5c1d"}) as trap:
        senders = {f"trap{at}": upstream_sender(host, trap.port) for at, host in enumerate(NAMES)}
        async with make_world(
            allow_private={"upstreams": []},
            delivery={"families": ["ipv6", "ipv4"], "answer_within": "0s"},
            senders=senders,
        ) as world:
            lay_traps(world.zone)
            await world.daemon.start()
            for id, sender in senders.items():
                mail = invoice("kunde@customer.example", sender=sender["address"], ref=id)
                await hand_in(world.daemon, mail, sender["address"], "kunde@customer.example")
            tried = ("deferred", "failed", "held", "upstream_failed")
            await world.daemon.until(
                lambda: {e["sender"] for e in world.daemon.events() if e["type"] in tried} >= set(senders),
                "every sender's mail was tried",
            )
            assert trap.connections == 0
            assert "canary-5c1d" not in world.daemon.tail()


async def test_nothing_that_a_domain_publishes_leads_inside(make_world: Any) -> None:
    # An address of its own on loopback: settings are fetched from port 443 alone.
    ip = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
    heard = []

    async def trap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer.get_extra_info("peername"))
        writer.close()

    web = await asyncio.start_server(trap, ip, 443)
    mail = await asyncio.start_server(trap, ip, 587)
    async with web, mail, make_world(allow_private={"upstreams": []}) as world:
        lay_traps(world.zone)
        for name in ("page.example", "autoconfig.page.example", "smtp.page.example", "in.page.example"):
            world.zone.set(name, "A", ip)
        world.zone.set("page.example", "MX", "10 in.page.example.")
        world.zone.set("_submission._tcp.page.example", "SRV", "0 1 587 smtp.page.example.")
        await world.daemon.start()
        domains = ["page.example", *(f"srv{at}.example" for at in range(len(NAMES)))]
        for domain in domains:
            _, shown, _ = await world.daemon.command(
                "upstream", "discover", f"billing@{domain}", "--look", "--json"
            )
            assert json.loads(shown)["candidates"] == []
        for host in SPELLINGS:
            _, shown, _ = await world.daemon.command(
                "upstream", "discover", "billing@page.example", "--host", host, "--look", "--json"
            )
            assert json.loads(shown)["finding"]["finding"] == "host.not_public"
    assert heard == []


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_judged(
    make_world: Any, invoice: Invoice
) -> None:
    """DNS rebinding: the first answer is allowed, every later one leads to another machine."""
    async with (
        make_world(allow_private={"delivery": ["127.0.0.2/32"]}) as world,
        Receiver(host="127.0.0.2", port=world.receiver.port) as allowed,
    ):
        world.zone.set("rebind.example", "MX", "10 mx.rebind.example.")
        world.zone.turns("mx.rebind.example", "A", ["127.0.0.2"], ["127.0.0.1"])
        await world.daemon.start()
        for number in range(3):
            mail = invoice("kunde@rebind.example", ref=str(number))
            await hand_in(world.daemon, mail, "billing@acme.example", "kunde@rebind.example")
        await allowed.wait_for(3)
        assert world.receiver.connections == 0
