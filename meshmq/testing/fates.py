"""The scenario of fates: jobs that are to end otherwise than by being done, or not at once; and topics that outlive.

It stands beside ``Trial``, which says of all its jobs that they are done, and is so quick because nothing is said of
them when they are pushed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import ClassVar, Final

from meshmq.core.feed.subscriber import GONE_FOR
from meshmq.core.participant import Participant
from meshmq.errors import NotUnique
from meshmq.faces.aio import AsyncNode
from meshmq.faces.aio_pushing import AsyncReceipt
from meshmq.fate import JobOptions
from meshmq.message import Message
from meshmq.names import counted
from meshmq.testing.chronicle import Chronicle
from meshmq.testing.faults import Faults
from meshmq.testing.local_clock import WALL
from meshmq.testing.programs import Programs
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.simulation import TRAFFIC, Simulation
from meshmq.wire.card import Forwards

PUSHERS: Final = 2
QUEUE: Final = "jobs"
#: What is said of jobs, in turn.
KINDS: Final = ("plain", "leased", "poison", "late", "hopeless", "delayed", "at", "unique", "keyed")
#: How receipts of them may end.
OUTCOMES: Final = {"poison": {"dead"}, "late": {"done", "expired"}, "hopeless": {"expired"}}
LEASE: Final = 0.3
MOST_ATTEMPTS: Final = 3
#: Jobs are put off by at most so long: for longer than their pusher is away when it crashes.
LONGEST: Final = 4.0
#: A clock that is a little too fast comes so much before the time of a job.
DRIFTED: Final = 0.05 * LONGEST


@dataclass
class Fates(Programs):
    """Two nodes push ``jobs`` of every kind, the others work; in every other seed with journals.

    With journals pushers die, too; on their walls clocks are set, by up to ``set_most`` seconds; and the ends of jobs
    are told on durable topics.
    """

    faults: ClassVar[Faults] = Faults.few(3)
    forwards: ClassVar[Forwards] = Forwards(queues=(QUEUE,))
    #: Whether the seed says if there is a device (one in four), and journals (every other).
    mixed: bool = True
    jobs: int = 90
    thrift: int = 16
    seconds: float = 3.0
    set_most: float = 3.0
    #: What is pushed, as far as the nodes that did it were told before they died.
    pushed: set[int] = field(default_factory=set)
    finished_jobs: set[int] = field(default_factory=set)
    #: How receipts ended.
    receipts: dict[int, str] = field(default_factory=dict)
    #: Poisonous jobs that somebody has mended, or thrown away.
    mended: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    #: By id of the user's: the jobs that were begun.
    uniques: dict[int, set[str]] = field(default_factory=dict)
    #: From when on jobs may begin, by the clock on the wall; or until when, by the simulation's.
    moments: dict[int, float] = field(default_factory=dict)
    chronicle: Chronicle = field(default_factory=Chronicle)
    #: The poisonous job that kills its worker.
    killer: int = field(default=-1, init=False)

    def make(self, sim: Simulation, node: SimulatedNode) -> Participant:
        if self.mixed:
            self.devices, self.journals = int(sim.seed % 8 in (3, 6)), sim.seed % 2 == 0
        return super().make(sim, node)

    def start(self, sim: Simulation) -> None:
        super().start(sim)
        self.chronicle.gaps = self._may_have_given_up
        if sim.random.random() < 0.3:
            self.killer = sim.random.choice([number for number in range(self.jobs) if kind_of(number) == "poison"])
        if sim.random.random() < 0.5:
            place, seconds = sim.random.randrange(PUSHERS), sim.random.uniform(-self.set_most, self.set_most)
            sim.after(sim.random.uniform(0, self.seconds), partial(self._set_wall, place, seconds))

    def _may_have_given_up(self) -> bool:
        """Say whether a publisher may have been away for as long as readers wait for it."""
        return self.sim.counts["clock jump"] > 0 or self.sim.now > 0.9 * GONE_FOR

    def _set_wall(self, place: int, seconds: float) -> None:
        self.sim.fault("wall clock", f"n{place} by {seconds:+.3f} s")
        self.walls[place].jump(seconds)

    async def main(self, node: AsyncNode, index: int) -> None:
        random = Random(f"{self.sim.seed}/{node.id}")
        if index < PUSHERS:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._push(node, index, random, tasks))
                tasks.create_task(self._look_after(node))
        else:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work(node, random))
                if self.journals:
                    tasks.create_task(self.chronicle.read(node, index, ["n0", "n1"]))

    # -- pushers -----------------------------------------------------------------------------------

    async def _push(self, node: AsyncNode, index: int, random: Random, tasks: asyncio.TaskGroup) -> None:
        if self.journals:
            self.chronicle.open(node)
        for number in sorted(self.pushed):  # what was done in another life is not done again
            if number % PUSHERS == index and kind_of(number) == "unique":
                await self._push_again(node, number)
        for number in [number for number in range(index, self.jobs, PUSHERS) if number not in self.pushed]:
            try:
                receipt = await node.push(QUEUE, number, receipt=True, **self._options(node, number, random))
                tasks.create_task(self._await(node, number, receipt))
            except NotUnique:
                assert self.journals, f"nobody has pushed {number} before"  # its pusher died before it was told
            self.pushed.add(number)
            if kind_of(number) == "unique":
                await self._push_again(node, number)
            await asyncio.sleep(random.expovariate(1) * PUSHERS * self.seconds / self.jobs)

    def _options(self, node: AsyncNode, number: int, random: Random) -> JobOptions:
        options: JobOptions = {"durable": True} if self.journals else {}
        match kind_of(number):
            case "leased":
                options["lease"] = LEASE
            case "poison":
                options |= {"max_attempts": MOST_ATTEMPTS, "backoff": 0.05}
            case "late":
                options["ttl"] = ttl = random.uniform(0.01, 0.5)
                self.moments[number] = self.sim.now + ttl
            case "hopeless":
                options |= {"ttl": 0.2, "delay": 0.5}
            case "delayed":
                options["delay"] = random.uniform(0.1, LONGEST)
            case "at":
                options["at"] = moment = node._wall() + random.uniform(0.1, LONGEST)
                self.moments[number] = min(moment, self.moments.get(number, moment))
            case "unique":
                options["unique"] = f"id-{number}"
            case "keyed":
                options["key"] = f"key-{number % 4}"
        return options

    async def _push_again(self, node: AsyncNode, number: int) -> None:
        try:
            await node.push(QUEUE, number, unique=f"id-{number}")
        except NotUnique:
            return
        raise AssertionError(f"a second job with the id of {number} is taken")

    async def _await(self, node: AsyncNode, number: int, receipt: AsyncReceipt) -> None:
        outcome = await receipt.wait()
        expected = OUTCOMES.get(kind_of(number), {"done"})
        # Pushed once more, for its pusher died before it was told: now it is not poisonous any more.
        assert outcome in expected or number in self.mended, (
            f"the receipt of {number}, which is {kind_of(number)}, says {outcome!r}"
        )
        assert outcome != "done" or number in self.finished_jobs, f"the receipt of {number} says that it is done"
        assert number not in self.receipts, f"the receipt of {number} ends twice"
        self.receipts[number] = outcome
        if self.journals:
            await self.chronicle.tell(node, number)

    async def _look_after(self, node: AsyncNode) -> None:
        """Leave dead letters where they are for a while; then mend every other one, and drop the rest."""
        dead = node.queue(QUEUE).dead
        while True:
            await asyncio.sleep(0.5)
            for letter in dead.list() if self.sim.now > self.seconds else ():
                number = letter.data
                assert letter.failures >= MOST_ATTEMPTS, letter.reason
                if number % 4 < PUSHERS:
                    self.mended.add(number)
                    assert dead.retry(letter.id) == 1
                else:
                    self.dropped.add(number)
                    assert dead.drop(letter.id) == 1

    # -- workers -----------------------------------------------------------------------------------

    async def _work(self, node: AsyncNode, random: Random) -> None:
        jobs = node.pull(QUEUE, lease=random.choice((None, None, 20.0)))
        while True:
            async for message in jobs:
                number, kind = message.data, kind_of(message.data)
                self._begins(message, number, kind)
                if kind == "leased":
                    await self._overstay(message, random)
                elif random.random() < 0.05:
                    await asyncio.sleep(random.expovariate(1) * 0.3)
                if kind == "poison" and number not in self.mended:
                    if number == self.killer:
                        self.sim.at(self.sim.now, partial(self.kill, node))
                        await asyncio.Event().wait()
                    message.nack(delay=random.choice((None, 0.3)))
                elif random.random() < 0.02:
                    break
                else:
                    self.finished_jobs.add(number)

    def _begins(self, message: Message, number: int, kind: str) -> None:
        set_ = self.sim.counts["wall clock"] + self.sim.counts["clock jump"]
        if kind == "late" and not set_:
            late = self.sim.now - self.moments[number]
            assert late < self._latest(), f"{message!r} begins {late:.3f} s after its ttl"
        assert kind != "hopeless", f"{message!r} begins, which was over before its time came"
        if kind == "at" and not set_:
            early = self.moments[number] - WALL - self.sim.now
            assert early < DRIFTED, f"{message!r} begins {early:.3f} s before its time"
        if kind == "unique":
            jobs = self.uniques.setdefault(number, set())
            jobs.add(message.id)
            assert len(jobs) == 1, f"two jobs of one id are begun: {jobs}"

    def _latest(self) -> float:
        """Say how late a job may begin: what is under way waits for a worker that stands still, or is cut off."""
        if not set(self.sim.counts) - set(TRAFFIC):
            return self.sim.faults.slow_most + 0.1
        return max(self.settings.silence, self.sim.faults.stall_most) + 1.0

    async def _overstay(self, message: Message, random: Random) -> None:
        """Be in time, extend the lease, or hang."""
        chance = random.random()
        if chance < 0.3:
            for _ in range(3):
                await asyncio.sleep(LEASE * 0.7)
                message.extend()
        elif chance < 0.5:
            await asyncio.sleep(LEASE + 1.5)

    # -- what is to come of it -----------------------------------------------------------------------

    def may_crash(self, sim: Simulation, node: SimulatedNode) -> bool:
        return self.journals or node.index >= PUSHERS

    def done(self) -> bool:
        return not any(self._open())

    def missing(self, sim: Simulation) -> str:
        return ", ".join([super().missing(sim), *self._open()])

    def _open(self) -> Iterator[str]:
        if len(self.pushed) < self.jobs:
            yield f"{counted(self.jobs - len(self.pushed), 'job')} not pushed"
        for number in sorted(self.pushed):
            kind = kind_of(number)
            may_be_lost = kind in ("late", "hopeless") or number in self.dropped
            if number not in self.finished_jobs and not may_be_lost:
                yield f"{number}, which is {kind}, has not ended"
        for node in self.nodes()[:PUSHERS]:
            if dead := len(node.queue(QUEUE).dead):
                yield f"{counted(dead, 'dead letter')} on {node.name}"
            outbox = node.participant.outboxes.get(QUEUE)
            if outbox is not None and outbox.awaited:
                yield f"{counted(len(outbox.awaited), 'receipt')} open on {node.name}"
        if self.journals:
            nodes = self.nodes()
            yield from self.chronicle.behind(nodes[:PUSHERS], nodes[PUSHERS : len(nodes) - self.devices])


def kind_of(number: int) -> str:
    """Return what is said of a job."""
    return KINDS[number // PUSHERS % len(KINDS)]
