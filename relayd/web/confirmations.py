"""Confirming a sender's address through the API: ask by mail, type the code, vouch; and how it stands.

An app shows these answers to its customer, so beside the words there is always one stable name (`why`).
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core.confirmation import Ending
from relayd.core.sender import Sender
from relayd.dressing import SigningFailed
from relayd.identity.confirm import AlreadyConfirmed, Confirmations, TooSoon, Tried
from relayd.identity.senders import SenderMissing, SenderRefused
from relayd.store.contract import Selection, Store
from relayd.web.answers import message_as_dict, moment
from relayd.web.requests import (
    Refused,
    Row,
    Speaks,
    asked_language,
    asker,
    no_sender,
    read_object,
    spoken,
)
from relayd.web.roles import Role


class Control(Speaks, Protocol):
    @property
    def store(self) -> Store: ...

    @property
    def confirmations(self) -> Confirmations: ...


def routes(control: Control) -> list[Row]:
    return [
        ("GET", "/senders/{id}/confirm", partial(_state, control)),
        ("POST", "/senders/{id}/confirm", partial(_act, control)),
    ]


async def _act(control: Control, request: Request) -> JSONResponse:
    """{} asks by mail, {"code": "123456"} answers, {"vouch": true} is the operator's word."""
    id, body = request.path_params["id"], await read_object(request, {"code", "vouch"})
    code, vouch = body.get("code"), body.get("vouch", False)
    if not isinstance(code, str | None) or not isinstance(vouch, bool) or (vouch and code is not None):
        raise Refused(400, "neither a code nor a voucher", 'send {}, {"code": "123456"} or {"vouch": true}')
    try:
        if vouch:
            await _vouch(control, request, id)
        elif code is not None:
            await _answer(control, id, code)
        else:
            await _ask(control, request, id)
    except SenderMissing:
        raise no_sender(request) from None
    return await _state(control, request)


async def _vouch(control: Control, request: Request, id: str) -> None:
    if asker(request).role is not Role.ADMIN:
        remedy = "let the owner of the address confirm it by mail, or use the role admin"
        raise Refused(403, "to vouch for an address is for the operator", remedy)
    try:
        await control.confirmations.vouch(id)
    except SenderRefused as changed:
        raise Refused(409, str(changed), "look at the sender, and vouch again") from None


async def _answer(control: Control, id: str, code: str) -> None:
    tried = await control.confirmations.confirm_by_code(id, code)
    if tried is Tried.WRONG:
        question = control.confirmations.status(control.confirmations.sender(id)).question
        left = question.tries_left if question is not None else 0
        remedy = f"read it again in the newest mail; {left} {'try is' if left == 1 else 'tries are'} left"
        raise Refused(422, "this is not the code", remedy, more={"why": tried.value, "tries_left": left})
    if tried is Tried.USED_UP:
        remedy = "use the link in the mail, or ask for a new mail"
        raise Refused(
            409, "too many wrong codes were typed", remedy, more={"why": tried.value, "tries_left": 0}
        )
    if tried is Tried.NOTHING_ASKED:
        raise Refused(
            409, "no code is waited for", "ask for a new mail", more={"why": tried.value, "tries_left": 0}
        )


async def _ask(control: Control, request: Request, id: str) -> None:
    try:
        await control.confirmations.ask(id, by=asker(request).name)
    except AlreadyConfirmed:
        pass  # the answer says so
    except TooSoon as soon:
        what = (
            "the owner of this mailbox said that they didn't ask for this"
            if soon.denied
            else "this mailbox was sent a letter a short while ago"
        )
        raise Refused(
            429,
            what,
            f"the next one may be sent from {moment(soon.at)}",
            {"Retry-After": str(math.ceil(soon.wait.total_seconds()))},
            more={"why": "denied" if soon.denied else "too_soon", "next_letter_at": moment(soon.at)},
        ) from None
    except SigningFailed as error:
        raise Refused(503, f"the letter can't be sent: {error}", "see the service's log") from None


async def _state(control: Control, request: Request) -> JSONResponse:
    id = request.path_params["id"]
    try:
        sender = control.confirmations.sender(id)
    except SenderMissing:
        raise no_sender(request) from None
    state = await confirmation_as_dict(control, sender, spoken(control, asked_language(request), id))
    return JSONResponse(
        {"sender": id, "address": str(sender.contact), "confirmed": sender.confirmed, **state}
    )


async def confirmation_as_dict(control: Control, sender: Sender, language: str | None) -> dict[str, Any]:
    """What was asked about a sender's address, and what became of the letter; null when it is confirmed, or
    nobody was asked."""
    status = control.confirmations.status(sender)
    question = status.question
    asked = None
    if question is not None and not sender.confirmed:
        asked = {
            "by": question.asked_by,
            "at": moment(question.asked_at),
            "expires_at": moment(question.expires_at),
            "open": status.open,
            "tries_left": question.tries_left,
            "ended": None if status.open else (question.ended or Ending.EXPIRED).value,
            "letter": await _letter(control, question.letter, language),
        }
    return {
        "asked": asked,
        "next_letter_at": None if sender.confirmed else moment(status.next_letter_at),
    }


async def _letter(control: Control, id: str | None, language: str | None) -> dict[str, Any] | None:
    """What became of it; where the address is wrong, that is seen here."""
    found = await control.store.find(Selection(message=id), 1) if id is not None else []
    if not found:
        return None
    message = message_as_dict(found[0], language)
    return {"message": id, **message["recipients"][0]}
