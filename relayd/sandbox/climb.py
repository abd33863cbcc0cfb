"""The customer of the demo who climbs the ladder: added by the app at run time, confirmed, then proven in two
ways. Here is what there is of it outside relayd: its domain, its mailbox, its browser, and what has to come
of each step.
"""

from __future__ import annotations

import email.policy
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from html.parser import HTMLParser

import httpx

from relayd.sandbox.invoices import Invoice
from relayd.sandbox.record import Received

ID, NAME, DOMAIN = "peeters", "Bakkerij Peeters", "peeters.example"
ADDRESS = f"facturen@{DOMAIN}"
SENDER = {"name": NAME, "address": ADDRESS, "send_as": "own", "language": "nl"}
"""What the app says of this customer."""

ZONE = f"""
# a customer that the app adds while relayd runs; its domain says nothing of the platform yet
{DOMAIN}        NS   ns.provider.example
{DOMAIN}        MX   10 mx.provider.example
{DOMAIN}        TXT  v=spf1 ip4:192.0.2.25 -all
_dmarc.{DOMAIN} TXT  v=DMARC1; p=reject
"""

_TO = "office@hotel.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step, and how things have to be after it: in the API, and at the receiver of its invoice."""

    name: str  # add | confirm | spf | dkim
    title: str
    confirmed_by: str | None
    rung: str
    proof: str
    reason: str | None
    tasks: tuple[str, ...]
    events: tuple[str, ...]  # that have to be among those of the step
    invoice: Invoice | None = None
    header_from: str = f"{NAME} <{ADDRESS}>"
    reply_to: str | None = None
    return_path: str = ""  # a pattern
    signed_by: tuple[str, ...] = ()
    spf: str = "pass"
    aligned_by: tuple[str, ...] = ()


def steps(platform: str) -> tuple[Step, ...]:
    """The whole climb, on a platform with this domain."""
    tokened = rf"[a-z2-7]{{40,}}@bounce\.{re.escape(platform)}"
    return (
        Step(
            name="add",
            title="The app adds a customer and sends its first invoice",
            confirmed_by=None,
            rung="default",
            proof="platform",
            reason="sender.unconfirmed",
            tasks=("address.confirm", "domain.publish"),
            events=("sender_changed", "accepted", "delivered", "confirmation_sent"),
            invoice=_invoice("RE-2001"),
            header_from=f"{NAME} <bakkerij-peeters@{platform}>",
            reply_to=ADDRESS,
            return_path=tokened,
            signed_by=(platform,),
            aligned_by=("dkim", "spf"),
        ),
        Step(
            name="confirm",
            title="The customer confirms its address",
            confirmed_by="link",
            rung="default",
            proof="platform",
            reason="sender.unproven",
            tasks=("domain.publish",),
            events=("confirmed",),
        ),
        Step(
            name="spf",
            title="The domain's SPF record includes the platform",
            confirmed_by="link",
            rung="own",
            proof="spf",
            reason=None,
            tasks=(),
            events=("proven", "accepted", "delivered"),
            invoice=_invoice("RE-2002"),
            return_path=re.escape(ADDRESS),
            signed_by=(platform,),
            aligned_by=("spf",),
        ),
        Step(
            name="dkim",
            title="The domain's DKIM names lead to the platform's key",
            confirmed_by="link",
            rung="own",
            proof="dkim",
            reason=None,
            tasks=(),
            events=("proven", "accepted", "delivered"),
            invoice=_invoice("RE-2003"),
            return_path=tokened,
            signed_by=(DOMAIN, platform),
            aligned_by=("dkim",),
        ),
    )


def _invoice(number: str) -> Invoice:
    return Invoice(number=number, from_name=NAME, from_address=ADDRESS, to=_TO, total="€ 12.80")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """The confirmation mail, as its reader sees it."""

    subject: str
    link: str
    code: str


def read_letter(received: Received) -> Letter:
    """Raises ValueError where link or code is missing."""
    mail = BytesParser(policy=email.policy.default).parsebytes(received.content)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("plain",))
    text = body.get_content() if body is not None else ""
    link = re.search(r"^\s*(http\S+/confirm/[a-z2-7]+)\s*$", text, re.MULTILINE)
    code = re.search(r"^\s*(\d{3} \d{3})\s*$", text, re.MULTILINE)
    if link is None or code is None:
        raise ValueError("the confirmation mail has no link or no code")
    return Letter(subject=str(mail["Subject"]), link=link[1], code=code[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a browser shows."""

    status: int
    title: str  # the heading
    button: str | None
    form: str  # what the button sends along


class Browser:
    """The customer's. It keeps the cookie that the page gives, as every browser does."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=10, trust_env=False)

    async def open(self, link: str) -> Page:
        return _page(await self._client.get(link))

    async def press(self, link: str, page: Page) -> Page:
        """The button of that page, which was opened at this link."""
        return _page(await self._client.post(link, data={"form": page.form}))

    async def close(self) -> None:
        await self._client.aclose()


def _page(answer: httpx.Response) -> Page:
    reader = _Reader()
    reader.feed(answer.text)
    said = {tag: " ".join("".join(words).split()) for tag, words in reader.said.items()}
    return Page(
        status=answer.status_code,
        title=said["h1"].removeprefix("✓").strip(),
        button=said["button"] or None,
        form=reader.form,
    )


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, list[str]] = {"h1": [], "button": []}
        self.form = ""
        self._within = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "input" and values.get("name") == "form":
            self.form = values.get("value") or ""
        if tag in self.said:
            self._within = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within:
            self.said[self._within].append(data)
