"""What is given for a sender at run time, held to the model and the checks of the config file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from relayd.config import files
from relayd.config.problems import printable
from relayd.core import settings_schema as schema
from relayd.core.sender import Secret
from relayd.core.settings import SenderSettings, Settings
from relayd.core.settings_checks import check_sender

PASSWORD = "upstream.password"
"""The one key of a sender that is a secret."""

HIDDEN = "***"

SEEN_MAX = 100  # characters of a value that a problem shows

_MODEL: TypeAdapter[SenderSettings] = TypeAdapter(SenderSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with what was given for a sender. `seen` never holds a secret."""

    sender: str
    key: str  # "upstream.port"; "" for the sender as a whole
    seen: str
    expected: str

    def __str__(self) -> str:
        key = f"senders.{self.sender}.{self.key}".rstrip(".")
        return f"{key}: found {self.seen}; expected {self.expected}"


class SenderRefused(Exception):
    """What was given can't be taken; nothing was changed. All problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was given, looked at: usable when there are no problems."""

    settings: SenderSettings | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def merged(known: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """`known` with `changes` over it; in sections too, which have none in them. None takes a key away, so
    that its default counts."""
    result = _over(known, changes)
    for key, value in changes.items():
        before = known.get(key)
        if isinstance(value, Mapping):
            result[key] = _over(before if isinstance(before, Mapping) else {}, value)
    return result


def _over(known: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    both = {**known, **changes}
    return {key: value for key, value in both.items() if value is not None}


def names_password(values: Mapping[str, object]) -> bool:
    upstream = values.get("upstream")
    return isinstance(upstream, Mapping) and "password" in upstream


def read(id: str, values: Mapping[str, object], settings: Settings) -> Looked:
    """The model's judgement of plain data. Relative paths start in the state folder."""
    try:
        # As JSON, because strict JSON takes lists for tuples and texts for enums, and nothing else.
        text = json.dumps(values)
        found = _MODEL.validate_json(text, strict=True, context={"state": settings.state_dir})
    except ValidationError as error:
        return Looked(settings=None, problems=tuple(_invalid(id, values, error)))
    except (TypeError, RecursionError):
        problem = Problem(sender=id, key="", seen="something else", expected="plain JSON, in sections")
        return Looked(settings=None, problems=(problem,))
    return Looked(settings=found)


def check(id: str, sender: SenderSettings, settings: Settings) -> Looked:
    """How it fits together, and with the rest of the config."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for found in check_sender(settings, id, sender):
        key = _dotted(found.path[2:])
        problem = Problem(
            sender=id,
            key=key,
            seen=printable(found.seen or _seen(dump(sender), key)),
            expected=printable(found.expected),
        )
        if key == "upstream" and found.seen == "no password":
            wanted = "the password beside username, and again when host or username change"
            problem = Problem(sender=id, key=PASSWORD, seen="nothing", expected=wanted)
        (warnings if found.warning else problems).append(problem)
    problems += _roots(id, sender, settings)
    return Looked(settings=sender, problems=tuple(problems), warnings=tuple(warnings))


def dump(sender: SenderSettings) -> dict[str, Any]:
    """What is kept of it and may be shown: what isn't the default, in the types of JSON; no secret."""
    return sender.model_dump(mode="json", exclude_defaults=True, exclude={"upstream": {"password"}})


def without_secrets(sender: SenderSettings) -> SenderSettings:
    return with_password(sender, None)


def with_password(sender: SenderSettings, password: Secret | None) -> SenderSettings:
    """With this password of its upstream, if it has an upstream."""
    if sender.upstream is None or sender.upstream.password == password:
        return sender
    upstream = sender.upstream.model_copy(update={"password": password})
    return sender.model_copy(update={"upstream": upstream})


def changed_keys(old: SenderSettings, new: SenderSettings) -> list[str]:
    """Names of the keys that differ. A section that comes or goes is one key."""
    before, after = dict(_flat(dump(old))), dict(_flat(dump(new)))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if (old.upstream is None) != (new.upstream is None):
        keys = [*(key for key in keys if not key.startswith("upstream.")), "upstream"]
    return sorted(keys)


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _roots(id: str, sender: SenderSettings, settings: Settings) -> Iterator[Problem]:
    """Whoever adds senders may not look around on this machine: only the state folder's files are named."""
    if sender.upstream is None or sender.upstream.ca_file is None:
        return
    path, key = sender.upstream.ca_file, "upstream.ca_file"
    if not Path(path).resolve().is_relative_to(Path(settings.state_dir).resolve()):
        wanted = f"a file in {settings.state_dir}; only the config file may name others"
        yield Problem(sender=id, key=key, seen=printable(path), expected=wanted)
        return
    try:
        files.roots(Path(path))
    except files.Unusable as trouble:
        yield Problem(sender=id, key=key, seen=printable(trouble.seen), expected=trouble.expected)


def _invalid(id: str, values: Mapping[str, object], error: ValidationError) -> Iterator[Problem]:
    told = set()
    for detail in error.errors(include_url=False):
        path = tuple(part for part in detail["loc"] if isinstance(part, str))
        if detail["type"] == "extra_forbidden":
            expected, seen = _unknown(path), "an unknown key"
        else:
            path = _in_schema(path)
            expected = _expected(path, detail)
            seen = "nothing" if detail["type"] == "missing" else _seen(values, _dotted(path))
        if path not in told:
            told.add(path)
            yield Problem(
                sender=id, key=printable(_dotted(path)), seen=printable(seen), expected=printable(expected)
            )


def _expected(path: tuple[str, ...], detail: Mapping[str, Any]) -> str:
    if detail["type"] == "value_error":  # raised by one of our validators, with its sentence
        return str(detail["ctx"]["error"])
    slot = schema.at(("senders", "id", *path))
    assert slot is not None
    return schema.expected(slot)


def _unknown(path: tuple[str, ...]) -> str:
    home = schema.at(("senders", "id", *path[:-1]))
    assert home is not None
    assert home.model is not None
    known = list(schema.slots(home.model))
    hint = schema.words(known, "or")
    close = difflib.get_close_matches(path[-1].lower(), known, n=1, cutoff=0.7)
    return f"{hint} (did you mean {close[0]}?)" if close else hint


def _in_schema(loc: tuple[str, ...]) -> tuple[str, ...]:
    """Without the names that pydantic gives to the branches of a union."""
    for length in range(1, len(loc) + 1):
        if schema.at(("senders", "id", *loc[:length])) is None:
            return loc[: length - 1]
    return loc


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))


def _seen(values: Mapping[str, object], key: str) -> str:
    if key == PASSWORD:
        return HIDDEN
    value: object = values
    for part in key.split(".") if key else ():
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a section of keys"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SEEN_MAX else text[: SEEN_MAX - 3] + "..."
