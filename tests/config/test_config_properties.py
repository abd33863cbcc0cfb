"""Whatever a config file holds, the answer is settings or sentences; never a traceback, never long."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from relayd.config import ConfigErrors, read
from relayd.config.text import Reader, walk
from relayd.core.settings_types import brief, brief_size, duration, size

KEYS = st.sampled_from(
    ["hostname", "platform", "listen", "senders", "delivery", "tls", "logins", "x", "password"]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.just("10s")
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)


def judged(octets: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(octets)
        file.flush()
        try:
            read(Path(file.name), {})
        except ConfigErrors as found:
            for error in found.errors:
                assert str(error).isprintable()


@given(st.binary(max_size=200))
def test_any_octets_are_judged(octets: bytes) -> None:
    judged(octets)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#?,\n\t 01<%@`", max_size=80))
def test_any_punctuation_is_judged(text: str) -> None:
    judged(text.encode())


@given(st.dictionaries(KEYS, TREES))
def test_any_tree_is_judged(tree: dict[str, object]) -> None:
    judged(yaml.safe_dump(tree, allow_unicode=True).encode())


@given(st.dictionaries(st.text("abc", min_size=1), st.text(max_size=10), max_size=5))
def test_every_value_knows_its_line(tree: dict[str, str]) -> None:
    text = yaml.safe_dump(tree, default_style='"', width=1000)
    found = Reader(file="f").read(text)

    assert found is not None
    lines = text.splitlines()
    for path, value in walk(found):
        if path:
            assert value.place.line is not None
            assert lines[value.place.line - 1].startswith(f'"{path[0]}":')
            assert value.data == tree[str(path[0])]


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "m"]))
def test_durations_are_written_as_they_are_read(number: int, unit: str) -> None:
    value = duration(f"{number}{unit}")

    assert duration(brief(value)) == value


@given(st.integers(1, 10**6), st.sampled_from(["KiB", "MiB"]))
def test_sizes_are_written_as_they_are_read(number: int, unit: str) -> None:
    value = size(f"{number}{unit}")

    assert size(brief_size(value)) == value
