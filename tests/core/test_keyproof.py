from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.keyproof import DOUBT, KeyProof, Look, after

NOW = 1000.0


LONG_AGO = -1_000_000.0


def there(until: float, since: float = NOW, doubted_at: float | None = None) -> KeyProof:
    return KeyProof(proven=True, doubted_at=doubted_at, since=since, fresh_until=until, look_at=until)


def gone(until: float, since: float = NOW, look_at: float | None = None) -> KeyProof:
    return KeyProof(
        proven=False,
        doubted_at=None,
        since=since,
        fresh_until=until,
        look_at=until if look_at is None else look_at,
    )


@pytest.mark.parametrize(
    ("last", "look", "ttl", "then"),
    [
        # a key that is there is looked at again when its TTL is over, within a minute and an hour
        (None, Look.YES, 300, there(1300)),
        (None, Look.YES, 0, there(1060)),
        (None, Look.YES, 86_400, there(4600)),
        (gone(NOW, 500), Look.YES, 300, there(1300)),
        (there(NOW, 500, 950), Look.YES, 300, there(1300, 500)),
        # one clear no raises a doubt, the second undoes the proof, minutes later
        (there(NOW, 500), Look.NO, 60, there(1180, 500, 1000)),
        (there(NOW, 500, 999), Look.NO, 60, there(1179, 500, 999)),
        (there(NOW, 500, 820), Look.NO, 60, gone(1060)),
        # never proven, or no longer: who needs it looks soon, else it is looked for ever more seldom
        (None, Look.NO, 3600, gone(1120)),
        (gone(NOW, 900), Look.NO, 10, gone(1060, 900)),
        (gone(NOW, -5000), Look.NO, 10, gone(1060, -5000, 1600)),
        (gone(NOW, LONG_AGO), Look.NO, 60, gone(1060, LONG_AGO, 87_400)),
        # no usable answer changes nothing
        (None, Look.UNCLEAR, 0, gone(1060)),
        (there(NOW, 500), Look.UNCLEAR, 0, there(1060, 500)),
        (there(NOW, 400, 500), Look.UNCLEAR, 0, there(1060, 400, 500)),
        (gone(NOW, 900), Look.UNCLEAR, 0, gone(1060, 900)),
    ],
)
def test_what_is_believed_after_a_look(last: KeyProof | None, look: Look, ttl: int, then: KeyProof) -> None:
    assert after(last, look, ttl, NOW) == then


looks = st.lists(
    st.tuples(st.sampled_from(Look), st.integers(0, 10_000), st.floats(0, 1000)), min_size=1, max_size=30
)


@given(looks)
def test_a_proof_is_lost_only_after_two_clear_answers_minutes_apart(
    history: list[tuple[Look, int, float]],
) -> None:
    now, last = 0.0, None
    nos: list[float] = []
    for look, ttl, wait in history:
        now += wait
        nos = [*nos, now] if look is Look.NO else [] if look is Look.YES else nos
        then = after(last, look, ttl, now)
        if last is not None and last.proven and not then.proven:
            assert len(nos) > 1
            assert nos[-1] - nos[0] >= DOUBT
        assert then.look_at >= now
        last = then
