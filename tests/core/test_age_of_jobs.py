"""How long a job is said to have waited is how long it has waited, also where the outbox never runs empty."""

from __future__ import annotations

from random import Random

import pytest

from meshmq.core.outbox import Outbox
from meshmq.core.runs import RUN_SPAN
from meshmq.settings import Settings

PEER = b"w" * 16


def test_jobs_of_an_outbox_that_stays_full_do_not_inherit_the_age_of_the_first() -> None:
    outbox = Outbox("jobs", b"o" * 16, 1, Settings(), Random(0))
    route = outbox.open(PEER)
    # A job a second for 100 seconds, each of them done 10 seconds after it was pushed.
    for second in range(110):
        if second < 100:
            outbox.add(b"x", (), None, float(second))
        if second >= 10:
            outbox.grant(PEER, second - 9, 1 << 20)
            assert outbox.best(lambda peer: True) is route
            outbox.next_batch(route, float(second))
            outbox.settle(PEER, -1, [(second - 9, second - 9)], float(second))
    assert outbox.acked == 100
    assert outbox.waited / outbox.acked == pytest.approx(10.0, abs=RUN_SPAN)


def test_jobs_pushed_in_one_moment_share_a_run() -> None:
    outbox = Outbox("jobs", b"o" * 16, 1, Settings(), Random(0))
    route = outbox.open(PEER)
    for number in range(50):
        outbox.add(b"x", (), None, number * RUN_SPAN / 100)
    outbox.grant(PEER, 50, 1 << 20)
    outbox.next_batch(route, 1.0)
    assert route.in_flight == 50
