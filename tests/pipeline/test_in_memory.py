"""``pipeline.test`` runs a pipeline in memory: what comes to each stage is what would come in a mesh."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from meshmq import Pipeline
from meshmq.errors import ConfigError, EncodeError


def nothing() -> Iterator[int]:
    yield from ()


def pipeline_of(stage: Any, **options: Any) -> Pipeline:
    pipeline = Pipeline("p")
    pipeline.source(nothing)
    pipeline.stage(name="stage", **options)(stage)
    pipeline.sink(name="end")(lambda value: None)
    return pipeline


def returned(value: int) -> list[int] | None:
    return [value] if value else None


def yielded(value: int) -> Iterator[int | None]:
    yield from (None, value, value + 1)


async def awaited(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def yielded_async(value: int) -> AsyncIterator[int | None]:
    for one in (None, value, value + 1):
        await asyncio.sleep(0)
        yield one


class Numbered:
    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, value: int) -> tuple[int, int]:
        self.count += 1
        return self.count, value


@pytest.mark.parametrize(
    ("stage", "given"),
    [
        (returned, [[5]]),
        (yielded, [0, 1, 5, 6]),
        (lambda value: map(str, [value]), ["0", "5"]),
        (awaited, [0, 5]),
        (yielded_async, [0, 1, 5, 6]),
        (Numbered, [(1, 0), (2, 5)]),
    ],
)
def test_none_is_nothing_an_iterator_is_several_and_all_else_is_one(stage: Any, given: list[Any]) -> None:
    assert pipeline_of(stage).test([0, 5]) == {"stage": [0, 5], "end": given}


def test_values_reach_all_stages_after_one_and_come_together_again() -> None:
    pipeline = pipeline_of(lambda value: value + 1)
    pipeline.stage(name="other", after=nothing)(lambda value: -value)
    pipeline.sink(name="join", after=["stage", "other"])(lambda value: None)
    assert pipeline.test([1, 2]) == {
        "stage": [1, 2],
        "end": [2, 3],
        "other": [1, 2],
        "join": [2, 3, -1, -2],
    }


def test_branch_is_chosen_by_name() -> None:
    pipeline = Pipeline("p")
    pipeline.source(nothing)

    @pipeline.stage
    def part(value: int) -> Any:
        return pipeline.to("big" if value > 9 else "small", value)

    pipeline.sink(name="big")(lambda value: None)
    pipeline.sink(name="small", after=part)(lambda value: None)
    assert pipeline.test([1, 10, 2]) == {"part": [1, 10, 2], "big": [10], "small": [1, 2]}


def test_branch_that_is_not_there_is_told() -> None:
    pipeline = pipeline_of(lambda value: Pipeline("any").to("elsewhere", value))
    with pytest.raises(ConfigError, match="'stage' gives to 'elsewhere'; after it there are: end"):
        pipeline.test([1])


def test_batches_are_lists_and_the_last_is_what_is_left() -> None:
    assert pipeline_of(list, batch=(2, 1.0)).test(range(5)) == {
        "stage": [0, 1, 2, 3, 4],
        "end": [[0, 1], [2, 3], [4]],
    }


def test_object_of_a_class_is_made_once_used_and_closed_in_one_thread() -> None:
    seen: list[str] = []

    class Sink:
        def __init__(self) -> None:
            seen.append(f"made in {threading.get_ident()}")

        def __call__(self, value: int) -> None:
            seen.append(f"{value} in {threading.get_ident()}")

        async def close(self) -> None:
            seen.append(f"closed in {threading.get_ident()}")

    pipeline = Pipeline("p")
    pipeline.source(nothing)
    pipeline.sink(Sink)
    pipeline.test([1, 2])
    here = threading.get_ident()
    assert seen == [f"made in {here}", f"1 in {here}", f"2 in {here}", f"closed in {here}"]


def test_values_are_those_that_a_mesh_would_bring() -> None:
    first: list[int] = [1]
    arrived = pipeline_of(lambda value: value)
    assert arrived.test([first])["stage"][0] is not first
    with pytest.raises(EncodeError):
        arrived.test([object()])
    with pytest.raises(EncodeError):  # so is the key
        pipeline_of(lambda value: value, workers=2, key=lambda value: object()).test([1])


def test_what_a_stage_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        pipeline_of(lambda value: 1 // value).test([1, 0])
