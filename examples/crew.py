"""Starts the programs of an example, each a process in one mesh of their own, and leaves none of them behind."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

#: Seconds a program has to leave by itself.
LEAVING: Final = 5.0
#: Seconds in which something must have happened, and between two looks.
PATIENCE: Final = 20.0
LOOK: Final = 0.02


def wait_until(happened: Callable[[], bool]) -> None:
    """Look again and again until something has happened, or the time is over: the report says what is missing."""
    pause = threading.Event()
    for _ in range(round(PATIENCE / LOOK)):
        if happened():
            return
        pause.wait(LOOK)


class Crew:
    """Programs of one folder, each a process with a name, in a mesh that nobody else is in.

    The nodes of this process are in that mesh, too: what leads elsewhere (as ``MESHMQ_SECRET``) is taken out of its
    environment.
    """

    def __init__(self, folder: Path) -> None:
        for name in [name for name in os.environ if name.startswith("MESHMQ_") and name != "MESHMQ_RUNTIME_DIR"]:
            del os.environ[name]
        os.environ["MESHMQ_MESH"] = f"{folder.name}-{secrets.token_hex(4)}"
        path = filter(None, [os.environ.get("PYTHONPATH"), str(folder.parents[1])])
        self._folder, self._environment = folder, {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            if error is not None:
                process.kill()
            self._end_input(process)
        for process in self._processes.values():
            try:
                process.wait(LEAVING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, program: str, name: str, *arguments: object) -> None:
        """Start a program of the folder as the node ``name``."""
        self._processes[name] = subprocess.Popen(
            [sys.executable, self._folder / f"{program}.py", *map(str, arguments)],
            stdin=subprocess.PIPE,  # its end is theirs, see lifeline.py
            env={**self._environment, "MESHMQ_NAME": name},
            process_group=0,  # Ctrl-C is for us; we end the others
        )

    def kill(self, name: str) -> None:
        """End a program with SIGKILL: it can say and save nothing."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()
        self._end_input(process)

    def stop(self, name: str) -> None:
        """Let a program stand still, with SIGSTOP."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let it go on."""
        self._processes[name].send_signal(signal.SIGCONT)

    def _end_input(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
