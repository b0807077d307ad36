"""Faults that are drawn by number, and those beyond a connection's contract: doubling, clocks that drift and jump."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from meshmq.testing import Faults, Jobs, simulate
from meshmq.testing.local_clock import LocalClock
from meshmq.testing.simulation import TRAFFIC, Simulation
from tests.scale import scale
from tests.testing.lab import STILL, Blank, connected

#: Every kind of fault there is for jobs, and for what is published.
KINDS = {
    "reset", "half-open", "partition", "crash", "power cut", "stall", "doubling", "clock jump", "control break",
}  # fmt: skip


def test_so_many_faults_strike_as_were_asked_for_and_all_kinds_do() -> None:
    kinds: Counter[str] = Counter()
    for seed in range(60):
        sim = Simulation(seed, Blank(), nodes=5, faults=Faults.few(3))
        for place in range(5):
            others = [node.direct for node in sim.nodes if node.index != place]
            controls = [node.control for node in sim.nodes if node.index != place]
            dials: list[tuple[object, ...]] = [
                ("dial", 2 * at, "direct", [address], []) for at, address in enumerate(others)
            ]
            dials += [("dial", 10 + 2 * at, "control", [address], [b""]) for at, address in enumerate(controls)]
            sim.call(sim.nodes[place], "dials", lambda decider, now, dials=dials: decider.outputs.extend(dials))  # type: ignore[misc]  # mypy cannot infer a default
        sim.run(until=sim.faults.until)
        struck = {kind: count for kind, count in sim.counts.items() if kind not in TRAFFIC}
        assert sum(struck.values()) <= 3
        kinds.update(struck)
    assert set(kinds) >= KINDS
    assert kinds.total() > 150  # now and then there is nothing left to break


def test_a_connection_that_doubles_brings_everything_twice_and_in_order_the_first_time() -> None:
    lab = connected()
    lab.sim.storm.double(lab.wire(), 1.0)
    lab.does(lab.a, *(("send", 0, [b"%d" % number]) for number in range(1, 20)))
    lab.pass_time()
    numbers = lab.numbers(lab.b)
    assert Counter(numbers) == Counter({0: 1, **dict.fromkeys(range(1, 20), 2)})
    assert list(dict.fromkeys(numbers)) == list(range(20))
    lab.pass_time(2)
    lab.does(lab.a, ("send", 0, [b"20"]))
    lab.pass_time()
    assert lab.numbers(lab.b).count(20) == 1


def test_what_is_heard_may_double_too() -> None:
    lab = connected()
    lab.dial(lab.b.control, "control", [b""], number=2)
    (subscriber,) = lab.b.audience
    lab.sim.storm.double(subscriber, 1.0)
    lab.does(lab.b, ("publish", [b"beat"]))
    lab.pass_time()
    assert len(lab.heard(lab.a).of("hear")) == 2


def test_clocks_of_nodes_differ_by_no_more_than_they_drift() -> None:
    sim = Simulation(1, Blank(), nodes=20, faults=replace(STILL, drift=0.05))
    rates = [node.clock.rate for node in sim.nodes]
    assert 0.95 <= min(rates) < 0.97 < 1.03 < max(rates) <= 1.05
    assert {node.clock.rate for node in Simulation(1, Blank(), nodes=20, faults=STILL).nodes} == {1.0}


def test_a_clock_tells_when_it_will_show_a_moment() -> None:
    clock = LocalClock(10.0, 500.0, 1.25)
    assert (clock.at(10.0), clock.at(14.0)) == (500.0, 505.0)
    assert clock.when(505.0) == 14.0
    clock.jump(5.0)
    assert (clock.at(14.0), clock.when(510.0)) == (510.0, 14.0)


def test_a_clock_that_jumps_brings_its_deadline_forward() -> None:
    lab = connected()
    lab.heard(lab.a).moments.clear()
    due = lab.a.moment + 50.0
    lab.sim.call(lab.a, "an alarm", lambda decider, now: setattr(decider, "due", due))
    lab.pass_time(1)
    assert lab.heard(lab.a).of("tick") == []
    lab.sim.jump(lab.a, 60.0)
    lab.pass_time(0.1)
    assert lab.heard(lab.a).of("tick") == [()]
    assert lab.heard(lab.a).moments[-1] >= due


def test_jobs_survive_doubling_and_clocks_that_jump_and_drift() -> None:
    odd = Faults(doubles=2.0, jumps=0.5, drift=0.05)
    for seed in range(scale(test=4, stress=100)):
        counts = simulate(seed, scenario=Jobs(jobs=100), faults=odd).counts
        assert counts["doubled"]
        assert counts["clock jump"]
