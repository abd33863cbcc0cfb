"""The process that signs.

While it computes a signature, `cryptography` doesn't hold the interpreter's lock; but a thread that signs
has to have it again after each one, behind a busy event loop. With 20 clients a signature waited 6 ms for a
lock it needed for microseconds, and the loop waited in turn. A process has a lock of its own. What goes over
to it is a digest, what comes back a signature; it never sees a message, and nothing else of the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

log = logging.getLogger("relayd.signer")

PACKET: Final = 16 * 1024
"""Octets that the longest packet fits in: a private key of 8192 bits has 5 KiB."""

_PADDING = padding.PKCS1v15()
_SHA256 = Prehashed(hashes.SHA256())
_NOT_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # the daemon ends when it is done, and we with it
_KEY, _DIGEST, _FAILED = b"K", b"D", b"!"


@dataclass(frozen=True, slots=True)
class _Job:
    key: rsa.RSAPrivateKey
    digest: bytes
    done: asyncio.Future[bytes]


class Signer:
    """Signs SHA-256 digests (RSASSA-PKCS1-v1_5), in its process where it has one: see `fork`."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._process = 0
        self._listening = False
        self._closed = False
        self._sent: list[rsa.RSAPrivateKey] = []  # keys that the process knows, by their place here
        self._waiting: deque[_Job] = deque()  # for answers, which come in the order of the questions

    @classmethod
    def fork(cls) -> Signer:
        """A signer with a process of its own. To be called before there are threads, since a fork takes along
        only its own; the process ends with this one, however that ends. Raises OSError."""
        signer = cls()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        gc.freeze()  # what is shared by both stays shared, as long as no collector writes to it
        signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_OURS)
        try:
            signer._process = os.fork()
            if not signer._process:
                _serve(theirs)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOT_OURS)
        theirs.close()
        signer._line = ours
        return signer

    async def sign(self, wanted: Sequence[tuple[rsa.RSAPrivateKey, bytes]]) -> list[bytes]:
        """A signature for each key and digest. Raises ValueError for a key that is too short, RuntimeError
        after `close`."""
        if self._closed:
            raise RuntimeError("the signer is closed")
        asked: list[bytes | asyncio.Future[bytes]] = []
        for key, digest in wanted:
            if self._line is None or not self._ask(self._line, key, digest):
                asked.append(_signed(key, digest))
            else:
                job = _Job(key, digest, asyncio.get_running_loop().create_future())
                self._waiting.append(job)
                asked.append(job.done)
        return [one if isinstance(one, bytes) else await one for one in asked]

    def close(self) -> None:
        """Let the process end. Nothing is signed after that but what was asked for before."""
        self._closed = True
        self._hang_up()

    def _hang_up(self) -> None:
        if self._line is None:
            return
        if self._listening:
            asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()
        self._line = None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._process, 0)
        while self._waiting:
            self._answer(self._waiting.popleft())

    def _ask(self, line: socket.socket, key: rsa.RSAPrivateKey, digest: bytes) -> bool:
        """False when the question can't be put now."""
        if not self._listening:
            asyncio.get_running_loop().add_reader(line, self._hear, line)
            self._listening = True
        try:
            number = next((n for n, known in enumerate(self._sent) if known is key), None)
            if number is None:
                line.send(_KEY + _octets(key))
                self._sent.append(key)
                number = len(self._sent) - 1
            line.send(_DIGEST + number.to_bytes(2, "big") + digest)
        except OSError:  # it has too much to do, or it is gone, which `_hear` finds out
            return False
        return True

    def _hear(self, line: socket.socket) -> None:
        while True:
            try:
                answer = line.recv(PACKET)
            except BlockingIOError:
                return
            except OSError:
                answer = b""
            if not answer:
                log.error("the process that signs is gone; signing goes on, more slowly, until a restart")
                self._hang_up()
                return
            job = self._waiting.popleft()
            if answer == _FAILED:
                self._answer(job)
            elif not job.done.done():  # whoever asked may be gone
                job.done.set_result(answer)
            if not self._waiting:
                return

    def _answer(self, job: _Job) -> None:
        """Sign here what the process did not."""
        if job.done.done():
            return
        try:
            job.done.set_result(_signed(job.key, job.digest))
        except Exception as error:
            job.done.set_exception(error)


def _signed(key: rsa.RSAPrivateKey, digest: bytes) -> bytes:
    return key.sign(digest, _PADDING, _SHA256)


def _octets(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _serve(line: socket.socket) -> NoReturn:
    """The process: answer until the other side is gone."""
    code = 1
    try:
        for number in _NOT_OURS:
            signal.signal(number, signal.SIG_IGN)
        # Whatever else is open belongs to the daemon: a lock of its state must not outlive it here.
        for open_file in map(int, os.listdir("/proc/self/fd")):
            if open_file > 2 and open_file != line.fileno():
                with contextlib.suppress(OSError):  # the folder that was listed
                    os.close(open_file)
        gc.disable()
        _answer_all(line)
        code = 0
    finally:
        os._exit(code)


def _answer_all(line: socket.socket) -> None:
    keys: list[rsa.RSAPrivateKey] = []
    while packet := line.recv(PACKET):
        kind, rest = packet[:1], packet[1:]
        if kind == _KEY:
            key = serialization.load_der_private_key(rest, None)
            assert isinstance(key, rsa.RSAPrivateKey)
            keys.append(key)
            continue
        try:
            line.send(_signed(keys[int.from_bytes(rest[:2], "big")], rest[2:]))
        except ValueError:
            line.send(_FAILED)
