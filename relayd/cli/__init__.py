"""The commands: a file per noun, thin."""

from __future__ import annotations


def main() -> None:
    raise SystemExit("relayd: not built yet")
