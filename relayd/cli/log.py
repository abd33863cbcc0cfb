"""`relayd log`: the status log for people, or as it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.options import EX_UNAVAILABLE, config_option, fail, json_option, language_option
from relayd.cli.places import places
from relayd.cli.status import COLOURS

_PAGE = 1000
_WAIT = 30  # seconds a long poll hangs
_TAIL = 16 * 1024 * 1024  # octets of the status log's file that are read without a daemon; some 20,000 events

Fits = Callable[[dict[str, Any]], bool]


@click.command("log")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now; Ctrl-C ends it.")
@click.option(
    "-n",
    "--lines",
    "number",
    type=click.IntRange(0),
    default=20,
    show_default=True,
    help="How many of the last ones.",
)
@click.option("--ref", help="Only messages with this reference of the app.")
@click.option("--sender", help="Only this sender.")
@click.option("--status", type=click.Choice(list(COLOURS)), help="Only events with this status.")
@config_option
@language_option
@json_option
def log_command(
    follow: bool,
    number: int,
    ref: str | None,
    sender: str | None,
    status: str | None,
    config: Path,
    language: str,
    as_json: bool,
) -> None:
    """Show what happened: the last events of the status log.

    Asks the daemon; without one it reads the status log's file.

    \b
    Examples:
      relayd log -n 50
      relayd log --follow --status not_sent
      relayd log --ref INV-2026-0042 --json | jq .reason
    """
    wanted = {"ref": ref, "sender": sender, "status": status}

    def fits(event: dict[str, Any]) -> bool:
        return all(value is None or event.get(key) == value for key, value in wanted.items())

    daemon = Daemon(config)
    try:
        newest = daemon.get("/status")["newest"]
        for event in _last(daemon, newest, number, fits):
            _show(event, language, as_json)
        while follow:
            found = daemon.get("/events", after=newest, wait=_WAIT)
            newest = found["next"]
            for event in filter(fits, found["events"]):
                _show(event, language, as_json)
    except Away:
        if follow:
            daemon.away()
        for event in [event for event in _file(config) if fits(event)][-number:] if number else ():
            _show(event, language, as_json)
    except (KeyboardInterrupt, BrokenPipeError):
        raise SystemExit(0) from None


def _last(daemon: Daemon, newest: int, number: int, fits: Fits) -> list[dict[str, Any]]:
    """The last events that fit, oldest first; pages back until there are enough."""
    found: list[dict[str, Any]] = []
    until = newest
    while until > 0 and len(found) < number:
        start = max(0, until - _PAGE)
        page = daemon.get("/events", after=start, limit=until - start)["events"]
        found = [event for event in page if event["seq"] <= until and fits(event)] + found
        until = start
    return found[-number:] if number else []


def _file(config: Path) -> Iterator[dict[str, Any]]:
    """What the status log's file has to say, without a daemon."""
    for path in places(config).status_log:
        try:
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
                whole = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            continue
        except OSError as error:
            fail(f"{path}: {error.strerror}", EX_UNAVAILABLE, "run this as root, or as a member of its group")
        for line in whole:
            try:
                yield json.loads(line)
            except ValueError:
                continue  # the first one, begun before the part that we read
        return
    Daemon(config).away()


def _show(event: dict[str, Any], language: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(event, ensure_ascii=False))
        return
    status = event.get("status")
    word = click.style(f"{event['type']:<9}", fg=COLOURS.get(status or ""), bold=True)
    names = (event.get("message"), event.get("ref"), event.get("recipient") or event.get("sender"))
    text = event.get("text", {})
    click.echo(
        f"{event['time']}  {word}  {'  '.join(filter(None, names))}  {text.get(language, text.get('en', ''))}"
    )
    if status == "not_sent" and (remedy := event.get("remedy")):
        click.echo(f"  {remedy.get(language, remedy.get('en'))}")
