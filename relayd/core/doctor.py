"""What `relayd doctor` says: one finding for each thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BAD = "bad"
    UNKNOWN = "unknown"  # it could not be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at. Texts are for the operator."""

    check: str  # a stable name: "ptr", "blocklist"
    about: str  # the address, name or file
    health: Health
    text: str  # what was found
    remedy: str = ""


def ok(check: str, about: str, text: str) -> Finding:
    return Finding(check=check, about=about, health=Health.OK, text=text)


def warning(check: str, about: str, text: str, remedy: str) -> Finding:
    return Finding(check=check, about=about, health=Health.WARNING, text=text, remedy=remedy)


def bad(check: str, about: str, text: str, remedy: str) -> Finding:
    return Finding(check=check, about=about, health=Health.BAD, text=text, remedy=remedy)


def unknown(check: str, about: str, text: str, remedy: str = "") -> Finding:
    return Finding(check=check, about=about, health=Health.UNKNOWN, text=text, remedy=remedy)
