"""What is typed or stands in a file, made into what the API takes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.cli.sender_import import Line, Result, _lines, _unique
from relayd.cli.sender_values import put, section


def lines(text: str) -> tuple[list[Line], list[tuple[int, str]]]:
    result = Result()
    found = list(_unique(_lines(text, result), result))
    return found, result.failed


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        (["name=ACME=BV"], {"name": "ACME=BV"}),
        (["name="], {"name": ""}),
        (["name=587"], {"name": "587"}),
        (["test=true"], {"test": True}),
        (["test=yes"], {"test": "yes"}),
        (["local_part=null"], {"local_part": None}),
        (["name=null"], {"name": "null"}),
        (["upstream.port=587", "upstream.host=a.example"], {"upstream": {"port": 587, "host": "a.example"}}),
        (["upstream.port=\u0661"], {"upstream": {"port": "\u0661"}}),
        (["upstream=null"], {"upstream": None}),
        (["upstream=null", "upstream.port=1"], {"upstream": {"port": 1}}),
        (["colour=red"], {"colour": "red"}),
        (["a.b.c=d"], {"a": {"b": {"c": "d"}}}),
        (["name.x=y"], {"name": {"x": "y"}}),
        ([], {}),
    ],
)
def test_values_become_what_their_key_wants(typed: list[str], value: dict[str, Any]) -> None:
    assert section(typed) == value


@pytest.mark.parametrize("typed", ["name", "=x", "", "upstream.password=x", "password=x"])
def test_what_is_no_pair_or_a_password_ends_the_command(typed: str) -> None:
    with pytest.raises(SystemExit) as ended:
        section([typed])

    assert ended.value.code == 64


@given(st.lists(st.text(max_size=20), max_size=5), st.text(max_size=10))
def test_any_key_goes_somewhere(parts: list[str], text: str) -> None:
    found: dict[str, Any] = {}
    put(found, ".".join(parts), text)

    assert json.dumps(found)


@given(st.text(max_size=300))
def test_a_file_of_anything_gives_lines_or_says_which_are_none(text: str) -> None:
    found, failed = lines(text)

    assert all(line.id and line.id.isprintable() and line.number > 0 for line in found)
    assert len({line.id for line in found}) == len(found)
    assert all(number >= 0 and why for number, why in failed)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.from_regex(r"[a-z]{1,9}", fullmatch=True), "name": st.text(min_size=1)}
        ),
        max_size=9,
        unique_by=lambda one: one["id"],
    )
)
def test_what_was_written_as_json_lines_or_csv_is_read_back(senders: list[dict[str, str]]) -> None:
    found, failed = lines("\n".join(map(json.dumps, senders)))
    assert ([{"id": line.id, **line.values} for line in found], failed) == (senders, [])

    file = io.StringIO()
    writer = csv.DictWriter(file, ["id", "name"])
    writer.writeheader()
    writer.writerows(senders)
    found, failed = lines(file.getvalue())
    assert ([{"id": line.id, **line.values} for line in found], failed) == (senders, [])


def test_what_a_file_says_can_not_command_the_terminal() -> None:
    _, failed = lines('{"id": "\\u001b[2J"}\n{"id": "\\u001b[2J"}\n')

    assert failed == [(n, "found no id; expected one, such as acme") for n in (1, 2)]


def test_each_line_that_is_none_is_told_with_its_number() -> None:
    _, failed = lines('{"id": "a"}\n\n[1]\n{"id": 7}\n{"id": "a"}\n{"id": "b"\n')

    assert failed == [
        (3, "found no JSON object; expected one a line"),
        (4, "found no id; expected one, such as acme"),
        (5, "found a again; expected it once, as in line 1"),
        (6, "found no JSON object; expected one a line"),
    ]


def test_a_row_with_too_many_cells_is_told() -> None:
    _, failed = lines("id,name\na,A,x\n")

    assert failed == [(2, "found 3 cells; expected 2, as many as the first line names")]
