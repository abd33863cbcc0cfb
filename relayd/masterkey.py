"""The master key: what it seals, and what is derived from it.

It may be missing while the rest goes on: see docs/decisions/0008-a-missing-master-key.md.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from relayd import keyfiles
from relayd.core.sender import Secret
from relayd.keyfiles import VaultError

MASTER_OCTETS = 32

NONCE_OCTETS = 12
"""Drawn anew for each seal. 2**32 of them under one key are safe (NIST SP 800-38D section 8.3)."""

_SEALED = "v1:"
"""In front of what is sealed: AES-256-GCM, then base64 of nonce, ciphertext and tag."""

_STAND_IN = "stand-in:"

_MEANWHILE = (
    "Until then mail that needs a password sealed with it is held, and no password can be stored. If the key "
    "is lost for good, make one with `openssl rand -base64 32`, reload, and enter those passwords again"
)


class SealBroken(Exception):
    """What was sealed can't be opened: another master key, another context, or changed octets."""


class NoMasterKey(SealBroken):
    """Nothing can be sealed or opened; the text names the file and what to do."""


class MasterKey:
    """Seals secrets and derives keys. Its repr shows no secret."""

    def __init__(self, key: bytes | None, *, stand_in: bytes, problem: str | None = None) -> None:
        """`stand_in` are secret octets that are always there, such as the DKIM key: without a master key,
        return paths and fingerprints stand on them, so that they can be read after a restart. Nothing is
        ever sealed with it. `problem` says why `key` is None, and what to do."""
        self.problem = problem
        self.return_path_key = _derive(key or stand_in, b"relayd return path v1")
        self._fingerprint_key = None if key is None else _derive(key, b"relayd fingerprint v1")
        self._stand_in_key = _derive(stand_in, b"relayd stand-in fingerprint v1")
        self._cipher = None if key is None else AESGCM(_derive(key, b"relayd seal v1"))

    @classmethod
    def load(cls, path: Path, *, stand_in: bytes) -> MasterKey:
        try:
            return cls(_load(path), stand_in=stand_in)
        except VaultError as error:
            return cls(None, stand_in=stand_in, problem=f"{error}. {_MEANWHILE}")

    def seal(self, text: str, *, context: str) -> str:
        if self._cipher is None:
            raise NoMasterKey(self.problem)
        nonce = secrets.token_bytes(NONCE_OCTETS)
        sealed = self._cipher.encrypt(nonce, text.encode(), _associated(context))
        return _SEALED + base64.b64encode(nonce + sealed).decode("ascii")

    def unseal(self, sealed: str, *, context: str) -> Secret:
        if self._cipher is None:
            raise NoMasterKey(self.problem)
        try:
            if not sealed.startswith(_SEALED):
                raise ValueError
            octets = base64.b64decode(sealed.removeprefix(_SEALED), validate=True)
            nonce, rest = octets[:NONCE_OCTETS], octets[NONCE_OCTETS:]
            return Secret(self._cipher.decrypt(nonce, rest, _associated(context)).decode())
        except (InvalidTag, ValueError):
            raise SealBroken(
                f"what was sealed as {context} can't be opened: it was sealed with another master key, or "
                "changed since"
            ) from None

    def fingerprint(self, text: str) -> str:
        if self._fingerprint_key is None:
            return _STAND_IN + _hash(self._stand_in_key, text)
        return _hash(self._fingerprint_key, text)

    def matches(self, text: str, fingerprint: str) -> bool:
        if fingerprint.startswith(_STAND_IN):
            return hmac.compare_digest(_hash(self._stand_in_key, text), fingerprint.removeprefix(_STAND_IN))
        if self._fingerprint_key is None:
            return True
        return hmac.compare_digest(_hash(self._fingerprint_key, text), fingerprint)


def new() -> bytes:
    """The content of a new master key's file."""
    return base64.b64encode(secrets.token_bytes(MASTER_OCTETS)) + b"\n"


def _load(path: Path) -> bytes:
    try:
        master = base64.b64decode(keyfiles.read(path).strip(), validate=True)
    except ValueError:
        master = b""
    if len(master) != MASTER_OCTETS:
        raise VaultError(
            f"{path}: a master key is {MASTER_OCTETS} octets in base64; restore it from a backup"
        )
    return master


def _associated(context: str) -> bytes:
    return _SEALED.encode() + context.encode()


def _hash(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def _derive(start: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(start)
