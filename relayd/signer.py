"""Signing, in a process of its own.

While it computes a signature, `cryptography` doesn't hold the interpreter's lock; but a thread that signs
has to have it again after each one, behind a busy event loop. With 20 clients a signature waited 6 ms for a
lock it needed for microseconds, and the loop waited in turn. A process has a lock of its own. What goes over
to it is a digest, what comes back a signature; it never sees a message, and nothing else of the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from relayd.signing_process import DIGEST, FAILED, KEY, PACKET, Process, signature, written

log = logging.getLogger("relayd.signer")


@dataclass(frozen=True, slots=True)
class _Job:
    key: rsa.RSAPrivateKey
    digest: bytes
    done: asyncio.Future[bytes]


class Signer:
    """Signs SHA-256 digests (RSASSA-PKCS1-v1_5): there where it has a process, else here; and here while
    `alone` says that one client is being served, which saves it two changes between processes."""

    def __init__(self, process: Process | None = None) -> None:
        self._line: socket.socket | None = process.line if process else None
        self._pid = process.pid if process else 0
        self.alone: Callable[[], bool] = lambda: False
        self._listening = False
        self._closed = False
        self._sent: list[rsa.RSAPrivateKey] = []  # keys that the process knows, by their place here
        self._waiting: deque[_Job] = deque()  # for answers, which come in the order of the questions

    async def sign(self, wanted: Sequence[tuple[rsa.RSAPrivateKey, bytes]]) -> list[bytes]:
        """A signature for each key and digest. Raises ValueError for a key that is too short, RuntimeError
        after `close`."""
        if self._closed:
            raise RuntimeError("the signer is closed")
        asked: list[bytes | asyncio.Future[bytes]] = []
        for key, digest in wanted:
            if self._line is None or self.alone() or not self._ask(self._line, key, digest):
                asked.append(signature(key, digest))
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
            os.waitpid(self._pid, 0)
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
                line.send(KEY + written(key))
                self._sent.append(key)
                number = len(self._sent) - 1
            line.send(DIGEST + number.to_bytes(2, "big") + digest)
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
            if answer == FAILED:
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
            job.done.set_result(signature(job.key, job.digest))
        except Exception as error:
            job.done.set_exception(error)
