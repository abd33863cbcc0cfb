"""docs/app.md, "A new customer, step by step": its lines, run as they stand, against a daemon."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import smtplib
import socket
from collections.abc import AsyncIterator, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing: apt-get install curl"),
]

PAGE = Path(__file__).parent.parent.parent / "docs" / "app.md"
OWN, PASSWORD, TOKEN = "billing@acme.example", "correct-horse-battery", "a-token-of-the-app-0123456789"


def sections() -> dict[str, str]:
    """The shell lines of each step, by its number; those before the first are "0"."""
    _, _, flow = PAGE.read_text().partition("## A new customer, step by step\n")
    flow = re.split(r"^## ", flow, flags=re.MULTILINE)[0]
    parts = re.split(r"^### (\d)\. .*$", flow, flags=re.MULTILINE)
    texts = {"0": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}
    return {
        number: "\n".join(re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
        for number, text in texts.items()
    }


class App:
    """Runs the page's lines in a shell, with the values of this world in place of the page's."""

    def __init__(self, world: Any, server: Receiver, api: str) -> None:
        self.world = world
        self.server = server
        self._lines = sections()
        self._places = {"http://127.0.0.1:8025": api, '"port": 587': f'"port": {server.port}'}

    async def run(self, number: str, *, code: str = "123456") -> list[Any]:
        """The answers of a step, one for each JSON text."""
        lines = (self._lines["0"] + self._lines[number]).replace("123456", code)
        for old, new in self._places.items():
            lines = lines.replace(old, new)
        process = await asyncio.create_subprocess_exec(
            *("sh", "-e", "-c", lines),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"TOKEN": TOKEN, "PATH": "/usr/bin:/bin"},
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, err.decode()
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    async def sender(self) -> Any:
        (found,) = await self.run("2")
        return found

    def code(self) -> str:
        """In the mail to the customer."""
        (mail,) = [each for each in self.world.receiver.received if OWN in each.recipients]
        body = message_from_bytes(mail.content, policy=policy.default).get_body(("plain",))
        assert body is not None
        return "".join(re.findall(r"^\s+(\d{3}) (\d{3})\s*$", body.get_content(), re.MULTILINE)[0])


@pytest.fixture
async def app(make_world: Any, tmp_path: Path) -> AsyncIterator[App]:
    """An empty platform with an API for apps, and a customer's server; the daemon runs."""
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    certificate = authority.issue("smtp.acme.example")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        http = {"listen": place, "tokens": [{"name": "app", "token": TOKEN, "role": "app"}]}
        async with (
            Receiver(certificate=certificate, users={OWN: PASSWORD}, require_login=True) as server,
            make_world(http=http, tls={"ca_file": str(tmp_path / "ca.pem")}) as world,
        ):
            settings = yaml.safe_load(world.daemon.config.read_text())
            world.daemon.config.write_text(yaml.safe_dump({**settings, "senders": {}}))
            world.daemon.config.chmod(0o600)
            world.daemon.more = [("http", listening)]
            world.zone.add("smtp.acme.example", "A", "127.0.0.1")
            world.zone.add("_submission._tcp.acme.example", "SRV", f"0 1 {server.port} smtp.acme.example")
            await world.daemon.start()
            yield App(world, server, f"http://{place}")


async def hand_in(app: App, mail: EmailMessage) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", app.world.daemon.port, timeout=30) as smtp:
            smtp.send_message(mail)

    await asyncio.to_thread(send)


async def test_a_customer_is_led_from_the_default_address_to_its_own_server(
    app: App, invoice: Callable[..., EmailMessage]
) -> None:
    zone, receiver = app.world.zone, app.world.receiver

    (saved,) = await app.run("1")
    assert (saved["id"], saved["rung"], saved["confirmed"]) == ("acme", "default", False)
    (again,) = await app.run("1")
    assert again["changed"] == []

    shown = await app.sender()
    assert shown["tasks"] == ["address.confirm", "domain.publish"]
    assert OWN in shown["todo"][0]["text"]

    asked, wrong = await app.run("3")  # the page's code is not the one in the mail
    assert (asked["asked"]["open"], wrong["why"]) == (True, "wrong")
    await receiver.wait_for(1)
    too_soon, confirmed = await app.run("3", code=app.code())
    assert (too_soon["why"], confirmed["confirmed"]) == ("too_soon", True)
    assert (await app.sender())["confirmed_by"] == "code"

    before, looked = await app.run("4")
    needed = {record["purpose"]: record for record in before["records"] if record["needed"]}
    assert needed.keys() <= {"dkim", "spf"}
    assert looked["records"][0]["state"] == "missing"
    zone.add(needed["dkim"]["name"], needed["dkim"]["type"], needed["dkim"]["value"])
    assert (await app.run("4"))[1]["records"][0]["state"] == "ok"
    own = await app.sender()
    assert (own["rung"], own["proof"], own["todo"]) == ("own", "dkim", [])

    found, *steps, saved = await app.run("5")
    assert (found["candidates"][0]["host"], found["candidates"][0]["port"]) == (
        "smtp.acme.example",
        app.server.port,
    )
    assert (steps[-1]["step"], steps[-1]["state"]) == ("result", "ok"), steps
    assert (saved["wanted"], saved["rung"], saved["has_password"]) == ("upstream", "upstream", True)
    assert PASSWORD not in json.dumps(saved)

    await hand_in(app, invoice("office@customer.example", ref="RE-1004"))
    await app.server.wait_for(1)
    events, messages = await app.run("6")
    types = [event["type"] for event in events["events"]]
    assert {"sender_changed", "confirmation_sent", "confirmed", "proven", "rung_changed"} <= {*types}
    (message,) = messages["messages"]
    assert (message["ref"], message["rung"], message["from"]) == ("RE-1004", "upstream", OWN)
