"""A module with handlers can be imported, tested and spawned; only running it opens its node."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

import meshmq
from tests.network.children import LIMIT


def test_module_with_handlers_is_imported_and_its_functions_tested_without_opening_anything() -> None:
    from tests.network.programs import handlers

    assert handlers.add([1, 2]) == 3
    assert handlers.node.addresses == ()


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_module_with_handlers_is_served_by_child_processes(
    method: str, mesh_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.network.programs import handlers

    monkeypatch.setenv("MESHMQ_MESH", mesh_name)
    monkeypatch.setattr(handlers.node, "mesh", mesh_name)
    context = multiprocessing.get_context(method)
    children = [context.Process(target=handlers.serve) for _ in range(2)]  # type: ignore[attr-defined]  # of each kind
    for child in children:
        child.start()
    try:
        with meshmq.Node("parent", mesh=mesh_name) as node:
            node.wait_for(pull="jobs", count=2, timeout=LIMIT)
            node.queue("jobs").push_many(range(100))
            with node.pull("doubled") as doubled:  # the last is acked on leaving
                assert sorted(doubled.receive(LIMIT).data for _ in range(100)) == list(range(0, 200, 2))
            assert node.request("add", [1, 2], timeout=LIMIT) == 3
            for child in children:
                os.kill(child.pid, signal.SIGTERM)
            for child in children:
                child.join(LIMIT)
            assert [child.exitcode for child in children] == [0, 0]
    finally:
        for child in children:
            if child.is_alive():
                child.kill()
            child.join()
    assert handlers.node.addresses == ()
