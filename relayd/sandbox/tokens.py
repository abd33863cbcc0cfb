"""A provider on loopback where senders sign in: it gives tokens over HTTPS, and fails as told.

It holds clients to what the standards say, more strictly than real ones: a code works once and only with its
verifier and its redirect, and a refresh token that was exchanged is void.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import ssl
import time
import urllib.parse
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from relayd.sandbox.certificates import Certificate

CLIENT_ID, CLIENT_SECRET = "relayd-sandbox", "canary-client-secret"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered once, instead of the usual. `after` seconds are waited first; `hang` waits until the
    server is released; `cut` closes without an answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    hang: bool = False
    cut: bool = False
    then: bool = False  # after the wait, the usual answer


def error(code: str, status: int = 400, description: str | None = None) -> Answer:
    found = {"error": code} | ({"error_description": description} if description is not None else {})
    return Answer(status=status, body=json.dumps(found).encode())


@dataclass(slots=True)
class _Code:
    account: str
    challenge: str
    redirect_uri: str
    nonce: str | None


@dataclass(slots=True)
class _Device:
    code: str
    account: str | None = None
    denied: bool = False


@dataclass(slots=True, kw_only=True)
class TokenServer:
    """Use as an async context manager. `lives` are the seconds of an access token; `rotates`: each refresh
    gives a new refresh token, and the one before is void."""

    certificate: Certificate | None = None
    name: str = "127.0.0.1"
    lives: float = 3600.0
    rotates: bool = True
    scope: str | None = None
    claims: dict[str, Any] = field(default_factory=dict)  # over those of the id token
    interval: int = 1
    asked: list[dict[str, str]] = field(default_factory=list)  # forms that came to /token
    given: list[str] = field(default_factory=list)  # refresh tokens, in order
    most_at_once: int = 0
    _told: deque[Answer] = field(default_factory=deque)
    _access: dict[str, tuple[str, float]] = field(default_factory=dict)
    _refresh: dict[str, str] = field(default_factory=dict)
    _codes: dict[str, _Code] = field(default_factory=dict)
    _devices: dict[str, _Device] = field(default_factory=dict)
    _at_once: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        context: ssl.SSLContext | None = self.certificate.server_context() if self.certificate else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self.certificate else 'http'}://{self.name}:{port}"

    def config(self, **more: str) -> dict[str, str]:
        """The client's section of a config."""
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "authorize_url": f"{self.url}/authorize",
            "token_url": f"{self.url}/token",
            "device_url": f"{self.url}/device",
            "scope": "mail.send",
            **more,
        }

    # what a test says to it

    def tell(self, *answers: Answer) -> None:
        """What /token and /device answer next, each once."""
        self._told.extend(answers)

    def release(self) -> None:
        self._released.set()

    def seat(self, account: str) -> str:
        """A refresh token for an account, as if it had signed in before."""
        token = f"canary-refresh-{secrets.token_urlsafe(8)}"
        self._refresh[token] = account
        self.given.append(token)
        return token

    def withdraw(self, account: str) -> None:
        """The person takes the consent back: nothing that was given to them works any more."""
        self._refresh = {token: whose for token, whose in self._refresh.items() if whose != account}
        self._access = {token: seat for token, seat in self._access.items() if seat[0] != account}

    def spend(self) -> None:
        """No access token that was given so far is good any more."""
        self._access.clear()

    def good(self, username: str, token: str) -> bool:
        """Whether a mail server should take this token for this user."""
        account, ends = self._access.get(token, ("", 0.0))
        return account.lower() == username.lower() and time.monotonic() < ends

    def sign_in(self, page: str, account: str, **changes: str) -> str:
        """A person opens the page, signs in and agrees: where their browser is sent then."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page).query))
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Code(account, asked["code_challenge"], asked["redirect_uri"], asked.get("nonce"))
        back = {"code": code, "state": asked["state"], **changes}
        return f"{asked['redirect_uri']}?{urllib.parse.urlencode(back)}"

    def approve(self, user_code: str, account: str) -> None:
        self._devices[user_code].account = account

    def deny(self, user_code: str) -> None:
        self._devices[user_code].denied = True

    # HTTP

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._at_once -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        _, path, *_ = head.split(" ", 2)
        path, _, query = path.partition("?")
        lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)
        form = dict(urllib.parse.parse_qsl(body.decode()))
        if path == "/token":
            self.asked.append(form)
        answer = self._told.popleft() if self._told else Answer(then=True)
        if answer.hang:
            await self._released.wait()
        await asyncio.sleep(answer.after)
        if answer.cut:
            return
        if answer.then:
            answer = self._usual(path, form or dict(urllib.parse.parse_qsl(query)))
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(answer.body)),
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status} -", *(f"{key}: {value}" for key, value in headers.items())]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + answer.body)
        await writer.drain()

    def _usual(self, path: str, form: Mapping[str, str]) -> Answer:
        if path == "/device":
            return self._device(form)
        if path == "/tokeninfo":
            return self._told_whose(form.get("token", ""))
        if path != "/token":
            return Answer(status=404, body=b"{}")
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return error("invalid_client", 401)
        match form.get("grant_type"):
            case "refresh_token":
                account = self._refresh.get(form.get("refresh_token", ""))
                if account is None:
                    return error("invalid_grant", description="AADSTS70000: the grant has been withdrawn")
                if self.rotates:
                    del self._refresh[form["refresh_token"]]
                return self._tokens(account, None, refresh=self.rotates)
            case "authorization_code":
                return self._redeemed(form)
            case grant if grant == DEVICE_GRANT:
                return self._polled(form)
        return error("unsupported_grant_type")

    def _told_whose(self, token: str) -> Answer:
        """For mail servers that ask the provider whose a token is, as Dovecot does."""
        account, ends = self._access.get(token, ("", 0.0))
        if time.monotonic() >= ends:
            return error("invalid_token", 401)
        return Answer(body=json.dumps({"email": account, "active": "true"}).encode())

    def _redeemed(self, form: Mapping[str, str]) -> Answer:
        code = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if code is None or (code.challenge, code.redirect_uri) != (challenge, form.get("redirect_uri")):
            return error("invalid_grant", description="the code is not good")
        return self._tokens(code.account, code.nonce, refresh=True)

    def _device(self, form: Mapping[str, str]) -> Answer:
        if form.get("client_id") != CLIENT_ID:
            return error("invalid_client", 401)
        user_code = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        device = self._devices[user_code] = _Device(secrets.token_urlsafe(16))
        found = {
            "device_code": device.code,
            "user_code": user_code,
            "verification_uri": f"{self.url}/enter",
            "expires_in": 900,
            "interval": self.interval,
        }
        return Answer(body=json.dumps(found).encode())

    def _polled(self, form: Mapping[str, str]) -> Answer:
        device = next((d for d in self._devices.values() if d.code == form.get("device_code")), None)
        if device is None:
            return error("bad_verification_code")
        if device.denied:
            return error("authorization_declined")
        if device.account is None:
            return error("authorization_pending")
        return self._tokens(device.account, None, refresh=True)

    def _tokens(self, account: str, nonce: str | None, *, refresh: bool) -> Answer:
        access = f"canary-access-{secrets.token_urlsafe(8)}"
        self._access[access] = (account, time.monotonic() + self.lives)
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "preferred_username": account,
            "email": account,
            **({"nonce": nonce} if nonce else {}),
            **self.claims,
        }
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        found: dict[str, Any] = {"access_token": access, "token_type": "Bearer", "expires_in": self.lives}
        found["id_token"] = f"e30.{payload}.c2ln"
        if self.scope is not None:
            found["scope"] = self.scope
        if refresh:
            found["refresh_token"] = self.seat(account)
        return Answer(body=json.dumps(found).encode())
