"""Shards of keys: one worker at a time, in order, whoever comes, leaves or dies."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest
from meshmq.patterns.sharded_workers import Do, Shards

import meshmq
from tests.patterns.waiting import eventually
from tests.scale import scale

#: Of a job: who did it, its key and data, and whether it may have been begun before.
Said = tuple[str, str, Any, bool]


@contextmanager
def working(mesh: str, name: str, begin: Callable[[str], Do], shards: int = 16) -> Iterator[meshmq.Node]:
    """Have a worker in threads of its own; it leaves when the block ends."""
    over, node = threading.Event(), meshmq.Node(name, mesh=mesh)
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(Shards(node, "jobs", shards).work, begin, over)
        try:
            yield node
        finally:
            over.set()
            worker.result(20)


def noting(name: str, said: list[Said]) -> Callable[[str], Do]:
    return lambda shard: lambda key, data, again: said.append((name, key, data, again))


class Held:
    """What a worker does: it stays in the job 1 until it is let go."""

    def __init__(self, name: str, said: list[Said]) -> None:
        self.begun, self.free, self._name, self._said = threading.Event(), threading.Event(), name, said

    def begin(self, shard: str) -> Do:
        return self._do

    def _do(self, key: str, data: Any, again: bool) -> None:
        if data == 1:
            self.begun.set()
            assert self.free.wait(20)
        self._said.append((self._name, key, data, again))


# With one shard rendezvous hashing puts the name "two" before "old".


def test_a_new_owner_begins_when_the_old_one_has_let_go(mesh_name: str) -> None:
    said, began = list[Said](), threading.Event()
    held = Held("old", said)

    def begin(shard: str) -> Do:
        began.set()
        return noting("two", said)(shard)

    def asked(node: meshmq.Node) -> int:
        return int(node.stats()["services"].get("jobs.claims", {}).get("request", {}).get("answered", 0))

    boss, other = meshmq.Node("boss", mesh=mesh_name), meshmq.Node("other", mesh=mesh_name)
    with boss, other, working(mesh_name, "old", held.begin, 1):
        Shards(boss, "jobs", 1).push([("ann", 1), ("ann", 2)])
        assert held.begun.wait(20)
        Shards(other, "jobs", 1).push([("ann", 3)])
        with working(mesh_name, "two", begin, 1) as two:
            eventually(lambda: asked(two) >= 6)  # itself and "old", three times
            assert (said, began.is_set()) == ([], False)
            held.free.set()
            assert began.wait(20)
            Shards(boss, "jobs", 1).push([("ann", 4)])
            boss.flush(20)
            other.flush(20)
    assert said[:2] == [("old", "ann", 1, False), ("old", "ann", 2, False)]
    assert sorted(data for _, _, data, _ in said) == [1, 2, 3, 4]
    assert ("two", "ann", 4, False) in said


def test_nothing_is_begun_unless_all_workers_have_said_that_it_is_free(mesh_name: str) -> None:
    asked, began = threading.Semaphore(0), threading.Event()

    def begin(shard: str) -> Do:
        began.set()
        return noting("two", [])(shard)

    def fail(claim: Any) -> None:
        asked.release()
        raise RuntimeError("no word of it")

    mute = meshmq.Node("old", mesh=mesh_name)
    mute.reply("jobs.claims")(fail)
    with meshmq.Node("boss", mesh=mesh_name) as boss:
        with mute, working(mesh_name, "two", begin, 1):
            for _ in range(3):
                assert asked.acquire(timeout=20)
            assert not began.is_set()
            mute.close()
            assert began.wait(20)
        with working(mesh_name, "two", begin, 1):
            assert boss.request("jobs.claims", ["unseen 1", ["jobs.7"]], timeout=20) == ["jobs.7"]


def test_who_leaves_ends_the_batch_in_hand_before_another_begins(mesh_name: str) -> None:
    said, over, began = list[Said](), threading.Event(), threading.Event()
    held = Held("two", said)

    def begin(shard: str) -> Do:
        began.set()
        return noting("old", said)(shard)

    def is_with_two() -> bool:
        shards.push([("ann", 0)])
        boss.flush(20)
        return said[-1][0] == "two"

    boss, other = meshmq.Node("boss", mesh=mesh_name), meshmq.Node("other", mesh=mesh_name)
    two = meshmq.Node("two", mesh=mesh_name, settings=meshmq.Settings(drain=0.01))  # handlers are not waited for
    with boss, other, working(mesh_name, "old", begin, 1), ThreadPoolExecutor(1) as pool:
        shards, leaving = Shards(boss, "jobs", 1), pool.submit(Shards(two, "jobs", 1).work, held.begin, over)
        eventually(is_with_two)
        said.clear()
        began.clear()
        shards.push([("ann", 1), ("ann", 2)])
        assert held.begun.wait(20)
        over.set()
        Shards(other, "jobs", 1).push([("ann", 3)])
        assert not began.wait(0.3)
        held.free.set()
        leaving.result(20)
        boss.flush(20)
        other.flush(20)
    assert said[:2] == [("two", "ann", 1, False), ("two", "ann", 2, False)]
    assert [data for _, _, data, _ in said] == [1, 2, 3]  # the last one by either of them


def test_a_push_waits_for_the_batch_before(mesh_name: str) -> None:
    said = list[Said]()
    held = Held("old", said)
    with meshmq.Node("boss", mesh=mesh_name) as boss, ThreadPoolExecutor(1) as pool:
        shards = Shards(boss, "jobs", 1)
        with working(mesh_name, "old", held.begin, 1):
            shards.push([("ann", 1)])
            assert held.begun.wait(20)
            second = pool.submit(shards.push, [("ann", 2), ("bob", 3)])
            with pytest.raises(TimeoutError):
                second.result(0.2)
            assert boss.queue("jobs.0").depth == 1
            held.free.set()
            second.result(20)
            boss.flush(20)
    assert [data for _, _, data, _ in said] == [1, 2, 3]


def test_a_batch_that_failed_comes_again_from_its_start(mesh_name: str) -> None:
    done = list[tuple[int, bool]]()

    def do(key: str, data: int, again: bool) -> None:
        done.append((data, again))
        if data == 2 and not again:
            raise ValueError("not yet")

    with meshmq.Node("boss", mesh=mesh_name) as boss, working(mesh_name, "old", lambda shard: do):
        shards = Shards(boss, "jobs")
        shards.push(("ann", number) for number in (1, 2, 3))
        shards.push([("ann", 4)])
        boss.flush(20)
    assert done == [(1, False), (2, False), (1, True), (2, True), (3, True), (4, False)]


def die_over_a_job(mesh: str) -> None:
    teller = meshmq.Node("teller", mesh=mesh).open()

    def do(key: str, data: Any, again: bool) -> None:
        if data == "die":
            signal.raise_signal(signal.SIGKILL)
        teller.push("said", ["doomed", key, data, again])
        teller.flush(20)

    Shards(meshmq.Node("doomed", mesh=mesh), "jobs").work(lambda shard: do, threading.Event())


def test_of_a_killed_worker_the_batch_comes_again_and_its_share_alone_moves(mesh_name: str) -> None:
    said, keys = list[Said](), [f"key {number}" for number in range(40)]
    doomed = multiprocessing.get_context("spawn").Process(target=die_over_a_job, args=(mesh_name,), daemon=True)
    doomed.start()
    with (
        meshmq.Node("boss", mesh=mesh_name) as boss,
        working(mesh_name, "one", noting("one", said)),
        working(mesh_name, "two", noting("two", said)),
    ):
        boss.pull("said")(lambda each: said.append(tuple(each)))
        shards = Shards(boss, "jobs")

        def owners() -> dict[str, str]:
            shards.push((key, None) for key in keys)
            boss.flush(20)
            return {key: name for name, key, _, _ in said[-len(keys) :]}

        eventually(lambda: set(owners().values()) == {"one", "two", "doomed"})
        before = owners()
        killed = next(key for key in keys if before[key] == "doomed")
        said.clear()
        shards.push((killed, data) for data in ("first", "die", "last"))
        shards.push([(killed, "later")])
        boss.flush(20)
        doomed.join(20)
        assert said[0] == ("doomed", killed, "first", False)
        again = [(killed, data, True) for data in ("first", "die", "last")]
        assert [each[1:] for each in said[1:]] == [*again, (killed, "later", False)]
        after = owners()
        assert {key: name for key, name in before.items() if name != "doomed"}.items() <= after.items()
        assert set(after.values()) == {"one", "two"}


def test_two_never_work_on_a_key_while_workers_come_and_go(mesh_name: str) -> None:
    at_work, together, done = Counter[str](), list[str](), defaultdict[tuple[str, str], list[int]](list)
    over, work = threading.Event(), threading.Event()

    def do(key: str, data: list[Any], again: bool) -> None:
        at_work[key] += 1
        work.wait(0.001)  # what takes time, so that another can be met
        if at_work[key] != 1:
            together.append(key)
        done[data[0], key].append(data[1])
        at_work[key] -= 1

    def push(name: str) -> int:
        with meshmq.Node(name, mesh=mesh_name) as boss:
            shards, rounds = Shards(boss, "jobs", 4), 0
            while not over.is_set():
                shards.push((f"key {key}", [name, rounds]) for key in range(8))
                rounds += 1
            boss.flush(20)
            return rounds

    def workers(count: int) -> Iterator[ExitStack]:
        for number in range(count):
            with ExitStack() as stack:
                stack.enter_context(working(mesh_name, f"worker-{number}", lambda shard: do, 4))
                yield stack.pop_all()

    with ThreadPoolExecutor(2) as pool:
        pushed = {name: pool.submit(push, name) for name in ("boss", "other")}
        before = ExitStack()
        for worker in workers(scale(4, 40)):  # each one leaves when the next has come
            enough = sum(map(len, done.values())) + 50
            eventually(partial(lambda enough: sum(map(len, done.values())) > enough, enough))
            before.close()
            before = worker
        over.set()
        rounds = {name: task.result(20) for name, task in pushed.items()}
        before.close()
    assert together == []
    assert done == {(name, f"key {key}"): list(range(rounds[name])) for name in rounds for key in range(8)}
