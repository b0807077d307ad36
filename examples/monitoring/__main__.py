"""Three nodes measure this machine; a viewer who comes late sees all of them at once, and alarms as they come.

Then one figure passes its bound, one node is stopped, and one is killed.

Usage: python examples/monitoring
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

sys.path.append(str(Path(__file__).resolve().parents[2]))  # examples.* are there

import meshmq
from examples.crew import Crew
from examples.monitoring.board import Board, Change
from examples.monitoring.figures import MIB
from examples.monitoring.screen import Screen
from examples.monitoring.watch import watch

AGENTS: Final = {
    "web": ("--every", 0.1, "--process", os.getpid()),
    "db": ("--every", 0.1),
    "archive": ("--every", 3600),
}
LIMIT: Final = 20.0


def main() -> None:
    if not Path("/proc/self/statm").exists():
        sys.exit("the figures come from /proc, which this system does not have")
    with Crew(Path(__file__).resolve().parent) as crew:
        for name, options in AGENTS.items():
            crew.start("agent", name, *options)
        until_all_have_measured()
        print("web, db and archive have measured this machine; archive will do so again in an hour.", flush=True)
        opened = time.monotonic()
        with meshmq.Node("viewer") as viewer:
            board = Board()
            screen, news = Screen(board), watch(viewer, board)
            until(lambda: len(board.rows) == len(AGENTS), news, screen)
            screen.say(f"A viewer who comes late has their last figures after {time.monotonic() - opened:.2f} s:")
            screen.show()
            for reached in story(crew, screen, board):
                until(reached, news, screen)


def until_all_have_measured() -> None:
    with meshmq.Node("early") as early, early.subscribe("figures.*", since="last", latest=True) as figures:
        measured = set[str]()
        while len(measured) < len(AGENTS):
            measured.add(figures.receive(LIMIT).sender)


def until(reached: Callable[[], bool], news: Iterator[Change | None], screen: Screen) -> None:
    """Show what changes until that is reached."""
    began = time.monotonic()
    while not reached():
        change = next(news)
        if change is not None:
            screen.say(str(change))
            continue
        screen.refresh()
        if time.monotonic() - began > LIMIT:
            raise TimeoutError(f"nothing came of it within {LIMIT:g} s")


def story(crew: Crew, screen: Screen, board: Board) -> Iterator[Callable[[], bool]]:
    """Do one thing after another; yields what has to be reached before the next."""
    screen.say("The process that web watches takes 100 MiB more.")
    ballast = b"x" * (100 * MIB)
    yield lambda: ("web", "process") in board.alarms
    del ballast
    yield lambda: ("web", "process") not in board.alarms
    screen.say("db is stopped with SIGSTOP.")
    crew.stop("db")
    yield lambda: ("db", "silent") in board.alarms
    crew.resume("db")
    yield lambda: ("db", "silent") not in board.alarms
    screen.say("archive is killed with SIGKILL.")
    crew.kill("archive")
    yield lambda: ("archive", "died") in board.alarms


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
