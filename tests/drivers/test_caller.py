"""A thread that waits drives meanwhile, and nothing is late for it or for others."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Hashable

import pytest

from meshmq.drivers.caller import Caller
from meshmq.drivers.keeper import keeper
from meshmq.errors import ClosedError, TimedOut
from meshmq.links.bell import Bell
from meshmq.links.engine import Engine
from meshmq.links.poller import Poller
from tests.drivers.fakes import LIMIT, Hand, ToyDecider, give, start_child, take_driving
from tests.drivers.test_keeper import kept


def borrowed(engine: Engine) -> Callable[[], bool]:
    def claim() -> bool:
        with engine.gate:  # in the middle of it the keeper still watches, and wakes for what arrives
            return engine.helm.borrowed

    return claim


def until(claim: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    end, pause = time.monotonic() + LIMIT, threading.Event()
    while not claim():
        assert time.monotonic() < end
        pause.wait(0.001)


class Asker:
    """A thread that waits at the helm."""

    def __init__(self, engine: Engine, decider: ToyDecider, key: Hashable) -> None:
        self.got: list[bytes] = []
        self.error: BaseException | None = None
        self._wanted = (engine, decider, key)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.got.append(take_driving(*self._wanted))
        except BaseException as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(LIMIT)
        assert not self._thread.is_alive()


def test_who_waits_drives_and_the_keeper_goes_on_after_it() -> None:
    with kept() as (engine, decider, links):
        asker = Asker(engine, decider, b"a")
        until(borrowed(engine))
        links.arrive(b"a", b"1")
        asker.join()
        assert asker.got == [b"1"]
        assert not engine.helm.borrowed
        links.arrive(b"b", b"2")  # nobody waits: the keeper takes it in
        until(lambda: bool(decider.boxes[b"b"]))


def test_the_keeper_sleeps_while_another_drives() -> None:
    with kept() as (engine, decider, links):
        turns = 0
        turn = keeper()._turn

        def counted(poller: Poller, bell: Bell) -> None:
            nonlocal turns
            turns += 1
            turn(poller, bell)

        keeper()._turn = counted  # type: ignore[method-assign]  # to count
        try:
            begun = time.monotonic()
            for number in range(200):
                asker = Asker(engine, decider, b"a")
                until(borrowed(engine))
                links.arrive(b"a", b"%d" % number)
                asker.join()
                with engine.gate:
                    decider.deadline = engine.now() + 0.1
                    engine.flush()
            took = time.monotonic() - begun
        finally:
            del keeper()._turn
        assert turns < 20 + took / 0.02  # some every 50 ms, and not one for each


def test_one_drives_and_the_others_are_woken_by_it() -> None:
    with kept() as (engine, decider, links):
        first = Asker(engine, decider, b"a")
        until(borrowed(engine))
        second = Asker(engine, decider, b"b")
        until(lambda: len(engine._room) == 2)
        links.arrive(b"b", b"2")
        second.join()
        assert second.got == [b"2"]
        give(engine, decider, b"a", b"1")
        first.join()
        assert first.got == [b"1"]


def test_one_thread_of_a_process_drives_and_the_keeper_the_other_nodes() -> None:
    with kept() as (engine, decider, links), kept() as (other, decided, linked):
        first = Asker(engine, decider, b"a")
        until(borrowed(engine))
        second = Asker(other, decided, b"b")
        until(lambda: len(other._room) == 1)
        assert not other.helm.borrowed
        linked.arrive(b"b", b"2")
        second.join()
        assert second.got == [b"2"]
        links.arrive(b"a", b"1")
        first.join()
        third = Asker(other, decided, b"b")
        until(borrowed(other))
        linked.arrive(b"b", b"3")
        third.join()


def test_the_oldest_in_line_is_served_though_another_drives() -> None:
    with kept() as (engine, decider, links):
        other = Asker(engine, decider, b"x")
        until(borrowed(engine))
        oldest = Asker(engine, decider, b"a")
        until(lambda: len(engine._room) == 2)
        links.arrive(b"x", b"")
        other.join()
        until(lambda: not engine.helm.borrowed)
        youngest = Asker(engine, decider, b"a")  # it drives, and comes after
        until(borrowed(engine))
        links.arrive(b"a", b"1")
        oldest.join()
        assert oldest.got == [b"1"]
        links.arrive(b"a", b"2")
        youngest.join()
        assert youngest.got == [b"2"]


def test_what_is_due_earlier_wakes_who_drives() -> None:
    with kept() as (engine, decider, _):
        asker = Asker(engine, decider, "tick")
        until(borrowed(engine))
        with engine.gate:
            decider.deadline = engine.now() + 0.01
            engine.flush()
        asker.join()
        assert asker.got == [b""]


def test_a_clock_in_the_hand_is_driven_too() -> None:
    clock = Hand()
    with kept(clock) as (engine, decider, _):
        with engine.gate:
            decider.deadline = clock.now + 10.0
            engine.flush()
        asker = Asker(engine, decider, "tick")
        until(borrowed(engine))
        clock.now += 10.0
        engine.wake()
        asker.join()
        assert asker.got == [b""]


def test_what_falls_due_just_after_somebody_left_the_helm_is_done_by_the_keeper() -> None:
    with kept() as (engine, decider, links):
        for number in range(200):
            links.arrive(b"a", b"")
            take_driving(engine, decider, b"a")
            with engine.gate:
                decider.deadline = engine.now() + 0.0005
                engine.flush()
            until(lambda number=number: len(decider.ticks) == number + 1)  # type: ignore[misc]  # a default


def test_a_keeper_that_looked_just_before_it_was_lent_takes_nobodys_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept() as (engine, decider, links):
        links.arrive(b"a", b"0")
        take_driving(engine, decider, b"a")  # from here on nothing is due
        looked, go, stepped = threading.Event(), threading.Event(), threading.Event()
        step = keeper()._step

        def late(driven: Engine) -> None:
            looked.set()
            go.wait(LIMIT)
            step(driven)
            stepped.set()

        monkeypatch.setattr(keeper(), "_step", late)
        engine.wake()
        assert looked.wait(LIMIT)
        with Caller(engine) as caller:
            with engine.gate:
                engine.register(b"a", caller)
                caller.take_helm(engine.now())
                caller.rest()
            give(engine, decider, b"a", b"1")  # rings
            monkeypatch.undo()
            go.set()
            assert stepped.wait(LIMIT)
            begun = time.monotonic()
            caller.watch(LIMIT)
            assert time.monotonic() - begun < LIMIT / 2
            with engine.gate:
                caller.look()
                assert caller.woken
                engine.unregister(b"a", caller, took=True)
                caller.leave_helm()


def test_who_is_woken_by_what_it_tried_itself_does_not_sleep() -> None:
    with kept() as (engine, decider, links), Caller(engine) as caller:
        links.arrive(b"a", b"0")
        take_driving(engine, decider, b"a")  # from here on nothing is due
        with engine.gate:
            engine.register(b"a", caller)
            caller.take_helm(engine.now())
            decider.put(b"a", b"1")
            engine.flush()
            caller.rest()
        begun = time.monotonic()
        caller.watch(LIMIT)
        assert time.monotonic() - begun < LIMIT / 2
        with engine.gate:
            engine.unregister(b"a", caller, took=True)
            caller.leave_helm()


def test_closing_wakes_who_drives() -> None:
    with kept() as (engine, decider, _):
        asker = Asker(engine, decider, b"a")
        until(borrowed(engine))
        engine.close(0.0)
        asker.join()
        assert isinstance(asker.error, ClosedError)


def test_the_time_of_who_drives_is_over_in_time() -> None:
    with kept() as (engine, decider, _):
        with pytest.raises(TimedOut):
            take_driving(engine, decider, b"a", 0.01)
        assert not engine.helm.borrowed


def test_ctrl_c_strikes_who_drives_and_the_helm_is_given_back() -> None:
    code = """
from tests.drivers.fakes import *
from tests.drivers.test_keeper import kept
from meshmq.links.interrupts import install_signals
install_signals()
with kept() as (engine, decider, links):
    try:
        print("waiting")
        take_driving(engine, decider, b"a")
    except KeyboardInterrupt:
        print("struck", engine.helm.borrowed)
    links.arrive(b"a", b"1")
    print(take_driving(engine, decider, b"a"))
"""
    child = start_child(code)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "struck False\n"
        assert child.stdout.readline() == "b'1'\n"
        assert child.wait(LIMIT) == 0
    finally:
        child.kill()
        child.communicate()
