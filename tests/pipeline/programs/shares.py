"""A stage whose workers say on which machine they are, and a sink that tells how much came from each."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator

from meshmq import Pipeline

pipeline = Pipeline("shares")
never = threading.Event()


@pipeline.source
def numbers() -> Iterator[int]:
    yield from range(int(sys.argv[1]))


@pipeline.stage
def work(number: int) -> tuple[int, str]:
    never.wait(0.005)
    return number, os.environ["MACHINE"]


@pipeline.sink
class Count:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.machines: Counter[str] = Counter()

    def __call__(self, value: tuple[int, str]) -> None:
        self.numbers.append(value[0])
        self.machines[value[1]] += 1

    def close(self) -> None:
        print(json.dumps({**self.machines, "different": len(set(self.numbers))}))
