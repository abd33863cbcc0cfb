"""Regular expressions that every Python from 3.11 on reads the same way."""

from __future__ import annotations

import re
from pathlib import Path

import relayd

_GROUP = re.compile(r"\)[*+?]\+|\)\{[\d,]+\}\+|\(\?>")


def test_no_group_is_possessive() -> None:
    """Up to Python 3.11.4, which Debian 12 has, a possessive group that fails halfway keeps what it had read:
    `a.` was a local part (CPython issue 106052). Of a single character it is safe."""
    sources = Path(relayd.__file__).parent.rglob("*.py")
    found = [
        f"{source.name}:{number}"
        for source in sources
        for number, line in enumerate(source.read_text("utf-8").splitlines(), 1)
        if _GROUP.search(line)
    ]
    assert found == []
