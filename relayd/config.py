"""The config file and the credentials from disk, made into settings; errors carry file and line.

Everything that is wrong is found in one go: the text (`configfile`), the keys and secrets, each value (the
models of `core.settings`), how values fit together (`core.settings_checks`), and the files they name.
"""

from __future__ import annotations

import difflib
import json
import os
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from relayd import configfile, secretfiles
from relayd.configfile import HIDDEN, Place, Value
from relayd.core import settings_schema as schema
from relayd.core.sender import Secret
from relayd.core.settings import NOT_BUILT, Model, Settings
from relayd.core.settings_checks import Parts, check
from relayd.core.settings_schema import Shape, Slot, slots
from relayd.secretfiles import Credentials, Unusable

KeyPath = tuple[str | int, ...]

_PREFIX = "RELAYD_"
_NO_KEYS = frozenset({"RELAYD_CONFIG"})  # read by the commands


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    settings: Settings
    warnings: tuple[ConfigError, ...]


def load(path: Path, environ: Mapping[str, str] = os.environ, flags: Sequence[str] = ()) -> Settings:
    """Read settings. Raises ConfigErrors with everything that is wrong at once.

    Precedence: `flags` ("delivery.answer_within=0s") > RELAYD_* in `environ` > the file. Relative paths come
    out absolute.
    """
    return read(path, environ, flags).settings


def read(
    path: Path, environ: Mapping[str, str] = os.environ, flags: Sequence[str] = (), *, service: bool = True
) -> Config:
    """As `load`, with the warnings: what is allowed and yet worth a look.

    Without `service` nobody is going to run with these settings: credentials that only systemd can give are
    warned about, and stand as empty.
    """
    return _Loader(file=str(path), environ=environ, service=service).load(path, flags)


def folders(settings_dir: str | None, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Where relative paths start: in state_dir, and what systemd names for the unit."""
    state = settings_dir or str(Settings.model_fields["state_dir"].default)
    named = {name: environ.get(key, "").partition(":")[0] for name, key in _SYSTEMD_FOLDERS.items()}
    return {"state": state, **{name: folder or state for name, folder in named.items()}}


_SYSTEMD_FOLDERS = {"runtime": "RUNTIME_DIRECTORY", "logs": "LOGS_DIRECTORY"}


@dataclass(slots=True, kw_only=True)
class _Loader:
    file: str
    environ: Mapping[str, str]
    service: bool
    errors: list[ConfigError] = field(default_factory=list)
    warnings: list[ConfigError] = field(default_factory=list)
    values: dict[KeyPath, Value] = field(default_factory=dict)
    broken: set[KeyPath] = field(default_factory=set)
    folders: Mapping[str, str] = field(default_factory=dict)
    given: set[Path] = field(default_factory=set)  # credentials: systemd vouches for their permissions

    def load(self, path: Path, flags: Sequence[str]) -> Config:
        tree = self._text(path)
        if tree is None:
            raise self._all()
        self._overlay(tree, flags)
        self.values = dict(configfile.walk(tree))
        self.folders = self._folders(tree)
        data = self._section(tree, Settings, ())
        parts, valid = self._parts(data)
        for found in check(parts):
            seen = found.seen if found.seen is not None else self._seen(found.path)
            self._report(found.path, found.expected, seen=seen, warning=found.warning)
        self._named_files(valid)
        self._open_to_others(path)
        if self.errors:
            raise self._all()
        return Config(settings=self._validate(Settings, data), warnings=tuple(self.warnings))

    # The text

    def _text(self, path: Path) -> Value | None:
        try:
            with path.open("rb") as file:
                octets = file.read(configfile.MAX_OCTETS + 1)
            text = octets.decode("utf-8-sig")
        except OSError as error:
            self._no_text(f"{error.strerror}", "a config file that relayd can read")
            return None
        except UnicodeDecodeError as error:
            line = octets.count(b"\n", 0, error.start) + 1
            self._no_text(f"the octet 0x{octets[error.start]:02x}", "text in UTF-8", line)
            return None
        if len(octets) > configfile.MAX_OCTETS:
            self._no_text("more than 1 MiB", "a config file of at most 1 MiB")
            return None
        return self._yaml(text, self.file)

    def _no_text(self, seen: str, expected: str, line: int | None = None) -> None:
        self.errors.append(ConfigError(file=self.file, line=line, key="", seen=seen, expected=expected))

    def _yaml(self, text: str, file: str, path: KeyPath = ()) -> Value | None:
        reader = configfile.Reader(file=file, path=path)
        tree = reader.read(text)
        self.errors.extend(
            ConfigError(
                file=found.place.file,
                line=found.place.line,
                key=_dotted(found.path),
                seen=found.seen,
                expected=found.expected,
            )
            for found in reader.complaints
        )
        if tree is not None and not path and not isinstance(tree.data, dict):
            self._no_text(tree.text, "keys with values, such as `hostname: relay.example.net`", 1)
            return None
        return tree

    # Environment and flags lie over the file

    def _overlay(self, tree: Value, flags: Sequence[str]) -> None:
        for name, text in sorted(self.environ.items()):
            if not name.startswith(_PREFIX) or name in _NO_KEYS or not text:
                continue
            path = tuple(name[len(_PREFIX) :].lower().split("__"))
            if path[0] in slots(Settings):
                self._lay(tree, path, text, name)
            else:
                place = Place(file=name, line=None)
                self._report(
                    path, "RELAYD_ and a key of the config", seen="an unknown key", warning=True, place=place
                )
        for flag in flags:
            key, equals, text = flag.partition("=")
            if equals:
                self._lay(tree, tuple(key.split(".")), text, f"--set {key}")
            else:
                place = Place(file="--set", line=None)
                self._report((), "KEY=VALUE, such as delivery.answer_within=0s", seen=flag, place=place)

    def _lay(self, tree: Value, path: tuple[str, ...], text: str, source: str) -> None:
        place = Place(file=source, line=None)
        node = tree
        for part in path[:-1]:
            if not isinstance(node.data, dict):
                node.data = {}
            node = node.data.setdefault(part, Value(data={}, place=place, text="a section of keys"))
        if not isinstance(node.data, dict):
            node.data = {}
        slot = schema.at(path)
        value: Value | None = Value(data=text, place=place, text=f'"{text}"')
        if slot is not None and (slot.shape is not Shape.VALUE or slot.kind in (int, bool) or text == "null"):
            value = (
                self._yaml(text, source, path)
                if slot.kind is not str or slot.shape is not Shape.VALUE
                else value
            )
        if value is None:
            self.broken.add(path)
            node.data.pop(path[-1], None)
            return
        for _, child in configfile.walk(value):
            child.place = place
        for rival in _rivals(path[-1]):  # RELAYD_..._PASSWORD wins over password_file in the file
            node.data.pop(rival, None)
        node.data[path[-1]] = value

    def _folders(self, tree: Value) -> Mapping[str, str]:
        assert isinstance(tree.data, dict)
        state = tree.data.get("state_dir")
        written = state.data if state and isinstance(state.data, str) and state.data.startswith("/") else None
        return folders(written, self.environ)

    # Keys and secrets: the tree becomes plain data

    def _section(self, value: Value, model: type[Model], path: KeyPath) -> dict[str, Any]:
        assert isinstance(value.data, dict)
        known = slots(model)
        data: dict[str, Any] = {}
        alternatives = {
            f"{slot.stem}_{form}": (slot, form)
            for slot in known.values()
            for form in ("file", "credential")
            if (slot.secret or slot.key_path) and f"{slot.stem}_{form}" not in known
        }
        for key, child in value.data.items():
            here = (*path, key)
            if child.broken:
                self.broken.add(here)
            elif key in known:
                self._known(data, known[key], child, here)
            elif key in alternatives:
                self._secret(data, *alternatives[key], child, here)
            else:
                self._unknown(key, here, [*known, *alternatives])
        for slot in known.values():
            if slot.shape is Shape.SECTION and not slot.required and not slot.optional:
                data.setdefault(slot.name, {})  # so that its defaults learn where relative paths start
        return data

    def _known(self, data: dict[str, Any], slot: Slot, value: Value, path: KeyPath) -> None:
        if slot.name in data:
            self._twice(slot, path)
            return
        if value.data is None and (slot.optional or (slot.shape is not Shape.VALUE and not slot.required)):
            return  # `senders:` with nothing below is as good as none
        found = self._data(slot, value, path)
        if path not in self.broken:
            data[slot.name] = found

    def _data(self, slot: Slot, value: Value, path: KeyPath) -> Any:
        wanted = {Shape.SECTION: dict, Shape.MAP: dict, Shape.LIST: list}.get(slot.shape)
        if wanted is None or (slot.word is not None and value.data == slot.word):
            if isinstance(value.data, dict | list):
                self._break(path, schema.expected(slot), seen=value.text)
                return None
            return value.data
        if not isinstance(value.data, wanted):
            self._break(path, schema.expected(slot), seen=self._seen(path))
            return None
        if slot.shape is Shape.SECTION:
            assert slot.model is not None
            return self._section(value, slot.model, path)
        children = value.data.items() if isinstance(value.data, dict) else enumerate(value.data)
        found = {}
        for key, child in children:
            if child.broken:
                self.broken.add((*path, key))
            found[key] = None if child.broken else self._data(slot.item(), child, (*path, key))
        return found if slot.shape is Shape.MAP else list(found.values())

    def _secret(self, data: dict[str, Any], slot: Slot, form: str, value: Value, path: KeyPath) -> None:
        if slot.name in data:
            self._twice(slot, path)
            return
        target = (*path[:-1], slot.name)
        self.values[target] = value
        if not isinstance(value.data, str) or not value.data:
            wanted = "the path of a file" if form == "file" else "the name of a credential"
            self._break(path, wanted, seen=value.text)
            return
        try:
            data[slot.name] = self._fetch(slot, form, value.data)
        except Unusable as trouble:
            if (
                form == "credential"
                and not self.service
                and self.environ.get("CREDENTIALS_DIRECTORY") is None
            ):
                self._report(path, trouble.expected, seen=trouble.seen, warning=True)
            else:
                self._report(path, trouble.expected, seen=trouble.seen)
            self.broken.add(target)

    def _fetch(self, slot: Slot, form: str, name: str) -> str:
        """A secret's text, or the path of a key's file. Raises Unusable."""
        if form == "credential":
            path = Credentials(folder=self.environ.get("CREDENTIALS_DIRECTORY")).path(name)
            self.given.add(path)
        else:
            path = Path(self.folders["state"]) / name
            if slot.secret:
                secretfiles.private(path)
        return secretfiles.text(path) if slot.secret else str(path)

    def _twice(self, slot: Slot, path: KeyPath) -> None:
        forms = schema.words([slot.name, f"{slot.stem}_file", f"{slot.stem}_credential"], "or")
        self._break(path, f"only one of {forms}", seen="a second one")

    def _unknown(self, key: str, path: KeyPath, known: Sequence[str]) -> None:
        if _dotted(path) in NOT_BUILT or _pattern(path) in NOT_BUILT:
            self._report(
                path, "this key to be left out: its behaviour isn't built yet", seen="a key of the design"
            )
            return
        homes = list(schema.homes(key))
        if close := difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.7):
            hint = f"{schema.words(list(known), 'or')} (did you mean {close[0]}?)"
        elif homes:
            hint = f"it below {schema.words(homes, 'or')}, with deeper indentation"
        else:
            hint = schema.words(list(known), "or")
        self._report(path, hint, seen="an unknown key")

    # Values

    def _parts(self, data: dict[str, Any]) -> tuple[Parts, dict[str, Any]]:
        """Validate piece by piece, so that a broken sender doesn't hide what is wrong with the next."""
        valid: dict[str, Any] = {}
        for name, slot in slots(Settings).items():
            path: KeyPath = (name,)
            if slot.shape is Shape.MAP and isinstance(data.get(name), dict):
                valid[name] = {key: self._piece(slot, item, (name, key)) for key, item in data[name].items()}
            elif slot.shape is Shape.LIST and slot.model and isinstance(data.get(name), list):
                valid[name] = tuple(self._piece(slot, item, (name, i)) for i, item in enumerate(data[name]))
            elif name in data:
                valid[name] = self._piece(slot, data[name], path)
            elif slot.required:
                if path not in self.broken:
                    self._report(
                        path, schema.expected(slot), seen="nothing", place=Place(file=self.file, line=None)
                    )
            else:
                valid[name] = slot.info.get_default(call_default_factory=True)
        parts = Parts(
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
            api_socket=valid["http"].socket if valid.get("http") else None,
        )
        return parts, valid

    def _piece(self, slot: Slot, data: Any, path: KeyPath) -> Any:
        kind: Any = slot.kind if len(path) > 1 else _hints()[slot.name]
        kind = kind if len(path) == 1 or slot.model is None else slot.model
        try:
            found = self._validate(kind, data)
        except ValidationError as error:
            told: set[KeyPath] = set()
            for detail in error.errors(include_url=False):
                self._invalid(path, typing.cast("dict[str, Any]", detail), told)
            if slot.shape is not Shape.SECTION or slot.required or not told:
                return None
            # A section of independent keys: what is right in it can still be checked against the rest.
            wrong = {found[len(path)] for found in told}
            return self._piece(slot, {key: value for key, value in data.items() if key not in wrong}, path)
        independent = slot.shape is Shape.SECTION and not slot.required
        return None if not independent and any(b[: len(path)] == path for b in self.broken) else found

    def _validate(self, kind: Any, data: Any) -> Any:
        # As JSON, because strict JSON takes lists for tuples and texts for enums, and nothing else.
        return _adapter(kind).validate_json(json.dumps(data), strict=True, context=dict(self.folders))

    def _invalid(self, piece: KeyPath, detail: dict[str, Any], told: set[KeyPath]) -> None:
        path = piece
        for part in detail["loc"]:
            if schema.at((*path, part)) is None:
                break  # pydantic's own names for the branches of a union
            path = (*path, part)
        if path in told or any(broken[: len(path)] == path for broken in self.broken):
            return
        told.add(path)
        slot = schema.at(path)
        assert slot is not None
        expected = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else schema.expected(slot)
        if slot.kind in (str, Secret) and path in self.values and not isinstance(self.values[path].data, str):
            expected += "; put it in quotes"
        missing = detail["type"] == "missing"
        self._report(path, expected, seen="nothing" if missing else self._seen(path))

    # Files that the settings name

    def _named_files(self, valid: Mapping[str, Any]) -> None:
        """Certificates and roots must be there; keys may be made later, but must not be open to others."""
        for path, value in self._walk_models(valid, ()):
            slot = schema.at(path)
            if slot is None or not isinstance(value, str):
                continue
            try:
                if slot.name == "ca_file":
                    secretfiles.roots(Path(value))
                elif (
                    slot.key_path
                    and Path(value) not in self.given
                    and (path[-1] == "key" or Path(value).exists())
                ):
                    secretfiles.private(Path(value))
            except Unusable as trouble:
                self._report(path, trouble.expected, seen=trouble.seen)
        for index, listen in enumerate(valid.get("listen") or ()):
            if listen is not None and listen.tls is not None and Path(listen.tls.key).is_file():
                try:
                    secretfiles.certificate(Path(listen.tls.certificate), Path(listen.tls.key))
                except Unusable as trouble:
                    self._report(("listen", index, "tls"), trouble.expected, seen=trouble.seen)

    def _walk_models(self, value: Any, path: KeyPath) -> typing.Iterator[tuple[KeyPath, Any]]:
        if isinstance(value, Model):
            value = {name: getattr(value, name) for name in type(value).model_fields}
        if isinstance(value, Mapping):
            for key, child in value.items():
                yield from self._walk_models(child, (*path, key))
        elif isinstance(value, tuple):
            for index, child in enumerate(value):
                yield from self._walk_models(child, (*path, index))
        else:
            yield path, value

    def _open_to_others(self, path: Path) -> None:
        inline = [
            p
            for p, v in self.values.items()
            if self._is_secret(p) and v.place.file == self.file and p[-1] == "password"
        ]
        inline = [
            p for p in inline if isinstance(p[-1], str) and (*p[:-1], "password_file") not in self.values
        ]
        inline = [p for p in inline if (*p[:-1], "password_credential") not in self.values]
        if inline and path.stat().st_mode & 0o004:
            wanted = f"password_file, or a config that others can't read; run: chmod o-r {path}"
            self._report(
                inline[0], wanted, seen="a password that every user of this machine can read", warning=True
            )

    # Reports

    def _is_secret(self, path: KeyPath) -> bool:
        slot = schema.at(path)
        return slot.secret if slot is not None else configfile.secret(path)

    def _seen(self, path: KeyPath) -> str:
        value = self.values.get(path)
        if value is None or (value.data is None and not value.text):
            return "nothing"
        return HIDDEN if self._is_secret(path) else value.text

    def _break(self, path: KeyPath, expected: str, *, seen: str) -> None:
        self.broken.add(path)
        self._report(
            path,
            expected,
            seen=HIDDEN
            if self._is_secret(path)
            and seen not in ("a section of keys", "a list", "a second one", "nothing")
            else seen,
        )

    def _report(
        self, path: KeyPath, expected: str, *, seen: str, warning: bool = False, place: Place | None = None
    ) -> None:
        known = path
        while place is None:
            if known in self.values:
                place = self.values[known].place
            known = known[:-1]
        error = ConfigError(file=place.file, line=place.line, key=_dotted(path), seen=seen, expected=expected)
        (self.warnings if warning else self.errors).append(error)

    def _all(self) -> ConfigErrors:
        def order(error: ConfigError) -> tuple[bool, int]:
            return error.file != self.file, error.line or 0

        return ConfigErrors(sorted(self.errors, key=order), sorted(self.warnings, key=order))


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


@cache
def _hints() -> Mapping[str, Any]:
    return typing.get_type_hints(Settings, include_extras=True)


def _rivals(key: str) -> tuple[str, ...]:
    stem = key.removesuffix("_file").removesuffix("_credential")
    return (stem, f"{stem}_file", f"{stem}_credential") if stem.endswith(("password", "key")) else ()


def _dotted(path: KeyPath) -> str:
    """`listen[0].port`, counted from 0 as YAML and JSON tools do."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _pattern(path: KeyPath) -> str:
    """A path without list positions, as NOT_BUILT names keys."""
    return ".".join(part for part in path if isinstance(part, str))
