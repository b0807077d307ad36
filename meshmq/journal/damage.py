"""What becomes of a journal whose file is damaged: it is moved aside whole, if it is the journal's alone."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from meshmq.errors import JournalError


def set_aside(path: Path, why: str, *, alone: bool) -> JournalError:
    """Move a damaged file aside with its -wal, and return the error that says so.

    What is not known to hold the journal alone is left where it is: it may be the user's own database.
    """
    if not alone:
        return JournalError(
            f"the journal '{path}' cannot be read ({why}); it was left as it is, for it may hold more than the "
            "journal: restore it from a backup or with `sqlite3 FILE .recover`, or give another file",
            "damaged",
        )
    aside = _free(path)
    moved = []
    for ending in ("-wal", ""):  # the file last: as long as it is there, the next start finds it damaged, too
        source = path.with_name(path.name + ending)
        with suppress(FileNotFoundError):
            source.rename(aside.with_name(aside.name + ending))
            moved.append(ending)
    with suppress(OSError):
        path.with_name(path.name + "-shm").unlink()
    return JournalError(
        f"the journal '{path}' is damaged ({why}) and was moved to '{aside}'"
        + (f" with its -wal: {_NEXT}" if "-wal" in moved else f": {_NEXT}"),
        "damaged",
    )


_NEXT = "starting again begins with an empty journal; `sqlite3 FILE .recover` may save what the old one held"


def _free(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%S")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{number}")
    return aside
