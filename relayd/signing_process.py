"""The process that signs: digests in, signatures out. `relayd.signer` is the daemon's side of it.

It is forked first of all, so this file imports next to nothing: the less there is in memory, the less of it
both have to keep a copy of as the daemon goes on.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
from typing import Final, NamedTuple, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

LENGTH: Final = 2
"""Octets that a length and the number of a key are written in."""

_KEY, _DIGEST, _OCTETS = b"K", b"D", 32

_NOT_OURS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # the daemon ends when it is done, and we with it
_PADDING = padding.PKCS1v15()
_SHA256 = Prehashed(hashes.SHA256())


class Process(NamedTuple):
    """The process, as the daemon sees it. It ends when the line does, and so with the daemon, however that
    ends."""

    line: socket.socket
    pid: int


def fork() -> Process:
    """To be called before there are threads: a fork takes along only its own. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    gc.freeze()  # what is shared by both stays shared, as long as no collector writes to it
    signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_OURS)
    try:
        pid = os.fork()
        if not pid:
            _serve(theirs)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOT_OURS)
    theirs.close()
    ours.setblocking(False)
    return Process(ours, pid)


def signature(key: rsa.RSAPrivateKey, digest: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 of a SHA-256 digest. Raises ValueError."""
    return key.sign(digest, _PADDING, _SHA256)


def key_question(key: rsa.RSAPrivateKey) -> bytes:
    """The next key, as its numbers. Not DER: what reads that takes 1 MiB, which this process would keep for
    one key."""
    private = key.private_numbers()
    public = private.public_numbers
    numbers = (private.p, private.q, private.d, private.dmp1, private.dmq1, private.iqmp, public.e, public.n)
    return _KEY + _with_length(b" ".join(b"%x" % number for number in numbers))


def digest_question(key: int, digest: bytes) -> bytes:
    """A SHA-256 digest to sign with the key of this number."""
    return _DIGEST + key.to_bytes(LENGTH, "big") + digest


def answer_at(heard: bytes, at: int) -> bytes | None:
    """The answer that begins there: a signature, or b"" where there is none; None while it isn't whole."""
    end = at + LENGTH + int.from_bytes(heard[at : at + LENGTH], "big")
    return heard[at + LENGTH : end] if at + LENGTH <= len(heard) and end <= len(heard) else None


def _with_length(text: bytes) -> bytes:
    return len(text).to_bytes(LENGTH, "big") + text


def _read(text: bytes) -> rsa.RSAPrivateKey:
    p, q, d, dmp1, dmq1, iqmp, e, n = (int(number, 16) for number in text.split())
    public = rsa.RSAPublicNumbers(e, n)
    return rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, public).private_key()


def _serve(line: socket.socket) -> NoReturn:
    code = 1
    try:
        for number in _NOT_OURS:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _NOT_OURS)
        # Whatever else is open belongs to the daemon: a lock of its state must not outlive it here.
        for open_file in map(int, os.listdir("/proc/self/fd")):
            if open_file > 2 and open_file != line.fileno():
                with contextlib.suppress(OSError):  # the folder that was listed
                    os.close(open_file)
        gc.disable()
        _answer(line)
        code = 0
    finally:
        os._exit(code)


def _answer(line: socket.socket) -> None:
    keys: list[rsa.RSAPrivateKey] = []
    with line.makefile("rb") as questions:
        while kind := questions.read(1):
            number = int.from_bytes(questions.read(LENGTH), "big")
            if kind == _KEY:
                keys.append(_read(questions.read(number)))
                continue
            try:
                answer = signature(keys[number], questions.read(_OCTETS))
            except ValueError:
                answer = b""
            line.sendall(_with_length(answer))
