"""What every route shares: how a request is read, and how it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from relayd.core.phrases import LANGUAGES
from relayd.store.contract import StoreError
from relayd.web.roles import OPERATOR, Asker

BODY_MAX = 64 * 1024  # octets; a selection, one SMTP reply, one sender
LIST_MAX = 4 * 1024**2  # octets of many senders; one has a few hundred
LIMIT_MAX = 1000
PREFIX = "/api/v1"
OF_SENDER = "sender"
"""`lang=sender`: each text in the language of the sender it concerns, as its settings say."""

Handler = Callable[[Request], Awaitable[Response]]
Row = tuple[str, str, Handler]
"""One route: method, path after `PREFIX`, handler. A handler raises `Refused` for what can't be done."""

_MESSAGE_ID = re.compile(r"[A-Z2-7]{26}")


class Refused(Exception):
    """The request can't be done. `remedy` says what to do instead."""

    def __init__(
        self,
        status: int,
        error: str,
        remedy: str,
        headers: Mapping[str, str] | None = None,
        *,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """`more` stands beside `error` and `remedy` in the answer."""
        super().__init__(error)
        self.status = status
        self.headers = headers
        self.body = {"error": error, "remedy": remedy, **(more or {})}


Admit = Callable[[Request, str, str], Awaitable[Asker]]
"""Says who asks, given the request and its route's method and path. Raises Refused."""


async def everybody(request: Request, method: str, path: str) -> Asker:
    """The guard of the Unix socket is its mode and folder: who could open it may do everything."""
    return OPERATOR


def guarded(row: Row, admit: Admit) -> Handler:
    """The row's handler for those whom `admit` lets in, with what it refuses, and what the store can't do, as
    answers."""
    method, path, handler = row

    async def answer(request: Request) -> Response:
        try:
            _no_browser(request)
            request.state.asker = await admit(request, method, path)
            return await handler(request)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status, refused.headers)
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
    if _kind(request) != "application/json":
        raise Refused(415, "a body that is not application/json", "send Content-Type: application/json")
    body = _json(await _octets(request, BODY_MAX) or b"{}")
    if not isinstance(body, dict):
        raise Refused(400, "a body that is not a JSON object", "send one JSON object")
    if allowed is not None and (unknown := sorted(set(body) - allowed)):
        raise Refused(400, f"unknown: {shown(', '.join(unknown))}", "use " + ", ".join(sorted(allowed)))
    return body


async def read_list(request: Request, most: int) -> list[dict[str, Any]]:
    """The body, at most so many JSON objects: a list, or NDJSON with one on each line."""
    kind = _kind(request)
    if kind not in ("application/json", "application/x-ndjson"):
        remedy = "send Content-Type: application/json with a list, or application/x-ndjson"
        raise Refused(415, "a body that is neither JSON nor NDJSON", remedy)
    octets = await _octets(request, LIST_MAX)
    lines = kind == "application/x-ndjson"
    body = [_json(line) for line in octets.splitlines() if line.strip()] if lines else _json(octets)
    if not isinstance(body, list) or not all(isinstance(item, dict) for item in body):
        raise Refused(400, "a body that is not a list of JSON objects", "send [{...}, {...}]")
    if len(body) > most:
        raise Refused(413, f"a list of {len(body)}", f"send at most {most} at once")
    return body


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _octets(request: Request, most: int) -> bytes:
    octets = bytearray()
    try:
        async for chunk in request.stream():
            octets += chunk
            if len(octets) > most:
                raise Refused(413, f"a body of more than {most} octets", "send less")
    except ClientDisconnect:
        raise Refused(400, "a body that ends too early", "send all of it") from None
    return bytes(octets)


def _json(octets: bytes) -> Any:
    try:
        found = json.loads(octets, object_pairs_hook=_once, parse_constant=_no_number)
        json.dumps(found, ensure_ascii=False).encode()  # a lone half of a surrogate pair is no text
    except _Twice as twice:
        raise Refused(400, f"the key {shown(str(twice))} twice", "send each key once") from None
    except (ValueError, RecursionError):
        raise Refused(400, "a body that is not JSON", "send JSON in UTF-8") from None
    return found


class _Twice(Exception):
    """A key that stands in an object twice: two readers would take it for two different things."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found


def _no_number(word: str) -> object:
    """NaN and Infinity, which Python reads and JSON doesn't know."""
    raise ValueError(word)


def asker(request: Request) -> Asker:
    """Who asks; its `name` is the `by` of what the journal says."""
    found: Asker = request.state.asker
    return found


def no_sender(request: Request) -> Refused:
    """There is none with the id in the path."""
    id = shown(request.path_params["id"])
    return Refused(404, f"no sender {id}", "GET /api/v1/senders, or `relayd sender list`, shows who there is")


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
