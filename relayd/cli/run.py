"""`relayd run`: the daemon."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayd.cli.options import EX_CONFIG, config_option, set_option

if TYPE_CHECKING:
    from relayd.signing_process import Process


@click.command("run")
@config_option
@set_option
@click.pass_obj
def run_command(process: Process | None, config: Path, flags: tuple[str, ...]) -> None:
    """Run the daemon in the foreground, until SIGTERM.

    SIGHUP reads the config again; when anything is wrong with it, the old one stays.

    \b
    Examples:
      relayd run
      relayd run -c relayd.yaml
      RELAYD_DELIVERY__ANSWER_WITHIN=0s relayd run -c relayd.yaml
    """
    from relayd.cli.check_config import show
    from relayd.config import ConfigErrors, read, variable

    try:
        found = read(config, flags=flags)
    except ConfigErrors as problems:
        for error in problems.errors:
            show(error, "error", "red", err=True)
        raise SystemExit(EX_CONFIG) from None
    for warning in found.warnings:
        show(warning, "warning", "yellow", err=True)

    # SIGHUP reads the config again, from the file and the environment: there the flags must be too.
    os.environ.update(variable(flag) for flag in flags)
    from relayd import app

    raise SystemExit(app.run(found.settings, config, process))
