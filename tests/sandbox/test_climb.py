"""What the demo's climbing customer has: a mailbox that is read, a browser, and steps that fit each other."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from relayd.core.letters.confirmation import BY_MESSAGE, Ask, confirmation
from relayd.net.http import HttpServer, listen_tcp
from relayd.sandbox import climb
from relayd.sandbox.record import Received

LINK = "http://127.0.0.1:8026/confirm/" + "a2" * 16


def mail(text: str) -> Received:
    message = EmailMessage()
    message["Subject"] = "Bevestig uw adres"
    message.set_content(text)
    return Received(
        mail_from="",
        recipients=(climb.ADDRESS,),
        parameters=(),
        content=message.as_bytes(),
        tls=None,
        login=None,
        connection=1,
        ip="127.0.0.1",
    )


@pytest.mark.parametrize("language", ["de", "en", "fr", "nl"])
def test_link_and_code_are_read_from_the_letter_that_relayd_writes(language: str) -> None:
    ask = Ask(
        platform="Platform",
        customer=climb.NAME,
        address=climb.ADDRESS,
        asked_by=BY_MESSAGE,
        asked_at=datetime(2026, 11, 22, tzinfo=UTC),
        hours=24,
        code="012345",
        link=LINK,
        not_me=LINK + "/not-me",
    )
    letter = climb.read_letter(mail(confirmation(ask, language).text))
    assert (letter.link, letter.code) == (LINK, "012 345")


@pytest.mark.parametrize("text", ["Invoice 123 456", f"{LINK}\n", "012 345\n"])
def test_other_mail_is_no_letter(text: str) -> None:
    with pytest.raises(ValueError, match="no link or no code"):
        climb.read_letter(mail(text))


async def test_the_browser_shows_the_page_and_keeps_its_cookie() -> None:
    async def page(request: Request) -> Response:
        if request.method == "GET":
            text = '<h1>Is this\n yours?</h1><form><input name="form" value="x1"><button>Yes</button></form>'
            answer = HTMLResponse(text)
            answer.set_cookie("relayd_form", "n", path=None)
            return answer
        sent = (await request.body()).decode(), request.cookies.get("relayd_form")
        return HTMLResponse(f"<h1><span>✓</span> {sent}</h1>")

    listening = listen_tcp("127.0.0.1", 0)
    port = listening.getsockname()[1]
    server = HttpServer(Starlette(routes=[Route("/confirm/x", page, methods=["GET", "POST"])]), listening)
    server.start()
    browser = climb.Browser()
    try:
        link = f"http://127.0.0.1:{port}/confirm/x"
        shown = await browser.open(link)
        assert shown == climb.Page(status=200, title="Is this yours?", button="Yes", form="x1")
        assert (await browser.press(link, shown)).title == "('form=x1', 'n')"
    finally:
        await browser.close()
        await server.stop()


def test_each_step_is_higher_or_as_high_as_the_one_before() -> None:
    steps = climb.steps("my.platform.example")
    height = {("default", "platform"): 0, ("own", "spf"): 1, ("own", "dkim"): 2}
    heights = [height[step.rung, step.proof] for step in steps]
    assert heights == sorted(heights) == [0, 0, 1, 2]
    assert [len(step.tasks) for step in steps] == [2, 1, 0, 0]
