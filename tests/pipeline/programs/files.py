"""Three stages over files: read, count, store; whoever is to die does, once, in the middle of its work.

``files.py SOURCES RESULTS DOOM``: the results are files, one for each source, so that a second time changes nothing.
``DOOM`` says which process dies of which file: ``{"read-1": 5, ...}`` by the number of the file, or, from outside,
when so many are stored.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meshmq import Pipeline
from meshmq.pipeline import Report

SOURCES, RESULTS, DOOM, FROM_OUTSIDE = (*map(Path, sys.argv[1:3]), json.loads(sys.argv[3]), sys.argv[4] == "outside")
pipeline = Pipeline("files")


def die_if_doomed(stage: str, number: int) -> None:
    mark = RESULTS / f"{stage}.died"
    if not FROM_OUTSIDE and DOOM.get(stage) == number and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


@pipeline.source
def paths() -> Iterator[tuple[int, str]]:
    yield from enumerate(sorted(str(path) for path in SOURCES.rglob("*.py")))


@pipeline.stage(workers=2)
def read(file: tuple[int, str]) -> tuple[int, str, bytes]:
    number, path = file
    die_if_doomed("read", number)
    return number, path, Path(path).read_bytes()


@pipeline.stage(workers=2)
def count(file: tuple[int, str, bytes]) -> tuple[int, str, dict[str, int]]:
    number, path, text = file
    die_if_doomed("count", number)
    return number, path, dict(Counter(text.decode(errors="replace").split()).most_common(10))


@pipeline.sink
def store(counted: tuple[int, str, dict[str, int]]) -> None:
    number, path, words = counted
    result = RESULTS / f"{number}.json"
    draft = result.with_suffix(".draft")
    draft.write_text(json.dumps([path, words]))
    die_if_doomed("store", number)
    draft.replace(result)


def kill_from_outside(report: Report) -> None:
    for label in [label for label, at in DOOM.items() if report.stages["store"].done >= at]:
        if label in report.processes:
            del DOOM[label]
            os.kill(report.processes[label], signal.SIGKILL)


if __name__ == "__main__":
    told: Any = pipeline.run(show=kill_from_outside if FROM_OUTSIDE else lambda report: None)
    print(json.dumps([told.complete, {name: stage.restarts for name, stage in told.stages.items()}, DOOM]))
