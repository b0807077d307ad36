"""Writes three logs while they are followed, and compares in the end what was counted with what was written."""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import meshmq
from examples.crew import Crew
from examples.log_processing.telling import alarm_words, count_words
from examples.log_processing.writer import Writer

SERVICES: Final = ("db", "pay", "web")
WINDOW: Final = 0.5
BOUND: Final = 10
STEPS: Final = 100
LIMIT: Final = 20.0


def demo() -> int:
    """Let it happen; returns 1 where a line was lost or counted twice."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Crew(Path(__file__).resolve().parent) as crew,
        meshmq.Node("desk") as desk,
        desk.pull("alarms") as alarms,
        desk.subscribe("window", since="last", latest=True) as window,
        closing(Writer(Path(directory), SERVICES)) as writer,
    ):
        crew.start("tally", "tally", WINDOW, BOUND)
        for name in ("counter-1", "counter-2"):
            crew.start("counter", name)
        crew.start("follower", "follower", "--whole", *writer.paths.values())
        print("db.log, pay.log and web.log grow; one follower, two counters, one tally", flush=True)
        write(writer, window, crew)
        for number in range(4 * BOUND):
            writer.write("pay", "ERROR", f"card {number} is refused")
        for _ in ("raised", "over"):
            alarm = alarms.receive(LIMIT).data
            print(alarm_words(alarm["service"], BOUND, WINDOW, raised=alarm["raised"]), flush=True)
            print(f"       by then: {count_words(alarm['counts'])}", flush=True)
        return report(counted(window, writer), writer.written)


def write(writer: Writer, window: meshmq.Subscription, crew: Crew) -> None:
    """Write what is usual, and meanwhile do to files and counters what happens to them."""
    pause = threading.Event()  # nobody sets it: it is there to wait
    for step in range(STEPS):
        writer.write("db", "INFO", f"query {step}")
        writer.write("pay", "INFO" if step % 10 else "WARNING", f"payment {step}")
        writer.write("web", "INFO", f"GET /{step}")
        match step:
            case 0:
                counted(window, writer)  # from here on somebody follows
            case 30:
                writer.rotate("web")
                print("web.log is renamed and made anew", flush=True)
            case 50:
                counted(window, writer)  # else what nobody has read yet would be gone
                writer.truncate("db")
                print("db.log is truncated", flush=True)
            case 70:
                crew.kill("counter-1")
                crew.start("counter", "counter-3")
                print("counter-1 is killed with SIGKILL, counter-3 started", flush=True)
        pause.wait(0.005)


def counted(window: meshmq.Subscription, writer: Writer) -> dict[str, Any]:
    """Return what the tally says when it has counted as many lines as were written, or does not in time."""
    deadline = time.monotonic() + LIMIT
    while True:
        state: dict[str, Any] = window.receive(LIMIT).data
        if sum(number for *_, number in state["total"]) >= writer.written.total() or time.monotonic() > deadline:
            return state


def report(state: dict[str, Any], written: Counter[tuple[str, str]]) -> int:
    """Compare; returns 1 where there is a difference."""
    total = Counter({(service, level): number for service, level, number in state["total"]})
    lost, twice = written - total, total - written
    print(f"written: {count_words([(*key, number) for key, number in sorted(written.items())])}")
    print(f"counted: {count_words(state['total'])}")
    print(f"lost {lost.total()}, counted twice {twice.total()}; came twice and was added once: {state['repeats']}")
    return 1 if lost or twice else 0
