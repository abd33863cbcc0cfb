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
import signal
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from cryptography.hazmat.primitives.asymmetric import rsa

from relayd.signing_process import LENGTH, Process, answer_at, digest_question, key_question, signature

log = logging.getLogger("relayd.signer")

MOST = 256
"""Digests that wait for the process at most, some 100 ms of work: behind more, to sign here is quicker."""

PATIENCE = 1.0
"""Seconds between two looks at whether the process still answers. After two in a row without an answer it
counts as lost; not after one, which may itself be late, and come before answers that are there to be read."""


@dataclass(frozen=True, slots=True)
class _Job:
    key: rsa.RSAPrivateKey
    digest: bytes
    done: asyncio.Future[bytes]


class Signer(asyncio.Protocol):
    """Signs SHA-256 digests (RSASSA-PKCS1-v1_5): there once it has `start`ed with a process, else here; and
    here while `alone` says that one client is being served, which saves it two changes between processes."""

    def __init__(self, process: Process | None = None) -> None:
        self._process = process
        # A transport, not a socket: `socket.send` gives the interpreter's lock away for each digest.
        self._line: asyncio.Transport | None = None
        self.alone: Callable[[], bool] = lambda: False
        self._closed = False
        self._sent: list[rsa.RSAPrivateKey] = []  # keys that the process knows, by their place here
        self._waiting: deque[_Job] = deque()  # for answers, which come in the order of the questions
        self._heard = b""
        self._watched = False  # `_look` will look again
        self._answered = False  # since it last did

    async def start(self) -> None:
        """Take up the line to the process."""
        if self._process is not None:
            loop = asyncio.get_running_loop()
            await loop.create_unix_connection(lambda: self, sock=self._process.line)

    async def sign(self, wanted: Sequence[tuple[rsa.RSAPrivateKey, bytes]]) -> list[bytes]:
        """A signature for each key and digest. Raises ValueError for a key that is too short, RuntimeError
        after `close`."""
        if self._closed:
            raise RuntimeError("the signer is closed")
        asked: list[bytes | asyncio.Future[bytes]] = []
        for key, digest in wanted:
            if self._line is None or self.alone() or len(self._waiting) >= MOST:
                asked.append(signature(key, digest))
            else:
                job = _Job(key, digest, asyncio.get_running_loop().create_future())
                self._line.write(self._question(job))
                self._waiting.append(job)
                if not self._watched:
                    self._watch(2)
                asked.append(job.done)
        return [one if isinstance(one, bytes) else await one for one in asked]

    def close(self) -> None:
        """Let the process end. Nothing is signed after that but what was asked for before."""
        self._closed = True
        self._hang_up()

    def _hang_up(self) -> None:
        if self._process is None:
            return
        if self._line is None:
            self._process.line.close()
        else:
            self._line.abort()
            self._line = None
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self._process.pid, signal.SIGKILL)  # one that is stopped would not see the line end
            os.waitpid(self._process.pid, 0)
        self._process = None
        while self._waiting:
            self._answer(self._waiting.popleft())

    def _question(self, job: _Job) -> bytes:
        number = next((n for n, known in enumerate(self._sent) if known is job.key), None)
        if number is not None:
            return digest_question(number, job.digest)
        question = key_question(job.key) + digest_question(len(self._sent), job.digest)
        self._sent.append(job.key)
        return question

    def _watch(self, looks: int) -> None:
        self._watched, self._answered = True, False
        asyncio.get_running_loop().call_later(PATIENCE, self._look, looks - 1)

    def _look(self, looks: int) -> None:
        """`looks` are left until the process counts as lost."""
        if not self._waiting:
            self._watched = False
        elif self._answered:
            self._watch(2)
        elif looks:
            self._watch(looks)
        else:
            self._lose("does not answer")

    def _lose(self, how: str) -> None:
        log.error("the process that signs %s; signing goes on, more slowly, until a restart", how)
        self._hang_up()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._line = cast(asyncio.Transport, transport)  # uvloop's are transports by behaviour

    def data_received(self, data: bytes) -> None:
        self._answered = True
        heard = self._heard + data
        at = 0
        while (answer := answer_at(heard, at)) is not None:
            at += LENGTH + len(answer)
            job = self._waiting.popleft()
            if not answer:
                self._answer(job)
            elif not job.done.done():  # whoever asked may be gone
                job.done.set_result(answer)
        self._heard = heard[at:]

    def connection_lost(self, error: Exception | None) -> None:
        if self._line is not None:
            self._lose("is gone")

    def _answer(self, job: _Job) -> None:
        """Sign here what the process did not."""
        if job.done.done():
            return
        try:
            job.done.set_result(signature(job.key, job.digest))
        except Exception as error:
            job.done.set_exception(error)
