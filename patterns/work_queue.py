"""Share out jobs among workers; whoever dies loses none.

*Problem*: jobs come faster than one process does them, workers come and go, and now and then one
crashes. No job may be lost, and nobody wants to keep a list of workers.

*How it works*: the pusher keeps each job until a worker has confirmed it. Workers ask for as much as
they can do, so a fast one gets more, a new one gets work at once, and a slow one holds nobody up::

    push("jobs") --+--> worker 1   done: confirmed
     keeps each    +--> worker 2   raised: goes back, and comes again after a pause
     until then    +--> worker 3   killed: what it had goes to the others

``work`` confirms a job when ``do`` returns and gives it back when ``do`` raises.

*Limits*: a job that was begun by a worker that died runs again, with the same ``job.id`` and with
``job.redelivered`` set: make what it does harmless to do twice. What a worker has fetched is its
own until it is gone: take ``prefetch=1`` where one job takes seconds. The pusher keeps its jobs in
memory: it has to stay until they are confirmed, and leaving its ``with`` waits for that.

*Run*::

    $ meshmq recipe run work_queue
    6 jobs are pushed, the first worker starts
    the first worker is killed in the middle of job 3
    a second worker starts
    squares: 1 4 9 16 25 36
    begun before, and flagged: job 3
"""

from __future__ import annotations

import logging
import multiprocessing
import secrets
import threading
from collections.abc import Callable

import meshmq

_logger = logging.getLogger(__name__)


def work(
    node: meshmq.Node,
    queue: str,
    do: Callable[[meshmq.Message], object],
    *,
    prefetch: int | None = None,
    idle: float | None = None,
) -> int:
    """Do the jobs of ``queue`` one after another; return how many were done.

    Returns when the node is closed, or after ``idle`` seconds without a job. Call it in as many
    processes as you like, and in several threads of one.

    Raises:
        ClosedError: the node was closed before.
    """
    done = 0
    with node.pull(queue, prefetch=prefetch, idle=idle) as jobs:
        for job in jobs:
            try:
                with job:  # confirmed when the block ends, given back when it raises
                    do(job)
                done += 1
            except Exception:
                _logger.exception("job %s of %r failed in attempt %d", job.id, queue, job.attempt)
    return done


def demo() -> None:
    """Have a worker killed in the middle of a job, and miss none."""
    mesh = f"work-queue-{secrets.token_hex(4)}"
    process = multiprocessing.get_context("spawn").Process
    first = process(target=_labour, args=(mesh, "first"), daemon=True)
    second = process(target=_labour, args=(mesh, "second"), daemon=True)
    squares: dict[int, int] = {}
    repeats: list[int] = []
    with meshmq.Node("boss", mesh=mesh) as boss:
        for number in range(1, 7):
            boss.push("jobs", number)
        print("6 jobs are pushed, the first worker starts", flush=True)
        first.start()
        for word in boss.pull("words", idle=20):
            number, square, repeat = word.data
            if square is None:
                first.kill()
                print(f"the first worker is killed in the middle of job {number}\na second worker starts", flush=True)
                second.start()
                continue
            squares[number] = square
            if repeat:
                repeats.append(number)
            if len(squares) == 6:
                word.ack()
                break
        boss.flush(timeout=10)  # the last of them was told of, and is confirmed in a moment
    for worker in (first, second):
        worker.terminate()
        worker.join()
    print("squares:", *(squares[number] for number in sorted(squares)))
    print("begun before, and flagged: job", *repeats)


def _labour(mesh: str, name: str) -> None:
    with meshmq.Node(name, mesh=mesh) as node:

        def square(job: meshmq.Message) -> None:
            stuck = name == "first" and job.data == 3
            node.push("words", [job.data, None if stuck else job.data**2, job.redelivered])
            node.flush()  # the boss has the result before the job counts as done
            if stuck:
                threading.Event().wait()

        work(node, "jobs", square, prefetch=1)


if __name__ == "__main__":
    demo()
