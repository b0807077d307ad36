"""The one private ZeroMQ context of this process, and the guard against its use after a fork."""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

import zmq

from meshmq.errors import ForkedError

try:
    import resource
except ImportError:  # Windows has no descriptor limit to raise
    resource = None  # type: ignore[assignment]  # the fallback of an import

#: More than any mesh needs; a soft limit in the millions makes some child processes slow to start.
_MOST_DESCRIPTORS: Final = 65_535


class _Process:
    """What belongs to this process and is left behind, untouched, by a fork."""

    def __init__(self, generation: int, orphan: object = None) -> None:
        self.generation = generation
        self.lock = threading.Lock()
        self.context: zmq.SyncContext | None = None
        # Held for ever: collecting the parent's context in the child would end it there.
        self.orphan = orphan


_process = _Process(0)


def _forked() -> None:
    global _process
    _process = _Process(_process.generation + 1, _process)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def generation() -> int:
    """Return how many forks lie between this process and the first one; what is made now belongs to it."""
    return _process.generation


def check_generation(born: int) -> None:
    """Let only the process go on that made what is used.

    Raises:
        ForkedError: it was made before a fork, by the parent.
    """
    if born != _process.generation:
        raise ForkedError("this node was made before fork() and belongs to the parent: create the Node in the child")


def context() -> zmq.SyncContext:
    """Return this process's context; the first call makes it, and the first after a fork or ``destroy``."""
    process = _process
    with process.lock:
        if process.context is None or process.context.closed:
            process.context = _new_context()
        return process.context


def descriptor_limit() -> int:
    """Return how many descriptors this process may have, as far as there is a limit that is worth a look."""
    if resource is None:
        return sys.maxsize
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else int(soft)


def destroy(linger_ms: int) -> None:
    """End the context with all its sockets, giving what they hold ``linger_ms`` to leave."""
    process = _process
    with process.lock:
        ended, process.context = process.context, None
    if ended is not None:
        ended.destroy(linger=linger_ms)


def _new_context() -> zmq.SyncContext:
    made: zmq.SyncContext = zmq.Context()
    made.set(zmq.BLOCKY, 0)  # F 9, 12: a forgotten socket never hangs an exit
    made.set(zmq.MAX_SOCKETS, min(_raise_descriptor_limit(), _MOST_DESCRIPTORS))  # F 9, 21
    return made


def _raise_descriptor_limit() -> int:
    """Raise the soft limit on descriptors to the hard one, as far as it is of use, and return it."""
    if resource is None:
        return 8192
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    wanted = _MOST_DESCRIPTORS if hard == infinite else min(hard, _MOST_DESCRIPTORS)
    if soft == infinite or soft >= wanted:
        return _MOST_DESCRIPTORS if soft == infinite else int(soft)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # a sandbox may forbid it
        return int(soft)
    return int(wanted)
