"""Which sockets are served, and by what."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from relayd.core.settings import Http
from relayd.store.memory import MemoryStore
from relayd.web.doors import Doors

TOKEN = "0123456789-of-the-operator"


async def who(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.client.host if request.client else ''} {request.url.scheme}")


PUBLIC = Starlette(routes=[Route("/who", who)])


class Desk:
    """What building the API asks for."""

    store = MemoryStore()
    confirmations = customers = signing = probes = care = None


def doors(http: dict[str, Any], given: dict[str, Any], tmp_path: Path) -> Doors:
    settings = Http.model_validate({"socket": str(tmp_path / "api.sock"), **http})
    return Doors(Desk(), lambda: PUBLIC, settings, given)  # type: ignore[arg-type]


async def test_what_proxies_say_of_a_client_is_not_believed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        opened = doors({"public_listen": place}, {"public": [listening]}, tmp_path)
        opened.start()
        headers = {
            "X-Forwarded-For": "192.0.2.1",
            "X-Forwarded-Proto": "https",
            "Forwarded": "for=192.0.2.1;proto=https",
            "Host": "evil.example",
        }
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://{place}/who", headers=headers)
            nothing = await client.get(f"http://{place}/api/v1/health", headers=headers)
        await opened.stop()

    assert answer.text == "127.0.0.1 http"
    assert nothing.status_code == 404
    assert "location" not in nothing.headers


async def test_a_place_of_the_config_is_opened_where_none_is_handed_over(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        tokens = [{"name": "boss", "token": TOKEN, "role": "admin"}]

        with pytest.raises(OSError, match=place.replace(":", " port ")):
            doors({"listen": place, "tokens": tokens}, {}, tmp_path)
    opened = doors({"listen": place, "tokens": tokens}, {}, tmp_path)
    opened.start()
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = [
            await client.get(f"http://{place}/api/v1/events", headers={"Authorization": f"Bearer {token}"})
            for token in (TOKEN, "another-token-altogether")
        ]
    await opened.stop()

    assert [answer.status_code for answer in answers] == [200, 401]


async def test_a_socket_that_the_config_does_not_name_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        doors({}, {"http": [listening]}, tmp_path)

    assert "a socket http" in caplog.text
