"""The supervisor keeps its workers at work, and takes all of them with it, however it ends."""

from __future__ import annotations

import os
import re
import select
import signal
import threading
import time
from typing import Final

import pytest

from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn

SUPERVISOR: Final = """
import logging, sys
from meshmq import supervisor
logging.basicConfig(level=logging.INFO, format="%(message)s")
worker, count, limit, lived, *leader = sys.argv[1:]
supervisor.LIVED = float(lived)
command = [sys.executable, "-c", worker]
programs = supervisor.several("w", command, int(count))
programs += [supervisor.Program("leader", [sys.executable, "-c", code], leads=True) for code in leader]
sys.exit(supervisor.Supervisor(programs, limit=float(limit), hopeless=(78,)).run())
"""
#: Says its process id and waits to be told to end.
PATIENT: Final = """
import os, signal, sys
from meshmq.supervisor import end_with_supervisor
{first}
end_with_supervisor()
print(os.getpid())
while True:
    signal.pause()
"""
STUBBORN: Final = PATIENT.format(first="signal.signal(signal.SIGTERM, signal.SIG_IGN)")
GENTLE: Final = PATIENT.format(first="signal.signal(signal.SIGTERM, lambda *_: (print('drained'), sys.exit()))")


def supervise(
    spawn: Spawn, worker: str, *, count: int = 1, limit: float = LIMIT, lived: float = 60.0, leader: str | None = None
) -> Child:
    return spawn(SUPERVISOR, worker, count, limit, lived, *([leader] if leader is not None else []))


def born(child: Child, count: int = 1) -> dict[str, int]:
    """Return the process ids of the next workers that say theirs, by their labels."""
    lines = (child.line().split(": ") for _ in range(count))
    return {label: int(number) for label, number in lines}


def gone(pid: int) -> bool:
    """Whether a process, of whomever, ends in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], LIMIT)[0])
    finally:
        os.close(descriptor)


def test_worker_that_is_killed_is_started_again_and_the_others_stay(spawn: Spawn) -> None:
    child = supervise(spawn, GENTLE, count=3)
    workers = born(child, 3)
    assert set(workers) == {"w-1", "w-2", "w-3"}
    os.kill(workers["w-2"], signal.SIGKILL)
    (again,) = born(child).items()
    assert again[0] == "w-2"
    assert again[1] != workers["w-2"]
    child.signal(signal.SIGTERM)
    assert sorted(child.rest()) == ["w-1: drained", "w-2: drained", "w-3: drained"]
    assert child.wait() == 0
    assert "w-2 has ended with -9; it is started again in 0.1 s" in child.stderr


@pytest.mark.parametrize(("lived", "factors"), [(60.0, [1, 2, 4, 8]), (0.0, [1, 1, 1, 1])])
def test_worker_that_dies_at_once_is_started_ever_later_until_it_lives(
    spawn: Spawn, lived: float, factors: list[int]
) -> None:
    child = supervise(spawn, "print('here'); raise SystemExit(3)", lived=lived)
    for _ in range(5):
        assert child.line() == "w-1: here"
    child.signal(signal.SIGTERM)
    assert child.wait() in (0, 1)  # between two lives, or while it failed once more
    pauses = re.findall(r"ended with 3; it is started again in ([\d.]+) s", child.stderr)
    for pause, factor in zip(pauses, factors, strict=False):
        assert 0.04 * factor <= float(pause) <= 0.11 * factor


def test_all_done_ends_it(spawn: Spawn) -> None:
    child = supervise(spawn, "print('a' * 100_000); print('end', end='')", count=2)
    lines = child.rest()
    assert child.wait() == 0
    assert sorted(line[-1:] for line in lines) == ["a", "a", "a", "a", "d", "d"]
    assert {line[:5] for line in lines} <= {"w-1: ", "w-2: "}
    assert sum(line.count("a") for line in lines) == 200_000


def test_hopeless_one_ends_all(spawn: Spawn) -> None:
    child = supervise(spawn, "print('no'); raise SystemExit(78)", count=2)
    assert child.wait() == 78
    assert set(child.rest()) <= {"w-1: no", "w-2: no"}


def test_one_that_does_not_end_is_killed_after_the_limit(spawn: Spawn) -> None:
    child = supervise(spawn, STUBBORN, limit=0.2)
    workers = born(child)
    child.signal(signal.SIGINT)
    assert child.wait() == 1
    assert gone(workers["w-1"])
    assert "w-1 has not ended within 0.2 s and is killed" in child.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_all_at_once(spawn: Spawn, number: int) -> None:
    child = supervise(spawn, STUBBORN.replace("signal.SIG_IGN", "lambda *_: print('told')"), count=2)
    workers = born(child, 2)
    child.signal(signal.SIGTERM)
    assert sorted([child.line(), child.line()]) == ["w-1: told", "w-2: told"]
    child.signal(number)
    assert child.wait() == 128 + number
    assert all(map(gone, workers.values()))


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="a stranger's end is waited for by pidfd, which is Linux'")
@pytest.mark.parametrize("worker", [GENTLE, STUBBORN], ids=["gentle", "stubborn"])
def test_killed_supervisor_leaves_nobody(spawn: Spawn, worker: str) -> None:
    child = supervise(spawn, worker, count=3, limit=0.2)
    workers = born(child, 3)
    child.kill()
    assert all(map(gone, workers.values()))


def test_when_who_leads_is_done_the_others_are_drained(spawn: Spawn) -> None:
    leader = PATIENT.format(first="signal.signal(signal.SIGUSR1, lambda *_: (print('done'), sys.exit()))")
    child = supervise(spawn, GENTLE, count=2, leader=leader)
    os.kill(born(child, 3)["leader"], signal.SIGUSR1)
    assert sorted(child.rest()) == ["leader: done", "w-1: drained", "w-2: drained"]
    assert child.wait() == 0


def test_signal_ends_who_leads_first_and_the_others_after_it(spawn: Spawn) -> None:
    child = supervise(spawn, GENTLE, count=1, leader=GENTLE.replace("drained", "gone"))
    born(child, 2)
    child.signal(signal.SIGTERM)
    assert child.rest() == ["leader: gone", "w-1: drained"]
    assert child.wait() == 0


def test_signal_ends_the_others_where_who_leads_is_not_there(spawn: Spawn) -> None:
    child = supervise(spawn, GENTLE, count=1, leader="raise SystemExit(3)")
    born(child)
    until_said(child, "leader has ended with 3; it is started again", times=4)
    child.signal(signal.SIGTERM)
    assert child.rest() == ["w-1: drained"]
    assert child.wait() in (0, 1)  # between two lives of who leads, or in one


def test_worker_that_cannot_be_started_is_tried_again(spawn: Spawn) -> None:
    child = spawn(SUPERVISOR.replace("[sys.executable,", "['nonesuch-command',"), "", 1, LIMIT, 60.0)
    until_said(child, "w-1 cannot be started ([Errno 2]", times=2)
    child.signal(signal.SIGTERM)
    assert child.wait() == 0


def until_said(child: Child, text: str, times: int) -> None:
    """Wait until the child has said something on stderr so many times."""
    deadline = time.monotonic() + LIMIT
    while child.stderr.count(text) < times:
        assert time.monotonic() < deadline, child.stderr
        threading.Event().wait(0.02)
