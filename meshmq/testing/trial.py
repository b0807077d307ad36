"""The first scenario of ``make simulate``: a little of all that users do, so short that thousands of seeds are run."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import ClassVar, Final

from meshmq.core.participant import Participant
from meshmq.errors import JournalError, MeshError
from meshmq.faces.aio import AsyncNode
from meshmq.fate import JobOptions
from meshmq.message import Message
from meshmq.settings import Settings
from meshmq.testing.books import runs
from meshmq.testing.faults import Faults
from meshmq.testing.programs import Programs
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import TRAFFIC, Simulation
from meshmq.wire.card import Forwards

PUSHERS: Final = 2
QUEUE, SERVICE, TOPIC = "jobs", "double", "ticks"


@dataclass
class Trial(Programs):
    """Two nodes push ``jobs`` and make ``calls``, the others work; in some seeds the last one is a device.

    Of the workers' jobs a share of ``failures`` is refused, a share of ``leaves`` is left in the middle, and most
    are quick; in some seeds one handler never returns, and its node is killed and started again, as by a supervisor.
    """

    faults: ClassVar[Faults] = Faults.few(3)
    settings: ClassVar[Settings] = Settings(outbox_jobs=60)
    forwards: ClassVar[Forwards] = Forwards(queues=(QUEUE,), services=(SERVICE,))
    #: Whether the seed says if there is a device (one in eight), journals (one in ten), and keys (one in ten).
    mixed: bool = True
    #: So many keys share the jobs, where it is not 0.
    keys: int = 0
    jobs: int = 300
    thrift: int = 16
    calls: int = 12
    seconds: float = 3.5
    failures: float = 0.02
    leaves: float = 0.01
    begun: Counter[int] = field(default_factory=Counter)
    finished_jobs: Counter[int] = field(default_factory=Counter)
    #: What is pushed, and which calls are over, as far as the nodes that did it were told before they died.
    pushed: set[int] = field(default_factory=set)
    over: set[int] = field(default_factory=set)
    #: How calls ended.
    ended: Counter[str] = field(default_factory=Counter)
    #: The job whose handler never returns, and the one that was in hand when such a node was killed in quiet times.
    stuck: int = field(default=-1, init=False)
    blamed: int = field(default=-1, init=False)

    def make(self, sim: Simulation, node: SimulatedNode) -> Participant:
        if self.mixed:
            self.devices, self.journals = int(sim.seed % 8 == 3), sim.seed % 10 == 9
            self.keys = 20 if sim.seed % 10 == 7 else 0
        return super().make(sim, node)

    def start(self, sim: Simulation) -> None:
        super().start(sim)
        if sim.random.random() < 0.3:
            self.stuck = sim.random.randrange(self.jobs)
        if self.journals and sim.random.random() < 0.3:
            sim.after(sim.random.uniform(0, self.seconds), partial(self._fill, sim.random.randrange(PUSHERS)))

    async def main(self, node: AsyncNode, index: int) -> None:
        random = Random(f"{self.sim.seed}/{node.id}")
        if index < PUSHERS:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._push(node, index, random))
                tasks.create_task(self._call(node, index, random))
        else:
            node.reply(SERVICE)(partial(self._double, random))
            await self._work(node, random)

    async def _push(self, node: AsyncNode, index: int, random: Random) -> None:
        numbers = [number for number in range(index, self.jobs, PUSHERS) if number not in self.pushed]
        while numbers:
            burst = random.choice((1, 25, 50))
            if self.journals:  # many wait for one commit
                await asyncio.gather(*(self._keep_one(node, number) for number in numbers[:burst]))
            else:
                for number in numbers[:burst]:
                    await node.push(QUEUE, number, **self._options(number))
                    self.pushed.add(number)
            del numbers[:burst]
            await asyncio.sleep(random.expovariate(1) * burst * PUSHERS * self.seconds / self.jobs)

    async def _keep_one(self, node: AsyncNode, number: int) -> None:
        while number not in self.pushed:
            try:
                await node.push(QUEUE, number, **self._options(number))
                self.pushed.add(number)
            except JournalError:
                await asyncio.sleep(0.3)

    def _options(self, number: int) -> JobOptions:
        options: JobOptions = {"durable": True} if self.journals else {}
        if self.keys:
            options["key"] = f"key-{number % self.keys}"
        return options

    def _fill(self, place: int) -> None:
        self.sim.fault("disk full", f"n{place}")
        self.disks[place].full = True
        self.sim.after(1.0, lambda: setattr(self.disks[place], "full", False))

    async def _call(self, node: AsyncNode, index: int, random: Random) -> None:
        for number in [number for number in range(index, self.calls, PUSHERS) if number not in self.over]:
            await asyncio.sleep(random.expovariate(1) * self.seconds * PUSHERS / self.calls)
            try:
                answer = await node.request(SERVICE, number, timeout=random.choice((0.1, 1, 5)))
                assert answer == 2 * number
                self.ended["answered"] += 1
            except MeshError as error:
                self.ended[type(error).__name__] += 1
            self.over.add(number)

    async def _double(self, random: Random, number: int) -> int:
        await asyncio.sleep(random.expovariate(1) * 0.02)
        return 2 * number

    async def _work(self, node: AsyncNode, random: Random) -> None:
        jobs = node.pull(QUEUE, prefetch=random.choice((None, None, 8)))
        while True:
            async for message in jobs:
                number = message.data
                self.begun[number] += 1
                if number == self.blamed:
                    self._is_blamed(message)
                if number == self.stuck:
                    self.stuck = -1
                    self.sim.after(1.0, partial(self._kill_at, node, number))
                    await asyncio.Event().wait()
                if (kind := random.random()) < 0.05:
                    await asyncio.sleep(random.expovariate(1) * (0.5 if kind < 0.015 else 0.01))
                deed = random.random()
                if deed < self.failures:
                    message.nack()
                elif deed < self.failures + self.leaves:
                    break
                else:
                    self.finished_jobs[number] += 1

    def _is_blamed(self, message: Message) -> None:
        """See that the job with which a worker died is suspected of it: it stood in hand for long enough to be told."""
        origin, number = message._delivery.identity(message._index)
        outbox = self.nodes()[message.data % PUSHERS].participant.outboxes[QUEUE]
        if origin != outbox.origin:
            return  # it came back from a journal
        failures = [run.failures for run in runs(outbox) if run.first <= number <= run.last]
        assert failures != [0], f"a worker died with {message!r} in hand for a second, and nobody blames it"

    def _kill_at(self, node: AsyncNode, number: int) -> None:
        quiet = not set(self.sim.counts) - set(TRAFFIC)
        if self.kill(node) and quiet:
            self.blamed = number

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        """Let workers and devices die, and pushers with a journal: what is not durable dies with its pusher."""
        return self.journals or node.index >= PUSHERS

    def done(self) -> bool:
        return len(self.finished_jobs) == self.jobs and len(self.over) == self.calls
