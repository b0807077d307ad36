"""A pusher with a journal dies at random, under load, and comes again: what was pushed is done."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import scale

SHOP: Final = Path(__file__).parent / "programs" / "shop.py"
KILLS: Final = scale(3, 100)


class Done:
    """What a worker has done: by data, how often, and how often without a flag."""

    def __init__(self, node: meshmq.Node) -> None:
        self.runs: Counter[str] = Counter()
        self.unflagged: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}
        node.pull("orders")(self.work)

    def work(self, data: str, message: meshmq.Message) -> None:
        self.runs[data] += 1
        self.unflagged[data] += not message.redelivered
        self.ids.setdefault(data, set()).add(message.id)


def pushed_by(child: Child) -> set[str]:
    """Return what a child that is dead has said to be pushed; a line that was cut does not count."""
    words = [line.split() for line in child.rest(LIMIT)]
    return {word[1] for word in words if len(word) == 3 and word[0] == "pushed"}


@pytest.mark.timeout(scale(120, 900))
@pytest.mark.parametrize("sync", ["full", pytest.param("normal", marks=pytest.mark.stress)])
def test_every_push_that_returned_is_done_though_its_pusher_is_killed(
    spawn: Spawn, mesh_name: str, tmp_path: Path, sync: str
) -> None:
    random, journal, env = Random(5), tmp_path / "orders.db", {"MESHMQ_MESH": mesh_name}
    pushed: set[str] = set()
    pause = threading.Event()
    with meshmq.Node("worker", mesh=mesh_name) as worker:
        done = Done(worker)
        worker.open()
        for life in range(KILLS):
            child = spawn(SHOP, "orders", journal, life, "--sync", sync, env=env)
            pushed.add(child.line(LIMIT).split()[1])
            pause.wait(random.uniform(0, 0.3))
            child.kill()
            pushed |= pushed_by(child)
        last = spawn(SHOP, "orders", journal, "last", "--finish", env=env)
        last.until("finished", LIMIT)
        assert last.wait(LIMIT) == 0
    assert len(pushed) > KILLS
    assert pushed <= done.runs.keys(), "a push that returned was not done"
    assert max(done.unflagged.values()) == 1, "a job was done twice, and neither time said so"
    assert all(len(ids) == 1 for ids in done.ids.values())
    repeats = sum(count - 1 for count in done.runs.values())
    print(f"{KILLS} kills: {len(pushed)} pushes returned, {len(done.runs)} jobs done, {repeats} repeats, all flagged")
