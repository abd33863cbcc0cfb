from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayd.core.keyproof import DOUBT, KeyProof, Look, after

NOW = 1000.0


def proof(proven: bool, doubted_at: float | None = None, look_at: float = NOW) -> KeyProof:
    return KeyProof(proven=proven, doubted_at=doubted_at, look_at=look_at)


@pytest.mark.parametrize(
    ("last", "look", "ttl", "then"),
    [
        # a key that is there is looked at again when its TTL is over, within a minute and an hour
        (None, Look.YES, 300, proof(True, look_at=1300)),
        (None, Look.YES, 0, proof(True, look_at=1060)),
        (None, Look.YES, 86_400, proof(True, look_at=4600)),
        (proof(False), Look.YES, 300, proof(True, look_at=1300)),
        (proof(True, 950), Look.YES, 300, proof(True, look_at=1300)),
        # one clear no raises a doubt, the second undoes the proof, minutes later
        (proof(True), Look.NO, 60, proof(True, 1000, 1180)),
        (proof(True, 999), Look.NO, 60, proof(True, 999, 1179)),
        (proof(True, 820), Look.NO, 60, proof(False, look_at=1060)),
        # never proven, or no longer
        (None, Look.NO, 3600, proof(False, look_at=1120)),
        (proof(False), Look.NO, 10, proof(False, look_at=1060)),
        # no usable answer changes nothing
        (None, Look.UNCLEAR, 0, proof(False, look_at=1060)),
        (proof(True), Look.UNCLEAR, 0, proof(True, look_at=1060)),
        (proof(True, 500), Look.UNCLEAR, 0, proof(True, 500, 1060)),
        (proof(False), Look.UNCLEAR, 0, proof(False, look_at=1060)),
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
