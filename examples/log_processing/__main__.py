"""Follows log files, counts their lines by service and level in a sliding window, and raises an alarm.

Without files it writes some itself, rotates and truncates them, and kills a counter: see demo.py.

Usage: python examples/log_processing [FILE...]
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).resolve().parents[2]))  # examples.* are there

import meshmq
from examples.crew import Crew
from examples.log_processing.demo import demo
from examples.log_processing.telling import alarm_words, count_words

#: Over how many seconds is counted, and how many errors of one service are too many.
WINDOW: Final = 60.0
BOUND: Final = 10
#: How often the counts are shown.
SHOWN: Final = 5.0


def follow(files: list[Path]) -> None:
    """Say how much of what there is, and when errors are too many, until Ctrl-C."""
    print(f"following {', '.join(map(str, files))}; Ctrl-C ends it", flush=True)
    with Crew(Path(__file__).resolve().parent) as crew, meshmq.Node("desk") as desk:

        @desk.pull("alarms")
        def tell(alarm: dict[str, Any]) -> None:
            print(alarm_words(alarm["service"], BOUND, WINDOW, raised=alarm["raised"]), flush=True)

        crew.start("tally", "tally", WINDOW, BOUND)
        for name in ("counter-1", "counter-2"):
            crew.start("counter", name)
        crew.start("follower", "follower", *(path.resolve() for path in files))
        shown, words = 0.0, ""
        for message in desk.subscribe("window", since="last", latest=True):
            now, before = time.monotonic(), words
            if now - shown >= SHOWN and (words := count_words(message.data["counts"])) != before:
                shown = now
                print(f"in the last {WINDOW:g} s: {words}", flush=True)


if __name__ == "__main__":
    try:
        if sys.argv[1:]:
            follow([Path(name) for name in sys.argv[1:]])
        else:
            sys.exit(demo())
    except KeyboardInterrupt:
        sys.exit(130)
