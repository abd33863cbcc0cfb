"""From a config file to settings.

Everything that is wrong is found in one go: the text (`text`), the environment and flags over it
(`overlay`), the keys and secrets (`keys`), each value (`values` and the models of `core.settings`), how
values fit together (`core.settings_checks`), and the files they name (`files`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relayd.config import files, overlay, text, values
from relayd.config.files import Credentials
from relayd.config.keys import Keys
from relayd.config.problems import ConfigError, ConfigErrors, Problems
from relayd.core.settings import Settings
from relayd.core.settings_checks import check

__all__ = ["Config", "ConfigError", "ConfigErrors", "load", "read", "variable"]


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
    warned about, and missing from them.
    """
    problems = Problems(file=str(path))
    tree = text.read_file(path, problems.add_complaints)
    if tree is None:
        raise problems.all()
    overlay.environment(tree, environ, problems)
    overlay.flags(tree, flags, problems)
    problems.values = dict(text.walk(tree))
    folders = _folders(tree, environ)
    user = None if service else files.daemon_user(Path(folders["state"]))
    keys = Keys(
        problems=problems,
        credentials=Credentials(folder=environ.get("CREDENTIALS_DIRECTORY")),
        state_dir=folders["state"],
        service=service,
        user=user,
    )
    data = keys.section(tree, Settings, ())
    reader = values.Values(problems=problems, folders=folders)
    valid = reader.pieces(data)
    for found in check(values.parts(valid)):
        if found.path in problems.broken:  # what is missing there follows from what was complained about
            continue
        problems.add(found.path, found.expected, seen=found.seen, warning=found.warning)
    for path_of_key, trouble in files.look(valid, given=keys.given, user=user):
        problems.add(path_of_key, trouble.expected, seen=trouble.seen)
    _warn_of_readers(path, problems)
    if problems.errors:
        raise problems.all()
    return Config(settings=reader.settings(data), warnings=tuple(problems.all().warnings))


def variable(flag: str) -> tuple[str, str]:
    """What a flag is as an environment variable: log.level=debug, RELAYD_LOG__LEVEL and debug."""
    key, _, value = flag.partition("=")
    return overlay.PREFIX + key.upper().replace(".", "__"), value


def _folders(tree: text.Value, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Where relative paths start: in state_dir, or in what systemd made for the unit."""
    assert isinstance(tree.data, dict)
    written = tree.data.get("state_dir")
    state = written.data if written is not None and isinstance(written.data, str) else ""
    if not state.startswith("/"):
        state = str(Settings.model_fields["state_dir"].default)
    runtime, logs = (
        environ.get(name, "").partition(":")[0] for name in ("RUNTIME_DIRECTORY", "LOGS_DIRECTORY")
    )
    return {"state": state, "runtime": runtime or state, "logs": logs or state}


def _warn_of_readers(path: Path, problems: Problems) -> None:
    """A password or token in a file that everybody may read is everybody's."""
    written = next(
        (
            at
            for at, value in problems.values.items()
            if at[-1:] in (("password",), ("token",)) and value.place.file == str(path)
        ),
        None,
    )
    if written is None or not path.stat().st_mode & 0o004:
        return
    if any((*written[:-1], f"{written[-1]}_{form}") in problems.values for form in ("file", "credential")):
        return
    wanted = f"{written[-1]}_file, or a config that others can't read; run: chmod o-r {path}"
    problems.add(
        written, wanted, seen=f"a {written[-1]} that every user of this machine can read", warning=True
    )
