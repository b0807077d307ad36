"""A decider that sorts what arrives into boxes, links fed by hand, a clock in the hand, and who waits."""

from __future__ import annotations

import asyncio
import os
import select
import subprocess
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meshmq.drivers.caller import Caller
from meshmq.errors import TimedOut
from meshmq.links.base import Bound, Connection, Decider, LinkName, Reason
from meshmq.links.bell import Bell
from meshmq.links.engine import Engine
from meshmq.links.loop_timer import LoopTimer
from meshmq.links.waiter import LoopWaiter, ThreadWaiter

ROOT = Path(__file__).parents[2]

#: Generous: what should take milliseconds is given this many seconds.
LIMIT = 20.0


class ToyDecider:
    """Puts the second frame of each message into the box named by the first, and wakes one who waits for it."""

    def __init__(self) -> None:
        self.outputs: list[tuple[object, ...]] = []
        self.woken: list[tuple[Hashable, int]] = []
        self.words: list[tuple[int, str, str]] = []
        self.gathers = self.gathered = self.sent_in_turn = False
        self.deadline: float | None = None
        self.boxes: defaultdict[Hashable, deque[bytes]] = defaultdict(deque)
        self.ticks: list[float] = []
        self.gone: list[Connection] = []
        #: When turns ended.
        self.turns: list[float] = []

    def put(self, key: Hashable, value: bytes) -> None:
        self.boxes[key].append(value)
        self.woken.append((key, 1))

    def tick(self, now: float) -> None:
        self.ticks.append(now)
        self.deadline = None
        self.put("tick", b"")

    def receive(self, connection: Connection, frames: Sequence[bytes], now: float) -> None:
        self.put(frames[0], frames[1])

    def ended(self, connection: Connection, now: float) -> None:
        self.gone.append(connection)
        self.outputs.append(("hang_up", connection))

    def end_turn(self, now: float) -> None:
        self.gathered = False
        self.turns.append(now)

    def hear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None: ...
    def claim(self, string: bytes, present: bool, now: float) -> None: ...
    def overhear(self, connection: Connection, frames: Sequence[bytes], now: float) -> None: ...
    def tuned(self, string: bytes, present: bool, now: float) -> None: ...
    def reached(self, connection: Connection, address: str, now: float) -> None: ...
    def refused(self, connection: Connection, reason: Reason, address: str, now: float) -> None: ...
    def moved(self, control: tuple[str, ...], topics: tuple[str, ...], direct: tuple[str, ...], now: float) -> None: ...
    def turned_away(self, reason: Reason, address: str, now: float) -> None: ...


class ToyLinks:
    """Hands over what ``arrive`` was given, at most ``budget`` messages a step; writes down what it is told."""

    def __init__(self, budget: int = 256) -> None:
        self.bound = Bound(control=(), direct=())
        self.deadline: float | None = None
        self.lanes = 0
        self.budget = budget
        self.arrived: deque[Sequence[bytes]] = deque()
        self.done: list[tuple[object, ...]] = []
        self.dead: set[Connection] = set()
        self.steps = 0
        self.error: Exception | None = None
        self._bell = Bell()

    def arrive(self, *frames: bytes) -> None:
        self.arrived.append(frames)
        self._bell.ring()

    def fileno(self) -> int:
        return self._bell.fileno()

    def dial(
        self,
        connection: Connection,
        link: LinkName,
        addresses: Sequence[str],
        subscriptions: Sequence[bytes],
        now: float,
    ) -> None:
        self.done.append(("dial", connection, link, addresses, subscriptions))

    def send(self, connection: Connection, frames: Sequence[bytes]) -> bool:
        if self.error is not None:
            raise self.error
        self.done.append(("send", connection, frames))
        return connection not in self.dead

    def hang_up(self, connection: Connection) -> None:
        self.done.append(("hang_up", connection))

    def publish(self, frames: Sequence[bytes]) -> None:
        self.done.append(("publish", frames))

    def spread(self, frames: Sequence[bytes]) -> None:
        self.done.append(("spread", frames))

    def tune(self, connection: Connection, added: Sequence[bytes], dropped: Sequence[bytes]) -> None:
        self.done.append(("tune", connection, added, dropped))

    def step(self, decider: Decider, now: float) -> bool:
        self.steps += 1
        if self.error is not None:
            raise self.error
        self._bell.drain()
        for _ in range(min(self.budget, len(self.arrived))):
            decider.receive(1, self.arrived.popleft(), now)
        return bool(self.arrived)

    def close(self, linger: float) -> None:
        self.done.append(("close", linger))
        self._bell.close()


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def toy(name: str = "toy", *, budget: int = 256, **keywords: Any) -> tuple[Engine, ToyDecider, ToyLinks]:
    """Return an engine with both its sides."""
    decider, links = ToyDecider(), ToyLinks(budget)
    return Engine(decider, links, name=name, **keywords), decider, links


@contextmanager
def opened(
    *, budget: int = 256, clock: Callable[[], float] = time.monotonic
) -> Iterator[tuple[Engine, ToyDecider, ToyLinks]]:
    engine, decider, links = toy(budget=budget, clock=clock)
    try:
        yield engine, decider, links
    finally:
        engine.close(0.0)


def readable(engine: Engine, seconds: float = 0.0) -> bool:
    return bool(select.select([engine.fileno()], [], [], seconds)[0])


def take(engine: Engine, decider: ToyDecider, key: Hashable, timeout: float = LIMIT) -> bytes:
    """Wait as a face for threads does: try, register, wait, try again."""
    deadline = time.monotonic() + timeout
    took = False
    with ThreadWaiter() as waiter:
        try:
            while True:
                with engine.gate:
                    engine.check()
                    if decider.boxes[key]:
                        took = True
                        return decider.boxes[key].popleft()
                    engine.register(key, waiter)
                if not waiter.wait(deadline - time.monotonic()):
                    raise TimedOut(f"nothing for {key!r} in {timeout} s")
        finally:
            with engine.gate:
                engine.unregister(key, waiter, took=took)


def take_driving(engine: Engine, decider: ToyDecider, key: Hashable, timeout: float = LIMIT) -> bytes:
    """Wait as ``take`` does, and drive the engine meanwhile where the helm is to be had."""
    deadline = time.monotonic() + timeout
    with Caller(engine) as caller:
        took = False
        try:
            while True:
                with engine.gate:
                    caller.look()
                    engine.check()
                    if caller.woken:
                        if decider.boxes[key]:
                            took = True
                            return decider.boxes[key].popleft()
                        engine.register(key, caller)
                        caller.take_helm(engine.now())
                    caller.rest()
                if time.monotonic() >= deadline:
                    raise TimedOut(f"nothing for {key!r} in {timeout} s")
                caller.watch(deadline - time.monotonic())
        finally:
            with engine.gate:
                engine.unregister(key, caller, took=took)
                caller.leave_helm()


async def take_async(engine: Engine, decider: ToyDecider, key: Hashable, timeout: float = LIMIT) -> bytes:
    """Wait as a face for asyncio does."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    waiter = LoopWaiter(LoopTimer(loop))
    took = False
    try:
        while True:
            with engine.gate:
                engine.check()
                if decider.boxes[key]:
                    took = True
                    return decider.boxes[key].popleft()
                engine.register(key, waiter)
            if not await waiter.wait(deadline - loop.time()):
                raise TimedOut(f"nothing for {key!r} in {timeout} s")
    finally:
        with engine.gate:
            engine.unregister(key, waiter, took=took)


def give(engine: Engine, decider: ToyDecider, key: Hashable, value: bytes) -> None:
    """Change something from a thread that is not at the helm."""
    with engine.gate:
        decider.put(key, value)
        engine.flush()


def run_child(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` in a Python of its own, to its end."""
    child = start_child(code, *arguments)
    try:
        out, error = child.communicate(timeout=LIMIT)
    finally:
        child.kill()
        child.wait()
    return subprocess.CompletedProcess(child.args, child.returncode, out, error)


def start_child(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Start ``code`` in a Python of its own that one can talk to."""
    return subprocess.Popen(
        [sys.executable, "-u", "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
