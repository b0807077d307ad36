"""Pushers are granted bytes as well as jobs, so that large jobs do not pile up at a worker."""

from __future__ import annotations

import pytest

from meshmq.errors import ProtocolError
from meshmq.settings import Settings
from meshmq.wire.verdicts import Verdict
from tests.core.jobs import Puller


def test_large_jobs_are_granted_by_their_bytes() -> None:
    puller = Puller(settings=Settings(prefetch_bytes=10))
    puller.ask()
    puller.receive("p", 1, 2)  # the last one may go beyond
    with pytest.raises(ProtocolError):
        puller.receive("p", 3, 1)
    puller.box.finish(puller.box.take("me", 0.0, limit=2), 0.0)
    puller.answers()
    puller.receive("p", 3, 1)


def test_bytes_are_granted_anew_though_the_jobs_stay_the_same() -> None:
    puller = Puller(2, Settings(prefetch_bytes=4))
    puller.ask()
    puller.receive("p", 1)  # more than the bytes granted: nothing can follow it
    hand = puller.box.take("me", 0.0)
    puller.answers()
    puller.ask("q")  # from now on each gets one of the window of two
    hand.said[0] = Verdict.REFUSED
    puller.box.say(hand, 0, Verdict.REFUSED)
    assert puller.answers() == [("p", (2, 7)), ("p", (Verdict.REFUSED, ((1, 1),)))]
