"""Simulated topics connections: subscriptions that travel, are tuned, break, and come back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from meshmq.links.base import Connection, Decider, Reason
from meshmq.testing import Faults, Scenario, SimulatedNode, Simulation, simulate
from tests.scale import scale
from tests.testing.lab import Lab
from tests.testing.toys import Quiet

MARK = b"\xff"


def tuned_in(*strings: bytes) -> Lab:
    lab = Lab()
    lab.dial(lab.b.topics, "topics", [*strings, MARK])
    assert lab.heard(lab.b).of("tuned")[-1] == (MARK, True)
    lab.heard(lab.b).log.clear()
    return lab


def test_a_topics_connection_is_heard_as_subscriptions_and_overhears_what_matches() -> None:
    lab = Lab()
    lab.dial(lab.b.topics, "topics", [b"z", MARK, b"a", b"z"])
    assert lab.heard(lab.b).log == [("tuned", b"a", True), ("tuned", b"z", True), ("tuned", MARK, True)]
    lab.does(lab.b, ("spread", [b"a.b", b"1"]), ("spread", [b"b", b"2"]), ("publish", [b"a.b", b"3"]))
    lab.pass_time()
    assert lab.heard(lab.a).log == [("reached", 0, lab.b.topics), ("overhear", 0, [b"a.b", b"1"])]
    lab.does(lab.a, ("hang_up", 0))
    lab.pass_time()
    assert lab.heard(lab.b).of("tuned")[3:] == [(b"a", False), (b"z", False), (MARK, False)]


def test_what_is_spread_before_a_subscription_has_arrived_is_missed() -> None:
    lab = Lab()
    lab.does(lab.a, ("dial", 0, "topics", [lab.b.topics], [b"a", MARK]))
    missed = 0
    while (MARK, True) not in lab.heard(lab.b).of("tuned"):
        lab.does(lab.b, ("spread", [b"a", b"early"]))
        missed += 1
        lab.pass_time(0.0002)
    lab.does(lab.b, ("spread", [b"a", b"in time"]))
    lab.pass_time()
    overheard = [frames for _, frames in lab.heard(lab.a).of("overhear")]
    assert 0 <= overheard.count([b"a", b"early"]) < missed
    assert overheard[-1] == [b"a", b"in time"]


def test_tuning_travels_in_order_and_takes_effect_when_it_arrives() -> None:
    lab = tuned_in(b"old", b"kept")
    lab.does(lab.a, ("tune", 0, [b"z", b"a", b"kept", b"\xff2"], [b"old", b"unknown"]))
    lab.does(lab.b, ("spread", [b"old", b"1"]))
    lab.pass_time()
    assert lab.heard(lab.b).of("tuned") == [(b"z", True), (b"a", True), (b"\xff2", True), (b"old", False)]
    lab.does(lab.b, *(("spread", [first, b"2"]) for first in (b"old", b"a", b"kept")))
    lab.pass_time()
    overheard = lab.heard(lab.a).of("overhear")
    assert overheard == [(0, [b"old", b"1"]), (0, [b"a", b"2"]), (0, [b"kept", b"2"])]


def test_what_is_tuned_during_the_dial_is_subscribed_with_it() -> None:
    lab = Lab()
    lab.does(
        lab.a,
        ("dial", 0, "topics", [lab.b.topics], [b"first", b"dropped"]),
        ("tune", 0, [b"later", MARK], [b"dropped"]),
    )
    lab.pass_time()
    assert lab.heard(lab.b).of("tuned") == [(string, True) for string in (b"first", b"later", MARK)]


def test_tuning_what_is_unknown_or_of_another_link_does_nothing() -> None:
    lab = Lab()
    lab.dial(lab.b.control, "control", [b"card"])
    lab.dial(lab.b.direct, number=2)
    lab.does(lab.a, *(("tune", number, [b"a"], [b"card"]) for number in (0, 2, 4)))
    lab.pass_time()
    assert lab.heard(lab.b).log == [("claim", b"card", True)]


def test_a_broken_topics_connection_comes_back_as_it_was_tuned_meanwhile() -> None:
    for told, rejoin in ((0.01, 0.5), (1.0, 0.2)):
        lab = tuned_in(b"m", b"old")
        (subscriber,) = lab.b.audience
        lab.sim.storm.break_off(subscriber, told, rejoin)
        lab.does(lab.a, ("tune", 0, [b"z", b"a"], [b"old"]))
        lab.does(lab.b, ("spread", [b"m", b"lost"]))
        lab.pass_time(2)
        told_again = [string for string, present in lab.heard(lab.b).of("tuned") if present]
        withdrawn = [string for string, present in lab.heard(lab.b).of("tuned") if not present]
        assert told_again == [b"a", b"m", b"z", MARK]
        assert withdrawn == [b"m", b"old", MARK]
        lab.does(lab.b, ("spread", [b"m", b"heard"]), ("spread", [b"old", b"3"]))
        lab.pass_time()
        assert lab.heard(lab.a).of("overhear") == [(0, [b"m", b"heard"])]
        assert lab.sim.counts["topics break"] == 1


def test_a_break_takes_along_what_is_being_subscribed_from_some_point_on() -> None:
    strings = [b"%02d" % number for number in range(20)]
    arrived = set()
    for seed in range(30):
        lab = tuned_in(b"m")
        lab.sim.lies.seed(seed)
        lab.does(lab.a, ("tune", 0, strings, []))
        lab.sim.storm.break_off(lab.b.audience[0], 1.0, 50.0)
        lab.pass_time(0.5)
        told = [string for string, present in lab.heard(lab.b).of("tuned") if present]
        assert told == strings[: len(told)]
        arrived.add(len(told))
        lab.pass_time(2)
        withdrawn = {string for string, present in lab.heard(lab.b).of("tuned") if not present}
        assert withdrawn == {b"m", MARK, *told}
    assert min(arrived) < 5 < 15 < max(arrived)


def test_a_topics_connection_may_end_for_good_and_then_says_so() -> None:
    lab = tuned_in(b"a")
    lab.sim.storm.end(lab.b.audience[0])
    lab.pass_time(10)
    assert lab.heard(lab.a).of("ended") == [(0,)]
    assert lab.heard(lab.b).of("tuned") == [(b"a", False), (MARK, False)]
    lab.does(lab.a, ("tune", 0, [b"b"], []))
    lab.pass_time()
    assert len(lab.heard(lab.b).of("tuned")) == 2


def test_who_subscribed_is_heard_by_the_next_process_at_that_address() -> None:
    lab = tuned_in(b"a")
    lab.sim.crash(lab.b)
    lab.does(lab.a, ("tune", 0, [b"b"], []))
    lab.pass_time(1)
    fresh = lab.sim.restart(lab.b, same_address=True)
    lab.pass_time(2)
    assert lab.heard(fresh).of("tuned") == [(string, True) for string in (b"a", b"b", MARK)]


class Ear(Quiet):
    """Subscribes to every other node and adds names, each time with a new mark in place of the one before."""

    def __init__(self, scenario: Marks, sim: Simulation, node: SimulatedNode) -> None:
        super().__init__()
        self.scenario, self.sim, self.node = scenario, sim, node
        self.due = node.moment
        self.last: Connection = 0
        self.dialled: dict[int, tuple[str, Connection]] = {}
        self.marks: dict[Connection, bytes] = {}
        #: What others are subscribed to here, counted.
        self.present: Counter[bytes] = Counter()

    def tick(self, now: float) -> None:
        self.due = now + self.node.random.uniform(0.05, 0.5)
        for other in self.sim.nodes:
            if other.index != self.node.index and self.dialled.get(other.index, ("", 0))[0] != other.topics:
                self.last += 2
                self.dialled[other.index] = (other.topics, self.last)
                self.outputs.append(("dial", self.last, "topics", [other.topics], self.fresh(self.last)))
        for _, connection in self.dialled.values():
            if self.node.random.random() < 0.3:
                old = self.marks[connection]
                self.outputs.append(("tune", connection, self.fresh(connection), [old]))

    def fresh(self, connection: Connection) -> list[bytes]:
        """Two new names and the mark that stands for them."""
        self.scenario.marks += 1
        number = self.scenario.marks
        self.marks[connection] = MARK + b"%d" % number
        return [b"%d.1" % number, b"%d.0" % number, self.marks[connection]]

    def tuned(self, string: bytes, present: bool, now: float) -> None:
        self.present[string] += 1 if present else -1
        if present and string.startswith(MARK):
            number = int(string[1:])
            assert self.present[b"%d.0" % number] > 0 < self.present[b"%d.1" % number]
            self.scenario.checked += 1

    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None:
        self.ended(connection, now)

    def ended(self, connection: Connection, now: float) -> None:
        self.dialled = {index: entry for index, entry in self.dialled.items() if entry[1] != connection}


@dataclass
class Marks(Scenario):
    """Whatever happens, a mark is heard after the names before it, and everything is heard in the end."""

    marks: int = 0
    checked: int = 0

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        return Ear(self, sim, node)

    def finished(self, sim: Simulation) -> bool:
        if not sim.healed:
            return False
        standing = [set(+node.decider.present) for node in sim.nodes if isinstance(node.decider, Ear)]
        return all(
            any(mark in strings for strings in standing)
            for node in sim.nodes
            if isinstance(node.decider, Ear)
            for _, connection in node.decider.dialled.values()
            for mark in [node.decider.marks[connection]]
        )

    def check(self, sim: Simulation) -> None:
        assert self.checked > 50


def test_a_mark_is_heard_after_what_it_stands_for_whatever_breaks() -> None:
    counts: Counter[str] = Counter()
    for seed in range(scale(test=20, stress=500)):
        counts.update(simulate(seed, scenario=Marks(), faults=Faults(control_breaks=3.0), nodes=4).counts)
    for kind in ("topics break", "topics end", "crash", "stall", "partition"):
        assert counts[kind] > 5, (kind, counts)
    assert counts["control break"] == 0
