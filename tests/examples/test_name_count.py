"""The main job, run: totals equal the plain program's after a kill, and nobody is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.name_count.job import files, pipeline
from tests.architecture import ROOT
from tests.network.children import LIMIT
from tests.network.conftest import Spawn, Start

JOB = ROOT / "examples" / "name_count"
#: A piece of the standard library that is large enough for a kill half way.
PIECE = Path(json.__file__).parents[1] / "asyncio"


def test_totals_are_right_though_a_counter_was_killed(spawn: Spawn, tmp_path: Path) -> None:
    job = spawn(JOB, copies(tmp_path, 5))
    status = job.wait(60)
    lines = job.rest()
    assert status == 0, "\n".join([*lines, job.stderr])
    told = {line[:12].strip(): line[13:] for line in lines}
    assert told["lost"] == "0 jobs"
    assert told["compared"].endswith("no difference")
    assert "count-2 (killed)" in told["shares"]
    assert "killed count-2 with SIGKILL" in lines


@pytest.mark.stress
def test_totals_are_right_though_a_device_in_between_was_killed_too(spawn: Spawn, tmp_path: Path) -> None:
    copies(tmp_path, 12)
    os.mkfifo(pipe := tmp_path / "6.py")  # after the files of 0 to 6: who reads them waits here
    job = spawn(JOB, "--device", tmp_path)
    lines = job.until("killed the device with SIGKILL, and started it again")
    pipe.write_text("x = 1\n")  # more files than may be on their way at a time are still to be counted
    lines += job.until("plain process")
    pipe.write_text("x = 1\n")
    status = job.wait(60)
    lines += job.rest()
    assert status == 0, "\n".join([*lines, job.stderr])
    told = {line[:12].strip(): line[13:] for line in lines}
    assert told["lost"] == "0 jobs"
    assert told["compared"].endswith("no difference")
    before, after = map(int, re.findall(r"\d+", told["device"].replace(",", "")))
    assert before >= 12 * len(list(PIECE.glob("*.py"))) / 4, "it was killed in the midst"
    assert after > 0, "and was in between again"


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize(("given", "passed_on"), [([], []), (["DEVICE=1"], ["--device"])])
def test_make_demo_has_a_device_where_it_is_asked_for(start: Start, given: list[str], passed_on: list[str]) -> None:
    outer = {"MAKEFLAGS": "", "DEVICE": ""}  # what the make that runs the tests was given
    make = start(["make", "--dry-run", "--no-print-directory", "demo", *given], cwd=ROOT, env=outer)
    assert make.rest()[-1].split()[1:] == ["examples/name_count", *passed_on], make.stderr


def test_stages_of_the_job_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["job", str(tmp_path), str(tmp_path / "totals.json")])
    (tmp_path / "a.py").write_text("x = x\n")
    arrived = pipeline.test(files())
    assert arrived["count"] == [{"path": "a.py", "source": b"x = x\n"}]
    assert arrived["total"] == [{"path": "a.py", "names": {"x": 2}, "by": os.getpid()}]
    assert json.loads((tmp_path / "totals.json").read_text())["names"] == {"x": 2}


def test_directory_without_python_files_is_a_wrong_use(spawn: Spawn, tmp_path: Path) -> None:
    job = spawn(JOB, tmp_path)
    assert job.wait() == 2
    assert "no Python files" in job.stderr


@pytest.mark.stress
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


@pytest.mark.stress
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "options"),
    [
        (signal.SIGINT, []),
        pytest.param(signal.SIGTERM, ["--device"], marks=pytest.mark.stress),
        (signal.SIGKILL, ["--device"]),
    ],
)
def test_nobody_outlives_the_job(
    spawn: Spawn, runtime_directory: Path, tmp_path: Path, number: signal.Signals, options: list[str]
) -> None:
    job = spawn(JOB, *options, copies(tmp_path, 10))
    job.until("mesh   ")
    with contextlib.ExitStack() as stack:
        members = [os.pidfd_open(pid) for pid in processes_in(runtime_directory) if pid != job.pid]
        for member in members:
            stack.callback(os.close, member)
        assert len(members) >= 5  # the device may just have been killed, as it is once, and is started again
        job.signal(number)
        assert job.wait() == (-9 if number == signal.SIGKILL else 130)
        for pid in processes_in(runtime_directory):  # one that was started meanwhile
            with contextlib.suppress(ProcessLookupError):
                members.append(os.pidfd_open(pid))
                stack.callback(os.close, members[-1])
        for member in members:  # readable when its process has ended
            assert select.select([member], [], [], LIMIT)[0]
    assert "Traceback" not in job.stderr


def copies(directory: Path, count: int) -> Path:
    """Fill a directory with copies of the piece: enough to be far from done when the first of them are counted."""
    for copy in range(count):
        shutil.copytree(PIECE, directory / f"{copy}", ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def processes_in(runtime_directory: Path) -> Iterator[int]:
    """Yield the pids of this test's programs: they carry its runtime directory in their environment."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        pid = int(environ.parent.name)
        with contextlib.suppress(OSError):
            if pid != os.getpid() and str(runtime_directory).encode() in environ.read_bytes():
                yield pid
