"""`relayd queue`: what waits, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.lines import message_lines
from relayd.cli.options import EX_USAGE, config_option, fail, json_option, language_option, print_json

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("queue")
def queue_command() -> None:
    """See what waits, and act on it.

    \b
    Examples:
      relayd queue list --state held
      relayd queue release --sender acme
      relayd queue cancel AAAZUYFQH3YJ5XJ7KQ6C2M4QWE
    """


def selection_options(command: Command) -> Command:
    """Which recipients; all that are given must hold."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Everything that waits."),
        click.option("--hop", metavar="HOP", help="Waiting for this hop, such as direct:example.com."),
        click.option("--recipient", metavar="ADDRESS", help="To this recipient."),
        click.option("--sender", metavar="ID", help="Of this sender."),
        click.option("--ref", metavar="REF", help="With this reference of the app."),
    ):
        command = option(command)
    return click.argument("message", required=False)(command)


@queue_command.command("list")
@click.option("--state", type=click.Choice(["queued", "held"]), help="Only those; both when left out.")
@click.option("--sender", metavar="ID", help="Of this sender.")
@click.option("--hop", metavar="HOP", help="Waiting for this hop, such as direct:example.com.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(1, 1000),
    default=100,
    show_default=True,
    help="How many messages at most.",
)
@config_option
@language_option
@json_option
def list_command(
    state: str | None,
    sender: str | None,
    hop: str | None,
    limit: int,
    config: Path,
    language: str,
    as_json: bool,
) -> None:
    """List the messages that wait, newest first.

    \b
    Examples:
      relayd queue list
      relayd queue list --state held --sender acme
    """
    daemon = Daemon(config)
    try:
        found = daemon.get(
            "/queue", state=state, sender=sender, hop=hop, limit=limit, lang=None if as_json else language
        )
    except Away:
        daemon.away()
    if as_json:
        print_json(found)
        return
    for message in found["messages"]:
        click.echo("\n".join(message_lines(message)))
    counts = found["counts"]
    click.echo(f"{counts.get('queued', 0)} recipients queued, {counts.get('held', 0)} held")


@queue_command.command("show")
@click.argument("message")
@config_option
@language_option
@json_option
def show_command(message: str, config: Path, language: str, as_json: bool) -> None:
    """Show one message, by its id.

    \b
    Example:
      relayd queue show AAAZUYFQH3YJ5XJ7KQ6C2M4QWE
    """
    daemon = Daemon(config)
    try:
        found = daemon.get(f"/messages/{_path(message)}", lang=None if as_json else language)
    except Away:
        daemon.away()
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(message_lines(found)))


def _path(message: str) -> str:
    if not message.isalnum():
        fail(f"{message!r} is no message id", EX_USAGE, "ids are 26 characters of A-Z and 2-7")
    return message


def reason_option(command: Command) -> Command:
    return click.option(
        "--reason", "held", metavar="REASON", help="Held for this reason, such as network.port_blocked."
    )(command)


def _nothing_more(command: Command) -> Command:
    return command


def _verb(name: str, does: str, example: str, *, held: bool) -> None:
    """`held`: it acts on held mail too, which has a reason to select by."""

    @selection_options
    @(reason_option if held else _nothing_more)
    @config_option
    @json_option
    def command(
        message: str | None, everything: bool, config: Path, as_json: bool, **conditions: str | None
    ) -> None:
        selection: dict[str, object] = {key: value for key, value in conditions.items() if value is not None}
        if message is not None:
            selection["message"] = message
        if not selection and not everything:
            fail("which messages?", EX_USAGE, "name a message, or use --sender, --ref, ..., or --all")
        if everything:
            selection["all"] = True
        daemon = Daemon(config)
        try:
            found = daemon.post(f"/queue/{name}", selection)
        except Away:
            daemon.away()
        if as_json:
            print_json(found)
        else:
            number = found["recipients"]
            click.echo(f"{name}: {number} recipient{'s' if number != 1 else ''}")

    command.__doc__ = f"{does}\n\n\b\nExample:\n  relayd queue {name} {example}\n"
    queue_command.command(name)(command)


_verb("retry", "Try queued mail now, instead of at its next attempt.", "--hop direct:example.com", held=False)
_verb("hold", "Hold queued mail: nothing leaves until it is released.", "--sender acme", held=False)
_verb(
    "release",
    "Release held mail: it is tried at least once more. A sender's refused login is tried again.",
    "--sender acme",
    held=True,
)
_verb(
    "cancel",
    "Give up mail for good: its recipients become `not_sent`.",
    "AAAZUYFQH3YJ5XJ7KQ6C2M4QWE",
    held=True,
)
