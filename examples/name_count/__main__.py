"""The main job: five processes that know only names count the names in Python's standard library.

One reader, three counters, one totaller. Half way one counter is killed and a new one started. Then
one plain process counts the same, and any difference between the two is a failure.

Usage: python examples/name_count [DIRECTORY]
"""

from __future__ import annotations

import platform
import signal
import sys
import sysconfig
from pathlib import Path
from typing import Any, Final

from examples.name_count.counting import sources
from examples.name_count.crew import Crew, CrewError
from examples.name_count.report import Progress, Result, differences, report

COUNTERS: Final = ("counter-1", "counter-2", "counter-3")
KILLED, NEW = "counter-2", "counter-4"


def main(arguments: list[str]) -> int:
    top = Path(arguments[0] if arguments else sysconfig.get_path("stdlib")).resolve()
    total = len(sources(top))
    if not total:
        print(f"no Python files under {top}", file=sys.stderr)
        return 2
    whose = top if arguments else f"the standard library of Python {platform.python_version()}"
    print(f"The names in {total:,} files of {whose}")
    print("counted by one reader, three counters and one totaller, who know each other's work by name:")
    try:
        mesh = count_in_a_mesh(top, total)
        print("and by one plain process:")
        plain = count_plainly(top, total)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except CrewError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    print("", *report(mesh, plain), sep="\n")
    wrong = differences(mesh, plain)
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


def count_in_a_mesh(top: Path, total: int) -> Result:
    """Have it counted by five processes, one of which is killed half way."""
    progress = Progress("mesh ", total)
    with Crew(progress.note) as crew:
        crew.start("totaller", "totaller")
        for name in COUNTERS:
            crew.start("counter", name)
        crew.start("reader", "reader", top)
        reader = until_the_reader_leaves(crew, progress)
        seconds = progress.seconds
        last = last_words(crew, [name for name in (*COUNTERS, NEW) if name != KILLED])
    return Result(
        seconds,
        reader["totals"],
        shares=reader["shares"],
        repeats=reader["repeats"],
        reader=reader["stats"],
        peers=reader["peers"],
        counters={name: words["stats"] for name, words in last.items()},
        killed=KILLED,
    )


def until_the_reader_leaves(crew: Crew, progress: Progress) -> dict[str, Any]:
    """Show progress and do the killing; returns the reader's last words, told when all it pushed was confirmed."""
    killed = False
    while True:
        _, words = crew.hear()
        done = words.get("done", progress.total)
        progress.show(done)
        if not killed and done >= progress.total / 2:
            killed = True
            crew.kill(KILLED)
            crew.start("counter", NEW)
            progress.note(f"killed {KILLED} with SIGKILL, started {NEW}")
        if "totals" in words:
            return words


def last_words(crew: Crew, names: list[str]) -> dict[str, dict[str, Any]]:
    """Tell programs to finish; returns what each of them told last."""
    for name in names:
        crew.end(name)
    last: dict[str, dict[str, Any]] = {}
    while len(last) < len(names):
        name, words = crew.hear()
        if name in names:
            last[name] = words
    return last


def count_plainly(top: Path, total: int) -> Result:
    """Have it counted by one process."""
    progress = Progress("plain", total)
    with Crew(progress.note) as crew:
        crew.start("plain", "plain", top)
        while True:
            _, words = crew.hear()
            if "totals" in words:
                return Result(progress.seconds, words["totals"])
            progress.show(words["done"])


if __name__ == "__main__":
    # So that SIGTERM, too, leaves no process behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
