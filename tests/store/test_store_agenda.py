"""The agenda of the embedded store forgets what is out of date."""

from __future__ import annotations

from relayd.store.waiting import STALE, Agenda

PAIR, OTHER = ("direct:one.example", "acme"), ("direct:two.example", "acme")


def test_looking_at_a_pair_again_and_again_fills_no_memory() -> None:
    agenda = Agenda()
    agenda.note(OTHER, 2_000)
    for _ in range(1_000):
        agenda.note(PAIR, 0)
        agenda.ripen(1)
        agenda.reading()
        agenda.read({PAIR: 1_000})

    assert len(agenda._heap) <= 3 * STALE
    assert agenda.next() == 1_000
    agenda.ripen(1_000)
    assert agenda.ripe() == [PAIR[0]]
    assert agenda.next() == 2_000
    agenda.ripen(2_000)
    assert agenda.ripe() == [PAIR[0], OTHER[0]]
