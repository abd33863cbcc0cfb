"""The example config and the table of keys, rendered from the settings; `docs/render.py` writes them."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from enum import Enum
from typing import Any

from pydantic_core import PydanticUndefined

from relayd.core import settings_schema as schema
from relayd.core.settings import Model, Settings
from relayd.core.settings_schema import Shape, Slot, slots
from relayd.core.settings_types import SIZE, brief, brief_size

_WIDTH = 100
_HEAD = """\
# /etc/relayd/relayd.yaml with every key. A line that begins with # and a key shows its default, or, where
# that is nothing, an example: take the # away to use it. `relayd check-config` says what is wrong.
#
# Any password may come as password_file, a file that only its owner may read, or as password_credential, the
# name of a systemd credential; files with keys as *_credential too. RELAYD_DELIVERY__ANSWER_WITHIN=0s in the
# environment goes before the file.
"""
_ID = "acme"  # of the sender in the example
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9 _./@-]*")


def example() -> str:
    """`config.example.yaml`."""
    parts = ("".join(_key(slot, "", off=False)) for slot in slots(Settings).values())
    return "\n".join([_HEAD, *parts])


def table() -> str:
    """The keys as a Markdown table."""
    rows = (" | ".join(cells).replace("\n", " ") for cells in _rows(Settings, ""))
    return (
        "\n".join(["| key | value | default | what for |", "|---|---|---|---|", *(f"| {r} |" for r in rows)])
        + "\n"
    )


def _key(slot: Slot, indent: str, *, off: bool, first: str = "") -> Iterator[str]:
    """A key with its reason above it. `off`: commented out, as what needn't be there is. `first`: the hyphen
    of a list's item, which stands before its first key."""
    off = off or not (slot.required or slot.shape is Shape.MAP)
    for line in textwrap.wrap(str(slot.info.description), _WIDTH - len(indent)):
        yield f"{indent}# {line}\n"
    before = f"{indent[: len(indent) - len(first)]}{'#' if off else ''}{first}{slot.name}:"
    if slot.model is None:
        yield f"{before} {_written(slot, _shown(slot))}\n"
        return
    yield f"{before}\n"
    if slot.shape is Shape.MAP:
        yield f"{indent}  {_ID}:\n"
        indent += "  "
    hyphen = "- " if slot.shape is Shape.LIST else ""
    inner = indent + "  " + " " * len(hyphen)
    for number, child in enumerate(slots(slot.model).values()):
        yield from _key(child, inner, off=off, first="" if number else hyphen)


def _rows(model: type[Model], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for slot in slots(model).values():
        name = f"{prefix}{slot.name}"
        why = str(slot.info.description).replace("|", "\\|")
        if slot.model is None:
            default = "**needed**" if slot.required else f"`{_written(slot, slot.info.get_default())}`"
            yield f"`{name}`", schema.expected(slot), default, why
        else:
            kind = {Shape.LIST: "a list of sections", Shape.MAP: "sections by id"}.get(
                slot.shape, "a section"
            )
            yield f"`{name}`", kind, "**needed**" if slot.required else _section_default(slot), why
            inner = {Shape.LIST: "[]", Shape.MAP: ".ID"}.get(slot.shape, "")
            yield from _rows(slot.model, f"{name}{inner}.")


def _section_default(slot: Slot) -> str:
    if slot.optional:
        return "`null`"
    found = slot.info.get_default(call_default_factory=True)
    if slot.shape is Shape.LIST and found:
        return " ".join(f"`{_flow(item.model_dump(exclude_unset=True))}`" for item in found)
    return "none" if slot.shape in (Shape.LIST, Shape.MAP) else ""


def _shown(slot: Slot) -> Any:
    """The default, or an example where there is none or it says nothing."""
    default = slot.info.get_default(call_default_factory=True)
    if default in (PydanticUndefined, None, ()) and slot.info.examples:
        return slot.info.examples[0]
    return default


def _written(slot: Slot, value: Any) -> str:
    if slot.secret:
        return "null" if value is None else "..."
    if isinstance(value, int) and slot.says == SIZE:
        return brief_size(value)
    return _flow(value)


def _flow(value: Any) -> str:
    """A value as YAML writes it on one line."""
    match value:
        case timedelta():
            return brief(value)
        case Enum():
            return _flow(value.value)
        case tuple() | list():
            return f"[{', '.join(map(_flow, value))}]"
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case None:
            return "null"
        case str() if _PLAIN.fullmatch(value) or re.fullmatch(r"[0-9.]+", value):
            return value
    return json.dumps(value)
