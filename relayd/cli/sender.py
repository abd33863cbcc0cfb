"""`relayd sender`: the customers in whose names mail is sent."""

from __future__ import annotations

import sys
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from relayd.cli.daemon import Away, Daemon, Lost, Refused
from relayd.cli.lines import ACTORS
from relayd.cli.options import (
    EX_CANTCREAT,
    EX_NOINPUT,
    EX_TEMPFAIL,
    EX_USAGE,
    config_option,
    fail,
    json_option,
    language_option,
    print_json,
)
from relayd.cli.sender_confirm import asked_lines, confirm_command
from relayd.cli.sender_import import import_command
from relayd.cli.sender_values import section

Command = TypeVar("Command", bound=Callable[..., Any])

PAGE = 1000


@click.group("sender")
def sender_command() -> None:
    """See senders and what they lack, add and change them.

    \b
    Examples:
      relayd sender list --unconfirmed
      relayd sender show acme --lang de
      relayd sender add acme name="ACME BV" address=billing@acme.example
    """


@sender_command.command("list")
@click.option("-q", "--query", "q", metavar="TEXT", help="Only those with this in id, name or address.")
@click.option("--rung", type=click.Choice(["default", "own", "upstream"]), help="Whose mail leaves so now.")
@click.option("--confirmed/--unconfirmed", default=None, help="Only with an address that is, or isn't.")
@click.option("--origin", type=click.Choice(["config", "store"]), help="Where it is written.")
@config_option
@json_option
def list_command(
    q: str | None, rung: str | None, confirmed: bool | None, origin: str | None, config: Path, as_json: bool
) -> None:
    """List the senders. An exclamation mark says that something is left to do, `show` says what.

    \b
    Examples:
      relayd sender list
      relayd sender list --query acme --json | jq -r '.senders[].address'
    """
    asked = {
        "q": q,
        "rung": rung,
        "origin": origin,
        "confirmed": None if confirmed is None else str(confirmed).lower(),
    }
    pages = _pages(Daemon(config), asked)
    if as_json:
        print_json({"senders": [line for page in pages for line in page]})
        return
    number = 0
    for page in pages:
        number += len(page)
        for line in page:
            click.echo(_line(line))
    click.echo(f"{number} sender{'s' * (number != 1)}", err=True)


def _pages(daemon: Daemon, asked: Mapping[str, object]) -> Iterator[Sequence[dict[str, Any]]]:
    after: str | None = ""
    try:
        while after is not None:
            found = daemon.get("/senders", **asked, after=after, limit=PAGE)
            yield found["senders"]
            after = found["next"]
    except Away:
        daemon.away()


@sender_command.command("show")
@click.argument("sender")
@config_option
@language_option
@json_option
def show_command(sender: str, config: Path, language: str, as_json: bool) -> None:
    """Show how a sender stands, and what is left to do.

    \b
    Example:
      relayd sender show acme
    """
    daemon = Daemon(config)
    try:
        found = daemon.get(place(sender), lang=None if as_json else language)
    except Away:
        daemon.away()
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(report_lines(found)))


def values_options(command: Command) -> Command:
    """KEY=VALUE, and the password, which is never an argument: others see those in the list of processes."""
    for option in (
        click.option(
            "--password-file",
            metavar="FILE",
            type=click.Path(path_type=Path, allow_dash=True),
            help="The upstream's password: the first line of this file, or of stdin for -.",
        ),
        click.option("--ask-password", is_flag=True, help="Ask for the upstream's password."),
    ):
        command = option(command)
    return click.argument("values", nargs=-1, metavar="KEY=VALUE...")(command)


@sender_command.command("add")
@click.argument("sender")
@values_options
@config_option
@language_option
@json_option
def add_command(
    sender: str,
    values: Sequence[str],
    password_file: Path | None,
    ask_password: bool,
    config: Path,
    language: str,
    as_json: bool,
) -> None:
    """Add a sender. The keys are those of `senders` in the config, with dots: upstream.host.

    \b
    Examples:
      relayd sender add acme name="ACME BV" address=billing@acme.example language=nl
      relayd sender add bolt name=Bolt address=hello@bolt.example upstream.host=smtp.bolt.example
    """
    daemon, body = Daemon(config), _body(values, password_file, ask_password)
    try:
        if _is_there(daemon, sender):
            remedy = f"change it: relayd sender set {sender} KEY=VALUE"
            fail(f"there is a sender {sender} already", EX_CANTCREAT, remedy)
        found = daemon.act("PUT", place(sender), body)
    except Away:
        daemon.away()
    _tell(daemon, found, language, as_json)


@sender_command.command("set")
@click.argument("sender")
@values_options
@config_option
@language_option
@json_option
def set_command(
    sender: str,
    values: Sequence[str],
    password_file: Path | None,
    ask_password: bool,
    config: Path,
    language: str,
    as_json: bool,
) -> None:
    """Change keys of a sender; null gives a key its default.

    A new address has to be confirmed again, and a new host or username needs its password again.

    \b
    Examples:
      relayd sender set acme send_as=own
      relayd sender set bolt --ask-password
      relayd sender set bolt upstream=null send_as=default
    """
    daemon, body = Daemon(config), _body(values, password_file, ask_password)
    if not body:
        fail("nothing to change", EX_USAGE, f"name a key: relayd sender set {sender} send_as=own")
    try:
        found = daemon.act("PATCH", place(sender), body)
    except Away:
        daemon.away()
    _tell(daemon, found, language, as_json)


@sender_command.command("remove")
@click.argument("sender")
@config_option
@json_option
def remove_command(sender: str, config: Path, as_json: bool) -> None:
    """Remove a sender. Its queued mail is held until the sender is there again; its default address is never
    given to another.

    \b
    Example:
      relayd sender remove acme
    """
    daemon = Daemon(config)
    try:
        found = daemon.act("DELETE", place(sender))
    except Away:
        daemon.away()
    if as_json:
        print_json(found)
    else:
        click.echo(f"{sender} is removed")


sender_command.add_command(confirm_command)
sender_command.add_command(import_command)


def _is_there(daemon: Daemon, sender: str) -> bool:
    """Raises Away."""
    try:
        daemon.attempt("GET", place(sender), None)
    except Refused as refused:
        return refused.status != 404
    except Lost as error:
        fail(str(error), EX_TEMPFAIL, error.remedy)
    return True


def place(sender: str) -> str:
    """The API's path of a sender. Ids are checked there; here only what would be another path."""
    if not sender or "/" in sender or sender in (".", ".."):
        fail(f"{sender!r} is no sender id", EX_USAGE, "ids are of lower-case letters, digits, - and _")
    return f"/senders/{urllib.parse.quote(sender, safe='')}"


def report_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """A sender's report for people."""
    yield f"{click.style(found['id'], bold=True)}  {found['name']} <{found['address']}>"
    how = f"confirmed ({found['confirmed_by']})" if found["confirmed"] else "not confirmed"
    yield f"  address   {how}"
    if "confirmation" in found:
        yield from (f"            {line}" for line in asked_lines(found["confirmation"]))
    yield f"  wanted    {found['wanted']}"
    yield f"  mail now  {_now(found)}"
    yield f"  default   {found['default_address']}"
    yield f"  written   {'in the config file' if found['origin'] == 'config' else 'in the store'}"
    for todo in found["todo"]:
        yield f"{click.style('!', fg='red', bold=True)} {todo['text']}"
        yield f"    who must act: {ACTORS[todo['actor']]}"
        if todo["record"] is not None:
            record = todo["record"]
            yield f"    {record['name']}  {record['type']}"
            yield f"    {record['value']}"
        if todo["link"] is not None:
            yield f"    {todo['link']}"


def _now(found: Mapping[str, Any]) -> str:
    because = f", because {found['reason']}" if found["reason"] else ""
    if found["mail"] == "sent":
        proven = f", proven by {found['proof']}" if found["proof"] else ""
        return f"leaves as {found['rung']}{proven}{because}"
    return f"is held, because {found['held']}" if found["held"] else f"is refused{because}"


def _line(found: Mapping[str, Any]) -> str:
    mark = click.style("!", fg="red", bold=True) if found["tasks"] else " "
    how = found["rung"] if found["mail"] == "sent" else found["mail"]
    confirmed = "" if found["confirmed"] else "  not confirmed"
    return f"{mark} {found['id']:<20}  {how:<8}  {found['address']}{confirmed}"


def _body(values: Sequence[str], password_file: Path | None, ask_password: bool) -> dict[str, Any]:
    body = section(values)
    if ask_password and password_file is not None:
        fail("two passwords", EX_USAGE, "use either --ask-password or --password-file")
    password = _password(password_file, ask_password)
    if password is not None:
        upstream = body.setdefault("upstream", {})
        if not isinstance(upstream, dict):
            fail("a password for no upstream", EX_USAGE, "leave out upstream=null, or the password")
        upstream["password"] = password
    return body


def _password(file: Path | None, ask: bool) -> str | None:
    if ask:
        answer: str = click.prompt("Password of the upstream", hide_input=True, err=True)
        return answer
    if file is None:
        return None
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: {error}", EX_NOINPUT, "name a file with the password in its first line")
    return text.partition("\n")[0].rstrip("\r")


def _tell(daemon: Daemon, found: Mapping[str, Any], language: str, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    click.echo("changed: " + (", ".join(found["changed"]) or "nothing, it was so already"))
    for warning in found["warnings"]:
        click.echo(f"{click.style('warning:', fg='yellow')} {warning['text']}", err=True)
    try:
        click.echo("\n".join(report_lines(daemon.get(place(found["id"]), lang=language))))
    except Away:
        daemon.away()
