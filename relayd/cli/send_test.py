"""`relayd send-test`: one mail through the whole trip, and what became of it."""

from __future__ import annotations

import secrets
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from relayd.cli.check_config import read_or_fail
from relayd.cli.daemon import Away, Daemon
from relayd.cli.lines import message_lines
from relayd.cli.options import (
    EX_DATAERR,
    EX_TEMPFAIL,
    EX_USAGE,
    config_option,
    fail,
    json_option,
    language_option,
    print_json,
    waiting,
)
from relayd.cli.places import places
from relayd.cli.submit import Away as ListenerAway
from relayd.cli.submit import Refused, submit

if TYPE_CHECKING:
    from relayd.core.settings import Settings


@click.command("send-test")
@click.argument("to")
@click.option("--sender", metavar="ID", help="In the name of this sender; needed when there are several.")
@click.option(
    "--wait", type=click.IntRange(0), default=60, show_default=True, help="Seconds to wait for the outcome."
)
@config_option
@language_option
@json_option
def send_test_command(
    to: str, sender: str | None, wait: int, config: Path, language: str, as_json: bool
) -> None:
    """Send a test mail to TO and say how it went.

    It takes the way that an app's mail takes: by SMTP to the daemon's listener. Exit 0 when it was sent, 75
    when it still waits, 65 when it was refused or could not be delivered.

    \b
    Examples:
      relayd send-test --sender acme you@example.org
      relayd send-test you@example.org --wait 300 --json
    """
    settings = read_or_fail(config)
    name = sender or (next(iter(settings.senders)) if len(settings.senders) == 1 else None)
    if name is None or name not in settings.senders:
        fail(
            "which sender?",
            EX_USAGE,
            "use --sender with one of: " + (", ".join(settings.senders) or "none yet"),
        )
    daemon = Daemon(config)
    ref = f"send-test-{secrets.token_hex(6)}"
    try:
        start = daemon.get("/status")["newest"]
        contact = str(settings.senders[name].address)
        content = _letter(settings, name, contact, to, ref)
        submit(
            places(config).smtp,
            mail_from=contact,
            recipients=[to],
            content=content,
            login=_login(settings, name),
        )
        with waiting(f"waiting for what becomes of the mail to {to}"):
            message = _outcome(daemon, ref, start, wait, None if as_json else language)
    except Away:
        daemon.away()
    except ListenerAway as error:
        fail(f"no listener answers: {error}", EX_TEMPFAIL, "is the daemon running with this config?")
    except Refused as error:
        fail(f"refused: {error}", EX_TEMPFAIL if error.code < 500 else EX_DATAERR)
    if as_json:
        print_json(message)
    else:
        click.echo("\n".join(message_lines(message)))
    status = message["recipients"][0]["status"]
    raise SystemExit({"sent": 0, "not_sent": EX_DATAERR}.get(status, EX_TEMPFAIL))


def _letter(settings: Settings, sender: str, contact: str, to: str, ref: str) -> bytes:
    letter = EmailMessage()
    try:
        letter["From"] = contact
        letter["To"] = to
        letter["Subject"] = f"Test mail from {settings.platform.name}"
        letter["Date"] = formatdate(localtime=False)
        letter["X-Relayd-Sender"] = sender
        letter["X-Relayd-Ref"] = ref
        letter["X-Relayd-Answer-Within"] = "0s"
        letter["Auto-Submitted"] = "auto-generated"
    except ValueError as error:
        fail(f"{to!r} can't be written to: {error}", EX_USAGE)
    letter.set_content(f"This is a test of {settings.hostname}, sent for {sender}. Nobody needs to act.\n")
    return letter.as_bytes()


def _login(settings: Settings, sender: str) -> tuple[str, str] | None:
    for login in settings.logins:
        may = login.senders == "all" or sender in login.senders
        if login.username is not None and login.password is not None and may:
            return login.username, login.password.value
    return None


def _outcome(daemon: Daemon, ref: str, cursor: int, wait: int, language: str | None) -> dict[str, Any]:
    """The message, as soon as its recipient has a final status, was deferred or held, or time is over."""
    import time

    end = time.monotonic() + wait
    while True:
        left = max(0, int(end - time.monotonic()))
        found = daemon.get("/events", after=cursor, wait=min(left, 60))
        cursor = found["next"]
        mine = [event["type"] for event in found["events"] if event.get("ref") == ref]
        if any(kind != "accepted" for kind in mine) or not left:
            [message] = daemon.get("/messages", ref=ref, lang=language)["messages"]
            return dict(message)
