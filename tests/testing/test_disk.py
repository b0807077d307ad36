"""A disk that outlives its nodes: in order, a little late, and what a crash takes from it is the end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from meshmq import AsyncNode, JournalError, TimedOut
from meshmq.core.records import Change, Claim, Done, Keep, Recovered, StoredJob
from meshmq.settings import Settings
from meshmq.testing import Faults, Programs, SimulatedNode, Simulation, simulate
from meshmq.testing.disk import COMMIT_MOST, Disk
from meshmq.testing.local_clock import WALL
from tests.scale import scale
from tests.testing.lab import Blank

ORIGIN = b"o" * 16


class Clerk:
    """Stands for a participant that only remembers what it got back, and how to write."""

    found: Recovered
    store: Callable[[Sequence[Change], object], None]

    def recover(self, recovered: Recovered, store: Any, now: float) -> None:
        self.found, self.store = recovered, store


class Desk:
    """A disk, a node, and what the node was told."""

    def __init__(self, seed: int = 1) -> None:
        self.sim = Simulation(seed, Blank(), nodes=1, faults=Faults.none(until=5))
        self.disk = Disk(self.sim)
        self.told: list[tuple[int, str]] = []
        self.open()

    def open(self) -> Recovered:
        self.clerk = Clerk()
        self.disk.open(self.sim.nodes[0], cast(Any, self.clerk))
        return self.clerk.found

    def keep(self, number: int) -> None:
        def told(error: Exception | None, now: float) -> None:
            self.told.append((number, str(error or "")))

        pushed = self.sim.nodes[0].clock.at(self.sim.now)
        job = StoredJob(queue="jobs", origin=ORIGIN, number=number, body=b"body", pushed=pushed)
        self.clerk.store([Keep(job)], told)

    def pass_time(self, seconds: float = COMMIT_MOST) -> None:
        self.sim.run(until=self.sim.now + seconds)

    def kept(self) -> list[int]:
        return [job.number for job in self.disk.store.recover().jobs]


def test_what_is_written_is_there_a_little_later_and_who_waits_is_told() -> None:
    desk = Desk()
    desk.keep(1)
    desk.keep(2)
    assert (desk.kept(), desk.told) == ([], [])
    desk.pass_time()
    assert desk.kept() == [1, 2]
    assert desk.told == [(1, ""), (2, "")]
    desk.clerk.store([Done(ORIGIN, 1, 1)], None)
    desk.pass_time()
    assert desk.kept() == [2]


def test_a_crash_takes_what_was_not_committed_from_some_change_on() -> None:
    left = Counter[int]()
    for seed in range(60):
        desk = Desk(seed)
        desk.keep(0)
        desk.pass_time()
        for number in (1, 2, 3):
            desk.keep(number)
        desk.disk.crash()
        desk.keep(4)  # of one who is dead
        desk.pass_time()
        found = [job.number for job in desk.open().jobs]
        assert found == list(range(len(found)))
        assert desk.told == [(0, "")]
        assert desk.disk.lost == 4 - len(found)
        left[len(found)] += 1
    assert set(left) == {1, 2, 3, 4}


def test_moments_are_those_of_the_wall_so_that_they_outlive_a_clock() -> None:
    desk = Desk()
    desk.keep(1)
    desk.pass_time()
    assert desk.disk.store.recover().jobs[0].pushed == pytest.approx(WALL)
    desk.disk.crash()
    desk.sim.crash(desk.sim.nodes[0])
    desk.pass_time(3)
    fresh = desk.sim.restart(desk.sim.nodes[0], same_address=True)
    assert fresh.moment - desk.open().jobs[0].pushed == pytest.approx(3 + COMMIT_MOST)


def test_a_full_disk_says_so_and_takes_what_is_over_when_there_is_room() -> None:
    desk = Desk()
    desk.keep(1)
    desk.pass_time()
    desk.disk.full = True
    desk.keep(2)
    desk.clerk.store([Done(ORIGIN, 1, 1), Claim("jobs", "id", WALL)], None)
    desk.pass_time()
    assert desk.told[1:] == [(2, "the simulated disk is full")]
    assert desk.kept() == [1]
    desk.disk.full = False
    desk.pass_time(1.1)
    assert desk.kept() == []


def test_a_node_that_is_closed_writes_what_is_left() -> None:
    desk = Desk()
    desk.keep(1)
    desk.disk.close()
    assert desk.kept() == [1]


@dataclass
class Shop(Programs):
    """Node 0 takes orders, and dies, again and again; every push that returned must be done."""

    journals: bool = True
    orders: int = 40
    pushed: list[int] = field(default_factory=list)
    done_: Counter[int] = field(default_factory=Counter)

    async def main(self, node: AsyncNode, index: int) -> None:
        if index == 0:
            for number in range(len(self.pushed), self.orders):
                try:
                    await node.push("orders", number, durable=True)
                    self.pushed.append(number)
                except JournalError:
                    self.pushed.append(-1)
                await asyncio.sleep(0.05)
        else:
            async for message in node.pull("orders"):
                await asyncio.sleep(0.02)
                self.done_[message.data] += 1

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        return node.index == 0

    def done(self) -> bool:
        return len(self.pushed) == self.orders

    def check(self, sim: Simulation) -> None:
        assert not set(self.pushed) - {-1} - set(self.done_)


def test_every_durable_push_that_returned_is_done_though_its_pusher_dies() -> None:
    crashes = 0
    storm = Faults(until=6, crashes=1.5, down_most=1)
    for seed in range(scale(test=8, stress=200)):
        shop = Shop()
        report = simulate(seed, scenario=shop, nodes=3, faults=storm)
        crashes += report.counts.get("crash", 0) + report.counts.get("power cut", 0)
    assert crashes > 10


def test_a_push_that_finds_the_disk_full_is_refused_and_others_go_on() -> None:
    class Full(Shop):
        def start(self, sim: Simulation) -> None:
            super().start(sim)
            sim.at(0.5, lambda: setattr(self.disks[0], "full", True))
            sim.at(1.0, lambda: setattr(self.disks[0], "full", False))

    shop = Full()
    simulate(1, scenario=shop, nodes=3, faults=Faults.none(until=3))
    assert 1 <= shop.pushed.count(-1) <= 15
    assert len(shop.done_) == shop.orders - shop.pushed.count(-1)


def test_a_push_that_waits_for_room_and_for_the_disk_waits_no_longer_than_it_says() -> None:
    ended: list[float] = []

    class Slow(Shop):
        settings = Settings(outbox_jobs=1)

        async def main(self, node: AsyncNode, index: int) -> None:
            if index == 0:
                await node.push("orders", 1, durable=True)
                since = asyncio.get_running_loop().time()
                self.sim.after(0.5, lambda: setattr(self.disks[0], "_due", 0.0))  # it never writes again
                with pytest.raises(TimedOut):
                    await node.push("orders", 2, durable=True, timeout=2)
                ended.append(asyncio.get_running_loop().time() - since)
            else:
                await asyncio.sleep(1.5)
                await super().main(node, index)

        def done(self) -> bool:
            return bool(ended)

    simulate(1, scenario=Slow(), nodes=2, faults=Faults.none(until=5))
    assert ended == [pytest.approx(2.0, abs=0.1)]
