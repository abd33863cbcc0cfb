"""`relayd check-config`: all that is wrong with a config file, at once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relayd.cli.options import EX_CONFIG, config_option, json_option, print_json, set_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayd.config import ConfigError
    from relayd.core.settings import Settings


DNS_LIFETIME, DNS_PATIENCE = 2.0, 3.0
"""Seconds for one question and for a look-up in all: a person is waiting."""


@click.command("check-config")
@config_option
@set_option
@json_option
def check_config_command(config: Path, flags: tuple[str, ...], as_json: bool) -> None:
    """Say everything that is wrong with a config file.

    Exit 0 when it can be used (there may be warnings), 78 when not.

    \b
    Examples:
      relayd check-config
      relayd check-config -c relayd.yaml --json
      relayd check-config --set delivery.answer_within=0s
    """
    from relayd.config import ConfigErrors, read

    errors: Sequence[ConfigError] = ()
    try:
        good = read(config, flags=flags, service=False)
        warnings = (*good.warnings, *_return_path(config, good.settings))
    except ConfigErrors as found:
        errors, warnings = found.errors, found.warnings
    if as_json:
        print_json(
            {"ok": not errors, "errors": list(map(asdict, errors)), "warnings": list(map(asdict, warnings))}
        )
    else:
        _print(config, errors, warnings)
    raise SystemExit(EX_CONFIG if errors else 0)


def _return_path(config: Path, settings: Settings) -> Sequence[ConfigError]:
    """What DNS says about the domain that bounces come back to; nothing while DNS doesn't answer."""
    import asyncio

    from relayd.config import ConfigError
    from relayd.identity.returnpaths import return_path_problem
    from relayd.net.dns import Resolver

    platform = settings.platform
    domain = platform.return_path or platform.domain

    async def ask() -> str | None:
        resolver = Resolver(settings.dns.nameservers, lifetime=DNS_LIFETIME, patience=DNS_PATIENCE)
        try:
            return await return_path_problem(resolver, domain)
        finally:
            await resolver.close()

    problem = asyncio.run(ask())
    if problem is None:
        return ()
    key = "platform.return_path" if platform.return_path else "platform.domain"
    expected = f"a domain that bounces find and receivers trust: {problem}"
    return (ConfigError(file=str(config), line=None, key=key, seen=domain, expected=expected),)


def _print(config: Path, errors: Sequence[ConfigError], warnings: Sequence[ConfigError]) -> None:
    for error in errors:
        show(error, "error", "red")
    for warning in warnings:
        show(warning, "warning", "yellow")
    if errors:
        number = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        click.secho(f"{config}: {number}", bold=True)
    else:
        click.secho(f"{config}: good", fg="green", bold=True)


def read_or_fail(config: Path) -> Settings:
    """The settings for a command that isn't the daemon; without credentials. Ends with 78."""
    from relayd.config import ConfigErrors, read

    try:
        return read(config, service=False).settings
    except ConfigErrors as problems:
        for error in problems.errors:
            show(error, "error", "red", err=True)
        raise SystemExit(EX_CONFIG) from None


def show(error: ConfigError, word: str, colour: str, *, err: bool = False) -> None:
    place = error.file if error.line is None else f"{error.file}:{error.line}"
    key = f" {click.style(error.key, bold=True)}:" if error.key else ""
    click.echo(
        f"{place}: {click.style(word, fg=colour)}:{key} found {error.seen}; expected {error.expected}",
        err=err,
    )
