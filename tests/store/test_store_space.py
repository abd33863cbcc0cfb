"""Little room on the disk is seen before a message is taken."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from relayd.store.memory import MemoryStore
from relayd.store.space import ENOUGH, KNOWN_FOR, Space
from relayd.store.sqlite import SqliteStore

MIB, GIB, TIB = 1024**2, 1024**3, 1024**4
LARGEST = 35 * MIB


def disk(size: int, free: int, files: int = 1000, free_files: int = 900) -> os.statvfs_result:
    # f_bsize f_frsize f_blocks f_bfree f_bavail f_files f_ffree f_favail f_flag f_namemax
    return os.statvfs_result(
        (4096, 4096, size // 4096, free // 4096, free // 4096, files, free_files, free_files, 0, 255)
    )


def low(found: os.statvfs_result, message_size: int = LARGEST) -> bool:
    return Space(Path("/"), look=lambda folder: found).low(message_size)


@pytest.mark.parametrize(
    ("size", "free", "message_size", "expected"),
    [
        (10 * GIB, 9 * GIB, LARGEST, False),
        (10 * GIB, 513 * MIB, LARGEST, False),
        (10 * GIB, 511 * MIB, LARGEST, True),  # 5 % of the disk
        (100 * MIB, 53 * MIB, LARGEST, False),
        (100 * MIB, 52 * MIB, LARGEST, True),  # 1.5 of the largest messages
        (100 * MIB, 52 * MIB, MIB, False),
        (4 * TIB, ENOUGH + 4096, LARGEST, False),  # 5 % would be 200 GiB
        (4 * TIB, ENOUGH - 4096, LARGEST, True),
        (4 * TIB, ENOUGH + 4096, GIB, True),
    ],
)
def test_how_much_must_be_free(size: int, free: int, message_size: int, expected: bool) -> None:
    assert low(disk(size, free), message_size) is expected


@pytest.mark.parametrize(("files", "free", "expected"), [(1000, 50, False), (1000, 49, True), (0, 0, False)])
def test_inodes_run_out_too(files: int, free: int, expected: bool) -> None:
    assert low(disk(10 * GIB, 9 * GIB, files, free)) is expected


def test_a_file_system_that_can_t_be_asked_refuses_nothing() -> None:
    def broken(folder: Path) -> Any:
        raise OSError("stale handle")

    assert not Space(Path("/"), look=broken).low(LARGEST)


def test_an_answer_is_used_for_a_second() -> None:
    now, found = [0.0], [disk(10 * GIB, 9 * GIB)]
    space = Space(Path("/"), look=lambda folder: found[0], monotonic=lambda: now[0])
    assert not space.low(LARGEST)

    found[0] = disk(10 * GIB, 0)
    assert not space.low(LARGEST)

    now[0] += KNOWN_FOR
    assert space.low(LARGEST)


async def test_stores_say_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    try:
        assert store.low_on_space(2**60)
    finally:
        await store.close()
    assert not MemoryStore().low_on_space(2**60)
