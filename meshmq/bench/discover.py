"""MeshMQ's newcomers: how soon one has its first job done, and knows all who are there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from meshmq.bench.nodes import opened
from meshmq.bench.push import QUEUE, pull
from meshmq.bench.values import value_of
from meshmq.bench.work import LIMIT, Place, Work
from meshmq.errors import TimedOut

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

__all__ = ["come", "pull"]


def come(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Open a node, push a job, wait for its ack, and for the others; each time anew."""
    value, first, whole = value_of(work), [], []
    with opened(work, place, addresses) as node:  # what is imported later has been
        node.wait_for(pull=QUEUE, count=work.receivers, timeout=LIMIT)
    stage.tell(ready=True)
    stage.wait_for_go()
    started = time.perf_counter()
    for _ in range(work.share):
        begun = time.perf_counter()
        with opened(work, place, addresses) as node:
            node.push(QUEUE, value)
            node.flush(LIMIT)
            first.append(time.perf_counter() - begun)
            node.wait_for(pull=QUEUE, count=work.receivers, timeout=LIMIT)
            whole.append(time.perf_counter() - begun)
            if len(node.peers()) < work.receivers:
                raise TimedOut(f"only {len(node.peers())} of {work.receivers} peers are known")
    stage.tell(seconds=time.perf_counter() - started, first=first, roster=whole)
    stage.wait_for_stop()
