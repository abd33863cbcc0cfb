"""The API on the Unix socket: what the commands use, and apps on this machine may.

Who may open the socket may do everything here; its mode and folder are the guard. A browser can't open it,
but a proxy in front of it could carry a web page's request here, so whatever looks like one is refused.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from relayd.core import journal
from relayd.core.delivery import State
from relayd.core.explain import explain
from relayd.core.phrases import LANGUAGES
from relayd.core.reasons import Reason
from relayd.store.contract import Selection, Store, StoreError, Verb
from relayd.web.answers import in_language, message_as_dict, moment

BODY_MAX = 64 * 1024  # the largest body is a selection or one SMTP reply
LIMIT_MAX = 1000
SEQ_MAX = 2**53  # what every reader of JSON can count to
WAIT_MAX = 60.0  # seconds a long poll may hang; clients and proxies time out around this
PREFIX = "/api/v1"
OPERATORS = frozenset({"retry", "hold", "release", "cancel"})  # `expire` is the daemon's own
OF_SENDER = "sender"
"""`lang=sender`: each text in the language of the sender it concerns, as its settings say."""

MESSAGE_ID = re.compile(r"[A-Z2-7]{26}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """How the daemon is, now."""

    version: str
    hostname: str
    started_at: datetime
    healthy: bool  # False: mail isn't taken, or nothing can leave
    notes: Sequence[str] = ()  # what an operator should know or do, one sentence each
    paused: Mapping[str, str] = field(default_factory=dict)  # hop key -> why
    refused_logins: Mapping[str, str] = field(default_factory=dict)  # sender id or "smarthost" -> reason


class Control(Protocol):
    """What the API asks of the daemon. `app.py` has the one that is real."""

    @property
    def store(self) -> Store: ...

    def service(self) -> Service: ...

    def language(self, sender: str | None) -> str:
        """What `lang=sender` means for this sender."""
        ...

    async def act(self, verb: Verb, selection: Selection) -> int:
        """As `Store.act`; releasing a sender lets its refused login be tried again."""
        ...

    async def reload(self) -> Sequence[str]:
        """Read the config again. Returns what is wrong with it; empty when it took effect."""
        ...


class Refused(Exception):
    """The request can't be done. `remedy` says what to do instead."""

    def __init__(self, status: int, error: str, remedy: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.remedy = remedy


def create_app(control: Control) -> Starlette:
    api = _Api(control)
    routes = [
        Route(f"{PREFIX}{path}", _guarded(handler), methods=[method])
        for method, path, handler in (
            ("GET", "/events", api.events),
            ("GET", "/messages", api.messages),
            ("GET", "/messages/{id}", api.message),
            ("GET", "/queue", api.queue),
            ("POST", "/queue/{verb}", api.act),
            ("GET", "/status", api.status),
            ("GET", "/health", api.health),
            ("POST", "/reload", api.reload),
            ("POST", "/backup", api.backup),
            ("POST", "/explain", api.explain),
        )
    ]
    return Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_allowed, 500: _fault})


class _Api:
    def __init__(self, control: Control) -> None:
        self._control = control

    async def events(self, request: Request) -> JSONResponse:
        """Events after a cursor, in commit order, none missing. With `wait` it hangs until there is one."""
        after, limit = _number(request, "after", 0, SEQ_MAX), _limit(request, 1000)
        wait, language = _number(request, "wait", 0, int(WAIT_MAX)), _language(request)
        store = self._control.store
        events = await store.journal(after, limit)
        if not events and wait:
            try:
                await asyncio.wait_for(store.wait_journal(after), wait)
            except TimeoutError:
                pass
            events = await store.journal(after, limit)
        found = [
            in_language(journal.as_dict(event), self._spoken(language, event.sender)) for event in events
        ]
        return JSONResponse({"events": found, "next": events[-1].seq if events else after})

    async def messages(self, request: Request) -> JSONResponse:
        """Messages, newest first; final ones too."""
        status = request.query_params.get("status")
        if status is not None and status not in _STATES:
            raise Refused(400, f"status is {_shown(status)}", "use one of: " + ", ".join(_STATES))
        states = _STATES[status] if status else (None,)
        return JSONResponse({"messages": await self._found(request, states, status)})

    async def message(self, request: Request) -> JSONResponse:
        """One message by id."""
        message = _message_id(request.path_params["id"])
        records = await self._control.store.find(Selection(message=message), 1)
        if not records:
            raise Refused(404, f"no message {message}", "ids are kept for retention.metadata; look up by ref")
        language = self._spoken(_language(request), records[0].message.sender)
        return JSONResponse(message_as_dict(records[0], language))

    async def queue(self, request: Request) -> JSONResponse:
        """Messages that wait: queued and held ones."""
        state = request.query_params.get("state")
        if state not in (None, "queued", "held"):
            raise Refused(400, f"state is {_shown(state)}", "use queued or held, or leave it out for both")
        states = (State(state),) if state else (State.QUEUED, State.HELD)
        counts = await self._control.store.count()
        found = await self._found(request, states, None)
        return JSONResponse({"counts": {str(k): v for k, v in counts.items()}, "messages": found})

    async def _found(
        self, request: Request, states: Sequence[State | None], status: str | None
    ) -> list[dict[str, Any]]:
        limit, language = _limit(request, 100), _language(request)
        query = request.query_params
        records = {}
        for state in states:
            selection = Selection(
                ref=query.get("ref"),
                sender=query.get("sender"),
                recipient=query.get("recipient"),
                hop=query.get("hop"),
                state=state,
            )
            # The store knows no status: of those in a state, all that may be asked for are looked through.
            for record in await self._control.store.find(selection, limit if status is None else LIMIT_MAX):
                records[record.message.id] = record
        newest = sorted(records.values(), key=lambda record: record.message.id, reverse=True)
        found = [message_as_dict(record, self._spoken(language, record.message.sender)) for record in newest]
        if status is not None:
            found = [each for each in found if any(r["status"] == status for r in each["recipients"])]
        return found[:limit]

    def _spoken(self, language: str | None, sender: str | None) -> str | None:
        return self._control.language(sender) if language == OF_SENDER else language

    async def act(self, request: Request) -> JSONResponse:
        """Retry, hold, release or cancel what a selection names."""
        name = request.path_params["verb"]
        if name not in OPERATORS:
            raise Refused(404, f"no verb {_shown(name)}", "use retry, hold, release or cancel")
        selection = _selection(await _body(request))
        number = await self._control.act(Verb(name), selection)
        return JSONResponse({"recipients": number})

    async def status(self, request: Request) -> JSONResponse:
        service = self._control.service()
        counts = await self._control.store.count()
        newest = await _newest(self._control.store)
        return JSONResponse(
            {**_service(service), "recipients": {str(k): v for k, v in counts.items()}, "newest": newest}
        )

    async def health(self, request: Request) -> JSONResponse:
        """200 while mail is taken and can leave, else 503."""
        service = self._control.service()
        await self._control.store.count()  # a store that can't be read is not healthy: 503 below
        return JSONResponse(
            {"healthy": service.healthy, "notes": list(service.notes)}, 200 if service.healthy else 503
        )

    async def reload(self, request: Request) -> JSONResponse:
        await _body(request)
        problems = list(await self._control.reload())
        return JSONResponse({"reloaded": not problems, "problems": problems}, 422 if problems else 200)

    async def backup(self, request: Request) -> JSONResponse:
        """Write a consistent copy of the store to a new file, while mail flows."""
        body = await _body(request, allowed={"to"})
        to = body.get("to")
        if not isinstance(to, str) or not to.startswith("/") or "\x00" in to:
            raise Refused(
                400, "to is not an absolute path", "name a new file, such as /var/backups/relayd.db"
            )
        try:
            await self._control.store.backup(Path(to))
        except FileExistsError:
            raise Refused(
                409, f"{to} is there already", "name a new file; a backup overwrites nothing"
            ) from None
        except OSError as error:
            raise Refused(
                422, f"{to}: {error.strerror}", "name a folder that relayd's user may write to"
            ) from None
        return JSONResponse({"to": to})

    async def explain(self, request: Request) -> JSONResponse:
        """What an SMTP answer means, who must act, what to do."""
        body = await _body(request, allowed={"reply", "role", "host", "stage", "lang"})
        texts = {key: value for key, value in body.items() if isinstance(value, str)}
        language = _known_language(texts.get("lang"))
        try:
            found = explain(
                texts.get("reply", ""),
                role=texts.get("role", "mx"),
                host=texts.get("host", ""),
                stage=texts.get("stage"),
            )
        except ValueError as error:
            raise Refused(400, str(error), 'send {"reply": "550 5.1.1 user unknown"}') from None
        return JSONResponse(in_language(found, language))


_STATES: Mapping[str, tuple[State, ...]] = {
    "queued": (State.QUEUED,),
    "delayed": (State.QUEUED,),
    "sent": (State.SENT,),
    "not_sent": (State.FAILED,),
    "held": (State.HELD,),
}


async def _newest(store: Store) -> int:
    """`seq` of the last event: the journal is read forwards only, so its end is searched for, by halves."""
    low, high = 0, 1
    while await store.journal(high - 1, 1):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if await store.journal(middle - 1, 1) else (low, middle)
    return low


def _guarded(
    handler: Callable[[Request], Awaitable[JSONResponse]],
) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def guarded(request: Request) -> JSONResponse:
        try:
            _no_browser(request)
            return await handler(request)
        except Refused as refused:
            return _error(refused.status, refused.error, refused.remedy)
        except StoreError as error:
            return _error(503, f"the store can't do it: {error}", "see the service's log, then try again")

    return guarded


def _no_browser(request: Request) -> None:
    """Browsers name the page that a request comes from (Fetch Metadata, Origin); programs don't."""
    for header in ("origin", "sec-fetch-site"):
        if header in request.headers:
            raise Refused(403, f"a request with {header}", "this API is for programs on this machine")


async def _body(request: Request, allowed: set[str] | None = None) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "a body that is not application/json", "send Content-Type: application/json")
    octets = b""
    try:
        async for chunk in request.stream():
            octets += chunk
            if len(octets) > BODY_MAX:
                raise Refused(413, f"a body of more than {BODY_MAX} octets", "send less")
        body = json.loads(octets or b"{}")
        json.dumps(body, ensure_ascii=False).encode()  # a lone half of a surrogate pair is no text
    except (ValueError, RecursionError, ClientDisconnect):
        raise Refused(400, "a body that is not JSON", "send one JSON object") from None
    if not isinstance(body, dict):
        raise Refused(400, "a body that is not a JSON object", "send one JSON object")
    if allowed is not None and (unknown := sorted(set(body) - allowed)):
        raise Refused(400, f"unknown: {_shown(', '.join(unknown))}", "use " + ", ".join(sorted(allowed)))
    return body


def _selection(body: dict[str, Any]) -> Selection:
    """An empty selection would mean everything; that has to be said with `all`."""
    fields = ("message", "ref", "sender", "hop", "recipient", "held", "state")
    unknown = sorted(set(body) - {*fields, "all"})
    if unknown or any(not isinstance(body.get(key, ""), str) for key in fields):
        wrong = _shown(", ".join(unknown)) if unknown else "a value that is not a text"
        raise Refused(400, f"in the selection: {wrong}", "use " + ", ".join(fields) + " or all")
    if not any(key in body for key in fields) and body.get("all") is not True:
        raise Refused(400, "an empty selection", 'name a message, sender, ..., or send {"all": true}')
    if "message" in body:
        _message_id(body["message"])
    if "held" in body and body["held"] not in set(Reason):
        known = ", ".join(difflib.get_close_matches(body["held"], list(Reason), n=3, cutoff=0.3))
        raise Refused(400, f"no reason {_shown(body['held'])}", f"use one such as {known or Reason.UNKNOWN}")
    try:
        return Selection(
            message=body.get("message"),
            ref=body.get("ref"),
            sender=body.get("sender"),
            hop=body.get("hop"),
            recipient=body.get("recipient"),
            held=Reason(body["held"]) if "held" in body else None,
            state=State(body["state"]) if "state" in body else None,
        )
    except ValueError as error:
        raise Refused(400, str(error), "state is one of queued and held") from None


def _message_id(text: str) -> str:
    if not MESSAGE_ID.fullmatch(text):
        raise Refused(400, f"{_shown(text)} is no message id", "ids are 26 characters of A-Z and 2-7")
    return text


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > most:
        raise Refused(400, f"{name} is {_shown(text)}", f"use a whole number from 0 to {most}")
    return int(text)


def _limit(request: Request, default: int) -> int:
    return max(1, _number(request, "limit", default, LIMIT_MAX))


def _language(request: Request) -> str | None:
    language = request.query_params.get("lang")
    return language if language == OF_SENDER else _known_language(language)


def _known_language(language: str | None) -> str | None:
    if language is not None and language not in LANGUAGES:
        raise Refused(400, f"lang is {_shown(language)}", "use one of: " + ", ".join(LANGUAGES))
    return language


def _service(service: Service) -> dict[str, Any]:
    return {
        "version": service.version,
        "hostname": service.hostname,
        "started_at": moment(service.started_at),
        "healthy": service.healthy,
        "notes": list(service.notes),
        "paused": dict(service.paused),
        "refused_logins": dict(service.refused_logins),
    }


def _shown(text: str) -> str:
    return repr(text[:80])


def _error(status: int, error: str, remedy: str) -> JSONResponse:
    return JSONResponse({"error": error, "remedy": remedy}, status)


async def _not_found(request: Request, _: Exception) -> JSONResponse:
    return _error(404, f"nothing at {_shown(request.url.path)}", f"what there is begins with {PREFIX}/")


async def _fault(request: Request, _: Exception) -> JSONResponse:
    """What nobody thought of; uvicorn logs it."""
    return _error(500, "a fault of relayd's own", "see the service's log, and report it please")


async def _not_allowed(request: Request, _: Exception) -> JSONResponse:
    return _error(405, f"{request.method} is not for {_shown(request.url.path)}", "GET reads, POST acts")
