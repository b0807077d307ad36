"""The main job, run: totals equal the plain program's after a kill, and nobody is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import meshmq
from tests.architecture import ROOT
from tests.network.children import LIMIT
from tests.network.conftest import Spawn

JOB = ROOT / "examples" / "name_count"
#: A piece of the standard library that is large enough for a kill half way.
PIECE = Path(json.__file__).parents[1] / "asyncio"


def test_totals_are_right_though_a_counter_was_killed(spawn: Spawn) -> None:
    job = spawn(JOB, PIECE)
    status = job.wait(60)
    lines = job.rest()
    assert status == 0, "\n".join([*lines, job.stderr])
    told = {line[:12].strip(): line[13:] for line in lines}
    assert told["lost"] == "0 jobs"
    assert told["compared"].endswith("no difference")
    assert "counter-2" in told["shares"]
    assert "(killed)" in told["shares"]
    assert "killed counter-2 with SIGKILL, started counter-4" in lines


def test_totaller_publishes_progress_and_answers_for_its_totals(spawn: Spawn, mesh_name: str) -> None:
    totaller = spawn(JOB / "totaller.py", env={"MESHMQ_MESH": mesh_name, "PYTHONPATH": str(ROOT)})
    with meshmq.Node(mesh=mesh_name) as node, node.subscribe("progress.**") as progress:
        first = {"path": "a.py", "names": {"x": 2}, "by": "counter-1"}
        node.queue("counts").push_many([first, first, {"path": "b.py", "names": None, "by": "counter-2"}])
        node.flush(timeout=LIMIT)
        heard = sorted((message.topic, message.data) for message in (progress.receive(LIMIT), progress.receive(LIMIT)))
        assert heard == [
            ("progress.counter-1", {"done": 1, "share": 1}),
            ("progress.counter-2", {"done": 2, "share": 1}),
        ]
        assert node.request("totals") == {
            "totals": {"names": {"x": 2}, "files": ["a.py", "b.py"], "unreadable": ["b.py"]},
            "shares": {"counter-1": 1, "counter-2": 1},
            "repeats": 1,
        }
    totaller.signal(signal.SIGTERM)
    assert totaller.wait() == 0, totaller.stderr


def test_directory_without_python_files_is_a_wrong_use(spawn: Spawn, tmp_path: Path) -> None:
    job = spawn(JOB, tmp_path)
    assert job.wait() == 2
    assert "no Python files" in job.stderr


def test_difference_is_a_failure(spawn: Spawn, tmp_path: Path) -> None:
    # A file that shrinks while it is counted is another file for the plain program, which comes later.
    os.mkfifo(pipe := tmp_path / "pipe.py")
    (tmp_path / "a.py").write_text("x = 1\n")
    job = spawn(JOB, tmp_path)
    pipe.write_text("x = 1\n")  # waits until somebody has opened it to read
    job.until("plain process")
    pipe.write_text("x = 2; y = 3\n")
    assert job.wait(60) == 1
    assert "names: 1 differ, as y: 0, not 1" in job.stderr


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.stress), signal.SIGKILL]
)
def test_nobody_outlives_the_job(spawn: Spawn, runtime_directory: Path, tmp_path: Path, number: signal.Signals) -> None:
    for copy in range(10):  # enough to be far from done when the first quarter is
        shutil.copytree(PIECE, tmp_path / f"{copy}", ignore=shutil.ignore_patterns("__pycache__"))
    job = spawn(JOB, tmp_path)
    job.until("25%")
    with contextlib.ExitStack() as stack:
        members = [os.pidfd_open(pid) for pid in processes_in(runtime_directory) if pid != job.pid]
        for member in members:
            stack.callback(os.close, member)
        assert len(members) == 5
        job.signal(number)
        assert job.wait() == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
        for member in members:  # readable when its process has ended
            assert select.select([member], [], [], LIMIT)[0]
    assert "Traceback" not in job.stderr


def processes_in(runtime_directory: Path) -> Iterator[int]:
    """Yield the pids of this test's programs: they carry its runtime directory in their environment."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        pid = int(environ.parent.name)
        with contextlib.suppress(OSError):
            if pid != os.getpid() and str(runtime_directory).encode() in environ.read_bytes():
                yield pid
