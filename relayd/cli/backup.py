"""`relayd backup`: a consistent copy of the store."""

from __future__ import annotations

from pathlib import Path

import click

from relayd.cli.daemon import Away, Daemon
from relayd.cli.options import config_option, json_option, print_json, waiting


@click.command("backup")
@click.argument("to", type=click.Path(path_type=Path))
@config_option
@json_option
def backup_command(to: Path, config: Path, as_json: bool) -> None:
    """Copy the store to a new file, while mail flows.

    The copy is consistent. The daemon writes it, so its user must be allowed to write there. Keys are not in
    it: keep a copy of `keys/` and `master.key` from the state folder too.

    \b
    Example:
      relayd backup /var/backups/relayd/2030-01-31.db
    """
    daemon = Daemon(config)
    try:
        # No time limit: gigabytes take their time, and the daemon ends it if it fails.
        with waiting(f"writing {to}"):
            found = daemon.post("/backup", {"to": str(to.absolute())}, timeout=None)
    except Away:
        daemon.away()
    if as_json:
        print_json(found)
    else:
        click.echo(f"backup written to {found['to']}")
