"""Messages through the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core.delivery import State
from relayd.store.contract import Selection, Store
from relayd.web.answers import message_as_dict
from relayd.web.requests import (
    LIMIT_MAX,
    Refused,
    Row,
    Speaks,
    asked_language,
    asked_limit,
    message_id,
    shown,
    spoken,
)

_STATES: Mapping[str, tuple[State, ...]] = {
    "queued": (State.QUEUED,),
    "delayed": (State.QUEUED,),
    "sent": (State.SENT,),
    "not_sent": (State.FAILED,),
    "held": (State.HELD,),
}


class Control(Speaks, Protocol):
    @property
    def store(self) -> Store: ...


def routes(control: Control) -> list[Row]:
    return [
        ("GET", "/messages", partial(_messages, control)),
        ("GET", "/messages/{id}", partial(_message, control)),
    ]


async def _messages(control: Control, request: Request) -> JSONResponse:
    """Messages, newest first; final ones too."""
    status = request.query_params.get("status")
    if status is not None and status not in _STATES:
        raise Refused(400, f"status is {shown(status)}", "use one of: " + ", ".join(_STATES))
    states = _STATES[status] if status else (None,)
    return JSONResponse({"messages": await found(control, request, states, status)})


async def _message(control: Control, request: Request) -> JSONResponse:
    """One message by id."""
    message = message_id(request.path_params["id"])
    records = await control.store.find(Selection(message=message), 1)
    if not records:
        raise Refused(404, f"no message {message}", "ids are kept for retention.metadata; look up by ref")
    language = spoken(control, asked_language(request), records[0].message.sender)
    return JSONResponse(message_as_dict(records[0], language))


async def found(
    control: Control, request: Request, states: Sequence[State | None], status: str | None
) -> list[dict[str, Any]]:
    limit, language = asked_limit(request, 100), asked_language(request)
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
        for record in await control.store.find(selection, limit if status is None else LIMIT_MAX):
            records[record.message.id] = record
    newest = sorted(records.values(), key=lambda record: record.message.id, reverse=True)
    found = [message_as_dict(record, spoken(control, language, record.message.sender)) for record in newest]
    if status is not None:
        found = [each for each in found if any(r["status"] == status for r in each["recipients"])]
    return found[:limit]
