"""A consumer steps through its hand without the lock, and what is taken from it is not run by it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from itertools import chain, count
from types import FrameType
from typing import TYPE_CHECKING

import pytest

import meshmq
from meshmq.consumer import Consumer
from meshmq.testing import Network
from tests.scale import scale

if TYPE_CHECKING:
    from _typeshed import TraceFunction


class Clock:
    """The machine's clock, which can stand still."""

    def __init__(self) -> None:
        self._stands_at: float | None = None

    def __call__(self) -> float:
        return time.monotonic() if self._stands_at is None else self._stands_at

    def stop(self) -> None:
        """Stand still: jobs take no time, so that they come in hands of many, and no hand is slow."""
        self._stands_at = time.monotonic()

    def go_on(self) -> None:
        self._stands_at = None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def node(clock: Clock) -> Iterator[meshmq.Node]:
    with Network(clock=clock) as network:
        node = meshmq.Node("alone", mesh=network.mesh)
        node._place = network.open_place(node._id, node.name)
        with node:
            try:
                yield node
            finally:
                clock.go_on()


def test_receiver_closed_in_the_loop_ends_the_loop(node: meshmq.Node, clock: Clock) -> None:
    warm_up(node, clock)
    receiver = node.pull("jobs", prefetch=100)
    run = []
    for message in receiver:
        run.append(message.data)
        receiver.close()
    clock.go_on()
    assert run == [0]
    assert [message.attempt for message in rest_of(node, 20)] == [2] + [1] * 19


@pytest.mark.parametrize("moment", range(14))
def test_receiver_closed_at_any_line_of_a_loop_gives_no_job_twice(node: meshmq.Node, clock: Clock, moment: int) -> None:
    warm_up(node, clock)
    receiver = node.pull("jobs", prefetch=100)
    loop = iter(receiver)
    assert next(loop).data == 0
    lines = count()

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        if frame.f_code is not Consumer.quickly.__code__:
            return None
        if event == "line" and next(lines) == moment:
            clock.go_on()
            closing = threading.Thread(target=receiver.close)
            closing.start()
            closing.join()
            with node._engine.gate:  # type: ignore[union-attr]  # it is open
                pass  # whoever leaves the gate has done what was posted
        return trace

    sys.settrace(trace)
    try:
        run = [message.data for message in loop]
    finally:
        sys.settrace(None)
        clock.go_on()
    assert next(lines) > moment
    again = [message.data for message in rest_of(node, 20) if message.attempt == 1]
    assert sorted(run + again) == list(range(1, 20))


def test_threads_that_share_a_receiver_are_given_different_jobs(node: meshmq.Node) -> None:
    jobs, threads = scale(5_000, 100_000), 4
    with node.pull("jobs") as receiver:  # the last job is acked on leaving
        node.queue("jobs").push_many(range(jobs))
        shares: list[list[object]] = [[] for _ in range(threads)]
        failures: list[Exception] = []

        def work(share: list[object]) -> None:
            try:
                while sum(map(len, shares)) < jobs:
                    share.append(receiver.receive(1).data)
            except meshmq.TimedOut:
                return
            except Exception as failure:
                failures.append(failure)

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            workers = [threading.Thread(target=work, args=(share,)) for share in shares]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        finally:
            sys.setswitchinterval(interval)
    assert failures == []
    assert sorted(map(str, chain(*shares))) == sorted(map(str, range(jobs)))


def warm_up(node: meshmq.Node, clock: Clock) -> None:
    """Let the inbox learn that jobs are quick; then push twenty, one batch, for nobody pulls. The clock stands."""
    clock.stop()
    with node.pull("jobs") as receiver:
        node.queue("jobs").push_many(["quick"] * 100)
        for _ in range(100):
            receiver.receive(5)
    node.flush(5)
    node.queue("jobs").push_many(range(20))
    assert node._engine is not None
    assert node._participant is not None
    with node._engine.gate:
        node._participant.clear_trays(clock())  # the moment at which that is due will not come


def rest_of(node: meshmq.Node, count: int) -> list[meshmq.Message]:
    with node.pull("jobs") as receiver:
        messages: list[meshmq.Message] = []
        while len(messages) < count:
            try:
                messages.append(receiver.receive(0.5))
            except meshmq.TimedOut:
                break
        return sorted(messages, key=lambda message: str(message.data))
