"""A source that ends by itself after so many values (0: never), one stage, and a sink that tells what came to it.

``endless.py COUNT SECONDS [RAISE]``: the sink takes so many seconds for a value; a third argument has the source raise.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Iterator

from meshmq import Pipeline
from meshmq.pipeline import Report

COUNT, SECONDS = int(sys.argv[1]), float(sys.argv[2])
pipeline = Pipeline("endless")
never = threading.Event()


@pipeline.source
def numbers() -> Iterator[int]:
    for number in itertools.count():
        if number == COUNT > 0:
            break
        yield number
    if len(sys.argv) > 3:
        raise RuntimeError("no more")


@pipeline.stage(workers=2)
def pad(number: int) -> tuple[int, bytes]:
    return number, bytes(10_000)


@pipeline.sink
class Count:
    def __init__(self) -> None:
        self.numbers: set[int] = set()
        print("begun", flush=True)

    def __call__(self, value: tuple[int, bytes]) -> None:
        self.numbers.add(value[0])
        never.wait(SECONDS)

    def close(self) -> None:
        whole = self.numbers == set(range(len(self.numbers)))
        print(f"count {len(self.numbers)} whole {whole}", flush=True)


def show(report: Report) -> None:
    sink, source = report.stages["count"], report.stages["numbers"]
    processes = " ".join(f"{label}={process}" for label, process in report.processes.items())
    print(f"at {source.given} {sink.done} {report.held_back_by} {processes}", flush=True)


if __name__ == "__main__":
    report = pipeline.run(show=show)
    print(f"complete {report.complete} given {report.stages['numbers'].given} done {report.stages['count'].done}")
