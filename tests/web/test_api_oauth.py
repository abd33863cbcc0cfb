"""Signing in at a provider through the API, and the pages that browsers come back to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.applications import Starlette

from relayd.core.phrases import LANGUAGES
from relayd.core.sender import Sender
from relayd.identity.account import State
from relayd.identity.oauth import OAuth
from relayd.identity.signin import SignIns
from relayd.web import consent
from relayd.web.api import create_app
from relayd.web.page import Pages

from ..identity.oauth_house import ACCOUNT, House, house, sender

CUSTOMER = '<script>alert(1)</script> "ACME"'


@dataclass
class Desk:
    """What the daemon is to the API, as far as signing in goes."""

    home: House

    @property
    def accounts(self) -> Desk:
        return self

    @property
    def oauth(self) -> OAuth:
        return self.home.accounts

    @property
    def sign_ins(self) -> SignIns:
        return self.home.sign_ins

    def entry(self, id: str) -> Any:
        found: Sender | None = self.home.senders.get(id)
        return None if found is None else SimpleNamespace(sender=found)

    def language(self, sender: str | None) -> str:
        return "fr"

    async def forget_sign_in(self, id: str, *, by: str) -> bool:
        return await self.home.accounts.forget(id, by=by)


@dataclass
class Api:
    home: House
    api: httpx.AsyncClient
    pages: httpx.AsyncClient

    async def begin(self, id: str = "acme", query: str = "", **body: Any) -> httpx.Response:
        return await self.api.post(f"/api/v1/senders/{id}/oauth{query}", json=body)

    async def show(self, query: str = "") -> dict[str, Any]:
        answer = await self.api.get(f"/api/v1/senders/acme/oauth{query}")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    async def back(self, url: str) -> httpx.Response:
        """The browser, up to the page that asks."""
        parts = urlsplit(url)
        answer = await self.pages.get(f"{parts.path}?{parts.query}")
        assert answer.status_code == 303, answer.text
        return await self.pages.get("/oauth/" + answer.headers["location"])


def client(app: Starlette, base: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=base)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with house(tmp_path) as home:
        home.senders["acme"] = replace(sender(), name=CUSTOMER)
        app = create_app(Desk(home))  # type: ignore[arg-type]
        public = Starlette(routes=list(consent.routes(home.sign_ins, Pages(lambda: "Platform"))))
        async with client(app, "http://api") as asks, client(public, "https://relay.example.net") as pages:
            yield Api(home=home, api=asks, pages=pages)


async def test_a_sign_in_from_begin_to_end(api: Api) -> None:
    begun = await api.begin()
    assert begun.status_code == 201
    found = begun.json()
    assert (found["flow"], found["provider"], found["username"], found["done"]) == (
        "browser",
        "microsoft",
        ACCOUNT,
        False,
    )
    standing = await api.show("?lang=en")
    assert (standing["connected"], standing["reason"]) == (False, "auth.token_expired")
    assert standing["remedy"]

    page = await api.back(api.home.provider.sign_in(found["url"], ACCOUNT))
    assert "<script>" not in page.text
    assert "alert(1)" in page.text  # as text
    done = await api.pages.post(page.url.path, data={"form": ""})
    assert done.status_code == 200

    standing = await api.show("?lang=en")
    assert (standing["connected"], standing["account"], standing["reason"]) == (True, ACCOUNT, None)
    assert standing["sign_in"]["done"]
    assert standing["sign_in"]["problem"] is None
    assert standing["sign_in"]["url"] is None
    assert standing["sign_in"]["text"] == f"Your mail account {ACCOUNT} is connected."
    assert "canary" not in repr(standing)

    assert (await api.api.delete("/api/v1/senders/acme/oauth")).json() == {"forgotten": True}
    assert (await api.api.delete("/api/v1/senders/acme/oauth")).json() == {"forgotten": False}
    assert not (await api.show())["connected"]


async def test_who_waits_hears_when_it_has_ended(api: Api) -> None:
    begun = (await api.begin(flow="device")).json()
    assert (begun["flow"], begun["user_code"] is not None) == ("device", True)
    api.home.provider.approve(begun["user_code"], ACCOUNT)
    waiting = await asyncio.wait_for(api.show("?wait=30&lang=sender"), 20)
    assert waiting["sign_in"]["text"].startswith("Votre compte")


@pytest.mark.parametrize("language", LANGUAGES)
async def test_each_page_speaks_the_readers_language(api: Api, language: str) -> None:
    begun = (await api.begin()).json()
    page = await api.back(api.home.provider.sign_in(begun["url"], "private@hobby.example"))
    there = f"{page.url.path}?lang={language}"
    asked = await api.pages.get(there)
    assert f'<html lang="{language}">' in asked.text
    assert ACCOUNT in asked.text
    ended = await api.pages.post(there, data={"form": ""})
    assert ended.status_code == 400
    assert "private@hobby.example" in ended.text
    assert ended.text == (await api.pages.get(there)).text


async def test_what_can_not_begin_says_why_and_what_to_do(api: Api) -> None:
    api.home.senders["plain"] = sender("plain", oauth=None)
    api.home.page = None
    for id, body, status, problem in (
        ("ghost", {}, 404, None),
        ("plain", {}, 409, "not_wanted"),
        ("acme", {}, 409, "no_page"),
        ("acme", {"flow": "pigeon"}, 400, None),
        ("acme", {"flow": 7}, 400, None),
        ("acme", {"next": "https://evil.example"}, 400, None),
    ):
        answer = await api.begin(id, "?lang=en", **body)
        assert answer.status_code == status, answer.text
        assert answer.json().get("problem") == problem
        assert answer.json()["remedy"]
    answer = await api.api.get("/api/v1/senders/plain/oauth")
    assert answer.status_code == 409
    assert (await api.api.get("/api/v1/senders/acme/oauth?wait=61")).status_code == 400


async def test_how_a_sign_in_stands_is_a_state(api: Api) -> None:
    assert api.home.accounts.state("acme") == State(provider="microsoft", username=ACCOUNT, connected=False)


async def test_a_page_that_nobody_knows_says_to_begin_again(api: Api) -> None:
    for path in ("/oauth/callback", "/oauth/callback?state=x&code=y", "/oauth/callback/guess"):
        page = await api.pages.get(path, headers={"Accept-Language": "nl"})
        assert page.status_code == 404
        assert "Begin opnieuw" in page.text
    assert (await api.pages.post("/oauth/callback/guess", data={})).status_code == 404
