"""The main job: a pipeline of five processes counts the names in Python's standard library.

One reads, three count, one adds up. Half way one counter is killed, and started again. Then one plain process
counts the same, and any difference between the two is a failure.

Usage: python examples/name_count [DIRECTORY]
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import signal
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

import meshmq
from examples.name_count.counting import Totals, names_in, sources
from examples.name_count.job import pipeline
from examples.name_count.report import Progress, Result, differences, report
from meshmq.pipeline import Report

KILLED: Final = "count-2"


def main(arguments: list[str]) -> int:
    top = Path(arguments[0] if arguments else sysconfig.get_path("stdlib")).resolve()
    total = len(sources(top))
    if not total:
        print(f"no Python files under {top}", file=sys.stderr)
        return 2
    whose = top if arguments else f"the standard library of Python {platform.python_version()}"
    print(f"The names in {total:,} files of {whose}")
    print("counted by a pipeline of five processes:", flush=True)
    try:
        mesh = count_in_a_mesh(top, total)
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


def count_in_a_mesh(top: Path, total: int) -> Result | None:
    """Have it counted by the pipeline, of which a process is killed half way; ``None`` where it was ended."""
    progress, counters = Progress("mesh ", total), dict[str, str]()
    for variable in [name for name in os.environ if name.startswith("MESHMQ_") and name != "MESHMQ_RUNTIME_DIR"]:
        del os.environ[variable]
    os.environ["MESHMQ_MESH"] = f"name-count-{secrets.token_hex(4)}"  # that nobody else is in

    def look(now: Report) -> None:
        processes = {label: process for label, process in now.processes.items() if label.startswith("count-")}
        counters.update((str(process), label) for label, process in processes.items() if str(process) not in counters)
        done = min(total, now.stages["total"].done)
        progress.show(done)
        if done >= total / 2 and f"{KILLED} (killed)" not in counters.values() and KILLED in processes:
            os.kill(processes[KILLED], signal.SIGKILL)
            counters[str(processes[KILLED])] = f"{KILLED} (killed)"
            progress.note(f"killed {KILLED} with SIGKILL")

    with tempfile.TemporaryDirectory() as directory:
        totals = Path(directory) / "totals.json"
        sys.argv[1:] = [str(top), str(totals)]  # which are the arguments of all processes
        done = pipeline.run(show=look)
        look(done)
        return Result(done.seconds, json.loads(totals.read_text()), done, counters) if done.complete else None


def count_plainly(top: Path, total: int) -> Result:
    """Count it in this process, without a mesh."""
    progress, totals = Progress("plain", total), Totals()
    for path in sources(top):
        totals.add(str(path.relative_to(top)), names_in(path.read_bytes()), "plain")
        progress.show(len(totals.files))
    return Result(progress.seconds, totals.as_words())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
