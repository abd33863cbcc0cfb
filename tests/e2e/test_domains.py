"""Customers' domains, the signing key and the doctor, with the daemon and its commands."""

from __future__ import annotations

import asyncio
import json
import re
import smtplib
from typing import Any

from relayd.sandbox.zone import NameServer, Zone
from tests.conftest import MakeWorld, World

KEY = "r1._domainkey.my.platform.example"


async def command(world: World, *words: str) -> tuple[int, str]:
    """Run `relayd WORDS -c CONFIG`; gives its exit code and what it said."""
    code, out, err = await world.daemon.command(*words)
    print(f"$ relayd {' '.join(words)}   # exit {code}\n{out}{err}")
    return code, out + err


async def test_a_customer_sees_what_to_publish_publishes_it_and_is_proven(make_world: MakeWorld) -> None:
    async with make_world() as world:
        world.zone.add("globex.example", "TXT", "v=spf1 include:_spf.mail.example -all")
        world.zone.add("_spf.mail.example", "TXT", "v=spf1 ip4:192.0.2.7 -all")
        world.zone.remove("r1._domainkey.globex.example")
        await world.daemon.start()
        code, said = await command(world, "domain", "show", "globex.example")
        assert code == 0
        assert "nobody has looked yet" in said
        assert re.search(rf"type +CNAME\n +name +r1\._domainkey\.globex\.example\n +value +{KEY}\n", said)
        assert re.search(r"value +v=DKIM1; k=rsa; p=[A-Za-z0-9+/=]{392}\n", said)
        code, said = await command(world, "domain", "show", "globex.example", "--zone")
        assert f"r1._domainkey.globex.example. IN CNAME {KEY}.\n; or: r1._domainkey.globex" in said
        assert '( "v=DKIM1; k=rsa; p=' in said
        code, said = await command(world, "domain", "check", "globex.example")
        assert code == 65
        assert "There is no key record at this name." in said
        code, said = await command(world, "domain", "check", "globex.example", "--lang", "de")
        assert "Unter diesem Namen gibt es keinen Schlüssel-Eintrag." in said
        for selector in ("r1", "r2"):
            target = f"{selector}._domainkey.my.platform.example"
            world.zone.add(f"{selector}._domainkey.globex.example", "CNAME", target)
        code, said = await command(world, "domain", "check", "globex.example")
        assert code == 0
        assert "✓ r1._domainkey.globex.example" in said
        assert "✓ r2._domainkey.globex.example" in said
        assert "mail in its name is proven by DKIM" in said
        assert re.search(r"✓ own \(dkim\) [^✓·]*DKIM\s+pass,\s+aligned;\s+DMARC\s+pass", said)
        await world.daemon.until(lambda: "rung_changed" in types(world, "globex"), "a changed rung is told")
        assert "proven" in types(world, "globex")
        code, said = await command(world, "domain", "show", "globex.example", "--json")
        found = json.loads(said)
        assert found["looked_at"] is not None
        assert found["records"][0]["state"] == "ok"
        assert found["records"][0]["notes"][0]["text"]["fr"].startswith("L'alias mène à notre clé")


async def test_what_the_own_nameservers_say_counts_before_others_see_it(make_world: MakeWorld) -> None:
    async with make_world() as world:
        world.zone.add("globex.example", "NS", "ns.globex.example")
        world.zone.add("ns.globex.example", "A", "127.0.0.2")
        async with NameServer(Zone(), host="127.0.0.2") as own:
            [record] = world.zone.values("r1._domainkey.globex.example", "TXT")
            own.zone.add("r1._domainkey.globex.example", "TXT", record)
            world.zone.remove("r1._domainkey.globex.example")
            text = world.daemon.config.read_text()
            resolver = world.names.address
            world.daemon.config.write_text(text.replace(f"- {resolver}", f"- {resolver}\n  - {own.address}"))
            await world.daemon.start()
            code, said = await command(world, "domain", "check", "globex.example")
            assert code == 0
            assert "ns.globex.example" in said
            assert "Your nameservers have it; others may see the old answer for 60 s more." in said


async def test_a_shared_domain_has_nothing_to_publish(world: World) -> None:
    for verb in ("show", "check"):
        code, said = await command(world, "domain", verb, "gmx.de")
        assert "gmx.de belongs to GMX" in said
        assert "_domainkey" not in said
    assert code == 65
    code, said = await command(world, "domain", "check", "not a domain")
    assert code == 64
    assert "no domain" in said


async def test_the_key_is_changed_while_mail_flows(world: World, invoice: Any) -> None:
    async def signed() -> list[tuple[str, str]]:
        """Send from Globex's own address; gives domain and selector of each signature that verifies."""
        number = len(world.receiver.received) + 1
        mail = bytes(invoice("kunde@customer.example", sender="office@globex.example"))
        await asyncio.to_thread(hand_in, world.daemon.port, mail)
        content = (await world.receiver.wait_for(number))[-1].content
        found = re.findall(rb"DKIM-Signature:.*?\bd=([a-z.]+);\s+s=([a-z0-9]+);", content, re.DOTALL)
        assert world.verified(content) == [domain.decode() for domain, _ in found]
        return [(domain.decode(), selector.decode()) for domain, selector in found]

    _, said = await command(world, "dkim", "rotate", "--status")
    assert "no change is under way" in said
    assert await signed() == [("globex.example", "r1"), ("my.platform.example", "r1")]
    code, said = await command(world, "dkim", "rotate", "--json")
    assert code == 0
    found = json.loads(said)
    assert [record["selector"] for record in found["records"]] == ["r2", "r1"]
    assert set(found["waiting_for"]) == {"my.platform.example", "globex.example"}
    assert await signed() == [("globex.example", "r1"), ("my.platform.example", "r1")]
    code, said = await command(world, "dkim", "rotate")
    assert (code, "under way" in said) == (73, True)
    # the platform publishes; Globex, who has the key as TXT, not yet
    world.zone.add("r2._domainkey.my.platform.example", "TXT", found["records"][0]["value"])
    await command(world, "domain", "check", "my.platform.example")
    assert await signed() == [("globex.example", "r1"), ("my.platform.example", "r2")]
    _, said = await command(world, "dkim", "rotate", "--status")
    assert "the platform signs with r2" in said
    assert "still signed for with r1: globex.example" in said
    world.zone.add("r2._domainkey.globex.example", "TXT", found["records"][0]["value"])
    await command(world, "domain", "check", "globex.example")
    assert await signed() == [("globex.example", "r2"), ("my.platform.example", "r2")]
    await world.daemon.kill()
    await world.daemon.start()
    _, said = await command(world, "dkim", "rotate", "--status")
    assert "changing from selector r1 to r2" in said
    assert "still signed for" not in said
    assert await signed() == [("globex.example", "r2"), ("my.platform.example", "r2")]
    assert sorted(types(world, "globex")) == ["proven", "rung_changed"]  # of its own beginning


async def test_the_doctor_says_what_is_wrong_with_or_without_a_daemon(make_world: MakeWorld) -> None:
    async with make_world(delivery={"egress": ["127.0.0.1"]}) as world:
        world.zone.add("gmail.com", "MX", "10 mx.customer.example")
        world.zone.add("example", "NS", "ns.customer.example")
        world.zone.add("1.0.0.127.zen.spamhaus.org", "A", "127.255.255.254")
        world.zone.add("1.0.0.127.bl.spamcop.net", "A", "127.0.0.2")
        code, alone = await command(world, "doctor")
        assert code == 1
        await world.daemon.start()
        code, said = await command(world, "doctor")
        assert code == 1
        for text in (alone, said):
            assert "✓ reverse name      127.0.0.1: is called relay.my.platform.example" in text
            assert "✓ port 25" in text
            assert "✗ blocklist         127.0.0.1 at SpamCop: listed: people reported spam" in text
            assert "? blocklist         127.0.0.1 at Spamhaus ZEN: can't be told" in text
            assert f"✓ our DKIM key      {KEY}: Our key is published." in text
            assert "✓ disk" in text
        world.zone.remove("1.0.0.127.bl.spamcop.net")
        code, said = await command(world, "doctor", "--json")
        assert code == 0
        assert json.loads(said)["healthy"]


def hand_in(port: int, content: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
        smtp.sendmail("office@globex.example", "kunde@customer.example", content)


def types(world: World, sender: str) -> list[str]:
    """Of the events about this sender itself."""
    return [
        event["type"]
        for event in world.daemon.events()
        if event.get("sender") == sender and "message" not in event
    ]


async def test_the_doctor_without_daemon_and_key_says_what_else_it_sees(make_world: MakeWorld) -> None:
    async with make_world() as world:
        world.zone.add("example", "NS", "ns.customer.example")
        (world.folder / "state" / "keys" / "r1.pem").unlink()
        code, said = await command(world, "doctor")
    assert code == 1
    assert "the signing key is not there, or not to be seen" in said
    assert "✓ nameservers" in said
