from __future__ import annotations

import logging
import threading

import pytest

from meshmq.links.waiter import ThreadWaiter
from tests.drivers.fakes import LIMIT, Hand, give, opened, readable


def test_the_descriptor_sees_what_arrives_and_who_rings() -> None:
    with opened() as (engine, decider, links):
        engine.step()
        assert not readable(engine)
        links.arrive(b"a", b"1")
        assert readable(engine)
        engine.step()
        assert list(decider.boxes[b"a"]) == [b"1"]
        assert not readable(engine)
        engine.wake()
        assert readable(engine)
        engine.step()
        assert not readable(engine)


def test_posted_work_is_done_in_the_next_step_inside_the_gate_in_order() -> None:
    with opened() as (engine, _, _):
        inside: list[tuple[str, bool]] = []
        engine.post(lambda: inside.append(("first", engine.gate.mine)))
        threading.Thread(target=engine.post, args=(lambda: inside.append(("second", engine.gate.mine)),)).start()
        while len(inside) < 2:
            assert readable(engine, LIMIT)
            engine.step()
        assert inside == [("first", True), ("second", True)]


def test_work_posted_by_work_waits_for_the_next_step() -> None:
    with opened() as (engine, _, _):
        done: list[int] = []

        def again() -> None:
            done.append(1)
            engine.post(again)

        engine.post(again)
        engine.step()
        assert done == [1]
        assert readable(engine)
        engine.step()
        assert done == [1, 1]


def test_outputs_are_carried_out_in_order_and_an_end_told_at_once() -> None:
    with opened() as (engine, decider, links):
        links.dead.add(4)
        decider.outputs += [
            ("dial", 2, "direct", ("a", "b"), (b"card",)),
            ("send", 4, (b"x",)),
            ("publish", (b"card", b"1")),
            ("send", 2, (b"y",)),
        ]
        with engine.gate:
            engine.flush()
        assert decider.gone == [4]
        assert links.done == [
            ("dial", 2, "direct", ("a", "b"), (b"card",)),
            ("send", 4, (b"x",)),
            ("publish", (b"card", b"1")),
            ("send", 2, (b"y",)),
            ("hang_up", 4),
        ]
        assert decider.outputs == []


def test_a_step_is_bounded_and_says_that_something_is_left() -> None:
    clock = Hand(5.0)
    with opened(budget=10, clock=clock) as (engine, decider, links):
        for _ in range(15):
            links.arrive(b"a", b"")
        engine.step()
        assert len(decider.boxes[b"a"]) == 10
        assert engine.deadline == 5.0
        engine.step()
        assert len(decider.boxes[b"a"]) == 15
        assert engine.deadline is None


def test_the_decider_ticks_when_due_and_not_before() -> None:
    clock = Hand(10.0)
    with opened(clock=clock) as (engine, decider, links):
        decider.deadline = 11.0
        engine.step()
        assert engine.deadline == 11.0
        assert decider.ticks == []
        links.deadline = 10.5
        engine.step()
        assert engine.deadline == 10.5
        clock.now, links.deadline = 11.0, None
        engine.step()
        assert decider.ticks == [11.0]
        assert engine.deadline is None


def test_an_earlier_deadline_wakes_the_helm_once_and_a_later_one_does_not() -> None:
    clock = Hand(0.0)
    with opened(clock=clock) as (engine, decider, links):
        decider.deadline = 5.0
        engine.step()
        decider.deadline = 9.0
        with engine.gate:
            engine.flush()
        assert not readable(engine)
        assert engine.deadline == 5.0  # early is harmless, late is not
        decider.deadline = 3.0
        with engine.gate:
            engine.flush()
        assert readable(engine)
        assert engine.deadline == 3.0
        engine.step()
        with engine.gate:
            engine.flush()
        assert not readable(engine)
        links.deadline = 1.0  # as links do whose edge a send has swallowed
        decider.outputs.append(("publish", (b"card",)))
        with engine.gate:
            engine.flush()
        assert readable(engine)
        assert engine.deadline == 1.0


def test_what_the_decider_says_is_logged_outside_the_gate(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with opened() as (engine, decider, _):
        with engine.gate:
            decider.words.append((logging.INFO, "meshmq.toy", "joined"))
            engine.flush()
            assert not caplog.records
        decider.words.append((logging.INFO, "meshmq.toy", "left"))
        engine.step()
    assert [record.getMessage() for record in caplog.records] == ["joined", "left"]


def test_whoever_changes_something_wakes_who_waits_for_it() -> None:
    with opened() as (engine, decider, links):
        waiter, other = ThreadWaiter(), ThreadWaiter()
        with engine.gate:
            engine.register(b"a", waiter)
            engine.register(b"b", other)
        give(engine, decider, b"a", b"")
        assert waiter.wait(0)
        assert not other.wait(0)
        links.arrive(b"b", b"")
        engine.step()
        assert other.wait(0)
        with engine.gate:
            engine.unregister(b"a", waiter)
            engine.unregister(b"b", other)


def test_a_waiter_out_of_time_in_the_moment_of_its_wake_passes_it_on() -> None:
    with opened() as (engine, decider, _):
        late, next_one = ThreadWaiter(), ThreadWaiter()
        with engine.gate:
            engine.register("key", late)
            engine.register("key", next_one)
        assert not late.wait(0)
        give(engine, decider, "key", b"")
        with engine.gate:
            engine.unregister("key", late)
        assert next_one.wait(0)
        with engine.gate:
            engine.unregister("key", next_one, took=True)
