"""`relayd upstream discover` with the real daemon, and DNS from a real zone."""

from __future__ import annotations

import json
from typing import Any

from relayd.sandbox.receiver import Receiver

MakeWorld = Any


async def test_a_customer_gets_the_card_of_the_provider(make_world: MakeWorld) -> None:
    async with make_world() as world:
        world.zone.set("tenant.example", "MX", "0 tenant-example.mail.protection.outlook.com.")
        await world.daemon.start()

        code, shown, _ = await world.daemon.command("upstream", "discover", "billing@tenant.example")
        mx = "tenant-example.mail.protection.outlook.com"
        wrong = await world.daemon.command(
            "upstream", "discover", "billing@tenant.example", "--host", mx, "--lang", "de"
        )
        tokens = await world.daemon.command("upstream", "discover", "anna@outlook.com")
        nowhere = await world.daemon.command("upstream", "discover", "billing@tenannt.example")
        nonsense = await world.daemon.command("upstream", "discover", "billing")

    assert code == 0
    assert "is at Microsoft 365 (by the domain's MX)" in shown
    assert "server    smtp.office365.com\n  port      587, starttls\n" in shown
    assert "https://aka.ms/smtp_auth_disabled" in shown
    assert "relayd sender set ID upstream.host=smtp.office365.com upstream.port=587" in shown
    assert "sign in with Microsoft: upstream.oauth=microsoft in place of\n" in shown
    assert "upstream.username=anna@outlook.com upstream.oauth=microsoft\n" in tokens[1]
    assert "password" not in tokens[1].partition("First")[0], "this provider takes none"
    assert wrong[0] == 65
    assert f"{mx} empfängt nur" in wrong[1]
    assert nowhere[0] == 65
    assert "no domain tenannt.example" in nowhere[1]
    assert nonsense[0] == 64
    assert 'no "@"' in nonsense[2]


async def test_servers_that_a_domain_names_are_looked_at_without_a_login(make_world: MakeWorld) -> None:
    async with make_world() as world, Receiver(users={"a": "b"}) as server:
        world.zone.set("_submission._tcp.acme.example", "SRV", f"0 1 {server.port} smtp.acme.example.")
        world.zone.set("smtp.acme.example", "A", "127.0.0.1")
        await world.daemon.start()

        code, shown, _ = await world.daemon.command(
            "upstream", "discover", "billing@acme.example", "--look", "--json"
        )

    assert code == 0
    (found,) = json.loads(shown)["candidates"]
    assert (found["host"], found["port"], found["source"]) == ("smtp.acme.example", server.port, "srv")
    assert found["derived"]
    assert not found["seen"]["answers"]  # it offers no TLS, so nothing more was said to it
    assert server.logins == []


async def test_names_that_lead_inside_are_not_connected_to(make_world: MakeWorld) -> None:
    """Without `allow_private`, loopback is as far away as a private network."""
    async with make_world(allow_private={"upstreams": []}) as world, Receiver(users={"a": "b"}) as server:
        world.zone.set("_submission._tcp.acme.example", "SRV", f"0 1 {server.port} smtp.acme.example.")
        world.zone.set("smtp.acme.example", "A", "127.0.0.1")
        await world.daemon.start()

        code, shown, _ = await world.daemon.command(
            "upstream", "discover", "billing@acme.example", "--host", "smtp.acme.example", "--look"
        )

    assert code == 65
    assert "public" in shown
    assert server.connections == 0
