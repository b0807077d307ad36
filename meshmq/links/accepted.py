"""Cuts one accepted connection, which libzmq cannot [F 52]: by its descriptor, while it is still that connection's."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def inode(fileno: int) -> int:
    """Return what tells a descriptor from the next one of the same number, -1 where there is none."""
    with suppress(OSError):
        return os.fstat(fileno).st_ino
    return -1


def cut(fileno: int, known: int) -> None:
    """Shut a connection down, if its descriptor still has the inode by which it is ``known``."""
    if fileno < 0 or known < 0 or inode(fileno) != known:
        return
    with suppress(OSError):
        accepted = socket.socket(fileno=fileno)
        try:
            accepted.shutdown(socket.SHUT_RDWR)
        finally:
            accepted.detach()  # it is libzmq's
