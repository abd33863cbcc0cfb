"""What waits, and acting on it, through the API."""

from __future__ import annotations

import difflib
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core.delivery import State
from relayd.core.reasons import Reason
from relayd.store.contract import Selection, Store, Verb
from relayd.web.messages import found
from relayd.web.requests import Refused, Row, Speaks, message_id, read_object, shown

OPERATORS = frozenset({"retry", "hold", "release", "cancel"})  # `expire` is the daemon's own


class Control(Speaks, Protocol):
    @property
    def store(self) -> Store: ...

    async def act(self, verb: Verb, selection: Selection) -> int:
        """As `Store.act`; releasing a sender lets its refused login be tried again."""
        ...


def routes(control: Control) -> list[Row]:
    return [
        ("GET", "/queue", partial(_queue, control)),
        ("POST", "/queue/{verb}", partial(_act, control)),
    ]


async def _queue(control: Control, request: Request) -> JSONResponse:
    """Messages that wait: queued and held ones."""
    state = request.query_params.get("state")
    if state not in (None, "queued", "held"):
        raise Refused(400, f"state is {shown(state)}", "use queued or held, or leave it out for both")
    states = (State(state),) if state else (State.QUEUED, State.HELD)
    counts = await control.store.count()
    waiting = await found(control, request, states, None)
    return JSONResponse({"counts": {str(k): v for k, v in counts.items()}, "messages": waiting})


async def _act(control: Control, request: Request) -> JSONResponse:
    """Retry, hold, release or cancel what a selection names."""
    name = request.path_params["verb"]
    if name not in OPERATORS:
        raise Refused(404, f"no verb {shown(name)}", "use retry, hold, release or cancel")
    selection = _selection(await read_object(request))
    number = await control.act(Verb(name), selection)
    return JSONResponse({"recipients": number})


def _selection(body: dict[str, Any]) -> Selection:
    """An empty selection would mean everything; that has to be said with `all`."""
    fields = ("message", "ref", "sender", "hop", "recipient", "held", "state")
    unknown = sorted(set(body) - {*fields, "all"})
    if unknown or any(not isinstance(body.get(key, ""), str) for key in fields):
        wrong = shown(", ".join(unknown)) if unknown else "a value that is not a text"
        raise Refused(400, f"in the selection: {wrong}", "use " + ", ".join(fields) + " or all")
    if not any(key in body for key in fields) and body.get("all") is not True:
        raise Refused(400, "an empty selection", 'name a message, sender, ..., or send {"all": true}')
    if "message" in body:
        message_id(body["message"])
    if "held" in body and body["held"] not in set(Reason):
        known = ", ".join(difflib.get_close_matches(body["held"], list(Reason), n=3, cutoff=0.3))
        raise Refused(400, f"no reason {shown(body['held'])}", f"use one such as {known or Reason.UNKNOWN}")
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
