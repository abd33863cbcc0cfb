"""What the settings models say about themselves: which keys there are, of what shape, and in words.

The loader asks where secrets and sections are; error texts and documents ask for the sentence.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any

from pydantic.fields import FieldInfo

from relayd.core.sender import Secret
from relayd.core.settings import Model, Settings
from relayd.core.settings_types import KEY, Says

Path = tuple[str | int, ...]


class Shape(StrEnum):
    VALUE = "value"
    SECTION = "section"  # a model of its own
    MAP = "map"  # ids, each with a section
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place in the config: a key, or an item of a list or map."""

    name: str
    shape: Shape
    kind: Any  # the type of a VALUE, or of what a LIST or MAP holds; Literal[...] kept as such
    says: str | None  # the sentence that the type brings along
    word: str | None  # what may stand there instead of a LIST: "all"
    optional: bool  # null is allowed
    required: bool
    key_path: bool  # it names a file with a key: may come as NAME_credential
    info: FieldInfo

    @property
    def model(self) -> type[Model] | None:
        """The model of a SECTION, or of the sections in a MAP or LIST."""
        return self.kind if isinstance(self.kind, type) and issubclass(self.kind, Model) else None

    @property
    def secret(self) -> bool:
        """Its value is a secret: may come as NAME_file or NAME_credential."""
        return self.kind is Secret

    @property
    def stem(self) -> str:
        """The name that `_file` and `_credential` follow."""
        return self.name.removesuffix("_file")

    def item(self) -> Slot:
        """The slot of one item of a LIST or MAP."""
        shape = Shape.SECTION if self.model else Shape.VALUE
        return replace(self, shape=shape, optional=False, required=True, word=None)


@cache
def slots(model: type[Model]) -> Mapping[str, Slot]:
    hints = typing.get_type_hints(model, include_extras=True)
    return {name: _slot(name, hints[name], info) for name, info in model.model_fields.items()}


def at(path: Path) -> Slot | None:
    """The slot at a path of the file, None where the schema has none."""
    slot: Slot | None = None
    known = slots(Settings)
    for part in path:
        if slot is not None and slot.shape is (Shape.LIST if isinstance(part, int) else Shape.MAP):
            slot = slot.item()
        elif (slot := known.get(str(part))) is None:
            return None
        known = slots(slot.model) if slot.shape is Shape.SECTION and slot.model else {}
    return slot


def homes(key: str) -> Iterator[str]:
    """Sections that have a key of this name: "delivery" for `answer_within`."""
    for name, slot in slots(Settings).items():
        if slot.shape is Shape.SECTION and slot.model and key in slots(slot.model):
            yield name


def expected(slot: Slot) -> str:
    """What belongs there, written to follow the word "expected"."""
    match slot.shape:
        case Shape.SECTION:
            assert slot.model is not None
            return "a section with " + words(list(slots(slot.model)), "and")
        case Shape.MAP:
            return f"sections by id, each {expected(slot.item())}"
        case Shape.LIST:
            return (
                f"the word {slot.word}, or " * bool(slot.word) + f"a list, each item {expected(slot.item())}"
            )
        case Shape.VALUE:
            return slot.says or _plain(slot)


def words(names: list[str], joint: str) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {joint} {names[-1]}"


def _plain(slot: Slot) -> str:
    if typing.get_origin(slot.kind) is typing.Literal:
        return words([str(choice) for choice in typing.get_args(slot.kind)], "or")
    if isinstance(slot.kind, type) and issubclass(slot.kind, Enum):
        return words([str(choice.value) for choice in slot.kind], "or")
    if slot.kind is bool:
        return "true or false"
    if slot.kind is int:
        low = next(m.ge for m in slot.info.metadata if hasattr(m, "ge"))
        high = next(m.le for m in slot.info.metadata if hasattr(m, "le"))
        return f"a whole number from {low} to {high}"
    return "a text"


def _slot(name: str, hint: Any, info: FieldInfo) -> Slot:
    kinds = list(typing.get_args(hint)) if typing.get_origin(hint) in (typing.Union, UnionType) else [hint]
    optional = NoneType in kinds
    kinds = [kind for kind in kinds if kind is not NoneType]
    word = typing.get_args(kinds[0])[0] if len(kinds) > 1 else None  # Literal["all"] | tuple[str, ...]
    base, metadata = _bare(kinds[-1])
    shape = Shape.VALUE
    if typing.get_origin(base) is tuple:
        shape, (base, metadata) = Shape.LIST, _bare(typing.get_args(base)[0])
    elif typing.get_origin(base) is dict:
        shape, (base, metadata) = Shape.MAP, _bare(typing.get_args(base)[1])
    elif isinstance(base, type) and issubclass(base, Model):
        shape = Shape.SECTION
    return Slot(
        name=name,
        shape=shape,
        kind=base,
        says=next((m.sentence for m in metadata if isinstance(m, Says)), None),
        word=word,
        optional=optional,
        required=info.is_required(),
        key_path=KEY in metadata,
        info=info,
    )


def _bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    if typing.get_origin(hint) is typing.Annotated:
        return hint.__origin__, hint.__metadata__
    return hint, ()
