"""A sender's settings as they are typed: KEY=VALUE with the keys of the config, texts made into values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relayd.cli.options import EX_USAGE, fail
from relayd.core.settings import SenderSettings
from relayd.core.settings_schema import Shape, Slot, slots

_WORDS: Mapping[str, object] = {"true": True, "false": False}


def section(pairs: Sequence[str]) -> dict[str, Any]:
    """What KEY=VALUE arguments say, as the API takes it. Ends the command for what is no pair."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            fail(f"{pair!r} is no KEY=VALUE", EX_USAGE, "such as address=billing@acme.example")
        if key.rpartition(".")[2] == "password":
            remedy = "use --ask-password or --password-file: arguments can be seen in the list of processes"
            fail("a password in an argument", EX_USAGE, remedy)
        put(found, key, text)
    return found


def put(section: dict[str, Any], key: str, text: str) -> None:
    """Put a value where its dotted key says. What isn't known goes as it is: the daemon says so."""
    *outer, last = key.split(".")
    slot: Slot | None = None
    known = slots(SenderSettings)
    for name in outer:
        inner = section.setdefault(name, {})
        if not isinstance(inner, dict):
            inner = section[name] = {}
        section, slot = inner, known.get(name)
        known = slots(slot.model) if slot is not None and slot.model else {}
    section[last] = _value(known.get(last), text)


def _value(slot: Slot | None, text: str) -> object:
    """Numbers and true and false where the key wants them; null where a key may be left out."""
    if slot is None:
        return text
    if text == "null" and (slot.optional or slot.shape is Shape.SECTION):
        return None
    if slot.kind is bool:
        return _WORDS.get(text, text)
    if slot.kind is int and text.isascii() and text.isdigit():
        return int(text)
    return text
