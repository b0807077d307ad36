"""Ordinary programs on ordinary nodes, in virtual time: what a stranger writes to test a pipeline."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from meshmq import AsyncNode, MeshError, TimedOut
from meshmq.testing import Faults, Programs, SimulatedNode, Simulation, SimulationFailed, simulate
from meshmq.wire.card import Forwards
from tests.replays import same_everywhere
from tests.scale import scale

STILL = Faults.none(until=3)


@dataclass
class Orders(Programs):
    """Node 0 sends orders, node 1 knows prices, the others ship what they ask the price of."""

    orders: int = 40
    shipped: Counter[int] = field(default_factory=Counter)
    told: list[int] = field(default_factory=list)

    async def main(self, node: AsyncNode, index: int) -> None:
        if index == 0:
            for number in range(self.orders):
                await node.push("orders", number)
                await asyncio.sleep(0.05)
        elif index == 1:

            @node.reply("price", idempotent=True)
            async def price(number: int) -> int:
                await asyncio.sleep(0.01)
                return 10 * number

            async for message in node.subscribe("shipped.*"):
                self.told.append(message.data)
        else:
            async for message in node.pull("orders"):
                assert await node.request("price", message.data, timeout=20, idempotent=True) == 10 * message.data
                self.shipped[message.data] += 1
                await node.publish(f"shipped.n{index}", message.data)

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        return node.index > 1

    def done(self) -> bool:
        return len(self.shipped) == self.orders

    def check(self, sim: Simulation) -> None:
        assert set(self.shipped) == set(range(self.orders))


def many(seeds: range, faults: Faults) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in seeds:
        counts.update(simulate(seed, scenario=Orders(), faults=faults).counts)
    return counts


def test_every_order_is_shipped_whatever_befalls_the_mesh() -> None:
    counts = many(range(scale(test=12, stress=200)), Faults.few(3))
    assert counts["crash"] + counts["power cut"]
    assert counts["partition"]


def test_without_faults_everything_happens_once() -> None:
    scenario = Orders()
    began = time.monotonic()
    report = simulate(1, scenario=scenario, faults=STILL)
    assert report.seconds > time.monotonic() - began, "virtual time costs more than it is worth"
    assert set(scenario.shipped.values()) == {1}
    assert sorted(scenario.told) == list(range(40))
    assert scenario.witness.acked == 40
    pushed = scenario.nodes()[0].stats()["queues"]["orders"]["push"]
    assert (pushed["acked"], pushed["redelivered"], pushed["depth"]) == (40, 0, 0)
    assert {peer.name for peer in scenario.nodes()[0].peers()} == {"n1", "n2", "n3", "n4"}


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    same_everywhere("meshmq.testing:Trial", 7, 2)


@dataclass
class Through(Orders):
    """The same through a device."""

    forwards = Forwards(queues=("orders",), services=("price",))
    devices: int = 1


def test_a_device_may_stand_in_between() -> None:
    scenario = Through()
    simulate(3, scenario=scenario, faults=STILL)
    forwarded = scenario.nodes()[4].stats()["forwards"]["queues"]["orders"]
    assert forwarded["received"] == 40
    for seed in range(scale(test=3, stress=60)):
        simulate(seed, scenario=Through(), faults=Faults.few(3))


class Once(Programs):
    """Node 0 does something; the others do nothing."""

    async def main(self, node: AsyncNode, index: int) -> None:
        if index == 0:
            await self.do(node)

    async def do(self, node: AsyncNode) -> None:
        raise NotImplementedError


def once(scenario: Programs) -> None:
    simulate(1, scenario=scenario, nodes=2, faults=STILL)


def test_what_a_program_raises_fails_the_run() -> None:
    class Failing(Once):
        async def do(self, node: AsyncNode) -> None:
            await asyncio.sleep(1)
            raise ZeroDivisionError("by a program")

    with pytest.raises(SimulationFailed, match="seed 1 fails: ZeroDivisionError: by a program"):
        once(Failing())


def test_what_a_task_of_a_program_raises_fails_the_run_too() -> None:
    class Failing(Once):
        async def do(self, node: AsyncNode) -> None:
            async def fail() -> None:
                raise ZeroDivisionError("by a task")

            asyncio.create_task(fail())  # noqa: RUF006  # nobody keeps it: that is the point
            await asyncio.sleep(1)

    with pytest.raises(SimulationFailed, match="ZeroDivisionError: by a task"):
        once(Failing())


def test_the_only_one_of_a_group_of_tasks_that_fails_is_told_as_it_is() -> None:
    class Failing(Once):
        async def do(self, node: AsyncNode) -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(9))
                raise ZeroDivisionError("by one of two")

    with pytest.raises(SimulationFailed, match="seed 1 fails: ZeroDivisionError: by one of two"):
        once(Failing())


def test_a_handler_that_is_a_plain_function_is_refused() -> None:
    class Plain(Once):
        async def do(self, node: AsyncNode) -> None:
            @node.pull("jobs")
            def work(data: object) -> None: ...

    with pytest.raises(SimulationFailed, match=r"work is a plain function: in a simulation there are no threads"):
        once(Plain())


def test_waits_end_by_the_clock_of_the_node() -> None:
    ended: list[str] = []

    class Waiting(Once):
        async def do(self, node: AsyncNode) -> None:
            with pytest.raises(TimedOut):
                await node.pull("nothing").receive(timeout=100)
            with pytest.raises(MeshError):
                await node.request("nobody", timeout=50)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):
                    await asyncio.Event().wait()
            ended.append("all")

        def done(self) -> bool:
            return bool(ended)

    report = simulate(1, scenario=Waiting(), nodes=2, faults=STILL, patience=300)
    assert 160 < report.seconds < 165


def test_a_node_that_closes_leaves() -> None:
    class Leaving(Once):
        async def do(self, node: AsyncNode) -> None:
            await node.wait_for(pull="jobs", timeout=5)
            await node.push("jobs", "the last")
            await node.close()
            self.sim.after(0.1, lambda: self.again())

        def again(self) -> None:
            self.sim.restart(self.sim.nodes[0], same_address=True)

        async def main(self, node: AsyncNode, index: int) -> None:
            if index == 0 and len(self.incarnations) == 2:
                await self.do(node)
            elif index == 1:
                async for _ in node.pull("jobs"):
                    pass

        def done(self) -> bool:
            return len(self.incarnations) == 3

    scenario = Leaving()
    once(scenario)
    assert any("n0 left" in str(event) for event in scenario.nodes()[1].participant.presence.roster.events)


def test_every_incarnation_begins_its_program_anew() -> None:
    ids: list[tuple[int, str]] = []

    class Counted(Programs):
        async def main(self, node: AsyncNode, index: int) -> None:
            ids.append((index, node.id))

        def start(self, sim: Simulation) -> None:
            super().start(sim)
            sim.at(1.0, lambda: sim.crash(sim.nodes[1]))
            sim.at(2.0, lambda: self.again(sim))

        def again(self, sim: Simulation) -> None:
            sim.restart(sim.nodes[1], same_address=False)

    once(Counted())
    assert [index for index, _ in ids] == [0, 1, 1]
    assert len({id_ for _, id_ in ids}) == 3


def test_a_worker_that_stands_still_forever_does_no_harm_once_it_is_killed() -> None:
    class Stuck(Orders):
        stuck = False

        async def main(self, node: AsyncNode, index: int) -> None:
            if index == 4 and not self.stuck:
                self.stuck = True
                await node.pull("orders").receive()
                self.sim.after(1.0, lambda: self.sim.crash(self.sim.nodes[4]))
                self.sim.after(1.5, self.again)
                await asyncio.Event().wait()
            await super().main(node, index)

        def again(self) -> None:
            self.sim.restart(self.sim.nodes[4], same_address=True)

    scenario = Stuck()
    simulate(1, scenario=scenario, faults=STILL)
    assert sum(seen.flagged for seen in scenario.witness.jobs.values()) == 1


def test_what_waits_for_ever_is_not_cleared_away() -> None:
    scenario = Waiting()
    simulate(1, scenario=scenario, nodes=2, faults=STILL)
    assert scenario.ended == []
    assert scenario.nodes()[1].stats()["queues"]["jobs"]["pull"]["returned"] == 0


@dataclass
class Waiting(Programs):
    """Node 1 takes a job and never says what became of it, in a task that nobody holds."""

    ended: list[str] = field(default_factory=list)

    async def main(self, node: AsyncNode, index: int) -> None:
        if index == 0:
            await node.push("jobs", 1)
            await asyncio.sleep(2)
            gc.collect()
            await asyncio.sleep(0.5)
        else:
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.hold(node)))

    async def hold(self, node: AsyncNode) -> None:
        try:
            async for _ in node.pull("jobs"):
                await asyncio.Event().wait()
        finally:
            self.ended.append("cleared away")

    def finished(self, sim: Simulation) -> bool:
        return True


def test_what_never_finishes_says_what_is_missing() -> None:
    with pytest.raises(SimulationFailed, match=r"after the last fault: n0 has 40 jobs of 'orders' that are not done"):
        once(Orders())
