"""Routers are killed under load, and nothing that they had is lost: neither jobs, nor what was published."""

from __future__ import annotations

import sys
import threading
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from meshmq import Message, Node
from tests.network.children import LIMIT, Child
from tests.network.conftest import Start
from tests.scale import scale

KILLS: Final = scale(2, 10)
JOBS: Final = scale(300, 8_000)
RULES: Final = """
exchange = "shop"
from_queues = "orders"
from_topics = "news.*"
unmatched = "odd"
match = "all"

[[rule]]
where = "n < 100"
to_queues = "few"

[[rule]]
where = "even == true"
to_queues = ["even", "every-second"]
"""


class Ends:
    """Two nodes that do what is sent on, and remember how it came; at each stop they wait for a kill."""

    def __init__(self, stops: int) -> None:
        self.ids: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
        self.unflagged: Counter[tuple[str, int]] = Counter()
        self.repeats = 0
        self._stops = [JOBS * (number + 1) // (stops + 1) for number in range(stops)]
        self._change = threading.Condition()
        self._taken = 0

    def handle(self, data: Any, message: Message) -> None:
        """Take what was sent on; nothing more while a kill is due."""
        with self._change:
            key = message.queue, data["n"]
            self.ids[key].add(message.id)
            self.unflagged[key] += not message.redelivered
            self.repeats += message.redelivered
            self._taken += 1
            self._change.notify_all()
            assert self._change.wait_for(lambda: not self._due, LIMIT)

    @property
    def _due(self) -> bool:
        return bool(self._stops) and self._taken >= self._stops[0]

    def wait(self) -> None:
        """Wait for the next stop."""
        with self._change:
            assert self._change.wait_for(lambda: self._due, LIMIT), self._taken

    def go_on(self) -> None:
        """Pass the stop."""
        with self._change:
            del self._stops[0]
            self._change.notify_all()


@pytest.mark.parametrize("kind", ["pushed", pytest.param("published", marks=pytest.mark.stress)])
def test_killed_routers_lose_nothing_and_every_repeat_is_flagged(
    kind: str, start: Start, mesh_name: str, tmp_path: Path
) -> None:
    (tmp_path / "rules.toml").write_text(RULES)

    def router() -> Child:
        command = [sys.executable, "-m", "meshmq", "route", "rules.toml"]
        return start(command, env={"MESHMQ_MESH": mesh_name}, cwd=tmp_path)

    routers, ends = [router(), router()], Ends(KILLS)
    due = {("few", n) for n in range(100)} | {("odd", n) for n in range(101, JOBS, 2)}
    due |= {(queue, n) for queue in ("even", "every-second") for n in range(0, JOBS, 2)}
    with Node("source", mesh=mesh_name) as source, Node(mesh=mesh_name) as one, Node(mesh=mesh_name) as other:
        for node in (one, other):
            for queue in ("few", "odd", "even", "every-second"):
                node.pull(queue)(ends.handle)
        if kind == "published":
            source.wait_for(subscribe="news.home", count=2, timeout=LIMIT)
        for n in range(JOBS):
            data = {"n": n, "even": n % 2 == 0}
            source.push("orders", data) if kind == "pushed" else source.publish("news.home", data)
        for kill in range(KILLS):
            ends.wait()
            routers[kill % 2].kill()
            ends.go_on()
            routers[kill % 2] = router()
        source.flush(3 * LIMIT)
    assert set(ends.ids) == due
    assert {key for key, ids in ends.ids.items() if len(ids) > 1} == set()
    assert {key for key, count in ends.unflagged.items() if count > 1} == set()
    print(f"{ends.repeats} repeats after {KILLS} kills")
