"""`relayd dkim`: the signing key and the records to publish for it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from relayd.cli.check_config import read_or_fail
from relayd.cli.daemon import Away, Daemon
from relayd.cli.lines import when
from relayd.cli.options import EX_CANTCREAT, EX_CONFIG, EX_USAGE, config_option, fail, json_option, print_json


@click.group("dkim")
def dkim_command() -> None:
    """The signing key, and what to publish for it.

    \b
    Examples:
      relayd dkim new
      relayd dkim rotate
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
    if out is None and selector is None and not path.exists():  # the key may have moved: `dkim rotate`
        files = dkimkeys.key_files(named, path)
        named, path = next(((name, file) for name, file in files.items() if file.exists()), (named, path))
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


@dkim_command.command("rotate")
@click.option("--status", "only_look", is_flag=True, help="Change nothing; say where the change stands.")
@config_option
@json_option
def rotate_command(only_look: bool, config: Path, as_json: bool) -> None:
    """Change the signing key.

    There is no moment in which mail is not signed. The daemon makes a new key under the second selector and
    says what to publish in the platform's domain. Customers with CNAMEs follow by themselves; customers with
    the key as TXT are signed for with the old key until they publish the new one, and it goes when nobody
    needs it any more.

    \b
    Examples:
      relayd dkim rotate
      relayd dkim rotate --status
    """
    daemon = Daemon(config)
    try:
        found = daemon.get("/dkim") if only_look else daemon.post("/dkim/rotate", {})
    except Away:
        daemon.away()
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(standing(found)))


def standing(found: Mapping[str, Any]) -> Iterator[str]:
    """Where the keys stand, as people read it."""
    if found["since"] is None:
        yield f"one key, selector {found['selector']}; no change is under way"
    else:
        new, old = found["records"][0]["selector"], found["records"][-1]["selector"]
        yield f"changing from selector {old} to {new} since {when(found['since'])}"
        yield f"  the platform signs with {found['selector']}"
        if found["waiting_for"]:
            yield f"  still signed for with {old}: {', '.join(found['waiting_for'])}"
        if found["on_their_way"]:
            yield f"  on their way with a signature of {old}: {found['on_their_way']} messages"
        if found["unneeded_since"]:
            yield f"  nobody needs {old} since {when(found['unneeded_since'])}; its key goes an hour later"
    yield click.style("; what the platform publishes", dim=True)
    yield from (record["zone"] for record in found["records"])


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
