"""Writes what is rendered from code: config.example.yaml and tables in docs/. Run it after changing a key.

python docs/render.py
"""

from __future__ import annotations

import re
from pathlib import Path

from relayd.core import settings_docs

ROOT = Path(__file__).parent.parent


def rendered() -> dict[Path, str]:
    """What each file should hold."""
    page = ROOT / "docs" / "configuration.md"
    return {
        ROOT / "config.example.yaml": settings_docs.example(),
        page: between(page.read_text(), "keys", settings_docs.table()),
    }


def between(text: str, name: str, new: str) -> str:
    """Replace what stands between the marks of a rendered part."""
    start, end = f"<!-- {name}: rendered by docs/render.py -->\n", f"<!-- end of {name} -->\n"
    return re.sub(
        re.escape(start) + ".*?" + re.escape(end), lambda _: start + new + end, text, flags=re.DOTALL
    )


if __name__ == "__main__":
    for path, content in rendered().items():
        path.write_text(content)
