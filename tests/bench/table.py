"""One table of what was compared, on which machine and with what."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from statistics import median

import zmq

from tests.bench.rounds import Compared, Run

COLUMNS = (26, 9, 12, 12, 7, 14, 14)


def show(results: Sequence[Compared], ours: str = "MeshMQ", theirs: str = "pyzmq") -> None:
    """Print the table, of ours and theirs."""
    parts = ["meshmq", "pyzmq", "msgpack", "zeroconf"]
    print(f"Python {platform.python_version()}, libzmq {zmq.zmq_version()}, ", end="")
    print(", ".join(f"{part} {version(part)}" for part in parts), end=f", {platform.system()}, {os.cpu_count()} cores")
    print(f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    if ours == "MeshMQ":
        print("Small dicts, pushed and acked by MeshMQ; sent with PUSH/PULL and msgpack for each, not acked, by pyzmq.")
    else:
        ways = "through a device" + (", which somebody taps or nobody" if ours == "tapped" else ", or directly")
        print(f"Small dicts, pushed and acked {ways}. Its own processor time is not counted.")
    print("Medians. CPU: seconds of processor time for a million jobs, pusher + workers.\n")
    line("", "over", ours, theirs, "ratio", f"CPU {ours}", f"CPU {theirs}")
    for result in results:
        case = result.case
        if case.paces:
            one, other = (
                f"{median(run.over_ideal for run in runs):.2f} x ideal" for runs in (result.mesh, result.plain)
            )
            line(case.title, case.transport, one, other, f"{result.ratio:.2f}", "", "")
        else:
            one, other = (f"{median(run.rate for run in runs):,.0f}/s" for runs in (result.mesh, result.plain))
            line(case.title, case.transport, one, other, f"{result.ratio:.2f}", used(result.mesh), used(result.plain))
    if results:
        print(f"\n{min(len(result.mesh) for result in results)} rounds, both in turn.")


def used(runs: Sequence[Run]) -> str:
    return f"{median(run.push_cpu for run in runs):.2f} + {median(run.pull_cpu for run in runs):.2f}"


def line(*cells: str, columns: Sequence[int] = COLUMNS) -> None:
    """Print the first two cells to the left, the others to the right."""
    shown = [
        f"{cell:<{width}}" if number < 2 else f"{cell:>{width}}"
        for number, (cell, width) in enumerate(zip(cells, columns, strict=True))
    ]
    print(" ".join(shown).rstrip())
