"""Probing a sender's own server through the API: one JSON object a line, each as its step happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from relayd.core.address import AddressError
from relayd.core.probe import Step, as_dict, of_finding
from relayd.identity.probe import Tell
from relayd.identity.senders import SenderMissing, SenderRefused
from relayd.identity.upstreams import NoSender, NoUpstream, Result, TooManyTries
from relayd.store.contract import StoreError
from relayd.web.answers import in_language
from relayd.web.requests import (
    Refused,
    Row,
    Speaks,
    asked_language,
    asker,
    no_sender,
    read_object,
    shown,
    spoken,
)
from relayd.web.roles import Role

NDJSON = "application/x-ndjson"
WAIT = 900  # seconds, for who asks too often


class Probes(Protocol):
    async def probe(
        self, id: str, tell: Tell, *, upstream: Mapping[str, object] | None, send: bool, again: bool
    ) -> Result: ...

    async def arrived(self, id: str, shown: str) -> bool: ...


class Control(Speaks, Protocol):
    @property
    def probes(self) -> Probes: ...


def routes(control: Control) -> list[Row]:
    return [
        ("POST", "/senders/{id}/probe", partial(_probe, control)),
        ("POST", "/senders/{id}/probe/arrived", partial(_arrived, control)),
    ]


_under_way: set[asyncio.Task[Result]] = set()
"""A login that is being tried must end by its own, and what it shows be kept, whoever hangs up."""


async def _probe(control: Control, request: Request) -> Response:
    """Go through the dialogue with the sender's server. With `upstream`, with these settings of it, which
    nobody has saved; `send` sends a test mail, `again` tries a login that was refused before."""
    body = await read_object(request, allowed={"upstream", "send", "again"})
    language = spoken(control, asked_language(request), request.path_params["id"])
    told: asyncio.Queue[Step | None] = asyncio.Queue()
    task = asyncio.create_task(
        control.probes.probe(
            request.path_params["id"],
            told.put_nowait,
            upstream=_upstream(request, body),
            send=_flag(body, "send"),
            again=_flag(body, "again"),
        )
    )
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    task.add_done_callback(lambda _: told.put_nowait(None))
    first = await told.get()
    if first is None:
        await _result(task, request)  # nothing was told, so it raises
    return StreamingResponse(_lines(first, told, task, request, language), media_type=NDJSON)


async def _lines(
    first: Step | None,
    told: asyncio.Queue[Step | None],
    task: asyncio.Task[Result],
    request: Request,
    language: str | None,
) -> AsyncIterator[bytes]:
    step = first
    while step is not None:
        yield _line(as_dict(step), language)
        step = await told.get()
    try:
        yield _line(result_as_dict(await _result(task, request)), language)
    except StoreError as error:
        yield _line({"step": "result", "state": "failed", "error": f"the store can't keep it: {error}"}, None)


async def _result(task: asyncio.Task[Result], request: Request) -> Result:
    """What the probe came to; what it could not begin with, as answers."""
    id = shown(request.path_params["id"])
    try:
        return await task
    except (NoSender, SenderMissing):
        raise no_sender(request) from None
    except NoUpstream:
        remedy = 'give it one (`relayd sender set ID upstream.host=...`), or send {"upstream": {...}} to try'
        raise Refused(400, f"sender {id} has no server of its own", remedy) from None
    except TooManyTries:
        remedy = "wait a while: too many wrong logins lock an account"
        headers = {"Retry-After": str(WAIT)}
        raise Refused(429, "too many logins of this sender were refused", remedy, headers) from None
    except SenderRefused as refused:
        problems = [str(each) for each in refused.problems]
        raise Refused(
            422, "these settings can't be taken", "; ".join(problems), more={"problems": problems}
        ) from None


def result_as_dict(result: Result) -> dict[str, Any]:
    """The last line: what it came to, and what follows."""
    line: dict[str, Any] = {
        "step": "result",
        "state": "ok" if result.passed else "failed",
        "confirmed": result.confirmed,
        "released": result.released,
        # A refusal stands until the settings change; without one it can be tried again any time.
        "refused": result.refusal is not None,
    }
    return line | ({} if result.finding is None else of_finding(result.finding))


def _line(line: Mapping[str, Any], language: str | None) -> bytes:
    return json.dumps(in_language(line, language), ensure_ascii=False).encode() + b"\n"


def _upstream(request: Request, body: Mapping[str, Any]) -> Mapping[str, object] | None:
    upstream = body.get("upstream")
    if upstream is None:
        return None
    if not isinstance(upstream, dict) or not upstream:
        raise Refused(400, "upstream is not an object", 'send {"upstream": {"host": "smtp.example.com"}}')
    if upstream.get("ca_file") is not None and asker(request).role is not Role.ADMIN:
        remedy = "leave it out, or use the role admin"
        raise Refused(403, "upstream.ca_file names a file of this machine", remedy)
    return upstream


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise Refused(400, f"{name} is {shown(str(value))}", "use true or false")
    return value


async def _arrived(control: Control, request: Request) -> JSONResponse:
    """A person says which sender the test mail showed. Another one than the own address is kept in mind."""
    body = await read_object(request, allowed={"from"})
    sender = body.get("from")
    if not isinstance(sender, str):
        raise Refused(400, "from is not a text", 'send {"from": "billing@example.com"}')
    try:
        right = await control.probes.arrived(request.path_params["id"], sender)
    except AddressError as error:
        raise Refused(400, str(error), f"{shown(sender)} is what was sent") from None
    except NoSender:
        raise no_sender(request) from None
    except NoUpstream:
        raise Refused(400, "this sender has no server of its own", "give it one first") from None
    return JSONResponse({"right": right})
