"""YAML read strictly: a tree in which every value knows its file and line.

YAML 1.1 has surprises (`no` is false, `0123` is 83, anchors can grow a kilobyte into gigabytes). None of
them is needed for a config file, so each is refused with a sentence instead of being guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

import yaml

MAX_OCTETS = 1024 * 1024
MAX_DEPTH = 20  # the deepest key lies 4 deep; libyaml's composer recurses

HIDDEN = "a value (not shown)"

Plain = str | int | float | bool | None
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    file: str
    line: int | None  # None: not from a file (environment, flag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """What is wrong with the text itself, before any key is looked at."""

    place: Place
    path: Path
    seen: str
    expected: str


@dataclass(slots=True, kw_only=True)
class Value:
    """A value as written. `text` is how it looked; `broken` ones were complained about already."""

    data: dict[str, Value] | list[Value] | Plain
    place: Place
    text: str = ""
    broken: bool = False


@dataclass(slots=True)
class Reader:
    """Reads one YAML text; collects complaints instead of stopping at the first."""

    file: str
    path: Path = ()  # where in the config the text belongs: a single value from the environment
    complaints: list[Complaint] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    def read(self, text: str) -> Value | None:
        """The tree, or None when the text can't be read as YAML at all (then there is a complaint)."""
        try:
            tokens_ok = self._refuse_cleverness(text)
            node = yaml.compose(text, Loader=yaml.SafeLoader) if tokens_ok else None
        except yaml.YAMLError as error:
            self._syntax(error, text)
            return None
        if not tokens_ok:
            return None
        if node is None:
            return Value(data={}, place=Place(file=self.file, line=1), text="nothing")
        return self._value(node, self.path)

    def _refuse_cleverness(self, text: str) -> bool:
        """Complain about anchors, aliases, tags and further documents. False: too deep to be composed."""
        depth = documents = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            documents += isinstance(event, yaml.DocumentStartEvent)
            if documents > 1 and isinstance(event, yaml.DocumentStartEvent):
                self._complain(line, (), "---", "one document; remove the second `---` and what follows")
                return False
            if anchor := getattr(event, "anchor", None):
                mark, word = ("*", "aliases") if isinstance(event, yaml.AliasEvent) else ("&", "anchors")
                self._complain(
                    line, (), f"{mark}{anchor}", f"no {word}; write out the value where it is needed"
                )
            if tag := getattr(event, "tag", None):
                self._complain(
                    line, (), tag.replace("tag:yaml.org,2002:", "!!"), "no tags; types follow from the key"
                )
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                self._complain(line, (), f"more than {MAX_DEPTH} levels", "a few levels of keys and lists")
                return False
        return True

    def _value(self, node: yaml.Node, path: Path) -> Value:
        place = Place(file=self.file, line=node.start_mark.line + 1)
        if id(node) in self._seen:  # an alias; complained about already
            return Value(data=None, place=place, broken=True)
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return Value(data=self._mapping(node, path), place=place, text="a section of keys")
        if isinstance(node, yaml.SequenceNode):
            items = [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
            return Value(data=items, place=place, text="a list")
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path, place)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._complain(line, path, "a list or section as a key", "a name before the colon")
                continue
            key = str(key_node.value)  # as written: a sender may be called `no` or `123`
            if key in found:
                first = found[key].place.line
                self._complain(
                    line, (*path, key), "the key a second time", f"each key once; it is on line {first} too"
                )
                continue
            value = self._value(value_node, (*path, key))
            value.place = Place(file=self.file, line=line)  # people look for the key's line
            found[key] = value
        return found

    def _scalar(self, node: yaml.ScalarNode, path: Path, place: Place) -> Value:
        text = str(node.value)
        if node.style is not None:  # quoted or a block: a text, whatever it looks like
            return Value(data=text, place=place, text=f'"{text}"')
        try:
            return Value(data=plain(text, node.tag), place=place, text=text or "nothing")
        except ValueError as error:
            if may_be_secret(path):
                self._complain(place.line, path, HIDDEN, "the text in quotes")
            else:
                self._complain(place.line, path, text, str(error))
            return Value(data=None, place=place, text=text, broken=True)

    def _syntax(self, error: yaml.YAMLError, text: str) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else None
        if isinstance(error, yaml.reader.ReaderError):
            line = text.count("\n", 0, error.position) + 1
            self._complain(
                line, (), f"the character U+{_number(error.character):04X}", "printable characters"
            )
            return
        lines = text.splitlines()
        written = lines[line - 1] if line is not None and line <= len(lines) else ""
        if re.match(r" *\t", written):
            self._complain(line, (), "a tab in the indentation", "spaces; YAML allows no tabs there")
            return
        problem = getattr(error, "problem", None) or "something that is not YAML"
        context = getattr(error, "context", None)
        what = " ".join(filter(None, (problem, context)))
        self._complain(line, (), f"YAML that can't be read: {what}", "`key: value`, indented by spaces")

    def _complain(self, line: int | None, path: Path, seen: str, expected: str) -> None:
        place = Place(file=self.file, line=line)
        complaint = Complaint(place=place, path=path, seen=seen, expected=expected)
        if complaint not in self.complaints:  # a bomb of aliases is one complaint a line
            self.complaints.append(complaint)


def plain(text: str, tag: str) -> Plain:
    """An unquoted scalar. Raises ValueError where YAML 1.1 would make something else of it than it says."""
    kind = tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        if text in ("true", "false"):
            return text == "true"
        meant = "true" if text.lower() in ("yes", "on", "true") else "false"
        raise ValueError(
            f'`{meant}` if a switch is meant (YAML reads {text} so), or "{text}" in quotes for the text'
        )
    if kind == "int":
        if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", text):
            return int(text)
        if re.fullmatch(r"-?[0-9]{19,}", text):
            raise ValueError("a number of at most 18 digits")
        number = yaml.SafeLoader("").construct_yaml_int(yaml.ScalarNode(tag, text))
        raise ValueError(f'a number in plain decimal (YAML reads {text} as {number}), or "{text}" in quotes')
    if kind == "float":
        return text if not re.fullmatch(r"-?[0-9]+\.[0-9]+", text) else float(text)
    return text


def read_file(path: FilePath, complain: Callable[[Sequence[Complaint]], None]) -> Value | None:
    """The tree of a config file; None when there is none, and it was complained about."""
    octets = b""

    def wrong(seen: str, expected: str, line: int | None = None) -> None:
        complain([Complaint(place=Place(file=str(path), line=line), path=(), seen=seen, expected=expected)])

    try:
        with path.open("rb") as file:
            octets = file.read(MAX_OCTETS + 1)
        written = octets.decode("utf-8-sig")
    except OSError as error:
        wrong(str(error.strerror), "a config file that relayd can read")
        return None
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        wrong(f"the octet 0x{octets[error.start]:02x}", "text in UTF-8", line)
        return None
    if len(octets) > MAX_OCTETS:
        wrong("more than 1 MiB", "a config file of at most 1 MiB")
        return None
    reader = Reader(file=str(path))
    tree = reader.read(written)
    complain(reader.complaints)
    if tree is not None and not isinstance(tree.data, dict):
        wrong(tree.text, "keys with values, such as `hostname: relay.example.net`", 1)
        return None
    return tree


def may_be_secret(path: Path) -> bool:
    """Whether the value there may be a secret, so that no error shows it. Names of files are not."""
    name = next((part for part in reversed(path) if isinstance(part, str)), "").lower()
    return re.search("password|secret|token|key|passphrase", name) is not None and not re.search(
        "_file$|_credential$", name
    )


def walk(value: Value, path: Path = ()) -> Iterator[tuple[Path, Value]]:
    yield path, value
    if isinstance(value.data, dict):
        for key, child in value.data.items():
            yield from walk(child, (*path, key))
    elif isinstance(value.data, list):
        for index, child in enumerate(value.data):
            yield from walk(child, (*path, index))


def _number(character: int | str | bytes) -> int:
    return character if isinstance(character, int) else ord(character)
