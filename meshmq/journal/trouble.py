"""What goes wrong with an SQLite file, as one clear sentence with the next step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from meshmq.errors import JournalError
from meshmq.journal.tables import FORMAT

#: By SQLite's primary result codes (https://www.sqlite.org/rescode.html); every other is the disk's.
_REASONS: Final = {
    3: "read-only",  # SQLITE_PERM
    5: "locked",  # SQLITE_BUSY
    6: "locked",  # SQLITE_LOCKED
    8: "read-only",  # SQLITE_READONLY
    11: "damaged",  # SQLITE_CORRUPT
    13: "full",  # SQLITE_FULL
    18: "unusable",  # SQLITE_TOOBIG
    19: "unusable",  # SQLITE_CONSTRAINT
    20: "unusable",  # SQLITE_MISMATCH
    26: "damaged",  # SQLITE_NOTADB
}
_SENTENCES: Final = {
    "full": "the disk of '{path}' is full: free some space; the node goes on meanwhile",
    "locked": "another connection has '{path}' locked for more than {busy:g} s: end its transaction",
    "read-only": "the journal '{path}' cannot be written ({why}): give this user the right to, or another file",
    "damaged": "the journal '{path}' is damaged ({why}): close the node, and open it again",
    "unusable": "the journal '{path}' cannot keep this ({why})",
    "failed": "the disk of '{path}' fails ({why}): look at the disk, and at the system's log",
}


def translated(error: Exception, path: Path, busy: float) -> JournalError:
    """Return what SQLite has raised as ours; what has no code was never given to it."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return trouble("unusable" if code is None else _REASONS.get(code & 0xFF, "failed"), path, str(error), busy)


def trouble(reason: str, path: Path, why: str, busy: float = 0.0) -> JournalError:
    """Return the error for a reason."""
    return JournalError(_SENTENCES[reason].format(path=path, busy=busy, why=why), reason)


def check_format(path: Path, meta: Mapping[str, Any]) -> None:
    """See whether the tables are those that we know.

    Raises:
        JournalError: they are of another version.
    """
    if meta.get("format") != FORMAT:
        raise JournalError(
            f"the journal '{path}' is of format {meta.get('format')!r}, and this MeshMQ knows {FORMAT}: "
            "use the MeshMQ that wrote it, or give another file; nothing was changed",
            "version",
        )


def check_owner(path: Path, meta: Mapping[str, Any], node: str) -> None:
    """See whether the journal is this node's.

    Raises:
        JournalError: it is another's.
    """
    if meta.get("node") != node:
        raise JournalError(
            f"the journal '{path}' belongs to node {meta.get('node')!r}, and this one is {node!r}: "
            "give the node that name, or a file of its own; nothing was changed",
            "name",
        )
