"""The commands: a file per noun, thin. Each imports what it needs when it runs, so that `--help` is quick."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point `relayd`."""
    process = None
    if sys.argv[1:2] == ["run"]:
        from relayd.signing_process import fork

        # Before click and all else is in memory, of which both would keep a copy (2 MiB for click alone), and
        # before there are threads.
        process = fork()

    from relayd.cli.options import EX_USAGE, fail
    from relayd.cli.root import relayd

    for word in sys.argv[1:]:
        if not word.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in word):
            fail(f"{word!r} is not UTF-8", EX_USAGE, "relayd takes text in UTF-8 only")
    relayd(prog_name="relayd", obj=process)
