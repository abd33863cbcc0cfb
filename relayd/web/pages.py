"""The pages for people: where a confirmation letter's link leads.

Scanners of mail press every link, and some run a whole browser; a yes lets a customer send as that address.
So GET and HEAD show a page and change nothing, as often as anybody likes. Only the form's POST acts, and it
has to come from the page that this same browser was shown: its hidden field fits the browser's cookie, and
the cookie never travels from another site. Pages have no script, load nothing, and tell nobody their address.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from relayd.core.confirmation import LIFETIME, Question
from relayd.core.letters.confirmation import facts, places_of
from relayd.core.letters.confirmation_words import WORDS as LETTER_WORDS
from relayd.core.letters.letter import filled
from relayd.core.sender import Sender
from relayd.identity.confirm import Confirmations
from relayd.store.contract import StoreError
from relayd.web.page import Button, Link, Page, Pages, asked_language
from relayd.web.words import WORDS

COOKIE = "relayd_form"
NONCE_OCTETS = 20
FORM_MAX = 4096  # octets of a form, which holds one hash

_HOURS = LIFETIME // timedelta(hours=1)
_NONCE = re.compile(r"[a-z2-7]{32}")


def create_public(
    confirmations: Confirmations,
    *,
    pages: Pages,
    fingerprint: Callable[[str], str],
    secure: Callable[[], bool],
    routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """The app behind `http.public_listen`. `fingerprint` is a keyed hash; `secure` says whether people reach
    it by HTTPS; `routes` are served beside ours."""
    questions = _Questions(confirmations, pages, fingerprint, secure)

    async def nothing_here(request: Request, _: Exception) -> Response:
        return pages.gone(asked_language(request))

    async def fault(request: Request, _: Exception) -> Response:
        return pages.trouble(asked_language(request))

    app = Starlette(
        routes=[
            Route("/confirm/{token}", questions.ask, methods=["GET"]),
            Route("/confirm/{token}", questions.yes, methods=["POST"]),
            Route("/confirm/{token}/not-me", questions.ask_no, methods=["GET"]),
            Route("/confirm/{token}/not-me", questions.no, methods=["POST"]),
            *routes,
        ],
        exception_handlers={404: nothing_here, 405: nothing_here, StoreError: fault, 500: fault},
    )
    app.router.redirect_slashes = False  # a redirect would lead to whatever the request's Host says
    return app


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """A question that a link leads to, and that may still be answered."""

    token: str
    sender: Sender
    question: Question
    language: str
    places: Mapping[str, str]


class _Questions:
    """The two questions behind a link, each with a page that puts it and a POST that answers it."""

    def __init__(
        self,
        confirmations: Confirmations,
        pages: Pages,
        fingerprint: Callable[[str], str],
        secure: Callable[[], bool],
    ) -> None:
        self._confirmations = confirmations
        self._pages = pages
        self._fingerprint = fingerprint
        self._secure = secure

    async def ask(self, request: Request) -> Response:
        found = self._find(request)
        return self._gone(request) if found is None else self._put(request, found, _ask(found))

    async def ask_no(self, request: Request) -> Response:
        found = self._find(request)
        return self._gone(request) if found is None else self._put(request, found, _ask_no(found))

    async def yes(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return self._gone(request)
        if not await self._from_our_page(request, found):
            return self._put(request, found, _ask(found), again=True)
        if await self._confirmations.confirm_by_link(found.token) is None:
            return self._gone(request)  # somebody was quicker
        words = WORDS[found.language]
        return self._done(found, words.thanks, words.thanks_text)

    async def no(self, request: Request) -> Response:
        found = self._find(request)
        if found is None:
            return self._gone(request)
        if not await self._from_our_page(request, found):
            return self._put(request, found, _ask_no(found), again=True)
        if await self._confirmations.deny(found.token) is None:
            return self._gone(request)
        words = WORDS[found.language]
        return self._done(found, words.ended, (words.ended_text,))

    def _find(self, request: Request) -> _Open | None:
        token = request.path_params["token"]
        found = self._confirmations.find(token)
        if found is None:
            return None
        sender, question = found
        return _Open(
            token=token,
            sender=sender,
            question=question,
            language=asked_language(request, sender.language),
            places=places_of(self._pages.platform(), sender.name, question.address, _HOURS),
        )

    def _gone(self, request: Request) -> Response:
        return self._pages.gone(asked_language(request))

    def _put(self, request: Request, found: _Open, page: Page, *, again: bool = False) -> Response:
        """A page with its form, and the cookie that goes with it. `again`: what was posted was not ours."""
        nonce = _nonce(request) or _new_nonce()
        alert = filled(WORDS[found.language].again, found.places) if again else None
        page = replace(page, form=self._form(nonce, found), alert=alert)
        answer = self._pages.answer(page, found.language, 403 if again else 200)
        # No Path: the browser takes the folder of the page as it sees it, also behind a proxy's prefix.
        answer.set_cookie(COOKIE, nonce, path=None, secure=self._secure(), httponly=True, samesite="strict")
        return answer

    def _done(self, found: _Open, title: str, sentences: Sequence[str]) -> Response:
        says = [filled(sentence, found.places) for sentence in sentences]
        return self._pages.answer(Page(title=title, says=says, done=True, lasts=False), found.language)

    async def _from_our_page(self, request: Request, found: _Open) -> bool:
        """The form was shown to this browser, for this link."""
        nonce = _nonce(request)
        form = await _field(request, "form")
        return (
            nonce is not None
            and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
            and hmac.compare_digest(form.encode(), self._form(nonce, found).encode())
        )

    def _form(self, nonce: str, found: _Open) -> str:
        return self._fingerprint(f"confirmation form\0{nonce}\0{found.token}")


def _ask(found: _Open) -> Page:
    said, words = LETTER_WORDS[found.language], WORDS[found.language]
    question = found.question
    return Page(
        title=said.title,
        says=[filled(said.meaning, found.places)],
        rows=facts(found.places, question.asked_by, question.asked_at, found.language),
        button=Button(label=words.yes),
        link=Link(before=words.not_you, label=words.not_me, to=f"{found.token}/not-me?lang={found.language}"),
    )


def _ask_no(found: _Open) -> Page:
    words = WORDS[found.language]
    return Page(
        title=words.no_title,
        says=[filled(sentence, found.places) for sentence in words.no_text],
        button=Button(label=words.no, careful=True),
        link=Link(before="", label=words.back, to=f"../{found.token}?lang={found.language}"),
    )


def _new_nonce() -> str:
    return base64.b32encode(secrets.token_bytes(NONCE_OCTETS)).decode("ascii").lower()


def _nonce(request: Request) -> str | None:
    nonce = request.cookies.get(COOKIE, "")
    return nonce if _NONCE.fullmatch(nonce) else None


async def _field(request: Request, name: str) -> str:
    """A field of a posted form (application/x-www-form-urlencoded); "" for anything else."""
    octets = b""
    try:
        async for chunk in request.stream():
            octets += chunk
            if len(octets) > FORM_MAX:
                return ""
        fields = parse_qs(octets.decode("ascii"), max_num_fields=10)
    except (ValueError, ClientDisconnect):
        return ""
    return fields.get(name, [""])[0]
