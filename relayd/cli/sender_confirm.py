"""`relayd sender confirm`: ask the owner of an address, type the code, or vouch."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from relayd.cli.daemon import Away, Daemon, Lost, Refused
from relayd.cli.options import (
    EX_CANTCREAT,
    EX_DATAERR,
    EX_NOINPUT,
    EX_TEMPFAIL,
    EX_USAGE,
    config_option,
    fail,
    json_option,
    language_option,
    print_json,
)

_EXITS = {
    "wrong": EX_DATAERR,
    "used_up": EX_DATAERR,
    "nothing_asked": EX_DATAERR,
    "too_soon": EX_TEMPFAIL,
    "denied": EX_CANTCREAT,
}


@click.command("confirm")
@click.argument("sender")
@click.option("--code", metavar="CODE", help="The six digits from the mail.")
@click.option(
    "--vouch", is_flag=True, help="You know that the address belongs to the sender: no mail is sent."
)
@click.option("--show", "only_show", is_flag=True, help="Only say how it stands.")
@config_option
@language_option
@json_option
def confirm_command(
    sender: str,
    code: str | None,
    vouch: bool,
    only_show: bool,
    config: Path,
    language: str,
    as_json: bool,
) -> None:
    """Have a sender's address confirmed.

    Its owner gets a mail with a link and a code. One mailbox gets one such mail an hour, five a day. Link and
    code are good for 24 hours.

    \b
    Examples:
      relayd sender confirm acme
      relayd sender confirm acme --code 123456
      relayd sender confirm acme --vouch
    """
    if (code is not None) + vouch + only_show > 1:
        fail("more than one way to confirm", EX_USAGE, "use one of --code, --vouch and --show, or none")
    daemon, place = Daemon(config), f"/senders/{urllib.parse.quote(sender, safe='')}/confirm"
    body: dict[str, object] = {"code": code} if code is not None else {"vouch": True} if vouch else {}
    try:
        if not only_show:
            daemon.attempt("POST", place, body)
        found = daemon.get(place, lang=None if as_json else language)
    except Away:
        daemon.away()
    except Lost as error:
        fail(str(error), EX_TEMPFAIL, error.remedy)
    except Refused as refused:
        told = refused.body
        fail(told["error"], _EXITS.get(told.get("why", ""), EX_NOINPUT), told["remedy"])
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['address']} is {'' if found['confirmed'] else 'not '}confirmed")
    for line in asked_lines(found):
        click.echo(f"  {line}")


def asked_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What was asked about an address, for people."""
    asked = found["asked"]
    if asked is None:
        return
    yield f"its owner was asked at {_minute(asked['at'])} by {asked['by']}"
    if asked["ended"] == "denied":
        yield "and answered: this wasn't me"
    elif asked["ended"] == "expired":
        yield "and gave no answer in time"
    else:
        yield f"link and code are good until {_minute(asked['expires_at'])}; {_tries(asked['tries_left'])}"
    letter = asked["letter"]
    if letter is not None:
        yield f"the mail is {letter['status']}: {letter['text']}"
        if letter.get("remedy"):
            yield letter["remedy"]
    yield f"the next mail may be sent from {_minute(found['next_letter_at'])}"


def _tries(left: int) -> str:
    if not left:
        return "too many wrong codes were typed, so only the link is left"
    return f"{left} {'try is' if left == 1 else 'tries are'} left for the code"


def _minute(moment: str) -> str:
    return moment[:16].replace("T", " ") + " UTC"
