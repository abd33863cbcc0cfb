"""The invoicing app and the servers of the demo, without the daemon between them."""

from __future__ import annotations

import email.policy
import re
from email.parser import BytesParser
from pathlib import Path

import aiosmtplib
import yaml

from relayd import config
from relayd.sandbox import invoices
from relayd.sandbox.demo import CASES, GLOBEX, World
from relayd.sandbox.receiver import Receiver

RECORD = "v=DKIM1; k=rsa; p=AAAA"


def test_a_pdf_has_its_objects_where_its_table_says() -> None:
    made = invoices.pdf(("Blumen Krüger", r"(1\2)", "€ 5 ☃"))
    assert made.startswith(b"%PDF-1.4\n")
    assert made.endswith(b"%%EOF\n")
    start = int(re.search(rb"startxref\n(\d+)\n", made)[1])  # type: ignore[index]
    assert made[start:].startswith(b"xref\n0 6\n")
    offsets = [int(line) for line in re.findall(rb"(\d{10}) 00000 n ", made)]
    for number, offset in enumerate(offsets, 1):
        assert made[offset:].startswith(b"%d 0 obj\n" % number)
    assert rb"(\(1\\2\)) Tj" in made
    assert "Krüger".encode("cp1252") in made
    assert "€ 5 ?".encode("cp1252") in made
    stream = re.search(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", made, re.DOTALL)
    assert stream is not None
    assert int(stream[1]) == len(stream[2])


def test_an_invoice_carries_its_number_and_its_pdf() -> None:
    invoice = CASES[0].invoice
    message = BytesParser(policy=email.policy.default).parsebytes(invoices.mail(invoice))
    assert message["X-Relayd-Ref"] == invoice.number
    assert message["From"] == f"Blumen Krüger <{invoice.from_address}>"
    (attachment,) = message.iter_attachments()  # type: ignore[attr-defined]
    assert attachment.get_filename() == f"{invoice.number}.pdf"
    assert attachment.get_content().startswith(b"%PDF")


async def test_the_app_is_told_what_the_server_said() -> None:
    async with Receiver() as receiver:
        receiver.tell_recipient("nobody@hotel.example", "550 5.1.1 who?")
        taken = await invoices.hand_in(CASES[0].invoice, host=receiver.host, port=receiver.port)
        refused = await invoices.hand_in(CASES[3].invoice, host=receiver.host, port=receiver.port)
    assert (taken.code, refused.code, refused.text) == (250, 550, "5.1.1 who?")


async def test_the_config_is_a_good_one(tmp_path: Path) -> None:
    world = World(RECORD)
    async with world.opened():
        ca_file = world.authority.write(tmp_path / "ca.pem")
        settings = world.settings(
            state_dir=tmp_path, port=2525, api="127.0.0.1:8025", pages="127.0.0.1:8026", ca_file=ca_file
        )
        path = tmp_path / "relayd.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(dict(settings), allow_unicode=True))
        assert config.read(path).settings.platform.domain == "my.platform.example"


async def test_what_the_customers_server_takes_arrives_from_its_own_address() -> None:
    world = World(RECORD)
    invoice = CASES[2].invoice
    async with world.opened():
        async with aiosmtplib.SMTP(
            hostname=world.upstream.host,
            port=world.upstream.port,
            start_tls=True,
            validate_certs=False,
            username=GLOBEX,
            password=world.password,
        ) as client:
            await client.sendmail(GLOBEX, [invoice.to], invoices.mail(invoice))
        await world.mail_servers[1].wait_for(1)
        arrived = world.received(invoice.number)
        assert arrived is not None
        seen = world.seen(arrived[1])
    assert arrived[0].name == "mx.council.example"
    assert (arrived[1].ip, seen.spf, seen.dmarc) == (world.upstream.host, "pass", "pass")
    assert world.received("RE-9999") is None
