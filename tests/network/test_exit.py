"""Processes leave in every way there is: in bounded time, and nothing is left without a word."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.network.children import LIMIT, Child
from tests.network.conftest import Spawn
from tests.scale import STRESS

PROGRAMS: Final = Path(__file__).parent / "programs"
DRAIN: Final = 0.5
#: What a busy machine may take beyond what is promised.
SLACK: Final = 5.0
#: A stopped peer counts as living until its session has been asked and has not answered.
UNTIL_DOUBTED: Final = 6.0

Peer = Literal["living", "slow", "dead", "stopped", "nobody"]
PEERS: Final[tuple[Peer, ...]] = ("living", "slow", "dead", "stopped", "nobody")


@dataclass(frozen=True)
class Way:
    """How a process is left: what its program does, what hits it, how it ends, and whether it may wait for long."""

    name: str
    program: str
    code: int
    signal: int | None = None
    patient: bool = False
    drains: bool = True
    traceback: str = ""

    def code_with(self, *, left: bool) -> int:
        """Return the exit status: an ``Undelivered`` that is raised makes the leaver fail."""
        return 1 if left and self.patient else self.code


WAYS: Final = (
    Way("close", "close", 0, patient=True),
    Way("with", "with", 0, patient=True),
    Way("no close", "nothing", 0),
    Way("exception", "exception", 1, traceback="RuntimeError: told to"),
    Way("sys.exit", "exit", 3),
    Way("sys.exit without with", "bare_exit", 3),
    Way("SIGTERM", "with", 143, signal.SIGTERM),
    Way("SIGTERM without with", "nothing", 143, signal.SIGTERM),
    Way("Ctrl-C", "with", -signal.SIGINT, signal.SIGINT, traceback="KeyboardInterrupt"),
    Way("Ctrl-C without with", "nothing", -signal.SIGINT, signal.SIGINT, traceback="KeyboardInterrupt"),
    Way("asyncio", "async_with", 0, patient=True),
    Way("asyncio, no close", "async_nothing", 0),
    Way("asyncio, exception", "async_exception", 1, traceback="RuntimeError: told to"),
    Way("asyncio, cancelled", "async_cancelled", 0),
    Way("asyncio, close cancelled", "async_close_cancelled", 0, drains=False),
    Way("asyncio, SIGTERM", "async_with", 143, signal.SIGTERM),
    Way("asyncio, Ctrl-C", "async_with", -signal.SIGINT, signal.SIGINT, traceback="KeyboardInterrupt"),
)

JOBS: Final[dict[Peer, int]] = {"living": 1_000, "slow": 30, "dead": 30, "stopped": 30, "nobody": 30}
SECONDS: Final[dict[Peer, float]] = {"living": 0.0, "slow": 0.05, "dead": 0.2, "stopped": 0.2}
#: The job that tells that the worker is at work.
BEGUN: Final[dict[Peer, int]] = {"living": 0, "slow": 3, "dead": 3, "stopped": 3}

#: What ``make test`` runs of it; ``make stress`` runs all.
CHOSEN: Final = {
    *(("living", name) for name in ("close", "SIGTERM", "Ctrl-C without with", "asyncio, no close")),
    *(("slow", name) for name in ("with", "asyncio, cancelled")),
    *(("dead", name) for name in ("no close", "asyncio")),
    *(("stopped", name) for name in ("sys.exit", "asyncio, Ctrl-C")),
    *(("nobody", name) for name in ("exception", "asyncio, close cancelled")),
}


def cases() -> Iterator[object]:
    for peer in PEERS:
        for way in WAYS:
            chosen = (peer, way.name) in CHOSEN
            marks = [] if chosen else [pytest.mark.stress]
            yield pytest.param(peer, way, id=f"{peer} peer, {way.name}", marks=marks)


@pytest.mark.parametrize(("peer", "way"), list(cases()))
def test_a_process_leaves_in_time_and_tells_what_it_leaves(
    spawn: Spawn, mesh_name: str, runtime_directory: Path, peer: Peer, way: Way
) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    worker = spawn(PROGRAMS / "worker.py", "jobs", "--seconds", SECONDS[peer], env=env) if peer != "nobody" else None
    jobs = JOBS[peer]
    # Who lives is given all however busy the machine is: to be in time is held by ``longest``.
    drain = SLACK if peer == "living" else DRAIN
    options = ("--jobs", jobs, "--drain", drain, "--workers", int(worker is not None))
    leaver = spawn(PROGRAMS / "leaver.py", way.program, *options, env=env)
    leaver.until("waiting")
    said: list[str] = []
    if worker is not None:
        said += worker.until(f"begun {BEGUN[peer]} ")
    if worker is not None and peer == "dead":
        worker.kill()
    elif worker is not None and peer == "stopped":
        worker.stop()
    files = entries(runtime_directory)

    began = time.monotonic()
    if way.signal is None:
        leaver.say("leave")
    else:
        leaver.signal(way.signal)
    code = leaver.wait(60)
    took = time.monotonic() - began

    left = told_left(leaver, way)
    if worker is not None and peer == "stopped":
        worker.resume()
    if worker is not None and peer == "living" and not left:
        said += worker.until(f"done {jobs - 1}")
    if worker is not None:
        worker.kill()
        said += worker.rest()
    done = sum(line.startswith("done ") for line in said)

    assert code == way.code_with(left=bool(left)), leaver.stderr
    check_words(leaver.stderr, way)
    assert entries(runtime_directory) <= files
    if (peer == "living" and way.drains) or (peer == "slow" and way.patient):
        assert (done, left) == (jobs, 0)
    elif peer == "nobody":
        assert left == jobs
    elif peer == "dead":  # its last ack may not have left it
        assert jobs - done <= left <= jobs - done + 1
    else:  # the worker may do what it had in hand when the pusher left
        assert jobs - done <= left <= jobs - done + 1 + (peer == "living") * jobs
    assert took <= longest(peer, way)
    if peer == "nobody":
        assert took >= (DRAIN if way.drains else 0.0)


def longest(peer: Peer, way: Way) -> float:
    if way.patient and peer == "slow":
        return JOBS[peer] * SECONDS[peer] + DRAIN + SLACK
    if way.patient and peer == "stopped":
        return UNTIL_DOUBTED + DRAIN + SLACK
    return DRAIN + SLACK


def told_left(leaver: Child, way: Way) -> int:
    """Return how many jobs the leaver says it left: raised where it may raise, else in the log."""
    raised = [line for line in leaver.rest() if line.startswith("left ")]
    logged = re.findall(
        r"^node 'leaver': ([0-9,]+) jobs? w(?:ere|as) not sent and ([0-9,]+) not confirmed", leaver.stderr, re.M
    )
    if way.patient:
        assert not logged
        if not raised:
            return 0
        facts = json.loads(raised[0].removeprefix("left "))
        assert facts["queues"] == {"jobs": [facts["unsent"], facts["unconfirmed"]]}
        return int(facts["unsent"] + facts["unconfirmed"])
    assert not raised
    assert len(logged) <= 1
    return sum(int(number.replace(",", "")) for pair in logged for number in pair)


def check_words(stderr: str, way: Way) -> None:
    assert "Exception in thread" not in stderr
    # Of a pipe whose making the signal has interrupted, asyncio's own __del__ misses an attribute (Python 3.11).
    ours = stderr.replace("Exception ignored in: <function _UnixReadPipeTransport.__del__", "")
    assert "Exception ignored" not in ours
    assert "broke and is closed" not in stderr
    assert "stranger" not in stderr
    assert ("Traceback" in stderr) == bool(way.traceback), stderr
    assert way.traceback in stderr


def entries(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if not path.is_dir()}


def test_what_a_dead_worker_had_in_hand_is_told_apart_from_what_was_never_sent(spawn: Spawn, mesh_name: str) -> None:
    env = {"MESHMQ_MESH": mesh_name}
    worker = spawn(PROGRAMS / "worker.py", "jobs", "--seconds", 60, "--prefetch", 7, env=env)
    leaver = spawn(PROGRAMS / "leaver.py", "close", "--jobs", 20, "--drain", DRAIN, "--workers", 1, env=env)
    leaver.until("waiting")
    worker.until("begun 0 ")
    worker.kill()
    leaver.say("leave")
    assert leaver.wait() == 1
    (left,) = [line for line in leaver.rest() if line.startswith("left ")]
    facts = json.loads(left.removeprefix("left "))
    assert facts["unsent"] + facts["unconfirmed"] == 20
    assert 1 <= facts["unconfirmed"] <= 7


@pytest.mark.parametrize(
    "way",
    [
        "async_nothing",
        pytest.param("async_with", marks=pytest.mark.stress),
        pytest.param("async_exception", marks=pytest.mark.stress),
    ],
)
@pytest.mark.parametrize("loop", ["uvloop", "portable"])
def test_another_loop_or_driver_leaves_in_the_same_way(spawn: Spawn, mesh_name: str, way: str, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop", reason="uvloop is not installed")
    env = {"MESHMQ_MESH": mesh_name, "MESHMQ_PORTABLE": str(int(loop == "portable"))}
    options = ["--jobs", 100, "--drain", SLACK, *(["--uvloop"] if loop == "uvloop" else [])]
    leaver = spawn(PROGRAMS / "leaver.py", way, *options, env=env)
    leaver.until("waiting")
    worker = spawn(PROGRAMS / "worker.py", "jobs", env=env)
    worker.until("event joined")
    leaver.say("leave")
    assert leaver.wait() == int(way == "async_exception")
    worker.until("done 99")
    check_words(leaver.stderr, Way("", "", 0, traceback="told to" if way == "async_exception" else ""))
    assert "not sent" not in leaver.stderr


@pytest.mark.parametrize("program", ["close", "with", "async_with"])
def test_a_second_ctrl_c_ends_a_long_drain_at_once_and_what_is_left_is_logged(
    spawn: Spawn, mesh_name: str, program: str
) -> None:
    leaver = spawn(PROGRAMS / "leaver.py", program, "--jobs", 5, "--drain", 600, env={"MESHMQ_MESH": mesh_name})
    leaver.until("waiting")
    leaver.say("leave")
    leaver.until("leaving")
    for _ in range(50):  # signals that come too soon after each other are one
        leaver.signal(signal.SIGINT)
        if ended(leaver, 0.2):
            break
    assert leaver.wait() == -signal.SIGINT
    assert "5 jobs were not sent" in leaver.stderr


@pytest.mark.parametrize("program", ["close", "nothing", "async_nothing"])
def test_sigterm_during_a_long_drain_is_given_its_drain_and_its_code(
    spawn: Spawn, mesh_name: str, program: str
) -> None:
    leaver = spawn(PROGRAMS / "leaver.py", program, "--jobs", 5, "--drain", 1, env={"MESHMQ_MESH": mesh_name})
    leaver.until("waiting")
    leaver.say("leave")
    leaver.until("leaving")
    leaver.signal(signal.SIGTERM)
    began = time.monotonic()
    assert leaver.wait(30) in ((143, 0) if program != "close" else (143, 1))
    assert time.monotonic() - began < 2 * 1 + SLACK
    assert "5 jobs were not sent" in leaver.stderr + "\n".join(leaver.rest())
    # A signal that Python swallows, in a __del__ or at its own end, is told to nobody: it strikes the drain.
    check_words(leaver.stderr.replace("Traceback", ""), Way("", "", 0))


def test_a_node_alone_leaves_at_once(spawn: Spawn, mesh_name: str, runtime_directory: Path) -> None:
    for program in ("with", "nothing", "async_with", "async_nothing") if STRESS else ("with", "async_nothing"):
        leaver = spawn(PROGRAMS / "leaver.py", program, "--jobs", 0, "--drain", 600, env={"MESHMQ_MESH": mesh_name})
        leaver.until("waiting")
        leaver.say("leave")
        assert leaver.wait(LIMIT) == 0
        assert leaver.stderr == ""
        assert not entries(runtime_directory)


def ended(child: Child, seconds: float) -> bool:
    try:
        child.wait(seconds)
    except AssertionError:
        return False
    return True
