"""Whether the kernel's clock is kept right."""

from __future__ import annotations

import os

TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_ROOM = 512  # octets; more than any struct timex


def synchronised() -> bool | None:
    """As a time service told the kernel; None where we may not ask. False may mean that the machine around
    this virtual one keeps the clock."""
    try:
        import ctypes  # only here: it may want to make code at run time, which the unit forbids

        library = ctypes.CDLL(None, use_errno=True)
        # modes = 0 reads and changes nothing, and needs no privilege
        state = library.adjtimex(ctypes.create_string_buffer(_ROOM))
    except (ImportError, MemoryError, OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != TIME_ERROR)


def managed_by_systemd() -> bool:
    """Whether systemd runs this machine (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")
