"""The red exclamation mark: what a sender lacks, as it goes away step by step."""

from __future__ import annotations

import json
from typing import Any

RECORD = "r1._domainkey.bolt.example"


async def report(world: Any) -> dict[str, Any]:
    code, out, err = await world.daemon.command("sender", "show", "bolt", "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


async def test_a_customer_climbs_from_the_default_address_to_its_own(world: Any) -> None:
    values = ("name=Bolt", "address=hello@bolt.example", "send_as=own", "language=fr")
    await world.daemon.command("sender", "add", "bolt", *values)

    first = await report(world)
    assert (first["rung"], first["reason"]) == ("default", "sender.unconfirmed")
    assert first["tasks"] == ["address.confirm", "domain.publish"]

    await world.daemon.command("sender", "confirm", "bolt", "--vouch")
    second = await report(world)
    assert (second["confirmed_by"], second["rung"]) == ("vouch", "default")
    assert second["reason"] == "sender.unproven"
    assert second["tasks"] == ["domain.publish"]
    record = second["todo"][0]["record"]
    assert (record["type"], record["name"]) == ("TXT", RECORD)

    world.zone.add(RECORD, "TXT", record["value"])  # what it says is what has to be published
    await world.daemon.command("domain", "check", "bolt.example")
    third = await report(world)
    assert (third["rung"], third["proof"], third["reason"]) == ("own", "dkim", None)
    assert third["todo"] == []

    await world.daemon.command("sender", "set", "bolt", "address=other@bolt.example")
    fourth = await report(world)
    assert (fourth["confirmed"], fourth["rung"]) == (False, "default")
    assert fourth["tasks"] == ["address.confirm"]
