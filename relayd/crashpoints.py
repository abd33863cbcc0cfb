"""Named steps at which the kill harness ends this process, to show that nothing acknowledged is lost.

`RELAYD_CRASH_AT=name` kills at the first passage of that step, `name:3` at the third. SIGKILL, because
nothing (no `finally`, no flush) may run afterwards. Without the variable a step costs one comparison.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Final

STEPS: Final = frozenset(
    {
        "put.before_commit",
        "put.after_commit",
        "chunk.before_commit",
        "chunk.after_commit",
        "settle.before_commit",
        "settle.after_commit",
        "act.before_commit",
        "act.after_commit",
        "note.before_commit",
        "note.after_commit",
        "senders.before_commit",
        "senders.after_commit",
        "sweep.before_commit",
        "sweep.after_commit",
        "open.before_commit",
        "open.after_commit",
        "intake.data_received",
        "intake.before_answer",
        "intake.after_answer",
        "dispatch.leased",
        "dispatch.delivered",
        "dispatch.before_settle",
        "dispatch.after_settle",
        "courier.before_dot",
        "courier.after_dot",
        "courier.answered",
    }
)
"""Every step there is. `crashpoint` refuses a name that is not here, so that the harness misses none."""


def _wanted(environ: Mapping[str, str]) -> tuple[str, int]:
    name, _, passage = environ.get("RELAYD_CRASH_AT", "").partition(":")
    if name and name not in STEPS:
        raise ValueError(
            f"RELAYD_CRASH_AT={name}: there is no such step; there are {', '.join(sorted(STEPS))}"
        )
    return name, int(passage or 1)


_name, _left = _wanted(os.environ)


def crashpoint(name: str) -> None:
    """Pass a step. Raises ValueError for a step that is not listed in STEPS."""
    global _left
    if not _name:
        return
    if name not in STEPS:
        raise ValueError(f"crashpoint {name!r} is not listed in STEPS")
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def wanted() -> bool:
    """Whether this process is to die at a step."""
    return bool(_name)
