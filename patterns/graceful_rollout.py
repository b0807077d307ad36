"""Replace all workers by new ones while work goes on: nothing is lost, nothing is done twice.

*Problem*: a new version is to run. Without the old one nobody works; killing it makes begun jobs run again; and if
the new one does not come up, the old one has to be there still.

*How it works*: one at a time. A new worker starts; when it is here and takes work, an old one gets SIGTERM. Its
``node.run()`` drains: peers are told, nothing new is taken, what runs is finished, the process ends with 0::

    old one    work work work | SIGTERM: finish | 0
    new one        start ... here | work work work work ...

*Limits*: old and new work side by side for a while: what they read and write has to suit both. A handler that needs
longer than ``settings.drain`` (5 s) is left, and its job runs again elsewhere, flagged. A request can meet the
moment of a goodbye: only an idempotent one goes elsewhere then.

*Run*::

    $ meshmq recipe run graceful_rollout
    3 workers of version one, and jobs and calls all the time
    replaced: 3, ended with 0: 3
    jobs lost: 0, done twice: 0, begun before: 0
    calls failed: 0
    version two answers
"""

from __future__ import annotations

import itertools
import multiprocessing
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from multiprocessing.context import SpawnProcess

import meshmq


def roll_out(
    node: meshmq.Node, old: Iterable[SpawnProcess], start: Callable[[], SpawnProcess], *, timeout: float = 30
) -> list[SpawnProcess]:
    """Replace each process of ``old`` by what ``start()`` returns: a process that bears the name of its node.

    Raises:
        RuntimeError: a new one did not come, or an old one did not end with 0; those not replaced are still there.
    """
    new: list[SpawnProcess] = []
    for worker in old:
        new.append(start())
        deadline = time.monotonic() + timeout
        while not any(peer.name == new[-1].name and (peer.pulls or peer.serves) for peer in node.peers()):
            if time.monotonic() > deadline or not new[-1].is_alive():
                new[-1].kill()
                raise RuntimeError(f"{new[-1].name} has not come: {worker.name} stays")
            threading.Event().wait(0.02)
        worker.terminate()
        worker.join(timeout)
        if worker.exitcode != 0:
            raise RuntimeError(f"{worker.name} has not ended well: its status is {worker.exitcode}")
    return new


def demo() -> None:
    """Replace three workers under load."""
    mesh = f"rollout-{secrets.token_hex(4)}"
    done, repeats, failed = Counter[int](), list[int](), list[str]()
    names, over = itertools.count(), threading.Event()

    def work_and_call() -> None:
        for number in itertools.count():
            try:
                boss.push("jobs", number)
                boss.request("version", timeout=20, idempotent=True)
            except meshmq.MeshError as error:
                failed.append(str(error))
            if over.wait(0.001):
                return

    def collect(result: list[int]) -> None:
        done[result[0]] += 1
        repeats.extend(result[1:])

    with meshmq.Node("boss", mesh=mesh) as boss:
        boss.pull("results")(collect)
        old = [_start(mesh, f"one-{next(names)}") for _ in range(3)]
        boss.wait_for(pull="jobs", count=3, timeout=20)
        (load := threading.Thread(target=work_and_call)).start()
        print("3 workers of version one, and jobs and calls all the time", flush=True)
        new = roll_out(boss, old, lambda: _start(mesh, f"two-{next(names)}"))
        over.set()
        load.join()
        boss.flush(timeout=20)
        print(f"replaced: {len(new)}, ended with 0: {sum(worker.exitcode == 0 for worker in old)}")
        pushed = boss.stats()["queues"]["jobs"]["push"]["pushed"]
        print(f"jobs lost: {pushed - len(done)}, done twice: {done.total() - len(done)}, begun before: {len(repeats)}")
        print(f"calls failed: {len(failed)}\nversion {boss.request('version', timeout=20)} answers", flush=True)
    for worker in new:
        worker.terminate()


def _start(mesh: str, name: str) -> SpawnProcess:
    (worker := multiprocessing.get_context("spawn").Process(target=_work, args=(mesh, name), name=name)).start()
    return worker


def _work(mesh: str, name: str) -> None:
    node = meshmq.Node(name, mesh=mesh)

    @node.pull("jobs")
    def work(number: int, message: meshmq.Message) -> None:
        node.push("results", [number, number] if message.redelivered else [number])
        node.flush()  # the boss has counted it before the job is done

    node.reply("version", idempotent=True)(lambda data: name.partition("-")[0])
    node.run()


if __name__ == "__main__":
    demo()
