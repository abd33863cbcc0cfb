"""The platform's signing keys: one, or two while it is changed, each under a selector of its own.

The first is in `key_file`, the other beside it in `<selector>.pem`. Both selectors are known from the first
day, so that customers can publish CNAMEs for both, and a change of the key needs nothing from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from relayd import keyfiles
from relayd.core.records.dkimkey import BITS_MIN, OurKey, other_selector
from relayd.keyfiles import VaultError

KEY_BITS = 2048
"""RFC 8301 section 3.2 says at least 1024 and should be 2048; a larger key no longer fits one DNS string
of a UDP answer everywhere."""


class KeyRing:
    """The signing keys there are, the newest first. Its repr shows no secret."""

    def __init__(
        self, keys: Mapping[str, rsa.RSAPrivateKey], files: Mapping[str, Path] | None = None
    ) -> None:
        """`keys` by selector, the newest first; `files` has the place of each and of those that may come."""
        self._private = dict(keys)
        self._files = dict(files or {})
        self._tell()

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._private)})"

    @classmethod
    def open(cls, selector: str, key_file: Path, *, make: bool) -> KeyRing:
        """Load the keys whose files are there; with `make`, the first one is made when there is none. Raises
        VaultError."""
        files = key_files(selector, key_file)
        there = [name for name, path in files.items() if path.exists()]
        if make and not there:
            keyfiles.make(key_file, new_key)
        return cls({name: load_key(files[name]) for name in there or [selector]}, files)

    @property
    def default(self) -> str:
        """The selector to sign with where it isn't known which keys are published: of the key that has been
        there longest."""
        return list(self._private)[-1]

    def private(self, selector: str) -> rsa.RSAPrivateKey:
        """Raises KeyError."""
        return self._private[selector]

    def file(self, selector: str) -> Path | None:
        return self._files.get(selector)

    def prefer(self, selector: str) -> None:
        """This key is the newest. The file names don't say so."""
        self._private = {selector: self._private.pop(selector), **self._private}
        self._tell()

    def next_selector(self) -> str:
        """That the other key will have. Raises VaultError when there is no place for it."""
        free = [name for name in self._files if name not in self._private]
        if not free:
            raise VaultError("there is no place for another key: it may not be called like key_file")
        return free[0]

    def make(self) -> OurKey:
        """Make the other key, which becomes the newest; one whose file is there already is taken as it is.
        It takes a while. Raises VaultError."""
        selector = self.next_selector()
        keyfiles.make(self._files[selector], new_key)
        self._private = {selector: load_key(self._files[selector]), **self._private}
        self._tell()
        return self.keys[0]

    def drop(self, selector: str) -> None:
        """Forget a key that no domain needs any more, and its file. The last one stays."""
        if list(self._private) == [selector]:
            raise ValueError("the only key there is")
        keyfiles.remove(self._files[selector])
        del self._private[selector]
        self._tell()

    def warnings(self) -> Sequence[str]:
        """What the operator should change, one sentence each."""
        found = [line for key in self._private.values() for line in _weak(key)]
        return [*found, *(line for name in self._private for line in keyfiles.readable(self._files[name]))]

    def _tell(self) -> None:
        self.keys: tuple[OurKey, ...] = tuple(
            OurKey(selector=name, public_key=public_key(key)) for name, key in self._private.items()
        )


def key_files(selector: str, key_file: Path) -> dict[str, Path]:
    """Where the keys of the two selectors are, by selector, the configured one last. The other has no place
    when `key_file` is called like it."""
    other = other_selector(selector)
    beside = key_file.with_name(f"{other}.pem")
    return {selector: key_file} if beside == key_file else {other: beside, selector: key_file}


def new_key() -> bytes:
    """A new RSA key as PEM (PKCS #8)."""
    return rsa.generate_private_key(65537, KEY_BITS).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """Read a private key in PEM (PKCS #1 or #8; line ends of any kind). Raises VaultError."""
    try:
        key = serialization.load_pem_private_key(keyfiles.read(path), None)
    except TypeError:
        raise VaultError(f"{path}: the key is encrypted; store it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise VaultError(f"{path}: this is no private key in PEM form") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise VaultError(f"{path}: this is no RSA key; some receivers can't check any other")
    if key.key_size < BITS_MIN:
        raise VaultError(
            f"{path}: the key has {key.key_size} bits; receivers ignore signatures below {BITS_MIN} "
            f"(RFC 8301); make one of {KEY_BITS} with: relayd dkim new"
        )
    return key


def public_key(key: rsa.RSAPrivateKey) -> bytes:
    """The public half as receivers get it: SubjectPublicKeyInfo, DER."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _weak(key: rsa.RSAPrivateKey) -> tuple[str, ...]:
    if key.key_size >= KEY_BITS:
        return ()
    return (f"the DKIM key has {key.key_size} bits; use {KEY_BITS} (RFC 8301)",)
