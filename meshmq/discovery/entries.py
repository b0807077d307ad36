"""The entries that tell living nodes from dead ones: a file each, locked while its process lives.

**No race may clear away the living.** An entry is created, then locked, then looked up again, and
only then are sockets bound beside it; to announce is to rename it from ``.new`` to ``.lock``. Who
looks takes a *shared* lock, so two who look at once never take each other for the living, and holds
it while deleting; a node that meets such a lock on its fresh entry, or finds it deleted, leaves it
and takes another name, so no path is ever used twice.

**Why flock.** POSIX locks (``lockf``) are not inherited by ``fork``, but closing *any* descriptor
of the file drops them: a second node in the same process that looks at the first would kill it. flock
belongs to the descriptor; a forked child inherits that, and would keep a dead parent's entry
alive (FACT 51), so children of ``os.fork`` close theirs at once, and ``exec`` closes the others.
What escapes both is a rumour too many, which costs a dial; the other way would cost a living node.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from meshmq.errors import LinkError
from meshmq.links.reserve import hidden_name
from meshmq.names import NODE_ID_BYTES

if sys.platform != "win32":
    import fcntl

HAS_FILE_LOCKS: Final = sys.platform != "win32"

ANNOUNCED: Final = ".lock"
UNANNOUNCED: Final = ".new"
SOCKETS: Final = (".c", ".t", ".d")

_NAME: Final = re.compile(r"[0-9a-f]{16}(-[0-9]{1,2})?(\.lock|\.new)", re.ASCII)
_NO_LOCKS_HERE: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOSPC, errno.EDQUOT})

# Descriptors of our own entries, for children to close. The guard is held across fork, so that no
# child inherits a descriptor that is not yet noted here.
_held: set[int] = set()
_guard = threading.RLock()


def _forget_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_in_child)


def take(path: Path, node_id: bytes) -> int | None:
    """Create and lock ``path`` and return its descriptor, or ``None`` if somebody came between.

    Raises:
        LinkError: this directory cannot hold locked files.
    """
    with _guard:
        descriptor = _take(path, node_id)
        if descriptor is not None:
            _held.add(descriptor)
        return descriptor


def give_back(descriptor: int, entry: Path) -> None:
    """Delete an entry of our own with its sockets, then drop its lock."""
    with _guard:
        _clear(entry)
        _held.discard(descriptor)
        os.close(descriptor)


def _take(path: Path, node_id: bytes) -> int | None:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except (FileExistsError, FileNotFoundError):
        return None
    except OSError as error:
        raise LinkError(f"no socket can be made in {path.parent} ({error.strerror}): is the disk full?") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, node_id.hex().encode())
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except OSError as error:
        if error.errno in _NO_LOCKS_HERE:
            os.close(descriptor)
            raise LinkError(
                f"{path.parent} cannot hold locked files ({error.strerror}): "
                "set MESHMQ_RUNTIME_DIR to a directory on a local disk"
            ) from error
    os.close(descriptor)
    return None


def living(directory: Path) -> Iterator[tuple[str, bytes | None]]:
    """Yield the name and id of each announced entry that is alive; clear away the dead."""
    try:
        entries = list(directory.iterdir())
    except OSError:
        return
    for entry in entries:
        if not _NAME.fullmatch(entry.name):  # not ours: the user may have given us a directory with more in it
            continue
        try:
            descriptor = os.open(entry, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            if entry.suffix == ANNOUNCED:
                yield entry.stem, _read_id(descriptor)
        else:
            if os.fstat(descriptor).st_nlink:
                _clear(entry)
        finally:
            os.close(descriptor)


def _read_id(descriptor: int) -> bytes | None:
    try:
        node_id = bytes.fromhex(os.read(descriptor, 2 * NODE_ID_BYTES + 1).decode())
    except (OSError, ValueError):
        return None
    return node_id if len(node_id) == NODE_ID_BYTES else None


def _clear(entry: Path) -> None:
    """Delete an entry and its sockets, the entry last: nothing may be left that no entry accounts for."""
    sockets = [entry.with_suffix(suffix) for suffix in SOCKETS]
    for path in (*sockets, *map(hidden_name, sockets), entry):
        with contextlib.suppress(OSError):
            path.unlink()
