"""The pages that a browser comes back to from a provider (the redirect URI of OAuth).

What comes in its address is anybody's to write. It is taken to the sign-in that its state belongs to, once,
and none of it is shown or followed. The browser is sent on to a page that holds no code and no state, so that
neither stays in its history. There a person sees for which customer their account would be connected, which
the provider's page could not say, and agrees: only this POST changes anything. Its address can't be guessed,
so no other site can send it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from relayd.core.letters.letter import shown_name
from relayd.core.oauth import CALLBACK, Problem
from relayd.core.phrases import signin as words
from relayd.identity.begun import SignIn, Visit
from relayd.identity.signin import SignIns
from relayd.web.page import Button, Page, Pages, asked_language

QUERY_MAX = 16_384
"""Characters of the address that are looked at. Microsoft's codes have up to 2,000."""


def routes(sign_ins: SignIns, pages: Pages) -> Sequence[BaseRoute]:
    """For the app behind `http.public_listen`."""
    consent = _Consent(sign_ins, pages)
    return [
        Route(CALLBACK, consent.come_back, methods=["GET"]),
        Route(CALLBACK + "/{ticket}", consent.show, methods=["GET"]),
        Route(CALLBACK + "/{ticket}", consent.agree, methods=["POST"]),
    ]


class _Consent:
    def __init__(self, sign_ins: SignIns, pages: Pages) -> None:
        self._sign_ins = sign_ins
        self._pages = pages

    async def come_back(self, request: Request) -> Response:
        if request.method == "HEAD":  # whoever only looks uses nothing up
            return self._answer(request, None)
        visit = self._sign_ins.come_back(_parameters(request.url.query))
        if visit is None:
            return self._answer(request, None)
        # Relative, so that it can lead nowhere else, whatever the request calls us.
        to = f"{CALLBACK.rpartition('/')[2]}/{visit.ticket}"
        return RedirectResponse(to, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})

    async def show(self, request: Request) -> Response:
        return self._answer(request, self._sign_ins.visit(request.path_params["ticket"]))

    async def agree(self, request: Request) -> Response:
        return self._answer(request, await self._sign_ins.agree(request.path_params["ticket"]))

    def _answer(self, request: Request, visit: Visit | None) -> Response:
        """None: nobody knows any more what this belonged to."""
        if visit is None:
            language = asked_language(request)
            says = words.said(Problem.EXPIRED, language)
            return self._pages.answer(
                Page(title=words.title(Problem.EXPIRED, language), says=says), language, 404
            )
        language = asked_language(request, visit.sign_in.language)
        if not visit.ended:
            return self._pages.answer(_question(visit.sign_in, language), language)
        problem = visit.sign_in.problem
        return self._pages.answer(_ending(visit.sign_in, language), language, 400 if problem else 200)


def _question(sign_in: SignIn, language: str) -> Page:
    asked = words.question(
        language,
        customer=shown_name(sign_in.customer),
        username=sign_in.username,
        provider=sign_in.provider,
    )
    return Page(title=asked.title, says=asked.says, button=Button(label=asked.yes))


def _ending(sign_in: SignIn, language: str) -> Page:
    says = words.said(
        sign_in.problem,
        language,
        provider=sign_in.provider,
        username=sign_in.username,
        account=sign_in.account,
    )
    done = sign_in.problem is None
    return Page(title=words.title(sign_in.problem, language), says=says, done=done)


def _parameters(query: str) -> Mapping[str, Sequence[str]]:
    if len(query) > QUERY_MAX:
        return {}
    try:
        return parse_qs(query, max_num_fields=20)
    except ValueError:
        return {}
