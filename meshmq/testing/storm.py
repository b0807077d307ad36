"""The storm of faults that one seed makes, and how each of them strikes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from meshmq.testing.air import SILENCE
from meshmq.testing.connections import Direct, Epoch, Subscriber

if TYPE_CHECKING:
    from meshmq.testing.simulated_node import SimulatedNode
    from meshmq.testing.simulation import Simulation


class Storm:
    """Draws faults from the simulation's seed until ``Faults.until``, then heals everything.

    A test may strike by hand, too: every fault is a method.
    """

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.lies = sim.lies

    def brew(self) -> None:
        """Plan the faults of this run."""
        faults = self.sim.faults
        rates = (
            (faults.resets, self._reset_one),
            (faults.half_opens, self._half_open_one),
            (faults.control_breaks, self._break_one),
            (faults.partitions, self._part_two),
            (faults.crashes, self._crash_one),
            (faults.stalls, self._stall_one),
            (faults.doubles, self._double_one),
            (faults.jumps, self._jump_one),
        )
        for _ in range(faults.strikes):
            # Not in the first moments, when there is nothing yet to break, and with time left to show.
            self.sim.at(self.lies.uniform(0.05, 0.75) * faults.until, self.lies.choice(rates)[1])
        for rate, strike in () if faults.strikes else rates:
            if rate > 0:
                self._plan(rate, strike)
        self.sim.at(faults.until, self.heal_all)

    def reset(self, wire: Direct) -> None:
        """Cut a direct connection; what is under way is lost from some point on in each direction."""
        self.sim.fault("reset", f"{wire.dialler.name} c{wire.number}")
        self.sim.ether.directs.pop(wire.serial, None)
        for number in (wire.number, wire.answering):
            pipe, _, _ = wire.ends(number)
            pipe.lose(self.lies)
        for number in (wire.number, wire.answering):
            _, other, back = wire.ends(number)
            assert other is not None
            self.sim.ether.tell_end(wire, other, back, self.sim.now)

    def half_open(self, wire: Direct, *, there: bool, back: bool) -> None:
        """Let a direct connection lose everything from some point on; nobody is told."""
        self.sim.fault("half-open", f"{wire.dialler.name} c{wire.number} there={there} back={back}")
        if there:
            wire.there.lose(self.lies)
        if back:
            wire.back.lose(self.lies)

    def break_off(self, subscriber: Subscriber, told: float, rejoin: float) -> None:
        """Break what somebody hears through: the publisher is told after ``told``, and it is back after ``rejoin``."""
        name, number = subscriber.dialler.name, subscriber.number
        self.sim.fault(f"{subscriber.link} break", f"{name} c{number} told={told:.3f} rejoin={rejoin:.3f}")
        self.sim.ether.break_off(subscriber, told, rejoin)

    def end(self, subscriber: Subscriber) -> None:
        """End a control or topics connection for good and tell its dialler."""
        node, number = subscriber.dialler, subscriber.number
        self.sim.fault(f"{subscriber.link} end", f"{node.name} c{number}")
        self.sim.ether.break_off(subscriber, self.lies.uniform(0, 0.01), None)
        self.sim.enter(node, f"c{number} ended", lambda d, now: d.ended(number, now), number, last=True)

    def part(self, a: int, b: int, *, one_way: bool = False) -> None:
        """Lose everything between two places without a word, or only what goes from ``a`` to ``b``."""
        self.sim.fault("partition", f"{a} to {b}" if one_way else f"{a} and {b}")
        ether = self.sim.ether
        for way in ((a, b),) if one_way else ((a, b), (b, a)):
            ether.blocked[way] = ether.blocked.get(way, 0) + 1
            for wire in ether.directs.values():
                assert wire.listener is not None
                if (wire.dialler.index, wire.listener.index) == way:
                    wire.there.lose(self.lies)
                if (wire.listener.index, wire.dialler.index) == way:
                    wire.back.lose(self.lies)
        self.silence(self.sim.nodes[a], self.sim.nodes[b])

    def join(self, a: int, b: int, *, one_way: bool = False) -> None:
        """End a partition that was made with the same arguments."""
        blocked = self.sim.ether.blocked
        for way in ((a, b),) if one_way else ((a, b), (b, a)):
            blocked[way] = blocked.get(way, 1) - 1
            if blocked[way] <= 0:
                del blocked[way]

    def silence(self, a: SimulatedNode, b: SimulatedNode | None = None) -> None:
        """Let what ``a`` hears, or is heard through (by ``b``), fall silent; each end finds out by itself."""
        for subscriber in self.sim.ether.subscribers(a):
            epoch, there = subscriber.epoch, subscriber.publisher
            if epoch is None or there is None or (b is not None and b not in (subscriber.dialler, there)):
                continue
            epoch.pipe.lose(self.lies)
            if subscriber.link == "topics":
                epoch.up.lose(self.lies)
            self.sim.after(self.lies.uniform(*SILENCE), partial(self._find_silent, subscriber, epoch))

    def stall(self, node: SimulatedNode, seconds: float) -> None:
        """Stop a node (SIGSTOP); after ``seconds`` it goes on, and everything it missed arrives."""
        if not self.sim.stall(node):
            return
        stalls = node.stalls

        def fall_silent() -> None:
            if node.state == "stalled" and node.stalls == stalls:
                self.silence(node)

        self.sim.after(self.lies.uniform(*SILENCE), fall_silent)
        self.sim.after(seconds, lambda: self.sim.resume(node))

    def double(self, wire: Direct | Subscriber, seconds: float) -> None:
        """Let everything that a connection carries arrive twice for a while, as through a broken middle box."""
        self.sim.fault("doubling", f"{wire.dialler.name} c{wire.number} for {seconds:.3f} s")
        wire.doubled_until = self.sim.now + seconds

    def heal_all(self) -> None:
        """End all faults: from now on only delays are left, and what was lost stays lost."""
        self.sim.note("healing: no more faults")
        self.sim.ether.blocked.clear()
        for node in self.sim.nodes:
            for wire in node.connections.values():
                wire.doubled_until = self.sim.now
        self.sim.healed = True

    def _plan(self, rate: float, strike: Callable[[], None]) -> None:
        moment = self.sim.now + self.lies.expovariate(rate)
        if moment < self.sim.faults.until:

            def thunder() -> None:
                strike()
                self._plan(rate, strike)

            self.sim.at(moment, thunder)

    def _reset_one(self) -> None:
        if wires := list(self.sim.ether.directs.values()):
            self.reset(self.lies.choice(wires))

    def _half_open_one(self) -> None:
        if wires := list(self.sim.ether.directs.values()):
            there, back = self.lies.choice(((True, False), (False, True), (True, True)))
            self.half_open(self.lies.choice(wires), there=there, back=back)

    def _break_one(self) -> None:
        subscribers = [subscriber for node in self.sim.nodes for subscriber in node.audience]
        if not subscribers:
            return
        subscriber, late = self.lies.choice(subscribers), self.sim.faults.late_most
        if self.lies.random() < self.sim.faults.control_ends:
            self.end(subscriber)
        elif self.lies.random() < 0.5:
            self.break_off(subscriber, self.lies.uniform(0, 0.01), self.lies.uniform(0.1, 1))
        else:
            # Half-open: lost without a word, and each end finds out by its own heartbeat [F 45].
            self.break_off(subscriber, self.lies.uniform(0, late), self.lies.uniform(0.1, late))

    def _part_two(self) -> None:
        if len(self.sim.nodes) > 1:
            a, b = self.lies.sample(range(len(self.sim.nodes)), 2)
            one_way = self.lies.random() < 0.5
            self.part(a, b, one_way=one_way)
            moment = self.sim.now + self.lies.uniform(0.1, self.sim.faults.partition_most)
            self.sim.at(min(moment, self.sim.faults.until), lambda: self.join(a, b, one_way=one_way))

    def _crash_one(self) -> None:
        node, faults = self._victim(self.sim.scenario.may_crash), self.sim.faults
        if node is not None:
            self.sim.crash(node, power_cut=self.lies.random() < faults.power_cuts)
            same = self.lies.random() < faults.same_address
            moment = self.sim.now + self.lies.uniform(0.05, faults.down_most)
            self.sim.at(min(moment, faults.until), partial(self._restart, node, same_address=same))

    def _restart(self, node: SimulatedNode, *, same_address: bool) -> None:
        self.sim.restart(node, same_address=same_address)

    def _stall_one(self) -> None:
        node, faults = self._victim(self.sim.scenario.may_stall), self.sim.faults
        if node is not None:
            moment = min(self.sim.now + self.lies.uniform(0.05, faults.stall_most), faults.until)
            self.stall(node, moment - self.sim.now)

    def _double_one(self) -> None:
        wires = [wire for node in self.sim.nodes for wire in node.connections.values() if wire.dialler is node]
        if wires:
            self.double(self.lies.choice(wires), self.lies.uniform(0.1, self.sim.faults.double_most))

    def _jump_one(self) -> None:
        nodes = [node for node in self.sim.nodes if node.state == "up"]
        if nodes:
            self.sim.jump(self.lies.choice(nodes), self.lies.uniform(0.1, self.sim.faults.jump_most))

    def _victim(self, may: Callable[[Simulation, SimulatedNode], bool]) -> SimulatedNode | None:
        nodes = [node for node in self.sim.nodes if node.state == "up" and may(self.sim, node)]
        return self.lies.choice(nodes) if nodes else None

    def _find_silent(self, subscriber: Subscriber, epoch: Epoch) -> None:
        if subscriber.epoch is epoch:
            self.sim.ether.break_off(subscriber, self.lies.uniform(0, 1), self.lies.uniform(0.1, 1))
