"""A pipeline in one thread without a mesh, for tests of what its stages do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import Any

from meshmq.codecs.msgpack import MsgpackCodec
from meshmq.pipeline.definition import Definition, Stage
from meshmq.pipeline.routes import Routes
from meshmq.pipeline.work import Work


def run_in_memory(definition: Definition, values: Iterable[object]) -> dict[str, list[Any]]:
    """Return what came to each stage: one after the other has all its work done, in the order of declaration."""
    definition.check()
    codec = MsgpackCodec(limit=definition.settings.message_bytes)
    arrived: dict[str, list[Any]] = {stage.name: [] for stage in definition.stages.values() if stage.after}
    for stage in definition.stages.values():
        routes = Routes(definition, stage)
        given = _given(stage, arrived[stage.name]) if stage.after else values
        for output in given:
            for target, value in routes.of(output):
                target.queue_for(value)  # its key, too, is tried
                arrived[target.name].append(codec.decode(*codec.encode(value)))
    return arrived


def _given(stage: Stage, values: list[Any]) -> Iterator[object]:
    with closing(Work(stage)) as work:
        if stage.batch is None:
            for value in values:
                yield from work.outputs(value)
        else:
            rest = iter(values)
            while batch := list(islice(rest, stage.batch[0])):
                yield from work.outputs(batch)
