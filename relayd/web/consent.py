"""The page that a browser comes back to from a provider (the redirect URI of OAuth).

What comes in its address is anybody's to write. It is taken to the sign-in that its state belongs to, once,
and none of it is shown or followed. The browser is then sent on to a place of our own that holds no code and
no state, so that neither stays in its history, and the page can be read again in another language.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from relayd.core.oauth import CALLBACK, Problem
from relayd.core.phrases import signin as words
from relayd.identity.signin import SignIn, SignIns
from relayd.web.page import Page, Pages, asked_language

ENDINGS = 200
"""Ends of sign-ins that can be read again; the oldest is forgotten first."""

QUERY_MAX = 16_384
"""Characters of the address that are looked at. Microsoft's codes have up to 2,000."""


def routes(sign_ins: SignIns, pages: Pages) -> Sequence[BaseRoute]:
    """For the app behind `http.public_listen`."""
    consent = _Consent(sign_ins, pages)
    return [
        Route(CALLBACK, consent.come_back, methods=["GET"]),
        Route(CALLBACK + "/{ending}", consent.ended, methods=["GET"]),
    ]


class _Consent:
    def __init__(self, sign_ins: SignIns, pages: Pages) -> None:
        self._sign_ins = sign_ins
        self._pages = pages
        self._endings: OrderedDict[str, SignIn] = OrderedDict()

    async def come_back(self, request: Request) -> Response:
        if request.method == "HEAD":  # whoever only looks uses nothing up
            return self._pages.gone(asked_language(request))
        ended = await self._sign_ins.come_back(_parameters(request.url.query))
        if ended is None:
            return self._answer(None, asked_language(request))
        ending = secrets.token_urlsafe(16)
        self._endings[ending] = ended
        while len(self._endings) > ENDINGS:
            self._endings.popitem(last=False)
        # Relative, so that it can lead nowhere else, whatever the request calls us.
        to = f"{CALLBACK.rpartition('/')[2]}/{ending}"
        return RedirectResponse(to, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    async def ended(self, request: Request) -> Response:
        ended = self._endings.get(request.path_params["ending"])
        return self._answer(ended, asked_language(request, ended.language if ended is not None else None))

    def _answer(self, ended: SignIn | None, language: str) -> Response:
        """None: nobody knows any more what this belonged to."""
        problem = Problem.EXPIRED if ended is None else ended.problem
        says = words.said(
            problem,
            language,
            provider=ended.provider if ended is not None else "",
            username=ended.username if ended is not None else "",
            account=ended.account if ended is not None else None,
        )
        page = Page(title=words.title(problem, language), says=says, done=problem is None)
        return self._pages.answer(page, language, 200 if problem is None else 404 if ended is None else 400)


def _parameters(query: str) -> Mapping[str, Sequence[str]]:
    if len(query) > QUERY_MAX:
        return {}
    try:
        return parse_qs(query, max_num_fields=20)
    except ValueError:
        return {}
