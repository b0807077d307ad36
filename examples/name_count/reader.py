"""Reads every file and pushes it into the queue "files"; when all are counted it asks for the totals.

Usage: python reader.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import meshmq
from examples.name_count.counting import sources
from examples.name_count.lifeline import close_when_input_ends
from examples.name_count.telling import tell

#: So many files are on their way at most; then push waits. That is back-pressure.
FILES_AHEAD: Final = 100


def main(top: Path) -> None:
    settings = meshmq.Settings(outbox_jobs=FILES_AHEAD)
    with meshmq.Node(settings=settings) as node:
        close_when_input_ends(node)

        @node.subscribe("progress.**")
        def show(progress: dict[str, int]) -> None:
            tell(done=progress["done"])

        # For the jobs nobody need be there yet; who wants to see progress from its beginning has to know who makes it.
        node.wait_for(reply="totals")
        for path in sources(top):
            node.push("files", {"path": str(path.relative_to(top)), "source": path.read_bytes()})
        node.flush()
        tell(**node.request("totals", timeout=30), stats=node.stats(), peers=[peer.as_dict() for peer in node.peers()])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
