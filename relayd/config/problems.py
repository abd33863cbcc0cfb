"""What is wrong with a config, collected: place, key, what was found, what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from relayd.config import text
from relayd.config.text import HIDDEN, Complaint, Place, Value
from relayd.core import settings_schema as schema

Path = tuple[str | int, ...]

SEEN_MAX = 100  # characters of a value that an error shows


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigError:
    """One thing that is wrong, or only doubtful. `seen` never holds a secret."""

    file: str
    line: int | None
    key: str  # "senders.acme.upstream.port"; "" for the file as a whole
    seen: str
    expected: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f" {self.key}:" if self.key else ""
        return f"{place}:{key} found {self.seen}; expected {self.expected}"


class ConfigErrors(Exception):
    """All that is wrong with a config, in the order of the file."""

    def __init__(self, errors: Sequence[ConfigError], warnings: Sequence[ConfigError] = ()) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)


@dataclass(slots=True, kw_only=True)
class Problems:
    """Collects while a config is read. `values` is what was written where; paths in `broken` were complained
    about, so that nothing complains again about what follows from that."""

    file: str
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[ConfigError] = field(default_factory=list)
    values: dict[Path, Value] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)

    def add(
        self,
        path: Path,
        expected: str,
        *,
        seen: str | None = None,
        warning: bool = False,
        place: Place | None = None,
    ) -> None:
        """`seen` None: the value as it was written. `place` None: that of the value, or of what holds it."""
        place = place or self._place(path)
        error = ConfigError(
            file=place.file,
            line=place.line,
            key=dotted(path),
            seen=printable(self.written(path) if seen is None else seen),
            expected=printable(expected),
        )
        (self.warnings if warning else self.errors).append(error)

    def spoil(self, path: Path, expected: str, *, seen: str | None = None) -> None:
        """Add a problem with a value that can't be used."""
        self.broken.add(path)
        self.add(path, expected, seen=seen)

    def add_complaints(self, complaints: Sequence[Complaint]) -> None:
        for found in complaints:
            self.add(found.path, found.expected, seen=_short(found.seen), place=found.place)

    def is_broken(self, path: Path) -> bool:
        """Whether the value or what holds it was complained about."""
        return any(path[:length] in self.broken for length in range(len(path) + 1))

    def has_broken(self, path: Path) -> bool:
        """Whether anything in it was complained about."""
        return any(broken[: len(path)] == path for broken in self.broken)

    def written(self, path: Path) -> str:
        value = self.values.get(path)
        if value is None or (value.data is None and not value.text):
            return "nothing"
        plain = isinstance(value.data, dict | list)
        return HIDDEN if is_secret(path) and not plain else _short(value.text)

    def all(self) -> ConfigErrors:
        return ConfigErrors(sorted(self.errors, key=self._order), sorted(self.warnings, key=self._order))

    def _order(self, error: ConfigError) -> tuple[bool, int]:
        return error.file != self.file, error.line or 0

    def _place(self, path: Path) -> Place:
        while path and path not in self.values:
            path = path[:-1]
        return self.values[path].place if path in self.values else Place(file=self.file, line=None)


def is_secret(path: Path) -> bool:
    slot = schema.at(path)
    return slot.secret if slot is not None else text.may_be_secret(path)


def dotted(path: Path) -> str:
    """`listen[0].port`, counted from 0 as tools for YAML and JSON do."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def pattern(path: Path) -> str:
    """A path without list positions, as NOT_BUILT names keys."""
    return ".".join(part for part in path if isinstance(part, str))


def _short(text: str) -> str:
    return text if len(text) <= SEEN_MAX else text[: SEEN_MAX - 3] + "..."


def printable(text: str) -> str:
    """One line, and nothing in it that commands a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
