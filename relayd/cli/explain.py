"""`relayd explain`: what an answer of a mail server means."""

from __future__ import annotations

import sys

import click

from relayd.cli.lines import ACTORS
from relayd.cli.options import EX_USAGE, fail, json_option, language_option, print_json

_FATES = {"sent": "green", "deferred": "yellow", "failed": "red", "uncertain": "magenta"}


@click.command("explain")
@click.argument("reply")
@click.option(
    "--role",
    type=click.Choice(["mx", "upstream"]),
    help="Who said it: the recipient's server, or one that sends for us (default for answers to a login).",
)
@click.option(
    "--host", default="", help="The server that said it: some words mean something only at one provider."
)
@click.option("--stage", help="Where in the dialogue: connect, banner, ehlo, auth, mail, rcpt, data, end.")
@language_option
@json_option
def explain_command(
    reply: str, role: str | None, host: str, stage: str | None, language: str, as_json: bool
) -> None:
    """Say what an answer means, who must act, and what to do.

    Needs no daemon and no config. A whole line from a bounce or a log will do; `-` reads it from stdin.

    \b
    Examples:
      relayd explain "550 5.1.1 user unknown"
      relayd explain --role upstream --host smtp.gmail.com "535 5.7.8 Password not accepted"
      tail -1 bounce.txt | relayd explain -
    """
    from relayd.core import explain as explaining

    if reply == "-":
        # Old bounces are in any encoding; what matters of them is ASCII.
        reply = sys.stdin.buffer.read(64 * 1024).decode("utf-8", "replace")
    try:
        found = explaining.explain(reply, role=role, host=host, stage=stage)
    except ValueError as error:
        fail(str(error), EX_USAGE)
    if as_json:
        print_json(found)
        return
    fate = click.style(found["fate"], fg=_FATES[found["fate"]], bold=True)
    click.echo(f"{fate}  {found.get('reason', '')}".rstrip())
    if "reason" in found:
        click.echo(found["text"][language])
        click.echo(f"who must act: {ACTORS[found['actor']]}")
        click.echo(found["remedy"][language])
        if found["link"]:
            click.echo(found["link"])
