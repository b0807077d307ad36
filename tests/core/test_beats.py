"""Of many nodes each beats less often, and nothing else comes less often for it than it has to."""

from __future__ import annotations

from random import Random

import pytest

from meshmq.core.beats import BEAT_EVERY, BEAT_SELDOM, FEW, Beats


@pytest.mark.parametrize(("peers", "pause"), [(0, BEAT_EVERY), (50, BEAT_EVERY), (75, 7.5), (1_000, BEAT_SELDOM)])
def test_pause_grows_with_the_roster(peers: int, pause: float) -> None:
    beats = Beats(0.0, Random(1))
    beats.strike(beats.next_at, peers)
    before = beats.next_at
    beats.strike(before, peers)
    assert beats.next_at - before == pytest.approx(pause)


@pytest.mark.parametrize("peers", [2, 1_000])
def test_minute_stays_one(peers: int) -> None:
    beats, minutes = Beats(0.0, Random(1)), 0
    while beats.next_at < 600.0:
        now = beats.next_at
        beats.strike(now, peers)
        minutes += beats.minute(now)
    assert 8 <= minutes <= 10


def test_silence_is_three_beats_without_a_word() -> None:
    beats = Beats(0.0, Random(1))
    beats.strike(5.0, 2)
    assert not beats.silent(0.0, 3 * BEAT_EVERY)
    assert beats.silent(0.0, 3 * BEAT_EVERY + 0.1)


def test_who_came_with_a_crowd_is_asked_at_the_next_beat_and_then_as_all_are() -> None:
    beats = Beats(0.0, Random(1))
    beats.strike(4.0, FEW + 1)
    assert beats.asks(1.0, None, 4.0)
    assert not beats.asks(1.0, 0.1, 4.0)
    beats.strike(9.0, FEW)
    assert not beats.asks(5.0, None, 9.0)
    for beat in range(2, 6):
        beats.strike(5.0 * beat, FEW)
    assert beats.asks(1.0, 0.1, 25.0)
