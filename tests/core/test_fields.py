from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core import fields, headers


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_dates_are_written_as_the_standard_library_writes_them(at: datetime) -> None:
    assert fields.date(at).decode() == format_datetime(at)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"a\r\nBcc: x",
        b"a\nb",
        b"a\rb",
        b"a\x00",
        b"a\x7f",
        b"\xff",
        b"a\tb",
        "\x85".encode("latin-1"),
        "a\u2028b".encode(),
        "ü".encode(),
    ],
)
def test_the_writer_takes_nothing_that_could_end_a_line(part: bytes) -> None:
    with pytest.raises(ValueError, match="can't hold"):
        fields.write("X", b"good", part)


@given(st.lists(st.from_regex(r"[ -~]{1,70}", fullmatch=True).map(str.encode), min_size=1, max_size=8))
def test_the_writer_folds_between_parts_and_nowhere_else(parts: list[bytes]) -> None:
    line = fields.write("Subject", *parts)
    assert line.replace(b"\r\n", b"") == b"Subject: " + b" ".join(parts)
    assert all(len(part) <= 150 for part in line.split(b"\r\n"))
    assert headers.parse(line + b"\r\n").get("subject") is not None
