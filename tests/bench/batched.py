"""PUSH and PULL by hand in batches: 200 values packed into one frame, and no acks."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq

from meshmq.bench.kinds import Side
from meshmq.bench.plain.push import all_arrived, answer_mark, connect, open_worker
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

BATCH: Final = 200
PUSH: Final = Side(f"pyzmq x {BATCH}", "tests.bench.batched:push", "tests.bench.batched:pull")


def push(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push a share of the jobs and tell how long it took until all had arrived."""
    value, me = value_of(work), str(number).encode()
    packer = msgpack.Packer(autoreset=False)

    def send(count: int) -> None:
        pack = packer.pack
        for start in range(0, count, BATCH):
            for _ in range(min(BATCH, count - start)):
                pack(value)
            out.send(packer.bytes())
            packer.reset()

    with zmq.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.DEALER) as marks:
        connect(out, marks, me, addresses)
        all_arrived(out, marks, me, len(addresses))
        send(work.warm)
        all_arrived(out, marks, me, len(addresses))
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        send(work.share)
        all_arrived(out, marks, me, len(addresses))
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def pull(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until told to stop."""
    check, had = check_of(work), 0
    known: set[bytes] = set()
    with zmq.Context() as context, context.socket(zmq.PULL) as jobs, context.socket(zmq.ROUTER) as answers:
        open_worker(stage, jobs, answers, place, number)
        unpacker = msgpack.Unpacker()
        while not stage.stopped:
            with contextlib.suppress(zmq.Again):
                while data := jobs.recv():
                    unpacker.feed(data)
                    for value in unpacker:
                        check(value)
                        had += 1
                answer_mark(jobs, answers, number, known)
    stage.tell(had=had)
