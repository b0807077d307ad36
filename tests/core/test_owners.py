"""Keys belong to who takes jobs: who pulls a queue and takes none keeps them for a while, and has them back later."""

from __future__ import annotations

from meshmq.core.directed import Directed
from meshmq.core.hands import Hand
from meshmq.core.keys import owner_of
from meshmq.core.owners import PATIENCE, Owners
from meshmq.core.routes import Route
from meshmq.core.wants import Wants
from meshmq.wire.row import Row
from tests.core.village import Village

KEYS = [f"key-{number}" for number in range(20)]


class Workshop(Village):
    """Node 0 pushes; 1 and 2 pull."""

    def __init__(self) -> None:
        super().__init__(3)
        self.open(1, 10)
        self.open(2, 10)
        self.run(0.1)

    def push_keys(self, *keys: str) -> None:
        for key in keys:
            wants = Wants(key=key)
            self.do(0, lambda node, now: node.push("jobs", key.encode(), (), None, now, wants=wants))  # noqa: B023 -- called at once

    def of(self, index: int) -> set[str]:
        """Return the keys that belong to a worker, as long as both take jobs."""
        ids = [self[worker].node_id for worker in (1, 2)]
        return {key for key in KEYS if owner_of(key, ids) == self[index].node_id}

    def work(self, index: int) -> set[str]:
        """Do what comes; returns the keys."""
        return {body.decode() for body, _ in self.work_off(index)}


def test_who_pulls_and_takes_nothing_keeps_its_keys_for_a_while_only() -> None:
    shop = Workshop()
    shop.push_keys(*KEYS)
    assert shop.work(2) == shop.of(2)
    shop.run(PATIENCE)
    assert shop.work(2) == shop.of(1)
    assert shop[0].outboxes["jobs"].depth == 0
    assert [words for words in shop.said if "keys" in words] == [
        "n1 pulls 'jobs' and takes no jobs: for now its keys are others'"
    ]


def test_its_keys_come_back_when_it_takes_jobs_again() -> None:
    shop = Workshop()
    shop.push_keys(*KEYS)
    shop.work(2)
    shop.run(PATIENCE)
    shop.work(2)
    assert shop.work(1) == set()
    shop.push_keys(*KEYS)
    assert shop.work(1) == shop.of(1)


def test_a_worker_that_is_long_at_one_job_keeps_its_keys() -> None:
    shop = Workshop()
    mine = sorted(shop.of(1))
    shop.push_keys(*mine, *mine)
    hand = shop.next(1)
    shop.take(2)
    shop.run(10 * PATIENCE)
    assert shop.take(2) is None
    shop.finish(1, hand)
    assert len(shop.work_off(1)) == 2 * len(mine) - 1


def test_a_worker_that_drains_or_stops_pulling_gives_up_its_keys_at_once() -> None:
    for stop in ("drain", "close"):
        shop = Workshop()
        held: list[Hand | None] = [shop.take(1), shop.take(2)]
        assert held == [None, None]
        shop.run(0.1)
        shop.push_keys(*KEYS)
        shop.run(0.1)
        if stop == "drain":
            shop.do(1, lambda node, now: node.drain(now))
            shop.leave(1)
        else:
            shop.close(1)
        assert shop.work(2) == set(KEYS)
        assert shop.sim.now < PATIENCE


def test_where_nobody_takes_jobs_everybody_is_waited_for_and_where_no_session_stands_too() -> None:
    owners, directed = Owners(), Directed()
    owners.meet([b"a", b"b"])
    for peer in (b"a", b"b"):
        directed.add(1, Row.of([b"job"]), peer.hex(), 0.0)
    asking, silent = Route(b"a"), Route(b"b")
    assert owners.look({b"b": silent}, directed, 0.0) == [b"a", b"b"]
    assert owners.deadline == PATIENCE
    assert not owners.due(PATIENCE - 0.1)
    assert owners.due(PATIENCE)
    assert owners.look({b"b": silent}, directed, PATIENCE) == [b"a", b"b"]
    assert owners.deadline is None
    asking.jobs_limit, asking.bytes_limit = 1, 1
    assert owners.look({b"a": asking, b"b": silent}, directed, PATIENCE) == [b"a"]
    owners.meet([b"b"])
    assert owners.look({b"b": silent}, directed, PATIENCE) == [b"b"]
