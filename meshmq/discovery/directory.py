"""The private directory in which the sockets of one user's nodes live."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
from pathlib import Path
from typing import Final

from meshmq.errors import LinkError

# What sun_path holds before its final zero.
_SOCKET_PATH_BYTES: Final = 107 if sys.platform == "linux" else 103
# "/<8 hex of the mesh>/<16 hex of the id>-99.c"
_BELOW_RUNTIME_BYTES: Final = 1 + 8 + 1 + 16 + 3 + 2
_ATTEMPTS: Final = 99


def runtime_directory() -> Path:
    """Return the private directory for this user's sockets, made if needed.

    ``$MESHMQ_RUNTIME_DIR``, else ``$XDG_RUNTIME_DIR/meshmq`` (where that exists and is this user's:
    ``sudo`` hands on a stranger's), else ``meshmq-<uid>`` in the directory for temporary files. Where
    the path leaves no room for the name of a socket, a hashed short name in ``/tmp`` takes its place.

    Raises:
        LinkError: the directory cannot be made, or others could reach it.
    """
    user = os.geteuid()
    if own := os.environ.get("MESHMQ_RUNTIME_DIR"):
        directory = Path(own).absolute()
    elif (runtime := os.environ.get("XDG_RUNTIME_DIR")) and _belongs_to(runtime, user):
        directory = Path(runtime).absolute() / "meshmq"
    else:
        import tempfile  # with shutil and what unpacks archives; most users have one of the others

        directory = Path(tempfile.gettempdir()).absolute() / f"meshmq-{user}"
    text = os.fsencode(directory)
    if len(text) + _BELOW_RUNTIME_BYTES > _SOCKET_PATH_BYTES:
        directory = Path("/tmp") / f"meshmq-{user}-{hashlib.sha256(text).hexdigest()[:8]}"
    make_private(directory)
    return directory


def _belongs_to(path: str, user: int) -> bool:
    try:
        status = Path(path).stat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == user


def make_private(directory: Path) -> None:
    """Make ``directory`` for this user alone, or accept the one that is there.

    Raises:
        LinkError: it cannot be made, or others could reach it.
    """
    repair = "remove it, or set MESHMQ_RUNTIME_DIR to a directory of your own"
    try:
        status = _found(directory)
        above = directory.parent.stat()
    except OSError as error:
        raise LinkError(
            f"the directory for sockets {directory} cannot be made ({error.strerror}): "
            "set MESHMQ_RUNTIME_DIR to one that you can write to"
        ) from error
    if status is not None:
        _check(directory, status, repair)
    if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
        raise LinkError(f"anybody can replace what is in {directory.parent}: chmod +t {directory.parent}, or {repair}")


def _check(directory: Path, status: os.stat_result, repair: str) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise LinkError(f"the directory for sockets {directory} is a symbolic link, which somebody may turn: {repair}")
    if not stat.S_ISDIR(status.st_mode):
        raise LinkError(f"{directory} is to be the directory for sockets, and is a file: {repair}")
    if status.st_uid != os.geteuid():
        raise LinkError(f"the directory for sockets {directory} belongs to user {status.st_uid}: {repair}")
    if status.st_mode & 0o077:
        raise LinkError(f"the directory for sockets {directory} is open to other users: chmod 700 {directory}")


def _found(directory: Path) -> os.stat_result | None:
    """Make the directory where it is missing; what is there already, or ``None``.

    The last node of a mesh to leave takes the empty directory with it, and may do so between any two steps here. What
    was made just now is not looked at again: two who did nothing but remove it were always there first.
    """
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            try:
                directory.mkdir(mode=0o700, parents=True)
            except FileExistsError:
                return directory.lstat()
            return None
    raise FileNotFoundError(errno.ENOENT, "others remove it as fast as it is made")
