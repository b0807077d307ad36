"""Serve a name from as many processes as it needs, replace those that die, and grow or shrink at any time.

*Problem*: one process is not enough, or its handler holds the GIL. There should be several; one that crashes has to
be back in a moment, and callers need not know how many there are.

*How it works*: each process is a node that serves the same name. A caller's request goes to the server with the
fewest of its calls, so a slow one gets less and a new one gets some at once; nobody stands between them::

    request("square", 7) ---+--> process 1
                            +--> process 2   killed: its idempotent calls go to another, a new one is started
                            +--> process 3   told to go: finishes what it has; the rest goes elsewhere

``ServicePool`` watches them. In each runs a function that ends with ``node.run()``, which drains on SIGTERM.

*Limits*: a call that may run only once fails with ``PeerLost`` when its server is killed. A process that dies is
replaced after ``pause`` seconds, for ever: look into why it dies. Processes are started by ``spawn``: the function
stands in a module, and its arguments can be pickled. The pool's own process, their parent, has to live.

*Run*::

    $ meshmq recipe run service_pool
    30 calls, 3 processes: 10 10 10
    one is killed: 30 of 30 calls answered, and there are 3 again
    all but one leave: 30 of 30 calls answered, and there is 1
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import threading
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any, Self

import meshmq


class ServicePool:
    """So many processes that run ``serve(*arguments)``, from ``with`` until it is left."""

    def __init__(self, size: int, serve: Callable[..., object], *arguments: Any, pause: float = 0.2) -> None:
        self._size, self._serve, self._arguments, self._pause = size, serve, arguments, pause
        self._spawn = multiprocessing.get_context("spawn")
        self._processes, self._leaving = list[SpawnProcess](), list[SpawnProcess]()
        self._heard, self._bell = self._spawn.Pipe(duplex=False)
        self._keeper = threading.Thread(target=self._keep)

    def __enter__(self) -> Self:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resize(0)
        self._keeper.join()
        self._heard.close()
        self._bell.close()

    def resize(self, size: int) -> None:
        """Have so many processes, 0 at last; returns at once."""
        self._size = size
        self._bell.send(None)

    def _keep(self) -> None:
        while self._size or self._processes or self._leaving:
            while len(self._processes) < self._size:
                self._processes.append(self._spawn.Process(target=self._serve, args=self._arguments))
                self._processes[-1].start()
            while len(self._processes) > self._size:
                self._leaving.append(self._processes.pop())
                self._leaving[-1].terminate()
            sentinels = [process.sentinel for process in (*self._processes, *self._leaving)]
            if self._heard in wait([self._heard, *sentinels]):
                self._heard.recv()
            before = len(self._processes)
            for processes in (self._processes, self._leaving):
                processes[:] = [process for process in processes if process.is_alive()]
            if len(self._processes) < before:
                threading.Event().wait(self._pause)


def demo() -> None:
    """Call three processes; kill one, and send all but one away."""
    mesh = f"pool-{secrets.token_hex(4)}"
    with meshmq.Node("caller", mesh=mesh) as caller, ServicePool(3, _serve, mesh) as pool:
        caller.wait_for(reply="square", count=3, timeout=20)
        calls = _call(caller)
        print("30 calls, 3 processes:", *calls.values(), flush=True)
        os.kill(killed := min(calls), signal.SIGKILL)
        answered = _call(caller).total()
        while len(_call(caller).keys() - {killed}) < 3:
            pass
        print(f"one is killed: {answered} of 30 calls answered, and there are 3 again", flush=True)
        pool.resize(1)
        answered = _call(caller).total()
        while len(_call(caller)) > 1:
            pass
        print(f"all but one leave: {answered} of 30 calls answered, and there is 1")


def _call(caller: meshmq.Node) -> Counter[int]:
    return Counter(caller.request("square", number, timeout=20, idempotent=True)[1] for number in range(30))


def _serve(mesh: str) -> None:
    node = meshmq.Node(mesh=mesh)

    @node.reply("square", idempotent=True)
    def square(number: int) -> list[int]:
        return [number**2, os.getpid()]

    node.run()


if __name__ == "__main__":
    demo()
