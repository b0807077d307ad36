"""Toy deciders and scenarios: some must survive what a connection may do, some must not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from meshmq.links.base import Connection, Decider, Reason
from meshmq.testing import Scenario, SimulatedNode, Simulation


class Quiet:
    """A decider that does nothing; the others add to it."""

    def __init__(self) -> None:
        self.outputs: list[tuple[object, ...]] = []
        self.woken: list[tuple[Hashable, int]] = []
        self.words: list[tuple[int, str, str]] = []
        self.due: float | None = None

    @property
    def deadline(self) -> float | None:
        return self.due

    def tick(self, now: float) -> None: ...

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None: ...

    def hear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None: ...

    def claim(self, string: bytes, present: bool, now: float) -> None: ...

    def reached(self, connection: Connection, address: str, now: float) -> None: ...

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None: ...

    def ended(self, connection: Connection, now: float) -> None: ...

    def turned_away(self, reason: Reason, address: str, now: float) -> None: ...


class Recorder(Quiet):
    """Writes down everything it is handed."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[object, ...]] = []
        self.moments: list[float] = []

    def of(self, kind: str) -> list[tuple[object, ...]]:
        return [entry[1:] for entry in self.log if entry[0] == kind]

    def tick(self, now: float) -> None:
        self.log.append(("tick",))
        self.moments.append(now)
        self.due = None

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.log.append(("receive", connection, list(frames)))
        self.moments.append(now)

    def hear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.log.append(("hear", connection, list(frames)))

    def claim(self, string: bytes, present: bool, now: float) -> None:
        self.log.append(("claim", string, present))

    def reached(self, connection: Connection, address: str, now: float) -> None:
        self.log.append(("reached", connection, address))

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.log.append(("refused", connection, reason, address))

    def ended(self, connection: Connection, now: float) -> None:
        self.log.append(("ended", connection))


class Dialler(Quiet):
    """Keeps one direct connection to wherever ``where()`` says, and dials again 0.1 s after its end."""

    def __init__(self, where: Callable[[], str], now: float) -> None:
        super().__init__()
        self.where = where
        self.due = now
        self.connection: Connection = -1
        self.numbers = 0

    def tick(self, now: float) -> None:
        if self.connection < 0:
            self.connection = self.numbers
            self.numbers += 2
            self.outputs.append(("dial", self.connection, "direct", [self.where()], []))
        self.due = None

    def lose(self, now: float) -> None:
        self.connection = -1
        self.due = now + 0.1

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.lose(now)

    def ended(self, connection: Connection, now: float) -> None:
        if connection == self.connection:
            self.lose(now)


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


class Watcher(Quiet):
    """Subscribes to every other node, and believes in those that have subscribed to it."""

    def __init__(self, index: int, addresses: Callable[[], dict[int, str]], now: float, *, counts: bool) -> None:
        super().__init__()
        self.index = index
        self.addresses = addresses
        self.counts = counts
        self.due = now
        self.numbers = 0
        self.dialled: dict[int, tuple[str, Connection]] = {}
        self.claims: Counter[int] = Counter()

    def tick(self, now: float) -> None:
        self.due = now + 0.5
        for index, address in self.addresses().items():
            if index != self.index and self.dialled.get(index, ("", 0))[0] != address:
                if index in self.dialled:
                    self.outputs.append(("hang_up", self.dialled[index][1]))
                self.dialled[index] = (address, self.numbers)
                self.outputs.append(("dial", self.numbers, "control", [address], [b"card", b"\xff%d" % self.index]))
                self.numbers += 2

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.ended(connection, now)

    def ended(self, connection: Connection, now: float) -> None:
        self.dialled = {index: entry for index, entry in self.dialled.items() if entry[1] != connection}

    def claim(self, string: bytes, present: bool, now: float) -> None:
        if string.startswith(b"\xff"):
            index = int(string[1:])
            if self.counts:
                self.claims[index] += 1 if present else -1
            else:
                self.claims[index] = int(present)

    @property
    def present(self) -> set[int]:
        return {index for index, claims in self.claims.items() if claims > 0}


@dataclass
class Presence(Scenario):
    """Everybody sees everybody by subscription, whatever happened before."""

    counts: bool = True

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        def addresses() -> dict[int, str]:
            return {other.index: other.control for other in sim.nodes}

        return Watcher(node.index, addresses, node.moment, counts=self.counts)

    def finished(self, sim: Simulation) -> bool:
        everybody = set(range(len(sim.nodes)))
        return all(
            isinstance(node.decider, Watcher) and node.decider.present == everybody - {node.index} for node in sim.nodes
        )

    def check(self, sim: Simulation) -> None:
        assert self.finished(sim)


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
