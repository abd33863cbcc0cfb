"""An address is confirmed: a daemon, a receiver that gets the letter, and people, scanners and Chromium that
follow its link."""

from __future__ import annotations

import asyncio
import re
import shutil
import smtplib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import httpx
import pytest

from relayd.sandbox.script import At, say

CHROMIUM = "/usr/bin/chromium"
QUIETLY = (
    "--no-sandbox",  # CI runs as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PHONE = {"width": 375, "height": 740}
LANGUAGES = {"de": "one.example", "en": "two.example", "fr": "three.example", "nl": "acme.example"}
SENDERS: dict[str, Any] = {
    "globex": {
        "name": "Globex & <b>Söhne</b>",
        "address": "office@globex.example",
        "send_as": "own",
        "language": "de",
    },
    **{
        language: {
            "name": f"Müller & Söhne {language}",
            "address": f"hello@{domain}",
            "language": language,
            "local_part": f"sender-{language}",
        }
        for language, domain in LANGUAGES.items()
    },
}


@dataclass
class Letter:
    """What the receiver has in its mailbox."""

    mail: EmailMessage
    to: str
    content: bytes

    def part(self, kind: str) -> str:
        found = self.mail.get_body((kind,))
        assert found is not None
        text: str = found.get_content()
        return text.replace("\r\n", "\n")

    @property
    def link(self) -> str:
        return re.findall(r"^(http://\S+/confirm/[a-z2-7]{32})$", self.part("plain"), re.MULTILINE)[0]

    @property
    def code(self) -> str:
        return re.findall(r"^ {4}(\d{3} \d{3})$", self.part("plain"), re.MULTILINE)[0]


@pytest.fixture
async def house(make_world: Any) -> AsyncIterator[Any]:
    """A daemon with unconfirmed senders and a place for its pages."""
    async with open_house(make_world) as world:
        yield world


@asynccontextmanager
async def open_house(make_world: Any, *, start: bool = True, **http: Any) -> AsyncIterator[Any]:
    with socket.create_server(("127.0.0.1", 0)) as public:
        place = f"127.0.0.1:{public.getsockname()[1]}"
        settings = {"public_listen": place, "public_url": f"http://{place}", **http}
        settings = {key: value for key, value in settings.items() if value is not None}
        async with make_world(senders=SENDERS, http=settings) as world:
            world.daemon.more = [("public", public)]
            if start:
                await world.daemon.start()
            yield world


async def send(world: Any, sender: str, ref: str = "1") -> None:
    """An app sends an invoice in this sender's name."""
    await send_as(world, sender, SENDERS[sender]["address"], ref)


async def send_as(world: Any, sender: str, address: str, ref: str = "1") -> None:
    mail = EmailMessage()
    mail["From"] = address
    mail["To"] = "kunde@customer.example"
    mail["Subject"] = f"Rechnung {ref}"
    mail["X-Relayd-Sender"] = sender
    mail["X-Relayd-Ref"] = ref
    mail.set_content("Guten Tag\n")

    def hand_in() -> None:
        with smtplib.SMTP("127.0.0.1", world.daemon.port, timeout=30) as smtp:
            smtp.send_message(mail, address, ["kunde@customer.example"])

    await asyncio.to_thread(hand_in)


async def letters(world: Any, number: int, to: str | None = None) -> list[Letter]:
    """The letters that arrived, when there are so many."""

    def found() -> list[Letter]:
        read = []
        for got in world.receiver.received:
            mail = message_from_bytes(got.content, policy=policy.default)
            if mail["Auto-Submitted"] and to in (None, got.recipients[0]):
                read.append(Letter(mail=mail, to=got.recipients[0], content=got.content))
        return read

    await world.daemon.until(lambda: len(found()) >= number, f"{number} letters")
    assert len(found()) == number
    return found()


def said(world: Any, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in world.daemon.events() if event["type"] in kinds]


ABOUT_CONFIRMING = ("confirmation_sent", "confirmed", "confirmation_expired")


# --- without a browser


async def test_the_first_mail_asks_and_after_the_yes_the_own_address_is_used(house: Any) -> None:
    await send(house, "globex", "1")
    await send(house, "globex", "2")
    (letter,) = await letters(house, 1)
    assert letter.to == "office@globex.example"
    assert letter.mail["From"] == "Platform <no-reply@my.platform.example>"
    assert house.verified(letter.content) == ["my.platform.example"]
    assert "durch die erste E-Mail in diesem Namen" in letter.part("plain")
    assert "<b>Söhne" not in letter.part("html")
    await house.receiver.wait_for(3)
    own = [got for got in house.receiver.received if b"X-Auto-Response-Suppress" not in got.content]
    assert all(b"<globex-s" in got.content or b"@my.platform.example>" in got.content for got in own)

    async with httpx.AsyncClient(trust_env=False) as person:
        page = await person.get(letter.link)
        form = re.findall(r'name="form" value="([0-9a-f]+)"', page.text)[0]
        assert (await person.post(letter.link, data={"form": form})).status_code == 200
    await house.daemon.until(lambda: bool(said(house, "confirmed")), "confirmed")
    (event,) = said(house, "confirmed")
    assert (event["sender"], event["detail"]["by"]) == ("globex", "link")

    await send(house, "globex", "3")
    await house.daemon.until(
        lambda: any(e["type"] == "accepted" and e.get("ref") == "3" for e in house.daemon.events()),
        "accepted",
    )
    (accepted,) = [e for e in said(house, "accepted") if e.get("ref") == "3"]
    assert (accepted["rung"], accepted["proof"]) == ("own", "dkim")


async def test_a_scanner_may_press_every_link_and_changes_nothing(house: Any) -> None:
    await send(house, "globex")
    (letter,) = await letters(house, 1)
    html = letter.part("html")
    links = re.findall(r'href="(http[^"]+)"', html)
    assert len(links) == 2
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as scanner:
        for link in [*links, letter.link + "?lang=en", letter.link + "/"]:
            for headers in ({}, {"Sec-Purpose": "prefetch"}, {"User-Agent": "Mozilla/5.0 SafeLinks"}):
                for method in ("HEAD", "GET", "OPTIONS"):
                    await scanner.request(method, link, headers=headers)
            await scanner.post(link)
            await scanner.post(link, data={"form": "0" * 64, "confirm": "yes"})
    code, out, _ = await house.daemon.command("sender", "confirm", "globex", "--show", "--json")
    assert code == 0
    assert '"confirmed": false' in out
    assert '"open": true' in out
    await house.daemon.until(lambda: bool(said(house, *ABOUT_CONFIRMING)), "confirmation_sent")
    assert [event["type"] for event in said(house, *ABOUT_CONFIRMING)] == ["confirmation_sent"]


async def test_a_link_outlives_a_kill_and_nobody_is_asked_twice(house: Any) -> None:
    await send(house, "globex", "1")
    (letter,) = await letters(house, 1)
    await house.daemon.kill()
    await house.daemon.start()
    await send(house, "globex", "2")
    code, _, err = await house.daemon.command("sender", "confirm", "globex")
    assert code == 75
    assert "the next one may be sent from" in err
    async with httpx.AsyncClient(trust_env=False) as person:
        page = await person.get(letter.link)
        form = re.findall(r'name="form" value="([0-9a-f]+)"', page.text)[0]
        assert (await person.post(letter.link, data={"form": form})).status_code == 200
        assert (await person.post(letter.link, data={"form": form})).status_code == 404
    await letters(house, 1)


async def test_the_operator_asks_and_types_the_code(house: Any) -> None:
    code, out, _ = await house.daemon.command("sender", "confirm", "en")
    assert code == 0
    assert "hello@two.example is not confirmed" in out
    assert "5 tries are left" in out
    (letter,) = await letters(house, 1, "hello@two.example")
    assert "by the operator of Platform" in letter.part("plain")
    wrong = "000000" if letter.code != "000 000" else "000001"
    code, _, err = await house.daemon.command("sender", "confirm", "en", "--code", wrong)
    assert code == 65
    assert "4 tries are left" in err
    code, out, _ = await house.daemon.command("sender", "confirm", "en", "--code", letter.code)
    assert (code, out) == (0, "hello@two.example is confirmed\n")
    code, out, _ = await house.daemon.command("sender", "confirm", "fr", "--vouch")
    assert (code, out) == (0, "hello@three.example is confirmed\n")
    await house.daemon.until(lambda: len(said(house, "confirmed")) == 2, "confirmed")
    assert [event["detail"]["by"] for event in said(house, "confirmed")] == ["code", "vouch"]
    assert (await house.daemon.command("sender", "confirm", "nobody"))[0] == 66
    assert (await house.daemon.command("sender", "confirm", "en", "--vouch", "--code", "1"))[0] == 64


async def test_a_letter_that_does_not_arrive_shows_where_the_sender_stands(house: Any) -> None:
    house.receiver.tell(At.RCPT, say("550 5.1.1 no such user here"))
    assert (await house.daemon.command("sender", "confirm", "de"))[0] == 0
    await house.daemon.until(lambda: bool(said(house, "failed")), "failed")
    (event,) = said(house, "failed")
    assert (event["sender"], event["ref"]) == ("relayd", "confirmation:de")
    for words in (("sender", "confirm", "de", "--show"), ("sender", "show", "de")):
        _, out, _ = await house.daemon.command(*words)
        assert "the mail is not_sent" in out
        assert "doesn't know this address" in out


async def test_another_address_has_to_be_confirmed_anew(house: Any) -> None:
    command = house.daemon.command
    added = await command("sender", "add", "bolt", "name=Bolt", "address=hi@customer.example", "send_as=own")
    assert added[0] == 0, added
    await send_as(house, "bolt", "hi@customer.example")
    (first,) = await letters(house, 1)
    assert (await command("sender", "confirm", "bolt", "--code", first.code))[0] == 0
    assert (await command("sender", "set", "bolt", "address=other@customer.example"))[0] == 0
    _, out, _ = await command("sender", "confirm", "bolt", "--show")
    assert out == "other@customer.example is not confirmed\n"

    await send_as(house, "bolt", "other@customer.example")
    (second,) = await letters(house, 1, "other@customer.example")
    assert (await command("sender", "set", "bolt", "address=third@customer.example"))[0] == 0
    assert (await command("sender", "confirm", "bolt", "--code", second.code))[0] == 65
    async with httpx.AsyncClient(trust_env=False) as person:
        assert (await person.get(second.link)).status_code == 404
    assert len(said(house, "confirmed")) == 1


async def test_a_letter_waits_for_the_platforms_key_and_then_goes(make_world: Any) -> None:
    async with open_house(make_world, start=False) as world:
        record = world.zone.values("r1._domainkey.my.platform.example", "TXT")[0]
        world.zone.remove("r1._domainkey.my.platform.example")
        await world.daemon.start()
        code, out, _ = await world.daemon.command("sender", "confirm", "en")
        assert code == 0
        assert "the mail is held" in out
        assert await world.daemon.stop() == 0
        world.zone.add("r1._domainkey.my.platform.example", "TXT", record)
        await world.daemon.start()
        (letter,) = await letters(world, 1)
        assert world.verified(letter.content) == ["my.platform.example"]
        assert (await world.daemon.command("sender", "confirm", "en", "--code", letter.code))[0] == 0


async def test_apps_can_not_send_as_relayd_itself(house: Any) -> None:
    mail = b"From: hello@two.example\r\nX-Relayd-Sender: relayd\r\nSubject: x\r\n\r\nx\r\n"

    def hand_in() -> tuple[int, bytes]:
        with smtplib.SMTP("127.0.0.1", house.daemon.port, timeout=30) as smtp:
            smtp.ehlo()
            smtp.mail("no-reply@my.platform.example")
            smtp.rcpt("kunde@customer.example")
            return smtp.data(mail)

    code, text = await asyncio.to_thread(hand_in)
    assert code == 550
    assert b"sender.unknown" in text


async def test_without_a_public_page_the_mail_has_the_code_alone(make_world: Any) -> None:
    async with open_house(make_world, public_url=None) as world:
        await send(world, "en")
        (letter,) = await letters(world, 1)
        assert "http" not in letter.part("plain")
        code, _, _ = await world.daemon.command("sender", "confirm", "en", "--code", letter.code)
        assert code == 0


# --- with Chromium


@asynccontextmanager
async def chromium(**options: Any) -> AsyncIterator[Any]:
    """A page of a browser that nobody used before, as wide as a phone."""
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=list(QUIETLY))
        try:
            context = await browser.new_context(viewport=PHONE, **options)  # type: ignore[arg-type]
            yield await context.new_page()
        finally:
            await browser.close()


real = pytest.mark.real
needs_chromium = pytest.mark.skipif(
    shutil.which(CHROMIUM) is None, reason=f"{CHROMIUM} is missing: apt-get install chromium"
)


async def fits(page: Any) -> bool:
    """Nothing sticks out at the side."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth")
    return wide <= PHONE["width"]


@real
@needs_chromium
async def test_people_confirm_on_a_phone_in_four_languages(house: Any) -> None:
    for language in LANGUAGES:
        await send(house, language)
    arrived = {letter.to: letter for letter in await letters(house, len(LANGUAGES))}
    async with chromium() as page:
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for language, domain in LANGUAGES.items():
            letter = arrived[f"hello@{domain}"]
            await page.goto("about:blank")  # away from the last page, whose policy would hold for the letter
            await page.set_content(letter.part("html"))
            assert await fits(page)
            assert await page.get_attribute("html", "lang") == language
            await page.click(f'a[href="{letter.link}"]')
            await page.wait_for_url(letter.link)
            assert await page.get_attribute("html", "lang") == language
            assert await fits(page)
            assert f"hello@{domain}" in await page.inner_text("main")
            box = await page.locator("button").bounding_box()
            assert box["height"] >= 44  # a thumb's width, WCAG 2.5.5
            assert not [event for event in said(house, "confirmed") if event["sender"] == language]
            await page.click("button")
            await page.wait_for_selector(".done")
            assert await fits(page)
            await house.daemon.until(
                lambda who=language: any(e["sender"] == who for e in said(house, "confirmed")), "confirmed"
            )
            # back and once more: the link is used up, and says what to do
            await page.goto(letter.link)
            assert await page.locator("button").count() == 0
            assert await fits(page)
        assert complaints == [
            "Failed to load resource: the server responded with a status of 404 (Not Found)"
        ] * len(LANGUAGES)


@real
@needs_chromium
async def test_a_reader_says_it_was_not_me_in_another_language(house: Any) -> None:
    await send(house, "de")
    (letter,) = await letters(house, 1)
    async with chromium(color_scheme="dark") as page:
        await page.goto(letter.link)
        await page.click("nav a[lang=nl]")
        await page.wait_for_url("**?lang=nl")
        assert await page.get_attribute("html", "lang") == "nl"
        await page.click("main a")
        await page.wait_for_url("**/not-me?lang=nl")
        assert await fits(page)
        assert said(house, "confirmation_expired") == []
        await page.click("main a")
        await page.wait_for_url(letter.link + "?lang=nl")
        await page.click("main a")
        await page.wait_for_url("**/not-me?lang=nl")
        await page.click("button")
        await page.wait_for_selector(".done")
        assert "Het verzoek is beëindigd" in await page.inner_text("main")
    await house.daemon.until(lambda: bool(said(house, "confirmation_expired")), "confirmation_expired")
    (event,) = said(house, "confirmation_expired")
    assert event["detail"]["why"] == "denied"
    code, _, err = await house.daemon.command("sender", "confirm", "de")
    assert code == 73
    assert "didn't ask for this" in err


@real
@needs_chromium
async def test_a_scanner_that_is_a_whole_browser_changes_nothing(house: Any) -> None:
    await send(house, "globex")
    (letter,) = await letters(house, 1)
    async with chromium() as page:
        await page.set_content(letter.part("html"))
        links = [await link.get_attribute("href") for link in await page.locator("a").all()]
        for link in links:
            await page.goto(link)
            await page.wait_for_load_state("networkidle")
            for found in await page.locator("a").all():
                await page.context.request.get(await found.evaluate("a => a.href"))
        # a form on another site that posts to the link, as an attacker who knows it might have it pressed
        await page.goto("about:blank")
        await page.set_content(f'<form method="post" action="{letter.link}"><button>win</button></form>')
        await page.click("button")
        await page.wait_for_url(letter.link)
        assert await page.locator(".alert").count() == 1
    _, out, _ = await house.daemon.command("sender", "confirm", "globex", "--show", "--json")
    assert '"confirmed": false' in out
    assert '"open": true' in out


@real
@needs_chromium
async def test_who_allows_no_cookies_is_told_what_to_do(house: Any) -> None:
    await send(house, "en")
    (letter,) = await letters(house, 1)
    async with chromium() as page:
        await page.goto(letter.link)
        await page.context.clear_cookies()
        await page.click("button")
        await page.wait_for_selector(".alert")
        assert "allow cookies" in await page.inner_text(".alert")
        await page.click("button")  # with the cookie that came along
        await page.wait_for_selector(".done")
