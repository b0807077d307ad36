"""The measure: a little of everything for hundreds of seeds; and five bugs that it finds within 200."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import pytest

from meshmq.core.receipts import Receipts
from meshmq.core.session import Session
from meshmq.core.sources import Source, Sources
from meshmq.testing import Faults, Simulation, SimulationFailed, Trial, simulate
from meshmq.testing.command_line import main
from tests.core.test_bustle import forget_what_was_lost
from tests.scale import STRESS, scale

SEEDS_OF_A_BUG = 200


@pytest.mark.timeout(scale(test=120, stress=900))
def test_nothing_is_lost_and_every_promise_holds(capsys: pytest.CaptureFixture[str]) -> None:
    # Quicker: without devices and journals, and with half of the jobs.
    count, plain = scale(test=300, stress=1_500), ["--set", "mixed=False", "--set", "jobs=150", "--set", "thrift=32"]
    measure = ["--scenario", "meshmq.testing:Trial", "--count", str(count), "--processes", "2"]
    failed = main([*measure, *([] if STRESS else plain)])
    out, err = capsys.readouterr()
    assert not failed, err
    print(out)


def test_keys_of_a_worker_that_is_gone_find_another() -> None:
    simulate(38, scenario=Trial(mixed=False, keys=20))  # it was lost after another had come, and its keys waited for it
    for seed in range(scale(test=2, stress=150)):
        simulate(seed, scenario=Trial(mixed=False, keys=20, journals=seed % 3 == 0))


def test_keys_survive_a_storm() -> None:
    for seed in range(scale(test=0, stress=100)):
        simulate(30_000 + seed, scenario=Trial(mixed=False, keys=20), faults=Faults.few(10, until=10))
    simulate(20077, scenario=Trial(), faults=Faults.few(10, until=10))  # jobs waited for a session that had come back


def test_keys_go_around_a_device_and_keep_their_order() -> None:
    for seed in (27, 67, *range(scale(test=0, stress=30))):
        simulate(seed, scenario=Around(mixed=False, devices=1, keys=20))


@dataclass
class Around(Trial):
    """What has a key passes no device."""

    def check(self, sim: Simulation) -> None:
        super().check(sim)
        for node in self.nodes():
            for transit in node.participant.relay.queues.values():
                assert not transit.acked, f"{transit} has passed on what has a key"


def drop_an_ack(patch: pytest.MonkeyPatch) -> None:
    whole, random = Receipts.confirm, Random(1)

    def confirm(self: Receipts, peer: bytes, origin: bytes, first: int, last: int) -> None:
        if random.random() > 0.001:
            whole(self, peer, origin, first, last)

    patch.setattr(Receipts, "confirm", confirm)


def reuse_a_sequence_number(patch: pytest.MonkeyPatch) -> None:
    whole = Session._take_over

    def take_over(self: Session, connection: int, received: int, now: float, *, answer: bool) -> None:
        whole(self, connection, received, now, answer=answer)
        if self._stream.sent and not self._stream.kept:
            self._stream.sent -= 1

    patch.setattr(Session, "_take_over", take_over)


def lose_the_begun_report(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Receipts, "begin", lambda self, peer, origin, number: None)


def grant_twice(patch: pytest.MonkeyPatch) -> None:
    whole = Sources.limits

    def limits(self: Sources, source: Source, busy: int, window: int, size: int) -> tuple[int, int]:
        jobs, size = whole(self, source, busy, window, size)
        return jobs + max(0, jobs - source.finished), size

    patch.setattr(Sources, "limits", limits)


def try_all(seeds: range) -> None:
    for seed in seeds:
        simulate(seed, scenario=Trial())


@pytest.mark.parametrize(
    ("mutate", "sentence"),
    [
        (drop_an_ack, r"not finished .* that are not done"),
        (reuse_a_sequence_number, r"it covers frames that were never sent|not finished|foreign"),
        (forget_what_was_lost, r"depth|not finished"),
        (lose_the_begun_report, r"nobody blames it"),
        (grant_twice, r"jobs of one pusher are here, and 1 may be|jobs of one pusher are here, and 8 may be"),
    ],
)
def test_a_bug_is_found(
    mutate: Callable[[pytest.MonkeyPatch], None], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=sentence) as caught:
        try_all(range(SEEDS_OF_A_BUG))
    print(f"{mutate.__name__} was found by seed {caught.value.seed}")
