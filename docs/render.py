"""Writes what is rendered from code: config.example.yaml and tables in docs/. Run it after changing a key.

python docs/render.py
"""

from __future__ import annotations

import re
from pathlib import Path

from relayd.cli import reference
from relayd.core import phrases, reasons, settings_docs
from relayd.core.reasons import Reason

ROOT = Path(__file__).parent.parent


def rendered() -> dict[Path, str]:
    """What each file should hold."""
    docs = ROOT / "docs"
    parts = {
        docs / "configuration.md": ("keys", settings_docs.table()),
        docs / "commands.md": ("commands", reference.reference()),
        docs / "status-log.md": ("reasons", reasons_table()),
    }
    pages = {path: between(path.read_text(), name, new) for path, (name, new) in parts.items()}
    return {ROOT / "config.example.yaml": settings_docs.example(), **pages}


def reasons_table() -> str:
    rows = (
        (f"`{reason}`", reasons.row(reason).actor, phrases.text(reason, "en"), phrases.remedy(reason, "en"))
        for reason in Reason
    )
    head = ["| reason | who must act | what happened | what to do |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def between(text: str, name: str, new: str) -> str:
    """Replace what stands between the marks of a rendered part."""
    start, end = f"<!-- {name}: rendered by docs/render.py -->\n", f"<!-- end of {name} -->\n"
    return re.sub(
        re.escape(start) + ".*?" + re.escape(end), lambda _: start + new + end, text, flags=re.DOTALL
    )


if __name__ == "__main__":
    for path, content in rendered().items():
        path.write_text(content)
