"""`relayd upstream login`: sign in at Microsoft or Google instead of giving relayd a password."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NoReturn

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.lines import when
from relayd.cli.options import (
    EX_DATAERR,
    EX_TEMPFAIL,
    config_option,
    fail,
    json_option,
    language_option,
    print_json,
    waiting,
)

NAMES = {"microsoft": "Microsoft", "google": "Google"}
WAIT = 30  # seconds of one question to the daemon, which answers sooner when something happens
PASSING = ("passing", "expired")


@click.command("login")
@click.argument("sender")
@click.option("--device", is_flag=True, help="With a code that is typed in on any device with a browser.")
@click.option("--forget", is_flag=True, help="Throw the sign-in away, and sign in nowhere.")
@click.option("--status", is_flag=True, help="Say who is signed in, and sign in nowhere.")
@config_option
@language_option
@json_option
def login_command(
    sender: str, device: bool, forget: bool, status: bool, config: Path, language: str, as_json: bool
) -> None:
    """Sign in at the provider of a sender's mail server, so that relayd needs no password.

    For senders whose upstream.oauth is microsoft or google. The customer has to sign in with the account
    that the settings name; relayd never sees the password. Mail that waited for this goes out at once.

    \b
    Examples:
      relayd upstream login acme             print the page to open in a browser, and wait
      relayd upstream login acme --device    print a code for a browser anywhere, and wait
      relayd upstream login acme --status
      relayd upstream login acme --forget
    """
    if device + forget + status > 1:
        raise click.UsageError("use one of --device, --forget and --status")
    daemon, path = Daemon(config), f"/senders/{sender}/oauth"
    spoken = None if as_json else language
    try:
        if forget:
            found = daemon.act("DELETE", path)
            print_json(found) if as_json else click.echo(_forgotten(sender, found))
        elif status:
            found = daemon.get(path, lang=spoken)
            print_json(found) if as_json else click.echo(_standing(found))
        else:
            _sign_in(daemon, sender, path, device=device, language=language, as_json=as_json)
    except Away:
        daemon.away()


def _sign_in(daemon: Daemon, sender: str, path: str, *, device: bool, language: str, as_json: bool) -> None:
    begun = daemon.post(f"{path}?lang={language}", {"flow": "device" if device else "browser"})
    if as_json:
        print_json(begun)
    else:
        click.echo(_invitation(begun))
    ended = _ended(daemon, path, begun, language)
    if as_json:
        print_json(ended)
    if ended["problem"] is not None:
        _failed(ended, as_json)
    if not as_json:
        click.echo(f"{click.style('✓', fg='green', bold=True)} {ended['text']}")
        click.echo(f"  Try it: relayd upstream probe {sender}")


def _ended(daemon: Daemon, path: str, begun: dict[str, Any], language: str) -> dict[str, Any]:
    """Wait until the customer is done, or the time is over."""
    with waiting(f"waiting for {begun['username']} to sign in"):
        while True:
            asked = time.monotonic()
            found: dict[str, Any] | None = daemon.get(path, lang=language, wait=WAIT)["sign_in"]
            if found is None:
                fail("the daemon was restarted, which ends the sign-in", EX_TEMPFAIL, "begin again")
            if found["done"]:
                return found
            if found["expires_at"] != begun["expires_at"]:
                fail("somebody began another sign-in for this sender", EX_TEMPFAIL, "begin again")
            time.sleep(max(0.0, 1.0 - (time.monotonic() - asked)))  # whatever answers at once


def _failed(ended: dict[str, Any], as_json: bool) -> NoReturn:
    code = EX_TEMPFAIL if ended["problem"] in PASSING else EX_DATAERR
    if as_json:
        raise SystemExit(code)
    said = f"\n  {NAMES[ended['provider']]} said: {ended['detail']}" if ended["detail"] else ""
    fail(ended["text"], code, ended["remedy"] + said)


def _invitation(begun: dict[str, Any]) -> str:
    """What the customer has to do, so that it can be sent to them as it is."""
    name = NAMES[begun["provider"]]
    lines = [f"Sign in at {name} as {click.style(begun['username'], bold=True)}:", ""]
    if begun["user_code"] is None:
        lines += [f"  {begun['url']}"]
    else:
        lines += [
            f"  1. Open   {click.style(begun['url'], bold=True)}",
            f"  2. Enter  {click.style(begun['user_code'], fg='cyan', bold=True)}",
        ]
    return "\n".join([*lines, "", f"Until {when(begun['expires_at'])}; this waits."])


def _standing(found: dict[str, Any]) -> str:
    name = NAMES[found["provider"]]
    if found["connected"]:
        return (
            f"{click.style('connected', fg='green')}  {found['account'] or found['username']} at {name}, "
            f"since {when(found['since'])}"
        )
    lines = [f"{click.style('not connected', fg='red')}  {found['username']} at {name}"]
    lines += [f"  {found['text']}", f"  {found['remedy']}"]
    if found["withdrawn"]:
        lines.append(f"  {name} said: {found['withdrawn']}")
    return "\n".join(lines)


def _forgotten(sender: str, found: dict[str, Any]) -> str:
    if not found["forgotten"]:
        return f"nobody was signed in for {sender}"
    return (
        f"forgotten; mail of {sender} waits until somebody signs in again. The permission itself is taken "
        "back in the account's settings at the provider"
    )
