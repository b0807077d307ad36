"""How a node comes to its journal: by a path, or in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from meshmq.errors import ConfigError
from meshmq.journal.base import Journal, OnStaged
from meshmq.journal.sqlite import SqliteStore, Sync
from meshmq.journal.writer import Writer
from meshmq.names import check_name

SYNCS: Final = ("full", "normal")


def open_journal(
    path: str | os.PathLike[str], node: str, *, sync: Sync = "full", staged: OnStaged | None = None
) -> Journal:
    """Open the journal of a node, or make it; then call ``recover``.

    ``staged`` is given, from the journal's thread, what users' own transactions have left in its file (``stage``);
    each of it is answered with ``Keep(job, staged=row)`` or ``SetAside``, and no more is given before that.

    Raises:
        ConfigError: ``sync`` or the node's name cannot be used.
        JournalError: the file is in use, read-only, damaged, another node's, or of another version.
    """
    if sync not in SYNCS:
        raise ConfigError(f"sync={sync!r}: it is 'full' (outlives a loss of power) or 'normal' (outlives the process)")
    return Writer(SqliteStore(Path(path), check_name("node", node), sync=sync), staged)
