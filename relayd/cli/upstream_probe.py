"""`relayd upstream probe`: does a customer's own server take our login, and if not, which setting is it?"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.lines import ACTORS
from relayd.cli.options import EX_DATAERR, EX_TEMPFAIL, config_option, json_option, language_option

MARKS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@click.command("probe")
@click.argument("sender")
@click.option("--send", is_flag=True, help="Send a test mail to the sender's own address as well.")
@click.option("--again", is_flag=True, help="Try a login that the server refused before once more.")
@click.option(
    "--arrived-from",
    metavar="ADDRESS",
    help="Say which sender the test mail showed, and nothing else: another one than the own address is kept "
    "in mind.",
)
@config_option
@language_option
@json_option
def probe_command(
    sender: str,
    send: bool,
    again: bool,
    arrived_from: str | None,
    config: Path,
    language: str,
    as_json: bool,
) -> None:
    """Go through the dialogue with SENDER's own mail server, one line for each step, and say what is wrong.

    The login is tried once, over verified encryption only; one that was refused before is not tried again
    without --again. No mail is sent without --send. What it shows takes effect: a login that works lets held
    mail go. Exit 0 when mail can be sent there, 65 when a setting is wrong, 75 when it could not be told.

    \b
    Examples:
      relayd upstream probe acme
      relayd upstream probe acme --send
      relayd upstream probe acme --arrived-from someone@gmail.com
      relayd upstream probe acme --json | jq -r 'select(.state == "failed").finding'
    """
    daemon = Daemon(config)
    path = f"/senders/{urllib.parse.quote(sender, safe='')}/probe"
    try:
        if arrived_from is not None:
            _arrived(daemon.post(f"{path}/arrived", {"from": arrived_from}), as_json)
            return
        language_asked = "" if as_json else f"?lang={language}"
        last: Mapping[str, Any] = {}
        said: set[str] = set()
        for last in daemon.lines(path + language_asked, {"send": send, "again": again}):
            if as_json:
                click.echo(json.dumps(last, ensure_ascii=False))
            else:
                click.echo("\n".join(_lines(last, said)))
    except Away:
        daemon.away()
    if last.get("state") != "ok":
        raise SystemExit(EX_DATAERR if last.get("refused") or _of_settings(last) else EX_TEMPFAIL)


def _of_settings(result: Mapping[str, Any]) -> bool:
    """Somebody has to change something; it doesn't pass by itself."""
    return result.get("actor") in ("sender", "sender_it", "app", "platform") and not str(
        result.get("finding", "")
    ).startswith("network.")


def _lines(line: Mapping[str, Any], said: set[str]) -> Iterator[str]:
    """`said`: the findings whose texts were shown already."""
    if line["step"] == "result":
        yield from _result(line)
        return
    mark, colour = MARKS[line["state"]]
    seen = " ".join(str(line.get("seen", "")).split())
    yield f"{click.style(mark, fg=colour)} {line['step']:<9}{line['ms']:>6} ms  {seen}".rstrip()
    if "text" in line:
        yield from _finding(line, said)


def _finding(line: Mapping[str, Any], said: set[str]) -> Iterator[str]:
    name = line["finding"] if line["finding"] != "other" else line.get("reason", "")
    if line["text"] in said:
        yield f"    {click.style(name, bold=True)}  as above"
        return
    said.add(line["text"])
    yield _wrapped(f"{click.style(name, bold=True)}  {line['text']}")
    yield _wrapped(line["remedy"])
    if "link" in line:
        yield f"    {line['link']}"
    if line["state"] != "ok":
        yield f"    who must act: {ACTORS[line['actor']]}"


def _wrapped(text: str) -> str:
    return click.wrap_text(text, width=100, initial_indent="    ", subsequent_indent="    ")


def _result(line: Mapping[str, Any]) -> Iterator[str]:
    if line.get("error"):
        yield click.style(line["error"], fg="red")
    elif line["state"] == "ok":
        yield click.style("Mail can be sent through this server.", fg="green", bold=True)
    elif line["refused"]:
        yield click.style(
            "No mail goes out through this server until its settings are corrected.", fg="red", bold=True
        )
    elif _of_settings(line):
        yield click.style("Mail can't be sent through this server with these settings.", fg="red", bold=True)
    else:
        yield click.style("It could not be told; try again later.", fg="yellow", bold=True)
    if line.get("released"):
        number = line["released"]
        yield f"{number} recipient{'s' if number != 1 else ''} that waited for it: on the way now."
    if line.get("confirmed"):
        yield "The login shows who owns the contact address: it is confirmed."


def _arrived(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found))
    elif found["right"]:
        click.echo("That is the right one: the server leaves the sender as it is.")
    else:
        click.echo("The server replaces the sender; probes say so from now on, and what to do about it.")
