"""Senders through the API: how each stands and what it lacks, and changing those that live in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core.address import Address
from relayd.core.mail import Rung
from relayd.core.sender import Sender
from relayd.core.settings_checks import SENDER_ID
from relayd.core.settings_types import mailbox
from relayd.core.todo import Outlook
from relayd.identity.senders import (
    Changed,
    Entry,
    Origin,
    Problem,
    SenderMissing,
    SenderReadOnly,
    SenderRefused,
)
from relayd.web.confirmations import Control as Confirms
from relayd.web.confirmations import confirmation_as_dict
from relayd.web.requests import (
    Refused,
    Row,
    asked_language,
    asked_limit,
    asker,
    no_sender,
    read_list,
    read_object,
    shown,
    spoken,
)
from relayd.web.roles import Role
from relayd.web.senderreport import line_as_dict, problem_as_dict, report_as_dict

MANY_MAX = 1000
"""Senders in one bulk request. The settings of one are judged in about 50 us, and the loop waits for it."""

LOOKED_MAX = 2000
"""Senders that one request for a page looks through; the next page goes on from there."""

AT_ONCE = 100
"""Senders looked through before others get their turn."""


class Senders(Protocol):
    """What changes here is durable when a call returns. Raises what the book of senders raises."""

    def entry(self, id: str) -> Entry | None: ...

    def sender_ids(self) -> Sequence[str]:
        """All of them, sorted."""
        ...

    def outlook(self, sender: Sender) -> Outlook:
        """What its mail would get now, from what is known without asking anybody."""
        ...

    async def put_sender(self, id: str, values: Mapping[str, object], *, by: str) -> Changed: ...

    async def put_senders(
        self, many: Mapping[str, Mapping[str, object]], *, by: str
    ) -> Sequence[Changed]: ...

    async def set_sender(self, id: str, changes: Mapping[str, object], *, by: str) -> Changed: ...

    async def remove_sender(self, id: str, *, by: str) -> Entry: ...


class Control(Confirms, Protocol):
    @property
    def customers(self) -> Senders: ...


_CONFIG = "change it there and reload relayd; only senders that were added at run time are changed here"


def routes(control: Control) -> list[Row]:
    return [
        ("GET", "/senders", partial(_list, control)),
        ("PUT", "/senders", _told(partial(_put_many, control))),
        ("GET", "/senders/{id}", partial(_show, control)),
        ("PUT", "/senders/{id}", _told(partial(_put, control))),
        ("PATCH", "/senders/{id}", _told(partial(_set, control))),
        ("DELETE", "/senders/{id}", _told(partial(_remove, control))),
    ]


# --- reading ---


async def _list(control: Control, request: Request) -> JSONResponse:
    """Senders by id, after a cursor. `next` is the cursor to go on from, null at the end; a page may hold
    less than was asked for, and go on all the same."""
    limit, after = asked_limit(request, 100), request.query_params.get("after", "")
    fits = _filter(request)
    found: list[dict[str, Any]] = []
    looked, last = 0, None
    for id in (id for id in control.customers.sender_ids() if id > after):
        if len(found) == limit or looked == LOOKED_MAX:
            return JSONResponse({"senders": found, "next": last})
        looked, last = looked + 1, id
        entry = control.customers.entry(id)
        if entry is not None:
            line = line_as_dict(entry, control.customers.outlook(entry.sender))
            if fits(line):
                found.append(line)
        if looked % AT_ONCE == 0:
            await asyncio.sleep(0)
    return JSONResponse({"senders": found, "next": None})


def _filter(request: Request) -> Callable[[Mapping[str, Any]], bool]:
    query = request.query_params
    wanted: dict[str, object] = {
        name: _one_of(name, query[name], choices)
        for name, choices in (
            ("rung", {rung.value: rung.value for rung in Rung}),
            ("origin", {origin.value: origin.value for origin in Origin}),
            ("confirmed", {"true": True, "false": False}),
        )
        if name in query
    }
    text = query.get("q", "").casefold()

    def fits(line: Mapping[str, Any]) -> bool:
        if any(line[name] != value for name, value in wanted.items()):
            return False
        return any(text in str(line[name]).casefold() for name in ("id", "name", "address"))

    return fits


def _one_of(name: str, value: str, choices: Mapping[str, object]) -> object:
    if value not in choices:
        raise Refused(400, f"{name} is {shown(value)}", "use one of: " + ", ".join(choices))
    return choices[value]


async def _show(control: Control, request: Request) -> JSONResponse:
    entry = control.customers.entry(_id(request.path_params["id"]))
    if entry is None:
        raise no_sender(request)
    return JSONResponse(await _report(control, request, entry))


# --- changing ---


async def _put(control: Control, request: Request) -> JSONResponse:
    """Add a sender, or give it these settings in place of those it has. The same again changes nothing."""
    id, values = _id(request.path_params["id"]), await read_object(request)
    if values.pop("id", id) != id:
        raise Refused(400, "an id in the body that is not the one in the path", "leave it out of the body")
    _vouching(control.customers.entry(id), request, values)
    changed = await control.customers.put_sender(id, values, by=asker(request).name)
    return await _changed(control, request, changed)


async def _put_many(control: Control, request: Request) -> JSONResponse:
    """As PUT for each, all of them or none."""
    many: dict[str, Mapping[str, object]] = {}
    for values in await read_list(request, MANY_MAX):
        id = values.pop("id", None)
        if not isinstance(id, str):
            raise Refused(400, f"no id in item {len(many)} (the first is 0)", 'send {"id": "acme", ...} each')
        if _id(id) in many:
            raise Refused(400, f"the id {shown(id)} twice", "send each sender once")
        _vouching(control.customers.entry(id), request, values)
        many[id] = values
    _changeable(control, many)
    changes = await control.customers.put_senders(many, by=asker(request).name)
    return JSONResponse(
        {
            "created": sum(each.created for each in changes),
            "changed": sum(bool(each.keys) and not each.created for each in changes),
            "unchanged": sum(not each.keys and not each.created for each in changes),
            "warnings": [problem_as_dict(warning) for each in changes for warning in each.warnings],
        }
    )


def _changeable(control: Control, many: Iterable[str]) -> None:
    """Senders of the config are told by name."""
    entries = (control.customers.entry(id) for id in many)
    fixed = [entry.sender.id for entry in entries if entry is not None and entry.origin is Origin.CONFIG]
    if fixed:
        seen, expected = "a sender of the config file", "another id, or the change made there"
        raise SenderRefused([Problem(sender=id, key="", seen=seen, expected=expected) for id in fixed])


async def _set(control: Control, request: Request) -> JSONResponse:
    """Change the keys that are named; null gives one its default."""
    id, changes = _id(request.path_params["id"]), await read_object(request)
    _vouching(control.customers.entry(id), request, changes)
    changed = await control.customers.set_sender(id, changes, by=asker(request).name)
    return await _changed(control, request, changed)


async def _remove(control: Control, request: Request) -> JSONResponse:
    """Take a sender away. Its queued mail is held; its default address is never given to anybody else."""
    entry = await control.customers.remove_sender(_id(request.path_params["id"]), by=asker(request).name)
    return JSONResponse({"removed": entry.sender.id})


def _told(
    handler: Callable[[Request], Any],
) -> Callable[[Request], Any]:
    """What the book says no to, as answers."""

    async def answer(request: Request) -> JSONResponse:
        try:
            found: JSONResponse = await handler(request)
        except SenderMissing:
            raise no_sender(request) from None
        except SenderReadOnly:
            raise Refused(409, "this sender stands in the config file", _CONFIG) from None
        except SenderRefused as refused:
            number = len(refused.problems)
            raise Refused(
                422,
                f"{number} thing{'s' * (number != 1)} can't be taken; nothing was changed",
                "correct what `problems` says, and send it again",
                more={"problems": [problem_as_dict(each) for each in refused.problems]},
            ) from None
        return found

    return answer


def _id(id: str) -> str:
    """What may stand in answers, which terminals show; whether it is a sender's id the book says."""
    if len(id) > 63 or not id.isprintable():
        raise Refused(400, f"{shown(id)} is no sender id", f"use {SENDER_ID}")
    return id


def _vouching(entry: Entry | None, request: Request, values: Mapping[str, Any]) -> None:
    """That an address belongs to a sender is for the operator to say, who has the Unix socket or a token with
    the role admin."""
    if asker(request).role is Role.ADMIN:
        return
    vouched = entry is not None and entry.settings.confirmed and _address(values) == entry.sender.contact
    if values.get("confirmed") and not vouched:
        remedy = "leave confirmed out: the owner of the address is asked by mail; or use the role admin"
        raise Refused(403, "confirmed is the operator's word", remedy)


def _address(values: Mapping[str, Any]) -> Address | None:
    try:
        return mailbox(values.get("address"))
    except ValueError:
        return None


# --- answers ---


async def _report(control: Control, request: Request, entry: Entry) -> dict[str, Any]:
    language = spoken(control, asked_language(request), entry.sender.id)
    return {
        **report_as_dict(entry, control.customers.outlook(entry.sender), language),
        "confirmation": await confirmation_as_dict(control, entry.sender, language),
    }


async def _changed(control: Control, request: Request, changed: Changed) -> JSONResponse:
    report = await _report(control, request, changed.entry)
    report["changed"] = list(changed.keys)
    report["warnings"] = [problem_as_dict(warning) for warning in changed.warnings]
    return JSONResponse(report, 201 if changed.created else 200)
