"""Secrets and certificates on disk: read, and looked at before they are trusted.

A secret comes from a file that only its owner may read, or from systemd as a credential. Errors name the
file and the command that mends it, never what is in it.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relayd.core import settings_schema as schema
from relayd.core.settings import Model

MAX_OCTETS = 64 * 1024  # passwords and keys; whatever is larger is another file


class Unusable(Exception):
    """A file that can't be used. `expected` follows the word "expected", `seen` the word "found"."""

    def __init__(self, *, seen: str, expected: str) -> None:
        super().__init__(f"found {seen}; expected {expected}")
        self.seen = seen
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The folder in which systemd puts credentials; None outside a unit."""

    folder: str | None

    def path(self, name: str) -> Path:
        """Raises Unusable."""
        if not name or "/" in name or name.startswith("."):
            raise Unusable(seen=f'"{name}"', expected="the name of a credential, as in LoadCredential=")
        if self.folder is None:
            raise Unusable(
                seen=f"no $CREDENTIALS_DIRECTORY for {name}",
                expected="to be started by systemd with LoadCredential= in the unit",
            )
        path = Path(self.folder) / name
        if not path.is_file():
            raise Unusable(seen=f"no credential {name}", expected=f"LoadCredential={name}:FILE in the unit")
        return path


def daemon_user(state_dir: Path) -> int | None:
    """The user id that relayd runs as, when root looks on its behalf: who owns the state's folder. None when
    that is not known, or not to be asked."""
    try:
        return state_dir.stat().st_uid if os.geteuid() == 0 else None
    except OSError:
        return None


def private(path: Path, user: int | None = None) -> None:
    """Refuse a file that others than its owner may read, or that `user` may not. Raises Unusable."""
    try:
        status = path.stat()
    except FileNotFoundError:
        raise Unusable(seen=f"no file {path}", expected="the path of a file that is there") from None
    except OSError as error:
        raise Unusable(seen=f"{path}: {error.strerror}", expected="a file that relayd can read") from None
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(seen=f"{path}, which is no file", expected="the path of a file")
    if status.st_mode & 0o077:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        raise Unusable(
            seen=f"{path} with mode {mode}",
            expected=f"a file that only its owner may read; run: chmod 600 {path}",
        )
    if user not in (None, 0, status.st_uid):
        raise Unusable(
            seen=f"{path}, owned by user id {status.st_uid}",
            expected=f"a file of the user that relayd runs as; run: chown {user} {path}",
        )
    # Root checks configs too, and there the file is the daemon's, whoever that is.
    if os.geteuid() != 0 and status.st_uid not in (0, os.geteuid()):
        raise Unusable(
            seen=f"{path}, owned by user id {status.st_uid}",
            expected=f"a file of root or of the user that relayd runs as; run: chown {os.geteuid()} {path}",
        )


def secret(path: Path) -> str:
    """The secret in a file, without the newline that editors put at its end. Raises Unusable."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise Unusable(seen=f"{path}: {error.strerror}", expected="a file that relayd can read") from None
    if len(octets) > MAX_OCTETS:
        raise Unusable(seen=f"{path} with {len(octets)} octets", expected="a file with one password in it")
    try:
        text = octets.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise Unusable(
            seen=f"{path}, which is not UTF-8", expected="a file with one password in it"
        ) from None
    if not text:
        raise Unusable(seen=f"{path}, which is empty", expected="a file with one password in it")
    return text


def roots(path: Path) -> None:
    """See that a file holds certificates to trust. Raises Unusable."""
    try:
        ssl.create_default_context(cafile=str(path))
    except FileNotFoundError:
        raise Unusable(seen=f"no file {path}", expected="a PEM file with certificates") from None
    except ssl.SSLError:
        raise Unusable(
            seen=f"{path} without a certificate", expected="a PEM file with certificates"
        ) from None
    except OSError as error:
        raise Unusable(seen=f"{path}: {error.strerror}", expected="a PEM file with certificates") from None


def certificate(chain: Path, key: Path) -> None:
    """See that a certificate and its key can be served. Raises Unusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # The password callback keeps OpenSSL from asking on the terminal for an encrypted key's passphrase.
        context.load_cert_chain(chain, key, password=lambda: "")
    except ssl.SSLError as error:
        reason = (error.reason or "unreadable").lower().replace("_", " ")
        raise Unusable(
            seen=f"{chain} and {key}: {reason}",
            expected="a PEM certificate chain, and the unencrypted PEM key that belongs to it",
        ) from None
    except OSError as error:
        missing = error.filename or next((path for path in (chain, key) if not path.is_file()), chain)
        raise Unusable(
            seen=f"{missing}: {error.strerror}", expected="a PEM file that relayd can read"
        ) from None


def look(
    valid: Mapping[str, Any], *, given: Collection[Path], user: int | None
) -> Iterator[tuple[tuple[str | int, ...], Unusable]]:
    """Look at the files that settings name. Certificates and roots must be there; signing keys may be made
    later, but what is there must be `user`'s and closed to others, unless systemd gave it."""
    for path, value in _paths(valid, ()):
        slot = schema.at(path)
        if slot is None or not isinstance(value, str):
            continue
        file = Path(value)
        try:
            if path == ("state_dir",) and file.exists() and not file.is_dir():
                raise Unusable(seen=f"{file}, which is no folder", expected="a folder, or a place for one")
            if slot.name == "ca_file":
                roots(file)
            elif slot.key_path and file not in given and (slot.name == "key" or file.exists()):
                private(file, user)
        except Unusable as trouble:
            yield path, trouble
    for index, listen in enumerate(valid.get("listen") or ()):
        if listen is not None and listen.tls is not None and Path(listen.tls.key).is_file():
            try:
                certificate(Path(listen.tls.certificate), Path(listen.tls.key))
            except Unusable as trouble:
                yield ("listen", index, "tls"), trouble


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Model):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _paths(child, (*path, key))
    elif isinstance(value, tuple):
        for index, child in enumerate(value):
            yield from _paths(child, (*path, index))
    else:
        yield path, value
