"""Follows log files and pushes their lines into the queue "lines", with the time at which they were read.

Usage: python follower.py [--whole] FILE...
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

import meshmq
from examples.lifeline import lifeline
from examples.log_processing.tail import Tail

#: How often to look.
LOOK: Final = 0.02
#: Where nothing is written, time goes on all the same: so often that is told.
TICK: Final = 0.2
#: So many chunks of lines are on their way at most. Then push waits: the files keep what comes meanwhile.
AHEAD: Final = 100


def main(files: list[Path], *, whole: bool) -> None:
    tails = {path.stem: Tail(path, whole=whole) for path in files}
    told = 0.0
    node = meshmq.Node(settings=meshmq.Settings(outbox_jobs=AHEAD))
    with lifeline(node) as over:
        while not over.is_set():
            new = {service: lines for service, tail in tails.items() if (lines := tail.read())}
            now = time.time()
            if not new and now - told >= TICK:
                new = {"": []}
            for service, lines in new.items():
                node.push("lines", {"service": service, "at": now, "lines": lines})
                told = now
            over.wait(LOOK)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Follow log files.")
    parser.add_argument("--whole", action="store_true", help="from the start of what is there, not from its end")
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    main(**vars(parser.parse_args()))
