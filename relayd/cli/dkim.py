"""`relayd dkim`: the signing key and the records to publish for it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from relayd.cli.check_config import read_or_fail
from relayd.cli.options import EX_CANTCREAT, EX_CONFIG, EX_USAGE, config_option, fail, json_option, print_json


@click.group("dkim")
def dkim_command() -> None:
    """The signing key, and what to publish for it.

    \b
    Example:
      relayd dkim new
    """


@dkim_command.command("new")
@click.option("--out", type=click.Path(path_type=Path), help="Make another key, in this new file.")
@click.option("--selector", help="Show the records for this selector instead of the config's.")
@config_option
@json_option
def new_command(out: Path | None, selector: str | None, config: Path, as_json: bool) -> None:
    """Make the signing key if there is none, and print what to publish.

    One key serves the platform and every customer who publishes it in their own domain. A key that is there
    is never overwritten.

    \b
    Examples:
      relayd dkim new
      relayd dkim new --out /var/lib/relayd/keys/r2.pem --selector r2
    """
    from relayd import dkimkeys
    from relayd.core import settings_types
    from relayd.core.records import zonefile
    from relayd.core.records.dkimkey import OurKey
    from relayd.keyfiles import VaultError

    settings = read_or_fail(config)
    try:
        named = settings_types.selector(selector or settings.platform.dkim.selector)
    except ValueError as error:
        fail(f"the selector is {selector!r}: expected {error}", EX_USAGE)
    path = out or Path(settings.platform.dkim.key_file)
    made = _make(path, dkimkeys.new_key, keep=out is None)
    try:
        key = OurKey(selector=named, public_key=dkimkeys.public_key(dkimkeys.load_key(path)))
    except VaultError as error:
        fail(str(error), EX_CONFIG)
    domains = list(
        dict.fromkeys([settings.platform.domain, *(s.address.domain for s in settings.senders.values())])
    )
    if as_json:
        found = [{"name": key.name(domain), "type": "TXT", "text": key.record} for domain in domains]
        print_json({"key_file": str(path), "made": made, "records": found})
        return
    click.echo(f"{path}: {'made' if made else 'is there already, and stays'}", err=True)
    for domain in domains:
        whose = "the platform" if domain == domains[0] else "customers who send as own"
        click.secho(f"; for {whose}", dim=True)
        click.echo(zonefile.line(key.name(domain), "TXT", key.record))
        if domain != domains[0]:
            alias = zonefile.line(key.name(domain), "CNAME", key.name(domains[0]))
            click.secho(f"; or, to follow when we change the key: {alias}", dim=True)


def _make(path: Path, content: object, *, keep: bool) -> bool:
    """Write a new key for its owner alone. False: one is there, which stays."""
    assert callable(content)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        if keep:
            return False
        fail(f"{path} is there already", EX_CANTCREAT, "name a new file: keys are never overwritten")
    except OSError as error:
        fail(
            f"{path}: {error.strerror}", EX_CANTCREAT, "run this as the user that relayd runs as, or as root"
        )
    with open(descriptor, "wb") as file:
        if os.geteuid() == 0:  # the daemon must be able to read what root made in its folder
            folder = path.parent.stat()
            os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        file.write(content())
        file.flush()
        os.fsync(file.fileno())
    return True
