"""A PUSH that connects to addresses which somebody has told it: its first job arrives."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq

from meshmq.bench.discover import started
from meshmq.bench.plain.push import all_arrived, connect, pull
from meshmq.bench.values import value_of
from meshmq.bench.work import Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

__all__ = ["come", "pull"]


def come(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Connect, push a job and wait until all workers have had a mark; each time anew."""
    value, took = value_of(work), []
    stage.tell(ready=True)
    stage.wait_for_go()
    began = time.perf_counter()
    for turn in range(work.share):
        begun, me = time.perf_counter(), f"{number}-{turn}".encode()
        with zmq.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.DEALER) as marks:
            connect(out, marks, me, addresses)
            out.send(msgpack.packb(value))
            all_arrived(out, marks, me, len(addresses))
            took.append(time.perf_counter() - begun)
    seconds = time.perf_counter() - began
    program = str(Path(__file__).with_name("newcomer.py"))
    start = started([program, *addresses[0].split(" ")], dict(os.environ))
    stage.tell(seconds=seconds, first=took, start=[start])
    stage.wait_for_stop()
