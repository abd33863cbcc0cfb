"""What all commands share: the config file, `--json`, exit codes, colours."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

# sysexits.h
EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_NOUSER, EX_UNAVAILABLE, EX_SOFTWARE = 64, 65, 66, 67, 69, 70
EX_CANTCREAT, EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 73, 75, 77, 78

DEFAULT_CONFIG = "/etc/relayd/relayd.yaml"

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    return click.option(
        "-c",
        "--config",
        "config",
        type=click.Path(path_type=Path),
        default=DEFAULT_CONFIG,
        envvar="RELAYD_CONFIG",
        show_default=True,
        show_envvar=True,
        help="The config file.",
    )(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def language_option(command: Command) -> Command:
    return click.option(
        "--lang",
        "language",
        type=click.Choice(["de", "en", "fr", "nl"]),
        default="en",
        show_default=True,
        help="Language of texts.",
    )(command)


def set_option(command: Command) -> Command:
    return click.option(
        "--set",
        "flags",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set a key of the config, before RELAYD_* and the file: --set delivery.answer_within=0s",
    )(command)


def print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def waiting(text: str) -> AbstractContextManager[object]:
    """A turning wheel beside `text` on a terminal; nothing where output is piped."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(text)


def fail(text: str, code: int, remedy: str = "") -> NoReturn:
    """Say what went wrong and what to do, on stderr, and end."""
    click.echo(f"{click.style('relayd:', fg='red', bold=True)} {text}", err=True)
    if remedy:
        click.echo(f"  {remedy}", err=True)
    raise SystemExit(code)
