"""What a call waits for, tried at moments that the test chooses."""

from __future__ import annotations

import pytest

from meshmq import wishes
from meshmq.core.inbox import IDLE_AFTER
from meshmq.core.participant import Participant
from meshmq.errors import NoPeersError, WouldBlock
from tests.core import stranger


@pytest.fixture
def participant() -> Participant:
    return stranger.participant()


def full(now: float) -> int:
    raise WouldBlock


def test_full_queue_that_nobody_pulls_tries_patience_from_the_call(participant: Participant) -> None:
    wish = wishes.pushed(participant, "jobs", full, 30.0)
    for now in (100.0, 129.9):
        with pytest.raises(WouldBlock):
            wish.attempt(now, 100.0)
    with pytest.raises(NoPeersError, match="nobody has pulled 'jobs' for 30 s"):
        wish.attempt(130.0, 100.0)


def test_patience_counts_from_when_the_last_worker_left(participant: Participant) -> None:
    wish = wishes.pushed(participant, "jobs", full, 30.0)
    participant.open_queue("jobs", None, 100.0)
    for now in (100.0, 150.0):
        with pytest.raises(WouldBlock):
            wish.attempt(now, 100.0)
    participant.close_queue("jobs", 150.0)
    with pytest.raises(WouldBlock):
        wish.attempt(179.9, 100.0)
    with pytest.raises(NoPeersError):
        wish.attempt(180.0, 100.0)


def test_who_looks_for_a_job_asks_as_long_as_it_waits(participant: Participant) -> None:
    inbox = participant.open_queue("jobs", None, 100.0)
    wish = wishes.job_here(participant, "jobs", lambda: "a job", lambda: False)
    assert wish.retry is not None
    now = 100.0
    while now < 100.0 + 4 * IDLE_AFTER:
        participant.tick(now)
        assert len(inbox._askers) == (now > 100.0)
        with pytest.raises(WouldBlock):
            wish.attempt(now, 100.0)
        now += wish.retry
