"""Signals strike where they do no harm: no frame is torn, no job is lost, and a process leaves in order."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from random import Random
from typing import Final

import pytest

import meshmq
from meshmq.errors import ClosedError
from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import scale

PROGRAMS: Final = Path(__file__).parent / "programs"
STRIKES: Final = scale(100, 2_000)
RETURNS: Final = scale(5, 300)
#: Jobs on their way around; enough that every strike finds the target at work.
AROUND: Final = 50


@pytest.mark.timeout(600)
def test_ctrl_c_at_random_moments_tears_no_frame_and_loses_no_job(spawn: Spawn, mesh_name: str) -> None:
    random, pause = Random(3), threading.Event()
    with meshmq.Node("parent", mesh=mesh_name) as node:
        target = spawn(PROGRAMS / "target.py", env={"MESHMQ_MESH": mesh_name})
        target.until("open")
        around = Around(node)
        struck = 0
        for _ in range(STRIKES):
            pause.wait(random.uniform(0.0005, 0.006))
            target.signal(signal.SIGINT)
            struck += answered(target)
        around.stop()
        node.push("in", None)
        target.until("leaving")
        assert target.wait(LIMIT) == 0
        dropped = node.stats()["dropped"]
    # One that strikes inside a __del__ is swallowed by Python itself, which says so.
    assert struck + target.stderr.count("Exception ignored in") >= STRIKES
    assert struck > STRIKES * 0.9
    assert not any(dropped.values()), dropped
    assert "broke" not in target.stderr
    assert around.missing == set()


@pytest.mark.timeout(900)
def test_ctrl_c_at_random_moments_ends_a_node_in_order_each_time(spawn: Spawn, mesh_name: str) -> None:
    random, pause = Random(5), threading.Event()
    with meshmq.Node("parent", mesh=mesh_name) as node:
        target = spawn(PROGRAMS / "returning.py", env={"MESHMQ_MESH": mesh_name})
        target.until("open")
        around = Around(node)
        for _ in range(RETURNS):
            pause.wait(random.uniform(0.0, 0.1))  # before it is found, while it is, and at work
            target.signal(signal.SIGINT)
            assert target.line() == "left"
            assert target.line() == "open"
        around.stop()
        node.push("in", None)
        assert target.wait(LIMIT) == 0
        dropped = node.stats()["dropped"]
    assert target.stderr == ""
    assert not any(dropped.values()), dropped
    assert around.missing == set()


def answered(target: Child) -> bool:
    """Whether the target caught a Ctrl-C; ``False`` when Python swallowed it."""
    swallowed = target.stderr.count("Exception ignored in")
    for _ in range(100):
        try:
            return target.line(0.2) == "caught"
        except AssertionError:
            if target.stderr.count("Exception ignored in") > swallowed:
                return False
    raise AssertionError(f"a Ctrl-C was forgotten by {target!r}: {target.stderr}")


class Around:
    """Sends numbers through the target and back, never more than ``AROUND`` at once."""

    def __init__(self, node: meshmq.Node) -> None:
        self._node = node
        self._back = node.pull("out")
        self._stopped = False
        self.missing: set[int] = set(range(AROUND))
        node.queue("in").push_many(range(AROUND))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Wait until every number is back."""
        self._stopped = True
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), f"lost on the way: {sorted(self.missing)}"

    def _run(self) -> None:
        number = AROUND
        while self.missing:
            message = self._back.receive(LIMIT)
            message.ack()
            if message.data not in self.missing:
                continue  # a repeat: the target was struck between pushing it and asking for the next
            self.missing.discard(message.data)
            if not self._stopped:
                self.missing.add(number)
                self._node.push("in", number)
                number += 1


def test_sigterm_in_the_middle_of_a_job_gives_it_back_flagged_and_the_rest_as_new(spawn: Spawn, mesh_name: str) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    with meshmq.Node("pusher", mesh=mesh_name) as node:
        hurt = spawn(PROGRAMS / "worker.py", "jobs", "--seconds", 600, "--prefetch", 10, env=env)
        node.wait_for(pull="jobs", timeout=LIMIT)
        node.queue("jobs").push_many(range(10))
        hurt.until("begun 0 1 ")
        other = spawn(PROGRAMS / "worker.py", "jobs", env=env)
        node.wait_for(pull="jobs", count=2, timeout=LIMIT)
        hurt.signal(signal.SIGTERM)
        assert hurt.wait() == 143
        node.flush(LIMIT)
        other.kill()
    attempts = {}
    for line in other.rest():
        if line.startswith("begun "):
            job, attempt = line.split()[1:3]
            attempts[int(job)] = int(attempt)
    assert attempts == {0: 2} | dict.fromkeys(range(1, 10), 1)
    assert "Traceback" not in hurt.stderr


def test_the_handlers_of_a_program_stay(spawn: Spawn, mesh_name: str) -> None:
    child = spawn(OWN_HANDLERS, env={"MESHMQ_MESH": mesh_name})
    child.until("open")
    child.signal(signal.SIGTERM)
    assert child.line() == "own SIGTERM"
    child.signal(signal.SIGINT)
    assert child.line() == "own SIGINT"
    child.say("end")
    assert child.wait() == 0


OWN_HANDLERS: Final = """
import select, signal, sys
import meshmq
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda number, frame: print("own", signal.Signals(number).name, flush=True))
with meshmq.Node() as node:
    print("open", flush=True)
    while not select.select([sys.stdin], [], [], 0.1)[0]:
        pass  # a read would run no handler of a signal that strikes on the way into it
"""


def test_a_handler_of_a_program_that_breaks_a_node_is_named(caplog: pytest.LogCaptureFixture) -> None:
    node = meshmq.Node("broken")
    node.push("jobs", 1)
    engine, _ = node._opened()
    with pytest.raises(SystemExit), engine.gate:
        raise SystemExit(7)  # as it would strike there
    with pytest.raises(ClosedError, match="SystemExit"):
        node.push("jobs", 2)
    with pytest.raises(meshmq.Undelivered, match="1 job was not sent"):
        node.close()
    assert "have it set an event instead" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_node_opened_beside_the_main_thread_leaves_signals_alone(spawn: Spawn, mesh_name: str) -> None:
    child = spawn(BESIDE, env={"MESHMQ_MESH": mesh_name})
    assert child.line() == "open"
    child.signal(signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    assert child.stderr == ""


BESIDE: Final = """
import sys, threading
import meshmq
thread = threading.Thread(target=meshmq.Node("beside").open)
thread.start()
thread.join()
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_wait_at_once(spawn: Spawn, mesh_name: str, number: signal.Signals) -> None:
    for wait in ("jobs.receive()", "node.wait_for(pull='x')", "next(jobs_iterator)", "list(node.events())"):
        child = spawn(WAITS.replace("WAIT", wait), env={"MESHMQ_MESH": mesh_name})
        child.until("waiting")
        child.signal(number)
        assert child.wait() == (143 if number is signal.SIGTERM else -signal.SIGINT)
        assert "broke" not in child.stderr
        assert ("Traceback" in child.stderr) == (number is signal.SIGINT)


WAITS: Final = """
import meshmq
with meshmq.Node("waits") as node:
    jobs = node.pull("jobs")
    jobs_iterator = iter(jobs)
    print("waiting", flush=True)
    WAIT
"""


def test_a_closed_error_and_not_a_signal_ends_the_waits_of_other_threads() -> None:
    ended: list[BaseException] = []
    node = meshmq.Node("closed").open()
    jobs = node.pull("jobs")

    def wait() -> None:
        try:
            jobs.receive()
        except ClosedError as error:
            ended.append(error)

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    node.close()
    for thread in threads:
        thread.join(LIMIT)
    assert len(ended) == 4
