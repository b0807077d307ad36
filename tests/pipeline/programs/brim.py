"""A source without an end, a stage of two workers that makes four large values of each, and a sink that takes its time.

So everybody before the sink has given, at any time, as much as may wait behind it. Tells what waits behind whom.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

from meshmq import Pipeline
from meshmq.pipeline import Report

pipeline = Pipeline("brim")
never = threading.Event()


@pipeline.source
def numbers() -> Iterator[int]:
    yield from itertools.count()


@pipeline.stage(workers=2)
def pad(number: int) -> Iterator[tuple[int, int, bytes]]:
    for part in range(4):
        yield number, part, bytes(10_000)


@pipeline.sink
def count(value: tuple[int, int, bytes]) -> None:
    never.wait(0.01)


def show(report: Report) -> None:
    depths = [
        f"{label}={process}={sum(entry['push']['depth'] for entry in node['queues'].values() if 'push' in entry)}"
        for label, process in report.processes.items()
        if (node := report.nodes.get(f"brim.{label}")) is not None
    ]
    print("at", report.held_back_by, *depths, flush=True)


if __name__ == "__main__":
    pipeline.run(show=show)
