"""Simulated connections keep their contract and nothing beyond it; nodes fail as processes do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import pytest

from meshmq.links.base import Connection, Decider
from meshmq.testing import Faults, SimulatedNode, Simulation, simulate
from tests.scale import scale
from tests.testing.lab import STILL, Blank, Lab, connected
from tests.testing.toys import Dialler, Recorder


def test_frames_sent_before_the_dial_is_through_arrive_in_order() -> None:
    lab = Lab(Faults.none(until=100))
    lab.does(lab.a, ("dial", 0, "direct", [lab.b.direct], []), *(("send", 0, [b"%d" % n]) for n in range(50)))
    lab.pass_time()
    assert lab.numbers(lab.b) == list(range(50))
    assert lab.heard(lab.a).log == [("reached", 0, lab.b.direct)]


@pytest.mark.parametrize("way", ["there", "back", "both"])
def test_a_half_open_connection_loses_from_some_point_on_without_a_word(way: Literal["there", "back", "both"]) -> None:
    lab = connected()
    lab.sim.storm.half_open(lab.wire(), there=way != "back", back=way != "there")
    for number in range(1, 20):
        lab.does(lab.a, ("send", 0, [b"%d" % number]))
        lab.does(lab.b, ("send", 1, [b"%d" % number]))
    lab.pass_time(20)
    everything = list(range(20))
    assert lab.numbers(lab.b) == ([0] if way != "back" else everything)
    assert lab.numbers(lab.a) == ([0] if way != "there" else everything)
    assert lab.heard(lab.a).of("ended") == lab.heard(lab.b).of("ended") == []


def test_a_reset_cuts_what_is_under_way_somewhere() -> None:
    kept = set()
    for seed in range(30):
        lab = connected()
        lab.sim.lies.seed(seed)
        lab.does(lab.a, *(("send", 0, [b"%d" % number]) for number in range(1, 10)))
        lab.sim.storm.reset(lab.wire())
        lab.does(lab.a, ("send", 0, [b"10"]))
        lab.pass_time(20)
        numbers = lab.numbers(lab.b)
        assert numbers == list(range(len(numbers)))
        kept.add(len(numbers))
    assert min(kept) < 4 < 8 < max(kept) <= 10


def test_an_end_is_told_late_or_at_the_next_send_or_never() -> None:
    faults = Faults.none(until=100)
    told: dict[str, int] = defaultdict(int)
    for seed in range(60):
        lab = connected()
        lab.sim.faults = Faults(until=faults.until)
        lab.sim.lies.seed(seed)
        lab.sim.storm.reset(lab.wire())
        lab.pass_time(0.02)
        early = bool(lab.heard(lab.a).of("ended"))
        lab.pass_time(6)
        if lab.heard(lab.a).of("ended"):
            told["at once" if early else "late"] += 1
            continue
        lab.does(lab.a, ("send", 0, [b"1"]))
        told["by sending" if lab.heard(lab.a).of("ended") else "never"] += 1
    assert set(told) == {"at once", "late", "by sending", "never"}
    assert told["at once"] > told["never"]


def test_nothing_is_heard_after_hanging_up() -> None:
    lab = connected()
    lab.does(lab.b, ("send", 1, [b"1"]))
    lab.does(lab.a, ("hang_up", 0))
    lab.pass_time()
    assert lab.numbers(lab.a) == [0]
    lab.does(lab.a, ("send", 0, [b"2"]))
    assert lab.heard(lab.a).of("ended") == [(0,)]


def test_a_crash_refuses_dials_and_a_power_cut_does_not_answer_them() -> None:
    for power_cut, reason in ((False, "refused"), (True, "unreachable")):
        lab = connected()
        lab.sim.crash(lab.b, power_cut=power_cut)
        assert not lab.does(lab.b, ("send", 1, [b"from the dead"]))
        lab.dial(lab.b.direct, number=2)
        lab.pass_time(4)
        assert lab.heard(lab.a).of("refused") == [(2, reason, lab.b.direct)]


def test_a_dial_to_nobody_is_refused_and_to_the_wrong_link_too() -> None:
    lab = Lab()
    lab.does(lab.a, ("dial", 0, "direct", ["sim://9.0/direct", lab.b.control], []))
    lab.does(lab.a, ("dial", 2, "direct", [], []))
    lab.pass_time()
    assert set(lab.heard(lab.a).of("refused")) == {(0, "not_meshmq", lab.b.control), (2, "unresolved", "")}


def test_a_number_is_dialled_once_for_ever() -> None:
    lab = connected()
    lab.does(lab.a, ("hang_up", 0))
    for number in (0, 3):
        with pytest.raises(AssertionError, match="odd or was used before"):
            lab.dial(lab.b.direct, number=number)


def test_a_new_incarnation_is_another_node_at_the_same_place() -> None:
    for same_address in (True, False):
        lab = connected()
        lab.sim.crash(lab.b)
        fresh = lab.sim.restart(lab.b, same_address=same_address)
        assert (fresh.name, fresh.direct == lab.b.direct) == ("n1.1", same_address)
        assert lab.sim.nodes[1] is fresh
        lab.dial(fresh.direct, number=2)
        lab.does(lab.a, ("send", 2, [b"7"]))
        lab.pass_time()
        assert lab.numbers(fresh) == [7]


def test_a_stalled_node_misses_nothing_and_ticks_late() -> None:
    lab = connected()
    heard = lab.heard(lab.b)
    heard.moments.clear()
    lab.sim.call(lab.b, "an alarm", lambda decider, now: setattr(decider, "due", now + 0.5))
    lab.sim.storm.stall(lab.b, 2.0)
    lab.does(lab.a, *(("send", 0, [b"%d" % number]) for number in range(1, 5)))
    assert lab.does(lab.b, ("send", 1, [b"1"]))
    lab.pass_time(1.9)
    assert heard.moments == []
    assert lab.numbers(lab.a) == [0]
    lab.pass_time(0.2)
    assert lab.numbers(lab.b) == [0, 1, 2, 3, 4]
    assert heard.of("tick") == [()]
    assert lab.numbers(lab.a) == [0, 1]


def test_a_partition_loses_one_way_or_both_and_does_not_answer_dials() -> None:
    lab = connected()
    lab.sim.storm.part(0, 1, one_way=True)
    lab.does(lab.a, ("send", 0, [b"1"]))
    lab.does(lab.b, ("send", 1, [b"1"]))
    lab.dial(lab.b.direct, number=2)
    lab.pass_time(4)
    assert (lab.numbers(lab.a), lab.numbers(lab.b)) == ([0, 1], [0])
    assert lab.heard(lab.a).of("refused") == [(2, "unreachable", lab.b.direct)]
    lab.sim.storm.join(0, 1, one_way=True)
    lab.dial(lab.b.direct, number=4)
    assert lab.heard(lab.a).of("reached")[-1] == (4, lab.b.direct)


def test_a_deadline_is_a_moment_of_the_nodes_own_clock() -> None:
    lab = Lab()
    assert lab.a.clock.at(0) != lab.b.clock.at(0)
    due = lab.a.moment + 3.0
    lab.sim.call(lab.a, "an alarm", lambda decider, now: setattr(decider, "due", due))
    lab.pass_time(2.9)
    assert lab.heard(lab.a).of("tick") == []
    lab.pass_time(0.2)
    assert due <= lab.heard(lab.a).moments[-1] <= due + STILL.lateness + 1e-9


def test_a_node_that_spins_is_found() -> None:
    class Spinner(Recorder):
        def tick(self, now: float) -> None:
            self.due = now

    lab = Lab()
    lab.b.decider = Spinner()
    lab.sim.call(lab.b, "an alarm", lambda decider, now: setattr(decider, "due", now))
    with pytest.raises(AssertionError, match=r"n1\.0 spins"):
        lab.pass_time(10)


def test_a_mesh_that_talks_without_end_is_found() -> None:
    lab = Lab()

    def again() -> None:
        lab.sim.after(0.0, again)

    again()
    with pytest.raises(AssertionError, match="100 steps and it is only"):
        lab.sim.run(until=1.0, steps=100)


def test_an_output_that_nobody_knows_is_refused() -> None:
    lab = Lab()
    with pytest.raises(AssertionError, match="something unknown"):
        lab.does(lab.a, ("sing",))


def test_an_invariant_is_checked_after_events() -> None:
    lab = Lab()
    seen: list[int] = []
    lab.sim.invariant(lambda sim: seen.append(sim.events), every=2)
    for _ in range(4):
        lab.does(lab.a)
    assert seen == [2, 4]


class Chatter(Dialler):
    """Numbers what it sends on each connection, and checks that what it gets counts up from 0."""

    def __init__(self, node: SimulatedNode, sim: Simulation) -> None:
        self.others = [place for place in range(len(sim.nodes) or 1) if place != node.index]
        self.node, self.sim = node, sim
        self.sent: dict[Connection, int] = defaultdict(int)
        self.got: dict[Connection, int] = defaultdict(int)
        super().__init__(lambda: node.random.choice(sim.nodes).direct, node.moment)

    def say(self, connection: Connection) -> None:
        self.outputs.append(("send", connection, [b"%d" % self.sent[connection]]))
        self.sent[connection] += 1

    def tick(self, now: float) -> None:
        if self.connection >= 0 and self.node.random.random() < 0.1:
            self.outputs.append(("hang_up", self.connection))
            self.connection = -1
        super().tick(now)
        for connection in (self.connection, *self.got):
            self.say(connection)
        self.due = now + self.node.random.uniform(0.01, 0.5)

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        assert int(frames[0]) == self.got[connection], f"c{connection}: {frames} after {self.got[connection]}"
        self.got[connection] += 1

    def ended(self, connection: Connection, now: float) -> None:
        self.got.pop(connection, None)
        super().ended(connection, now)


class Chat(Blank):
    """Everybody talks; on each connection frames arrive in order or not at all."""

    def make(self, sim: Simulation, node: SimulatedNode) -> Decider:
        return Chatter(node, sim)


def test_on_every_connection_frames_arrive_in_order_or_not_at_all() -> None:
    lost = 0
    for seed in range(scale(test=15, stress=300)):
        report = simulate(seed, scenario=Chat(), faults=Faults(resets=5, half_opens=2), nodes=4)
        lost += report.counts["lost"]
        assert report.counts["arrived"] > 100
    assert lost > 100
