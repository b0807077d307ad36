"""Examples that are started by one command: beside each other, again, and leaving nobody behind."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.architecture import ROOT
from tests.examples.promises import command, promised, steady
from tests.network.children import LIMIT
from tests.network.conftest import Start
from tests.scale import STRESS

#: Each with a line that it prints when all of it is at work; of monitoring one process stands still by then.
AT_WORK: Final = {
    "camera": "slow    picture 1",
    "log_processing": "db.log is truncated",
    "microservices": "60 orders",
    "monitoring": "db is stopped with SIGSTOP.",
}
STATUS: Final = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}
#: Half of them are interrupted, half killed; in ``make stress`` all by each.
SIGNALS: Final = [[number] * 4 for number in STATUS] if STRESS else [[signal.SIGINT, signal.SIGKILL] * 2]

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


@pytest.fixture(scope="module", autouse=True)
def numpy() -> None:
    pytest.importorskip("numpy", reason="pictures are numpy arrays")


@pytest.mark.stress
@pytest.mark.parametrize("numbers", SIGNALS, ids=lambda numbers: "-".join(number.name for number in numbers))
def test_nobody_outlives_an_example(start: Start, runtime_directory: Path, numbers: list[signal.Signals]) -> None:
    running = {name: start(command(name), cwd=ROOT) for name in AT_WORK}
    leaders, members = {run.pid for run in running.values()}, dict[int, int]()

    def strike(name: str, number: signal.Signals) -> None:
        """Strike an example when all of it is at work, whatever the others do: none of them works for long."""
        running[name].until(AT_WORK[name])
        for pid in processes_in(runtime_directory, leaders):
            with contextlib.suppress(ProcessLookupError):
                stack.callback(os.close, descriptor := os.pidfd_open(pid))
                members[pid] = descriptor
        running[name].signal(number)

    with contextlib.ExitStack() as stack:
        with ThreadPoolExecutor(len(running)) as pool:
            list(pool.map(strike, running, numbers))
        assert len(members) > 2 * len(running)
        for (name, example), number in zip(running.items(), numbers, strict=True):
            assert example.wait() == STATUS[number], f"{name}: {example.stderr}"
            assert "Traceback" not in example.stderr, f"{name}: {example.stderr}"
        for member in members.values():  # readable when its process has ended
            assert select.select([member], [], [], LIMIT)[0]


def processes_in(runtime_directory: Path, without: set[int]) -> Iterator[int]:
    """Yield the pids of this test's other programs: they carry its runtime directory in their environment."""
    for environ in Path("/proc").glob("[0-9]*/environ"):
        pid = int(environ.parent.name)
        with contextlib.suppress(OSError):
            if pid not in {os.getpid(), *without} and str(runtime_directory).encode() in environ.read_bytes():
                yield pid


@pytest.mark.stress
def test_examples_run_beside_each_other_and_again(start: Start) -> None:
    for _ in range(2):
        running = {name: start(command(name), cwd=ROOT) for name in AT_WORK}
        for name, example in running.items():
            printed = example.rest(40)
            assert example.wait() == 0, f"{name}: {example.stderr}"
            assert len(printed) >= len(promised(name)) - 5, name  # of a busy machine: fewer pictures, more alarms
            assert steady(printed)[0] == promised(name)[0]


@pytest.mark.parametrize("name", AT_WORK)
def test_links_lead_somewhere(name: str) -> None:
    folder = ROOT / "examples" / name
    links = re.findall(r"\]\(([^)#]+)\)", (folder / "README.md").read_text())
    assert links
    assert [link for link in links if not (folder / link).exists()] == []
