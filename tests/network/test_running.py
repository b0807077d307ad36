"""``node.run()`` in real processes: signals drain it, and no handler takes it away from its peers."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

import pytest

import meshmq
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import scale

PROGRAM: Final = Path(__file__).parent / "programs" / "running.py"
FACES: Final = ["blocking", "aio"]
#: Crosswise under stress.
SIGNALS_AND_FACES: Final = [
    pytest.param(signal.SIGTERM, "blocking", id="SIGTERM, blocking"),
    pytest.param(signal.SIGTERM, "aio", id="SIGTERM, aio", marks=pytest.mark.stress),
    pytest.param(signal.SIGINT, "blocking", id="SIGINT, blocking", marks=pytest.mark.stress),
    pytest.param(signal.SIGINT, "aio", id="SIGINT, aio"),
]
JOBS: Final = scale(200, 2_000)
BLOCKED: Final = 20
ROUNDS: Final = scale(3, 50)
HELD: Final = 5


def run(spawn: Spawn, mesh: str, face: str, drain: float = 5.0) -> Child:
    return spawn(PROGRAM, face, drain, env={"MESHMQ_MESH": mesh})


@pytest.mark.parametrize(("number", "face"), SIGNALS_AND_FACES)
def test_signal_at_work_drains_and_nothing_is_lost_or_done_twice(
    spawn: Spawn, mesh_name: str, face: str, number: int
) -> None:
    with meshmq.Node("parent", mesh=mesh_name) as node:
        done = node.pull("done")
        first = run(spawn, mesh_name, face)
        node.wait_for(pull="jobs", timeout=LIMIT)
        node.queue("jobs").push_many(range(JOBS))
        counted: Counter[int] = Counter()
        run(spawn, mesh_name, face)
        for message in done:
            counted[message.data] += 1
            if len(counted) == JOBS // 4:
                first.signal(number)
            if len(counted) == JOBS:
                message.ack()
                break
        assert first.rest() == ["returned"]
        assert first.wait() == 0
        assert "Traceback" not in first.stderr
        assert set(counted.values()) == {1}
        node.flush(LIMIT)
        assert node.stats()["queues"]["jobs"]["push"]["redelivered"] == 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("face", FACES)
def test_signal_at_any_moment_drains_in_order(spawn: Spawn, mesh_name: str, face: str) -> None:
    random, pause = Random(7), threading.Event()
    with meshmq.Node("parent", mesh=mesh_name) as node:
        counted: Counter[int] = Counter()
        done = node.pull("done")
        done(lambda number: counted.update([number]))
        pushed = 0
        for _ in range(ROUNDS):
            child = run(spawn, mesh_name, face)
            node.wait_for(pull="jobs", timeout=LIMIT)
            node.queue("jobs").push_many(range(pushed, pushed + 20))
            pushed += 20
            pause.wait(random.uniform(0.0, 0.08))
            child.signal(random.choice([signal.SIGTERM, signal.SIGINT]))
            assert child.wait() == 0, child.stderr
            assert "Traceback" not in child.stderr
            until_gone(node)
        last = run(spawn, mesh_name, face)
        node.flush(LIMIT)
        last.signal(signal.SIGTERM)
        assert last.wait() == 0
        assert node.stats()["queues"]["jobs"]["push"]["redelivered"] == 0
        assert counted == Counter(range(pushed))


@pytest.mark.parametrize("face", FACES)
def test_signal_lets_a_running_request_be_answered(spawn: Spawn, mesh_name: str, face: str) -> None:
    with meshmq.Node("parent", mesh=mesh_name) as node, ThreadPoolExecutor(1) as pool:
        child = run(spawn, mesh_name, face)
        assert node.request("echo", 1, timeout=LIMIT) == 1
        asking = pool.submit(node.request, "block", 0.5, timeout=LIMIT)
        child_runs(node)
        child.signal(signal.SIGTERM)
        assert asking.result(LIMIT) == "blocked"
        assert child.wait() == 0


@pytest.mark.parametrize(("number", "face"), SIGNALS_AND_FACES)
def test_second_signal_ends_at_once(spawn: Spawn, mesh_name: str, face: str, number: int) -> None:
    with meshmq.Node("parent", mesh=mesh_name) as node:
        child = run(spawn, mesh_name, face, drain=60.0)
        node.push("blocking", 1)
        assert child.line() == "begun"
        child.signal(number)
        until_draining(node)
        child.signal(number)
        begun = time.monotonic()
        assert child.wait() in {-number, 130}
        assert time.monotonic() - begun < 5
        with node.pull("blocking") as again:
            message = again.receive(LIMIT)
            assert (message.data, message.attempt) == (1, 2)


@pytest.mark.parametrize("face", FACES)
def test_drain_ends_though_a_handler_does_not(spawn: Spawn, mesh_name: str, face: str) -> None:
    with meshmq.Node("parent", mesh=mesh_name) as node:
        child = run(spawn, mesh_name, face, drain=0.5)
        node.push("blocking", 1)
        assert child.line() == "begun"
        child.signal(signal.SIGTERM)
        assert child.rest() == ["returned"]
        assert child.wait() == 0
        assert "block_for_ever of queue 'blocking' has not finished 1 item in time" in child.stderr
        with node.pull("blocking") as again:
            assert again.receive(LIMIT).attempt == 2


@pytest.mark.parametrize("face", FACES)
def test_drain_from_within_lets_run_return(spawn: Spawn, mesh_name: str, face: str) -> None:
    with meshmq.Node("parent", mesh=mesh_name) as node:
        child = run(spawn, mesh_name, face)
        assert node.request("stop", timeout=LIMIT) == "stopping"
        assert child.rest() == ["returned"]
        assert child.wait() == 0


@pytest.mark.stress
@pytest.mark.timeout(120)
@pytest.mark.parametrize("face", [pytest.param("blocking", marks=pytest.mark.stress), "aio"])
def test_handler_that_blocks_or_holds_the_interpreter_harms_only_its_own_calls(
    spawn: Spawn, mesh_name: str, face: str
) -> None:
    with meshmq.Node("parent", mesh=mesh_name) as node:
        run(spawn, mesh_name, face)
        assert node.request("echo", 1, timeout=LIMIT) == 1
        for service, seconds in (("block", BLOCKED), ("hold", HELD)):
            begun = time.monotonic()
            with pytest.raises((meshmq.TimedOut, meshmq.PeerLost)):
                node.request(service, seconds, timeout=0.5)
            assert time.monotonic() - begun < 1.5
            if service == "block":
                assert node.request("echo", 2, timeout=LIMIT) == 2
        assert node.request("echo", 3, timeout=LIMIT + HELD) == 3
        assert [peer.name for peer in node.peers()] == ["server"]
        assert [event.kind for event in node.events(timeout=0)] == ["joined"]


@pytest.mark.parametrize("face", FACES)
def test_whatever_a_handler_raises_or_returns_its_caller_is_told_at_once(
    spawn: Spawn, mesh_name: str, face: str
) -> None:
    kinds = ["ValueError", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration", "Unspeakable"]
    with meshmq.Node("parent", mesh=mesh_name) as node:
        run(spawn, mesh_name, face)
        assert node.request("echo", 1, timeout=LIMIT) == 1
        for kind in [*kinds, "RecursionError", "EncodeError"]:
            begun = time.monotonic()
            with pytest.raises(meshmq.RemoteError) as told:
                node.request("fail", kind, timeout=LIMIT)
            assert told.value.kind == kind
            assert time.monotonic() - begun < 2
        assert node.request("echo", 2, timeout=LIMIT) == 2
        assert [event.kind for event in node.events(timeout=0)] == ["joined"]


def child_runs(node: meshmq.Node) -> None:
    """Wait until a request is in the child's hands."""
    never = threading.Event()
    while not node.request("meshmq.stats", to="server", timeout=LIMIT)["services"]["block"]["reply"]["running"]:
        never.wait(0.01)


def until_gone(node: meshmq.Node) -> None:
    never, limit = threading.Event(), time.monotonic() + LIMIT
    while node.peers():
        assert time.monotonic() < limit
        never.wait(0.01)


def until_draining(node: meshmq.Node) -> None:
    for _ in node.events(timeout=LIMIT):
        if any(peer.state == "draining" for peer in node.peers()):
            return
    raise AssertionError("nobody drains")
