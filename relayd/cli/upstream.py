"""`relayd upstream`: customers' own mail servers."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.options import (
    EX_DATAERR,
    config_option,
    json_option,
    language_option,
    print_json,
    waiting,
)
from relayd.cli.upstream_login import login_command
from relayd.cli.upstream_probe import probe_command

SOURCES = {
    "table": "relayd knows this provider",
    "mx": "by the domain's MX",
    "spf": "by the domain's SPF record",
    "autoconfig": "as the domain publishes for mail programs",
    "srv": "as the domain's SRV records say",
    "guess": "guessed",
}

PASSWORDS = {"PLAIN", "LOGIN"}
"""Mechanisms that take one."""

LIMITS = {
    "messages_per_minute": "{} messages a minute",
    "messages_per_hour": "{} messages an hour",
    "messages_per_day": "{} messages a day",
    "recipients_per_day": "{} recipients a day",
    "recipients_per_message": "{} recipients a message",
}


@click.group("upstream")
def upstream_command() -> None:
    """Find, check and connect customers' own mail servers.

    \b
    Examples:
      relayd upstream discover billing@acme.example
      relayd upstream discover billing@acme.example --host mail.acme.example --look
      relayd upstream login acme
    """


upstream_command.add_command(login_command)


upstream_command.add_command(probe_command)


@upstream_command.command("discover")
@click.argument("address")
@click.option("--host", metavar="NAME", help="A server that the customer entered: is it the right one?")
@click.option(
    "--look", is_flag=True, help="Connect to what was found, without a login, and say what answers."
)
@config_option
@language_option
@json_option
def discover_command(
    address: str, host: str | None, look: bool, config: Path, language: str, as_json: bool
) -> None:
    """Find the server that an address's mail is handed in at, and what to switch on there first.

    Looked at are relayd's own table of providers, the MX of the domain, the settings that the domain
    publishes for mail programs, its SRV records, and at last the usual names. Exit 65 when there is no
    server, or something is wrong with the one in --host.

    \b
    Examples:
      relayd upstream discover billing@acme.example
      relayd upstream discover anna@gmx.de --lang de
      relayd upstream discover billing@acme.example --host mx1.acme.example
      relayd upstream discover billing@acme.example --look --json
    """
    daemon = Daemon(config)
    asked: dict[str, object] = {"address": address, "look": look}
    asked |= {} if host is None else {"host": host}
    asked |= {} if as_json else {"lang": language}
    try:
        with waiting(f"looking for the server of {address}"):
            found = daemon.post("/upstreams/discover", asked)
    except Away:
        daemon.away()
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(card(found)))
    if not found["candidates"] or found["finding"]:
        raise SystemExit(EX_DATAERR)


def card(found: Mapping[str, Any]) -> Iterator[str]:
    """What was found, for people: the best server ready to copy, what to do first, what else to know."""
    provider, candidates, finding = found["provider"], found["candidates"], found["finding"]
    yield _heading(found)
    for note in found["notes"]:
        yield _wrapped(f"{click.style('!', fg='yellow', bold=True)} ", note["text"])
    if finding:
        yield _wrapped(f"{click.style('!', fg='red', bold=True)} ", finding["text"])
        yield _wrapped("  ", finding["remedy"])
    if candidates:
        yield ""
        yield from _best(candidates[0], provider)
        yield from _others(candidates[1:])
        yield from _use(candidates[0], provider["oauth"] if provider else None)
    if provider and provider["steps"]:
        yield ""
        yield click.style("First", bold=True)
        for number, step in enumerate(provider["steps"], 1):
            yield _wrapped(f"  {number}. ", step["text"])
            yield f"     {step['link']}"
    if provider and (known := [*_limits(provider["limits"]), *filter(None, [provider["from"]["text"]])]):
        yield ""
        yield click.style("Good to know", bold=True)
        yield from (_wrapped("  ", line) for line in known)


def _heading(found: Mapping[str, Any]) -> str:
    address, provider, candidates = found["address"], found["provider"], found["candidates"]
    source = f" ({SOURCES[candidates[0]['source']]})" if candidates else ""
    if provider:
        return f"{click.style(address, bold=True)} is at {click.style(provider['name'], bold=True)}{source}"
    if candidates:
        return f"{click.style(address, bold=True)}: a server was found{source}"
    return f"{click.style(address, bold=True)}: no server was found"


def _best(best: Mapping[str, Any], provider: Mapping[str, Any] | None) -> Iterator[str]:
    own = provider["username"]["text"] if provider else "as the mail provider says"
    yield f"  server    {click.style(best['host'], fg='green')}"
    yield f"  port      {best['port']}, {best['tls']}"
    yield f"  username  {best['username'] or own}"
    if best["mechanisms"]:
        yield f"  login     {', '.join(best['mechanisms'])}"
    if best["seen"]:
        yield f"  answers   {_seen(best['seen'])}"


def _use(best: Mapping[str, Any], oauth: str | None) -> Iterator[str]:
    """The command that makes it a sender's server; a stranger may have written the names."""
    values = {key: best[key] for key in ("host", "port", "tls", "username") if best[key] is not None}
    words = [
        "relayd sender set ID",
        *(shlex.quote(f"upstream.{key}={value}") for key, value in values.items()),
    ]
    if oauth is None or PASSWORDS & {*best["mechanisms"]}:
        yield f"  use it    {' '.join([*words, '--ask-password'])}"
        if oauth is not None:
            yield f"  or        sign in with {oauth.capitalize()}: upstream.oauth={oauth} in place of"
            yield "            --ask-password, then relayd upstream login ID"
    else:
        yield f"  use it    {' '.join([*words, f'upstream.oauth={oauth}'])}"
        yield "            relayd upstream login ID"


def _others(others: list[Mapping[str, Any]]) -> Iterator[str]:
    for one in others:
        seen = f"  {_seen(one['seen'])}" if one["seen"] else ""
        yield f"  or        {one['host']} port {one['port']}, {one['tls']}{seen}"


def _seen(seen: Mapping[str, Any]) -> str:
    mark = click.style("yes", fg="green") if seen["answers"] else click.style("no", fg="red")
    return f"{mark}: {seen['text']}"


def _limits(limits: Mapping[str, int]) -> Iterator[str]:
    said = [text.format(f"{limits[name]:,}") for name, text in LIMITS.items() if name in limits]
    if "message_size" in limits:
        said.append(f"{limits['message_size'] / 1024**2:.0f} MiB a message")
    if said:
        yield f"At most {', '.join(said)}."


def _wrapped(start: str, text: str) -> str:
    """Lines of a terminal, those that follow indented like the first."""
    indent = " " * len(click.unstyle(start))
    return click.wrap_text(start + text, width=88, subsequent_indent=indent)
