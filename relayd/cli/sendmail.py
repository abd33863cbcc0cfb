"""`relayd sendmail`: takes the place of sendmail(8), for PHP's mail(), cron and scripts."""

from __future__ import annotations

import getpass
import os
import re
import selectors
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.parser import BytesHeaderParser
from email.utils import formataddr
from pathlib import Path

import click

from relayd.cli.options import DEFAULT_CONFIG, EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, EX_USAGE, fail
from relayd.cli.places import Tcp, places
from relayd.cli.submit import Away, Refused, connect, submit

_LONE = frozenset("Giimnstv")  # flags of sendmail(8) without a value; -i and -t mean something to us
_WITH_VALUE = frozenset("BCFLNORVXbcdfhopqr")

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_COMMENT = re.compile(rf"({_QUOTED})|\((?:[^()\\]|\\.)*\)", re.DOTALL)
_ITEM = re.compile(rf"(?:{_QUOTED}|[^,;])+", re.DOTALL)
_GROUP = re.compile(rf"\A(?:{_QUOTED}|[^\":<@\[])*:", re.DOTALL)
_IN_ANGLES = re.compile(rf"{_QUOTED}|<((?:{_QUOTED}|[^\"<>])*)>", re.DOTALL)


class UsageError(Exception):
    """The arguments can't be understood; the text says which."""


@dataclass(slots=True, kw_only=True)
class Arguments:
    """What sendmail's arguments say, as far as it matters here."""

    recipients: list[str] = field(default_factory=list)
    mail_from: str | None = None  # -f; "" is the null reverse-path
    full_name: str | None = None  # -F
    read_recipients: bool = False  # -t
    dot_ends: bool = True  # until -i or -oi
    mode: str = "m"  # -b: m deliver, s SMTP on stdin, p list the queue, i rebuild aliases
    config: Path = Path(DEFAULT_CONFIG)


def parse(arguments: Sequence[str]) -> Arguments:
    """Read arguments as sendmail(8) does: flags may share a hyphen, values may follow at once or apart.

    Raises UsageError.
    """
    found = Arguments(config=Path(os.environ.get("RELAYD_CONFIG") or DEFAULT_CONFIG))
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            found.recipients += rest
            break
        if not argument.startswith("-") or argument == "-":
            found.recipients.append(argument)
            continue
        flags = argument[1:]
        while flags:
            flag, flags = flags[0], flags[1:]
            if flag in _LONE:
                found.read_recipients |= flag == "t"
                found.dot_ends &= flag != "i"
            elif flag in _WITH_VALUE:
                # -q and -d may stand alone; -o takes what follows at once (-oi), all others may stand apart.
                if not flags and flag not in "qdo":
                    if not rest:
                        raise UsageError(f"-{flag} needs a value")
                    flags = rest.pop(0)
                _value(found, flag, flags)
                break
            else:
                raise UsageError(f"-{flag} is not known")
    return found


def _value(found: Arguments, flag: str, value: str) -> None:
    if flag in "fr":
        found.mail_from = value.strip("<>")
    elif flag == "F":
        found.full_name = value
    elif flag == "b":
        found.mode = value
    elif flag in "cC":
        found.config = Path(value)
    elif flag == "o" and value.startswith("i"):
        found.dot_ends = False


def addresses(text: str) -> list[str]:
    """The addresses of a list as people and scripts write it: names, comments and groups left out, divided by
    commas or semicolons. What is no address stays in: the daemon refuses it and says why.

    `email.utils.getaddresses` gives none at all where one of them is odd, a comma at the end is enough; older
    Pythons (but not Debian's) give others than were meant (CVE-2023-27043).
    """
    before = ""
    while before != text:  # a comment may hold comments
        before, text = text, _COMMENT.sub(lambda found: found[1] or " ", text)
    found = []
    for item in _ITEM.findall(text):
        item = _GROUP.sub("", item)
        angles = [match[1] for match in _IN_ANGLES.finditer(item) if match[1] is not None]
        found.append(" ".join((angles[-1] if angles else item).split()))
    return [address for address in found if address]


@click.command(
    "sendmail",
    # Everything goes to `parse`: click reads -oi and -f@ otherwise than sendmail(8) does.
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.argument(
    "arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-t] [-i] [-f FROM] [-F NAME] [TO]..."
)
def sendmail_command(arguments: tuple[str, ...]) -> None:
    """Hand in a message from stdin, as sendmail(8) does.

    \b
      -t         recipients from To, Cc and Bcc, besides those given
      -i, -oi    a line with a single dot doesn't end the message
      -f FROM    the envelope sender; "" is the null one
      -F NAME    the name in From, when the message has no From
      -bs        speak SMTP on stdin and stdout
      -c FILE    the config file, for its listeners
      --         what follows are recipients

    Other flags of sendmail(8) are taken and mean nothing here. Exit 0 when relayd has it, 75 when no daemon
    is there or it says "later", 65 when it refuses the message, 67 when it refuses every recipient, 64 for
    wrong arguments.

    \b
    Examples:
      relayd sendmail -t -i < invoice.eml
      php -d sendmail_path="relayd sendmail -t -i" invoice.php
    """
    try:
        found = parse(arguments)
    except UsageError as error:
        fail(str(error), EX_USAGE, "relayd sendmail --help")
    servers = places(found.config).smtp
    if found.mode == "s":
        _speak_smtp(servers)
    elif found.mode == "m":
        _deliver(found, servers)
    elif found.mode != "i":  # newaliases: there are none
        fail(f"-b{found.mode} is not known", EX_USAGE, "`relayd queue list` shows the queue")


def _deliver(found: Arguments, servers: Sequence[Tcp | Path]) -> None:
    content = _read(sys.stdin.buffer.read(), dot_ends=found.dot_ends)
    header = BytesHeaderParser().parsebytes(content)
    # An argument may hold several, with names, as a header field does.
    fields = list(found.recipients)
    if found.read_recipients:
        fields += [str(value) for name in ("To", "Cc", "Bcc") for value in header.get_all(name, [])]
    recipients = list(dict.fromkeys(address for one in fields for address in addresses(one)))
    if not recipients:
        fail("no recipients", EX_USAGE, "name them, or use -t to take them from To, Cc and Bcc")
    written = next((address for address in addresses(str(header.get("From", ""))) if "@" in address), None)
    mail_from = found.mail_from if found.mail_from is not None else (written or _ourselves())
    if "From" not in header:
        name = Header(found.full_name, "utf-8").encode() if found.full_name else ""
        content = f"From: {formataddr((name, mail_from or _ourselves()))}\n".encode() + content
    try:
        submitted = submit(servers, mail_from=mail_from, recipients=recipients, content=content)
    except Away as error:
        fail(f"the daemon isn't there: {error}", EX_TEMPFAIL, "start relayd, or name its config with -c")
    except Refused as error:
        code = EX_TEMPFAIL if error.code < 500 else EX_NOUSER if error.recipients else EX_DATAERR
        fail(str(error), code)
    for recipient, answer in submitted.refused.items():
        # No exit code for these: the others have it, and a caller that tries again would send it twice.
        click.echo(f"relayd: {recipient}: {answer}", err=True)


def _read(octets: bytes, *, dot_ends: bool) -> bytes:
    if dot_ends:
        for ending in (b"\n.\n", b"\n.\r\n"):
            octets = octets.partition(ending)[0] + (b"\n" if ending in octets else b"")
    # mbox writers put a line before the header ("From root Tue ...").
    return octets.partition(b"\n")[2] if octets.startswith(b"From ") else octets


def _ourselves() -> str:
    return f"{getpass.getuser()}@{socket.getfqdn()}"


def _speak_smtp(servers: Sequence[Tcp | Path]) -> None:
    """Carry octets between stdin, stdout and the listener, until either end is done."""
    try:
        session = connect(servers)
    except Away as error:
        fail(f"the daemon isn't there: {error}", EX_TEMPFAIL)
    server = session.sock
    assert server is not None
    server.settimeout(None)
    os.write(1, b"220 relayd\r\n")  # smtplib has read the greeting
    with selectors.DefaultSelector() as selector:
        selector.register(server, selectors.EVENT_READ, 1)
        selector.register(0, selectors.EVENT_READ, server)
        while True:
            for key, _ in selector.select():
                octets = os.read(key.fd, 65536)
                if not octets and key.fd != 0:
                    return
                if not octets:
                    selector.unregister(0)
                    server.shutdown(socket.SHUT_WR)
                elif key.fd == 0:
                    server.sendall(octets)
                else:
                    os.write(1, octets)
