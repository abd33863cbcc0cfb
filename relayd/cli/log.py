"""`relayd log`: the status log for people, or as it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon, Lost
from relayd.cli.lines import COLOURS, event_lines
from relayd.cli.options import EX_UNAVAILABLE, config_option, fail, json_option, language_option
from relayd.cli.places import places

_PAGE = 1000
_WAIT = 30  # seconds a long poll hangs
_PAUSE = 1.0  # seconds between looks for a daemon that has gone
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

    Asks the daemon; without one it reads the status log's file. With --follow it waits for a daemon that
    restarts.

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
        for event in last(daemon, newest, number, fits):
            _show(event, language, as_json)
        for event in filter(fits, _following(daemon, newest) if follow else ()):
            _show(event, language, as_json)
    except Away:
        if follow:
            daemon.away()
        for event in [event for event in _file(config) if fits(event)][-number:] if number else ():
            _show(event, language, as_json)
    except (KeyboardInterrupt, BrokenPipeError):
        raise SystemExit(0) from None


def _following(daemon: Daemon, after: int) -> Iterator[dict[str, Any]]:
    """Events as they happen, for ever. A daemon that restarts is waited for."""
    away = False
    while True:
        try:
            if away:  # the store may have been put back from a backup: then its numbers are lower
                after = min(after, daemon.ask("/status")["newest"])
                away = False
            found = daemon.ask("/events", after=after, wait=_WAIT)
            yield from found["events"]
            after = found["next"]
        except (Away, Lost):
            if not away:
                click.echo("relayd: the daemon has gone away; waiting until it is back", err=True)
            away = True
            time.sleep(_PAUSE)


def last(daemon: Daemon, newest: int, number: int, fits: Fits, back: int = 2**63) -> list[dict[str, Any]]:
    """The last events that fit, oldest first; pages back until there are enough, over at most `back`."""
    found: list[dict[str, Any]] = []
    until = newest
    while until > max(0, newest - back) and len(found) < number:
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
    else:
        click.echo("\n".join(event_lines(event, language)))
