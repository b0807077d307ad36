"""A graph with all that a stage may be: async, a generator, a class, with a key, in batches, a branch.

What came to the sink is printed at the end as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from meshmq import Pipeline

USERS = ("ada", "bob", "eve", "dan", "kim")
pipeline = Pipeline("everything")


@pipeline.source
async def numbers() -> AsyncIterator[int]:
    for number in range(int(sys.argv[1])):
        await asyncio.sleep(0)
        yield number


@pipeline.stage(workers=2)
async def part(number: int) -> Any:
    await asyncio.sleep(0)
    if number % 10:
        return pipeline.to("by_user", {"user": USERS[number % 5], "n": number})
    return pipeline.to("tens", number)


@pipeline.stage(name="by_user", workers=3, key=lambda value: value["user"])
class ByUser:
    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, value: dict[str, Any]) -> dict[str, Any]:
        self.seen += 1
        return {**value, "pid": os.getpid(), "seen": self.seen}


@pipeline.stage(after=part)
def tens(number: int) -> Iterator[Any]:
    yield {"ten": number}
    yield None
    yield {"twenty": 2 * number}


@pipeline.sink(after=["by_user", tens], batch=(50, 0.05))
class Collect:
    def __init__(self) -> None:
        self.batches: list[list[Any]] = []

    def __call__(self, values: list[Any]) -> None:
        self.batches.append(values)

    def close(self) -> None:
        print(json.dumps(self.batches))


if __name__ == "__main__":
    report = pipeline.run()
    print(json.dumps({"complete": report.complete, "given": report.stages["numbers"].given}))
