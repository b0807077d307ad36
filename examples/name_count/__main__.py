"""The main job: a pipeline of five processes counts the names in Python's standard library.

One reads, three count, one adds up. Half way one counter is killed, and started again. Then one plain process
counts the same, and any difference between the two is a failure. With --device a device stands between the processes;
it is killed, too, when it has passed on a quarter, and started again.

Usage: python examples/name_count [--device] [DIRECTORY]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import meshmq
from examples.crew import Crew
from examples.name_count.counting import Totals, names_in, sources
from examples.name_count.job import pipeline
from examples.name_count.report import Progress, Result, differences, report
from meshmq.pipeline import Report

KILLED: Final = "count-2"


def main() -> int:
    parser = argparse.ArgumentParser("python examples/name_count", description="Count the names in Python files.")
    parser.add_argument("--device", action="store_true", help="have a device in between, and kill it, too")
    parser.add_argument("directory", nargs="?", metavar="DIRECTORY", help="default: Python's standard library")
    asked = parser.parse_args()
    top = Path(asked.directory or sysconfig.get_path("stdlib")).resolve()
    total = len(sources(top))
    if not total:
        print(f"no Python files under {top}", file=sys.stderr)
        return 2
    whose = top if asked.directory else f"the standard library of Python {platform.python_version()}"
    print(f"The names in {total:,} files of {whose}")
    print(f"counted by a pipeline of five processes{' and a device' * asked.device}:", flush=True)
    try:
        mesh = count_in_a_mesh(top, total, device=asked.device)
        if mesh is not None:
            print("and by one plain process:")
            plain = count_plainly(top, total)
    except meshmq.MeshError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        mesh = None
    if mesh is None:
        print("\ninterrupted", file=sys.stderr)
        return 130
    print("", *report(mesh, plain), sep="\n")
    wrong = differences(mesh, plain)
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


class Device:
    """Stands between the processes of the pipeline."""

    def __init__(self, crew: Crew, desk: meshmq.Node) -> None:
        self._crew, self._desk = crew, desk
        #: How many files it had passed on when it was killed; ``None`` before.
        self.until_killed: int | None = None
        crew.start("hub", "hub")
        self.passed_on()  # it is there

    def passed_on(self) -> int:
        """Return how many files it has passed on since it was started."""
        told = self._desk.request("meshmq.stats", to="hub", timeout=20, idempotent=True)
        return int(told["forwards"]["queues"]["names.count"]["acked"])

    def kill(self) -> None:
        """End it with SIGKILL, start it again, and wait until it is there."""
        self.until_killed = self.passed_on()
        self._crew.kill("hub")
        self._crew.start("hub", "hub")
        self.passed_on()


def count_in_a_mesh(top: Path, total: int, *, device: bool) -> Result | None:
    """Have it counted by the pipeline, of which a process is killed half way; ``None`` where it was ended."""
    counters = dict[str, str]()
    with ExitStack() as stack:
        crew = stack.enter_context(Crew(Path(__file__).resolve().parent))  # in a mesh that nobody else is in
        hub = Device(crew, stack.enter_context(meshmq.Node("desk"))) if device else None
        totals = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "totals.json"
        progress = Progress("mesh ", total)

        def look(now: Report) -> None:
            processes = {label: process for label, process in now.processes.items() if label.startswith("count-")}
            for label, process in processes.items():
                counters.setdefault(str(process), label)
            done = min(total, now.stages["total"].done)
            progress.show(done)
            if hub is not None and hub.until_killed is None and hub.passed_on() >= total / 4:
                hub.kill()
                progress.note("killed the device with SIGKILL, and started it again")
            if done >= total / 2 and f"{KILLED} (killed)" not in counters.values() and KILLED in processes:
                os.kill(processes[KILLED], signal.SIGKILL)
                counters[str(processes[KILLED])] = f"{KILLED} (killed)"
                progress.note(f"killed {KILLED} with SIGKILL")

        sys.argv[1:] = [str(top), str(totals)]  # which are the arguments of all processes
        done = pipeline.run(show=look)
        look(done)
        if not done.complete:
            return None
        passed_on = (hub.until_killed or 0, hub.passed_on()) if hub is not None else None
        return Result(done.seconds, json.loads(totals.read_text()), done, counters, passed_on)


def count_plainly(top: Path, total: int) -> Result:
    """Count it in this process, without a mesh."""
    progress, totals = Progress("plain", total), Totals()
    for path in sources(top):
        totals.add(str(path.relative_to(top)), names_in(path.read_bytes()), "plain")
        progress.show(len(totals.files))
    return Result(progress.seconds, totals.as_words())


if __name__ == "__main__":
    sys.exit(main())
