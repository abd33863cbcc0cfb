"""SMTP dialogs as data: tests/data/dialogs/*.txt, each said as written and once more octet by octet.

`# text` is a comment, `% name value` an option. `> line` is sent with CRLF; lines that follow each other are
sent in one piece. `>> text` is sent as it stands, with the escapes of Python. `< text` is one reply line, `*`
stands for anything. `<< code` is one reply of any number of lines. `eof` ends our side. `closed` holds when
the server has hung up. `kept n` counts messages. `body text` and `header text` look at the last one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from relayd.core import answer

DIALOGS = sorted((Path(__file__).parent.parent / "data" / "dialogs").glob("*.txt"))
TLS = {"certificate": "tls.pem", "key": "tls.key"}
LOGINS = [
    {"username": "app", "password": "canary-7c1f"},
    {"username": "acme", "password": "canary-a3b0", "senders": ["acme"]},
]
LISTENERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "lmtp": {"listen": [{"address": "127.0.0.1", "port": 0, "protocol": "lmtp"}]},
    "starttls": {"listen": [{"address": "127.0.0.1", "port": 0, "tls": TLS}]},
    "login": {"logins": LOGINS},
    "small": {"limits": {"message_size": 2048, "recipients": 3}},
}


def _unescape(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def _matches(wanted: str, seen: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, wanted.split("*"))), seen) is not None


def read(path: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    options: dict[str, str] = {}
    steps: list[tuple[str, str]] = []
    for line in path.read_text("utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word in ("", "#"):
            continue
        if word == "%":
            name, _, value = rest.partition(" ")
            options[name] = value
        elif word == ">" and steps and steps[-1][0] == ">":
            steps[-1] = (">", steps[-1][1] + "\r\n" + rest)
        else:
            steps.append((word, rest))
    return options, steps


def _cases() -> list[Any]:
    cases = []
    for path in DIALOGS:
        cases.append(pytest.param(path, False, id=path.stem))
        if "once" not in read(path)[0]:  # where it matters what comes in one piece
            cases.append(pytest.param(path, True, id=f"{path.stem}-octets"))
    return cases


@pytest.mark.parametrize(("path", "bytewise"), _cases())
async def test_the_dialog_goes_as_written(path: Path, bytewise: bool, make_world: Any) -> None:
    options, steps = read(path)
    world = await make_world(**LISTENERS[options.get("listener", "plain")])
    client = await world.connect()
    for word, text in steps:
        match word:
            case ">":
                await client.send(text.encode() + b"\r\n", bytewise=bytewise)
            case ">>":
                await client.send(_unescape(text), bytewise=bytewise)
            case "<":
                seen = await client.line()
                assert _matches(text, seen), f"wanted {text!r}, got {seen!r}"
            case "<<":
                seen = await client.reply()
                assert seen.split("\n")[-1].startswith(text + " "), f"wanted {text}, got {seen!r}"
            case "eof":
                client.writer.write_eof()
            case "closed":
                assert await client.line() == ""
            case "kept":
                assert len(await world.messages()) == int(text)
            case "body":
                assert await world.body((await world.messages())[-1]) == _unescape(text)
            case "header":
                assert _unescape(text) in (await world.messages())[-1].submission.header
            case "refused":
                refused = [event.recipient for event in await world.events() if event.type == "refused"]
                assert refused == text.split()
            case _:
                pytest.fail(f"{path.name}: {word} is no step")


def _said_somewhere() -> list[str]:
    return [
        line[2:]
        for path in DIALOGS
        for line in path.read_text("utf-8").splitlines()
        if line.startswith("< ") and line[2:].strip("0123456789. *")
    ]


@pytest.mark.parametrize("name", answer.ROWS)
def test_what_the_server_can_say_is_said_in_a_test(name: str) -> None:
    """A row that no dialog says, and that no test names as `answer.NAME`, is dead or never looked at."""
    row = answer.ROWS[name]
    start = f"{row.code} {row.enhanced}".strip() + " "
    pattern = re.escape(start) + ".*".join(map(re.escape, row.sentence.split("{}")))
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert f"answer.{name}(" in tests or any(re.fullmatch(pattern, line) for line in _said_somewhere())
