"""`relayd completion`: what makes a shell complete relayd's commands."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the script that makes a shell complete relayd's words.

    \b
    Examples:
      relayd completion bash > /usr/share/bash-completion/completions/relayd
      relayd completion zsh > /usr/local/share/zsh/site-functions/_relayd
      relayd completion fish > ~/.config/fish/completions/relayd.fish
    """
    from click.shell_completion import get_completion_class

    from relayd.cli.root import relayd

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(relayd, {}, "relayd", "_RELAYD_COMPLETE").source())
