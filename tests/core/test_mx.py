from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.records.answers import Found, Missing, Mx, Trouble
from relayd.core.records.mx import hosts, numeric
from relayd.core.reply import Fault, FaultKind, Stage


def found(*records: tuple[int, str]) -> Found[Mx]:
    return Found(records=tuple(Mx(*record) for record in records), ttl=60)


def names(
    answer: Found[Mx] | Missing | Trouble, *, own: tuple[str, ...] = (), dice: float = 0.0
) -> list[str]:
    result = hosts("example.com", answer, own_names=own, dice=dice)
    assert not isinstance(result, Fault)
    return [mx.host for mx in result]


def kind(answer: Found[Mx] | Missing | Trouble, *, own: tuple[str, ...] = ()) -> FaultKind:
    result = hosts("example.com", answer, own_names=own, dice=0.0)
    assert isinstance(result, Fault)
    assert result.stage is Stage.DNS
    assert result.text
    return result.kind


def test_the_lowest_preference_comes_first() -> None:
    assert names(found((20, "b.example"), (10, "a.example"), (30, "c.example"))) == [
        "a.example",
        "b.example",
        "c.example",
    ]


def test_every_order_of_equal_hosts_is_one_throw_of_the_dice() -> None:
    equal = found((10, "a.example"), (10, "b.example"), (10, "c.example"))
    orders = {tuple(names(equal, dice=at / 6 + 0.01)) for at in range(6)}
    assert orders == set(itertools.permutations(["a.example", "b.example", "c.example"]))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdefgh")), min_size=1, max_size=10),
    st.floats(0, 1, exclude_max=True),
)
def test_dice_reorder_only_equals_and_lose_nobody(records: list[tuple[int, str]], dice: float) -> None:
    result = hosts("example.com", found(*((p, f"{name}.example") for p, name in records)), dice=dice)
    assert not isinstance(result, Fault)
    assert {mx.host for mx in result} == {f"{name}.example" for _, name in records}
    assert [mx.preference for mx in result] == sorted(mx.preference for mx in result)
    assert len({mx.host for mx in result}) == len(result)


def test_a_host_named_twice_keeps_its_better_place() -> None:
    assert names(found((20, "a.example"), (10, "a.example"), (15, "b.example"))) == ["a.example", "b.example"]


def test_without_mx_the_domain_is_its_own_host() -> None:
    assert names(Missing(domain=True, ttl=60)) == ["example.com"]


def test_a_domain_that_does_not_exist_takes_no_mail() -> None:
    assert kind(Missing(domain=False, ttl=60)) is FaultKind.NO_DOMAIN


def test_the_null_mx_says_so() -> None:
    assert kind(found((0, ""))) is FaultKind.NULL_MX


def test_a_null_mx_among_others_does_not_count() -> None:
    assert names(found((0, ""), (10, "a.example"))) == ["a.example"]


def test_trouble_is_no_answer() -> None:
    assert kind(Trouble(text="SERVFAIL")) is FaultKind.DNS


def test_a_target_that_is_an_address_is_left_out() -> None:
    assert names(found((10, "192.0.2.1"), (20, "a.example"))) == ["a.example"]
    assert kind(found((10, "192.0.2.1"))) is FaultKind.NO_DOMAIN


def test_where_we_are_an_exchanger_only_better_ones_are_tried() -> None:
    records = found((10, "a.example"), (20, "us.example"), (20, "b.example"), (30, "c.example"))
    assert names(records, own=("us.example",)) == ["a.example"]
    assert kind(found((10, "us.example"), (20, "b.example")), own=("us.example",)) is FaultKind.LOOP
    assert kind(Missing(domain=True, ttl=1), own=("example.com",)) is FaultKind.LOOP


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "1.2.3.4.",
        "::1",
        "0x",
        "a.0X1F",
    ],
)
def test_numbers_are_no_names(host: str) -> None:
    assert numeric(host)


@pytest.mark.parametrize(
    "host", ["mx1.example.com", "1.example.com", "127.0.0.1.nip.io", "xn--p1ai", "0xg", "a1"]
)
def test_names_are_names(host: str) -> None:
    assert not numeric(host)
