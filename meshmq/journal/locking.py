"""The lock that gives a journal to one node: a file beside it, which the kernel unlocks when its process dies.

It is never deleted: who waits for a deleted file's lock gets one that protects nothing. It says who has it, and
whether the journal's file holds anything but the journal (see ``damage.py``). A forked child closes its copy, or a
dead parent's journal would stay locked.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from meshmq.errors import JournalError

if sys.platform != "win32":
    import fcntl

_ALONE: Final = "alone"
_REASONS: Final = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "read-only"),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "full"),
}

_held: set[int] = set()
_guard = threading.RLock()


def _forget_in_child() -> None:
    for descriptor in _held:
        with suppress(OSError):
            os.close(descriptor)
    _held.clear()
    _guard.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_guard.acquire, after_in_parent=_guard.release, after_in_child=_forget_in_child)


class Lock:
    """Holds the lock of a journal's file from the start.

    Raises:
        JournalError: another has it, or it cannot be made.
    """

    def __init__(self, path: Path, node: str) -> None:
        self._path = lock_of(path)
        self._node = node
        with _guard:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise JournalError(
                    f"the journal '{path}' cannot be used, for '{self._path}' cannot be made beside it "
                    f"({error.strerror}): is the directory there, and may this user write to it?",
                    _REASONS.get(error.errno or 0, "failed"),
                ) from error
            try:
                if sys.platform != "win32":
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder, _ = self._read()
                os.close(self._descriptor)
                raise JournalError(
                    f"the journal '{path}' is in use by {holder or 'another node'}: one node has a journal at a time; "
                    "close that one, or give this one a file of its own",
                    "locked",
                ) from error
            _held.add(self._descriptor)
        self.was_alone = self._read()[1]
        self.note(alone=self.was_alone)

    def note(self, *, alone: bool) -> None:
        """Say in the file who has it, and whether the journal's file holds the journal alone."""
        text = f"node {self._node!r}, process {os.getpid()}\n{_ALONE if alone else ''}\n".encode()
        with suppress(OSError):  # only words: a full disk does not matter
            os.pwrite(self._descriptor, text, 0)
            os.ftruncate(self._descriptor, len(text))

    def release(self) -> None:
        """Give it back."""
        with _guard:
            if self._descriptor in _held:  # not in a forked child, which has closed it
                _held.discard(self._descriptor)
                os.close(self._descriptor)
            self._descriptor = -1  # the number may be another lock's by now

    def _read(self) -> tuple[str, bool]:
        try:
            who, _, rest = os.pread(self._descriptor, 1024, 0).decode(errors="replace").partition("\n")
        except OSError:
            return "", False
        return who.strip(), rest.strip() == _ALONE


def lock_of(path: Path) -> Path:
    """Return the path of a journal's lock file."""
    return path.with_name(f"{path.name}-meshmq.lock")
