"""Child processes in a test's hand: started, heard line by line, killed, stopped, ended by pid."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

#: Seconds to wait where a test names no limit: far above what it takes, far below the test's own.
LIMIT: Final = 20.0

ROOT: Final = Path(__file__).resolve().parents[2]


class Child:
    """One child process in a process group of its own.

    Its lines arrive through a thread, so that waiting for one has a limit; what it says on stderr
    goes to a file and is part of every failure's message.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | str | None = None
    ) -> None:
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the child
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=_environment(env),
            cwd=cwd,
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, name=f"lines of {self.pid}", daemon=True)
        self._reader.start()

    def __repr__(self) -> str:
        state = "running" if self.running else f"ended with {self._process.returncode}"
        return f"<Child {self.pid} {state}: {' '.join(map(str, self._process.args))[:80]!r}>"  # type: ignore[arg-type]  # args is the list given above

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def stderr(self) -> str:
        """What the child has said on stderr until now."""
        return os.pread(self._words.fileno(), 1 << 20, 0).decode(errors="replace")

    def line(self, timeout: float = LIMIT) -> str:
        """Return the child's next line, without its end.

        Raises:
            AssertionError: no line came in time, or the child has closed its stdout.
        """
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"no line within {timeout:g} s from {self!r}; stderr:\n{self.stderr}") from None
        if line is None:
            self._lines.put(None)
            raise AssertionError(f"no more lines from {self!r}; stderr:\n{self.stderr}")
        return line

    def until(self, text: str, timeout: float = LIMIT) -> list[str]:
        """Return the child's lines up to the first that holds ``text``, that one included.

        Raises:
            AssertionError: no such line came in time, or the child has closed its stdout.
        """
        deadline = time.monotonic() + timeout
        lines: list[str] = []
        while not lines or text not in lines[-1]:
            lines.append(self.line(max(0.0, deadline - time.monotonic())))
        return lines

    def rest(self, timeout: float = LIMIT) -> list[str]:
        """Return all lines until the child closes its stdout.

        Raises:
            AssertionError: it has not closed it in time.
        """
        self._reader.join(timeout)
        if self._reader.is_alive():
            raise AssertionError(f"still open after {timeout:g} s: stdout of {self!r}; stderr:\n{self.stderr}")
        return list(iter(self._lines.get, None))

    def say(self, line: str) -> None:
        """Write one line to the child's stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def end_input(self) -> None:
        """Close the child's stdin."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def signal(self, number: int) -> None:
        """Send a signal to the child alone; nothing happens when it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the child with SIGKILL and wait for it: what the machine does when memory runs out."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        """Freeze the child with SIGSTOP; return when the kernel says it stands still."""
        self.signal(signal.SIGSTOP)
        if self.running:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a frozen child go on."""
        self.signal(signal.SIGCONT)

    def wait(self, timeout: float = LIMIT) -> int:
        """Return the child's exit status, as ``-signal`` where a signal ended it.

        Raises:
            AssertionError: it has not ended in time.
        """
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not ended within {timeout:g} s: {self!r}; stderr:\n{self.stderr}") from None

    def close(self) -> None:
        """End the child and whatever it has started in its group, and forget its lines."""
        if self.running:
            # Not waited for yet, so neither its pid nor its group can be anybody else's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        else:
            for pid in _orphans(self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.end_input()
        self._reader.join(LIMIT)
        self._words.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._lines.put(line.decode(errors="replace").rstrip("\r\n"))
        self._lines.put(None)


def python(code_or_path: str | Path, *arguments: object) -> list[str]:
    """Return the command that runs a file (a ``Path``), or code (a ``str``), with this interpreter."""
    program = [str(code_or_path)] if isinstance(code_or_path, Path) else ["-c", code_or_path]
    return [sys.executable, *program, *map(str, arguments)]


def _environment(changes: Mapping[str, str] | None) -> dict[str, str]:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    return environment | dict(changes or {})


def _orphans(group: int) -> list[int]:
    """Return what is left of the group of a child that has ended.

    A process that bears the group's number itself is a stranger to whom the kernel gave it again.
    """
    members: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(stat.read_text().rpartition(")")[2].split()[2]) == group:
                members.append(int(stat.parent.name))
    return [] if group in members else members
