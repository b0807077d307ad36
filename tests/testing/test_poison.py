"""Jobs that kill the node which pushed and pulls them, in virtual time, while nodes also die of other things."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from meshmq import AsyncMessage, AsyncNode, AsyncReceiver, NotUnique
from meshmq.testing import Faults, Programs, SimulatedNode, Simulation, simulate
from tests.scale import scale

ATTEMPTS = 4


@dataclass
class Lonely(Programs):
    """Node 0 pushes to itself and works, three at once; some of its jobs kill it, whatever else happens."""

    journals: bool = True
    orders: int = 24
    poison: tuple[int, ...] = (5, 17)
    pushed: int = 0
    kills: int = 0
    runs: Counter[int] = field(default_factory=Counter)
    dead: list[int] = field(default_factory=list)

    async def main(self, node: AsyncNode, index: int) -> None:
        if index:
            return
        queue = node.queue("orders", durable=True, max_attempts=ATTEMPTS, backoff=0.1)

        jobs = node.pull("orders")
        workers = [asyncio.create_task(self.work(node, jobs)) for _ in range(3)]
        while self.pushed < self.orders:
            with suppress(NotUnique):  # the disk had it, and the node died before it knew
                await queue.push(self.pushed, unique=f"order {self.pushed}")
            self.pushed += 1
        while True:
            self.dead = sorted(letter.data for letter in queue.dead)
            await asyncio.wait(workers, timeout=0.1)

    async def work(self, node: AsyncNode, jobs: AsyncReceiver[AsyncMessage]) -> None:
        async for message in jobs:
            if message.data in self.poison:
                self.kills += 1
                self.sim.after(0.0, partial(self.kill, node, power_cut=bool(self.kills % 2)))
                await asyncio.sleep(1_000)
            await asyncio.sleep(0.02)
            self.runs[message.data] += 1

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        return node.index > 0

    def done(self) -> bool:
        return self.pushed >= self.orders and len(self.dead) >= len(self.poison)

    def check(self, sim: Simulation) -> None:
        assert self.dead == list(self.poison)
        assert set(range(self.orders)) - set(self.poison) <= set(self.runs)
        # Each kills once among others, and alone as often as it may.
        assert self.kills == len(self.poison) * (ATTEMPTS + 1)


def test_they_are_dead_letters_in_the_end_and_all_others_are_done() -> None:
    for seed in range(scale(test=6, stress=200)):
        simulate(seed, scenario=Lonely(), nodes=2, faults=Faults(until=6, crashes=0.5, down_most=1))
