"""DKIM signing keys, and what the master key seals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from relayd import keyfiles, masterkey
from relayd.core import dkim, headers
from relayd.core.sender import Secret
from relayd.core.settings import Settings
from relayd.dkimkeys import KeyRing
from relayd.keyfiles import VaultError
from relayd.masterkey import MasterKey, NoMasterKey, SealBroken
from relayd.signer import Signer

__all__ = ["NoMasterKey", "SealBroken", "SigningFailed", "Vault", "VaultError"]


class SigningFailed(Exception):
    """A signature could not be made. Nothing may leave unsigned."""


class Vault:
    """Holds the platform's signing keys and what is derived from the master key. Its repr shows no secret."""

    def __init__(
        self,
        *,
        ring: KeyRing,
        master: bytes | Path,
        warnings: Sequence[str] = (),
        signer: Signer | None = None,
    ) -> None:
        """`master` is the master key, or the file it is in: there it may be missing, see `no_master`."""
        self.ring = ring
        self._signer = signer or Signer()
        self._stand_in = _private_octets(ring.private(ring.default))
        self._master_file = master if isinstance(master, Path) else None
        self._master = (
            MasterKey.load(master, stand_in=self._stand_in)
            if isinstance(master, Path)
            else MasterKey(master, stand_in=self._stand_in)
        )
        self._warnings = tuple(warnings)

    def __repr__(self) -> str:
        return f"Vault({self.ring!r})"

    @classmethod
    def open(
        cls, settings: Settings, state_dir: Path, *, empty_store: bool, signer: Signer | None = None
    ) -> Vault:
        """Load the keys that the settings name; relative paths start at `state_dir`.

        Keys are made only together with an empty store: made anew later, every record that customers have
        published would be wrong at once, and nobody would know why. Without the master key the vault opens
        all the same, see `no_master`; without a signing key, VaultError.
        """
        key_file = state_dir / settings.platform.dkim.key_file
        master_file = state_dir / settings.master_key_file
        ring = KeyRing.open(settings.platform.dkim.selector, key_file, make=empty_store)
        if empty_store:
            keyfiles.make(master_file, masterkey.new)
        return cls(
            ring=ring,
            master=master_file,
            warnings=(*ring.warnings(), *keyfiles.readable(master_file)),
            signer=signer,
        )

    @property
    def no_master(self) -> str | None:
        """Why nothing can be sealed or unsealed now, and what to do; None when the master key is there."""
        return self._master.problem

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the operator should know or do, one sentence each."""
        return self._warnings if self.no_master is None else (self.no_master, *self._warnings)

    def look_again(self) -> None:
        """Take up the master key that is in its file now: it was missing, or it was another one's. While we
        have one, a file that can't be used changes nothing. Reads a file."""
        if self._master_file is not None:
            found = MasterKey.load(self._master_file, stand_in=self._stand_in)
            if found.problem is None or self.no_master is not None:
                self._master = found

    @property
    def return_path_key(self) -> bytes:
        return self._master.return_path_key

    def seal(self, text: str, *, context: str) -> str:
        """Encrypt a secret that is to be kept. It opens with the same context only, which names its place
        ("sender:acme:upstream.password"): moved elsewhere it is worth nothing. Raises NoMasterKey."""
        return self._master.seal(text, context=context)

    def unseal(self, sealed: str, *, context: str) -> Secret:
        """Raises SealBroken; NoMasterKey, which is one, where the key is missing."""
        return self._master.unseal(sealed, context=context)

    async def sign(
        self,
        header: bytes,
        body_hash: bytes,
        domains: Sequence[str],
        timestamp: int,
        selectors: Mapping[str, str] = MappingProxyType({}),
    ) -> bytes:
        """DKIM-Signature fields to put on top of `header`, one for each domain (d=) in this order; b"" for
        none. `body_hash` is the SHA-256 of the simple body; `timestamp` goes into t=, in seconds since 1970.
        `selectors` says with which key for a domain; one that isn't named is signed for with the ring's
        default.

        Raises SigningFailed, whatever went wrong.
        """
        if not domains:
            return b""
        try:
            h, canonical = dkim.signed_part(headers.parse(header))
            chosen = [(domain, selectors.get(domain) or self.ring.default) for domain in domains]
            fields = [
                dkim.unsigned(domain=domain, selector=selector, h=h, body_hash=body_hash, timestamp=timestamp)
                for domain, selector in chosen
            ]
            signatures = await self._signer.sign(
                [
                    (self.ring.private(selector), sha256(canonical + field.hashed).digest())
                    for (_, selector), field in zip(chosen, fields, strict=True)
                ]
            )
            return b"".join(map(dkim.signature_field, fields, signatures))
        except Exception as error:
            raise SigningFailed(f"no signature: {type(error).__name__}") from error

    def fingerprint(self, text: str) -> str:
        """A keyed hash of a secret, of no use to whoever tries words against it; compare with `matches`."""
        return self._master.fingerprint(text)

    def matches(self, text: str, fingerprint: str) -> bool:
        """Whether the fingerprint is of this text. While the master key is missing, that can't be told of
        those made with it: they count as the same, so that no refused password is tried once more."""
        return self._master.matches(text, fingerprint)

    def sign_at_once(self, alone: Callable[[], bool]) -> None:
        """While `alone` says that one client is being served, sign on the loop: nobody else waits for it."""
        self._signer.alone = alone

    def close(self) -> None:
        self._signer.close()


def _private_octets(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
