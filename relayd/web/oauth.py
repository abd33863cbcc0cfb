"""Signing in at a provider through the API: begin, follow, forget. No token is ever in an answer."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse

from relayd.core import phrases
from relayd.core.phrases import signin as words
from relayd.core.reasons import Reason
from relayd.core.sender import Sender
from relayd.identity.account import State
from relayd.identity.begun import CannotSignIn, SignIn
from relayd.identity.senders import Entry
from relayd.identity.signin import SignIns
from relayd.web.answers import in_language, moment
from relayd.web.requests import (
    Refused,
    Row,
    Speaks,
    asked_language,
    asked_number,
    asker,
    no_sender,
    read_object,
    shown,
    spoken,
)

WAIT_MAX = 60
"""Seconds that a question may wait for the end of a sign-in; clients and proxies give up around this."""

FLOWS = ("browser", "device")


class Known(Protocol):
    """What is known of sign-ins. `identity.oauth.OAuth` is one."""

    def state(self, sender: str) -> State | None: ...


class Accounts(Protocol):
    def entry(self, id: str) -> Entry | None: ...

    @property
    def oauth(self) -> Known: ...

    @property
    def sign_ins(self) -> SignIns: ...

    async def forget_sign_in(self, id: str, *, by: str) -> bool:
        """Throw a sign-in away. False when there was none."""
        ...


class Control(Speaks, Protocol):
    @property
    def accounts(self) -> Accounts: ...


def routes(control: Control) -> list[Row]:
    return [
        ("POST", "/senders/{id}/oauth", partial(_begin, control)),
        ("GET", "/senders/{id}/oauth", partial(_show, control)),
        ("DELETE", "/senders/{id}/oauth", partial(_forget, control)),
    ]


async def _begin(control: Control, request: Request) -> JSONResponse:
    """Begin a sign-in: a page to send the customer's browser to, or a code to type in on another device. What
    was begun before for this sender leads nowhere any more."""
    sender, language = _sender(control, request), _language(control, request)
    body = await read_object(request, allowed={"flow"})
    flow = body.get("flow", "browser")
    if flow not in FLOWS:
        raise Refused(400, f"flow is {shown(str(flow))}", "use one of: " + ", ".join(FLOWS))
    sign_ins, by = control.accounts.sign_ins, asker(request).name
    try:
        begun = (
            sign_ins.in_browser(sender.id, by=by)
            if flow == "browser"
            else await sign_ins.on_device(sender.id, by=by)
        )
    except CannotSignIn as error:
        provider = sender.upstream.oauth if sender.upstream is not None else None
        text, remedy = words.said(error.problem, language or "en", provider=provider or "")
        more = {"problem": error.problem.value, "detail": error.detail}
        raise Refused(409, text, remedy, more=more) from None
    return JSONResponse(_sign_in(begun, language), 201)


async def _show(control: Control, request: Request) -> JSONResponse:
    """How the sender's sign-in stands. With `wait` it hangs until the one under way has ended."""
    sender, language = _sender(control, request), _language(control, request)
    wait = asked_number(request, "wait", 0, WAIT_MAX)
    last = await control.accounts.sign_ins.wait(sender.id, wait)
    state = control.accounts.oauth.state(sender.id)
    if state is None:
        remedy = "set its upstream.oauth to microsoft or google first"
        raise Refused(409, f"sender {sender.id} does not sign in at a provider", remedy)
    found = state_as_dict(state, language)
    found["sign_in"] = None if last is None else _sign_in(last, language)
    return JSONResponse(found)


async def _forget(control: Control, request: Request) -> JSONResponse:
    """Throw the sign-in away: nothing is sent through this account until somebody signs in again."""
    sender = _sender(control, request)
    forgotten = await control.accounts.forget_sign_in(sender.id, by=asker(request).name)
    return JSONResponse({"forgotten": forgotten})


def state_as_dict(state: State, language: str | None) -> dict[str, Any]:
    reason = None if state.connected else Reason.AUTH_TOKEN_EXPIRED
    return in_language(
        {
            "provider": state.provider,
            "username": state.username,
            "connected": state.connected,
            "account": state.account,
            "since": None if state.since is None else moment(state.since),
            "reason": None if reason is None else reason.value,
            "withdrawn": state.withdrawn,
            "text": None if reason is None else phrases.in_every_language(partial(phrases.text, reason)),
            "remedy": None if reason is None else phrases.remedies(reason),
        },
        language,
    )


def _sign_in(found: SignIn, language: str | None) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "flow": "browser" if found.user_code is None else "device",
        "provider": found.provider,
        "username": found.username,
        "url": None if found.done else found.url,
        "user_code": None if found.done else found.user_code,
        "expires_at": moment(found.expires_at),
        "done": found.done,
        "problem": None if found.problem is None else found.problem.value,
        "account": found.account,
        "detail": found.detail,
    }
    if found.done:
        said = {
            known: words.said(
                found.problem,
                known,
                provider=found.provider,
                username=found.username,
                account=found.account,
            )
            for known in phrases.LANGUAGES
        }
        answer["text"] = {known: text for known, (text, _) in said.items()}
        answer["remedy"] = {known: remedy for known, (_, remedy) in said.items()}
    return in_language(answer, language)


def _language(control: Control, request: Request) -> str | None:
    return spoken(control, asked_language(request), request.path_params["id"])


def _sender(control: Control, request: Request) -> Sender:
    id = request.path_params["id"]
    entry = control.accounts.entry(id)
    if entry is None:
        raise no_sender(request)
    return entry.sender
