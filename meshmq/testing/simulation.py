"""Nodes in virtual time, without a thread or a socket: the same seed, the same run.

A ``Simulation`` holds a heap of ``(moment, number, action)``. Every node is a ``Decider``, and is
handed what an engine would hand it, by the ``Ether`` that lies between nodes and breaks the way
the contract of a connection allows. Each node's clock is its own: it shows another moment, and runs
a little faster or slower than the others.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, cast

from meshmq.links.base import Connection, Decider, LinkName
from meshmq.testing.ether import Ether
from meshmq.testing.faults import Faults
from meshmq.testing.local_clock import LocalClock
from meshmq.testing.scenario import Scenario
from meshmq.testing.simulated_node import SimulatedNode
from meshmq.testing.storm import Storm
from meshmq.testing.trace import Trace

#: Of what a run counts this is no fault.
TRAFFIC: Final = ("sent", "arrived", "lost", "doubled")
#: So many ticks in a row that leave the deadline in the past are a node that spins.
SPINS: Final = 1000

Handing = Callable[[Decider, float], object]


class Simulation:
    """One run: ``nodes`` participants of a scenario under the faults of one seed.

    ``simulate`` makes one, runs it through its healing, and checks it. Inside, a scenario gets at it: ``now`` is
    virtual time, ``nodes`` has the newest incarnation at every place, ``random`` is for the scenario's own draws;
    ``after`` and ``at`` plan something, ``call`` makes a user's call on a node, ``invariant`` has something checked
    after events, ``crash``, ``restart``, ``stall``, ``resume``, ``jump`` and the methods of ``storm`` strike by hand.
    """

    def __init__(
        self,
        seed: int,
        scenario: Scenario,
        *,
        nodes: int = 5,
        faults: Faults | None = None,
        listener: Callable[[str], object] | None = None,
        traced: bool = True,
    ) -> None:
        self.seed = seed
        self.scenario = scenario
        self.faults = faults if faults is not None else scenario.faults
        self.now = 0.0
        self.healed = False
        #: What the scenario draws from; apart from the faults, so that one does not move the other.
        self.random = random.Random(f"{seed}/scenario")
        self.lies = random.Random(f"{seed}/lies")
        self.counts: Counter[str] = Counter()
        self.trace = Trace(listener, kept=traced)
        self.events = 0
        self.ether = Ether(self)
        self.storm = Storm(self)
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._ties = count()
        self._invariants: list[tuple[int, Callable[[Simulation], None]]] = []
        #: The newest incarnation at every place.
        self.nodes: list[SimulatedNode] = []
        for index in range(nodes):
            self.nodes.append(self._node(index, 0, 0))
        for node in self.nodes:
            self._open(node)
        scenario.start(self)
        self.storm.brew()

    @property
    def trace_hash(self) -> str:
        """A digest of the whole trace: equal for equal runs."""
        return self.trace.hash

    def at(self, moment: float, action: Callable[[], object]) -> None:
        """Do ``action`` at ``moment``; actions of one moment keep their order."""
        heapq.heappush(self._heap, (max(moment, self.now), next(self._ties), action))

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do ``action`` so many seconds from now."""
        self.at(self.now + seconds, action)

    def invariant(self, check: Callable[[Simulation], None], *, every: int = 1) -> None:
        """Call ``check`` after every event, or every so many; it raises ``AssertionError`` when broken."""
        self._invariants.append((every, check))

    def note(self, line: str) -> None:
        """Write a line into the trace, which decides the run's hash."""
        if self.trace.kept:
            self.trace.write(f"{self.now:11.6f} {line}")

    def fault(self, kind: str, what: str) -> None:
        """Count a fault and write it into the trace."""
        self.counts[kind] += 1
        self.note(f"*** {kind}: {what}")

    def run(self, *, until: float, steps: int | None = None, stop: Callable[[], bool] | None = None) -> bool:
        """Go on until ``stop()`` (then ``True``) or ``until``.

        Raises:
            AssertionError: it takes more than ``steps`` actions: somebody talks without end.
        """
        taken = 0
        while self._heap and self._heap[0][0] <= until:
            if stop is not None and stop():
                return True
            if taken == steps:
                raise AssertionError(f"{steps:,} steps and it is only {self.now:.3f} s: somebody talks without end")
            taken += 1
            self.now, _, action = heapq.heappop(self._heap)
            action()
        self.now = max(self.now, until)
        return stop is not None and stop()

    # What happens to nodes.

    def call(self, node: SimulatedNode, what: str, handing: Handing) -> bool:
        """Make a user's call on a node; a stalled one makes it later, a dead one never (``False``)."""
        if node.state == "dead":
            return False
        self.enter(node, f"calls {what}", handing)
        return True

    def enter(
        self, node: SimulatedNode, what: str, handing: Handing, connection: Connection = -1, *, last: bool = False
    ) -> None:
        """Hand something to a node, unless it hung up; ``last`` forgets the connection before."""
        if node.state == "stalled":
            node.pending.append(lambda: self.enter(node, what, handing, connection, last=last))
        elif node.state == "up" and (connection < 0 or connection in node.connections):
            if last:
                del node.connections[connection]
            if self.trace.kept:
                self.note(f"{node.name} {what}")
            self._hand(node, handing, node.clock.at(self.now))

    def stall(self, node: SimulatedNode) -> bool:
        """Stop a node: it is handed nothing and does nothing until ``resume``; ``False`` if it did not run."""
        if node.state != "up":
            return False
        self.fault("stall", node.name)
        node.state = "stalled"
        node.stalls += 1
        return True

    def resume(self, node: SimulatedNode) -> None:
        """Let a stalled node go on: its clock jumps, then everything arrives, or the other way round."""
        if node.state != "stalled":
            return
        self.note(f"{node.name} goes on")
        node.state = "up"
        node.disturbed_at = self.now
        pending, node.pending = node.pending, deque()
        if self.lies.random() < 0.5:
            self._ring(node)
        for action in pending:
            self.at(self.now, action)
        self._arm(node)

    def jump(self, node: SimulatedNode, seconds: float) -> None:
        """Let a node's clock jump forward, as after a machine's sleep that nothing else shows."""
        if node.state == "up":
            self.fault("clock jump", f"{node.name} by {seconds:.3f} s")
            node.clock.jump(seconds)
            node.disturbed_at = self.now
            node.alarm = None
            self._arm(node)

    def crash(self, node: SimulatedNode, *, power_cut: bool = False) -> None:
        """Kill a node. After a power cut its peers are not told, and dials to it are not answered."""
        if node.state == "dead":
            return
        self.fault("power cut" if power_cut else "crash", node.name)
        node.state = "dead"
        node.power_cut = power_cut
        self.ether.die(node)
        self.scenario.died(self, node)

    def leave(self, node: SimulatedNode) -> None:
        """Let a node's process end after it has said goodbye."""
        if node.state == "up":
            self.note(f"{node.name} is closed")
            node.state = "dead"
            self.ether.die(node)
        elif node.state == "stalled":
            node.pending.append(lambda: self.leave(node))

    def restart(self, node: SimulatedNode, *, same_address: bool) -> SimulatedNode:
        """Start a new incarnation at the place of a dead node, and return it."""
        assert node.state == "dead", f"{node.name} is {node.state}, and another is to start in its place"
        port = node.port if same_address else node.port + 1
        fresh = self.nodes[node.index] = self._node(node.index, node.incarnation + 1, port)
        self._open(fresh)
        return fresh

    def _node(self, index: int, incarnation: int, port: int) -> SimulatedNode:
        # Of its own, so that the faults of a seed are the same whether clocks drift or not.
        rate = 1 + random.Random(f"{self.seed}/clock {index}").uniform(-1, 1) * self.faults.drift
        clock = LocalClock(self.now, self.now + self.lies.uniform(0, 1e5), rate)
        return SimulatedNode(index, incarnation, port, clock, self.now, f"{self.seed}")

    def _open(self, node: SimulatedNode) -> None:
        self.note(f"{node.name} starts")
        node.decider = self.scenario.make(self, node)
        self.ether.listen(node)
        self.flush(node)
        self._arm(node)
        self.scenario.joined(self, node)

    def _hand(self, node: SimulatedNode, handing: Handing, now: float) -> None:
        node.moment = max(node.moment, now)
        handing(node.decider, node.moment)
        self.flush(node)
        self._arm(node)
        self.events += 1
        woken, node.woken = node.woken, []
        self.scenario.on_event(self, node, woken)
        for every, check in self._invariants:
            if self.events % every == 0:
                check(self)

    def flush(self, node: SimulatedNode) -> None:
        """Carry out what a node's participant asks for."""
        decider = node.decider
        while decider.outputs:
            outputs = decider.outputs[:]
            decider.outputs.clear()
            for output in outputs:
                self._carry_out(node, output)
        node.woken += decider.woken
        decider.woken.clear()
        for _, _, sentence in decider.words:
            self.note(f"{node.name} says: {sentence}")
        decider.words.clear()

    def _carry_out(self, node: SimulatedNode, output: tuple[object, ...]) -> None:
        match output:
            case ("send", int(connection), frames):
                if not self.ether.send(node, connection, tuple(cast(Sequence[bytes], frames))):
                    self.note(f"{node.name} c{connection} cannot send: ended")
                    node.decider.ended(connection, node.moment)
            case ("dial", int(connection), link, addresses, strings):
                self.note(f"{node.name} dials c{connection} {link} {addresses}")
                self.ether.dial(
                    node,
                    connection,
                    cast(LinkName, link),
                    cast(Sequence[str], addresses),
                    cast(Sequence[bytes], strings),
                )
            case ("hang_up", int(connection)):
                self.note(f"{node.name} c{connection} hangs up")
                self.ether.hang_up(node, connection)
            case ("publish", frames):
                self.ether.publish(node, tuple(cast(Sequence[bytes], frames)))
            case ("spread", frames):
                self.ether.spread(node, tuple(cast(Sequence[bytes], frames)))
            case ("tune", int(connection), added, dropped):
                self.note(f"{node.name} tunes c{connection} to {added}, from {dropped}")
                self.ether.tune(node, connection, cast(Sequence[bytes], added), cast(Sequence[bytes], dropped))
            case _:
                raise AssertionError(f"{node.name} asks for something unknown: {output!r}")

    def _arm(self, node: SimulatedNode) -> None:
        deadline = node.decider.deadline
        if deadline is None:
            node.alarm = None
            return
        moment = max(self.now, node.clock.when(deadline))
        if node.alarm is None or moment < node.alarm:
            node.alarm = moment
            self.at(
                moment + self.lies.uniform(0, self.faults.lateness),
                lambda: self._ring(node) if node.alarm == moment else None,
            )

    def _ring(self, node: SimulatedNode) -> None:
        node.alarm = None
        deadline = node.decider.deadline
        if node.state != "up" or deadline is None:
            return
        if node.clock.when(deadline) > self.now + 1e-9:
            self._arm(node)
            return
        self.note(f"{node.name} ticks")
        # The clock rounds: the node must not see a moment just before its own deadline.
        self._hand(node, lambda decider, now: decider.tick(now), max(node.clock.at(self.now), deadline))
        deadline = node.decider.deadline
        node.spins = node.spins + 1 if deadline is not None and deadline <= node.moment else 0
        if node.spins > SPINS:
            raise AssertionError(f"{node.name} spins: {SPINS} ticks in a row left its deadline in the past")
