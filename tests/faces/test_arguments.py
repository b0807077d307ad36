"""What a call cannot use is refused in one way, on both faces, whatever was pushed before."""

from __future__ import annotations

import pytest

import meshmq
from tests.faces.stage import Stage


@pytest.mark.parametrize("queue", [["jobs"], {}, None, 3, "a b", ""])
async def test_queue_that_is_no_name_is_refused(stage: Stage, queue: object) -> None:
    node = await stage.node("alone")
    for call, *arguments in ((node.push, queue, 1), (node.pull, queue), (node.queue, queue)):
        with pytest.raises(meshmq.ConfigError, match="queue"):
            await call(*arguments)


@pytest.mark.parametrize("timeout", ["x", -1, True])
async def test_push_refuses_a_timeout_that_is_no_span_though_it_need_not_wait(stage: Stage, timeout: object) -> None:
    node = await stage.node("alone")
    for _ in range(3):
        with pytest.raises(meshmq.ConfigError, match="timeout"):
            await node.push("jobs", 1, timeout=timeout)
        with pytest.raises(meshmq.ConfigError, match="timeout"):
            await (await node.queue("jobs")).push_many([], timeout=timeout)
        await node.push("jobs", 1)
    assert await (await node.queue("jobs")).push_many([1], timeout=1) == 1
    assert (await node.queue("jobs")).inner.depth == 4


@pytest.mark.parametrize("kind", [meshmq.Node, meshmq.AsyncNode])
def test_node_or_mesh_without_a_letter_is_refused(kind: type[meshmq.Node | meshmq.AsyncNode]) -> None:
    with pytest.raises(meshmq.ConfigError, match="the name of a node cannot be empty"):
        kind("")
    with pytest.raises(meshmq.ConfigError, match="the name of a mesh cannot be empty"):
        kind(mesh="")
