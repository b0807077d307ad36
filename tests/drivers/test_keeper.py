from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from meshmq.drivers.keeper import Keeper, KeeperDriver, keeper
from meshmq.errors import ClosedError, InUseError, TimedOut
from meshmq.links.bell import Bell
from meshmq.links.engine import Engine
from tests.drivers.fakes import LIMIT, Hand, ToyDecider, ToyLinks, run_child, take, toy


@pytest.fixture(autouse=True)
def alone() -> None:
    """Take from the keeper what tests of whole nodes before this one have left it to serve; nodes bring it again."""
    for service in list(keeper()._services):
        keeper().detach_service(service)


@contextmanager
def kept(clock: Callable[[], float] = time.monotonic) -> Iterator[tuple[Engine, ToyDecider, ToyLinks]]:
    engine, decider, links = toy(clock=clock)
    driver = KeeperDriver(engine)
    driver.attach()
    try:
        yield engine, decider, links
    finally:
        driver.detach()
        engine.close(0.0)


def keepers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "meshmq-keeper"]


def until_ended() -> None:
    for thread in keepers():
        thread.join(LIMIT)
    assert not keepers()


def test_the_keeper_steps_what_arrives() -> None:
    with kept() as (engine, decider, links):
        links.arrive(b"a", b"1")
        assert take(engine, decider, b"a") == b"1"


def test_one_thread_serves_all_ends_with_the_last_and_starts_again() -> None:
    until_ended()
    for _ in range(3):
        with kept() as (first, decider, links), kept() as (second, other, _):
            assert len(keepers()) == 1
            assert keepers()[0].daemon
            links.arrive(b"a", b"")
            take(first, decider, b"a")
            second.post(lambda other=other: other.put(b"b", b""))  # type: ignore[misc]  # a default is no argument
            take(second, other, b"b")
        until_ended()


def test_a_deadline_is_kept_and_one_brought_forward_too() -> None:
    with kept() as (engine, decider, _):
        began = time.monotonic()
        for seconds in (LIMIT, 0.05):
            with engine.gate:
                decider.deadline = time.monotonic() + seconds
                engine.flush()
        take(engine, decider, "tick")
        assert 0.05 <= time.monotonic() - began < LIMIT / 2


def test_a_hundred_engines_keep_their_deadlines() -> None:
    alone = Keeper()
    toys = [toy(f"toy {number}") for number in range(100)]
    try:
        for number, (engine, decider, _) in enumerate(toys):
            decider.deadline = time.monotonic() + 0.001 * (number % 10)
            alone.attach(engine)
        for engine, decider, _ in toys:
            take(engine, decider, "tick")
    finally:
        for engine, _, _ in toys:
            alone.detach(engine)
            engine.close(0.0)


def test_an_idle_keeper_sleeps_and_a_clock_moved_by_hand_wakes_it() -> None:
    clock = Hand(0.0)
    with kept(clock) as (engine, decider, links):
        with engine.gate:
            decider.deadline = 0.02  # in virtual time, which stands: a real span that goes by is no reason
            engine.flush()
        engine.post(lambda: decider.put("settled", b""))
        take(engine, decider, "settled")
        before = links.steps
        with pytest.raises(TimedOut):
            take(engine, decider, "nothing", timeout=0.3)
        assert links.steps - before <= 1
        assert decider.ticks == []
        clock.now = 0.02
        engine.wake()
        take(engine, decider, "tick")
        assert decider.ticks == [0.02]
        before = links.steps
        with pytest.raises(TimedOut):
            take(engine, decider, "nothing", timeout=0.3)
        assert links.steps - before <= 1


def test_an_engine_that_breaks_breaks_alone() -> None:
    with kept() as (bad, _, links), kept() as (good, decider, others):
        links.error = ValueError("broken")
        bad.wake()
        with pytest.raises(ClosedError) as raised:
            take(bad, ToyDecider(), "never")
        assert raised.value.__cause__ is links.error
        others.arrive(b"a", b"1")
        assert take(good, decider, b"a") == b"1"


def test_a_clock_that_raises_breaks_its_engine_alone() -> None:
    class Clock(Hand):
        def __call__(self) -> float:
            if self.now < 0:
                raise ValueError("no time")
            return self.now

    clock = Clock()
    with kept(clock) as (bad, decider, _), kept() as (good, other, others):
        with bad.gate:
            decider.deadline = clock.now + 3600
            bad.flush()
        clock.now = -1.0
        bad.wake()
        with pytest.raises(ClosedError):
            take(bad, decider, "never")
        others.arrive(b"a", b"1")
        assert take(good, other, b"a") == b"1"


def test_a_closed_engine_cannot_be_attached_and_no_engine_twice() -> None:
    with kept() as (engine, _, _):
        with pytest.raises(InUseError):
            keeper().attach(engine)
        engine.close(0.0)
        with pytest.raises(ClosedError):
            keeper().attach(engine)


def test_closing_while_driven_lets_the_keeper_go_by_itself() -> None:
    until_ended()
    engine, _, _ = toy()
    keeper().attach(engine)
    engine.close(0.0)
    until_ended()
    keeper().detach(engine)


def test_where_the_system_gave_no_thread_the_next_attach_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    alone, service = Keeper(), Answers()
    engine, decider, links = toy()
    with monkeypatch.context() as patch:
        patch.setattr("meshmq.drivers.keeper.start_apart", refuse)
        for _ in range(2):  # neither driven nor served: it is no InUseError
            with pytest.raises(RuntimeError, match="new thread"):
                alone.attach(engine)
            with pytest.raises(RuntimeError, match="new thread"):
                alone.attach_service(service)
    alone.attach(engine)
    alone.attach_service(service)
    try:
        links.arrive(b"a", b"1")
        assert take(engine, decider, b"a") == b"1"
        service.bell.ring()
        assert service.stepped.acquire(timeout=LIMIT)
    finally:
        alone.detach_service(service)
        alone.detach(engine)
        engine.close(0.0)
        service.bell.close()


class Answers:
    """A service as the one that proves keys: steps when rung."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.stepped = threading.Semaphore(0)
        self.error: Exception | None = None

    def fileno(self) -> int:
        return self.bell.fileno()

    def step(self) -> None:
        self.bell.drain()
        self.stepped.release()
        if self.error is not None:
            raise self.error


def test_a_service_is_stepped_when_readable_and_let_go_when_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    service = Answers()
    keeper().attach_service(service)
    keeper().attach_service(service)
    try:
        with kept() as (engine, decider, links):
            service.bell.ring()
            assert service.stepped.acquire(timeout=LIMIT)
            service.error = ValueError("cannot answer")
            service.bell.ring()
            assert service.stepped.acquire(timeout=LIMIT)
            links.arrive(b"a", b"1")
            assert take(engine, decider, b"a") == b"1"
        until_ended()
        assert "is not served any more" in caplog.text
    finally:
        keeper().detach_service(service)
        service.bell.close()


def test_many_who_wait_for_the_same_are_each_given_one() -> None:
    with kept() as (engine, decider, links):
        got: list[bytes] = []
        threads = [threading.Thread(target=lambda: got.append(take(engine, decider, b"job"))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for number in range(20):
            links.arrive(b"job", b"%d" % number)
        for thread in threads:
            thread.join(LIMIT)
        assert sorted(got) == sorted(b"%d" % number for number in range(20))


FORKED = """
import os, threading
from meshmq.drivers.keeper import keeper
from tests.drivers.fakes import take, toy

def talk(name):
    engine, decider, links = toy(name)
    keeper().attach(engine)
    links.arrive(b"a", b"1")
    assert take(engine, decider, b"a") == b"1"
    return engine, decider, links

engine, decider, links = talk("parent")
pid = os.fork()
if pid == 0:
    assert not [thread for thread in threading.enumerate() if thread.name == "meshmq-keeper"]
    keeper().detach(engine)
    child, _, _ = talk("child")
    keeper().detach(child)
    child.close(0)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
links.arrive(b"a", b"2")
assert take(engine, decider, b"a") == b"2"
keeper().detach(engine)
engine.close(0)
print("undisturbed")
"""


def test_a_forked_child_has_a_keeper_of_its_own_and_the_parents_goes_on() -> None:
    child = run_child(FORKED)
    assert (child.stdout, child.stderr, child.returncode) == ("undisturbed\n", "", 0)
