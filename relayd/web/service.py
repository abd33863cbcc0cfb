"""The service itself through the API: how it is, reloading, backups, explaining replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core.explain import explain
from relayd.store.contract import Store
from relayd.web.answers import in_language, moment
from relayd.web.requests import Refused, Row, known_language, read_object


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
    @property
    def store(self) -> Store: ...

    def service(self) -> Service: ...

    async def reload(self) -> Sequence[str]:
        """Read the config again. Returns what is wrong with it; empty when it took effect."""
        ...


def routes(control: Control) -> list[Row]:
    return [
        ("GET", "/status", partial(_status, control)),
        ("GET", "/health", partial(_health, control)),
        ("POST", "/reload", partial(_reload, control)),
        ("POST", "/backup", partial(_backup, control)),
        ("POST", "/explain", _explain),
    ]


async def _status(control: Control, request: Request) -> JSONResponse:
    service = control.service()
    counts = await control.store.count()
    return JSONResponse(
        {
            **_service(service),
            "recipients": {str(k): v for k, v in counts.items()},
            "newest": control.store.newest,
        }
    )


async def _health(control: Control, request: Request) -> JSONResponse:
    """200 while mail is taken and can leave, else 503."""
    service = control.service()
    await control.store.count()  # a store that can't be read is not healthy: 503 below
    return JSONResponse(
        {"healthy": service.healthy, "notes": list(service.notes)}, 200 if service.healthy else 503
    )


async def _reload(control: Control, request: Request) -> JSONResponse:
    await read_object(request)
    problems = list(await control.reload())
    return JSONResponse({"reloaded": not problems, "problems": problems}, 422 if problems else 200)


async def _backup(control: Control, request: Request) -> JSONResponse:
    """Write a consistent copy of the store to a new file, while mail flows."""
    body = await read_object(request, allowed={"to"})
    to = body.get("to")
    if not isinstance(to, str) or not to.startswith("/") or "\x00" in to:
        raise Refused(400, "to is not an absolute path", "name a new file, such as /var/backups/relayd.db")
    try:
        await control.store.backup(Path(to))
    except FileExistsError:
        raise Refused(409, f"{to} is there already", "name a new file; a backup overwrites nothing") from None
    except OSError as error:
        raise Refused(
            422, f"{to}: {error.strerror}", "name a folder that relayd's user may write to"
        ) from None
    return JSONResponse({"to": to})


async def _explain(request: Request) -> JSONResponse:
    """What an SMTP answer means, who must act, what to do."""
    body = await read_object(request, allowed={"reply", "role", "host", "stage", "lang"})
    texts = {key: value for key, value in body.items() if isinstance(value, str)}
    language = known_language(texts.get("lang"))
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
