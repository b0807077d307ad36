"""Speed, as ratios to what people would pick instead: run by ``make bench``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from meshmq.bench.actors import Troupe
from meshmq.bench.plot import check_plot
from meshmq.bench.rounds import Compared, Scene, compare
from meshmq.bench.table import headline, run_line
from meshmq.errors import ConfigError
from tests.bench import brokers, ratios
from tests.bench.devices import DeviceScene
from tests.bench.field import FieldScene, missing, sections, servers
from tests.bench.meeting import meetings
from tests.bench.records import records
from tests.bench.scale import measure

ROOT = Path(__file__).resolve().parents[2]
SPECIAL = ("journal", "meeting", "scale")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=90.0, help="after which no section begins another round")
    parser.add_argument("--size", type=float, default=1.0, help="of each run")
    parser.add_argument("--subscribers", type=int, nargs="+", default=[1, 4, 8], help="how many hear what is published")
    parser.add_argument("--only", default="", help="a section (push, publish, request, large, discover, brokers, "
                        "device, journal, meeting, scale), or what has this word in its title")  # fmt: skip
    parser.add_argument("--plot", metavar="FILE", help="draw a picture of the ratios, too")
    arguments = parser.parse_args()
    if arguments.plot:
        try:
            check_plot(Path(arguments.plot))
        except ConfigError as error:
            print(f"no picture: {error}")
            arguments.plot = None
    if lacking := missing():
        print("Not compared, for it is not installed:", "; ".join(lacking))
    ratios.head()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = []
    for name, works in sections(arguments.size, arguments.subscribers).items():
        chosen = works if arguments.only == name else [one for one in works if arguments.only in headline(one.work)]
        if arguments.only in SPECIAL or not chosen:
            continue
        try:
            play(name, chosen, arguments)
        finally:
            done += chosen
            ratios.show(chosen)
            print(flush=True)
    if "journal".startswith(arguments.only):
        records(arguments.size, arguments.rounds, arguments.seconds)
    if "meeting".startswith(arguments.only):
        meetings(arguments.rounds)
    if arguments.only == "scale":  # named only: ten processes of ten nodes leave nothing to the others for a minute
        measure(arguments.rounds)
    if arguments.plot:
        ratios.draw(done, arguments.plot)


def play(name: str, works: list[Compared], arguments: argparse.Namespace) -> None:
    """Play one section, with the servers it needs."""
    with brokers.running(servers() if name == "brokers" else []) as pids:
        scenes: dict[str, type[Scene]] = {"device": DeviceScene}
        scene = scenes[name](Troupe(), Troupe()) if name in scenes else FieldScene(Troupe(), Troupe(), pids=pids)
        try:
            compare(
                works,
                scene,
                arguments.rounds,
                lambda number, compared, side, run: print(
                    f"{number} {headline(compared.work)}: {run_line(compared.work, side, run)}",
                    file=sys.stderr,
                    flush=True,
                ),
                arguments.seconds,
            )
        finally:
            scene.close()


if __name__ == "__main__":
    main()
