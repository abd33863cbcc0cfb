"""The process that signs: the same signatures as without it, whatever becomes of it."""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import sys
import textwrap
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from relayd.dkimkeys import new_key
from relayd.signer import Signer

DIGEST = hashlib.sha256(b"a message").digest()

_BEFORE = """
import asyncio, hashlib, os, signal, sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from relayd.signer import Signer
from relayd.signing_process import fork

keys = [load_pem_private_key(pem, None, unsafe_skip_rsa_key_validation=True) for pem in KEYS]
digests = [hashlib.sha256(b"%d" % n).digest() for n in range(40)]
here = asyncio.run(Signer().sign([(key, digest) for digest in digests for key in keys]))
signer = Signer(fork())
child = signer._process.pid

async def there():
    await signer.start()
    asked = [signer.sign([(key, digest) for key in keys]) for digest in digests]
    return [one for pair in await asyncio.gather(*asked) for one in pair]

def ended(pid):
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True
"""


@cache
def before() -> str:
    return f"KEYS = {[new_key() for _ in range(2)]}\n{_BEFORE}"


def run(script: str) -> str:
    """In a process of its own: pytest has threads, and nobody forks with those."""
    done = subprocess.run(
        [sys.executable, "-c", before() + textwrap.dedent(script)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_process_gives_the_same_signatures_in_the_same_order() -> None:
    run("""
        assert asyncio.run(there()) == here
        assert not ended(child)
    """)


def test_for_a_lone_client_it_is_not_asked() -> None:
    run("""
        signer.alone = lambda: True
        os.kill(child, signal.SIGSTOP)
        try:
            assert asyncio.run(there()) == here
        finally:
            os.kill(child, signal.SIGKILL)
    """)


def test_a_signal_to_the_whole_group_does_not_end_it_before_the_daemon() -> None:
    run("""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(child, number)
        assert asyncio.run(there()) == here
        assert not ended(child)
    """)


def test_it_has_nothing_open_that_belongs_to_the_daemon() -> None:
    output = run("""
        lock = os.open(sys.executable, os.O_RDONLY)
        process = fork()

        async def look():
            other = Signer(process)
            await other.start()
            await other.sign([(keys[0], digests[0])])
            print(sum(int(each) > 2 for each in os.listdir(f"/proc/{process.pid}/fd")))

        asyncio.run(look())
    """)
    assert output.strip() == "1", "its end of the line"


def test_when_it_dies_what_waits_is_signed_all_the_same() -> None:
    output = run("""
        async def with_a_murder():
            os.kill(child, signal.SIGSTOP)
            asking = asyncio.ensure_future(there())
            while not signer._waiting:
                await asyncio.sleep(0)
            os.kill(child, signal.SIGKILL)
            return await asking

        import logging; logging.basicConfig(stream=sys.stdout)
        assert asyncio.run(with_a_murder()) == here
        assert signer._line is None
    """)
    assert "the process that signs is gone" in output


def test_when_it_stops_nobody_waits_for_it_for_long() -> None:
    output = run("""
        async def with_a_stop():
            os.kill(child, signal.SIGSTOP)
            return await there()

        import logging, relayd.signer; logging.basicConfig(stream=sys.stdout)
        relayd.signer.PATIENCE = 0.01
        assert asyncio.run(with_a_stop()) == here
        assert ended(child)
    """)
    assert "the process that signs does not answer" in output


def test_while_it_answers_it_may_take_its_time() -> None:
    run("""
        async def slowly():
            await signer.start()
            os.kill(child, signal.SIGSTOP)
            asking = [asyncio.ensure_future(signer.sign([(keys[0], digest)])) for digest in digests]
            await asyncio.sleep(0)
            signer._look(1)
            os.kill(child, signal.SIGCONT)
            assert [one for (one,) in await asyncio.gather(*asking)] == here[::2]
            signer._look(0)
            assert await signer.sign([(keys[0], digests[0])]) == [here[0]]
            assert not ended(child)

        asyncio.run(slowly())
    """)


def test_a_process_that_is_stopped_does_not_hold_up_the_end() -> None:
    run("""
        async def stop_and_close():
            await signer.start()
            os.kill(child, signal.SIGSTOP)
            asking = asyncio.ensure_future(signer.sign([(keys[0], digests[0])]))
            while not signer._waiting:
                await asyncio.sleep(0)
            signer.close()
            assert await asking == [here[0]]

        asyncio.run(stop_and_close())
        assert ended(child)
    """)


def test_a_process_that_died_before_the_start_is_not_asked() -> None:
    run("""
        import select
        os.kill(child, signal.SIGKILL)
        select.select([signer._process.line], [], [])
        assert asyncio.run(there()) == here
    """)


def test_more_than_it_can_take_is_signed_here() -> None:
    run("""
        async def flood():
            await signer.start()
            os.kill(child, signal.SIGSTOP)
            asking = [asyncio.ensure_future(signer.sign([(keys[0], digests[0])])) for _ in range(3000)]
            await asyncio.sleep(0)
            early = sum(one.done() for one in asking)
            os.kill(child, signal.SIGCONT)
            assert set(map(tuple, await asyncio.gather(*asking))) == {(here[0],)}
            assert 0 < early < 3000

        asyncio.run(flood())
    """)


def test_it_ends_with_the_daemon_however_that_ends() -> None:
    daemon = subprocess.Popen(
        [sys.executable, "-c", before() + "print(child, flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with daemon:
        assert daemon.stdout is not None
        process = os.pidfd_open(int(daemon.stdout.readline()))
        daemon.kill()
        assert select.select([process], [], [], 20)[0] == [process]
        os.close(process)


def test_a_signer_that_is_closed_leaves_no_process_behind() -> None:
    run("""
        async def then_close():
            await there()
            signer.close()

        asyncio.run(then_close())
        assert ended(child)
    """)


async def test_a_closed_signer_signs_nothing() -> None:
    signer = Signer()
    signer.close()
    with pytest.raises(RuntimeError):
        await signer.sign([])


async def test_a_key_too_short_is_said_to_whoever_asked() -> None:
    with pytest.raises(ValueError, match=r"."):
        await Signer().sign([(rsa.generate_private_key(65537, 1024), b"not a digest")])


def test_whoever_gives_up_disturbs_nobody() -> None:
    run("""
        async def given_up():
            await signer.start()
            first = asyncio.ensure_future(signer.sign([(keys[0], digests[0])]))
            second = asyncio.ensure_future(signer.sign([(keys[0], digests[1])]))
            await asyncio.sleep(0)
            first.cancel()
            assert await second == [here[2]]

        asyncio.run(given_up())
    """)
