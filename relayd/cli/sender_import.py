"""`relayd sender import`: many senders from a file, which may be run again."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon, Lost, Refused
from relayd.cli.options import (
    EX_DATAERR,
    EX_NOINPUT,
    EX_TEMPFAIL,
    config_option,
    fail,
    json_option,
    print_json,
)
from relayd.cli.sender_values import put

BATCH = 500
"""Senders sent at once: a step of the progress bar, and what waits while the daemon judges them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A sender of the file; `number` is the line it begins in."""

    number: int
    id: str
    values: Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Result:
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)  # line, why
    warnings: list[str] = field(default_factory=list)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@config_option
@json_option
def import_command(file: Path, config: Path, as_json: bool) -> None:
    """Add or replace senders from a file.

    One sender a line, with the keys of `senders` in the config and an id: as JSON, or as CSV whose first line
    names the keys (id,name,address,upstream.host; an empty cell is no value). Lines that can't be taken are
    told and left out, the others are imported. The same file again changes nothing. - reads stdin.

    \b
    {"id": "acme", "name": "ACME BV", "address": "billing@acme.example"}

    \b
    Examples:
      relayd sender import customers.csv
      relayd sender import - < customers.ndjson
    """
    result = Result()
    lines = list(_unique(_lines(_text(file), result), result))
    daemon = Daemon(config)
    with _progress(len(lines)) as advance:
        for start in range(0, len(lines), BATCH):
            batch = lines[start : start + BATCH]
            try:
                _send(daemon, batch, result)
            except Away:
                daemon.away()
            except Lost as error:
                remedy = f"{error.remedy}; what was imported stays, so run it again as it is"
                fail(f"{start} of {len(lines)} imported: {error}", EX_TEMPFAIL, remedy)
            advance(len(batch))
    _tell(result, as_json)


def _text(file: Path) -> str:
    try:
        octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return octets.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}", EX_NOINPUT, "name a file in UTF-8, with one sender a line")


def _lines(text: str, result: Result) -> Iterator[Line]:
    """The senders of the file, JSON or CSV as its first character says."""
    read = {"{": _json, "[": _list}.get(text.lstrip()[:1], _csv)
    for number, found in read(text):
        if isinstance(found, str):
            result.failed.append((number, found))
            continue
        id = found.pop("id", None)
        if not isinstance(id, str) or not id or not id.isprintable():  # it is shown on the terminal
            result.failed.append((number, "found no id; expected one, such as acme"))
        else:
            yield Line(number=number, id=id, values=found)


def _json(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        yield number, found if isinstance(found, dict) else "found no JSON object; expected one a line"


def _list(text: str) -> Iterator[tuple[int, str]]:
    yield 1, "found a JSON list; expected one object a line, as `jq -c '.[]'` makes of it"


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any] | str]]:
    first = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    try:
        names = [name.strip() for name in next(reader, [])]
        number = reader.line_num + 1
        if names and "id" not in names:
            yield 1, "found no column id; expected the keys in the first line, such as id,name,address"
            return
        for cells in reader:
            if any(cells):
                yield number, _row(names, cells)
            number = reader.line_num + 1
    except csv.Error as error:
        yield reader.line_num, f"found no CSV ({error}); expected one sender a line"


def _row(names: Sequence[str], cells: Sequence[str]) -> dict[str, Any] | str:
    if len(cells) > len(names):
        return f"found {len(cells)} cells; expected {len(names)}, as many as the first line names"
    found: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=False):
        if cell and name:
            put(found, name, cell)
    return found


def _unique(lines: Iterator[Line], result: Result) -> Iterator[Line]:
    first: dict[str, int] = {}
    for line in lines:
        if line.id in first:
            result.failed.append(
                (line.number, f"found {line.id} again; expected it once, as in line {first[line.id]}")
            )
        else:
            first[line.id] = line.number
            yield line


def _send(daemon: Daemon, batch: Sequence[Line], result: Result) -> None:
    """Send a batch; without those that can't be taken when there are any. Raises Away and Lost."""
    while batch:
        body = [{"id": line.id, **line.values} for line in batch]
        try:
            answer = daemon.attempt("PUT", "/senders", body)
        except Refused as refused:
            wrong = _wrong(refused)
            told = [line for line in batch if line.id in wrong]
            if not told:  # not about single senders: say it of all
                said = f"{refused}; {refused.body.get('remedy')}"
                wrong = {line.id: [said] for line in batch}
                told = list(batch)
            result.failed += [(line.number, why) for line in told for why in wrong[line.id]]
            batch = [line for line in batch if line.id not in wrong]
            continue
        result.created += answer["created"]
        result.changed += answer["changed"]
        result.unchanged += answer["unchanged"]
        result.warnings += [warning["text"] for warning in answer["warnings"]]
        return


def _wrong(refused: Refused) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    for problem in refused.body.get("problems", ()):
        wrong.setdefault(problem["sender"], []).append(problem["text"])
    return wrong


class _Bar:
    """A progress bar on the terminal."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("importing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Any:
        self._bar.start()
        return lambda number: self._bar.advance(self._task, number)

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _progress(total: int) -> AbstractContextManager[Any]:
    """Gives what to call with each number that is done."""
    return _Bar(total) if sys.stderr.isatty() else nullcontext(lambda number: None)


def _tell(result: Result, as_json: bool) -> None:
    result.failed.sort()
    if as_json:
        failed = [{"line": number, "text": why} for number, why in result.failed]
        print_json(
            {
                "created": result.created,
                "changed": result.changed,
                "unchanged": result.unchanged,
                "failed": failed,
                "warnings": result.warnings,
            }
        )
    else:
        for warning in result.warnings:
            click.echo(f"{click.style('warning:', fg='yellow')} {warning}", err=True)
        for number, why in result.failed:
            click.echo(f"{click.style(f'line {number}:', fg='red')} {why}", err=True)
        counts = f"{result.created} added, {result.changed} changed, {result.unchanged} were so already"
        lines = len({number for number, _ in result.failed})
        click.echo(counts + (f", {lines} failed" if lines else ""))
    if result.failed:
        raise SystemExit(EX_DATAERR)
