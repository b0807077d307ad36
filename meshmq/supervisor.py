"""Processes of one machine: started from a command, watched, started again when they die, ended in order.

A supervisor that is killed cannot end anybody. So its workers hold a pipe whose other end it alone has, and a thread
of each, started by ``end_with_supervisor()``, reads it to its end, which every system brings about when the
supervisor dies. (Linux' PR_SET_PDEATHSIG is of one system, and counts from the thread that forked.)
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import IO, Any, Final

from meshmq.links.interrupts import start_apart

#: Seconds that a worker has to end; one of MeshMQ ends by itself, ``settings.drain`` after the signal.
LIMIT: Final = 30.0
#: Seconds until a worker that died is started again: first, at most, and first again after so many of life.
FIRST, MOST, LIVED = 0.1, 30.0, 60.0
VARIABLE: Final = "MESHMQ_SUPERVISOR_PIPE"

_logger: Final = logging.getLogger("meshmq.supervisor")


@dataclass(frozen=True, slots=True)
class Program:
    """What one process is to run, and what its lines have in front."""

    label: str
    command: Sequence[str]
    leads: bool = False
    """Whether the others are there for it: a signal ends it first, and they are ended when all that lead are done."""


def several(name: str, command: Sequence[str], count: int) -> list[Program]:
    """Return ``count`` programs of one command, called by ``name`` and their number."""
    return [Program(f"{name}-{number}", command) for number in range(1, count + 1)]


@dataclass(slots=True, eq=False)
class _Worker:
    program: Program
    process: Popen[bytes] | None = None
    reader: threading.Thread = field(default_factory=threading.Thread)
    began: float = 0.0
    failures: int = 0
    #: When it is started next, and killed; whether it was told to end so that it begins anew, or for good.
    due: float | None = 0.0
    kill_at: float | None = None
    anew: bool = False
    told: bool = False
    starts: int = 0

    @property
    def label(self) -> str:
        return self.program.label

    @property
    def done(self) -> bool:
        return self.process is None and self.due is None


def write_out(line: bytes) -> None:
    """Write a worker's line to stdout."""
    with suppress(OSError):  # where nobody reads it, the work goes on
        while line:
            line = line[os.write(1, line) :]


class Supervisor:
    """Workers, a process for each program; their lines come out, by ``write``, with their labels in front.

    A worker that ends with 0 is done; one that ends otherwise is started again, soon at first and ever later while it
    dies soon. One that ends with a status in ``hopeless`` ends them all. SIGTERM or SIGINT drains: each gets SIGTERM,
    and SIGKILL after ``limit`` seconds; a second signal ends them at once. They are in process groups of their own, so
    that Ctrl-C is the supervisor's. When ``changed``, asked twice a second, is true, all are ended and started anew.

    Where some lead, the others are there for them: a signal drains those that lead, and when these are done, however
    that came, the others are drained.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        limit: float = LIMIT,
        hopeless: Collection[int] = (),
        changed: Callable[[], bool] | None = None,
        write: Callable[[bytes], None] = write_out,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._limit, self._hopeless, self._write, self._environment = limit, hopeless, write, environment
        self._workers = [_Worker(program) for program in programs]
        self._changed = changed or bool
        self._look_at: float | None = time.monotonic() if changed is not None else None
        self._random, self._writing = Random(), threading.Lock()
        self._noted, self._status, self._ending = list[int](), 0, False
        #: Whether a signal ended it.
        self.struck = False

    @property
    def processes(self) -> dict[str, int]:
        """The process ids of the workers that run, by their labels; from any thread."""
        return {worker.label: process.pid for worker in self._workers if (process := worker.process) is not None}

    @property
    def restarts(self) -> dict[str, int]:
        """How often each worker was started again, by their labels; from any thread."""
        return {worker.label: max(0, worker.starts - 1) for worker in self._workers}

    def run(self) -> int:
        """Run until all workers are done, in the main thread; returns the exit status of it all.

        That is 0 if all ended well, 1 if one did not or had to be killed, 128 and its number after a second signal.
        """
        with self._alert() as (bell, pipe):
            while not all(worker.done for worker in self._workers):
                for worker in self._workers:
                    if worker.due is not None and time.monotonic() >= worker.due:
                        self._start(worker, pipe)
                if select.select([bell], [], [], self._patience())[0]:
                    os.read(bell, 4096)
                while self._noted:
                    if (number := self._noted.pop(0)) != signal.SIGCHLD:
                        self.struck = True
                        self._end(number)
                for worker in self._workers:
                    self._look_after(worker)
                if self._look_at is not None and time.monotonic() >= self._look_at:
                    self._look()
        return self._status

    @contextmanager
    def _alert(self) -> Iterator[tuple[int, int]]:
        """Have signals, deaths among them, ring a bell; yields it and the workers' end of their pipe."""
        (bell, ringer), (pipe, end) = os.pipe(), os.pipe()
        os.set_blocking(ringer, False)
        heard = signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        before = {one: signal.signal(one, lambda number, _: self._noted.append(number)) for one in signals}
        try:
            yield bell, pipe
        finally:
            for worker in self._workers:  # none where all went well
                self._send(worker, signal.SIGKILL)
            signal.set_wakeup_fd(heard)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in (bell, ringer, pipe, end):
                os.close(descriptor)

    def _patience(self) -> float:
        moments = [self._look_at, *(at for worker in self._workers for at in (worker.due, worker.kill_at))]
        now = time.monotonic()
        return max(0.0, min((at for at in moments if at is not None), default=now + LIVED) - now)

    def _start(self, worker: _Worker, pipe: int) -> None:
        worker.due, worker.began, worker.anew, worker.starts = None, time.monotonic(), False, worker.starts + 1
        given = os.environ if self._environment is None else self._environment
        environment = {**given, "PYTHONUNBUFFERED": "1", VARIABLE: f"{pipe} {self._limit}"}
        options: dict[str, Any] = {"stdin": DEVNULL, "stdout": PIPE, "stderr": STDOUT, "process_group": 0}
        try:
            worker.process = Popen(worker.program.command, env=environment, pass_fds=(pipe,), **options)
        except OSError as error:  # of a machine that has no room for it, say
            self._start_later(worker, f"cannot be started ({error})")
            return
        _logger.info("%s is started: process %d", worker.label, worker.process.pid)
        worker.reader = threading.Thread(target=self._pass_on, args=(worker.label, worker.process.stdout), daemon=True)
        start_apart(worker.reader)

    def _pass_on(self, label: str, source: IO[bytes]) -> None:
        with source:
            while line := source.readline(65_536):
                with self._writing:
                    self._write(f"{label}: ".encode() + line.removesuffix(b"\n") + b"\n")

    def _look_after(self, worker: _Worker) -> None:
        status, now = worker.process.poll() if worker.process is not None else None, time.monotonic()
        if status is None:
            if worker.kill_at is not None and now >= worker.kill_at:
                _logger.error("%s has not ended within %g s and is killed", worker.label, self._limit)
                worker.kill_at = None
                self._send(worker, signal.SIGKILL)
            return
        worker.reader.join(1.0)  # its last words; what it has started itself may keep them open
        worker.process = worker.kill_at = None
        if worker.told:
            self._status = self._status or int(status not in (0, -signal.SIGTERM, 128 + signal.SIGTERM))
        elif worker.anew:
            worker.due, worker.failures = now, 0
        elif status in self._hopeless:
            self._status = status
            self._end_all(signal.SIGTERM)
        elif status:
            worker.failures *= now - worker.began < LIVED
            self._start_later(worker, f"has ended with {status}")
        if worker.program.leads and worker.done and not any(map(_leads, self._workers)):
            self._end_all(signal.SIGTERM)

    def _start_later(self, worker: _Worker, why: str) -> None:
        pause = min(MOST, FIRST * 2.0 ** min(worker.failures, 30)) * self._random.uniform(0.5, 1.0)
        worker.due, worker.failures = time.monotonic() + pause, worker.failures + 1
        _logger.warning("%s %s; it is started again in %.1f s", worker.label, why, pause)

    def _end(self, signum: int) -> None:
        force = signal.SIGKILL if self._ending else signal.SIGTERM
        self._status = 128 + signum if self._ending else self._status
        if force == signal.SIGTERM:
            self._end_all(force, [worker for worker in self._workers if worker.program.leads])
        if force == signal.SIGKILL or not any(map(_leads, self._workers)):
            self._end_all(force)

    def _end_all(self, number: int, workers: Sequence[_Worker] | None = None) -> None:
        self._ending, self._look_at = True, None
        for worker in self._workers if workers is None else workers:
            worker.due, worker.told = None, True
            self._send(worker, number)

    def _look(self) -> None:
        self._look_at = time.monotonic() + 0.5
        for worker in self._workers if self._changed() else ():
            worker.anew, worker.due = worker.process is not None, None if worker.process else time.monotonic()
            self._send(worker, signal.SIGTERM)

    def _send(self, worker: _Worker, number: int) -> None:
        """End a worker: gently, with a limit; or by force, with all that it has started."""
        if worker.process is None or worker.process.poll() is not None:
            return
        if number == signal.SIGKILL:
            os.killpg(worker.process.pid, number)  # its number is its own: it was not waited for
        elif worker.kill_at is None:  # a second signal would end it at once
            worker.kill_at = time.monotonic() + self._limit
            worker.process.terminate()


def _leads(worker: _Worker) -> bool:
    return worker.program.leads and not worker.done


def end_with_supervisor() -> None:
    """Have this process end with its supervisor, however that ends; elsewhere nothing."""
    pipe, _, limit = os.environ.pop(VARIABLE, "").partition(" ")  # what this process starts has no such pipe

    def follow() -> None:
        os.read(int(pipe), 1)  # nothing is ever written
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(float(limit))
        os.kill(os.getpid(), signal.SIGKILL)

    if pipe:
        start_apart(threading.Thread(target=follow, name="meshmq-supervisor", daemon=True))
