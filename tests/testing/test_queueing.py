"""Queueing theory: what ``stats()`` says of one puller is what the theory says, and what its arrivals give by hand.

Poisson arrivals and exponential work make an M/M/1 queue: L = ρ/(1-ρ), W = L/λ. Jobs that wait for each other vary
together: over a time T the variance of the mean of L is about 2ρ(1+ρ)/((1-ρ)⁴μT), so that at ρ = 0.9 it takes two
million jobs until 5 % is certain. So there are three steps. Lindley's recursion says exactly what given arrivals and
given work come to, and of every run, however short, ``stats()`` must say the same within 1 %. Of millions of
draws the recursion comes to what the theory says. And runs whose draws are near the theory by themselves are
compared with it directly; where that takes few jobs, any draws are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import repeat
from random import Random
from typing import Any, ClassVar

import pytest

from meshmq import AsyncNode
from meshmq.settings import Settings
from meshmq.testing import Faults, Programs, simulate
from tests.scale import scale

QUEUE = "jobs"
#: Work takes so long on average; what the network takes hardly counts beside it.
MEAN = 1.0
FAST = replace(Faults.none(), delay_least=0.00005, delay_most=0.0002, lateness=0.0001)


def spans(draw: int, what: str, count: int, mean: float) -> Iterator[float]:
    """Yield exponential spans."""
    random = Random(f"{draw} {what}")
    return (random.expovariate(1 / mean) for _ in range(count))


@dataclass
class OneLine(Programs):
    """Node 0 pushes jobs with pauses between them; node 1 works on them one after the other."""

    settings: ClassVar[Settings] = Settings(outbox_jobs=1_000)
    pauses: tuple[float, ...] = ()
    works: tuple[float, ...] = ()
    thrift: int = 1_000_000  # the books are audited elsewhere

    async def main(self, node: AsyncNode, index: int) -> None:
        if index == 0:
            await node.wait_for(pull=QUEUE)
            for pause in self.pauses:
                await asyncio.sleep(pause)
                await node.push(QUEUE, None)
        else:
            works = iter(self.works)
            async for _ in node.pull(QUEUE, prefetch=1):
                await asyncio.sleep(next(works))

    def done(self) -> bool:
        return self.witness.acked == len(self.pauses)


class ShortLine(OneLine):
    """The same with little room: who pushes waits for who works."""

    settings: ClassVar[Settings] = Settings(outbox_jobs=20)


def run(line: OneLine) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what both ends say of the queue when all is done."""
    simulate(1, scenario=line, nodes=2, faults=FAST, patience=1e9, afterwards=0, traced=False)
    pusher, puller = line.nodes()
    return pusher.stats()["queues"][QUEUE]["push"], puller.stats()["queues"][QUEUE]["pull"]


def lindley(rho: float, jobs: int, draw: int) -> tuple[float, float]:
    """Return L and W of the same arrivals and the same work, by hand."""
    now = free = stayed = 0.0
    for pause, work in zip(spans(draw, "pauses", jobs, MEAN / rho), spans(draw, "works", jobs, MEAN), strict=True):
        now += pause
        free = max(now, free) + work
        stayed += free - now
    return stayed / free, stayed / jobs


def measure(rho: float, jobs: int, draw: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a queue, and see that its figures are those of its own arrivals; returns what both ends say."""
    pauses, works = tuple(spans(draw, "pauses", jobs, MEAN / rho)), tuple(spans(draw, "works", jobs, MEAN))
    pushed, pulled = run(OneLine(pauses=pauses, works=works))
    assert (pushed["L"], pushed["W"]) == pytest.approx(lindley(rho, jobs, draw), rel=0.015)
    assert pushed["λ"] == pytest.approx(jobs / sum(pauses), rel=0.02)
    assert pulled["μ"] == pytest.approx(jobs / sum(works), rel=0.02)
    assert pulled["ρ"] == pytest.approx(pulled["λ"] / pulled["μ"], rel=0.01)
    assert pushed["L"] == pytest.approx(pushed["λ"] * pushed["W"], rel=0.01), "Little's law"
    return pushed, pulled


def near_the_theory(pushed: dict[str, Any], pulled: dict[str, Any], rho: float) -> None:
    """See that a run is an M/M/1 queue within 5 %."""
    length = rho / (1 - rho)
    assert pushed["L"] == pytest.approx(length, rel=0.05)
    assert pushed["W"] == pytest.approx(length / (rho / MEAN), rel=0.05)
    assert pushed["W"] == pytest.approx(length / pushed["λ"], rel=0.05)
    assert pulled["ρ"] == pytest.approx(rho, rel=0.05)


#: By ρ, the first draws of which a thousand jobs are within 1.5 % of the theory by themselves (``lindley``).
TYPICAL = {0.5: 3, 0.8: 19, 0.9: 602}


@pytest.mark.parametrize("rho", [0.5, 0.8, 0.9])
def test_length_and_wait_are_what_theory_says(rho: float) -> None:
    near_the_theory(*measure(rho, 1_000, TYPICAL[rho]), rho)


@pytest.mark.stress
@pytest.mark.timeout(900)
@pytest.mark.parametrize("rho", [0.5, 0.8, 0.9])
def test_any_draws_give_what_they_come_to_by_hand(rho: float) -> None:
    for draw in range(1_000, 1_005):
        measure(rho, 6_000, draw)


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_where_jobs_are_many_enough_any_draws_are_near_the_theory() -> None:
    near_the_theory(*measure(0.5, 30_000, 7), 0.5)  # two and a half standard deviations are 5 %


@pytest.mark.parametrize("rho", [0.5, 0.8, 0.9])
def test_by_hand_millions_of_jobs_come_to_what_theory_says(rho: float) -> None:
    jobs = scale(test=int(20_000 * (0.5 / (1 - rho)) ** 1.2), stress=2_500_000)
    length, wait = lindley(rho, jobs, 3)
    near = scale(test=15, stress=5) / 100
    assert length == pytest.approx(rho / (1 - rho), rel=near)
    assert wait == pytest.approx(MEAN / (1 - rho), rel=near)


@pytest.mark.parametrize(("sent", "done"), [(10.0, 4.0), (4.0, 10.0)])
def test_throughput_is_the_lesser_of_both_rates(sent: float, done: float) -> None:
    jobs = 200
    line = ShortLine(pauses=tuple(repeat(1 / sent, jobs)), works=tuple(repeat(1 / done, jobs)))
    pushed, pulled = run(line)
    least = min(sent, done)
    assert pushed["λ"] == pytest.approx(least, rel=0.05)
    assert pulled["λ"] == pytest.approx(least, rel=0.05)
    assert pulled["ρ"] == pytest.approx(least / done, rel=0.05)
    assert pulled["μ"] == pytest.approx(done, rel=0.05)
