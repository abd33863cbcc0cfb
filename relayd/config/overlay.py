"""What lies over the file: RELAYD_* of the environment, and over that the flags of the command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from relayd.config import text
from relayd.config.problems import Problems
from relayd.config.text import Place, Reader, Value
from relayd.core import settings_schema as schema
from relayd.core.settings import Settings
from relayd.core.settings_schema import Shape, Slot, slots

PREFIX = "RELAYD_"
_NO_KEYS = frozenset({"RELAYD_CONFIG"})  # names the file; read by the commands


def environment(tree: Value, environ: Mapping[str, str], problems: Problems) -> None:
    """Lay RELAYD_DELIVERY__ANSWER_WITHIN and the like over the file. An empty one is as good as none."""
    for name, written in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in _NO_KEYS or not written:
            continue
        path = tuple(name[len(PREFIX) :].lower().split("__"))
        if path[0] in slots(Settings):
            _lay(tree, path, written, name, problems)
        else:  # some other program's, perhaps; or a slip of the hand
            place, wanted = Place(file=name, line=None), f"{PREFIX} and a key of the config"
            problems.add(path, wanted, seen="an unknown key", warning=True, place=place)


def flags(tree: Value, given: Sequence[str], problems: Problems) -> None:
    """Lay "delivery.answer_within=0s" and the like over all."""
    for flag in given:
        key, equals, written = flag.partition("=")
        if equals:
            _lay(tree, tuple(key.split(".")), written, f"--set {key}", problems)
        else:
            wanted = "KEY=VALUE, such as delivery.answer_within=0s"
            problems.add((), wanted, seen=flag, place=Place(file="--set", line=None))


def _lay(tree: Value, path: tuple[str, ...], written: str, source: str, problems: Problems) -> None:
    place = Place(file=source, line=None)
    section = _section(tree, path, place)
    slot = schema.at(path)
    value: Value | None = Value(data=written, place=place, text=f'"{written}"')
    if slot is not None and _is_yaml(slot, written):
        reader = Reader(file=source, path=path)
        value = reader.read(written)
        problems.add_complaints(
            [replace(found, place=place, path=found.path or path) for found in reader.complaints]
        )
    for rival in _rivals(path[-1]):  # RELAYD_..._PASSWORD wins over password_file in the file
        section.pop(rival, None)
    if value is None:
        problems.broken.add(path)
        return
    for _, child in text.walk(value):
        child.place = place
    section[path[-1]] = value


def _section(tree: Value, path: tuple[str, ...], place: Place) -> dict[str, Value]:
    """The section that the last part of a path stands in, made where there is none."""
    node = tree
    for part in path[:-1]:
        if not isinstance(node.data, dict):
            node.data = {}
        node = node.data.setdefault(part, Value(data={}, place=place, text="a section of keys"))
    if not isinstance(node.data, dict):
        node.data = {}
    return node.data


def _is_yaml(slot: Slot, written: str) -> bool:
    """Texts are taken as they are: a password may look like anything."""
    return slot.shape is not Shape.VALUE or slot.kind in (int, bool) or (slot.optional and written == "null")


def _rivals(key: str) -> tuple[str, ...]:
    stem = key.removesuffix("_file").removesuffix("_credential")
    return (stem, f"{stem}_file", f"{stem}_credential") if stem.endswith(("password", "key")) else ()
