"""Toys that carry numbers: one must survive what a connection may do, the others must not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from meshmq.links.base import Connection, Decider
from meshmq.testing import Scenario, SimulatedNode, Simulation
from tests.testing.toys import Dialler, Quiet


class GoBackN(Dialler):
    """Sends numbers again from where the other says it stands, after every new connection.

    ``patience`` is how long it waits for progress before it gives a silent connection up; without
    it, it trusts that the end of a connection is always told.
    """

    def __init__(self, disk: Disk, where: Callable[[], str], now: float, patience: float | None) -> None:
        super().__init__(where, now)
        self.disk = disk
        self.patience = patience
        self.agreed = False

    def push(self, now: float) -> None:
        self.disk.made += 1
        if self.agreed:
            self.outputs.append(("send", self.connection, [b"data", b"%d" % (self.disk.made - 1)]))
        self.watch(now)

    def watch(self, now: float) -> None:
        if self.connection >= 0:
            waiting = self.disk.acked < self.disk.made or not self.agreed
            self.due = now + self.patience if self.patience is not None and waiting else None

    def tick(self, now: float) -> None:
        if self.connection >= 0:
            self.outputs.append(("hang_up", self.connection))
            self.connection = -1
        self.agreed = False
        super().tick(now)
        self.watch(now)

    def lose(self, now: float) -> None:
        super().lose(now)
        self.agreed = False

    def reached(self, connection: Connection, address: str, now: float) -> None:
        self.outputs.append(("send", connection, [b"hello", b"%d" % self.disk.index]))

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        if connection != self.connection:
            return
        stands = int(frames[1])
        if stands > self.disk.acked or not self.agreed:
            self.disk.acked = max(self.disk.acked, stands)
            self.watch(now)
        if not self.agreed:
            self.agreed = True
            for number in range(stands, self.disk.made):
                self.outputs.append(("send", connection, [b"data", b"%d" % number]))
            self.watch(now)


class Trusting(Dialler):
    """Sends each number once: what was sent has arrived, has it not?"""

    def __init__(self, disk: Disk, where: Callable[[], str], now: float) -> None:
        super().__init__(where, now)
        self.disk = disk
        self.next = 0
        self.stands = False

    def lose(self, now: float) -> None:
        super().lose(now)
        self.stands = False

    def reached(self, connection: Connection, address: str, now: float) -> None:
        self.stands = True
        self.outputs.append(("send", connection, [b"hello", b"%d" % self.disk.index]))
        self.flush()

    def push(self, now: float) -> None:
        self.disk.made += 1
        self.flush()

    def flush(self) -> None:
        while self.stands and self.next < self.disk.made:
            self.outputs.append(("send", self.connection, [b"data", b"%d" % self.next]))
            self.next += 1


class Receiver(Quiet):
    """Takes the next number only, and says after every message where it stands."""

    def __init__(self, disks: dict[int, Disk]) -> None:
        super().__init__()
        self.disks = disks
        self.known: dict[Connection, Disk] = {}

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        kind, number = frames
        if kind == b"hello":
            self.known[connection] = self.disks[int(number)]
        disk = self.known[connection]
        if kind == b"data" and int(number) == len(disk.taken):
            disk.taken.append(int(number))
        self.outputs.append(("send", connection, [b"next", b"%d" % len(disk.taken)]))


@dataclass
class Disk:
    """What one sender, and the receiver about it, remember beyond their death."""

    index: int
    made: int = 0
    acked: int = 0
    taken: list[int] = field(default_factory=list)


@dataclass
class Stream(Scenario):
    """Every node sends numbers to node 0, which must have them all, once and in order."""

    kind: Literal["go-back-n", "no patience", "trusting"] = "go-back-n"
    jobs: int = 40
    seconds: float = 15.0
    disks: dict[int, Disk] = field(default_factory=dict)

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        if node.index == 0:
            return Receiver(self.disks)
        disk = self.disks.setdefault(node.index, Disk(node.index))
        if self.kind == "trusting":
            return Trusting(disk, lambda: sim.nodes[0].direct, node.moment)
        patience = 1.0 if self.kind == "go-back-n" else None
        return GoBackN(disk, lambda: sim.nodes[0].direct, node.moment, patience)

    def start(self, sim: Simulation) -> None:
        sim.invariant(self.nobody_is_ahead)
        for index in self.disks:
            for _ in range(self.jobs):
                sim.after(sim.random.uniform(0, self.seconds), partial(self.push, sim, index))

    def push(self, sim: Simulation, index: int) -> None:
        def push(decider: Decider, now: float) -> None:
            assert isinstance(decider, GoBackN | Trusting)
            decider.push(now)

        if not sim.call(sim.nodes[index], "push", push):
            self.disks[index].made += 1

    def nobody_is_ahead(self, sim: Simulation) -> None:
        for disk in self.disks.values():
            assert disk.acked <= len(disk.taken) <= disk.made, disk

    def finished(self, sim: Simulation) -> bool:
        return all(len(disk.taken) == self.jobs for disk in self.disks.values())

    def check(self, sim: Simulation) -> None:
        for disk in self.disks.values():
            assert disk.taken == list(range(self.jobs)), disk


class Unordered(GoBackN):
    """Depends on the order of a set of strings, which is another one in every process."""

    def reached(self, connection: Connection, address: str, now: float) -> None:
        super().reached(connection, address, now)
        self.words += [(0, "toy", word) for word in {"a", "b", "c", "d", "e", "f", "g", "h"}]


@dataclass
class UnorderedStream(Stream):
    """A scenario that is not deterministic."""

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        if node.index == 0:
            return super().make(sim, node)
        disk = self.disks.setdefault(node.index, Disk(node.index))
        return Unordered(disk, lambda: sim.nodes[0].direct, node.moment, 1.0)
