"""Joins a board to a mesh: figures, and who is gone."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import meshmq
from examples.monitoring.board import Board, Change

#: How often to look who has fallen silent.
TICK: Final = 0.1


def watch(node: meshmq.Node, board: Board) -> Iterator[Change | None]:
    """Keep the board up to date; yields what changes, and ``None`` when there is something to look at."""
    news: queue.SimpleQueue[tuple[str, str, Any]] = queue.SimpleQueue()
    # What each node said last comes at once; then the newest of each, for a table has no use for older ones.
    figures = node.subscribe("figures.**", since="last", latest=True)

    @figures
    def hear(said: dict[str, Any], message: meshmq.Message) -> None:
        news.put(("figures", message.sender, (said["figures"], said["every"], time.monotonic() - message.age)))

    def follow() -> None:
        for event in node.events():
            news.put((event.kind, event.name, None))

    threading.Thread(target=follow, name="who is here", daemon=True).start()
    while True:
        with suppress(queue.Empty):
            kind, name, said = news.get(timeout=TICK)
            if kind == "figures":
                yield from board.hear(name, *said)
            elif name in {peer.name for peer in node.peers()}:
                pass  # it came, or another of its name, which took its place
            elif kind == "lost":
                yield from board.lose(name)
            elif kind == "left":
                board.part(name)
        if news.empty():
            yield from board.check(time.monotonic())
            yield None
