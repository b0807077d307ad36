"""Looks at connections by their descriptors, which are libzmq's, and cuts one accepted, which libzmq cannot [F 52]."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress


def inode(fileno: int) -> int:
    """Return what tells a descriptor from the next one of the same number, -1 where there is none."""
    with suppress(OSError):
        return os.fstat(fileno).st_ino
    return -1


@contextmanager
def as_socket(fileno: int) -> Iterator[socket.socket]:
    """Have a descriptor as a socket for a moment; it stays open.

    Raises:
        OSError: it is none.
    """
    found = socket.socket(fileno=fileno)
    try:
        yield found
    finally:
        found.detach()


def is_still(fileno: int, known: int) -> bool:
    """Whether a descriptor still has the inode by which it is ``known``."""
    return fileno >= 0 and known >= 0 and inode(fileno) == known


def cut(fileno: int, known: int) -> None:
    """Shut a connection down, if its descriptor is still that connection's."""
    if is_still(fileno, known):
        with suppress(OSError), as_socket(fileno) as accepted:
            accepted.shutdown(socket.SHUT_RDWR)
