"""The journal through the API."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core import journal
from relayd.store.contract import Store
from relayd.web.answers import in_language
from relayd.web.requests import Row, Speaks, asked_language, asked_limit, asked_number, spoken

SEQ_MAX = 2**53  # what every reader of JSON can count to
WAIT_MAX = 60.0  # seconds a long poll may hang; clients and proxies time out around this


class Control(Speaks, Protocol):
    @property
    def store(self) -> Store: ...


def routes(control: Control) -> list[Row]:
    return [("GET", "/events", partial(_events, control))]


async def _events(control: Control, request: Request) -> JSONResponse:
    """Events after a cursor, in commit order, none missing. With `wait` it hangs until there is one."""
    after, limit = asked_number(request, "after", 0, SEQ_MAX), asked_limit(request, 1000)
    wait, language = asked_number(request, "wait", 0, int(WAIT_MAX)), asked_language(request)
    store = control.store
    events = await store.journal(after, limit)
    if not events and wait:
        try:
            await asyncio.wait_for(store.wait_journal(after), wait)
        except TimeoutError:
            pass
        events = await store.journal(after, limit)
    found = [in_language(journal.as_dict(event), spoken(control, language, event.sender)) for event in events]
    return JSONResponse({"events": found, "next": events[-1].seq if events else after})
