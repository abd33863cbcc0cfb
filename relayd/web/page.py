"""One page for people: what it says, and how it becomes HTML that a browser can do nothing else with."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from importlib import resources

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from relayd.core.confirmation import LIFETIME
from relayd.core.letters.letter import filled, shown_name
from relayd.web.words import WORDS, preferred


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """What a page lets one do. A `careful` one looks less inviting."""

    label: str
    careful: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    before: str
    label: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page says. Everything in it is text; the template makes it HTML."""

    title: str
    says: Sequence[str] = ()
    rows: Sequence[tuple[str, str]] = ()
    button: Button | None = None
    form: str = ""  # the hidden field that goes with the button
    link: Link | None = None
    alert: str | None = None
    done: bool = False
    lasts: bool = True  # it can be read again, in another language


class Pages:
    """Makes answers of pages. `platform` gives the name that stands above them."""

    def __init__(self, platform: Callable[[], str]) -> None:
        files = resources.files("relayd.web")
        style = (files / "static" / "page.css").read_text(encoding="utf-8")
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._template = environment.from_string(
            (files / "templates" / "page.html").read_text(encoding="utf-8")
        )
        self._style = Markup(style)  # noqa: S704 - our own file, and CSS is not HTML
        self.platform = platform
        # The style is the one thing the page has, named by its hash; a browser refuses all that isn't named.
        digest = base64.b64encode(sha256(style.encode()).digest()).decode("ascii")
        self._headers = {
            "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{digest}'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "X-Robots-Tag": "noindex, nofollow",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }

    def answer(self, page: Page, language: str, status: int = 200) -> HTMLResponse:
        html = self._template.render(
            page=page,
            language=language,
            platform=shown_name(self.platform()),
            style=self._style,
            languages=[(code, words.name) for code, words in WORDS.items()],
            languages_label=WORDS[language].languages,
        )
        return HTMLResponse(html, status, self._headers)

    def trouble(self, language: str) -> HTMLResponse:
        """A fault of ours: nothing was changed."""
        words = WORDS[language]
        return self.answer(Page(title=words.trouble, says=[words.trouble_text]), language, 503)

    def gone(self, language: str) -> HTMLResponse:
        """One answer for links that were used, ran out, were replaced, or never were."""
        words = WORDS[language]
        places = {"platform": shown_name(self.platform()), "hours": str(LIFETIME // timedelta(hours=1))}
        says = [filled(sentence, places) for sentence in words.gone_text]
        return self.answer(Page(title=words.gone, says=says), language, 404)


def asked_language(request: Request, of_reader: str | None = None) -> str:
    """The language of a page: what the reader chose there, else what we know of them, else the browser's."""
    chosen = request.query_params.get("lang", "")
    if chosen in WORDS:
        return chosen
    return of_reader or preferred(request.headers.get("accept-language", ""))
