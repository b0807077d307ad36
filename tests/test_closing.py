"""Who closes a node that another thread is closing comes back when it is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import meshmq

LIMIT = 10.0


def test_the_second_to_close_waits_for_the_first(runtime_directory: Path) -> None:
    node = meshmq.Node().open()
    half_way, go_on = threading.Event(), threading.Event()
    withdraw: Callable[[], None] = node._withdraw

    def withdraw_slowly() -> None:
        withdraw()
        half_way.set()
        go_on.wait(LIMIT)

    node._withdraw = withdraw_slowly  # type: ignore[method-assign]  # the longest part of closing, made longer
    first = threading.Thread(target=node.close)
    first.start()
    assert half_way.wait(LIMIT)
    second = threading.Thread(target=node.close)
    second.start()
    second.join(0.05)
    assert second.is_alive()
    go_on.set()
    second.join(LIMIT)
    assert not second.is_alive()
    assert node._engine is not None
    assert node._engine.closed
    first.join(LIMIT)
    node.close()
