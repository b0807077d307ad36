"""Eight threads wait for something else each on one node, and none is woken late."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from random import Random
from typing import Final

import pytest

import meshmq
from meshmq.errors import ClosedError
from tests.network.children import LIMIT
from tests.network.test_threads import take
from tests.scale import scale
from tests.stalls import Stalls

EVENTS: Final = scale(1_000, 10_000)
#: A full outbox lets the next job in when a quarter is free.
ROOM: Final = 4


class Wait:
    """One thread that waits for one kind of event, a turn at a time."""

    def __init__(
        self, wait: Callable[[], object], happen: Callable[[], object], before: Callable[[], object] = lambda: None
    ) -> None:
        self._wait, self._happen, self._before = wait, happen, before
        self._turn = threading.Semaphore(0)
        self._woken: queue.SimpleQueue[float | BaseException] = queue.SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._turn.acquire() and not self._ended:
            try:
                self._wait()
            except BaseException as error:
                self._woken.put(error)
            else:
                self._woken.put(time.monotonic())

    def once(self) -> tuple[float, float]:
        """Return when its event happened, and when the thread went on."""
        self._before()
        self._turn.release()
        self._happen()
        happened = time.monotonic()
        woken = self._woken.get(timeout=LIMIT)
        if isinstance(woken, BaseException):
            raise woken
        return happened, woken

    def end(self) -> None:
        self._ended = True
        self._turn.release()
        self._thread.join(LIMIT)


def wait_for_job(node: meshmq.Node, name: str) -> Wait:
    jobs = node.pull(name)
    return Wait(lambda: take(jobs), lambda: node.push(name, 1))


def look_for_job(node: meshmq.Node, name: str) -> Wait:
    """Wait with ``ready``, which takes nothing."""
    jobs = node.pull(name)

    def clear() -> None:
        while len(jobs):
            take(jobs)

    return Wait(lambda: jobs.ready(LIMIT), lambda: node.push(name, 1), clear)


def wait_beside_one_who_looks(node: meshmq.Node, name: str, stack: ExitStack) -> Wait:
    """Wait with ``receive`` where another thread waits for the same job with ``ready``, before it or behind it."""
    jobs, turn = node.pull(name), threading.Semaphore(0)

    def look() -> None:
        with suppress(ClosedError):
            while turn.acquire():
                jobs.ready()

    looker = threading.Thread(target=look)
    looker.start()
    stack.callback(looker.join)
    stack.callback(turn.release)
    stack.callback(jobs.close)
    return Wait(lambda: take(jobs), lambda: node.push(name, 1), turn.release)


@contextmanager
def eight_waits(node: meshmq.Node) -> Iterator[list[Wait]]:
    """Eight threads on one node, each waiting for something else."""
    with ExitStack() as stack:
        waits = make_waits(node, stack)
        for wait in waits:
            stack.callback(wait.end)
        yield waits


def make_waits(node: meshmq.Node, stack: ExitStack) -> list[Wait]:
    waits = [wait_for_job(node, name) for name in ("a", "b")]
    waits += [look_for_job(node, "seen"), wait_beside_one_who_looks(node, "shared", stack)]
    events, number = node.events(), iter(range(10**9))
    waits.append(Wait(lambda: next(events), lambda: happen(node, next(number))))
    asked: list[meshmq.Receiver[meshmq.Message]] = []
    waits.append(
        Wait(
            lambda: node.wait_for(pull="asked", timeout=LIMIT),
            lambda: asked.append(node.pull("asked")),
            lambda: asked.pop().close() if asked else None,
        )
    )
    flushed = node.pull("flushed")
    waits.append(
        Wait(lambda: node.queue("flushed").flush(LIMIT), lambda: take(flushed), lambda: node.push("flushed", 1))
    )
    full = node.pull("full")

    def fill() -> None:
        while node.queue("full").depth < ROOM:
            node.push("full", 1, timeout=LIMIT)

    waits.append(Wait(lambda: node.push("full", 1, timeout=LIMIT), lambda: take(full), fill))
    return waits


def happen(node: meshmq.Node, number: int) -> None:
    """Have an event happen, without the neighbour whose coming and going would take its time."""
    engine, participant = node._opened()

    def tell() -> None:
        participant.presence.roster.tell("changed", reason=f"for the {number}th time")
        participant.roster_changed()

    engine.post(tell)


@pytest.mark.timeout(300)
def test_eight_threads_wait_for_something_else_each_and_none_is_woken_late() -> None:
    random = Random(5)
    with meshmq.Node("waits", settings=meshmq.Settings(outbox_jobs=ROOM)) as node:
        with eight_waits(node) as waits, Stalls() as stalls:
            spans = [random.choice(waits).once() for _ in range(EVENTS)]
        drain(node, "full")
        drain(node, "seen")
    assert stalls.late(spans) == []


def drain(node: meshmq.Node, name: str) -> None:
    for message in node.pull(name, idle=0.2):
        message.ack()
