"""The documents say what the code does: links lead somewhere, commands exist, configs load."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import yaml

from relayd.cli import options
from relayd.cli.root import COMMANDS, relayd
from relayd.config import ConfigErrors, load
from relayd.core.event import EventType
from relayd.core.findings import Kind
from relayd.core.mailproviders import TABLE
from relayd.core.reasons import Reason
from relayd.core.todo import Task
from relayd.web.roles import MAY

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
IDS = [str(page.relative_to(ROOT)) for page in PAGES]

every_page = pytest.mark.parametrize("page", PAGES, ids=IDS)


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, with what is in their here-documents as blocks of their own."""
    text = page.read_text()
    for found in re.finditer(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        yield Block(found[1], found[2], text.count("\n", 0, found.start()) + 1)


def prose(page: Path) -> str:
    return re.sub(r"^ *```\w*\n.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


# --- links ---


def anchor(heading: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(title.strip()) for title in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)}


@every_page
def test_links_lead_to_something(page: Path) -> None:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or (fragment and fragment not in anchors(to)):
            dead.append(target)
    assert not dead


# Every other place comes and goes, or belongs to one machine.
HOSTS = {
    *("check.spamhaus.org", "dmarc.org", "keepachangelog.com", "rogerbinns.github.io", "semver.org"),
    *("www.rfc-editor.org", "localhost", "127.0.0.1", "relay.example.net"),
}
PROVIDERS = {
    urlsplit(link).netloc for row in TABLE for link in (row.source, *(need.link for need in row.needs))
}
MORE_HOSTS = {
    "upstream-providers.md": PROVIDERS,
    "own-server.md": PROVIDERS,
    "oauth.md": {"entra.microsoft.com", "console.cloud.google.com", "mail.google.com"},
}


@every_page
def test_links_out_lead_where_they_are_meant_to(page: Path) -> None:
    hosts = set(re.findall(r"https?://([\w.-]+)", page.read_text()))
    known = HOSTS | MORE_HOSTS.get(page.name, set())
    assert {host for host in hosts if not host.endswith(".example")} <= known


@pytest.mark.parametrize("name", ["invoices", "climb"])
def test_pictures_are_what_their_programs_draw(name: str) -> None:
    folder = ROOT / "docs" / "img"
    program = f"import sys, {name}; sys.stdout.reconfigure(encoding='utf-8'); print({name}.drawn(), end='')"
    drawn = subprocess.run((sys.executable, "-c", program), cwd=folder, capture_output=True, check=True)

    assert drawn.stdout.decode() == (folder / f"{name}.svg").read_text(encoding="utf-8")


def test_decisions_have_numbers_of_their_own_and_are_all_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    files = sorted(folder.glob("[0-9]*.md"))
    numbers = [file.name[:4] for file in files]

    assert numbers == [f"{number:04}" for number in range(1, len(files) + 1)]
    assert [file.read_text().partition(":")[0] for file in files] == [f"# {number}" for number in numbers]
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == [file.name for file in files]


def test_the_changelog_has_the_form_that_it_names() -> None:
    """https://keepachangelog.com: versions, newest first, and in each only these sections."""
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.*)$", text, re.MULTILINE)

    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    sections = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_event_is_explained() -> None:
    text = (ROOT / "docs" / "status-log.md").read_text()
    explained = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|(.*?)\|", text, re.MULTILINE)))
    assert [event.value for event in EventType if event.value not in explained] == []


def test_every_exit_code_of_the_commands_is_explained() -> None:
    codes = {value for name, value in vars(options).items() if name.startswith("EX_")}
    text = (ROOT / "docs" / "commands.md").read_text()

    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} == codes | {0}


def test_the_changelog_names_every_command() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert [name for name in COMMANDS if not re.search(rf"`(relayd )?{name}\b|make {name}`", text)] == []


# --- commands ---


def command_lines(page: Path) -> Iterator[str]:
    for block in blocks(page):
        if block.language in ("sh", "bash", "console", "shell"):
            shell = re.sub(r"<<'EOF'.*?^EOF$", "", block.text, flags=re.MULTILINE | re.DOTALL)
            yield from shell.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`(relayd [a-z][^`]*)`", prose(page))


def calls(page: Path) -> Iterator[list[str]]:
    """The words after `relayd`, for each call on the page."""
    for line in command_lines(page):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue  # an excerpt with an open quote
        for joined, part in itertools.groupby(words, lambda word: bool(re.fullmatch(r"[&|;]+", word))):
            call = list(part)
            if call[0] in ("runuser", "sudo"):
                call = call[call.index("--") + 1 :]
            if not joined and call[0].rpartition("/")[2] == "relayd":
                yield call[1:]


@every_page
def test_commands_and_their_options_exist(page: Path) -> None:
    wrong = []
    for words in calls(page):
        command: click.Command | None = relayd
        rest = list(words)
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            command = command.get_command(click.Context(command), rest.pop(0))
        if command is None:
            wrong.append("relayd " + " ".join(words))
            continue
        known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        known |= {"-h", "--help"} | ({"--version"} if command is relayd else set())
        given = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
        wrong += [f"relayd {' '.join(words)}: no {option}" for option in given if option not in known]
    assert not wrong


# --- config ---

BASE = {
    "hostname": "relay.my.platform.example",
    "listen": [{"address": "127.0.0.1", "port": 2525}, {"path": "smtp.sock"}],
    "platform": {
        "domain": "my.platform.example",
        "name": "Platform",
        "dkim": {"selector": "r1", "key_file": "keys/r1.pem"},
    },
    "senders": {"acme": {"name": "Acme", "address": "billing@acme.example", "confirmed": True}},
}


def configs(page: Path) -> Iterator[tuple[int, str]]:
    for block in blocks(page):
        if block.language in ("yaml", "yml"):
            yield block.line, block.text
        for inner in re.findall(r"<<'EOF'\n(.*?)^EOF$", block.text, re.MULTILINE | re.DOTALL):
            if inner.startswith("hostname:"):
                yield block.line, inner


def merged(base: Any, over: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


@every_page
def test_configs_load(page: Path, tmp_path: Path) -> None:
    for line, text in configs(page):
        # The files that it names are put where this test may write.
        for path in set(re.findall(r"/(?:etc|var/lib|var/log|run)/relayd[\w./-]*", text)):
            here = tmp_path / path.lstrip("/")
            here.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith((".password", ".secret", ".key")):
                here.touch(mode=0o600)
                here.write_text("correct-horse-battery-staple")
        moved = re.sub(r"(?<![\w.])/(etc|var|run)/", f"{tmp_path}/\\1/", text)
        whole = merged({**BASE, "state_dir": str(tmp_path)}, yaml.safe_load(moved))
        (tmp_path / "relayd.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
        try:
            load(tmp_path / "relayd.yaml", {})
        except ConfigErrors as problems:
            pytest.fail(f"{page.name}:{line}\n{problems}")


# --- the API ---

PLACES = {"{id}": "ID", "{verb}": "VERB", "{domain}": "DOMAIN"}


def routes() -> set[tuple[str, str]]:
    """Method and path of every route, as the page writes them."""
    return {
        (method, re.sub(r"\{\w+\}", lambda place: PLACES[place[0]], f"/api/v1{path}")) for method, path in MAY
    }


def test_every_route_of_the_api_is_described_with_an_example_that_asks_for_it() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    described = set(re.findall(r"^### ([A-Z]+) (\S+)$", text, re.MULTILINE))

    assert described == routes()
    for method, path in routes():
        section = re.split(rf"^### {method} {path}$", text, flags=re.MULTILINE)[1].partition("\n### ")[0]
        asked = re.sub(r"ID|VERB|DOMAIN", r"[\\w.-]+", path)
        calls = [
            call.replace("\\\n", " ")
            for call in re.findall(r"^curl .*?(?=\ncurl |```)", section, re.M | re.S)
        ]
        assert any(
            re.search(rf"{asked}(?=['? ]|$)", call) and (method == "GET" or f"-X {method} " in call)
            for call in calls
        ), (method, path)


def test_every_task_of_a_sender_s_report_is_explained() -> None:
    text = (ROOT / "docs" / "api.md").read_text()

    assert re.findall(r"^([a-z]+\.[a-z_]+)   +\S", text, re.MULTILINE) == list(Task)


def test_bodies_in_the_examples_of_the_api_are_json() -> None:
    bodies = re.findall(r"-d '(.*?)'", (ROOT / "docs" / "api.md").read_text(), re.DOTALL)

    assert len(bodies) > 10
    for body in bodies:
        json.loads(body)


# --- names ---

FAMILIES = {reason.value.partition(".")[0] for reason in Reason if "." in reason.value}


@cache
def keys(model: Any) -> set[str]:
    """Every name in the settings, however deep."""
    found = set()
    for name, info in model.model_fields.items():
        found.add(name)
        for part in re.findall(r"\w+", str(info.annotation)):
            inner = getattr(__import__("relayd.core.settings", fromlist=["x"]), part, None)
            if hasattr(inner, "model_fields") and inner is not model:
                found |= keys(inner)
    return found


@every_page
def test_reasons_are_known(page: Path) -> None:
    from relayd.core.settings import Settings

    names = keys(Settings)
    wrong = [
        name
        for name in re.findall(r"`([a-z]+\.[a-z_]+)`", prose(page))
        if name.partition(".")[0] in FAMILIES
        and name not in {*Reason, *Kind, *Task}
        and name.partition(".")[2] not in names
        and not name.endswith((".py", ".md"))
    ]
    assert not wrong


@every_page
def test_config_keys_are_known(page: Path) -> None:
    """`section.key` in the text, where the section is one of the config's."""
    from relayd.core.settings import Settings

    wrong = []
    for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:: [^`]*)?`", prose(page)):
        section, *rest = name.split(".")
        known = name in {*Reason, *Kind} or set(rest) <= keys(Settings)
        if section in Settings.model_fields and not known:
            wrong.append(name)
    assert not wrong


@every_page
def test_files_that_are_named_exist(page: Path) -> None:
    """Paths within the project, in code font."""
    named = re.findall(r"`((?:relayd|tests|docs|systemd|benchmarks|\.ci)/[\w./*-]*)`", prose(page))
    assert not [name for name in named if not list(ROOT.glob(name.rstrip("/")))]


@every_page
def test_targets_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = prose(page) + "".join(block.text for block in blocks(page))
    named = set(re.findall(r"(?:`|^|\$ )make ([a-z]+)", text, re.MULTILINE))
    assert named <= targets
