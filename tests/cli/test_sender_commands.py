"""`relayd sender` against a daemon that runs."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import pty
import socket
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from relayd.cli.sender_import import import_command

pytestmark = pytest.mark.whole  # all of it asks a daemon

PASSWORD = "canary-battery-staple"
ADMIN, APP = "token-of-the-operator-1", "token-of-the-app-number-1"
LOGIN = {"host": "smtp.bolt.example", "username": "hello@bolt.example"}


def ndjson(path: Path, *senders: dict[str, Any] | str) -> Path:
    lines = [sender if isinstance(sender, str) else json.dumps(sender) for sender in senders]
    path.write_text("\n".join(lines) + "\n")
    return path


def sender(id: str, **values: Any) -> dict[str, Any]:
    return {"id": id, "name": id.title(), "address": f"billing@{id}.example", **values}


async def test_a_sender_is_added_shown_changed_and_removed(world: Any) -> None:
    daemon = world.daemon
    values = ("name=Bolt & Söhne", "address=hello@bolt.example", "language=nl", "test=true")

    code, out, err = await daemon.command("sender", "add", "bolt", *values)
    assert (code, err) == (0, "")
    assert "Bolt & Söhne <hello@bolt.example>" in out
    assert "! Confirm hello@bolt.example" in out

    code, _, err = await daemon.command("sender", "add", "bolt", *values)
    assert code == 73
    assert "relayd sender set bolt" in err

    code, out, err = await daemon.command(
        "sender", "set", "bolt", "test=false", "upstream.host=smtp.bolt.example"
    )
    assert (code, err) == (0, "")
    assert "changed: test, upstream" in out

    code, out, _ = await daemon.command("sender", "show", "bolt", "--lang", "nl")
    assert code == 0
    assert "Bevestig hello@bolt.example" in out
    code, out, _ = await daemon.command("sender", "show", "bolt", "--json")
    found = json.loads(out)
    assert found["settings"]["upstream"]["host"] == "smtp.bolt.example"
    assert found["settings"]["test"] is False
    assert set(found["todo"][0]["text"]) == {"de", "en", "fr", "nl"}

    code, out, err = await daemon.command("sender", "list")
    assert [line.split()[0:2] for line in out.splitlines()] == [
        ["acme", "default"],
        ["!", "bolt"],
        ["globex", "own"],
    ]
    assert err == "3 senders\n"
    code, out, _ = await daemon.command("sender", "list", "--unconfirmed", "--json")
    assert [one["id"] for one in json.loads(out)["senders"]] == ["bolt"]

    assert (await daemon.command("sender", "remove", "bolt"))[:2] == (0, "bolt is removed\n")
    code, _, err = await daemon.command("sender", "remove", "bolt")
    assert code == 66
    assert "no sender 'bolt'" in err


async def test_what_the_daemon_refuses_is_said_with_an_exit_code(world: Any) -> None:
    command = world.daemon.command

    code, _, err = await command("sender", "add", "bolt", "name=Bolt", "address=nonsense", "colour=red")
    assert code == 65
    assert "senders.bolt.address: found" in err
    assert "senders.bolt.colour: found" in err
    code, _, err = await command("sender", "set", "acme", "name=Acme")
    assert code == 73
    assert "config file" in err
    for words in (["show", "nobody"], ["set", "nobody", "name=x"], ["show", "a b"]):
        assert (await command("sender", *words))[0] == 66
    for words in (
        ["set", "bolt"],
        ["set", "bolt", "name"],
        ["set", "bolt", "=x"],
        ["show", "../queue"],
        ["show", ".."],
        ["show", ""],
    ):
        assert (await command("sender", *words))[0] == 64


async def test_a_password_comes_from_a_file_or_stdin_and_never_as_an_argument(
    world: Any, tmp_path: Path
) -> None:
    command, file = world.daemon.command, tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    upstream = [f"upstream.{key}={value}" for key, value in LOGIN.items()]
    base = ["sender", "add", "bolt", "name=Bolt", "address=hello@bolt.example", *upstream]

    code, _, err = await command(*base, f"upstream.password={PASSWORD}")
    assert code == 64
    assert PASSWORD not in err
    code, out, err = await command(*base, "--password-file", str(file))
    assert (code, err) == (0, "")
    assert PASSWORD not in out
    code, out, _ = await command("sender", "set", "bolt", "--password-file", "-", stdin=b"another one\nrest")
    assert "changed: upstream.password" in out
    assert json.loads((await command("sender", "show", "bolt", "--json"))[1])["has_password"] is True
    assert (await command("sender", "set", "bolt", "--password-file", "/nonexistent"))[0] == 66
    assert (await command("sender", "set", "bolt", "--ask-password", "--password-file", "-"))[0] == 64
    for kept in (world.folder / "state").rglob("*"):
        if kept.is_file():
            assert PASSWORD.encode() not in kept.read_bytes()
    assert PASSWORD not in world.daemon.log.read_text()


async def test_a_file_is_imported_and_may_be_again(world: Any, tmp_path: Path) -> None:
    command = world.daemon.command
    file = ndjson(tmp_path / "s.ndjson", *(sender(f"s{n}", language="fr") for n in range(1200)))

    assert await command("sender", "import", str(file)) == (
        0,
        "1200 added, 0 changed, 0 were so already\n",
        "",
    )
    assert await command("sender", "import", str(file)) == (
        0,
        "0 added, 0 changed, 1200 were so already\n",
        "",
    )
    ndjson(file, sender("s7", name="Seven"), sender("s8", language="fr"), "")
    code, out, _ = await command("sender", "import", "-", "--json", stdin=file.read_bytes())
    assert code == 0
    assert json.loads(out) == {"created": 0, "changed": 1, "unchanged": 1, "failed": [], "warnings": []}


async def test_lines_that_can_not_be_taken_are_told_and_the_others_are_imported(
    world: Any, tmp_path: Path
) -> None:
    file = ndjson(
        tmp_path / "s.ndjson",
        sender("a"),
        sender("b", address="nonsense", language="xx"),
        "{broken",
        sender("a"),
        {"name": "no id"},
        sender("acme"),
        sender("Big"),
        "[1]",
        sender("c"),
    )

    code, out, err = await world.daemon.command("sender", "import", str(file))

    assert code == 65
    assert out == "2 added, 0 changed, 0 were so already, 7 failed\n"
    told = err.splitlines()
    assert [line.partition(":")[0] for line in told] == [f"line {n}" for n in (2, 2, 3, 4, 5, 6, 7, 8)]
    assert "senders.b.address: found" in told[0]
    assert "as in line 1" in told[3]
    assert "config" in told[5]
    code, out, _ = await world.daemon.command("sender", "list", "--origin", "store", "--json")
    assert [one["id"] for one in json.loads(out)["senders"]] == ["a", "c"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"id": "bolt", "name": "Bolt", "address": "b@bolt.example"}]', "found a JSON list"),
        ("bolt,Bolt,b@bolt.example\n", "found no column id"),
        ("ID,name,address\nbolt,Bolt,b@bolt.example\n", "found no column id"),
    ],
)
def test_a_file_of_another_form_is_not_passed_over(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "customers"
    file.write_text(text)
    done = CliRunner().invoke(import_command, [str(file), "-c", str(tmp_path / "relayd.yaml")])
    assert done.exit_code == 65
    assert done.stderr.startswith(f"line 1: {said}")


async def test_an_import_that_finds_no_daemon_or_loses_it_says_so(world: Any, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "s.ndjson", *(sender(f"s{n}") for n in range(3)))
    await world.daemon.kill()

    code, _, err = await world.daemon.command("sender", "import", str(file))
    assert code == 69
    assert "not running" in err
    assert (await world.daemon.command("sender", "import", "/nonexistent"))[0] == 66

    await world.daemon.start()
    assert (await world.daemon.command("sender", "import", str(file)))[:2] == (
        0,
        "3 added, 0 changed, 0 were so already\n",
    )


@pytest.mark.parametrize("delimiter", [",", ";"])
async def test_a_spreadsheet_is_imported(world: Any, tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "s.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "name", "address", "test", "upstream.host", "upstream.port"])
        writer.writerow(["bolt", 'Bolt, "Söhne"; Co', "hello@bolt.example", "true", "", ""])
        writer.writerow([])
        writer.writerow(["cork", "Cork\nLtd", "x@cork.example", "", "", ""])
        writer.writerow(["dune", "Dune", "x@dune.example", "", "smtp.dune.example", "2525"])

    code, out, err = await world.daemon.command("sender", "import", str(path))

    assert code == 65
    assert out == "2 added, 0 changed, 0 were so already, 1 failed\n"
    assert err.startswith("line 4:")
    bolt = json.loads((await world.daemon.command("sender", "show", "bolt", "--json"))[1])
    assert (bolt["name"], bolt["settings"]["test"], bolt["settings"]["upstream"]) == (
        'Bolt, "Söhne"; Co',
        True,
        None,
    )
    dune = json.loads((await world.daemon.command("sender", "show", "dune", "--json"))[1])
    assert dune["settings"]["upstream"]["port"] == 2525


async def test_on_a_terminal_there_is_a_bar_and_a_prompt_that_shows_nothing(
    world: Any, tmp_path: Path
) -> None:
    file = ndjson(tmp_path / "s.ndjson", *(sender(f"s{n}") for n in range(600)))
    relayd = Path(sys.executable).with_name("relayd")
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(relayd, "sender", "import", str(file), "-c", str(world.daemon.config)),
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    shown = b""
    loop = asyncio.get_running_loop()
    try:
        while octets := await loop.run_in_executor(None, os.read, ours, 65536):
            shown += octets
    except OSError:  # EIO: the other end is closed
        pass
    os.close(ours)

    assert await process.wait() == 0
    assert b"importing" in shown
    assert b"600 added" in shown


# --- over TCP ---


async def test_apps_use_the_api_over_tcp_and_people_get_pages_alone(make_world: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as api, socket.create_server(("127.0.0.1", 0)) as public:
        places = [f"127.0.0.1:{sock.getsockname()[1]}" for sock in (api, public)]
        tokens = [
            {"name": "app", "token": APP, "role": "app"},
            {"name": "boss", "token": ADMIN, "role": "admin"},
        ]
        http = {
            "listen": places[0],
            "tokens": tokens,
            "public_listen": places[1],
            "public_url": "https://relay.my.platform.example",
        }
        async with make_world(http=http) as world, httpx.AsyncClient(trust_env=False) as client:
            world.daemon.more = [("http", api), ("public", public)]
            await world.daemon.start()

            async def ask(place: str, method: str, path: str, token: str, body: Any = None) -> httpx.Response:
                headers = {"Authorization": f"Bearer {token}"}
                return await client.request(method, f"http://{place}{path}", json=body, headers=headers)

            put = await ask(places[0], "PUT", "/api/v1/senders/bolt", APP, sender("bolt"))
            assert put.status_code == 201
            assert (await ask(places[0], "POST", "/api/v1/reload", APP, {})).status_code == 403
            _, out, _ = await world.daemon.command("log", "--sender", "bolt", "--json")
            assert "token:app" in out

            # nothing of the API where the pages are, with whatever token
            for path in ("/api/v1/health", "/api/v1/senders", "/api/v1/status", "/", "/confirm", "/health"):
                for method in ("GET", "POST", "PUT"):
                    answer = await ask(places[1], method, path, ADMIN)
                    assert answer.status_code in (403, 404, 405), (method, path)
                    assert "application/json" not in answer.headers.get("content-type", "")

            # other tokens count after a reload, and no longer those before
            text = world.daemon.config.read_text()
            world.daemon.config.write_text(text.replace(APP, "token-of-the-app-number-2"))
            assert (await ask(places[0], "POST", "/api/v1/reload", ADMIN, {})).json()["reloaded"]
            assert (await ask(places[0], "GET", "/api/v1/senders/bolt", APP)).status_code == 401
            again = await ask(places[0], "GET", "/api/v1/senders/bolt", "token-of-the-app-number-2")
            assert again.status_code == 200

            # another place needs a restart
            world.daemon.config.write_text(text.replace(places[1], "127.0.0.1:1"))
            refused = await ask(places[0], "POST", "/api/v1/reload", ADMIN, {})
            assert refused.status_code == 422
            assert "http.public_listen" in refused.text
            assert ADMIN not in world.daemon.log.read_text()
