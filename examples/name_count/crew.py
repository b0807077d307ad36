"""Starts the programs of the job, hears what they tell, and leaves none of them behind."""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

HERE: Final = Path(__file__).resolve().parent

#: Seconds without a word after which the job is given up.
PATIENCE: Final = 60.0
#: Seconds a program has to leave by itself.
LEAVING: Final = 5.0


class CrewError(Exception):
    """A program ended in the middle of its work, or nobody says anything."""


class Crew:
    """Programs of this folder, each a process with a name, in a mesh that nobody else is in.

    ``say`` is called with what they say in words, as warnings and tracebacks.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("MESHMQ_")}
        if "MESHMQ_RUNTIME_DIR" in os.environ:
            self._environment["MESHMQ_RUNTIME_DIR"] = os.environ["MESHMQ_RUNTIME_DIR"]
        self._environment["MESHMQ_MESH"] = f"name-count-{secrets.token_hex(4)}"
        self._environment["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()
        self._heard: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()

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
        """Start a program of this folder as the node ``name``."""
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", HERE / f"{program}.py", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**self._environment, "MESHMQ_NAME": name},
            process_group=0,  # Ctrl-C is for us; we end the others
        )
        self._processes[name] = process
        threading.Thread(target=self._hear, args=(name, process.stdout), daemon=True).start()

    def kill(self, name: str) -> None:
        """End a program with SIGKILL: it can say and save nothing."""
        self._killed.add(name)
        self._processes[name].kill()

    def end(self, name: str) -> None:
        """Tell a program to finish."""
        self._end_input(self._processes[name])

    def hear(self) -> tuple[str, dict[str, Any]]:
        """Return who tells something, and what.

        Raises:
            CrewError: somebody failed, or nobody tells anything any more.
        """
        while True:
            try:
                name, line = self._heard.get(timeout=PATIENCE)
            except queue.Empty:
                raise CrewError(f"nobody has said anything for {PATIENCE:g} s") from None
            if line.startswith(b"{"):
                return name, json.loads(line)
            if line:
                self._say(f"{name}: {line.decode(errors='replace').rstrip()}")
            elif (status := self._processes[name].wait()) and name not in self._killed:
                raise CrewError(f"{name} ended with {status}")

    def _hear(self, name: str, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._heard.put((name, line))
        self._heard.put((name, b""))

    def _end_input(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
