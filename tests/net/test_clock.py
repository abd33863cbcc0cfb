"""What the kernel says about its clock, where it may be asked."""

from __future__ import annotations

import sys

import pytest

from relayd.net import clock


def test_the_kernel_is_asked() -> None:
    assert clock.synchronised() in (True, False, None)
    assert clock.managed_by_systemd() in (True, False)


def test_where_it_can_not_be_asked_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the unit, whose filters forbid the call, and the code that ctypes may want to make."""
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert clock.synchronised() is None
