"""Keys and secrets: the tree of a config file becomes plain data for the models.

What the schema doesn't know is refused with a hint, and secrets are fetched from their files.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from relayd.config import files
from relayd.config.files import Credentials, Unusable
from relayd.config.problems import Path, Problems, dotted, pattern
from relayd.config.text import Value
from relayd.core import settings_schema as schema
from relayd.core.settings import NOT_BUILT, Model
from relayd.core.settings_schema import Shape, Slot, slots


@dataclass(slots=True, kw_only=True)
class Keys:
    """Reads sections. With `service` False, credentials that only systemd can give are warned about. `user`:
    whom files with secrets must belong to, None for whoever runs this."""

    problems: Problems
    credentials: Credentials
    state_dir: str
    service: bool
    user: int | None
    given: set[FilePath] = field(default_factory=set)  # key files that systemd vouches for

    def section(self, value: Value, model: type[Model], path: Path) -> dict[str, Any]:
        assert isinstance(value.data, dict)
        known, forms = slots(model), _secret_forms(model)
        data: dict[str, Any] = {}
        for key, child in value.data.items():
            here = (*path, key)
            if child.broken:
                self.problems.broken.add(here)
            elif key in known:
                self._known(data, known[key], child, here)
            elif key in forms:
                self._secret(data, *forms[key], child, here)
            else:
                self._unknown(key, here, [*known, *forms])
        for slot in known.values():
            if slot.shape is Shape.SECTION and not slot.required and not slot.optional:
                data.setdefault(slot.name, {})  # so that its defaults learn where relative paths start
        return data

    def _known(self, data: dict[str, Any], slot: Slot, value: Value, path: Path) -> None:
        if slot.name in data or path in self.problems.broken:
            self._twice(slot, path)
            return
        if value.data is None and (slot.optional or (slot.shape is not Shape.VALUE and not slot.required)):
            return  # `senders:` with nothing below is as good as none
        found = self._data(slot, value, path)
        if path not in self.problems.broken:
            data[slot.name] = found

    def _data(self, slot: Slot, value: Value, path: Path) -> Any:
        wanted = {Shape.SECTION: dict, Shape.MAP: dict, Shape.LIST: list}.get(slot.shape)
        if wanted is None or (slot.word is not None and value.data == slot.word):
            if isinstance(value.data, dict | list):
                self.problems.spoil(path, schema.expected(slot))
                return None
            return value.data
        if not isinstance(value.data, wanted):
            self.problems.spoil(path, schema.expected(slot))
            return None
        if slot.shape is Shape.SECTION:
            assert slot.model is not None
            return self.section(value, slot.model, path)
        found = {key: self._item(slot.item(), child, (*path, key)) for key, child in _children(value)}
        return found if slot.shape is Shape.MAP else list(found.values())

    def _item(self, slot: Slot, value: Value, path: Path) -> Any:
        if value.broken:
            self.problems.broken.add(path)
            return None
        return self._data(slot, value, path)

    def _secret(self, data: dict[str, Any], slot: Slot, form: str, value: Value, path: Path) -> None:
        target = (*path[:-1], slot.name)
        if slot.name in data or target in self.problems.broken:
            self._twice(slot, path)
            return
        self.problems.values[target] = value
        if not isinstance(value.data, str) or not value.data:
            wanted = "the path of a file" if form == "file" else "the name of a credential"
            self.problems.broken.add(target)
            self.problems.spoil(path, wanted, seen=value.text)
            return
        try:
            data[slot.name] = self._fetch(slot, form, value.data)
        except Unusable as trouble:
            # Whoever checks a config by hand has no credentials, and that is no fault of the config.
            absent = form == "credential" and not self.service and self.credentials.folder is None
            self.problems.add(path, trouble.expected, seen=trouble.seen, warning=absent)
            self.problems.broken.add(target)

    def _fetch(self, slot: Slot, form: str, name: str) -> str:
        """A secret's text, or the path of a key's file. Raises Unusable."""
        if form == "credential":
            path = self.credentials.path(name)
            self.given.add(path)
        else:
            path = FilePath(self.state_dir) / name
            if slot.secret:
                files.private(path, self.user)
        return files.secret(path) if slot.secret else str(path)

    def _twice(self, slot: Slot, path: Path) -> None:
        forms = schema.words(list(dict.fromkeys((slot.name, *_forms(slot)))), "or")
        self.problems.spoil(path, f"only one of {forms}", seen="a second one")

    def _unknown(self, key: str, path: Path, known: Sequence[str]) -> None:
        if dotted(path) in NOT_BUILT or pattern(path) in NOT_BUILT:
            seen = "a key whose behaviour isn't built yet"
            self.problems.add(path, "it to be left out until then", seen=seen)
            return
        homes = list(schema.homes(key))
        hint = schema.words(list(known), "or")
        if close := difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.7):
            hint += f" (did you mean {close[0]}?)"
        elif homes:
            hint = f"it below {schema.words(homes, 'or')}, indented"
        self.problems.add(path, hint, seen="an unknown key")


def _forms(slot: Slot) -> tuple[str, str]:
    return f"{slot.stem}_file", f"{slot.stem}_credential"


def _secret_forms(model: type[Model]) -> dict[str, tuple[Slot, str]]:
    """The keys by which a secret may come instead: `password_file`, `key_credential`."""
    known = slots(model)
    found = {}
    for slot in known.values():
        if slot.secret or slot.key_path:
            for name, form in zip(_forms(slot), ("file", "credential"), strict=True):
                if name not in known:
                    found[name] = (slot, form)
    return found


def _children(value: Value) -> Sequence[tuple[str | int, Value]]:
    assert isinstance(value.data, dict | list)
    return list(value.data.items()) if isinstance(value.data, dict) else list(enumerate(value.data))
