"""PUSH and PULL of large values, ``copy=False``: nothing is copied at the sender, and nothing is acked."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import zmq

from meshmq.bench.plain.push import all_arrived, answer_mark, connect, open_worker
from meshmq.bench.values import check_of, value_of, view
from meshmq.bench.work import Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push a share of the values and tell how long it took until all had arrived."""
    value, me = value_of(work), str(number).encode()
    with zmq.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.DEALER) as marks:
        connect(out, marks, me, addresses)
        all_arrived(out, marks, me, len(addresses))
        for _ in range(work.warm):
            out.send(value, copy=False)
        all_arrived(out, marks, me, len(addresses))
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(work.share):
            out.send(value, copy=False)
        all_arrived(out, marks, me, len(addresses))
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until told to stop."""
    check, array = check_of(work), work.array
    with zmq.Context() as context, context.socket(zmq.PULL) as jobs, context.socket(zmq.ROUTER) as answers:
        open_worker(stage, jobs, answers, place, number)
        known: set[bytes] = set()
        had = 0
        while not stage.stopped:
            with contextlib.suppress(zmq.Again):
                while len(frame := jobs.recv(copy=False)):
                    check(view(frame.buffer) if array else frame.buffer)
                    had += 1
                answer_mark(jobs, answers, number, known)
    stage.tell(had=had)
