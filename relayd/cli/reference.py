"""The commands as a Markdown page, rendered from what `--help` says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from relayd.cli.root import relayd


def reference() -> str:
    """A section for each command."""
    context = click.Context(relayd, info_name="relayd")
    return "\n".join(_group(relayd, context))


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """All commands below a group, each with its context; groups themselves are not among them."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from commands(command, inner)
        else:
            yield command, inner


def _group(group: click.Group, context: click.Context) -> Iterator[str]:
    for command, inner in commands(group, context):
        usage = " ".join(command.collect_usage_pieces(inner))
        yield f"## {inner.command_path}\n\n```\n{inner.command_path} {usage}\n```\n"
        yield _prose(command) + "\n"
        rows = [_option(option) for option in command.params if isinstance(option, click.Option)]
        if rows:
            yield "\n".join(["| option | |", "|---|---|", *rows]) + "\n"


def _prose(command: click.Command) -> str:
    """Help as Markdown: what click keeps as it is (after a backspace) becomes a block."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    found = []
    for paragraph in paragraphs:
        kept = paragraph.removeprefix("\b\n")
        if kept == paragraph:
            found.append(_code(paragraph.replace("\n", " ")))
        else:
            title = re.match(r"(Examples?:)\n", kept)
            body = kept[title.end() :] if title else kept
            block = f"```\n{inspect.cleandoc(body)}\n```"
            found.append(f"{title[1]}\n\n{block}" if title else block)
    return "\n\n".join(found)


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    if isinstance(option.type, click.Choice):
        value = " " + " \\| ".join(map(str, option.type.choices))
    default = f" Default: `{option.default}`." if option.show_default and option.default is not None else ""
    return f"| {names}{value} | {option.help or ''}{default} |"


def _code(text: str) -> str:
    """Arguments in capitals as code: they are names, not shouting."""
    return re.sub(r"\b(ID_OR_REF|MESSAGE|TO)\b(?!`)", r"`\1`", text)
