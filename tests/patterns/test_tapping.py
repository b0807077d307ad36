"""The wire tap: what it keeps, what it says of jobs that come again, and what it missed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from meshmq.patterns.wire_tap import WireTap

import meshmq

LIMIT = 20.0


@contextmanager
def tapped(mesh: str, *, keep: int) -> Iterator[tuple[meshmq.Node, meshmq.Node, WireTap]]:
    """Give a pusher, a worker that agrees, and a tap that looks from the beginning."""
    worker = meshmq.Node("worker", mesh=mesh, settings=meshmq.Settings(tap=True))
    with worker, meshmq.Node("pusher", mesh=mesh) as pusher, meshmq.Node("console", mesh=mesh) as console:
        tap = WireTap(console, "jobs", keep=keep)
        watching = threading.Thread(target=tap.watch)
        watching.start()
        worker.wait_for(subscribe="meshmq.tap.jobs", timeout=LIMIT)
        yield pusher, worker, tap
        tap.close()
        watching.join()


def until(tap: WireTap, seen: int) -> None:
    """Wait for copies that are on their way."""
    pause = threading.Event()
    for _ in range(2_000):
        if tap.seen + tap.missed >= seen:
            return
        pause.wait(0.01)
    raise AssertionError(f"{tap.seen} seen and {tap.missed} missed, not {seen}")


def test_the_sample_is_bounded_and_even(mesh_name: str) -> None:
    with tapped(mesh_name, keep=50) as (pusher, worker, tap):
        worker.pull("jobs")(str)
        for first in range(0, 900, 300):  # no more at once than are copied
            pusher.queue("jobs").push_many(range(first, first + 300))
            pusher.flush(LIMIT)
        until(tap, 900)
    assert (tap.seen, tap.missed, tap.again) == (900, 0, {})
    kept = [copy.data for copy in tap.sample]
    assert len(set(kept)) == 50
    thirds = Counter(number // 300 for number in kept)
    assert min(thirds[third] for third in range(3)) >= 3  # by chance it is less once in a hundred thousand runs


def test_a_job_that_comes_again_is_shown_with_its_last_attempt(mesh_name: str) -> None:
    with tapped(mesh_name, keep=2) as (pusher, worker, tap):
        with worker.pull("jobs") as jobs:
            pusher.queue("jobs").push_many(["good", "bad"])
            for message in jobs:
                if message.data == "bad" and message.attempt < 3:
                    message.nack(delay=0)
                elif message.data == "bad":
                    message.ack()
                    break
        pusher.flush(LIMIT)
        until(tap, 4)
    assert len(tap.sample) == 2
    (copy,) = tap.again.values()
    assert (copy.data, copy.headers["meshmq-attempt"]) == ("bad", "3")
    assert tap.again == {message.id: copy}


def test_what_was_not_copied_counts_as_missed(mesh_name: str) -> None:
    count = 20_000
    with tapped(mesh_name, keep=10) as (pusher, worker, tap):
        worker.pull("jobs")(str)
        pusher.queue("jobs").push_many(range(count))
        pusher.flush(LIMIT)
        pusher.push("jobs", "last")  # with it comes how many were dropped before
        until(tap, count + 1)
    assert tap.seen + tap.missed == count + 1
