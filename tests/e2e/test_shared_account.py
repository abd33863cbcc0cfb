"""Two senders with one account at one server, whose password is wrong: the server hears it once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from relayd.sandbox.script import At, say

from .test_own_server import OWN, SECOND, WRONG, Invoice, hand_in, own_server, said


def of(sender: str, mail: EmailMessage) -> EmailMessage:
    mail["X-Relayd-Sender"] = sender
    return mail


async def report(daemon: Any, id: str) -> Mapping[str, Any]:
    code, out, err = await daemon.command("sender", "show", id, "--json")
    assert code == 0, err
    shown: Mapping[str, Any] = json.loads(out)
    return shown


async def test_a_wrong_password_of_a_shared_account_is_tried_once_across_restarts(
    make_world: Any, tmp_path: Path, invoice: Invoice
) -> None:
    async with own_server(make_world, tmp_path) as (world, server):
        daemon = world.daemon
        server.tell(At.AUTH, say("535 5.7.1 Sorry"))  # blames a message, which nobody has mentioned yet
        await daemon.start()
        wrong = {
            "address": OWN,
            "confirmed": True,
            "send_as": "upstream",
            "if_unproven": "hold",
            "upstream": {
                "host": "smtp.acme.example",
                "port": server.port,
                "username": OWN,
                "password": WRONG,
            },
        }
        many = tmp_path / "many.jsonl"
        many.write_text(
            "".join(json.dumps({"id": id, "name": id, **wrong}) + "\n" for id in ("shop", "club"))
        )
        code, out, err = await daemon.command("sender", "import", str(many))
        assert code == 0, out + err
        await daemon.until(lambda: bool(said(daemon, "upstream_failed")), "the probe of new settings failed")
        assert server.connections == 1

        for sender in ("shop", "club"):
            await hand_in(daemon, of(sender, invoice("one@customer.example")))
        await daemon.until(lambda: len(said(daemon, "held")) == 2, "both wait")
        await daemon.stop()
        await daemon.start()
        await daemon.command("queue", "release", "--sender", "shop")
        await daemon.until(lambda: len(said(daemon, "held", sender="shop")) == 2, "tried once more, as told")
        assert server.connections == 2
        shown = await report(daemon, "club")
        assert (shown["mail"], shown["held"], shown["tasks"]) == (
            "held",
            "auth.wrong_password",
            ["upstream.login"],
        )
        assert WRONG not in daemon.tail(1_000_000) + daemon.status_log.read_text()

        server.users[OWN] = SECOND
        server.tell(At.AUTH)
        for sender in ("shop", "club"):
            code, out, err = await daemon.command(
                "sender", "set", sender, "--password-file", "-", stdin=f"{SECOND}\n".encode()
            )
            assert code == 0, out + err
        await daemon.until(lambda: len(said(daemon, "relayed")) == 2, "both went")
        assert said(daemon, "failed") == []
