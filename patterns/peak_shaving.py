"""Take a burst at once, work it off at a steady pace, and refuse what is too much.

*Problem*: orders come in bursts; what handles them (a database, a printer, an API with a rate limit) bears a
steady load only. Callers must not wait, and memory must not grow without bound.

*How it works*: the queue's outbox is the buffer. ``offer`` puts a job in or says at once that there is no
room; ``work`` takes jobs at a pace that is never exceeded::

    60 in an instant --> offer --> [ outbox, at most 40 ] --> work, 200 a second --> do
                          |
                          +--> False: tell the caller to come again later

The bound is the node's: ``Node(settings=Settings(outbox_jobs=40))``; it holds for what waits and what is
being done. How long is the buffer? A job that finds N before it waits N / pace seconds.

*Limits*: each node that offers has a buffer of its own, each worker a pace of its own: two workers make
twice the pace. The buffer is in memory. A worker that dies begins its last job again elsewhere.

*Run*::

    $ meshmq recipe run peak_shaving
    a burst of 60: 40 taken, 20 refused, in less than a second
    worked off: 40, never more than 200 a second, in order
    room again: True
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import meshmq


class PeakShaver:
    """One queue with a bound and a pace: ``offer`` on the one side, ``work`` on the other."""

    def __init__(self, node: meshmq.Node, queue: str) -> None:
        self._node, self._queue = node, queue

    def offer(self, data: Any) -> bool:
        """Take a job for later, without waiting; ``False`` when the buffer is full.

        Raises:
            EncodeError: ``data`` cannot be sent.
            ClosedError: the node is closed.
        """
        try:
            self._node.push(self._queue, data, timeout=0)
        except meshmq.TimedOut:
            return False
        return True

    def work(self, do: Callable[[Any], object], *, per_second: float, idle: float | None = None) -> int:
        """Do jobs, begun at least ``1 / per_second`` seconds apart; return how many.

        Returns when the node is closed, or after ``idle`` seconds without a job. Lets through what
        ``do`` raises; the job then goes back.
        """
        done, pause = 0, threading.Event()
        due = time.monotonic()
        with self._node.pull(self._queue, idle=idle) as jobs:
            for job in jobs:
                pause.wait(max(0.0, due - time.monotonic()))
                # From now and not from the moment it was due: what was missed is not made up for.
                due = time.monotonic() + 1 / per_second
                with job:
                    do(job.data)
                done += 1
        return done


def demo() -> None:
    """Offer 60 jobs in an instant to a buffer for 40."""
    mesh = f"peak-{secrets.token_hex(4)}"
    begun: list[tuple[int, float]] = []
    with meshmq.Node("shop", mesh=mesh, settings=meshmq.Settings(outbox_jobs=40)) as shop:
        door = PeakShaver(shop, "orders")
        began = time.monotonic()
        taken = [door.offer(number) for number in range(60)]
        quick = "less than a second" if time.monotonic() - began < 1 else "more than a second"
        print(f"a burst of 60: {sum(taken)} taken, {60 - sum(taken)} refused, in {quick}", flush=True)
        with meshmq.Node("kitchen", mesh=mesh) as kitchen:
            worker = threading.Thread(
                target=PeakShaver(kitchen, "orders").work,
                args=(lambda order: begun.append((order, time.monotonic())),),
                kwargs={"per_second": 200},
                daemon=True,
            )
            worker.start()
            shop.flush(timeout=20)
            print(f"worked off: {len(begun)}, {_pace(begun)}, {_order(begun)}")
            print(f"room again: {door.offer(60)}", flush=True)
            shop.flush(timeout=20)
            kitchen.close()
            worker.join()


def _pace(begun: list[tuple[int, float]]) -> str:
    closest = min(later - earlier for (_, earlier), (_, later) in itertools.pairwise(begun))
    return "never more than 200 a second" if closest >= 1 / 200 else f"two only {closest:.4f} s apart"


def _order(begun: list[tuple[int, float]]) -> str:
    orders = [order for order, _ in begun]
    return "in order" if orders == sorted(orders) else "out of order"


if __name__ == "__main__":
    demo()
