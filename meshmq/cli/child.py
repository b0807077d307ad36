"""The child process that does one job, or answers one request: started by a shell, fed on stdin, ended with us."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from meshmq.errors import MeshError
from meshmq.links.interrupts import shield

#: Seconds a child has after SIGTERM.
PATIENCE: Final = 5.0
#: Seconds between two looks whether anybody waits for it.
LOOK: Final = 0.1
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
    with _started(command, about) as child:
        child.communicate(line.encode() + b"\n")  # one that does not read its job is welcome, too
    if child.returncode in _CANNOT_RUN:
        raise CannotRun(f"{command!r} {_CANNOT_RUN[child.returncode]}; the job in hand goes back")
    return child.returncode


def ask_child(
    command: str, line: str, about: Mapping[str, str], given_up: Callable[[], bool]
) -> tuple[int, bytes, bytes]:
    """Run ``command`` as ``run_child`` does; return its exit code, and what it wrote to stdout and stderr.

    It is ended when ``given_up``, asked ten times a second, says that nobody waits for it.

    Raises:
        CannotRun: the shell cannot run it.
    """
    with _started(command, about, caught=True) as child:
        given: bytes | None = line.encode() + b"\n"
        while True:
            try:
                out, said = child.communicate(given, timeout=LOOK)
                break
            except subprocess.TimeoutExpired:
                given = None  # it has taken it
                if given_up():
                    _end(child)
    if child.returncode in _CANNOT_RUN:
        raise CannotRun(f"{command!r} {_CANNOT_RUN[child.returncode]}; the request in hand fails")
    return child.returncode, out, said


@contextmanager
def _started(command: str, about: Mapping[str, str], *, caught: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    child: subprocess.Popen[bytes] | None = None
    environment, out = {**os.environ, **about}, subprocess.PIPE if caught else None
    try:
        with shield:  # a signal in the middle of Popen would leave us without the child's number
            child = subprocess.Popen(
                command, shell=True, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environment, process_group=0
            )
        yield child
    except BaseException:
        if child is not None:
            _end(child)
        raise
    finally:
        for pipe in (child.stdin, child.stdout, child.stderr) if child is not None else ():
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


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
