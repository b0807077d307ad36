"""A pipeline is checked where it is declared: what cannot be says so at once, and what can be is whole."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from meshmq import Pipeline, Settings
from meshmq.errors import ConfigError
from meshmq.pipeline.definition import OUTBOX_JOBS


def numbers() -> Iterator[int]:
    yield from range(3)


def same(value: Any) -> Any:
    return value


class NeedsMore:
    def __init__(self, size: int) -> None: ...
    def __call__(self, value: Any) -> None: ...


def declared(*stages: str) -> Pipeline:
    """Return a pipeline with a source and stages of these names, one after the other."""
    pipeline = Pipeline("p")
    pipeline.source(numbers)
    for name in stages:
        pipeline.stage(name=name)(same)
    return pipeline


def test_stages_come_after_what_is_declared_before_them_and_functions_stay_as_they_are() -> None:
    pipeline = Pipeline("names")
    assert pipeline.source(numbers) is numbers
    assert pipeline.stage(workers=3)(same) is same

    @pipeline.sink
    def total(value: int) -> None: ...

    stages = pipeline.definition.stages
    assert [(one.name, one.kind, one.after, one.workers) for one in stages.values()] == [
        ("numbers", "source", (), 1),
        ("same", "stage", ("numbers",), 3),
        ("total", "sink", ("same",), 1),
    ]
    assert [one.queues for one in stages.values()] == [(), ("names.same",), ("names.total",)]
    assert stages["same"].node(2) == "names.same-2"
    assert repr(pipeline) == "<Pipeline 'names': numbers, same, total>"
    pipeline.definition.check()


def test_after_takes_names_and_functions_for_graphs() -> None:
    pipeline = declared("left", "right")

    def other(value: int) -> int:
        return value

    pipeline.stage(after=numbers)(other)
    pipeline.sink(name="join", after=["left", other, "right", "left"])(same)
    assert pipeline.definition.stages["other"].after == ("numbers",)
    assert pipeline.definition.stages["join"].after == ("left", "other", "right")
    assert [one.name for one in pipeline.definition.behind("numbers")] == ["left", "other"]


def test_class_is_a_stage_of_its_name_in_lower_case() -> None:
    class Total:
        def __call__(self, value: int) -> None: ...

    pipeline = declared()
    pipeline.sink(Total)
    assert list(pipeline.definition.stages) == ["numbers", "total"]


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda p: p.source(numbers), "has a stage 'numbers' already"),
        (lambda p: p.source(name="more")(numbers), "has a source, 'numbers': let it yield what 'more' would"),
        (lambda p: p.stage(name="a")(same), "has a stage 'a' already: give this one name="),
        (lambda p: p.stage(after="nonesuch")(same), "names 'nonesuch', which is no stage declared above it"),
        (lambda p: p.stage(after="same")(same), "after= of 'same' names 'same', which is no stage declared above it"),
        (
            lambda p: p.stage(after=print)(same),
            "names 'print', which is no stage declared above it; there are numbers, a",
        ),
        (lambda p: p.stage(after=[])(same), "after= of 'same' names no stage"),
        (lambda p: p.stage(after="end")(same), "comes after 'end', and nothing comes out of a sink"),
        (lambda p: p.sink(same), "comes after 'end', and nothing comes out of a sink: give it after="),
        (lambda p: p.stage(workers=0)(same), "workers= of 'same' is a whole number from 1, not 0"),
        (lambda p: p.stage(workers=True)(same), "workers= of 'same' is a whole number from 1, not True"),
        (lambda p: p.stage(key="name")(same), "key= of 'same' is a function of a value, not 'name'"),
        (lambda p: p.stage(after="a", batch=100)(same), "batch= of 'same' is (size, seconds), as (100, 0.5), not 100"),
        (lambda p: p.stage(after="a", batch=(0, 1.0))(same), "batch= of 'same' is (size, seconds)"),
        (lambda p: p.stage(after="a", batch=(1, 0))(same), "batch= of 'same' is (size, seconds)"),
        (
            lambda p: p.stage(after="a", batch=(10_001, 1.0))(same),
            "takes 10,001 values at once, and a stage keeps at most 10,000 jobs that are not yet safe",
        ),
        (lambda p: p.stage("same"), "a stage is given its name as name='same'"),
        (lambda p: p.stage(after="a")(3), "a stage is a function or a class, not 3"),
        (lambda p: p.stage(after="a")(lambda value: value), "the name of a stage cannot hold '>': '<lambda>'"),
        (lambda p: p.stage(after="a", name="a.b")(same), "a stage is called as a function is, not 'a.b'"),
        (lambda p: p.stage(after="a")(numbers), "has a stage 'numbers' already"),
        (lambda p: p.stage(after="a", name="c")(numbers), "stage 'c' takes one value"),
        (lambda p: p.stage(after="a", name="c")(type("Bare", (), {})), "stage 'c' takes one value"),
        (
            lambda p: p.stage(after="a")(NeedsMore),
            "the class 'needsmore' is made of nothing, and its __call__ takes one",
        ),
    ],
)
def test_what_cannot_be_says_why_where_it_is_declared(declare: Callable[[Pipeline], Any], said: str) -> None:
    pipeline = declared("a")
    pipeline.sink(name="end")(same)
    with pytest.raises(ConfigError) as error:
        declare(pipeline)
    assert said in str(error.value)


def test_pipeline_begins_with_its_source() -> None:
    with pytest.raises(ConfigError, match="nothing comes before 'same': declare the source first"):
        Pipeline("p").sink(same)
    with pytest.raises(ConfigError, match="cannot hold"):
        Pipeline("a b")


def test_pipeline_that_is_not_whole_is_not_run() -> None:
    with pytest.raises(ConfigError, match="pipeline 'p' has no source"):
        Pipeline("p").test([1])
    with pytest.raises(ConfigError, match="what 'a' gives goes nowhere: put a stage or a sink after it"):
        declared("a").test([1])


def test_batch_may_be_as_large_as_what_is_kept_in_custody() -> None:
    pipeline = Pipeline("p", settings=Settings(custody=20_000))
    pipeline.source(numbers)
    pipeline.sink(batch=(20_000, 1.0))(same)
    assert pipeline.definition.stages["same"].batch == (20_000, 1.0)


def test_outbox_has_room_for_the_batches() -> None:
    pipeline = declared("a")
    assert pipeline.definition.settings.outbox_jobs == OUTBOX_JOBS
    pipeline.sink(batch=(2_000, 1.0), workers=3)(same)
    assert pipeline.definition.settings.outbox_jobs == 12_000


def test_equal_keys_go_to_the_same_queue_and_others_to_all_of_them() -> None:
    pipeline = declared()
    pipeline.sink(workers=4, key=lambda value: value["user"])(same)
    stage = pipeline.definition.stages["same"]
    assert stage.queues == ("p.same.1", "p.same.2", "p.same.3", "p.same.4")
    assert {stage.queue_for({"user": name}) for name in map(str, range(100))} == set(stage.queues)
    # The same in all processes and releases: it is on the wire.
    assert [stage.queue_for({"user": name, "n": 1}) for name in ("ada", "bob", "eve")] == [
        stage.queue_for({"user": name, "n": 2}) for name in ("ada", "bob", "eve")
    ]
    assert stage.queue_for({"user": "ada"}) == "p.same.2"


def test_function_that_is_called_with_more_by_default_is_a_stage() -> None:
    pipeline = declared()
    pipeline.stage(name="power")(functools.partial(pow, exp=2))
    pipeline.sink(name="show")(print)
    assert list(pipeline.definition.stages) == ["numbers", "power", "show"]
