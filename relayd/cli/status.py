"""`relayd status`: the daemon, or what became of a message."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.options import EX_UNAVAILABLE, config_option, fail, json_option, language_option, print_json

COLOURS = {"sent": "green", "queued": "cyan", "delayed": "yellow", "held": "magenta", "not_sent": "red"}
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
            _messages(_find(daemon, id_or_ref, None if as_json else language), id_or_ref, as_json)
    except Away:
        daemon.away()


def _find(daemon: Daemon, id_or_ref: str, language: str | None) -> list[dict[str, Any]]:
    by_ref = daemon.get("/messages", ref=id_or_ref, lang=language)["messages"]
    if not by_ref and _ID.fullmatch(id_or_ref):
        return [daemon.get(f"/messages/{id_or_ref}", lang=language)]
    return list(by_ref)


def _messages(messages: list[dict[str, Any]], id_or_ref: str, as_json: bool) -> None:
    if as_json:
        print_json(messages)
    if not messages:
        fail(
            f"no message with the id or reference {id_or_ref}",
            EX_UNAVAILABLE,
            "`relayd log` shows what there is",
        )
    if not as_json:
        for message in messages:
            click.echo("\n".join(lines(message)))


def lines(message: dict[str, Any]) -> list[str]:
    """A message for people: who, from which address, and per recipient what and why."""
    ref = f"  ref {message['ref']}" if message["ref"] else ""
    head = f"{click.style(message['id'], bold=True)}{ref}  sender {message['sender']}"
    how = f"  from {message['from'] or '<>'} ({message['rung']})"
    if message["rung_reason"]:
        how += f", because {message['rung_reason']}"
    found = [head, f"{how}, accepted {message['accepted_at']}"]
    for each in message["recipients"]:
        found += recipient_lines(each)
    for each in message["refused"]:
        refused = f"{each['code']} {each['enhanced']} {each['reason']}"
        found.append(
            f"  {click.style('not_sent', fg='red')}  {each['recipient']}  refused at once: {refused}"
        )
    return found


def recipient_lines(each: dict[str, Any]) -> list[str]:
    status = click.style(each["status"], fg=COLOURS.get(each["status"]), bold=True)
    later = f"  next attempt {each['next_attempt']}" if each["next_attempt"] else ""
    found = [f"  {status}  {each['recipient']}  attempts {each['attempts']}{later}"]
    if reason := each.get("reason") or each.get("held"):
        actor = f"  who must act: {each['actor']}" if each.get("actor") else ""
        found.append(f"    why: {reason}{actor}")
    found += [f"    {each[key]}" for key in ("text", "remedy", "link") if each.get(key)]
    if each.get("reply"):
        code = " ".join(str(each[key]) for key in ("code", "enhanced") if each.get(key))
        found.append(
            f"    {each.get('host') or 'the server'} said: {code} {each['reply']}".replace("\n", " ")
        )
    return found


def _service(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    well = click.style("well", fg="green") if found["healthy"] else click.style("not well", fg="red")
    click.echo(f"relayd {found['version']} as {found['hostname']}: {well}, since {found['started_at']}")
    counts = "  ".join(f"{state} {number}" for state, number in sorted(found["recipients"].items()))
    click.echo(f"recipients: {counts or 'none'}")
    for note in found["notes"]:
        click.echo(f"{click.style('!', fg='yellow', bold=True)} {note}")
    for hop, why in found["paused"].items():
        click.echo(f"paused: {hop}: {why}")
    for sender, reason in found["refused_logins"].items():
        click.echo(
            f"login refused: {sender}: {reason}; correct it, or: relayd queue release --sender {sender}"
        )
