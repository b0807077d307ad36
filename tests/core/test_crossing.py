"""Devices among those who push and pull, under everything networks do to them; and mutants that are caught."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest

from meshmq.core.directed import Directed
from meshmq.core.outbox import Outbox
from meshmq.core.relay.flights import Flight, Worker
from meshmq.core.relay.share import Pusher, Share
from meshmq.core.relay.transit import Transit
from meshmq.testing import Faults, SimulationFailed, simulate
from meshmq.wire.verdicts import Verdict
from tests.core.crossing import Crossing
from tests.replays import hold, same_everywhere
from tests.scale import scale

SCENARIO = "tests.core.crossing:Crossing"
ONE, TWO = ["--nodes", "6"], ["--nodes", "7"]


@pytest.mark.timeout(scale(test=240, stress=1_800))
def test_with_devices_no_job_is_lost_and_all_books_balance() -> None:
    count = scale(test=2, stress=100)
    hold(SCENARIO, (0, count, ONE), (count, count, TWO))


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_one_queue_may_have_a_device_and_another_none() -> None:
    hold(SCENARIO, (5_000, 50, [*ONE, "--set", "both=False"]), (6_000, 50, [*TWO, "--set", "thrift=1"]))


@pytest.mark.stress
def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    same_everywhere(SCENARIO, 10, scale(test=1, stress=4), *TWO)


def test_without_faults_every_job_of_others_goes_through_the_device_and_none_twice() -> None:
    for seed in range(scale(test=3, stress=50)):
        crossing = Crossing(trouble=0, leaves=0, seconds=6)
        simulate(seed, scenario=crossing, nodes=6, faults=Faults.none(until=13))
        # Devices begin within the first second; nodes that pull, too, give most of their jobs to themselves.
        assert crossing.crossed > 50
        assert max(crossing.direct, default=0) < 1.5
        assert all(job.deliveries == job.finished == 1 for job in crossing.witnessed.values())


def grant_what_is_not_there(patch: pytest.MonkeyPatch) -> None:
    whole = Share.allot

    def allot(self: Share, pushers: Collection[Pusher], free: int, now: float) -> list[Pusher]:
        return whole(self, pushers, free + 3, now)

    patch.setattr(Share, "allot", allot)


def forget_what_is_away(patch: pytest.MonkeyPatch) -> None:
    def lose(self: Transit, peer: bytes, *, clean: bool) -> int:
        self.workers.pop(peer, None)
        return 0

    patch.setattr(Transit, "lose", lose)


def return_unflagged_what_was_lost(patch: pytest.MonkeyPatch) -> None:
    whole = Transit._tell

    def tell(self: Transit, flight: Flight, verdict: Verdict, origin: bytes, delay: float | None = None) -> None:
        lost = verdict in (Verdict.LOST, Verdict.BLAMED)
        whole(self, flight, Verdict.RETURNED if lost else verdict, origin, delay)

    patch.setattr(Transit, "_tell", tell)


def keep_acks(patch: pytest.MonkeyPatch) -> None:
    whole = Worker.come_down

    def come_down(self: Worker, origin: bytes, ranges: list[tuple[int, int]]) -> list[Flight]:
        return whole(self, origin, ranges)[:1]

    patch.setattr(Worker, "come_down", come_down)


def take_repeats_for_new(patch: pytest.MonkeyPatch) -> None:
    whole = Outbox.lose

    def lose(self: Outbox, peer: bytes, now: float, *, clean: bool) -> int:
        route = self.routes.get(peer)
        for run in route.flights if route is not None and route.onward else ():
            run.attempts -= 1
        return whole(self, peer, now, clean=clean)

    patch.setattr(Outbox, "lose", lose)


def keep_what_was_recalled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Directed, "release", lambda self: [])


def send_beyond_the_grant(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Worker, "free", property(lambda worker: 3))


def simulate_many(seeds: range) -> None:
    for seed in seeds:
        simulate(seed, scenario=Crossing(), nodes=6)


@pytest.mark.stress
@pytest.mark.parametrize(
    "mutate",
    [
        grant_what_is_not_there,
        forget_what_is_away,
        return_unflagged_what_was_lost,
        keep_acks,
        take_repeats_for_new,
        send_beyond_the_grant,
        keep_what_was_recalled,
    ],
)
def test_a_mutant_is_caught(mutate: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch) -> None:
    mutate(monkeypatch)
    with pytest.raises(SimulationFailed, match=r"replay it with: python -m meshmq.testing --seed"):
        simulate_many(range(60))
