"""Have each key worked on by one worker at a time, in order, with its state at hand; workers come, go and die.

*Problem*: what belongs to one account or sensor is done in order, by a worker that knows what was before. With a worker
more or less not everything may move, and never may two work on the same key.

*How it works*: keys fall into a fixed number of shards, each a queue. A shard belongs to that worker of all here whose
name rendezvous hashing puts first, so that who comes or dies moves its own share only. Who has one that is no more its
own lets go between two batches; a worker begins with one when all others have said that they do not have it, nor are
about to. A pusher has one batch of a shard on its way, so that none overtakes another while the shard moves::

    push [ann 1, ann 2] --> jobs.3 --> one                  two comes, and is first for jobs.3
    push [ann 3] ------------------------> jobs.3 --> two   begin("jobs.3") loads what one has stored

*Limits*: a push waits for the batch before of each of its shards; ``do`` pushes elsewhere. A worker does one batch at a
time, and its shards move between two: have short batches, many workers. A batch that a worker died over, or ``do``
raised in, comes again from its start, with ``again``. A worker that is cut off or stopped for seconds counts as dead:
when it is back it ends the batch in hand beside the next owner. Different pushers' jobs come in any order.

*Run*::

    $ meshmq recipe run sharded_workers
    one comes; the keys are shared by: one
    two comes; the keys are shared by: one two
    three comes; the keys are shared by: one three two
    all jobs were done once, in order: True
"""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from typing import Any

import meshmq

Do = Callable[[str, Any, bool], object]


class Shards:
    """``Shards(node, queue).push(jobs)`` in pushers, ``Shards(node, queue).work(begin, over)`` in workers."""

    def __init__(self, node: meshmq.Node, queue: str, shards: int = 16) -> None:
        self._node, self._claims, self._shards = node, f"{queue}.claims", [f"{queue}.{n}" for n in range(shards)]
        self._open, self._wanted = dict[str, meshmq.Receiver[meshmq.Message]](), set[str]()  # what we have; are to have
        self._me, self._lock = "", threading.Lock()

    def push(self, jobs: Iterable[tuple[str, Any]]) -> None:
        """Have jobs, each a key and data, done in this order for each key."""
        batches = defaultdict[str, list[tuple[str, Any]]](list)
        for key, data in jobs:
            batches[self._shards[int(blake2b(key.encode()).hexdigest(), 16) % len(self._shards)]].append((key, data))
        for shard, batch in batches.items():
            self._node.queue(shard).flush()
            self._node.push(shard, batch)

    def work(self, begin: Callable[[str], Do], over: threading.Event) -> None:
        """Open the node, closed until now, and have ``begin(shard)(key, data, again)`` do our jobs until ``over``."""
        self._node.reply(self._claims)(self._taken)  # before anybody knows of the node
        with self._node:
            self._me = f"{self._node.name} {self._node.stats()['id']}"
            while not over.wait(0.05) or self._open:
                workers = self._workers() if not over.is_set() else ["nobody"]
                ours = {shard for shard in self._shards if _first(shard, workers) == self._me}
                with self._lock:  # no batch is in hand
                    for shard in self._open.keys() - ours:
                        self._open.pop(shard).close()
                self._wanted = ours - self._open.keys()
                answers = self._node.survey(self._claims, [self._me, list(self._wanted)]) if self._wanted else []
                said = {f"{answer.sender} {answer.id}": answer.data for answer in answers if answer.error is None}
                if said.keys() >= set(self._workers()):
                    for shard in self._wanted.difference(*said.values()):
                        self._open[shard] = receiver = self._node.pull(shard, prefetch=1)
                        receiver(partial(self._do, begin(shard), shard, receiver))
                self._wanted = set()

    def _taken(self, claim: tuple[str, list[str]]) -> list[str]:
        asker, wanted = claim
        if asker not in self._workers():
            return wanted
        return [shard for shard in wanted if asker != self._me and (shard in self._wanted or shard in self._open)]

    def _workers(self) -> list[str]:
        return [self._me, *(f"{peer.name} {peer.id}" for peer in self._node.peers() if self._claims in peer.serves)]

    def _do(self, do: Do, shard: str, receiver: object, batch: list[tuple[str, Any]], message: meshmq.Message) -> None:
        with self._lock:
            if self._open.get(shard) is receiver:  # else it goes back
                for key, data in batch:
                    do(key, data, message.redelivered)
                message.ack()


def _first(shard: str, workers: list[str]) -> str:
    return max(workers, key=lambda worker: (blake2b(f"{worker.split()[0]} {shard}".encode()).digest(), worker))


def demo() -> None:
    """Have workers come while each of 100 keys has a job, again and again."""
    mesh, over, done = f"shards-{secrets.token_hex(4)}", threading.Event(), list[tuple[str, int]]()
    with meshmq.Node("boss", mesh=mesh) as boss:
        shards, workers = Shards(boss, "jobs"), set[str]()
        for count, name in enumerate(("one", "two", "three"), 1):
            worker = Shards(meshmq.Node(name, mesh=mesh), "jobs")
            do = partial(lambda name, key, number, again: done.append((name, number)), name)
            threading.Thread(target=worker.work, args=(partial(lambda do, shard: do, do), over)).start()
            while len(workers) < count:
                shards.push((f"key {key}", len(done) // 100) for key in range(100))
                boss.flush()
                workers = {worker for worker, _ in done[-100:]}
            print(f"{name} comes; the keys are shared by:", *sorted(workers), flush=True)
        over.set()
    print("all jobs were done once, in order:", [n for _, n in done] == [n // 100 for n in range(len(done))])


if __name__ == "__main__":
    demo()
