"""Special parts of push and pull: through a device, tapped or not, and by workers of different paces."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgpack  # type: ignore[import-untyped]  # msgpack ships no types
import zmq

from meshmq import Node
from meshmq.bench.actors import Troupe
from meshmq.bench.kinds import Run, Side, Told
from meshmq.bench.nodes import address, opened
from meshmq.bench.plain import push as plain_pushing
from meshmq.bench.push import QUEUE
from meshmq.bench.rounds import Scene
from meshmq.bench.values import check_of, value_of
from meshmq.bench.work import LIMIT, Place, Work

if TYPE_CHECKING:
    from meshmq.bench.stage import Stage

#: What the workers of a makespan need for a job, in seconds.
PACES: Final = (0.001, 0.01, 0.1)
_HERE: Final = "tests.bench.devices"
_PULL: Final = "meshmq.bench.push:pull"

THROUGH: Final = Side("through", f"{_HERE}:push_through", _PULL)
TAPPED: Final = Side("tapped", f"{_HERE}:push_through", _PULL)
DIRECTLY: Final = Side("directly", "meshmq.bench.push:push", _PULL)
PACED: Final = Side("MeshMQ", f"{_HERE}:push_cold", f"{_HERE}:pull_paced")
PACED_PLAINLY: Final = Side("pyzmq", f"{_HERE}:push_cold_plainly", f"{_HERE}:pull_paced_plainly", share=0.05)
PACED_THROUGH: Final = Side("through", f"{_HERE}:push_cold_through", f"{_HERE}:pull_paced")
PACED_DIRECTLY: Final = Side("directly", f"{_HERE}:push_cold", f"{_HERE}:pull_paced")
_BETWEEN: Final = (THROUGH, TAPPED, PACED_THROUGH)


@dataclass(frozen=True)
class DeviceScene(Scene):
    """Has a device between where a side goes through one, and somebody who taps it."""

    def between(self, side: Side, work: Work, place: Place, addresses: Sequence[str]) -> Sequence[str]:
        """Start the device, and whoever taps it; they leave with the pusher's part."""
        self.leave()
        if side not in _BETWEEN:
            return addresses
        self.devices.begin(f"{_HERE}:device", work, place, 1, ())
        through = [told["address"] for told in self.devices.hear("address")]
        if side is TAPPED:
            self.tappers.begin(f"{_HERE}:tap", work, place, 1, [*through, *addresses])
            self.tappers.hear("taps")
        # In clear and on TCP nobody tells the workers of each other; each has one pusher, which is told of all.
        return [*through, *addresses]

    devices: Troupe = field(default_factory=Troupe)
    tappers: Troupe = field(default_factory=Troupe)

    def leave(self) -> None:
        """End what stood between in the run before."""
        self.tappers.close()
        self.devices.close()

    def close(self) -> None:
        """End the processes."""
        self.leave()
        super().close()

    def figures(self, work: Work, senders: Told, receivers: Told, cpu: float) -> Run:
        """Return the rate; of workers with paces the time as a multiple of what they need if they are never idle."""
        run = super().figures(work, senders, receivers, cpu)
        if work.receivers == len(PACES):
            paces = [one["jobs"] / one["busy"] if one["busy"] else 1 / PACES[n] for n, one in enumerate(receivers)]
            ideal = work.total / sum(paces)
            run.figures = {"makespan": senders[0]["seconds"] / ideal}
        return run


def device(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Stand between until told to stop."""
    with opened(work, place) as node:
        node.device(queues=[QUEUE])
        stage.tell(address=address(node))
        stage.wait_for_stop()


def tap(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Tap the device until told to stop."""
    check = check_of(work)
    with opened(work, place, addresses) as node:
        copies = node.subscribe(f"meshmq.tap.{QUEUE}")
        _wait_for_device(node)
        copies.ready(LIMIT)
        stage.on_stop = copies.close
        stage.tell(taps=True)
        for copy in copies:
            check(copy.data)


def push_through(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push as soon as the device is known."""
    _push(stage, work, place, addresses, warm=work.warm, through=True)


def push_cold(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Push without any job before: it counts how soon the paces are found out."""
    _push(stage, work, place, addresses, warm=0, through=False)


def push_cold_through(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do both."""
    _push(stage, work, place, addresses, warm=0, through=True)


def _push(stage: Stage, work: Work, place: Place, addresses: list[str], *, warm: int, through: bool) -> None:
    value = value_of(work)
    with opened(work, place, addresses) as node:
        node.wait_for(pull=QUEUE, count=work.receivers, timeout=LIMIT)
        if through:
            _wait_for_device(node)
        for _ in range(warm):
            node.push(QUEUE, value)
        node.flush(LIMIT)
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(work.share):
            node.push(QUEUE, value)
        node.flush(LIMIT)
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def _wait_for_device(node: Node) -> None:
    for _ in node.events(LIMIT):
        if any(peer.forwards for peer in node.peers()):
            return


def pull_paced(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Pull until told to stop; the pace is the worker's."""
    pause, jobs, busy = threading.Event(), 0, 0.0
    with opened(work, place) as node:
        receiver = node.pull(QUEUE)
        stage.on_stop = receiver.close
        stage.tell(address=address(node))
        for _ in receiver:
            begun = time.perf_counter()
            pause.wait(PACES[number])
            jobs, busy = jobs + 1, busy + time.perf_counter() - begun
    stage.tell(jobs=jobs, busy=busy)


def push_cold_plainly(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do as ``push_cold`` with PUSH; who waits for the slowest waits long."""
    value, me = msgpack.packb(value_of(work)), str(number).encode()
    with zmq.Context() as context, context.socket(zmq.PUSH) as out, context.socket(zmq.DEALER) as marks:
        plain_pushing.connect(out, marks, me, addresses)
        plain_pushing.all_arrived(out, marks, me, len(addresses))
        stage.tell(ready=True)
        stage.wait_for_go()
        begun = time.perf_counter()
        for _ in range(work.share):
            out.send(value)
        plain_pushing.all_arrived(out, marks, me, len(addresses))
        stage.tell(seconds=time.perf_counter() - begun)
        stage.wait_for_stop()


def pull_paced_plainly(stage: Stage, work: Work, place: Place, number: int, addresses: list[str]) -> None:
    """Do as ``pull_paced`` with PULL."""
    pause, jobs, busy = threading.Event(), 0, 0.0
    known: set[bytes] = set()
    with zmq.Context() as context, context.socket(zmq.PULL) as pulled, context.socket(zmq.ROUTER) as answers:
        plain_pushing.open_worker(stage, pulled, answers, place, number)
        while not stage.stopped:
            try:
                data = pulled.recv()
            except zmq.Again:
                continue
            if data:
                begun = time.perf_counter()
                pause.wait(PACES[number])
                jobs, busy = jobs + 1, busy + time.perf_counter() - begun
            else:
                plain_pushing.answer_mark(pulled, answers, number, known)
    stage.tell(jobs=jobs, busy=busy)
