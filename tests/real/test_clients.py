"""The mailers that apps really use hand in an invoice; it arrives whole, from the right address, signed."""

from __future__ import annotations

import asyncio
import email
import os
import shutil
import smtplib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.real

TO = "kunde@customer.example"
NAME = "Jürgen Müller"
SUBJECT = "Rechnung 2026-0042 für Grünau"
TEXT = "Guten Tag,\n\nanbei die Rechnung über 119,00 €.\n.\n..Grüße\n"
PDF = b"%PDF-1.4\n" + bytes(range(256)) * 40
REF = "2026-0042"

Send = Callable[[Any, Path], Awaitable[None]]


async def run(*command: str, stdin: bytes | None = None, cwd: Path | None = None, **environ: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
        env={**os.environ, **environ},
    )
    out, _ = await asyncio.wait_for(process.communicate(stdin), 60)
    assert process.returncode == 0, f"{' '.join(command)[:300]}\n{out.decode(errors='replace')}"
    return out.decode(errors="replace")


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: apt-get install {package}")
    return found


def letter() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"{NAME} <billing@acme.example>"
    mail["To"] = TO
    mail["Subject"] = SUBJECT
    mail["X-Relayd-Ref"] = REF
    mail.set_content(TEXT)
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="Rechnung.pdf")
    return mail


def encoded(text: str) -> str:
    """An encoded word, for clients that leave that to their user."""
    from email.header import Header

    return Header(text, "utf-8").encode()


# --- the clients ---


async def python_smtplib(world: Any, folder: Path) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", world.daemon.port) as server:
            server.send_message(letter())

    await asyncio.to_thread(send)


async def swaks(world: Any, folder: Path) -> None:
    (folder / "Rechnung.pdf").write_bytes(PDF)
    (folder / "text").write_text(TEXT)
    await run(
        tool("swaks", "swaks libnet-ssleay-perl"),
        *("--server", f"127.0.0.1:{world.daemon.port}"),
        *("--from", "billing@acme.example", "--to", TO),
        *("--header", f"From: {encoded(NAME)} <billing@acme.example>"),
        *("--header", f"Subject: {encoded(SUBJECT)}", "--add-header", f"X-Relayd-Ref: {REF}"),
        *("--attach-type", "text/plain; charset=utf-8", "--attach-body", f"@{folder / 'text'}"),
        *("--attach-name", "Rechnung.pdf", "--attach-type", "application/pdf"),
        *("--attach", f"@{folder / 'Rechnung.pdf'}"),
    )


async def msmtp(world: Any, folder: Path) -> None:
    await run(
        *(tool("msmtp", "msmtp"), "--file=/dev/null", "--host=127.0.0.1", f"--port={world.daemon.port}"),
        *("--from=billing@acme.example", "--", TO),
        stdin=letter().as_bytes(),
    )


async def msmtp_as_sendmail(world: Any, folder: Path) -> None:
    """As cron, PHP's mail() and the like call it: recipients from the header, LF line ends."""
    (folder / "msmtprc").write_text(
        f"defaults\nhost 127.0.0.1\nport {world.daemon.port}\nfrom billing@acme.example\naccount default\n"
    )
    (folder / "msmtprc").chmod(0o600)
    (folder / "sendmail").symlink_to(tool("msmtp", "msmtp"))
    await run(
        *(str(folder / "sendmail"), f"--file={folder / 'msmtprc'}", "-t", "-i"),
        stdin=letter().as_bytes(policy=policy.SMTP.clone(linesep="\n")),
    )


DJANGO = """
import sys
from django.conf import settings
from django.core.mail import EmailMessage
host, port, folder, name, subject, text, to, ref = sys.argv[1:]
settings.configure(EMAIL_HOST=host, EMAIL_PORT=int(port), DEFAULT_FROM_EMAIL=f"{name} <billing@acme.example>")
mail = EmailMessage(subject, text, to=[to], headers={"X-Relayd-Ref": ref})
mail.attach("Rechnung.pdf", open(folder + "/Rechnung.pdf", "rb").read(), "application/pdf")
assert mail.send() == 1
"""


async def django(world: Any, folder: Path) -> None:
    pytest.importorskip("django", reason="Django is missing: pip install -e '.[test]'")
    (folder / "Rechnung.pdf").write_bytes(PDF)
    words = ("127.0.0.1", str(world.daemon.port), str(folder), NAME, SUBJECT, TEXT, TO, REF)
    await run(sys.executable, "-c", DJANGO, *words)


NODEMAILER = """
const [port, folder, name, subject, text, to, ref] = process.argv.slice(2);
require('nodemailer').createTransport({host: '127.0.0.1', port: Number(port)}).sendMail({
  from: {name, address: 'billing@acme.example'}, to, subject, text, headers: {'X-Relayd-Ref': ref},
  attachments: [{filename: 'Rechnung.pdf', path: folder + '/Rechnung.pdf', contentType: 'application/pdf'}],
}).catch((error) => { console.error(error); process.exitCode = 1; });
"""


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    def install() -> Path:
        npm = tool("npm", "nodejs npm")
        folder = tmp_path_factory.mktemp("node")
        words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
        done = subprocess.run([*words, "nodemailer@>=7"], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"npm could not install nodemailer: {done.stderr[-500:]}")
        return folder

    return install


async def relayd_sendmail(world: Any, folder: Path) -> None:
    code, out, err = await world.daemon.command("sendmail", "-t", "-i", stdin=letter().as_bytes())
    assert code == 0, out + err


# --- what must arrive ---


async def arrived(world: Any) -> None:
    (mail,) = await asyncio.wait_for(world.receiver.wait_for(1), 30)
    parsed = email.message_from_bytes(mail.content, policy=policy.default)
    sender = parsed["From"].addresses[0]
    assert (sender.display_name, sender.addr_spec) == ("Acme GmbH & Söhne", "acme@my.platform.example")
    assert parsed["Reply-To"].addresses[0].addr_spec == "billing@acme.example"
    assert parsed["To"].addresses[0].addr_spec == TO
    assert mail.recipients == (TO,)
    assert mail.mail_from.endswith("@bounce.my.platform.example")
    assert parsed["Subject"] == SUBJECT
    assert "X-Relayd-Ref" not in parsed
    assert parsed["Message-ID"]
    assert parsed["Date"]
    body = parsed.get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r\n", "\n").rstrip("\n") == TEXT.rstrip("\n")
    (pdf,) = parsed.iter_attachments()
    assert (pdf.get_filename(), pdf.get_content()) == ("Rechnung.pdf", PDF)
    assert world.verified(mail.content) == ["my.platform.example"]
    await world.daemon.until(
        lambda: any(event["type"] == "delivered" and event["ref"] == REF for event in world.daemon.events()),
        "`delivered` in the status log",
    )


@pytest.mark.parametrize(
    "send",
    [python_smtplib, swaks, msmtp, msmtp_as_sendmail, django, relayd_sendmail],
    ids=lambda f: f.__name__,
)
async def test_an_invoice_arrives_whole_and_signed(world: Any, tmp_path: Path, send: Send) -> None:
    folder = tmp_path / "client"
    folder.mkdir()
    await send(world, folder)
    await arrived(world)


async def test_an_invoice_from_nodemailer_arrives_whole_and_signed(
    world: Any, tmp_path: Path, node_modules: Callable[[], Path]
) -> None:
    modules = await asyncio.to_thread(node_modules)
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "Rechnung.pdf").write_bytes(PDF)
    script = modules / "send.js"
    script.write_text(NODEMAILER)
    words = (str(world.daemon.port), str(folder), NAME, SUBJECT, TEXT, TO, REF)
    await run(tool("node", "nodejs"), str(script), *words, cwd=modules)
    await arrived(world)
