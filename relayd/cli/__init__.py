"""The commands: a file per noun, thin. Each imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations


def main() -> None:
    """The entry point `relayd`."""
    from relayd.cli.root import relayd

    relayd(prog_name="relayd")
