"""Values: the models judge plain data, piece by piece, so that a broken sender doesn't hide the next one."""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from relayd.config.problems import Path, Problems
from relayd.config.text import Place
from relayd.core import settings_schema as schema
from relayd.core.sender import Secret
from relayd.core.settings import Settings
from relayd.core.settings_checks import Parts
from relayd.core.settings_schema import Shape, Slot, slots


@dataclass(slots=True, kw_only=True)
class Values:
    problems: Problems
    folders: Mapping[str, str]  # where relative paths start

    def settings(self, data: dict[str, Any]) -> Settings:
        """All of it, when nothing is wrong."""
        found = self._validate(Settings, data)
        assert isinstance(found, Settings)
        return found

    def pieces(self, data: dict[str, Any]) -> dict[str, Any]:
        """The top-level keys that can be used, items of lists and maps one by one; broken items are None."""
        valid: dict[str, Any] = {}
        for name, slot in slots(Settings).items():
            if slot.shape is Shape.MAP and name in data:
                valid[name] = {key: self._piece(slot, item, (name, key)) for key, item in data[name].items()}
            elif slot.shape is Shape.LIST and name in data:
                valid[name] = tuple(self._piece(slot, item, (name, i)) for i, item in enumerate(data[name]))
            elif name in data:
                valid[name] = self._piece(slot, data[name], (name,))
            elif not slot.required:
                valid[name] = slot.info.get_default(call_default_factory=True)
            elif (name,) not in self.problems.broken:
                place = Place(file=self.problems.file, line=None)
                self.problems.add((name,), schema.expected(slot), seen="nothing", place=place)
        return valid

    def _piece(self, slot: Slot, data: Any, path: Path) -> Any:
        kind = _hints()[slot.name] if len(path) == 1 else slot.model
        # In a section of independent keys, what is right can still be checked against the rest.
        independent = slot.shape is Shape.SECTION and not slot.required
        try:
            found = self._validate(kind, data)
        except ValidationError as error:
            wrong = self._invalid(path, error)
            if not independent or not wrong:
                return None
            keys = {each[len(path)] for each in wrong}
            self.problems.broken.update((*path, key) for key in keys)
            return self._piece(slot, {key: data[key] for key in data if key not in keys}, path)
        return found if independent or not self.problems.has_broken(path) else None

    def _validate(self, kind: Any, data: Any) -> Any:
        # As JSON, because strict JSON takes lists for tuples and texts for enums, and nothing else.
        return _adapter(kind).validate_json(json.dumps(data), strict=True, context=dict(self.folders))

    def _invalid(self, piece: Path, error: ValidationError) -> set[Path]:
        """Tell what a model found, once for each value. Returns the paths told."""
        told: set[Path] = set()
        for detail in error.errors(include_url=False):
            path = _in_schema(piece, detail["loc"])
            if path in told or self.problems.is_broken(path):
                continue
            told.add(path)
            missing = detail["type"] == "missing"
            self.problems.add(path, self._expected(path, detail), seen="nothing" if missing else None)
        return told

    def _expected(self, path: Path, detail: Mapping[str, Any]) -> str:
        slot = schema.at(path)
        assert slot is not None
        own = detail["type"] == "value_error"  # raised by one of our validators, with its sentence
        expected = str(detail["ctx"]["error"]) if own else schema.expected(slot)
        value = self.problems.values.get(path)
        if slot.kind in (str, Secret) and value is not None and isinstance(value.data, bool | int | float):
            expected += "; put it in quotes"
        return expected


def parts(valid: Mapping[str, Any]) -> Parts:
    return Parts(
        hostname=valid.get("hostname"),
        listen=valid.get("listen") or (),
        logins=valid.get("logins") or (),
        platform=valid.get("platform"),
        senders=valid.get("senders") or {},
        unknown_sender=valid.get("unknown_sender"),
        delivery=valid.get("delivery"),
        limits=valid.get("limits"),
        allow_private=valid.get("allow_private"),
        retention=valid.get("retention"),
        http=valid.get("http"),
        oauth=valid.get("oauth"),
    )


def _in_schema(piece: Path, loc: tuple[str | int, ...]) -> Path:
    """A place that pydantic names, without its own names for the branches of a union."""
    path = piece
    for part in loc:
        if schema.at((*path, part)) is None:
            break
        path = (*path, part)
    return path


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _hints() -> Mapping[str, Any]:
    return typing.get_type_hints(Settings, include_extras=True)
