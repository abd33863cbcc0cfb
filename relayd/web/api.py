"""The API: what the commands use, on the Unix socket, and apps on this machine, over TCP.

Who may open the socket may do everything here; its mode and folder are the guard. Over TCP a token says who
asks (`tokens`), and a table what they may (`roles`). A browser can't open the socket, but a proxy in front of
it could carry a web page's request here, so whatever looks like one is refused.

Each noun has a file beside this one with the routes it answers, and the Protocol `Control` of what it asks of
the daemon:

    def routes(control: Control) -> list[Row]:
        return [("GET", "/domains/{domain}", partial(_show, control))]

A row is method, path after `/api/v1`, and handler; a handler takes the request, gives a JSONResponse, and
raises `requests.Refused` for what can't be done; `requests.asker(request).name` is who asks. `rows` below
joins the tables, and `Control` joins what the nouns ask: `app.py` has the one that is real. Each row
has one in `roles.MAY` too, and a place in docs/api.md.
"""

from __future__ import annotations

from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from relayd.web import (
    confirmations,
    domains,
    events,
    messages,
    oauth,
    probes,
    queue,
    senders,
    service,
    upstreams,
)
from relayd.web.requests import PREFIX, Admit, Row, everybody, failure, guarded, shown
from relayd.web.service import Service

__all__ = ["Control", "Service", "create_app", "rows"]


class Control(
    domains.Control,
    events.Control,
    messages.Control,
    probes.Control,
    oauth.Control,
    queue.Control,
    senders.Control,
    service.Control,
    upstreams.Control,
    Protocol,
):
    """What the API asks of the daemon."""


def rows(control: Control) -> list[Row]:
    """Every route there is."""
    return [
        *confirmations.routes(control),
        *domains.routes(control),
        *events.routes(control),
        *messages.routes(control),
        *probes.routes(control),
        *oauth.routes(control),
        *queue.routes(control),
        *senders.routes(control),
        *service.routes(control),
        *upstreams.routes(control),
    ]


def create_app(control: Control, admit: Admit = everybody) -> Starlette:
    routes = [
        Route(f"{PREFIX}{path}", guarded((method, path, handler), admit), methods=[method])
        for method, path, handler in rows(control)
    ]
    app = Starlette(routes=routes, exception_handlers={404: _not_found, 405: _not_allowed, 500: _fault})
    app.router.redirect_slashes = False  # a redirect would lead to whatever the request's Host says
    return app


async def _not_found(request: Request, _: Exception) -> JSONResponse:
    return failure(404, f"nothing at {shown(request.url.path)}", f"what there is begins with {PREFIX}/")


async def _fault(request: Request, _: Exception) -> JSONResponse:
    """What nobody thought of; uvicorn logs it."""
    return failure(500, "a fault of relayd's own", "see the service's log, and report it please")


async def _not_allowed(request: Request, _: Exception) -> JSONResponse:
    return failure(405, f"{request.method} is not for {shown(request.url.path)}", "GET reads, POST acts")
