"""`relayd domain`: what a customer's domain should publish, and how it stands."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.domain_card import PROVEN, card, zone_lines
from relayd.cli.options import (
    EX_DATAERR,
    EX_TEMPFAIL,
    config_option,
    json_option,
    language_option,
    print_json,
    waiting,
)

PATIENCE = 120  # seconds; silent nameservers take most of it


@click.group("domain")
def domain_command() -> None:
    """See what a customer's domain should publish.

    \b
    Examples:
      relayd domain show acme.example
      relayd domain check acme.example
    """


@domain_command.command("show")
@click.argument("domain")
@click.option(
    "--zone", "as_zone", is_flag=True, help="Print only what is left to publish, as lines of a zone file."
)
@config_option
@language_option
@json_option
def show_command(domain: str, as_zone: bool, config: Path, language: str, as_json: bool) -> None:
    """Print the records to publish, ready to paste, and how they stood when somebody last looked.

    \b
    Examples:
      relayd domain show acme.example
      relayd domain show acme.example --lang de
      relayd domain show acme.example --zone
    """
    try:
        found = Daemon(config).get(_path(domain), lang=None if as_json else language)
    except Away:
        Daemon(config).away()
    if as_zone and not as_json:
        click.echo("\n".join(zone_lines(found)))
        return
    _print(found, language, as_json)


@domain_command.command("check")
@click.argument("domain")
@config_option
@language_option
@json_option
def check_command(domain: str, config: Path, language: str, as_json: bool) -> None:
    """Look into DNS now: at the domain's own nameservers, and at what others see.

    Exit 0 when mail in the domain's name is proven by DKIM or SPF, 65 when something is to be done, 75 when
    DNS could not say.

    \b
    Examples:
      relayd domain check acme.example
      relayd domain check acme.example --json
    """
    asked: dict[str, object] = {} if as_json else {"lang": language}
    try:
        with waiting(f"asking the nameservers of {domain}"):
            found = Daemon(config).post(_path(domain) + "/check", asked, PATIENCE)
    except Away:
        Daemon(config).away()
    _print(found, language, as_json)
    raise SystemExit(exit_code(found))


def _path(domain: str) -> str:
    return "/domains/" + urllib.parse.quote(domain, safe="")


def exit_code(found: Mapping[str, Any]) -> int:
    needed = [record["state"] for record in found["records"] if record["needed"]]
    if any(state in PROVEN for state in needed):
        return 0
    return EX_TEMPFAIL if "unknown" in needed else EX_DATAERR


def _print(found: Mapping[str, Any], language: str, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(card(found, language)))
