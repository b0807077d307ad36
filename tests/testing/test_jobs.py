"""The real participant under lies: no job is lost, repeats are flagged; and the witness would notice."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

import pytest

from meshmq.core.hands import Hand
from meshmq.core.participant import Participant
from meshmq.testing import Faults, Jobs, SimulationFailed, simulate
from tests.replays import same_everywhere
from tests.scale import scale

#: The same machines hold for thousands of seeds in tests/core/test_bustle.py.
SEEDS = range(scale(test=2, stress=50))
CALM = Faults.none(until=20)


def broken(seeds: Iterable[int], faults: Faults, kind: type[Jobs] = Jobs, **fields: float) -> list[str]:
    """Return the first line of every failure."""
    lines = []
    for seed in seeds:
        scenario = kind()
        for name, value in fields.items():
            setattr(scenario, name, value)
        try:
            simulate(seed, scenario=scenario, faults=faults)
        except SimulationFailed as failure:
            lines.append(str(failure).partition("\n")[0])
    return lines


def test_no_job_is_lost_and_every_repeat_is_flagged() -> None:
    # Without rosters, which have tests of their own below.
    assert broken(SEEDS, Faults(), presence=False) == []


def test_a_refused_job_is_done_in_the_end() -> None:
    assert broken(range(5), CALM, failures=0.1) == []


def test_nobody_who_died_without_a_word_stays_in_a_roster() -> None:
    assert broken(SEEDS, replace(CALM, crashes=0.2, power_cuts=1)) == []


def test_a_session_that_one_side_has_ended_does_not_keep_jobs_for_ever() -> None:
    untold = Faults(stalls=0.6, resets=2, untold=0.6, half_opens=0.5, crashes=0, partitions=0, control_breaks=0)
    assert broken(range(scale(test=3, stress=15)), untold, presence=False) == []


def test_who_was_parted_meets_again_without_discovery() -> None:
    assert broken(range(scale(test=3, stress=8)), replace(CALM, partitions=0.1), refresh=0) == []


class Hiding(Participant):
    """Shows every job as if it were delivered for the first time."""

    def take(
        self,
        queue: str,
        consumer: Hashable,
        now: float,
        limit: int | None = None,
        lease: float | None = None,
        done: Hand | None = None,
    ) -> Hand:
        hand = super().take(queue, consumer, now, limit, lease, done)
        hand.batch = replace(hand.batch, attempt=1)
        return hand


class Forgetting(Participant):
    """Says that it took a job, and did not."""

    def push(self, queue: str, body: bytes, *rest: object) -> int:
        return 0 if body == b"job-7" else super().push(queue, body, *rest)  # type: ignore[arg-type]  # handed through


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [(Hiding, "was executed twice without a flag"), (Forgetting, "not done, and the outboxes hold")],
)
def test_the_witness_notices_a_participant_that_is_broken(kind: type[Participant], sentence: str) -> None:
    class Broken(Jobs):
        pass

    Broken.kind = kind
    assert any(sentence in line for line in broken(range(4), Faults(), Broken, presence=False))


@pytest.mark.stress
def test_the_participant_decides_the_same_in_every_process() -> None:
    same_everywhere("meshmq.testing:Jobs", 4, 2, "--set", "presence=False")
