"""The pages behind a confirmation letter's link: looking changes nothing, and only our own form acts."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from relayd.core import address
from relayd.core.address import Address
from relayd.core.confirmation import LIFETIME, PAUSE
from relayd.core.event import EventType
from relayd.core.letters import Letter
from relayd.core.mail import IfUnproven, Rung
from relayd.core.sender import Sender, Senders
from relayd.identity.confirm import Confirmations
from relayd.store.contract import StoreFull
from relayd.store.memory import MemoryStore
from relayd.web.page import Pages
from relayd.web.pages import COOKIE, FORM_MAX, create_public
from relayd.web.words import WORDS, preferred

START = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
ACME = Sender(
    id="acme",
    name="Müller & <b>Söhne</b> GmbH",
    contact=address.parse("billing@acme.example"),
    confirmed=False,
    default_address=address.parse("acme@my.platform.example"),
    send_as=Rung.OWN,
    if_unproven=IfUnproven.DEFAULT,
    language="de",
    test=False,
)


def fingerprint(text: str) -> str:
    return sha256(b"key" + text.encode()).hexdigest()


class Read(HTMLParser):
    """What a page has in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.words += data

    def get(self, tag: str, name: str) -> str:
        return next(value or "" for found, key, value in self.attributes if (found, key) == (tag, name))

    @property
    def form(self) -> str:
        fields = [value for tag, name, value in self.attributes if tag == "input" and name == "value"]
        return fields[0] or ""


@dataclass
class Desk:
    """Confirmations with a letter box instead of a post."""

    store: MemoryStore
    senders: Senders = field(default_factory=lambda: Senders([ACME], unknown=None))
    now: datetime = START
    sent: list[Letter] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        self.confirmations = Confirmations(
            store=self.store,
            senders=lambda: self.senders,
            post=lambda: self,
            confirm=self.confirm,
            fingerprint=fingerprint,
            platform=lambda: "Platform",
            public_url=lambda: "http://confirm.test",
            clock=lambda: self.now,
        )
        self.pages = Pages(lambda: "Platform")

    async def send(self, letter: Letter, to: Address, **_: Any) -> str:
        self.sent.append(letter)
        return "A" * 26

    async def confirm(self, id: str, address: Address, *, by: str) -> None:
        if self.broken:
            raise StoreFull("no space left")
        sender = self.senders.get(id)
        assert sender is not None
        self.senders.put(replace(sender, confirmed=True))

    def public(self, **options: Any) -> httpx.AsyncClient:
        app = create_public(
            self.confirmations,
            pages=self.pages,
            fingerprint=fingerprint,
            **{"secure": lambda: False, **options},
        )
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://confirm.test")

    async def ask(self) -> str:
        """Ask, and give the path of the link."""
        await self.confirmations.ask("acme", by="operator")
        link = re.findall(r"http://confirm\.test(/confirm/[a-z2-7]{32})\n", self.sent[-1].text)
        return str(link[0])

    @property
    def confirmed(self) -> bool:
        sender = self.senders.get("acme")
        assert sender is not None
        return sender.confirmed

    async def said(self) -> list[str]:
        return [event.type.value for event in await self.store.journal(0)]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    store = MemoryStore(clock=lambda: START)
    yield Desk(store=store)
    await store.close()


@pytest.fixture
async def browser(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with desk.public() as client:
        yield client


async def pressed(browser: httpx.AsyncClient, path: str) -> httpx.Response:
    """Look at a page and press its button, as a person does."""
    page = Read((await browser.get(path)).text)
    return await browser.post(path, data={"form": page.form})


# --- looking


async def test_looking_changes_nothing_however_often_and_by_whom(
    desk: Desk, browser: httpx.AsyncClient
) -> None:
    link = await desk.ask()
    before = await desk.said()
    for _ in range(3):
        for path in (link, link + "/not-me", link + "?lang=fr"):
            assert (await browser.get(path)).status_code == 200
            assert (await browser.head(path)).status_code == 200
            for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"):
                assert (await browser.request(method, path)).status_code == 404
    assert await desk.said() == before
    assert not desk.confirmed


async def test_the_page_says_who_asks_for_what(desk: Desk, browser: httpx.AsyncClient) -> None:
    page = Read((await browser.get(await desk.ask())).text)
    assert page.get("html", "lang") == "de"
    for fact in ("Müller & <b>Söhne</b> GmbH", "billing@acme.example", "vom Betreiber von Platform"):
        assert fact in page.words
    assert "b" not in page.tags


async def test_a_page_can_do_nothing_but_post_to_where_it_came_from(
    desk: Desk, browser: httpx.AsyncClient
) -> None:
    link = await desk.ask()
    for path, status in ((link, 200), (link + "/not-me", 200), ("/confirm/" + "a" * 32, 404)):
        answer = await browser.get(path)
        assert answer.status_code == status
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        page = Read(answer.text)
        assert not {"script", "img", "link", "iframe"} & set(page.tags)
        assert not [
            name for _, name, _ in page.attributes if name.startswith("on") or name in ("style", "src")
        ]
        assert not [value for _, name, value in page.attributes if name == "action"]
        hrefs = [value or "" for _, name, value in page.attributes if name == "href"]
        assert not [href for href in hrefs if ":" in href or href.startswith("/")]


async def test_the_style_is_the_one_that_the_policy_names(desk: Desk, browser: httpx.AsyncClient) -> None:
    import base64

    answer = await browser.get(await desk.ask())
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("language", WORDS)
async def test_a_reader_can_choose_the_language(
    desk: Desk, browser: httpx.AsyncClient, language: str
) -> None:
    link = await desk.ask()
    for path in (link, link + "/not-me", "/confirm/" + "a" * 32):
        page = Read((await browser.get(path, params={"lang": language})).text)
        assert page.get("html", "lang") == language
        assert "{" not in page.words
    assert Read((await browser.get(link, params={"lang": "xx"})).text).get("html", "lang") == "de"


async def test_of_a_stranger_the_browsers_language_is_taken(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/confirm/x", headers={"Accept-Language": "es, nl;q=0.8, fr-BE;q=0.9"})
    assert Read(answer.text).get("html", "lang") == "fr"


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("de-AT,de;q=0.9", "de"), ("es", "en"), ("nl;q=x,fr;q=0.1", "fr"), ("," * 10_000, "en")],
)
def test_a_browsers_wish_is_read_with_care(header: str, language: str) -> None:
    assert preferred(header) == language


@given(st.text(max_size=300))
def test_whatever_a_browser_wishes_it_gets_a_language_that_we_speak(header: str) -> None:
    assert preferred(header) in WORDS


# --- saying yes


async def test_the_button_confirms_once(desk: Desk, browser: httpx.AsyncClient) -> None:
    link = await desk.ask()
    done = await pressed(browser, link)
    assert done.status_code == 200
    assert "Danke, die Adresse ist bestätigt" in done.text
    assert desk.confirmed
    again = await browser.post(link, data={"form": "x"})
    assert again.status_code == 404
    assert "Dieser Link gilt nicht mehr" in (await browser.get(link, params={"lang": "de"})).text


async def test_two_tabs_can_be_open(desk: Desk, browser: httpx.AsyncClient) -> None:
    link = await desk.ask()
    first = Read((await browser.get(link)).text)
    await browser.get(link)
    assert (await browser.post(link, data={"form": first.form})).status_code == 200
    assert desk.confirmed


@pytest.mark.parametrize(
    "forged",
    [
        {"form": False},
        {"cookie": False},
        {"cookie": "another"},
        {"site": "cross-site"},
        {"site": "same-site"},
        {"site": "none"},
        {"form": "of another link"},
        {"json": True},
    ],
)
async def test_a_post_that_is_not_from_our_page_changes_nothing(desk: Desk, forged: dict[str, Any]) -> None:
    link = await desk.ask()
    before = await desk.said()
    async with desk.public() as browser:
        form = Read((await browser.get(link)).text).form
        if forged.get("form") is False:
            form = ""
        if forged.get("form") == "of another link":
            form = fingerprint(f"confirmation form\0{browser.cookies[COOKIE]}\0{'a' * 32}")
        if "cookie" in forged:
            browser.cookies.clear()
            if forged["cookie"]:
                browser.cookies.set(COOKIE, "a" * 32)
        headers = {"Sec-Fetch-Site": forged["site"]} if "site" in forged else {}
        body: dict[str, Any] = {"json": {"form": form}} if forged.get("json") else {"data": {"form": form}}
        for path in (link, link + "/not-me"):
            answer = await browser.post(path, headers=headers, **body)
            assert answer.status_code == 403
            assert "noch einmal" in answer.text
    assert not desk.confirmed
    assert await desk.said() == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"form",
        b"form=" + b"a" * FORM_MAX,
        b"\xff=\xff",
        b"&".join([b"a=b"] * 50),
        b"form=\xc3\xa9",
        b"form=%C3%A9",
    ],
)
async def test_a_body_that_is_no_form_changes_nothing(
    desk: Desk, browser: httpx.AsyncClient, body: bytes
) -> None:
    link = await desk.ask()
    await browser.get(link)
    assert (await browser.post(link, content=body)).status_code == 403
    assert not desk.confirmed


async def test_a_cookie_that_is_not_ours_is_replaced(desk: Desk, browser: httpx.AsyncClient) -> None:
    link = await desk.ask()
    browser.cookies.set(COOKIE, "short")
    answer = await browser.get(link)
    assert re.search(rf"{COOKIE}=[a-z2-7]{{32}};", answer.headers["set-cookie"])


async def test_the_cookie_stays_with_this_site_and_out_of_scripts(desk: Desk) -> None:
    link = await desk.ask()
    async with desk.public(secure=lambda: True) as browser:
        cookie = (await browser.get(link)).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" in cookie
    assert "path=" not in cookie
    assert "domain=" not in cookie


# --- saying no


async def test_this_was_not_me_ends_the_request(desk: Desk, browser: httpx.AsyncClient) -> None:
    link = await desk.ask()
    done = await pressed(browser, link + "/not-me")
    assert done.status_code == 200
    assert "Die Anfrage ist beendet" in done.text
    assert EventType.CONFIRMATION_EXPIRED.value in await desk.said()
    assert (await browser.get(link)).status_code == 404
    assert (await browser.post(link + "/not-me", data={"form": "x"})).status_code == 404
    assert not desk.confirmed


# --- links that can't be used


async def test_used_old_replaced_and_unknown_links_look_the_same(
    desk: Desk, browser: httpx.AsyncClient
) -> None:
    unknown = await browser.get("/confirm/" + "a" * 32)
    first = await desk.ask()
    desk.now += PAUSE
    second = await desk.ask()
    replaced = await browser.get(first)
    await pressed(browser, second)
    used = await browser.get(second)
    desk.senders.put(ACME)
    desk.now += timedelta(hours=1)
    third = await desk.ask()
    desk.now += LIFETIME
    old = await browser.get(third)
    elsewhere = await browser.get("/")
    for answer in (unknown, replaced, used, old, elsewhere):
        assert answer.status_code == 404
        assert answer.text == unknown.text
        assert answer.headers.get("set-cookie") is None
    assert "ask for a new confirmation mail in Platform" in Read(unknown.text).words


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/confirm",
        "/confirm/",
        "/api/v1/status",
        "/confirm/x/y",
        "/confirm/%00",
        "/confirm/..%2fx",
        "/confirm/é/",
        "//",
    ],
)
async def test_nothing_else_is_here(browser: httpx.AsyncClient, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await browser.request(method, path)).status_code == 404


async def test_somebody_who_was_quicker_leaves_nothing_to_do(
    desk: Desk, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await desk.ask()

    async def nothing(token: str) -> None:
        return None

    monkeypatch.setattr(desk.confirmations, "confirm_by_link", nothing)
    monkeypatch.setattr(desk.confirmations, "deny", nothing)
    assert (await pressed(browser, link)).status_code == 404
    assert (await pressed(browser, link + "/not-me")).status_code == 404


# --- faults of ours, and what else is served


async def test_a_store_that_can_not_is_said_and_the_button_works_later(
    desk: Desk, browser: httpx.AsyncClient
) -> None:
    link = await desk.ask()
    desk.broken = True
    answer = await pressed(browser, link)
    assert answer.status_code == 503
    assert "The fault is ours" in answer.text
    assert "content-security-policy" in answer.headers
    desk.broken = False
    assert (await pressed(browser, link)).status_code == 200
    assert desk.confirmed


async def test_a_fault_shows_no_traceback(
    desk: Desk, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(token: str) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(desk.confirmations, "find", fault)
    answer = await browser.get("/confirm/x")
    assert answer.status_code == 503
    assert "secret" not in answer.text


async def test_other_routes_can_be_served_beside(desk: Desk) -> None:
    async def callback(request: Request) -> Response:
        return PlainTextResponse("hello")

    async with desk.public(routes=[Route("/oauth/callback", callback)]) as browser:
        assert (await browser.get("/oauth/callback")).text == "hello"
