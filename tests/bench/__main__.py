"""Speed, as ratios to what people write by hand: run by ``make bench``, under three minutes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.bench.calling import calling
from tests.bench.meeting import meetings
from tests.bench.publishing import publishing
from tests.bench.records import records
from tests.bench.rounds import PACES, Case, compare
from tests.bench.table import show


def cases(size: float) -> list[Case]:
    """Return what is compared; ``size`` 1 is what takes about half a second each."""

    def jobs(count: int) -> int:
        return max(20, int(count * size))

    return [
        Case("sync 1:1", "ipc", jobs(300_000), jobs(150_000)),
        Case("sync 1:1", "tcp", jobs(300_000), jobs(150_000)),
        Case("sync 1:4", "ipc", jobs(300_000), jobs(150_000), workers=4),
        Case("asyncio 1:1", "ipc", jobs(150_000), jobs(15_000), face=" async"),
        Case("asyncio 1:1", "tcp", jobs(150_000), jobs(15_000), face=" async"),
        Case("workers of 1, 10, 100 ms", "ipc", jobs(2_220), jobs(111), paces=PACES),
    ]


def through(size: float) -> list[Case]:
    """Return what is compared of devices."""

    def jobs(count: int) -> int:
        return max(20, int(count * size))

    return [
        Case("device 1:1", "ipc", jobs(150_000), 0, device=True),
        Case("device 1:1", "tcp", jobs(150_000), 0, device=True),
        Case("device 1:4", "ipc", jobs(150_000), 0, workers=4, device=True),
        Case("device 1, 10, 100 ms", "ipc", jobs(2_220), 0, paces=PACES, device=True),
    ]


def tapped(size: float) -> list[Case]:
    """Return what is compared of devices that somebody taps."""
    return [Case("tapped device 1:1", "ipc", max(20, int(150_000 * size)), 0, device=True, tapped=True)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0, help="after which no section begins another round")
    parser.add_argument("--size", type=float, default=1.0, help="of each run")
    parser.add_argument("--subscribers", type=int, nargs="+", default=[1, 4, 8], help="how many hear what is published")
    parser.add_argument(
        "--only", default="", help="only the jobs whose title or transport holds this word, or a section"
    )
    arguments = parser.parse_args()
    chosen = [case for case in cases(arguments.size) if arguments.only in f"{case.title} {case.transport}"]
    if chosen:
        show(compare(chosen, arguments.rounds, arguments.seconds))
    devices = [case for case in through(arguments.size) if arguments.only in f"{case.title} {case.transport}"]
    if devices:
        print()
        show(compare(devices, arguments.rounds, arguments.seconds), "through", "directly")
    taps = [case for case in tapped(arguments.size) if arguments.only in f"{case.title} {case.transport}"]
    if taps:
        print()
        show(compare(taps, arguments.rounds, arguments.seconds), "tapped", "untapped")
    if "publish".startswith(arguments.only):
        publishing(tuple(arguments.subscribers), arguments.size, arguments.rounds, arguments.seconds)
    if "request".startswith(arguments.only):
        calling(arguments.size, arguments.rounds, arguments.seconds)
    if "journal".startswith(arguments.only):
        records(arguments.size, arguments.rounds, arguments.seconds)
    if "discovery".startswith(arguments.only):
        meetings(arguments.rounds)


if __name__ == "__main__":
    main()
