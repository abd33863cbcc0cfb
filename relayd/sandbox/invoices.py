"""An invoicing application in miniature: makes invoices with PDFs and hands them in over SMTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr

import aiosmtplib

_LINE = 16  # points from line to line


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What the app wants to send."""

    number: str
    from_name: str
    from_address: str
    to: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the app was told when it handed the invoice in."""

    code: int
    text: str


def mail(invoice: Invoice) -> bytes:
    """The message as the app makes it: its customer in From, the PDF attached, the number as ref."""
    message = EmailMessage(policy=SMTP)
    message["From"] = formataddr((invoice.from_name, invoice.from_address))
    message["To"] = invoice.to
    message["Subject"] = f"Invoice {invoice.number} from {invoice.from_name}"
    message["X-Relayd-Ref"] = invoice.number
    message.set_content(
        f"Dear customer,\n\nplease find attached our invoice {invoice.number} over {invoice.total}.\n\n"
        f"Kind regards\n{invoice.from_name}\n"
    )
    lines = (invoice.from_name, f"Invoice {invoice.number}", f"To: {invoice.to}", f"Total: {invoice.total}")
    message.add_attachment(
        pdf(lines), maintype="application", subtype="pdf", filename=f"{invoice.number}.pdf"
    )
    return message.as_bytes()


async def hand_in(invoice: Invoice, *, host: str, port: int, timeout: float = 60) -> Answer:
    """Send it to relayd with a plain SMTP client; the answer is what `send_message` of any library shows."""
    try:
        client = aiosmtplib.SMTP(hostname=host, port=port, timeout=timeout, start_tls=False)
        async with client:
            await client.ehlo()
            await client.mail(invoice.from_address)
            await client.rcpt(invoice.to)
            reply = await client.data(mail(invoice))
    except aiosmtplib.SMTPResponseException as refused:
        return Answer(code=refused.code, text=refused.message)
    return Answer(code=reply.code, text=reply.message)


def pdf(lines: Sequence[str]) -> bytes:
    """A PDF 1.4 of one A4 page with these lines; characters beyond Windows-1252 become question marks."""
    drawn = b"".join(b"(%s) Tj T*\n" % _escaped(line) for line in lines)
    stream = b"BT /F1 14 Tf %d TL 72 770 Td\n%sET" % (_LINE, drawn)
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    )
    out = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"  # four octets over 127 tell transports that this is binary
    offsets = []
    for number, each in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        out
        + b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (
            size,
            table,
            size,
            len(out),
        )
    )


def _escaped(text: str) -> bytes:
    octets = text.encode("cp1252", "replace")
    return octets.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")
