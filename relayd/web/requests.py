"""What every route shares: how a request is read, and how it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from relayd.core.phrases import LANGUAGES
from relayd.store.contract import StoreError
from relayd.web.roles import OPERATOR, Asker

BODY_MAX = 64 * 1024  # the largest body is a selection or one SMTP reply
LIMIT_MAX = 1000
PREFIX = "/api/v1"
OF_SENDER = "sender"
"""`lang=sender`: each text in the language of the sender it concerns, as its settings say."""

Handler = Callable[[Request], Awaitable[JSONResponse]]
Row = tuple[str, str, Handler]
"""One route: method, path after `PREFIX`, handler. A handler raises `Refused` for what can't be done."""

_MESSAGE_ID = re.compile(r"[A-Z2-7]{26}")


class Refused(Exception):
    """The request can't be done. `remedy` says what to do instead."""

    def __init__(
        self, status: int, error: str, remedy: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.remedy = remedy
        self.headers = headers


Admit = Callable[[Request, str, str], Awaitable[Asker]]
"""Says who asks, given the request and its route's method and path. Raises Refused."""


async def everybody(request: Request, method: str, path: str) -> Asker:
    """The guard of the Unix socket is its mode and folder: who could open it may do everything."""
    return OPERATOR


def guarded(row: Row, admit: Admit) -> Handler:
    """The row's handler for those whom `admit` lets in, with what it refuses, and what the store can't do, as
    answers."""
    method, path, handler = row

    async def answer(request: Request) -> JSONResponse:
        try:
            _no_browser(request)
            request.state.asker = await admit(request, method, path)
            return await handler(request)
        except Refused as refused:
            return failure(refused.status, refused.error, refused.remedy, refused.headers)
        except StoreError as error:
            return failure(503, f"the store can't do it: {error}", "see the service's log, then try again")

    return answer


def _no_browser(request: Request) -> None:
    """Browsers name the page that a request comes from (Fetch Metadata, Origin); programs don't."""
    for header in ("origin", "sec-fetch-site"):
        if header in request.headers:
            raise Refused(403, f"a request with {header}", "this API is for programs on this machine")


async def read_object(request: Request, allowed: set[str] | None = None) -> dict[str, Any]:
    """The body, one JSON object of at most `BODY_MAX` octets with no keys but `allowed` (None: any)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "a body that is not application/json", "send Content-Type: application/json")
    octets = b""
    try:
        async for chunk in request.stream():
            octets += chunk
            if len(octets) > BODY_MAX:
                raise Refused(413, f"a body of more than {BODY_MAX} octets", "send less")
        body = json.loads(octets or b"{}", object_pairs_hook=_once, parse_constant=_no_number)
        json.dumps(body, ensure_ascii=False).encode()  # a lone half of a surrogate pair is no text
    except _Twice as twice:
        raise Refused(400, f"the key {shown(str(twice))} twice", "send each key once") from None
    except (ValueError, RecursionError, ClientDisconnect):
        raise Refused(400, "a body that is not JSON", "send one JSON object") from None
    if not isinstance(body, dict):
        raise Refused(400, "a body that is not a JSON object", "send one JSON object")
    if allowed is not None and (unknown := sorted(set(body) - allowed)):
        raise Refused(400, f"unknown: {shown(', '.join(unknown))}", "use " + ", ".join(sorted(allowed)))
    return body


class _Twice(Exception):
    """A key that stands in an object twice: two readers would take it for two different things."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _Twice(next(key for key in keys if keys.count(key) > 1))
    return found


def _no_number(word: str) -> object:
    """NaN and Infinity, which Python reads and JSON doesn't know."""
    raise ValueError(word)


def asker(request: Request) -> Asker:
    """Who asks; its `name` is the `by` of what the journal says."""
    found: Asker = request.state.asker
    return found


def message_id(text: str) -> str:
    if not _MESSAGE_ID.fullmatch(text):
        raise Refused(400, f"{shown(text)} is no message id", "ids are 26 characters of A-Z and 2-7")
    return text


def asked_number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number from the query, 0 to `most`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > most:
        raise Refused(400, f"{name} is {shown(text)}", f"use a whole number from 0 to {most}")
    return int(text)


def asked_limit(request: Request, default: int) -> int:
    return max(1, asked_number(request, "limit", default, LIMIT_MAX))


def asked_language(request: Request) -> str | None:
    """`lang`: a language, `sender`, or None for all of them."""
    language = request.query_params.get("lang")
    return language if language == OF_SENDER else known_language(language)


def known_language(language: str | None) -> str | None:
    if language is not None and language not in LANGUAGES:
        raise Refused(400, f"lang is {shown(language)}", "use one of: " + ", ".join(LANGUAGES))
    return language


def shown(text: str) -> str:
    return repr(text[:80])


def failure(status: int, error: str, remedy: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error, "remedy": remedy}, status, headers)


class Speaks(Protocol):
    def language(self, sender: str | None) -> str:
        """The language that this sender reads."""
        ...


def spoken(speaks: Speaks, language: str | None, sender: str | None) -> str | None:
    """What an asked language means for what concerns this sender."""
    return speaks.language(sender) if language == OF_SENDER else language
