"""`relayd status`: the daemon, or what became of a message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NoReturn

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.lines import event_lines, message_lines, when
from relayd.cli.log import last
from relayd.cli.options import EX_NOINPUT, config_option, fail, json_option, language_option, print_json

_REFUSED, _BACK = 100, 10_000  # events shown of what was not taken, and looked through for them
_ID = re.compile(r"[A-Z2-7]{26}")


@click.command("status")
@click.argument("id_or_ref", required=False)
@config_option
@language_option
@json_option
def status_command(id_or_ref: str | None, config: Path, language: str, as_json: bool) -> None:
    """Say how the daemon is, or what became of a message.

    ID_OR_REF is a message's id, or the app's own reference (the header X-Relayd-Ref).

    \b
    Examples:
      relayd status
      relayd status INV-2026-0042
      relayd status AAAZUYFQH3YJ5XJ7KQ6C2M4QWE --lang de --json
    """
    daemon = Daemon(config)
    try:
        if id_or_ref is None:
            _service(daemon.get("/status"), as_json)
        else:
            found = _find(daemon, id_or_ref, None if as_json else language)
            if not as_json:
                _messages(daemon, found, id_or_ref, language)
            else:
                print_json(found)
                if not found:
                    _nothing(id_or_ref)
    except Away:
        daemon.away()


def _find(daemon: Daemon, id_or_ref: str, language: str | None) -> list[dict[str, Any]]:
    by_ref = daemon.get("/messages", ref=id_or_ref, lang=language)["messages"]
    if not by_ref and _ID.fullmatch(id_or_ref):
        return [daemon.get(f"/messages/{id_or_ref}", lang=language)]
    return list(by_ref)


def _messages(daemon: Daemon, messages: list[dict[str, Any]], sought: str, language: str) -> None:
    for message in messages:
        click.echo("\n".join(message_lines(message)))
    if messages:
        return
    refused = last(daemon, daemon.get("/status")["newest"], _REFUSED, lambda e: e.get("ref") == sought, _BACK)
    if not refused:
        _nothing(sought)
    click.echo(f"{sought}: not taken, so there is no message; what happened:")
    for event in refused:
        click.echo("\n".join(event_lines(event, language)))


def _nothing(sought: str) -> NoReturn:
    fail(f"no message with the id or reference {sought}", EX_NOINPUT, "`relayd log` shows what there is")


def _service(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    well = click.style("well", fg="green") if found["healthy"] else click.style("not well", fg="red")
    click.echo(f"relayd {found['version']} as {found['hostname']}: {well}, since {when(found['started_at'])}")
    counts = {"not_sent" if state == "failed" else state: n for state, n in found["recipients"].items()}
    shown = "  ".join(f"{state} {number}" for state, number in sorted(counts.items()))
    click.echo(f"recipients: {shown or 'none'}")
    for note in found["notes"]:
        click.echo(f"{click.style('!', fg='yellow', bold=True)} {note}")
    for hop, why in found["paused"].items():
        click.echo(f"paused: {hop}: {why}")
    for sender, reason in found["refused_logins"].items():
        click.echo(
            f"login refused: {sender}: {reason}; correct it, or: relayd queue release --sender {sender}"
        )
