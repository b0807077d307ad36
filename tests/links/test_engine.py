from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import pytest
import zmq

from meshmq.errors import ClosedError, InUseError, LinkError, MeshError, WouldBlock
from meshmq.links.base import Decider
from meshmq.links.engine import Engine
from meshmq.links.waiter import ThreadWaiter
from tests.drivers.fakes import LIMIT, Hand, ToyDecider, ToyLinks, give, take, toy
from tests.scale import scale


@contextmanager
def opened(
    *, budget: int = 256, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[Engine, ToyDecider, ToyLinks]]:
    engine, decider, links = toy(budget=budget, clock=clock)
    try:
        yield engine, decider, links
    finally:
        engine.close(0.0)


def fail(cause: Exception) -> None:
    raise cause


def readable(engine: Engine, seconds: float = 0.0) -> bool:
    return bool(select.select([engine.fileno()], [], [], seconds)[0])


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


@pytest.mark.parametrize("where", ["links", "decider", "posted", "send", "mesh error"])
def test_an_exception_in_a_step_breaks_the_node(where: str, caplog: pytest.LogCaptureFixture) -> None:
    with opened() as (engine, decider, links):
        waiter = ThreadWaiter()
        with engine.gate:
            engine.register("key", waiter)
        cause: Exception = LinkError("disk full") if where == "mesh error" else ValueError("disk full")
        match where:
            case "posted":
                engine.post(partial(fail, cause))
            case "decider":
                decider.outputs.append(("dance",))
            case "send":
                decider.outputs.append(("send", 2, ()))
                links.error = cause
            case _:
                links.error = cause
        decider.words.append((logging.INFO, "meshmq.toy", "the last words"))
        engine.step()
        assert engine.closed
        assert waiter.wait(0)
        assert links.done[-1] == ("close", 0.0)
        with pytest.raises(ClosedError, match="broke") as raised:
            engine.check()
        if where != "decider":
            assert raised.value.__cause__ is cause
        with pytest.raises(ClosedError), engine.gate:
            engine.register("key", waiter)
        engine.step()
        engine.close(1.0)
        engine.post(lambda: pytest.fail("done after the end"))
        assert "broke and is closed: Traceback" in caplog.text


def test_an_exception_in_a_call_breaks_the_node_unless_it_is_the_callers() -> None:
    with opened() as (engine, decider, links):
        with pytest.raises(WouldBlock), engine.gate:
            raise WouldBlock
        engine.check()
        links.error = LinkError("no such socket")  # a MeshError, but not the fault of who flushes
        decider.outputs.append(("send", 2, (b"x",)))
        with pytest.raises(ClosedError) as raised, engine.gate:
            engine.flush()
        assert raised.value.__cause__ is links.error
        assert engine.closed
    with opened() as (engine, _, links):
        with pytest.raises(ClosedError, match="ZeroDivisionError"), engine.gate:
            raise ZeroDivisionError
        assert engine.closed
        assert ("close", 0.0) in links.done


def test_breaking_from_inside_and_outside_and_the_first_cause_counts() -> None:
    with opened() as (engine, _, _):
        first = ValueError("first")
        with engine.gate:
            engine.break_(first)
        engine.break_(ValueError("second"))
        with pytest.raises(ClosedError) as raised:
            engine.check()
        assert raised.value.__cause__ is first
        assert repr(engine) == "<Engine 'toy' broken, 0 waiting>"


def test_closing_sends_what_is_left_and_wakes_everybody() -> None:
    engine, decider, links = toy()
    waiter = ThreadWaiter()
    with engine.gate:
        engine.register("key", waiter)
    assert repr(engine) == "<Engine 'toy' open, 1 waiting>"
    decider.outputs.append(("publish", (b"goodbye",)))
    engine.close(0.5)
    engine.close(0.7)
    assert links.done == [("publish", (b"goodbye",)), ("close", 0.5)]
    assert waiter.wait(0)
    with pytest.raises(ClosedError, match="node 'toy' is closed"):
        engine.check()
    with pytest.raises(ClosedError):
        engine.fileno()
    with engine.gate:
        engine.unregister("key", waiter)
        decider.outputs.append(("publish", (b"too late",)))
        engine.flush()
    assert decider.outputs == []
    engine.wake()
    assert engine.deadline is None


def test_links_that_cannot_be_closed_are_told(caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(ToyLinks):
        def close(self, linger: float) -> None:
            super().close(linger)
            raise OSError("busy")

    engine = Engine(ToyDecider(), Stubborn(), name="x")
    engine.close(0.0)
    assert "closing its links failed: OSError('busy')" in caplog.text


def test_one_driver_is_at_the_helm_and_keeps_the_descriptor_open() -> None:
    engine, _, _ = toy()
    descriptor = engine.take_helm()
    with pytest.raises(InUseError):
        engine.take_helm()
    engine.check()
    engine.step()
    assert not select.select([descriptor], [], [], 0)[0]
    engine.close(0.0)
    assert select.select([descriptor], [], [], 0)[0], "the driver is not told"
    engine.leave_helm()
    engine.leave_helm()
    with pytest.raises(ClosedError):
        engine.take_helm()


def test_sixteen_threads_use_it_while_another_closes_it() -> None:
    engine, decider, links = toy()
    refused: list[int] = []
    begun = threading.Barrier(17)

    def use() -> None:
        begun.wait(LIMIT)
        try:
            while True:
                with engine.gate:
                    engine.check()
                    decider.outputs.append(("publish", (b"x",)))
                    engine.flush()
        except ClosedError:
            refused.append(1)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for thread in threads:
        thread.start()
    begun.wait(LIMIT)
    engine.close(0.0)
    for thread in threads:
        thread.join(LIMIT)
    assert len(refused) == 16
    assert links.done[-1] == ("close", 0.0), "used after it was closed"


class EchoLinks(ToyLinks):
    """A real DEALER in a nest, and a ROUTER in a thread of its own that sends everything back."""

    def __init__(self) -> None:
        super().__init__()
        self.context = zmq.Context()
        self.router = self.context.socket(zmq.ROUTER)
        self.dealer = self.context.socket(zmq.DEALER)
        self.dealer.linger = self.router.linger = 0
        self.dealer.connect(f"tcp://127.0.0.1:{self.router.bind_to_random_port('tcp://127.0.0.1')}")
        self.echo = threading.Thread(target=self._echo)
        self.echo.start()

    def _echo(self) -> None:
        while (frames := self.router.recv_multipart())[1] != b"end":
            self.router.send_multipart(frames)
        self.router.close()

    def fileno(self) -> int:
        return int(self.dealer.get(zmq.FD))

    def _readable(self) -> bool:
        return bool(int(self.dealer.get(zmq.EVENTS)) & zmq.POLLIN)

    def send(self, connection: int, frames: Sequence[bytes]) -> bool:
        self.dealer.send(frames[0], zmq.DONTWAIT)
        # What the send may have swallowed [F 4] is found by reading EVENTS, and told as a deadline.
        if self._readable():
            self.deadline = 0.0
        return True

    def step(self, decider: Decider, now: float) -> bool:
        self.deadline = None
        while self._readable():
            decider.receive(1, (b"answer", self.dealer.recv(zmq.DONTWAIT)), now)
        return False

    def close(self, linger: float) -> None:
        super().close(linger)
        self.dealer.send(b"end")
        self.echo.join(LIMIT)
        self.dealer.close()
        self.context.term()


def test_no_edge_of_a_real_socket_is_swallowed_in_the_nest() -> None:
    decider, links = ToyDecider(), EchoLinks()
    engine = Engine(decider, links, name="echo")
    done = threading.Event()

    def ask() -> None:  # beside the helm, two at a time, so that sends meet answers that arrive
        for number in range(scale(1_500, 10_000)):
            with engine.gate:
                decider.outputs.append(("send", 2, (b"ask",)))
                engine.flush()
            if number:
                take(engine, decider, b"answer")
        done.set()
        engine.wake()

    thread = threading.Thread(target=ask)
    thread.start()
    stalls = 0
    try:
        while not done.is_set() and not stalls:
            deadline = engine.deadline
            if deadline is None and not readable(engine, 2.0):
                stalls += 1
            engine.step()
        assert stalls == 0
    finally:
        engine.close(0.0)
        thread.join(LIMIT)


def test_errors_of_the_engine_are_mesh_errors() -> None:
    assert issubclass(ClosedError, MeshError)
    assert issubclass(InUseError, MeshError)
