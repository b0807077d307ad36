"""The child process that does one job: started by a shell, fed on stdin, ended with us."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from meshmq.errors import MeshError
from meshmq.links.interrupts import shield

#: Seconds a child has after SIGTERM.
PATIENCE: Final = 5.0
#: What a shell returns where the command is there and cannot be run, and where it is not there.
_CANNOT_RUN: Final = {126: "cannot be run", 127: "is not found"}


class CannotRun(MeshError):
    """The command itself is at fault, and no job is."""


def run_child(command: str, line: str, about: Mapping[str, str]) -> int:
    """Run ``command`` in a shell with ``line`` on its stdin; return its exit code, ``-signal`` where one ended it.

    The child is in a process group of its own: Ctrl-C is ours, and we end whatever the command has started.

    Raises:
        CannotRun: the shell cannot run it.
    """
    child: subprocess.Popen[bytes] | None = None
    environment = {**os.environ, **about}
    try:
        with shield:  # a signal in the middle of Popen would leave us without the child's number
            child = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env=environment, process_group=0)
        child.communicate(line.encode() + b"\n")  # one that does not read its job is welcome, too
    except BaseException:
        if child is not None:
            _end(child)
        raise
    if child.returncode in _CANNOT_RUN:
        raise CannotRun(f"{command!r} {_CANNOT_RUN[child.returncode]}; the job in hand goes back")
    return child.returncode


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and all in its group; a second interrupt ends them at once."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(PATIENCE)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
