"""A password changed at a real server (Postfix, Dovecot SASL), as the whole daemon meets it."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from relayd.sandbox.certificates import Authority
from relayd.sandbox.receiver import Receiver

from .dovecot_instance import dovecot
from .dovecot_instance import why_not as no_dovecot
from .postfix_instance import postfix
from .postfix_instance import why_not as no_postfix

_WHY = no_dovecot() or no_postfix()
pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(90),
    pytest.mark.skipif(_WHY is not None, reason=_WHY or ""),
]

OWN = "billing@acme.example"
OLD, NEW = "canary-old-31aa", "canary-new-9c4e"


async def hand_in(daemon: Any, mail: EmailMessage) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", daemon.port, timeout=30) as smtp:
            smtp.send_message(mail)

    await asyncio.to_thread(send)


def events(daemon: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in daemon.events() if event["type"] == kind]


async def test_mail_waits_after_one_wrong_login_and_flows_when_the_new_password_passes(
    make_world: Any, tmp_path: Path, invoice: Callable[..., EmailMessage]
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    async with Receiver() as elsewhere:
        with dovecot({OWN: NEW}) as logins:  # changed already, and nobody told us
            settings = {
                "myhostname": "smtp.acme.example",
                "relayhost": f"[127.0.0.1]:{elsewhere.port}",
                "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
                **logins.postfix_settings,
            }
            with postfix(settings, authority.issue("smtp.acme.example")) as port:
                acme = {
                    "name": "Acme",
                    "address": OWN,
                    "confirmed": True,
                    "send_as": "upstream",
                    "if_unproven": "hold",
                    "upstream": {
                        "host": "smtp.acme.example",
                        "port": port,
                        "username": OWN,
                        "password": OLD,
                    },
                }
                ca_file = {"ca_file": str(tmp_path / "ca.pem")}
                async with make_world(senders={"acme": acme}, tls=ca_file) as world:
                    daemon = world.daemon
                    daemon.config.chmod(0o600)
                    world.zone.add("smtp.acme.example", "A", "127.0.0.1")
                    await daemon.start()
                    for number in range(3):
                        await hand_in(daemon, invoice(f"{number}@customer.example"))
                    await daemon.until(lambda: len(events(daemon, "held")) == 3, "all three wait")
                    assert logins.refusals() == 1
                    (letter,) = await world.receiver.wait_for(1)
                    assert letter.recipients == (OWN,)

                    changed = yaml.safe_load(daemon.config.read_text())
                    changed["senders"]["acme"]["upstream"]["password"] = NEW
                    daemon.config.write_text(yaml.safe_dump(changed))
                    assert daemon.process is not None
                    daemon.process.send_signal(1)
                    got = await elsewhere.wait_for(3)
                    await daemon.until(lambda: bool(events(daemon, "upstream_ok")), "said")
                    assert logins.refusals() == 1
    assert {message.recipients for message in got} == {(f"{n}@customer.example",) for n in range(3)}
