"""The same count in one plain process, without MeshMQ: what the totals are compared with.

Usage: python plain.py DIRECTORY
"""

from __future__ import annotations

import sys
from pathlib import Path

from examples.name_count.counting import Totals, names_in, sources
from examples.name_count.telling import tell


def main(top: Path) -> None:
    totals = Totals()
    for path in sources(top):
        totals.add(str(path.relative_to(top)), names_in(path.read_bytes()))
        tell(done=len(totals.files))
    tell(totals=totals.as_words())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
