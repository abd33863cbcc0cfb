"""DKIM signing keys and the master key."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import os
import queue
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from relayd.core import dkim, headers
from relayd.core.settings import Settings

KEY_BITS = 2048
"""RFC 8301 section 3.2 says at least 1024 and should be 2048; a larger key no longer fits one DNS string
of a UDP answer everywhere."""

KEY_BITS_MIN = 1024

MASTER_OCTETS = 32

BATCH = 8
"""Most signatures made before the first of them is answered: enough to share the cost of waking the loop, few
enough that 20 sessions don't march in step."""

_PADDING = padding.PKCS1v15()
_SHA256 = hashes.SHA256()


class VaultError(Exception):
    """A key is missing or unusable; the text names the file and what to do. The daemon must not start."""


class SigningFailed(Exception):
    """A signature could not be made. Nothing may leave unsigned."""


class Record(NamedTuple):
    """A TXT record to publish. A zone file splits texts of more than 255 octets into strings."""

    name: str
    text: str


class Vault:
    """Holds the platform's signing key and what is derived from the master key. Its repr shows no secret."""

    def __init__(
        self, *, key: rsa.RSAPrivateKey, selector: str, master: bytes, warnings: Sequence[str] = ()
    ) -> None:
        self._key = key
        self._selector = selector
        self._signer = _Signer(key)
        self.return_path_key = _derive(master, b"relayd return path v1")
        self._fingerprint_key = _derive(master, b"relayd fingerprint v1")
        self.public_key = public_key(key)
        self.warnings = tuple(warnings)

    def __repr__(self) -> str:
        return f"Vault(selector={self._selector!r})"

    @classmethod
    def open(cls, settings: Settings, state_dir: Path, *, empty_store: bool) -> Vault:
        """Load the keys that the settings name; relative paths start at `state_dir`.

        Keys are made only together with an empty store: made anew later, every record that customers have
        published would be wrong at once, and nobody would know why. Raises VaultError.
        """
        key_file = state_dir / settings.platform.dkim.key_file
        master_file = state_dir / settings.master_key_file
        if empty_store:
            _make(key_file, new_key)
            _make(master_file, _new_master)
        key = load_key(key_file)
        return cls(
            key=key,
            selector=settings.platform.dkim.selector,
            master=_load_master(master_file),
            warnings=(*_weak(key), *_readable(key_file), *_readable(master_file)),
        )

    async def sign(self, header: bytes, body_hash: bytes, domains: Sequence[str], timestamp: int) -> bytes:
        """DKIM-Signature fields to put on top of `header`, one for each domain (d=) in this order; b"" for
        none. `body_hash` is the SHA-256 of the simple body; `timestamp` goes into t=, in seconds since 1970.

        Raises SigningFailed, whatever went wrong.
        """
        if not domains:
            return b""
        try:
            h, canonical = dkim.signed_part(headers.parse(header))
            fields = [
                dkim.unsigned(
                    domain=domain, selector=self._selector, h=h, body_hash=body_hash, timestamp=timestamp
                )
                for domain in domains
            ]
            return await self._signer.sign(canonical, fields)
        except Exception as error:
            raise SigningFailed(f"no signature: {type(error).__name__}") from error

    def public_record(self, selector: str, domain: str) -> Record:
        """The record that lets receivers check our signatures for this domain."""
        return public_record(self.public_key, selector, domain)

    def fingerprint(self, text: str) -> str:
        """A keyed hash: equal for equal secrets, and of no use to whoever tries words against it."""
        return hmac.new(self._fingerprint_key, text.encode(), "sha256").hexdigest()

    def sign_at_once(self, alone: Callable[[], bool]) -> None:
        """While `alone` says that nobody else is being served, sign on the loop: waking a thread and being
        woken by it takes as long as the signature itself, and delays nobody but the one who waits for it."""
        self._signer.alone = alone

    def close(self) -> None:
        self._signer.close()


@dataclass(frozen=True, slots=True)
class _Job:
    canonical: bytes
    fields: Sequence[dkim.Unsigned]
    done: asyncio.Future[bytes]


class _Signer:
    """A thread that signs what waits, a few at a time; what comes alone is signed at once.

    `cryptography` holds no lock of the interpreter while it works, so a second core signs while the loop goes
    on. An executor would do the same, but hands over each call by itself: 0.1 ms of processor time, a third
    of the signature.
    """

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self.alone: Callable[[], bool] = lambda: False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def sign(self, canonical: bytes, fields: Sequence[dkim.Unsigned]) -> bytes:
        if self._closed:
            raise RuntimeError("the vault is closed")
        if self.alone():
            return self._signed(canonical, fields)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sign", daemon=True)
            self._thread.start()
        job = _Job(canonical, fields, asyncio.get_running_loop().create_future())
        self._jobs.put(job)
        return await job.done

    def close(self) -> None:
        self._closed = True
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job]
            while len(jobs) < BATCH and not self._jobs.empty():
                if (job := self._jobs.get()) is None:
                    self._jobs.put(None)
                    break
                jobs.append(job)
            answers = [(job, self._sign(job)) for job in jobs]
            for loop in {job.done.get_loop() for job in jobs}:
                mine = [(job, answer) for job, answer in answers if job.done.get_loop() is loop]
                with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                    loop.call_soon_threadsafe(_answer, mine)

    def _sign(self, job: _Job) -> bytes | Exception:
        try:
            return self._signed(job.canonical, job.fields)
        except Exception as error:
            return error

    def _signed(self, canonical: bytes, fields: Sequence[dkim.Unsigned]) -> bytes:
        return b"".join(
            [
                dkim.signature_field(field, self._key.sign(canonical + field.hashed, _PADDING, _SHA256))
                for field in fields
            ]
        )


def _answer(answers: Sequence[tuple[_Job, bytes | Exception]]) -> None:
    for job, answer in answers:
        if job.done.done():  # cancelled
            continue
        if isinstance(answer, bytes):
            job.done.set_result(answer)
        else:
            job.done.set_exception(answer)


def new_key() -> bytes:
    """A new RSA key as PEM (PKCS #8), for `relayd dkim new`."""
    return rsa.generate_private_key(65537, KEY_BITS).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(path: Path) -> rsa.RSAPrivateKey:
    """Read a private key in PEM (PKCS #1 or #8; line ends of any kind). Raises VaultError."""
    try:
        key = serialization.load_pem_private_key(_read(path), None)
    except TypeError:
        raise VaultError(f"{path}: the key is encrypted; store it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise VaultError(f"{path}: this is no private key in PEM form") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise VaultError(f"{path}: this is no RSA key; some receivers can't check any other")
    if key.key_size < KEY_BITS_MIN:
        raise VaultError(
            f"{path}: the key has {key.key_size} bits; receivers ignore signatures below {KEY_BITS_MIN} "
            f"(RFC 8301); make one of {KEY_BITS} with: relayd dkim new"
        )
    return key


def public_key(key: rsa.RSAPrivateKey) -> bytes:
    """The public half as receivers get it: SubjectPublicKeyInfo, DER."""
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_record(key: bytes, selector: str, domain: str) -> Record:
    """The record for a public key (RFC 6376 section 3.6.1)."""
    public = base64.b64encode(key).decode("ascii")
    return Record(name=f"{selector}._domainkey.{domain}", text=f"v=DKIM1; k=rsa; p={public}")


def _weak(key: rsa.RSAPrivateKey) -> tuple[str, ...]:
    if key.key_size >= KEY_BITS:
        return ()
    return (f"the DKIM key has {key.key_size} bits; use {KEY_BITS} (RFC 8301)",)


def _readable(path: Path) -> tuple[str, ...]:
    """Only of `others`: a group of its own is how some systems hand secrets to services."""
    if not path.stat().st_mode & 0o007:
        return ()
    return (f"{path} can be read by every user of this machine; take that right away with: chmod o= {path}",)


def _new_master() -> bytes:
    return base64.b64encode(secrets.token_bytes(MASTER_OCTETS)) + b"\n"


def _load_master(path: Path) -> bytes:
    try:
        master = base64.b64decode(_read(path).strip(), validate=True)
    except ValueError:
        master = b""
    if len(master) != MASTER_OCTETS:
        raise VaultError(
            f"{path}: a master key is {MASTER_OCTETS} octets in base64; restore it from a backup"
        )
    return master


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise VaultError(
            f"{path}: the key is missing. The store in use was made with it, so no new one is made: restore "
            "it from a backup, or correct the path"
        ) from None
    except OSError as error:
        raise VaultError(f"{path}: can't be read: {error.strerror}") from None


def _make(path: Path, content: Callable[[], bytes]) -> None:
    """Write a new secret that either is there whole or not at all; one that is there stays."""
    if path.exists():
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(path, content())
    except OSError as error:
        raise VaultError(f"{path}: the new key can't be written: {error.strerror}") from None


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)  # unlike a rename, this never replaces a key made meanwhile
        _sync(path.parent)
    finally:
        temporary.unlink()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose).derive(master)
