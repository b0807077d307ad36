"""The job: a source that reads files, a stage that counts names, a sink that adds them up.

It runs as it is: ``meshmq up examples.name_count.job:pipeline --arguments DIRECTORY TOTALS``, where TOTALS is the
file that the totals are written to in the end.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import meshmq
from examples.name_count.counting import Totals, names_in, sources

#: At most 100 files are on their way; then the source waits: that is back-pressure. Who is left alone, because the
#: program that runs it was killed, gives up after a second.
pipeline = meshmq.Pipeline("names", settings=meshmq.Settings(outbox_jobs=100, drain=1.0))
#: What its stages pull.
QUEUES: Final = ("names.count", "names.total")


@pipeline.source
def files() -> Iterator[dict[str, Any]]:
    top = Path(sys.argv[1])
    for path in sources(top):
        yield {"path": str(path.relative_to(top)), "source": path.read_bytes()}


@pipeline.stage(workers=3)
def count(file: dict[str, Any]) -> dict[str, Any]:
    return {"path": file["path"], "names": names_in(file["source"]), "by": os.getpid()}


@pipeline.sink
class Total:
    """Adds each file once, by its path: a job is done at least once."""

    def __init__(self) -> None:
        self._totals = Totals()

    def __call__(self, counted: dict[str, Any]) -> None:
        self._totals.add(counted["path"], counted["names"], str(counted["by"]))

    def close(self) -> None:
        Path(sys.argv[2]).write_text(json.dumps(self._totals.as_words()))
